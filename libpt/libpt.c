/* The library's operations for x86-64, as libpt.a has them; see libpt.h. */
#include <libpt.h>
#include <mm/pt/pt_ops.c>

struct pt_cpu libpt_cpu;

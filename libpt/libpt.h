/*
 * The page-table library for x86-64, as other programs use it: include <libpt.h>, link libpt.a,
 * and define the functions of mm/pt/pt_host.h. docs/porting.md tells how; docs/examples/tiny is a
 * kernel that does nothing else.
 *
 * The library keeps no state. It needs memset and memcpy, as everything that GCC compiles does.
 */
#pragma once

#include <arch/pt_cpu.h>

/*
 * What the CPU can do, set before anything else is asked of the library:
 *
 *   libpt_cpu = (struct pt_cpu)PT_CPU_INIT(physical address bits, level of the largest leaf);
 *
 * From CPUID: the low byte of EAX of leaf 0x80000008; 2 if EDX bit 26 of leaf 0x80000001 says that
 * there are pages of 1 GiB, else 1.
 */
extern struct pt_cpu libpt_cpu;

#define PT_CPU libpt_cpu
#define PT_FORMAT_HEADER <arch/pt_format.h>
#include <mm/pt/pt.h>
#include <mm/pt/pt_iter.h>
#include <mm/pt/pt_ops.h>

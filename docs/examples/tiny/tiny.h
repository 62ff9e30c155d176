/* A kernel that shows how another kernel uses libpt, and nothing else. */
#pragma once

#include <libpt.h>

/* Whoever passes a batch has the CPU forget its translations; see pt_host_free. */
struct pt_batch {
	unsigned flush_count;
};

/* Tables in use, of all roots. */
unsigned tables_taken(void);

/* Forget all translations but global ones, and all ways to tables. */
void flush_all(void);

void *memset(void *to, int byte, size_t bytes);
void *memcpy(void *to, const void *from, size_t bytes);

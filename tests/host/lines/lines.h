/*
 * Which cache lines a thread writes between lines_begin and lines_end. Only in the program `lines`,
 * which is the thread sanitizer's variant with another library behind it; elsewhere they are NULL.
 */
#pragma once

#include <stdint.h>

#define LINE_BYTES 64
#define LINES_MAX 16384

struct line_set {
	unsigned count;
	uintptr_t line[LINES_MAX];
};

__attribute__((weak)) void lines_begin(struct line_set *set);
__attribute__((weak)) void lines_end(void);

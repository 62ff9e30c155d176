/*
 * The memory and string functions the compiler and we rely on; as in C's <string.h>.
 *
 * On the host this declares the C library's own. No state, no locking; talks to nobody.
 */
#pragma once

#include <lib/compiler.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

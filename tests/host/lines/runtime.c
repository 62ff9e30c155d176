/*
 * Which cache lines a thread writes: every store of code that was compiled for the thread sanitizer
 * calls here, as this is linked in that library's place. See lines.h.
 *
 * Atomics are carried out as the strongest order. A compare-exchange that fails counts: it takes
 * the line, too. Locking: each thread's set is its own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tests/host/lines/lines.h>

static __thread struct line_set *set;

void lines_begin(struct line_set *s)
{
	s->count = 0;
	set = s;
}

void lines_end(void)
{
	set = NULL;
}

static void note_line(uintptr_t line)
{
	for (unsigned i = set->count; i--;)
		if (set->line[i] == line)
			return;
	if (set->count < LINES_MAX)
		set->line[set->count++] = line;
}

static void note(const volatile void *ptr, size_t bytes)
{
	uintptr_t first = (uintptr_t)ptr / LINE_BYTES,
		  last = ((uintptr_t)ptr + bytes - 1) / LINE_BYTES;

	for (; set && bytes && first <= last; first++)
		note_line(first);
}

/* ---- Plain accesses. ---- */

#define PLAIN(bytes)                                 \
	void __tsan_read##bytes(void *p);            \
	void __tsan_read##bytes(void *p)             \
	{                                            \
		(void)p;                             \
	}                                            \
	void __tsan_write##bytes(void *p);           \
	void __tsan_write##bytes(void *p)            \
	{                                            \
		note(p, bytes);                      \
	}                                            \
	void __tsan_unaligned_read##bytes(void *p);  \
	void __tsan_unaligned_read##bytes(void *p)   \
	{                                            \
		(void)p;                             \
	}                                            \
	void __tsan_unaligned_write##bytes(void *p); \
	void __tsan_unaligned_write##bytes(void *p)  \
	{                                            \
		note(p, bytes);                      \
	}
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
	(void)caller;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

void __tsan_read_range(void *p, size_t bytes);
void __tsan_read_range(void *p, size_t bytes)
{
	(void)p, (void)bytes;
}

void __tsan_write_range(void *p, size_t bytes);
void __tsan_write_range(void *p, size_t bytes)
{
	note(p, bytes);
}

/* The C library's, which the linker wraps. */
void *__real_memset(void *p, int c, size_t bytes);
void *__wrap_memset(void *p, int c, size_t bytes);
void *__wrap_memset(void *p, int c, size_t bytes)
{
	note(p, bytes);
	return __real_memset(p, c, bytes);
}

void *__real_memcpy(void *to, const void *from, size_t bytes);
void *__wrap_memcpy(void *to, const void *from, size_t bytes);
void *__wrap_memcpy(void *to, const void *from, size_t bytes)
{
	note(to, bytes);
	return __real_memcpy(to, from, bytes);
}

void *__real_memmove(void *to, const void *from, size_t bytes);
void *__wrap_memmove(void *to, const void *from, size_t bytes);
void *__wrap_memmove(void *to, const void *from, size_t bytes)
{
	note(to, bytes);
	return __real_memmove(to, from, bytes);
}

/* ---- Atomic ones. ---- */

#define CHANGE(bits, type, name, builtin)                                       \
	type __tsan_atomic##bits##_##name(volatile type *p, type v, int order); \
	type __tsan_atomic##bits##_##name(volatile type *p, type v, int order)  \
	{                                                                       \
		(void)order;                                                    \
		note(p, sizeof(*p));                                            \
		return builtin(p, v, __ATOMIC_SEQ_CST);                         \
	}

#define ATOMIC(bits, type)                                                                     \
	type __tsan_atomic##bits##_load(const volatile type *p, int order);                    \
	type __tsan_atomic##bits##_load(const volatile type *p, int order)                     \
	{                                                                                      \
		(void)order;                                                                   \
		return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                   \
	}                                                                                      \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order);                 \
	void __tsan_atomic##bits##_store(volatile type *p, type v, int order)                  \
	{                                                                                      \
		(void)order;                                                                   \
		note(p, sizeof(*p));                                                           \
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                      \
	}                                                                                      \
	CHANGE(bits, type, exchange, __atomic_exchange_n)                                      \
	CHANGE(bits, type, fetch_add, __atomic_fetch_add)                                      \
	CHANGE(bits, type, fetch_sub, __atomic_fetch_sub)                                      \
	CHANGE(bits, type, fetch_and, __atomic_fetch_and)                                      \
	CHANGE(bits, type, fetch_or, __atomic_fetch_or)                                        \
	CHANGE(bits, type, fetch_xor, __atomic_fetch_xor)                                      \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *old, type v, \
							  int order, int fail_order);          \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *p, type *old, type v, \
							  int order, int fail_order)           \
	{                                                                                      \
		(void)order, (void)fail_order;                                                 \
		note(p, sizeof(*p));                                                           \
		return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST,         \
						   __ATOMIC_SEQ_CST);                          \
	}
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
	(void)order;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}

/*
 * The seam for traps: what a trap leaves behind, and how code says that it expects one.
 *
 * Talks to: mm/fault (page faults of user addresses go there first), lib/printk.
 */
#pragma once

#include <arch/mmu.h>
#include <lib/compiler.h>

/* As pushed by the entry stubs; the order is shared with trap_entry.S. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss; /* by the CPU (SDM vol. 3, 6.14.2) */
};

#define TRAP_DE 0
#define TRAP_NMI 2
#define TRAP_BP 3
#define TRAP_UD 6
#define TRAP_DF 8
#define TRAP_SS 12
#define TRAP_GP 13
#define TRAP_PF 14
#define TRAP_MC 18
#define TRAP_RETURN 0x81 /* raised by code that is done: access_code, the ring-3 routine */

/* Page-fault error code (SDM vol. 3, 4.7). */
#define PF_P (1u << 0)
#define PF_W (1u << 1)
#define PF_U (1u << 2)
#define PF_RSVD (1u << 3)
#define PF_I (1u << 4)
#define PF_PK (1u << 5)

/* What happened to one access. vector == TRAP_NONE: it went through. */
#define TRAP_NONE (~0u)
struct trap_info {
	unsigned vector;
	uint64_t error;
	va_t va;      /* CR2 of a page fault */
	uint64_t rip; /* where it happened */
};

/*
 * Run fn(arg) and catch the first trap inside it (in supervisor or user mode, any vector but NMI,
 * double fault and machine check), abandoning fn. Interrupts and SMAP state are as before
 * afterwards.
 *
 * Page faults that mm/fault resolves are not seen here unless `raw` is set. Traps of mm/fault's own
 * are bugs and not caught. Calls nest, up to eight deep: the innermost catches.
 * Returns what was caught.
 */
struct trap_info expect_fault(void (*fn)(void *), void *arg, bool raw);

/* One access, in the mode asked for, with everything that came of it. */
enum access_kind { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };
struct access {
	va_t va;
	enum access_kind kind;
	bool user;      /* from ring 3 */
	bool raw;       /* do not let mm/fault resolve page faults */
	bool smap_open; /* supervisor: between arch_user_access_begin and _end */
	uint64_t value; /* in: what to write. out: what was read (8 bytes), or what the code at va
			 * left in EAX: it must be access_code's. After a trap: unchanged */
};

/*
 * Make the access with the tables that are loaded. User accesses run at ring 3 in a routine on a
 * page of its own, USER_STUB_VA, which the caller's space must map U+X (arch_user_stub_pa); they
 * need no stack and come back by trap. Costs a few hundred instructions.
 *
 * The instruction that traps is access_read_rip or access_write_rip in supervisor mode, on the page
 * at USER_STUB_VA in ring 3, and the code at va itself for ACCESS_EXEC.
 */
struct trap_info arch_access(struct access *a);
extern const uint8_t access_read_rip[], access_write_rip[];

/* Read 8 bytes that may not be there. Returns false, with *value undefined, if that trapped. */
bool arch_peek(va_t va, uint64_t *value);

/* The frame that holds the ring-3 routine, and where it expects to be mapped (R, X, U). */
pa_t arch_user_stub_pa(void);
#define USER_STUB_VA 0x7fffff000000

/* Write the code that ACCESS_EXEC runs to `dst` (a writable alias of it): it puts `value` into EAX
 * and comes back by trap, in either mode (`mov eax, value; int TRAP_RETURN`). */
void access_code(void *dst, uint32_t value);
#define ACCESS_CODE_BYTES 7

/* What mm/fault answers for a page fault it was asked about. */
enum fault_answer { FAULT_RESOLVED, FAULT_REFUSED };
/* NULL until there are spaces. Called with interrupts as the faulting code had them. */
extern enum fault_answer (*trap_page_fault)(const struct trap_frame *f, va_t va);
/* The one there is: asks mm/fault about the space that the CPU runs. */
enum fault_answer page_fault_resolve(const struct trap_frame *f, va_t va);

/* Asked about a non-maskable interrupt, on its own stack; false: nobody knows why it came, which
 * is a bug. NULL: nobody ever does. */
extern bool (*trap_nmi)(const struct trap_frame *f);

/* Prints the walk of an address, level by level, for the report of an unexpected trap. Set by mm;
 * NULL until it can. */
extern void (*trap_print_walk)(va_t va);

/*
 * Tests of traps in supervisor mode: every vector, error codes, expectations and their nesting.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/trap.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <proc/watchdog.h>
#include <tests/kernel/test.h>

#define UNMAPPED 0xffffdffffffff000 /* near the end of the dynamic range */
#define NON_CANONICAL 0x8000000000000000

/* `int n; ret` for each n, 4 bytes apart. */
extern const uint8_t int_instructions[];
__asm__(".text\n"
	".balign 4\n"
	"int_instructions:\n"
	"number = 0\n"
	".rept 256\n"
	".balign 4\n"
	"int $number\n"
	"ret\n"
	"number = number + 1\n"
	".endr\n");

/* What access_code writes, as the assembler sees it. */
extern const uint8_t example_code[];
__asm__(".text\n"
	"example_code:\n"
	"mov $0x12345678, %eax\n"
	"int $0x81\n");

static void call(void *fn)
{
	((void (*)(void))(uintptr_t)fn)();
}

/* Not those that `int n` cannot raise as the CPU does: it pushes no error code, and NMI, double
 * fault and machine check are never expected. Nor those that are interrupts and no traps. */
static bool is_safe(unsigned vector)
{
	return !irq_is_claimed(vector) && vector != 2 && vector != 8 && vector != 18 &&
	       !(vector >= 10 && vector <= 14) && vector != 17 && vector != 21 && vector != 29 &&
	       vector != 30;
}

/* Every vector arrives as itself, with error code 0 and the address behind its instruction. */
TEST(trap, every_vector)
{
	unsigned count = 0;

	for (unsigned n = 0; n < 256; n++) {
		uint64_t code = (uint64_t)int_instructions + 4 * n;

		if (!is_safe(n))
			continue;
		struct trap_info info = expect_fault(call, (void *)code, true);

		EXPECT_EQ(info.vector, n == TRAP_RETURN ? TRAP_NONE : n);
		EXPECT_EQ(info.error, 0ul);
		EXPECT_EQ(info.rip, code + (n == TRAP_BP ? 1 : 2));
		count++;
	}
	test_note("%u vectors", count);
}

static void divide_by_zero(void *arg)
{
	(void)arg;
	__asm__ volatile("xor %%ecx, %%ecx; mov $1, %%eax; cltd; idiv %%ecx"
			 :
			 :
			 : "rax", "rcx", "rdx", "cc");
}

static void undefined_instruction(void *arg)
{
	(void)arg;
	__asm__ volatile("ud2");
}

static void load_bad_selector(void *arg)
{
	__asm__ volatile("mov %0, %%es" : : "r"((uint16_t)(uintptr_t)arg));
}

static void do_nothing(void *arg)
{
	(void)arg;
}

/* Exceptions of the CPU's own come with their vector and error code. */
TEST(trap, exceptions)
{
	struct trap_info info = expect_fault(divide_by_zero, NULL, true);

	EXPECT_EQ(info.vector, (unsigned)TRAP_DE);
	EXPECT_EQ(expect_fault(undefined_instruction, NULL, true).vector, (unsigned)TRAP_UD);

	info = expect_fault(load_bad_selector, (void *)0x1238, true);
	EXPECT_EQ(info.vector, (unsigned)TRAP_GP);
	EXPECT_EQ(info.error, 0x1238ul);
	EXPECT_EQ(expect_fault(do_nothing, NULL, true).vector, TRAP_NONE);
}

/* A page fault tells the address, what was tried, and which instruction did. */
TEST(trap, page_fault_is_exact)
{
	struct access a = { .va = UNMAPPED + 0x123, .kind = ACCESS_READ, .raw = true, .value = 7 };
	struct trap_info info = arch_access(&a);

	EXPECT_EQ(info.vector, (unsigned)TRAP_PF);
	EXPECT_EQ(info.error, 0ul);
	EXPECT_EQ(info.va, UNMAPPED + 0x123);
	EXPECT_EQ(info.rip, (uint64_t)access_read_rip);
	EXPECT_EQ(a.value, 7ul);

	a.kind = ACCESS_WRITE;
	info = arch_access(&a);
	EXPECT_EQ(info.vector, (unsigned)TRAP_PF);
	EXPECT_EQ(info.error, (uint64_t)PF_W);
	EXPECT_EQ(info.va, UNMAPPED + 0x123);
	EXPECT_EQ(info.rip, (uint64_t)access_write_rip);

	a.kind = ACCESS_EXEC;
	info = arch_access(&a);
	EXPECT_EQ(info.vector, (unsigned)TRAP_PF);
	EXPECT_EQ(info.error, (uint64_t)PF_I);
	EXPECT_EQ(info.va, UNMAPPED + 0x123);
	EXPECT_EQ(info.rip, UNMAPPED + 0x123);
}

/* A non-canonical address is a general protection fault, and no page fault. */
TEST(trap, non_canonical)
{
	struct access a = { .va = NON_CANONICAL, .kind = ACCESS_READ, .raw = true };

	EXPECT_EQ(arch_access(&a).vector, (unsigned)TRAP_GP);
	a.kind = ACCESS_WRITE;
	EXPECT_EQ(arch_access(&a).vector, (unsigned)TRAP_GP);
	a.kind = ACCESS_EXEC;
	EXPECT_EQ(arch_access(&a).vector, (unsigned)TRAP_GP);
}

/* Accesses that go through read, write and run what is there. */
TEST(trap, accesses_that_succeed)
{
	uint64_t word = 0x1122334455667788;
	struct access a = { .va = (va_t)&word, .kind = ACCESS_READ };
	uint8_t code[ACCESS_CODE_BYTES];

	EXPECT_EQ(arch_access(&a).vector, TRAP_NONE);
	EXPECT_EQ(a.value, 0x1122334455667788ul);

	a.kind = ACCESS_WRITE;
	a.value = 99;
	EXPECT_EQ(arch_access(&a).vector, TRAP_NONE);
	EXPECT_EQ(READ_ONCE(word), 99ul);

	access_code(code, 0x12345678);
	EXPECT(!memcmp(code, example_code, sizeof(code)));
	a = (struct access){ .va = (va_t)example_code, .kind = ACCESS_EXEC };
	EXPECT_EQ(arch_access(&a).vector, TRAP_NONE);
	EXPECT_EQ(a.value, 0x12345678ul);
}

static void expect_inside(void *arg)
{
	struct trap_info *inner = arg;

	*inner = expect_fault(undefined_instruction, NULL, true);
	divide_by_zero(NULL);
}

/* Expectations nest: each catches its own. */
TEST(trap, expectations_nest)
{
	struct trap_info inner = { 0 };
	struct trap_info outer = expect_fault(expect_inside, &inner, true);

	EXPECT_EQ(inner.vector, (unsigned)TRAP_UD);
	EXPECT_EQ(outer.vector, (unsigned)TRAP_DE);
}

#define RFLAGS_DF (1u << 10)
#define RFLAGS_ID (1u << 21) /* free for everybody to toggle */

static void trap_with_flags_changed(void *arg)
{
	(void)arg;
	arch_user_access_end();
	__asm__ volatile("pushfq; xorq %0, (%%rsp); popfq; ud2"
			 :
			 : "i"(RFLAGS_ID)
			 : "cc", "memory");
}

/* A trap leaves the flags as they were before the expectation, SMAP's among them. */
TEST(trap, flags_are_restored)
{
	arch_user_access_begin();
	uint64_t before = arch_read_flags();
	expect_fault(trap_with_flags_changed, NULL, true);
	uint64_t after = arch_read_flags();
	arch_user_access_end();

	EXPECT_EQ(before & RFLAGS_AC, arch_mmu.smap ? RFLAGS_AC : 0);
	EXPECT_EQ((before ^ after) & (RFLAGS_IF | RFLAGS_AC | RFLAGS_ID), 0);
}

static void fail_an_assertion(void *arg)
{
	(void)arg;
	ASSERT(false);
}

/* An expectation that a bug jumped out of is forgotten: no later trap ends up there. */
TEST(trap, abandoned_expectations_are_forgotten)
{
	for (volatile int i = 0; i < 20; i++)
		EXPECT_BUG(expect_fault(fail_an_assertion, NULL, true));
	EXPECT_EQ(expect_fault(undefined_instruction, NULL, true).vector, (unsigned)TRAP_UD);
}

/* What stands in for mm's fault handler, and what it was asked. */
static struct {
	unsigned calls;
	va_t va;
	uint64_t error, flags;
} hook;

static enum fault_answer refuse(const struct trap_frame *f, va_t va)
{
	uint64_t ignored;

	hook.calls++;
	hook.va = va;
	hook.error = f->error;
	hook.flags = arch_read_flags();
	EXPECT(!arch_peek(UNMAPPED, &ignored)); /* the handler may expect traps of its own */
	return FAULT_REFUSED;
}

/* mm is asked about a page fault first, about a raw one or another trap not at all. */
TEST(trap, mm_is_asked_first)
{
	enum fault_answer (*saved)(const struct trap_frame *, va_t) = trap_page_fault;
	struct access a = { .va = UNMAPPED + 8, .kind = ACCESS_WRITE };

	hook.calls = 0;
	trap_page_fault = refuse;
	struct trap_info info = arch_access(&a);
	EXPECT_EQ(hook.calls, 1u);
	EXPECT_EQ(hook.va, UNMAPPED + 8);
	EXPECT_EQ(hook.error, (uint64_t)PF_W);
	EXPECT_EQ(info.vector, (unsigned)TRAP_PF);
	EXPECT_EQ(info.va, UNMAPPED + 8);

	a.raw = true;
	arch_access(&a);
	expect_fault(undefined_instruction, NULL, false);
	EXPECT_EQ(hook.calls, 1u);
	trap_page_fault = saved;
}

static void fault_with_flags_set(void *arg)
{
	arch_user_access_begin();
	__asm__ volatile("std; mov (%0), %0" : "+r"(arg) : : "cc", "memory");
}

/* However the faulting code set the direction and SMAP's flag, the handler finds them clear. */
TEST(trap, handlers_start_with_clean_flags)
{
	enum fault_answer (*saved)(const struct trap_frame *, va_t) = trap_page_fault;

	hook.calls = 0;
	trap_page_fault = refuse;
	EXPECT_EQ(expect_fault(fault_with_flags_set, (void *)UNMAPPED, false).vector, TRAP_PF);
	trap_page_fault = saved;
	EXPECT_EQ(hook.calls, 1);
	EXPECT_EQ(hook.flags & (RFLAGS_AC | RFLAGS_DF), 0);
}

/* Peeking tells memory from none. */
TEST(trap, peek)
{
	uint64_t word = 5, value = 0;

	EXPECT(arch_peek((va_t)&word, &value));
	EXPECT_EQ(value, 5ul);
	EXPECT(!arch_peek(UNMAPPED, &value));
	EXPECT(!arch_peek(NON_CANONICAL, &value));
}

/* An access costs at most a few hundred instructions (of one each, under -icount). */
TEST(trap, access_is_cheap)
{
	struct access a = { .va = UNMAPPED, .kind = ACCESS_READ, .raw = true };
	unsigned faults = 0;
	uint64_t start = arch_read_tsc();

	for (unsigned i = 0; i < 1000; i++)
		faults += arch_access(&a).vector == TRAP_PF;
	uint64_t ticks = arch_read_tsc() - start;

	EXPECT_EQ(faults, 1000u);
	test_note("%lu ticks a caught access", ticks / 1000);
}

TEST_HIDDEN(selftest, unexpected_fault)
{
	EXPECT(true);
	*(volatile uint64_t *)UNMAPPED = 1;
}

TEST_HIDDEN(selftest, unexpected_opcode)
{
	EXPECT(true);
	__asm__ volatile("ud2");
}

/* The watchdog's own NMIs may be late; what is more than those is nobody's. */
TEST_HIDDEN(selftest, nmi)
{
	EXPECT(true);
	watchdog_stop();
	for (unsigned i = 0; i < 3; i++)
		__asm__ volatile("int $2");
}

/* Without a stack the page fault cannot be delivered: a double fault, on a stack of its own. */
TEST_HIDDEN(selftest, double_fault)
{
	EXPECT(true);
	__asm__ volatile("mov %0, %%rsp; push %%rax" : : "r"(UNMAPPED) : "memory");
}

static NOINLINE unsigned recurse(volatile unsigned *depth)
{
	volatile uint8_t frame[1000];

	frame[0] = (uint8_t)++ * depth;
	return *depth ? recurse(depth) + frame[0] : 0;
}

/* The boot stack grows into its guard page: a double fault that names the function. */
TEST_HIDDEN(selftest, stack_overflow)
{
	volatile unsigned depth = 0;

	EXPECT_EQ(recurse(&depth), 0);
}

static enum fault_answer fault_again(const struct trap_frame *f, va_t va)
{
	(void)f;
	return *(volatile uint64_t *)(va + 8) ? FAULT_RESOLVED : FAULT_REFUSED;
}

/* A trap inside mm's handler is a bug, even while a test expects the trap around it. */
TEST_HIDDEN(selftest, fault_in_fault_handler)
{
	struct access a = { .va = UNMAPPED, .kind = ACCESS_READ };

	trap_page_fault = fault_again;
	EXPECT_EQ(arch_access(&a).vector, (unsigned)TRAP_PF);
}

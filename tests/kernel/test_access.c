/*
 * Tests of arch_access on user pages, from both rings: what goes through, how exactly the rest
 * traps, and that nothing ring 3 does to its registers hurts the kernel.
 */
#include <arch/cpu.h>
#include <arch/trap.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/kspace.h>
#include <mm/pagetable.h>
#include <mm/space.h>
#include <tests/kernel/test.h>

#define DATA_VA 0x400000ull   /* R W U */
#define CODE_VA 0x401000ull   /* R X U */
#define SECRET_VA 0x402000ull /* R W X, supervisor */
#define HOLE_VA 0x403000ull

static struct space *space;
static struct frame *data, *code;

static int map(va_t va, pa_t pa, pt_attr_t attr)
{
	return pt_map(&space->root, va, pa, PAGE_SIZE, attr | PT_DEVMAP | PT_YOUNG, NULL);
}

/* A space with one page of each sort, loaded. Its pages are not counted: teardown frees them. */
static bool setup(void)
{
	space = space_create();
	data = frame_alloc_zeroed(0, FRAME_KERNEL);
	code = frame_alloc_zeroed(0, FRAME_KERNEL);
	if (!EXPECT(space && data && code))
		return false;
	EXPECT_EQ(map(DATA_VA, frame_to_pa(data), PT_R | PT_W | PT_U), 0);
	EXPECT_EQ(map(CODE_VA, frame_to_pa(code), PT_R | PT_X | PT_U), 0);
	EXPECT_EQ(map(SECRET_VA, frame_to_pa(data), PT_RWX), 0);
	EXPECT_EQ(map(USER_STUB_VA, arch_user_stub_pa(), PT_R | PT_X | PT_U), 0);
	space_switch(space);
	return true;
}

static void teardown(void)
{
	space_switch(NULL);
	EXPECT_EQ(pt_unmap(&space->root, DATA_VA, HOLE_VA, NULL, NULL), 0);
	EXPECT_EQ(pt_unmap(&space->root, USER_STUB_VA, USER_STUB_VA + PAGE_SIZE, NULL, NULL), 0);
	space_destroy(space);
	frame_put(data);
	frame_put(code);
}

static void *alias(struct frame *f)
{
	return pa_to_ptr(frame_to_pa(f));
}

/* Run bytes at CODE_VA in ring 3. */
static struct trap_info run_user(const void *bytes, size_t n, uint64_t *rax)
{
	struct access a = { .va = CODE_VA, .kind = ACCESS_EXEC, .user = true, .raw = true };

	memcpy(alias(code), bytes, n);
	struct trap_info info = arch_access(&a);

	*rax = a.value;
	return info;
}

/* Ring 3 reads, writes and runs what its pages allow. */
TEST(access, user_accesses_that_succeed)
{
	struct access a = { .va = DATA_VA + 8, .user = true, .value = 77 };

	if (!setup())
		return;
	uint64_t *word = (uint64_t *)alias(data) + 1;

	a.kind = ACCESS_WRITE;
	EXPECT_EQ(arch_access(&a).vector, TRAP_NONE);
	EXPECT_EQ(READ_ONCE(*word), 77);
	WRITE_ONCE(*word, 0x1122334455667788);
	a.kind = ACCESS_READ;
	EXPECT_EQ(arch_access(&a).vector, TRAP_NONE);
	EXPECT_EQ(a.value, 0x1122334455667788);
	access_code(alias(code), 0xdeadbeef);
	a = (struct access){ .va = CODE_VA, .kind = ACCESS_EXEC, .user = true };
	EXPECT_EQ(arch_access(&a).vector, TRAP_NONE);
	EXPECT_EQ(a.value, 0xdeadbeef);
	teardown();
}

/* One access and the page fault that must come of it; error == 0: none, it goes through. */
struct fault_case {
	va_t va;
	enum access_kind kind;
	bool user, smap_open;
	uint64_t error;
};

static void check_rip(const struct fault_case *c, uint64_t rip)
{
	if (c->kind == ACCESS_EXEC)
		EXPECT_EQ(rip, c->va);
	else if (c->user)
		EXPECT_EQ(rip & ~(PAGE_SIZE - 1), USER_STUB_VA);
	else
		EXPECT_EQ(rip, c->kind == ACCESS_READ ? access_read_rip : access_write_rip);
}

static void check_fault(const struct fault_case *c)
{
	struct access a = { .va = c->va,
			    .kind = c->kind,
			    .user = c->user,
			    .smap_open = c->smap_open,
			    .raw = true };
	struct trap_info info = arch_access(&a);

	if (!c->error) {
		EXPECT_EQ(info.vector, TRAP_NONE);
		return;
	}
	EXPECT_EQ(info.vector, TRAP_PF);
	EXPECT_EQ(info.error, c->error);
	EXPECT_EQ(info.va, c->va);
	check_rip(c, info.rip);
}

/* Every ring 3 fault tells its cause, address and instruction. */
TEST(access, user_faults_are_exact)
{
	static const struct fault_case table[] = {
		{ HOLE_VA + 5, ACCESS_READ, true, false, PF_U },
		{ HOLE_VA + 5, ACCESS_WRITE, true, false, PF_U | PF_W },
		{ HOLE_VA + 5, ACCESS_EXEC, true, false, PF_U | PF_I },
		{ CODE_VA, ACCESS_WRITE, true, false, PF_P | PF_U | PF_W },
		{ DATA_VA, ACCESS_EXEC, true, false, PF_P | PF_U | PF_I },
		{ SECRET_VA, ACCESS_READ, true, false, PF_P | PF_U },
		{ SECRET_VA, ACCESS_WRITE, true, false, PF_P | PF_U | PF_W },
		{ SECRET_VA, ACCESS_EXEC, true, false, PF_P | PF_U | PF_I },
		{ CODE_VA + PAGE_SIZE - 4, ACCESS_READ, true, false, 0 },
	};

	if (!setup())
		return;
	for (unsigned i = 0; i + 1 < ARRAY_SIZE(table); i++)
		check_fault(&table[i]);
	/* Half on CODE_VA's page, half on the secret one behind it: CR2 is the half that faults. */
	struct access a = { .va = CODE_VA + PAGE_SIZE - 4, .user = true, .raw = true };
	EXPECT_EQ(arch_access(&a).va, SECRET_VA);
	teardown();
}

/* The supervisor obeys W (CR0.WP), and U as far as SMEP and SMAP are on. */
TEST(access, supervisor_on_user_pages)
{
	uint64_t smap = arch_mmu.smap ? PF_P : 0, smap_w = smap ? PF_P | PF_W : 0;
	const struct fault_case table[] = {
		{ DATA_VA, ACCESS_READ, false, false, smap },
		{ DATA_VA, ACCESS_WRITE, false, false, smap_w },
		{ DATA_VA, ACCESS_READ, false, true, 0 },
		{ DATA_VA, ACCESS_WRITE, false, true, 0 },
		{ CODE_VA, ACCESS_WRITE, false, true, PF_P | PF_W },
		{ CODE_VA, ACCESS_EXEC, false, true, arch_mmu.smep ? PF_P | PF_I : 0 },
		{ DATA_VA, ACCESS_EXEC, false, true, PF_P | PF_I },
		{ SECRET_VA, ACCESS_READ, false, false, 0 },
		{ HOLE_VA, ACCESS_READ, false, true, 0 },
	};

	if (!setup())
		return;
	access_code(alias(code), 1);
	for (unsigned i = 0; i + 1 < ARRAY_SIZE(table); i++)
		check_fault(&table[i]);
	EXPECT_EQ(arch_read_flags() & RFLAGS_AC, 0);
	teardown();
}

/* By the manual, vector * 8 + 2 (SDM vol. 3, 6.13); QEMU's own emulation has vector * 16 + 2. */
static bool is_error_code(uint64_t error, uint64_t expected)
{
	return error == expected || (expected && error == (expected - 2) * 2 + 2);
}

/* What ring 3 may not do traps at the instruction that tried, with the right error code. */
TEST(access, privileged_instructions_trap)
{
	static const struct {
		uint8_t bytes[4];
		uint64_t vector, error;
	} table[] = {
		{ { 0xfa }, TRAP_GP, 0 },                        /* cli */
		{ { 0xf4 }, TRAP_GP, 0 },                        /* hlt */
		{ { 0x0f, 0x20, 0xd8 }, TRAP_GP, 0 },            /* mov %cr3, %rax */
		{ { 0xe6, 0x80 }, TRAP_GP, 0 },                  /* out %al, $0x80 */
		{ { 0xcd, 0x80 }, TRAP_GP, 0x80 * 8 + 2 },       /* int $0x80 */
		{ { 0xcd, TRAP_DF }, TRAP_GP, TRAP_DF * 8 + 2 }, /* int $8 */
		{ { 0xcd, TRAP_PF }, TRAP_GP, TRAP_PF * 8 + 2 }, /* int $14 */
		{ { 0x0f, 0x05 }, TRAP_UD, 0 },                  /* syscall */
		{ { 0x0f, 0x0b }, TRAP_UD, 0 },                  /* ud2 */
	};
	uint64_t rax;

	if (!setup())
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		struct trap_info info = run_user(table[i].bytes, sizeof(table[i].bytes), &rax);

		EXPECT_EQ(info.vector, table[i].vector);
		EXPECT(is_error_code(info.error, table[i].error));
		EXPECT_EQ(info.rip, CODE_VA);
	}
	teardown();
}

/* Whatever ring 3 leaves in flags, general and segment registers, the kernel goes on as before. */
TEST(access, user_registers_do_not_leak_in)
{
	static const uint8_t set_direction[] = { 0xfd, 0xcd, TRAP_RETURN }; /* std */
	static const uint8_t clobber[] = {
		0x31, 0xdb, 0x31, 0xed,        0x45, 0x31, 0xe4, 0x45, /* xor ebx, ebp, r12d, */
		0x31, 0xed, 0x45, 0x31,        0xf6, 0x45, 0x31, 0xff, /* r13d, r14d, r15d */
		0x31, 0xc0, 0x8e, 0xe8,        0x8e, 0xe0, 0x8e, 0xd8, /* eax; mov to gs, fs, ds */
		0x31, 0xe4, 0xcd, TRAP_RETURN,                         /* xor esp, esp */
	};
	static const uint8_t read_gs[] = { 0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0 };
	uint64_t gs = arch_read_msr(MSR_GS_BASE), rax = 1;
	char text[] = "abcdefgh";

	if (!setup())
		return;
	EXPECT_EQ(run_user(set_direction, sizeof(set_direction), &rax).vector, TRAP_NONE);
	memcpy(text, "12", 2);
	EXPECT(!strcmp(text, "12cdefgh"));
	EXPECT_EQ(run_user(clobber, sizeof(clobber), &rax).vector, TRAP_NONE);
	EXPECT_EQ(rax, 0);
	EXPECT_EQ(arch_read_msr(MSR_GS_BASE), gs);
	EXPECT_EQ(cpu_index(), 0);

	struct trap_info info = run_user(read_gs, sizeof(read_gs), &rax);

	EXPECT_EQ(info.vector, TRAP_PF); /* at ring 3's own GS base, not at the kernel's */
	EXPECT_EQ(info.va, 0);
	teardown();
}

static enum fault_answer make_present(const struct trap_frame *f, va_t va)
{
	EXPECT_EQ(f->error, PF_U | PF_W);
	EXPECT_EQ(map(ALIGN_DOWN(va, PAGE_SIZE), frame_to_pa(data), PT_R | PT_W | PT_U), 0);
	return FAULT_RESOLVED;
}

/* A fault that mm resolves is not seen: the access is made again, and goes through. */
TEST(access, resolved_faults_are_retried)
{
	enum fault_answer (*saved)(const struct trap_frame *, va_t) = trap_page_fault;
	struct access a = { .va = HOLE_VA + 16, .kind = ACCESS_WRITE, .user = true, .value = 5 };

	if (!setup())
		return;
	trap_page_fault = make_present;
	EXPECT_EQ(arch_access(&a).vector, TRAP_NONE);
	trap_page_fault = saved;
	EXPECT_EQ(((uint64_t *)alias(data))[2], 5);
	EXPECT_EQ(pt_unmap(&space->root, HOLE_VA, HOLE_VA + PAGE_SIZE, NULL, NULL), 0);
	teardown();
}

static void access_inside(void *arg)
{
	arch_access(arg);
	__asm__ volatile("ud2");
}

/* A user access nests in an expectation: the stack below it is not overwritten. */
TEST(access, nests_in_an_expectation)
{
	struct access a = { .va = DATA_VA, .kind = ACCESS_READ, .user = true };

	if (!setup())
		return;
	WRITE_ONCE(*(uint64_t *)alias(data), 1234);
	EXPECT_EQ(expect_fault(access_inside, &a, true).vector, TRAP_UD);
	EXPECT_EQ(a.value, 1234);
	teardown();
}

/* What an access from ring 3 costs (instructions, under -icount). */
TEST(access, user_access_is_cheap)
{
	struct access a = { .va = SECRET_VA, .kind = ACCESS_READ, .user = true, .raw = true };
	unsigned faults = 0;

	if (!setup())
		return;
	uint64_t start = arch_read_tsc();
	for (unsigned i = 0; i < 1000; i++)
		faults += arch_access(&a).vector == TRAP_PF;
	uint64_t ticks = arch_read_tsc() - start;

	EXPECT_EQ(faults, 1000);
	test_note("%lu ticks a caught access from ring 3", ticks / 1000);
	teardown();
}

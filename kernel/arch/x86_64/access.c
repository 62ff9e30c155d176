/*
 * Expected traps and single accesses, see arch/trap.h.
 *
 * Invariant: whoever is caught goes on at the innermost catch whose stack is still alive.
 * Locking: none; catches are the calling thread's own. Talks to: access.S, trap.c.
 */
#include <lib/printk.h>
#include <lib/string.h>

#include "percpu.h"
#include "trap_catch.h"

/* Shared with access.S. */
struct user_entry {
	uint64_t rip, rdi, rax;
	void *rsp0; /* where the TSS keeps it; unaligned */
};
_Static_assert(offsetof(struct user_entry, rip) == 0, "access.S");
_Static_assert(offsetof(struct user_entry, rdi) == 8, "access.S");
_Static_assert(offsetof(struct user_entry, rax) == 16, "access.S");
_Static_assert(offsetof(struct user_entry, rsp0) == 24, "access.S");

bool trap_catch_call(uint64_t *rsp, void (*fn)(void *), void *arg);
void trap_catch_abandon(uint64_t rsp) NORETURN;
uint64_t access_read(va_t va);
void access_write(va_t va, uint64_t value);
void access_jump(va_t va);
void access_enter_user(const struct user_entry *entry);
extern const uint8_t user_stub[], user_stub_read[], user_stub_write[], user_stub_jump[];

/*
 * Forget catches that were jumped out of (by a test that expected a bug): code that runs at `sp`
 * cannot be inside them.
 */
static void drop_dead_catches(struct trap_catches *c, uint64_t sp)
{
	while (c->count && c->catch[c->count - 1].rsp <= sp)
		c->count--;
}

struct trap_catch *trap_catch_innermost(uint64_t sp)
{
	struct trap_catches *c = this_cpu()->catches;

	drop_dead_catches(c, sp);
	if (!c->count || c->catch[c->count - 1].irq_depth != cpu_local()->irq_depth)
		return NULL;
	return &c->catch[c->count - 1];
}

struct trap_catch *trap_catch_push(uint64_t sp, bool raw, bool barrier)
{
	struct trap_catches *c = this_cpu()->catches;

	drop_dead_catches(c, sp);
	if (c->count == TRAP_CATCH_MAX)
		panic("traps are expected %u deep", TRAP_CATCH_MAX);

	struct trap_catch *catch = &c->catch[c->count];

	*catch = (struct trap_catch){
		.rsp = sp,
		.raw = raw,
		.barrier = barrier,
		.irq_depth = cpu_local()->irq_depth,
	};
	c->count++;
	return catch;
}

void trap_catch_pop(struct trap_catch *catch)
{
	struct trap_catches *c = this_cpu()->catches;

	c->count = (unsigned)(catch - c->catch);
}

void trap_catch_hit(struct trap_catch *c, const struct trap_frame *f, va_t va)
{
	c->info = (struct trap_info){
		.vector = f->vector == TRAP_RETURN ? TRAP_NONE : (unsigned)f->vector,
		.error = f->error,
		.va = va,
		.rip = f->rip,
	};
	c->rax = f->rax;
	trap_catch_abandon(c->rsp);
}

/* fn(arg), caught. *rax is what the trap left in RAX, if there was one. */
static struct trap_info call_caught(void (*fn)(void *), void *arg, bool raw, uint64_t *rax)
{
	struct trap_catch *c = trap_catch_push((uint64_t)__builtin_frame_address(0), raw, false);
	struct trap_info info = { .vector = TRAP_NONE };

	if (trap_catch_call(&c->rsp, fn, arg)) {
		info = c->info;
		*rax = c->rax;
	}
	trap_catch_pop(c);
	return info;
}

struct trap_info expect_fault(void (*fn)(void *), void *arg, bool raw)
{
	uint64_t rax;

	return call_caught(fn, arg, raw, &rax);
}

static void access_supervisor(void *arg)
{
	struct access *a = arg;

	if (a->smap_open)
		arch_user_access_begin();
	switch (a->kind) {
	case ACCESS_READ:
		a->value = access_read(a->va);
		break;
	case ACCESS_WRITE:
		access_write(a->va, a->value);
		break;
	case ACCESS_EXEC:
		access_jump(a->va);
		break;
	}
}

static void access_user(void *arg)
{
	static const uint8_t *const stub[] = {
		[ACCESS_READ] = user_stub_read,
		[ACCESS_WRITE] = user_stub_write,
		[ACCESS_EXEC] = user_stub_jump,
	};
	const struct access *a = arg;
	struct user_entry entry = {
		.rip = USER_STUB_VA + (uint64_t)(stub[a->kind] - user_stub),
		.rdi = a->va,
		.rax = a->value,
		.rsp0 = &this_cpu()->tss.rsp[0],
	};

	access_enter_user(&entry);
}

struct trap_info arch_access(struct access *a)
{
	uint64_t rax = a->value;
	struct trap_info info =
		call_caught(a->user ? access_user : access_supervisor, a, a->raw, &rax);

	if (info.vector == TRAP_NONE && (a->user || a->kind == ACCESS_EXEC))
		a->value = rax;
	return info;
}

bool arch_peek(va_t va, uint64_t *value)
{
	struct access a = { .va = va, .kind = ACCESS_READ, .raw = true };
	struct trap_info info = arch_access(&a);

	*value = a.value;
	return info.vector == TRAP_NONE;
}

pa_t arch_user_stub_pa(void)
{
	return PA((uint64_t)user_stub - IMAGE_BASE);
}

void access_code(void *dst, uint32_t value)
{
	uint8_t code[ACCESS_CODE_BYTES] = { 0xb8, 0, 0, 0, 0, 0xcd, TRAP_RETURN };

	memcpy(&code[1], &value, sizeof(value)); /* mov eax, value; int TRAP_RETURN */
	memcpy(dst, code, sizeof(code));
}

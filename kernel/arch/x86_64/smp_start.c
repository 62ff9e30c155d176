/*
 * Starting the other CPUs (SDM vol. 3, 9.4.4): all of them at once, from a page below 1 MiB.
 *
 *   boot CPU                                    another
 *     fill the page, map it where it lies
 *     INIT, wait, START-UP to each guest          real mode ... kernel tables, its stack
 *     wait until all came, or none for long       "came"; waits for its number
 *     unmap the page
 *     number those that came                      descriptors, APIC, enter()
 *     wait until they are online                  smp_set_online
 *
 * Nothing is ever both writable and executable: the page is executed at its own address, where
 * it is read only, and written through a window, where it is not executable. Both are gone
 * before any CPU is numbered. Whoever comes later finds that he is not invited any more, and
 * stops.
 *
 * Locking: boot CPU, one start at a time. Talks to: boot/trampoline.S, apic.c, mm (tables,
 * windows).
 */
#include <arch/apic.h>
#include <arch/clock.h>
#include <boot/trampoline.h>
#include <lib/context.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <lib/string.h>
#include <mm/flush.h>
#include <mm/kspace.h>
#include <mm/memmap.h>

#include "percpu.h"
#include "smp_internal.h"

#define LOW_START 0x1000
#define LOW_END 0xa0000 /* the PC's memory ends here, its start-up vectors do at 1 MiB */

#define INIT_NS (10 * CLOCK_MS)
#define STARTUP_NS (200 * CLOCK_US)

#define MSR_PAT 0x277
#define EFER_LMA (1u << 10)

#define SEGMENT_CODE_32 0x00cf9b000000ffff
#define SEGMENT_CODE_64 0x00af9b000000ffff
#define SEGMENT_DATA 0x00cf93000000ffff

enum stage {
	STAGE_AWAITED, /* has not been seen */
	STAGE_CAME,    /* waits for its number */
	STAGE_GO,      /* has one */
	STAGE_ONLINE,  /* can be sent interrupts */
};

/* What a CPU needs to become one. Stays for good if it comes. */
struct arrival {
	struct cpu cpu;
	uint32_t stage;
	struct smp_guest *guest;
	va_t ist_stack[IST_COUNT];
};

uint64_t smp_patience_ns = 3 * CLOCK_S;

static pa_t page = PA_NONE;           /* the page they start on */
static struct arrival *arrivals[256]; /* by APIC id */
static uint64_t stack_tops[256];      /* the same */
static uint64_t boot_pat;

void smp_reserve_trampoline(struct memmap *map, uint64_t pa_limit)
{
	page = memmap_find(map, TRAMPOLINE_BYTES, TRAMPOLINE_BYTES, LOW_START, LOW_END);
	if (!pa_equal(page, PA_NONE) &&
	    memmap_mark(map, page.value, TRAMPOLINE_BYTES, MEMMAP_RESERVED, pa_limit))
		page = PA_NONE;
}

/* ---- On the CPU that starts. ---- */

static enum stage stage_of(const struct arrival *a)
{
	return __atomic_load_n(&a->stage, __ATOMIC_ACQUIRE);
}

static void set_stage(struct arrival *a, enum stage stage)
{
	__atomic_store_n(&a->stage, stage, __ATOMIC_RELEASE);
}

/* Entered by the trampoline, on the guest's stack, with the kernel's tables and nothing else. */
static void arrive(unsigned apic_id)
{
	struct arrival *a = arrivals[apic_id];
	uint64_t ist_top[IST_COUNT];

	set_stage(a, STAGE_CAME);
	while (stage_of(a) != STAGE_GO)
		arch_pause();

	arch_root_load(kernel_space.root.top.pa); /* forget the page */
	arch_write_msr(MSR_PAT, boot_pat);
	for (unsigned i = 0; i < IST_COUNT; i++)
		ist_top[i] = a->ist_stack[i] + IST_STACK_BYTES;
	cpu_load_descriptors(&a->cpu, ist_top);
	apic_init_cpu();
	a->guest->enter(a->guest->arg);
}

void smp_init(void)
{
	smp_set_apic_id(cpu_index(), (uint8_t)apic_id());
	smp_init_vectors();
}

void smp_set_online(void)
{
	set_stage(CONTAINER_OF(this_cpu(), struct arrival, cpu), STAGE_ONLINE);
}

/* ---- What each needs. ---- */

static void free_arrival(struct arrival *a)
{
	if (!a)
		return;
	for (unsigned i = 0; i < IST_COUNT; i++)
		if (a->ist_stack[i])
			kspace_free(a->ist_stack[i]);
	kspace_free((va_t)a);
}

static struct arrival *make_arrival(struct smp_guest *guest)
{
	struct arrival *a = (struct arrival *)kspace_alloc(sizeof(*a));

	if (!a)
		return NULL;
	a->guest = guest;
	a->cpu.catches = &a->cpu.own_stack_catches; /* until there is a thread */
	for (unsigned i = 0; i < IST_COUNT; i++) {
		a->ist_stack[i] = kspace_alloc(IST_STACK_BYTES);
		if (!a->ist_stack[i]) {
			free_arrival(a);
			return NULL;
		}
	}
	return a;
}

/* Forget a guest that has no number. */
static void dismiss(const struct smp_guest *guest)
{
	free_arrival(arrivals[guest->apic_id]);
	arrivals[guest->apic_id] = NULL;
}

/* Is there what this guest needs? Who lacks memory is not called. */
static bool is_expected(const struct smp_guest *guest)
{
	return arrivals[guest->apic_id] != NULL;
}

/* Make ready for each guest. Returns how many are expected. */
static unsigned expect_guests(struct smp_guest *guest, unsigned count)
{
	unsigned expected = 0;

	for (unsigned i = 0; i < count; i++) {
		guest[i].cpu = 0;
		arrivals[guest[i].apic_id] = make_arrival(&guest[i]);
		stack_tops[guest[i].apic_id] = (uint64_t)guest[i].stack_top;
		expected += is_expected(&guest[i]);
	}
	return expected;
}

/* ---- The page. ---- */

/* The half of the addresses that the kernel leaves to others, in the kernel's own top table. */
static struct pt_root low_half(void)
{
	struct pt_root root = kernel_space.root;

	root.first = 0;
	root.last = ~kernel_space.root.first;
	root.keep_level = PT_LEVEL_COUNT;
	return root;
}

static bool map_page(void)
{
	struct pt_root root = low_half();

	return !pt_map(&root, page.value, page, TRAMPOLINE_BYTES,
		       PT_R | PT_X | PT_DEVMAP | PT_YOUNG, NULL);
}

static void unmap_page(void)
{
	struct pt_root root = low_half();
	FLUSH_BATCH(batch);
	int err;

	flush_begin(&batch, NULL);
	err = pt_unmap(&root, page.value, page.value + TRAMPOLINE_BYTES, NULL, &batch);
	ASSERT_EQ(err, 0);
	flush_add_range(&batch, page.value, page.value + TRAMPOLINE_BYTES - 1, 0);
	flush_end(&batch);
}

static struct trampoline_pointer pointer_to(const uint8_t *part, uint16_t selector)
{
	uint32_t offset = (uint32_t)(part - trampoline_start);

	return (struct trampoline_pointer){ (uint32_t)page.value + offset, selector, 0 };
}

/* Everything in the page but the guests. */
static void fill_page(uint8_t *window)
{
	uint32_t cr4 = (uint32_t)arch_read_cr4();

	memcpy(window, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	*(struct trampoline_args *)(window + TRAMPOLINE_ARGS) = (struct trampoline_args){
		.gdt = { 0, SEGMENT_CODE_32, SEGMENT_CODE_64, SEGMENT_DATA },
		.gdt_limit = sizeof(((struct trampoline_args *)0)->gdt) - 1,
		.gdt_base = (uint32_t)page.value + TRAMPOLINE_ARGS + ARGS_GDT,
		.entry_32 = pointer_to(trampoline_code_32, TRAMPOLINE_CODE_32),
		.entry_64 = pointer_to(trampoline_code_64, TRAMPOLINE_CODE_64),
		.cr3 = (uint32_t)kernel_space.root.top.pa.value,
		.cr4_start = cr4 & (CR4_PAE | CR4_LA57),
		.cr4 = cr4,
		.efer = (uint32_t)arch_read_msr(MSR_EFER) & ~EFER_LMA,
		.kernel_entry = (uint64_t)arrive,
		.stacks = (uint64_t)stack_tops,
	};
	boot_pat = arch_read_msr(MSR_PAT);
}

/* ---- Calling them. ---- */

static void invite(struct trampoline_args *args, const struct smp_guest *guest, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (is_expected(&guest[i]))
			args->guest[guest[i].apic_id] = GUEST_INVITED;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Take back what is not yet followed. Returns false if the guest is on its way. */
static bool uninvite(struct trampoline_args *args, unsigned apic_id)
{
	uint8_t invited = GUEST_INVITED;

	return __atomic_compare_exchange_n(&args->guest[apic_id], &invited, GUEST_NONE, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static bool has_come(const struct smp_guest *guest)
{
	return is_expected(guest) && stage_of(arrivals[guest->apic_id]) != STAGE_AWAITED;
}

static unsigned count_awaited(const struct smp_guest *guest, unsigned count)
{
	unsigned awaited = 0;

	for (unsigned i = 0; i < count; i++)
		awaited += is_expected(&guest[i]) && !has_come(&guest[i]);
	return awaited;
}

/* Until all are there, or nobody new has come for a while. */
static void await(const struct smp_guest *guest, unsigned count, uint64_t silence)
{
	uint64_t since = clock_now();
	unsigned before = count, awaited;

	while ((awaited = count_awaited(guest, count)) && clock_now() - since < silence) {
		if (awaited != before)
			since = clock_now();
		before = awaited;
		arch_pause();
	}
}

static void send_startup(const struct smp_guest *guest, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (is_expected(&guest[i]) && !has_come(&guest[i]))
			apic_send_startup(guest[i].apic_id, (unsigned)(page.value >> PAGE_SHIFT));
}

/* INIT to all, then START-UP; once more to those that do not come at once, as the manual has it. */
static void call_guests(const struct smp_guest *guest, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (is_expected(&guest[i]))
			apic_send_init(guest[i].apic_id);
	clock_wait(INIT_NS);
	send_startup(guest, count);
	await(guest, count, STARTUP_NS);
	send_startup(guest, count);
	await(guest, count, smp_patience_ns);
}

/* Whoever has begun to come is waited for: there is no way to stop it. */
static void close_door(struct trampoline_args *args, const struct smp_guest *guest, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!is_expected(&guest[i]) || uninvite(args, guest[i].apic_id))
			continue;
		while (!has_come(&guest[i]))
			arch_pause();
	}
}

/* ---- All of it. ---- */

static void admit(struct smp_guest *guest, unsigned cpu)
{
	struct arrival *a = arrivals[guest->apic_id];

	guest->cpu = cpu;
	a->cpu.local.index = cpu;
	smp_set_apic_id(cpu, guest->apic_id);
	set_stage(a, STAGE_GO);
}

/* Number those that came and let them go on. Returns when they are online. */
static unsigned admit_all(struct smp_guest *guest, unsigned count)
{
	unsigned first = cpu_count(), next = first;

	for (unsigned i = 0; i < count; i++) {
		if (has_come(&guest[i]))
			admit(&guest[i], next++);
		else
			dismiss(&guest[i]);
	}
	for (unsigned i = 0; i < count; i++)
		while (guest[i].cpu && stage_of(arrivals[guest[i].apic_id]) != STAGE_ONLINE)
			arch_pause();
	__atomic_store_n(&cpu_online_count, next, __ATOMIC_RELEASE);
	return next - first;
}

/* Call those that are expected, through the page. On failure nobody has been called. */
static void open_door(const struct smp_guest *guest, unsigned count)
{
	uint8_t *window = (uint8_t *)kspace_map_memory(page, TRAMPOLINE_BYTES, true);
	struct trampoline_args *args = (void *)(window + TRAMPOLINE_ARGS);

	if (!window)
		return;
	if (map_page()) {
		fill_page(window);
		invite(args, guest, count);
		call_guests(guest, count);
		close_door(args, guest, count);
		unmap_page();
	}
	kspace_free((va_t)window);
}

unsigned smp_start_cpus(struct smp_guest *guest, unsigned count)
{
	ASSERT_OP(kernel_space.root.top.pa.value, <, 1ull << 32); /* loaded by 32-bit code */
	if (!pa_equal(page, PA_NONE) && expect_guests(guest, count))
		open_door(guest, count);
	return admit_all(guest, count);
}

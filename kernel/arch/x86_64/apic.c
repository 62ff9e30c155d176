/*
 * The local APIC, see arch/apic.h.
 */
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/irq.h>
#include <mm/kspace.h>

#define CPUID_FEATURES 1
#define FEATURES_EDX_APIC (1u << 9)
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_X2APIC (1u << 10)
#define APIC_BASE_ADDRESS 0x000ffffffffff000

/* Registers, by their offset. */
#define REG_ID 0x20
#define REG_TASK_PRIORITY 0x80
#define REG_EOI 0xb0
#define REG_SPURIOUS 0xf0
#define REG_ERROR 0x280
#define REG_COMMAND_LOW 0x300
#define REG_COMMAND_HIGH 0x310
#define REG_LVT_TIMER 0x320
#define REG_LVT_LINT0 0x350
#define REG_LVT_LINT1 0x360
#define REG_LVT_ERROR 0x370
#define REG_TIMER_START 0x380
#define REG_TIMER_LEFT 0x390
#define REG_TIMER_DIVIDE 0x3e0

#define ID_SHIFT 24
#define SPURIOUS_ENABLE (1u << 8)
#define LVT_MASKED (1u << 16)
#define LVT_NMI (4u << 8)
#define COMMAND_NMI (4u << 8)
#define COMMAND_INIT (5u << 8)
#define COMMAND_STARTUP (6u << 8)
#define COMMAND_PENDING (1u << 12)
#define COMMAND_ASSERT (1u << 14)
#define COMMAND_ALL_BUT_SELF (3u << 18)
#define TIMER_DIVIDE_BY_16 3

uint64_t apic_error_count, apic_spurious_count;

static va_t window;

static uint32_t reg_read(unsigned reg)
{
	return *(volatile uint32_t *)(window + reg);
}

static void reg_write(unsigned reg, uint32_t value)
{
	*(volatile uint32_t *)(window + reg) = value;
}

/* ---- Setting up. ---- */

static void count_error(unsigned vector)
{
	(void)vector;
	reg_write(REG_ERROR, 0); /* the next one is told of, too */
	__atomic_fetch_add(&apic_error_count, 1, __ATOMIC_RELAXED);
}

static void count_spurious(unsigned vector)
{
	(void)vector;
	__atomic_fetch_add(&apic_spurious_count, 1, __ATOMIC_RELAXED);
}

bool apic_init(void)
{
	uint64_t base;

	if (!(arch_cpuid(CPUID_FEATURES, 0).edx & FEATURES_EDX_APIC))
		return false;
	base = arch_read_msr(MSR_APIC_BASE);
	if (base & APIC_BASE_X2APIC)
		return false;
	window = kspace_map_device(PA(base & APIC_BASE_ADDRESS), PAGE_SIZE);
	if (!window)
		return false;
	irq_set_handler(VECTOR_ERROR, count_error);
	irq_set_handler(VECTOR_SPURIOUS, count_spurious);
	return true;
}

void apic_init_cpu(void)
{
	arch_write_msr(MSR_APIC_BASE, arch_read_msr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
	reg_write(REG_TASK_PRIORITY, 0);
	reg_write(REG_LVT_TIMER, VECTOR_TIMER);
	reg_write(REG_TIMER_DIVIDE, TIMER_DIVIDE_BY_16);
	reg_write(REG_TIMER_START, 0);
	reg_write(REG_LVT_LINT0, LVT_MASKED);
	reg_write(REG_LVT_LINT1, LVT_NMI);
	reg_write(REG_LVT_ERROR, VECTOR_ERROR);
	reg_write(REG_ERROR, 0);
	reg_write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
}

void apic_set_line0_nmi(bool on)
{
	reg_write(REG_LVT_LINT0, on ? LVT_NMI : LVT_MASKED);
}

bool apic_is_present(void)
{
	return window != 0;
}

unsigned apic_id(void)
{
	return reg_read(REG_ID) >> ID_SHIFT;
}

void apic_eoi(void)
{
	reg_write(REG_EOI, 0);
}

/* ---- Commands. ---- */

/* The two halves belong together, and the one before must have left. */
static void send_command(unsigned id, uint32_t command)
{
	uint64_t flags = arch_irq_save();

	while (reg_read(REG_COMMAND_LOW) & COMMAND_PENDING)
		arch_pause();
	reg_write(REG_COMMAND_HIGH, id << ID_SHIFT);
	reg_write(REG_COMMAND_LOW, command);
	arch_irq_restore(flags);
}

void apic_send(unsigned id, unsigned vector)
{
	send_command(id, vector | COMMAND_ASSERT);
}

void apic_send_to_others(unsigned vector)
{
	send_command(0, vector | COMMAND_ASSERT | COMMAND_ALL_BUT_SELF);
}

void apic_send_nmi(unsigned id)
{
	send_command(id, COMMAND_NMI | COMMAND_ASSERT);
}

void apic_send_init(unsigned id)
{
	send_command(id, COMMAND_INIT | COMMAND_ASSERT);
}

void apic_send_startup(unsigned id, unsigned page)
{
	send_command(id, COMMAND_STARTUP | COMMAND_ASSERT | page);
}

/* ---- The timer. ---- */

void apic_timer_start(uint32_t count)
{
	reg_write(REG_TIMER_START, count);
}

uint32_t apic_timer_left(void)
{
	return reg_read(REG_TIMER_LEFT);
}

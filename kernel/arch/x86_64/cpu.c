/*
 * Each CPU's descriptors: GDT, TSS with its interrupt stacks, and the IDT that all share.
 *
 * Invariant: GS base is the CPU's struct cpu from cpu_load_descriptors on.
 * Locking: none; a CPU sets up itself, the boot CPU first. Talks to: trap_entry.S.
 */
#include <arch/image.h>
#include <lib/context.h>

#include "percpu.h"

/* A gate of the IDT (SDM vol. 3, 6.14.1). */
struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "by the manual");
#define GATE_INTERRUPT 0x8e /* present, DPL 0; interrupts are disabled on entry */
#define GATE_USER 0xee      /* the same with DPL 3 */

struct PACKED table_register {
	uint16_t limit;
	uint64_t base;
};

/* Segments, flat: present, long mode; data may be written, code be read (SDM vol. 3, 3.4.5). */
#define SEGMENT_KERNEL_CODE 0x00af9b000000ffff
#define SEGMENT_KERNEL_DATA 0x00cf93000000ffff
#define SEGMENT_USER_DATA 0x00cff3000000ffff
#define SEGMENT_USER_CODE 0x00affb000000ffff
#define TSS_PRESENT 0x0000890000000000

#define STUB_BYTES 8 /* of each entry stub in trap_entry.S */
extern const uint8_t trap_stubs[];

static struct gate idt[256] ALIGNED(4096);
unsigned cpu_online_count = 1;

static struct context boot_context;
static struct arch_thread boot_thread;
static struct cpu boot_cpu = {
	.local = { .context = &boot_context, .thread = &boot_thread },
	.catches = &boot_thread.catches,
};
static struct ist_stack boot_ist_stack[IST_COUNT];

static void idt_set_gate(unsigned vector, uint8_t ist, uint8_t type)
{
	uint64_t offset = (uint64_t)trap_stubs + vector * STUB_BYTES;

	idt[vector] = (struct gate){
		.offset_low = (uint16_t)offset,
		.selector = KERNEL_CS,
		.ist = ist,
		.type = type,
		.offset_middle = (uint16_t)(offset >> 16),
		.offset_high = (uint32_t)(offset >> 32),
	};
}

static void idt_init(void)
{
	for (unsigned vector = 0; vector < ARRAY_SIZE(idt); vector++)
		idt_set_gate(vector, 0, GATE_INTERRUPT);
	idt_set_gate(TRAP_DF, IST_DOUBLE_FAULT, GATE_INTERRUPT);
	idt_set_gate(TRAP_NMI, IST_NMI, GATE_INTERRUPT);
	idt_set_gate(TRAP_MC, IST_MACHINE_CHECK, GATE_INTERRUPT);
	idt_set_gate(TRAP_BP, 0, GATE_USER);
	idt_set_gate(TRAP_RETURN, 0, GATE_USER);
}

static void fill_gdt(struct cpu *cpu)
{
	uint64_t base = (uint64_t)&cpu->tss, limit = sizeof(cpu->tss) - 1;

	cpu->gdt[KERNEL_CS / 8] = SEGMENT_KERNEL_CODE;
	cpu->gdt[KERNEL_SS / 8] = SEGMENT_KERNEL_DATA;
	cpu->gdt[USER_SS / 8] = SEGMENT_USER_DATA;
	cpu->gdt[USER_CS / 8] = SEGMENT_USER_CODE;
	cpu->gdt[TSS_SELECTOR / 8] = TSS_PRESENT | limit | (base & 0xffffff) << 16 |
				     (base >> 24 & 0xff) << 56;
	cpu->gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
}

static void fill_tss(struct cpu *cpu, const uint64_t ist_top[IST_COUNT])
{
	cpu->tss = (struct tss){ .io_map = sizeof(cpu->tss) }; /* no port for ring 3 */
	for (unsigned i = 0; i < IST_COUNT; i++)
		cpu->tss.ist[i] = ist_top[i];
}

/* Make the segment registers follow the new GDT; a load of FS and GS clears their bases. */
static void reload_segments(void)
{
	__asm__ volatile("push %0\n\t"
			 "lea 1f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "mov %1, %%ss\n\t"
			 "mov %1, %%ds\n\t"
			 "mov %1, %%es\n\t"
			 "mov %2, %%fs\n\t"
			 "mov %2, %%gs"
			 :
			 : "i"(KERNEL_CS), "r"(KERNEL_SS), "r"(0)
			 : "rax", "memory");
}

void cpu_load_descriptors(struct cpu *cpu, const uint64_t ist_top[IST_COUNT])
{
	struct table_register gdtr = { sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt };
	struct table_register idtr = { sizeof(idt) - 1, (uint64_t)idt };

	cpu->local.self = &cpu->local;
	fill_gdt(cpu);
	fill_tss(cpu, ist_top);
	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	reload_segments();
	__asm__ volatile("ltr %0" : : "r"((uint16_t)TSS_SELECTOR) : "memory");
	arch_write_msr(MSR_GS_BASE, (uint64_t)cpu);
	arch_write_msr(MSR_KERNEL_GS_BASE, 0); /* ring 3's, until the first swap */
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

void cpu_init_boot(void)
{
	uint64_t ist_top[IST_COUNT];

	idt_init();
	for (unsigned i = 0; i < IST_COUNT; i++)
		ist_top[i] = (uint64_t)(&boot_ist_stack[i].bytes + 1);
	cpu_load_descriptors(&boot_cpu, ist_top);
}

const void *cpu_guard_page(unsigned i)
{
	if (i < IST_COUNT)
		return boot_ist_stack[i].guard;
	return i == IST_COUNT ? boot_stack_guard : NULL;
}

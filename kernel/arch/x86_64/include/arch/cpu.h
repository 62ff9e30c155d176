/*
 * The seam for the CPU itself: interrupts, waiting, ports, identification, control registers, and
 * what each CPU has of its own.
 *
 * Nothing here allocates or fails. Privileged instructions that the running CPU lacks wedge the
 * emulator: check arch_cpuid first.
 */
#pragma once

#include <arch/cpu_local.h>
#include <lib/compiler.h>

#define CPU_MAX 255 /* what xAPIC ids can tell apart */

#define RFLAGS_IF (1u << 9)
#define RFLAGS_AC (1u << 18)

#define CR0_WP (1u << 16)
#define CR4_PAE (1u << 5)
#define CR4_PGE (1u << 7)
#define CR4_UMIP (1u << 11)
#define CR4_LA57 (1u << 12)
#define CR4_SMEP (1u << 20)
#define CR4_SMAP (1u << 21)

#define MSR_EFER 0xc0000080
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define EFER_NXE (1u << 11)

/* Set up the calling CPU's descriptors, stacks and struct cpu; index 0 is the boot CPU. */
void cpu_init_boot(void);
/* The pages of the image that must not be mapped, so that overflowing a stack of the boot CPU above
 * one of them traps. Returns the i-th, NULL past the last. */
const void *cpu_guard_page(unsigned i);

/* Disable interrupts. Returns what arch_irq_restore needs to undo it. */
ALWAYS_INLINE uint64_t arch_irq_save(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; pop %0; cli" : "=r"(flags) : : "memory");
	return flags;
}

ALWAYS_INLINE void arch_irq_enable(void)
{
	__asm__ volatile("sti" : : : "memory");
}

ALWAYS_INLINE void arch_irq_disable(void)
{
	__asm__ volatile("cli" : : : "memory");
}

ALWAYS_INLINE void arch_irq_restore(uint64_t flags)
{
	if (flags & RFLAGS_IF)
		arch_irq_enable();
}

ALWAYS_INLINE uint64_t arch_read_flags(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq; pop %0" : "=r"(flags) : : "memory");
	return flags;
}

ALWAYS_INLINE bool arch_irq_enabled(void)
{
	return arch_read_flags() & RFLAGS_IF;
}

/*
 * fn() and fn(arg) where that is hardly ever come to: the caller finds all registers as they were,
 * so it need not save any on the way past. fn gives nothing, and is declared with ARCH_RARE.
 */
#define ARCH_RARE __attribute__((no_caller_saved_registers))
#define arch_call_rare(fn) __asm__ volatile("call " #fn : : : "memory", "cc")
#define arch_call_rare_on(fn, arg) __asm__ volatile("call " #fn : : "D"(arg) : "memory", "cc")

/* In every loop that waits for another CPU or for a device. */
ALWAYS_INLINE void arch_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* Sleep until the next interrupt; for ever if they are disabled. */
ALWAYS_INLINE void arch_halt(void)
{
	__asm__ volatile("hlt" : : : "memory");
}

/* The same, after enabling interrupts, so that none can come in between. */
ALWAYS_INLINE void arch_irq_enable_and_halt(void)
{
	__asm__ volatile("sti; hlt" : : : "memory");
}

ALWAYS_INLINE uint64_t arch_read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

ALWAYS_INLINE struct cpuid_regs arch_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

ALWAYS_INLINE void arch_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

ALWAYS_INLINE void arch_out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

ALWAYS_INLINE void arch_out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

ALWAYS_INLINE uint8_t arch_in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

ALWAYS_INLINE uint32_t arch_in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

ALWAYS_INLINE uint64_t arch_read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (uint64_t)high << 32 | low;
}

ALWAYS_INLINE void arch_write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr)
			 : "memory");
}

#define ARCH_CONTROL_REGISTER(n)                                                   \
	ALWAYS_INLINE uint64_t arch_read_cr##n(void)                               \
	{                                                                          \
		uint64_t value;                                                    \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(value) : : "memory"); \
		return value;                                                      \
	}                                                                          \
	ALWAYS_INLINE void arch_write_cr##n(uint64_t value)                        \
	{                                                                          \
		__asm__ volatile("mov %0, %%cr" #n : : "r"(value) : "memory");     \
	}
ARCH_CONTROL_REGISTER(0)
ARCH_CONTROL_REGISTER(2)
ARCH_CONTROL_REGISTER(3)
ARCH_CONTROL_REGISTER(4)

/*
 * Is this machine good enough, and how deep shall its tables be?
 *
 * The order matters: nothing is asked of the CPU or the boot loader before it is known to answer.
 */
#include <boot/boot.h>

#define EFLAGS_ID (1u << 21)
#define CPUID_EXTENDED 0x80000000u
#define CPUID_EXTENDED_FEATURES 0x80000001u
#define CPUID_EDX_NX (1u << 20)
#define CPUID_EDX_LM (1u << 29)
#define CPUID_STRUCTURED 7
#define CPUID_EBX_SMEP (1u << 7)
#define CPUID_EBX_SMAP (1u << 20)
#define CPUID_ECX_UMIP (1u << 2)
#define CPUID_ECX_LA57 (1u << 16)

#define CR4_PAE (1u << 5)
#define CR4_PGE (1u << 7)
#define CR4_UMIP (1u << 11)
#define CR4_LA57 (1u << 12)
#define CR4_SMEP (1u << 20)
#define CR4_SMAP (1u << 21)
#define EFER_LME (1u << 8)
#define EFER_NXE (1u << 11)

#define MIB (1u << 20)
#define MEMORY_MIN_MIB 24

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

struct boot_mode boot_mode;

static NORETURN void refuse(enum boot_refusal why, const char *reason)
{
	boot_print("\nBail out! boot: ");
	boot_print(reason);
	boot_print("\n");
	boot_leave(why);
}

/* All zero for a leaf that the CPU does not have: "no such feature". */
static struct cpuid cpuid(uint32_t leaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf & CPUID_EXTENDED), "c"(0));
	if (r.eax < leaf)
		return (struct cpuid){ 0 };
	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(0));
	return r;
}

/* A CPU has CPUID if EFLAGS.ID can be changed (SDM vol. 1, 20.1). */
static bool has_cpuid(void)
{
	uint32_t before, after;

	__asm__ volatile("pushfl\n\t"
			 "popl %0\n\t"
			 "movl %0, %1\n\t"
			 "xorl %2, %1\n\t"
			 "pushl %1\n\t"
			 "popfl\n\t"
			 "pushfl\n\t"
			 "popl %1\n\t"
			 "pushl %0\n\t"
			 "popfl"
			 : "=&r"(before), "=&r"(after)
			 : "i"(EFLAGS_ID)
			 : "cc");
	return (before ^ after) & EFLAGS_ID;
}

static void check_cpu(void)
{
	uint32_t features = has_cpuid() ? cpuid(CPUID_EXTENDED_FEATURES).edx : 0;

	if (!(features & CPUID_EDX_LM))
		refuse(BOOT_REFUSED_LONG_MODE, "this CPU has no long mode: a 64-bit CPU is needed");
	if (!(features & CPUID_EDX_NX))
		refuse(BOOT_REFUSED_NX, "this CPU has no NX: execute-disable is needed");
}

static void check_memory(uint32_t info)
{
	uint64_t bytes;

	if (!boot_multiboot_memory(info, &bytes) || bytes >= MEMORY_MIN_MIB * MIB)
		return; /* the kernel itself refuses a missing map */
	boot_print("\nBail out! boot: too little memory: ");
	boot_print_number((uint32_t)bytes / MIB);
	boot_print(" MiB usable below 4 GiB, ");
	boot_print_number(MEMORY_MIN_MIB);
	boot_print(" are needed\n");
	boot_leave(BOOT_REFUSED_MEMORY);
}

static bool choose_five_levels(uint32_t info)
{
	bool able = cpuid(CPUID_STRUCTURED).ecx & CPUID_ECX_LA57;
	enum boot_la57 choice;

	choice = boot_cmdline_la57(boot_multiboot_cmdline(info), BOOT_LA57_AUTO);
	choice = boot_cmdline_la57(boot_fw_cfg_cmdline(), choice);
	if (choice == BOOT_LA57_ON && !able)
		refuse(BOOT_REFUSED_LA57, "la57=on, but this CPU has no 5-level paging");
	return able && choice != BOOT_LA57_OFF;
}

/* The protections that this CPU has. */
static uint32_t cr4_protections(void)
{
	struct cpuid features = cpuid(CPUID_STRUCTURED);

	return (features.ebx & CPUID_EBX_SMEP ? CR4_SMEP : 0) |
	       (features.ebx & CPUID_EBX_SMAP ? CR4_SMAP : 0) |
	       (features.ecx & CPUID_ECX_UMIP ? CR4_UMIP : 0);
}

void boot_prepare(uint32_t magic, uint32_t info, struct boot_mode *mode)
{
	bool five_levels;

	boot_console_init();
	if (magic != BOOT_MULTIBOOT2_MAGIC)
		refuse(BOOT_REFUSED_LOADER, "not started by a multiboot2 boot loader");
	check_cpu();
	check_memory(info);
	five_levels = choose_five_levels(info);

	mode->cr3 = boot_tables_build(five_levels);
	mode->cr4_start = CR4_PAE | (five_levels ? CR4_LA57 : 0);
	mode->cr4 = mode->cr4_start | CR4_PGE | cr4_protections();
	mode->efer = EFER_LME | EFER_NXE;
}

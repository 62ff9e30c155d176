/*
 * Started by PVH (entry.S), this kernel builds its own tables with libpt, runs on them, resolves
 * its page faults with it, and says on the serial line, as KTAP, what worked.
 */
#include "tiny.h"

#define RAM_BYTES (64ull << 20) /* mapped where it is; boot.sh gives this much */
#define WINDOW 0x100000000000ull
#define HEAP 0x200000000000ull
#define HEAP_BYTES (1ull << 30)
#define PAGE 4096ull
#define LAST 0x7fffffffffffull /* of the lower half, with four levels */

struct gate {
	uint16_t offset_low, selector, flags, offset_middle;
	uint32_t offset_high, reserved;
};

extern char text_start[], rodata_start[], data_start[], image_end[];
extern char page_fault_entry[];

static struct pt_owner owner;
static struct pt_root root;
static struct pt_batch batch;
static struct gate idt[256];
static volatile unsigned fault_count; /* by the handler, at any access */
static unsigned check_count, failed_count;
static uint64_t next_page; /* of memory that is nobody's, behind the image */

/* ---- The machine. ---- */

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void print(const char *text)
{
	for (; *text; text++)
		out8(0x3f8, (uint8_t)*text);
}

static void print_number(uint64_t n, unsigned base, unsigned digits)
{
	char text[21] = "";
	unsigned i = 20;

	do {
		text[--i] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n || 20 - i < digits);
	print(text + i);
}

/* QEMU ends with the status 2 * code + 1. */
static _Noreturn void stop(uint8_t code)
{
	out8(0xf4, code);
	for (;;)
		__asm__ volatile("hlt");
}

static void check(bool good, const char *claim)
{
	failed_count += !good;
	print(good ? "ok " : "not ok ");
	print_number(++check_count, 10, 1);
	print(" - ");
	print(claim);
	print("\n");
}

static void cpuid(uint32_t leaf, uint32_t *a, uint32_t *d)
{
	uint32_t b, c = 0;

	*a = leaf;
	__asm__("cpuid" : "+a"(*a), "=b"(b), "+c"(c), "=d"(*d));
}

void flush_all(void)
{
	uint64_t cr3;

	__asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(cr3) : : "memory");
	batch.flush_count++;
}

static void flush_page(va_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* What the compiler may call. */
void *memset(void *to, int byte, size_t bytes)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(byte) : "memory");
	return start;
}

void *memcpy(void *to, const void *from, size_t bytes)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
	return start;
}

/* ---- What libpt is for. ---- */

static void describe_cpu(void)
{
	uint32_t width, features, unused;

	cpuid(0x80000008, &width, &unused);
	cpuid(0x80000001, &unused, &features);
	if (features & 1u << 26)
		libpt_cpu = (struct pt_cpu)PT_CPU_INIT(width & 0xff, 2);
	else
		libpt_cpu = (struct pt_cpu)PT_CPU_INIT(width & 0xff, 1);
}

static int map(va_t va, const void *from, const void *to, pt_attr_t attr)
{
	return pt_map(&root, va, PA((uintptr_t)from), (const char *)to - (const char *)from, attr,
		      NULL);
}

/* All memory where it is, and the image in it with the rights that its parts need. */
static int build(void)
{
	int err = pt_root_init(&root, &owner, 3, 0, LAST);

	if (!err)
		err = pt_map(&root, PAGE, PA(PAGE), RAM_BYTES - PAGE, PT_R | PT_W, NULL);
	if (!err)
		err = pt_protect(&root, (uintptr_t)text_start, (uintptr_t)rodata_start, PT_W, PT_X);
	if (!err)
		err = pt_protect(&root, (uintptr_t)rodata_start, (uintptr_t)data_start, PT_W, 0);
	return err ? err : map(WINDOW, image_end, image_end + 2 * PAGE, PT_R | PT_W);
}

/* A page is touched for the first time: from the heap, it gets memory. Called by entry.S. */
void page_fault(uint64_t error, va_t va)
{
	fault_count++;
	if (!(error & 1) && va - HEAP < HEAP_BYTES) {
		pa_t pa = PA(next_page);

		next_page += PAGE;
		if (!pt_map(&root, va & ~(PAGE - 1), pa, PAGE, PT_R | PT_W, NULL))
			return;
	}
	print("Bail out! page fault at ");
	print_number(va, 16, 16);
	print("\n");
	stop(2);
}

static void take_faults(void)
{
	const uint64_t entry = (uintptr_t)page_fault_entry;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (uintptr_t)idt };

	idt[14] = (struct gate){ (uint16_t)entry,         0x08, 0x8e00, (uint16_t)(entry >> 16),
				 (uint32_t)(entry >> 32), 0 };
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

static void show(void *arg, const struct pt_span *s)
{
	(void)arg;
	print("# ");
	print_number(s->va, 16, 16);
	print("-");
	print_number(s->last, 16, 16);
	print(" level ");
	print_number(s->level, 10, 1);
	print(s->attr & PT_W ? " rw" : " r-");
	print(s->attr & PT_X ? "x\n" : "-\n");
}

static volatile uint64_t *word(va_t va)
{
	return (volatile uint64_t *)va;
}

static void check_window(void)
{
	*word((uintptr_t)image_end) = 42;
	check(*word(WINDOW) == 42, "two addresses lead to one page");
	check(!pt_protect(&root, WINDOW, WINDOW + PAGE, PT_W, 0) &&
		      !(pt_translate(&root, WINDOW + 8).attr & PT_W) &&
		      (pt_translate(&root, WINDOW + PAGE).attr & PT_W),
	      "one of two pages is protected");
	flush_page(WINDOW);
	check(!pt_unmap(&root, WINDOW, WINDOW + 2 * PAGE, NULL, &batch) &&
		      pt_translate(&root, WINDOW).kind == PT_NONE,
	      "the window is gone");
	flush_all();
}

static void check_heap(void)
{
	const unsigned before = tables_taken();
	uint64_t sum = 0;

	for (uint64_t i = 0; i < 8; i++)
		*word(HEAP + (i << 21)) = i;
	for (uint64_t i = 0; i < 8; i++)
		sum += *word(HEAP + (i << 21));
	check(sum == 28 && fault_count == 8, "each of eight pages is mapped by its first fault");
	check(!pt_unmap(&root, HEAP, HEAP + HEAP_BYTES, NULL, &batch) && tables_taken() == before,
	      "unmapping them gives back their tables");
	flush_all();
	check(batch.flush_count > 8, "no table is reused before the CPU has forgotten it");
	*word(HEAP) = 1;
	check(fault_count == 9, "a page that was unmapped faults again");
}

void kernel_main(void)
{
	next_page = (uintptr_t)image_end + 2 * PAGE;
	print("KTAP version 1\n1..9\n");
	describe_cpu();
	check(!build(), "the tables are built");
	take_faults();
	__asm__ volatile("mov %0, %%cr3" : : "r"(root.top.pa.value) : "memory");
	check(true, "the CPU runs on them");
	pt_dump(&root, 0, LAST + 1, show, NULL);
	check_window();
	check_heap();
	stop(failed_count ? 1 : 0x10);
}

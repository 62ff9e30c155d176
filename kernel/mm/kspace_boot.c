/*
 * From the boot tables to the kernel's own: the direct map, the image with exact rights, and the
 * memory that this sets free. Runs once, on the boot CPU, before there is anything to race with.
 *
 * Invariant: nothing here writes an entry; the library does. Talks to: memmap, frame, arch (image,
 * cpu).
 */
#include <arch/cpu.h>
#include <arch/image.h>
#include <lib/printk.h>
#include <mm/kspace.h>
#include <mm/memmap.h>

#define KERNEL_ATTR (PT_R | PT_GLOBAL | PT_DEVMAP | PT_YOUNG)

/* Before there are areas and spaces to tell: map, or stop. */
static void kspace_map(va_t va, pa_t pa, uint64_t bytes, pt_attr_t rights)
{
	int err = bytes ? pt_map(&kernel_space.root, va, pa, bytes, rights | KERNEL_ATTR, NULL) : 0;

	if (err)
		panic("cannot map %#lx bytes at %#lx for the kernel: error %d", bytes, va, err);
}

static void kspace_map_direct(uint64_t start, uint64_t end)
{
	kspace_map(DIRECT_BASE + start, PA(start), end - start, PT_W | PT_DIRTY);
}

/* All RAM, neighbouring ranges together so that large leaves fit. */
static void kspace_map_ram(const struct memmap *map)
{
	uint64_t array = ptr_to_pa(frame_array).value;
	uint64_t start = 0, end = 0;

	for (unsigned i = 0; i < map->count; i++) {
		const struct memmap_range *r = &map->range[i];

		if (r->kind > MEMMAP_RECLAIM)
			continue;
		if (r->start != end) {
			kspace_map_direct(start, end);
			start = r->start;
		}
		end = r->end;
	}
	kspace_map_direct(start, end);
	kspace_map_direct(array, ALIGN_UP(array + frame_limit * sizeof(struct frame), PAGE_SIZE));
}

static void kspace_map_image_part(const char *start, const char *end, pt_attr_t rights)
{
	kspace_map((va_t)start, PA((va_t)start - IMAGE_BASE), (va_t)end - (va_t)start, rights);
}

static void kspace_map_image(void)
{
	kspace_map_image_part(image_text_start, image_text_end, PT_X);
	kspace_map_image_part(image_rodata_start, image_rodata_end, 0);
	kspace_map_image_part(image_data_start, image_data_end, PT_W | PT_DIRTY);
	for (unsigned i = 0; cpu_guard_page(i); i++) {
		va_t guard = (va_t)cpu_guard_page(i);
		int err = pt_unmap(&kernel_space.root, guard, guard + PAGE_SIZE, NULL, NULL);

		ASSERT_EQ(err, 0);
	}
}

/* What the boot code and its tables took is memory like any other. */
static void kspace_reclaim_boot(void)
{
	uint64_t start = (va_t)image_boot_start - IMAGE_BASE;
	uint64_t end = (va_t)image_boot_end - IMAGE_BASE;

	kspace_map_direct(start, end);
	frame_add_range(PA(start), PA(end));
}

void kspace_init(const struct memmap *map)
{
	kspace_init_root();
	kspace_map_ram(map);
	kspace_map_image();
	arch_root_load(kernel_space.root.top.pa);
	arch_tlb_flush_all();
	kspace_reclaim_boot();
	frame_add_usable(map, BOOT_MAP_BYTES, ~0ull);
}

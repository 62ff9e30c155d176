/*
 * Looking up a function by address: binary search for the last symbol at or below it.
 */
#include <arch/image.h>
#include <arch/layout.h>
#include <lib/ksym.h>

const char *ksym_find(uint64_t address, uint64_t *offset)
{
	uint32_t low = 0, high = ksym_count;

	if (address < (uint64_t)image_text_start || address >= (uint64_t)image_text_end)
		return NULL;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (ksym_table[middle].offset <= address - IMAGE_BASE)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	*offset = address - IMAGE_BASE - ksym_table[low - 1].offset;
	return &ksym_names[ksym_table[low - 1].name];
}

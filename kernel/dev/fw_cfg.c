/*
 * fw_cfg through its two ports, see fw_cfg.h: a selector picks an item, whose bytes then come out
 * of the data port one after the other. Numbers in the directory are big endian.
 */
#include <arch/cpu.h>
#include <dev/fw_cfg.h>
#include <lib/string.h>

#define PORT_SELECT 0x510
#define PORT_DATA 0x511
#define ITEM_SIGNATURE 0x0000
#define ITEM_DIRECTORY 0x0019
#define NAME_BYTES 56

struct entry {
	uint32_t size;
	uint16_t item;
	char name[NAME_BYTES];
};

static void read_bytes(void *buf, size_t n)
{
	uint8_t *p = buf;

	while (n--)
		*p++ = arch_in8(PORT_DATA);
}

static uint32_t read_big_endian(unsigned bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | arch_in8(PORT_DATA);
	return value;
}

static bool is_present(void)
{
	char signature[4];

	arch_out16(PORT_SELECT, ITEM_SIGNATURE);
	read_bytes(signature, sizeof(signature));
	return memcmp(signature, "QEMU", sizeof(signature)) == 0;
}

static bool find_entry(const char *name, struct entry *entry)
{
	arch_out16(PORT_SELECT, ITEM_DIRECTORY);
	for (uint32_t left = read_big_endian(4); left; left--) {
		entry->size = read_big_endian(4);
		entry->item = (uint16_t)read_big_endian(2);
		read_big_endian(2); /* reserved */
		read_bytes(entry->name, NAME_BYTES);
		if (strncmp(entry->name, name, NAME_BYTES) == 0)
			return true;
	}
	return false;
}

int64_t fw_cfg_read(const char *name, char *buf, size_t size)
{
	struct entry entry;

	if (!is_present() || !find_entry(name, &entry))
		return -1;

	size_t n = entry.size < size ? entry.size : size - 1;

	arch_out16(PORT_SELECT, entry.item);
	read_bytes(buf, n);
	buf[n] = '\0';
	return entry.size;
}

/*
 * QEMU's fw_cfg, just enough to fetch one file: la57= must be known before paging goes on.
 *
 * The selector port takes a key; the data port then yields that item byte by byte. The directory
 * is a big-endian count and entries of 64 bytes (QEMU, docs/specs/fw_cfg). Elsewhere the ports
 * float and the signature does not match.
 */
#include <boot/boot.h>

#define FW_CFG_SELECTOR 0x510
#define FW_CFG_DATA 0x511
#define FW_CFG_SIGNATURE 0x00
#define FW_CFG_DIRECTORY 0x19
#define FW_CFG_NAME_BYTES 56
#define FW_CFG_FILES_MAX 4096

#define CMDLINE_NAME "opt/org.ptolemy/cmdline"
#define CMDLINE_MAX 1024

struct fw_cfg_file {
	uint32_t bytes;
	uint16_t key;
	char name[FW_CFG_NAME_BYTES];
};

static char cmdline[CMDLINE_MAX];

static void select_item(uint16_t key)
{
	__asm__ volatile("outw %0, %1" : : "a"(key), "Nd"((uint16_t)FW_CFG_SELECTOR));
}

static void read_bytes(void *dst, uint32_t bytes)
{
	uint8_t *to = dst;

	for (uint32_t i = 0; i < bytes; i++)
		to[i] = boot_in8(FW_CFG_DATA);
}

static uint32_t read_big_endian(unsigned bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | boot_in8(FW_CFG_DATA);
	return value;
}

static bool is_present(void)
{
	select_item(FW_CFG_SIGNATURE);
	return read_big_endian(4) == 0x51454d55; /* "QEMU" */
}

static struct fw_cfg_file read_directory_entry(void)
{
	struct fw_cfg_file file;

	file.bytes = read_big_endian(4);
	file.key = (uint16_t)read_big_endian(2);
	read_big_endian(2); /* reserved */
	read_bytes(file.name, sizeof(file.name));
	file.name[sizeof(file.name) - 1] = '\0';
	return file;
}

struct boot_text boot_fw_cfg_cmdline(void)
{
	struct boot_text text = { cmdline, 0 };
	uint32_t files;

	if (!is_present())
		return text;
	select_item(FW_CFG_DIRECTORY);
	files = read_big_endian(4);
	for (uint32_t i = 0; i < files && i < FW_CFG_FILES_MAX; i++) {
		struct fw_cfg_file file = read_directory_entry();

		if (!boot_text_equal(file.name, CMDLINE_NAME))
			continue;
		text.bytes = file.bytes < CMDLINE_MAX ? file.bytes : CMDLINE_MAX;
		select_item(file.key);
		read_bytes(cmdline, text.bytes);
		break;
	}
	return text;
}

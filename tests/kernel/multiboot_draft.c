/*
 * The writer of test information, see multiboot_draft.h.
 */
#include <lib/string.h>
#include <tests/kernel/multiboot_draft.h>

struct draft draft;
struct boot_info parsed;
const char *parsed_reason;

void draft_put32(uint32_t value)
{
	memcpy(draft.at + draft.bytes, &value, sizeof(value));
	draft.bytes += sizeof(value);
}

void draft_put64(uint64_t value)
{
	draft_put32((uint32_t)value);
	draft_put32((uint32_t)(value >> 32));
}

void draft_begin(void)
{
	memset(&draft, 0, sizeof(draft));
	draft_put64(0);
}

void draft_put_tag(uint32_t type, uint32_t payload_bytes)
{
	draft.bytes = ALIGN_UP(draft.bytes, 8ul);
	draft_put32(type);
	draft_put32(payload_bytes + 8);
}

void draft_end(void)
{
	uint32_t total;

	draft_put_tag(0, 0);
	total = (uint32_t)draft.bytes;
	memcpy(draft.at, &total, sizeof(total));
}

void draft_put_text(uint32_t type, const char *text, size_t bytes)
{
	draft_put_tag(type, (uint32_t)bytes);
	memcpy(draft.at + draft.bytes, text, bytes);
	draft.bytes += bytes;
}

void draft_put_module(uint32_t start, uint32_t end, const char *name, size_t name_bytes)
{
	draft_put_tag(3, (uint32_t)(8 + name_bytes));
	draft_put32(start);
	draft_put32(end);
	memcpy(draft.at + draft.bytes, name, name_bytes);
	draft.bytes += name_bytes;
}

void draft_put_map(unsigned entry_count, uint32_t entry_bytes)
{
	draft_put_tag(6, 8 + entry_count * entry_bytes);
	draft_put32(entry_bytes);
	draft_put32(0);
}

void draft_put_entry(uint64_t start, uint64_t bytes, uint32_t type)
{
	draft_put64(start);
	draft_put64(bytes);
	draft_put32(type);
	draft_put32(0);
}

void draft_put_simple_map(void)
{
	draft_put_map(3, 24);
	draft_put_entry(0, 0x9fc00, 1);
	draft_put_entry(MIB, 63 * MIB, 1);
	draft_put_entry(0x9fc00, 0x400, 2);
}

void draft_put_efi_entry(uint32_t type, uint64_t start, uint64_t pages)
{
	draft_put64(type);
	draft_put64(start);
	draft_put64(0);
	draft_put64(pages);
	draft_put64(0xf);
}

void draft_typical(void)
{
	draft_begin();
	draft_put_text(1, "test=* seed=1", 14);
	draft_put_text(2, "GRUB 2.06", 10);
	draft_put_module(0x400000, 0x401234, "initrd one", 11);
	draft_put_module(0x500000, 0x501000, "", 1);
	draft_put_tag(4, 8);
	draft_put32(640);
	draft_put32(1 << 20);
	draft_put_simple_map();
	draft_put_text(9, "some ELF sections...", 20);
	draft_put_text(8, "a framebuffer", 13);
	draft_put_text(14, "RSD PTR old, 20 byte", 20);
	draft_put_text(15, "RSD PTR new, and thirty-six bytes ..", 36);
	draft_end();
}

int draft_parse_cut(size_t bytes)
{
	struct frame *f = frame_alloc(DRAFT_ORDER + 1, FRAME_DATA);
	uint8_t *end;
	int error;

	if (!f)
		return -ENOMEM;
	frame_explode(f, DRAFT_ORDER);
	frame_free(f + (1u << DRAFT_ORDER));
	end = (uint8_t *)pa_to_ptr(frame_to_pa(f)) + DRAFT_MAX;
	memcpy(end - bytes, draft.at, bytes);
	parsed_reason = NULL;
	error = multiboot_parse(end - bytes, bytes, PA(DRAFT_PA), DRAFT_PA_LIMIT, &parsed,
				&parsed_reason);
	frame_free(f);
	return error;
}

int draft_parse(void)
{
	return draft_parse_cut(draft.bytes);
}

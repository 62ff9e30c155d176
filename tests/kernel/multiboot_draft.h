/*
 * Multiboot2 information written tag by tag, right or wrong, and given to the parser.
 *
 * The parser gets it laid out to end where a frame ends, before a free one: on the host
 * AddressSanitizer stops at the first byte read behind it. One draft at a time.
 */
#pragma once

#include <boot_info.h>
#include <mm/frame.h>

#define DRAFT_ORDER 2
#define DRAFT_MAX (PAGE_SIZE << DRAFT_ORDER)
#define DRAFT_PA 0x50000 /* where the parser is told that it is */
#define DRAFT_PA_LIMIT (1ull << 40)
#define MIB 0x100000ull

struct draft {
	uint8_t at[DRAFT_MAX];
	size_t bytes;
};
extern struct draft draft;

/* What the parser made of it. */
extern struct boot_info parsed;
extern const char *parsed_reason;

void draft_begin(void);
/* The end tag and the total size. */
void draft_end(void);
void draft_put32(uint32_t value);
void draft_put64(uint64_t value);
/* The header of a tag; its payload is the caller's to put. */
void draft_put_tag(uint32_t type, uint32_t payload_bytes);
void draft_put_text(uint32_t type, const char *text, size_t bytes);
void draft_put_module(uint32_t start, uint32_t end, const char *name, size_t name_bytes);
void draft_put_map(unsigned entry_count, uint32_t entry_bytes);
void draft_put_entry(uint64_t start, uint64_t bytes, uint32_t type);
void draft_put_efi_entry(uint32_t type, uint64_t start, uint64_t pages);
/* 640 KiB less the EBDA, and 63 MiB from the first on. */
void draft_put_simple_map(void);
/* What GRUB gives on a PC. */
void draft_typical(void);

/* Parse the first `bytes` of the draft, or all of it. Returns what the parser returned. */
int draft_parse_cut(size_t bytes);
int draft_parse(void);

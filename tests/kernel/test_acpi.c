/*
 * Tests of the way to a table: on this machine's own tables, and on drafts in frames of our own,
 * one fault each.
 */
#include <arch/trap.h>
#include <dev/acpi.h>
#include <lib/string.h>
#include <mm/frame.h>
#include <mm/kspace.h>
#include <tests/kernel/test.h>

/* Where things lie in the draft's frame. */
#define AT_RSDP 0x10
#define AT_RSDT 0x100
#define AT_XSDT 0x201 /* not aligned: nobody promised that */
#define AT_FIRST 0x301
#define AT_SECOND 0x401
#define BODY_BYTES 20
/* Zeros follow the draft as far as a table reaches, so what a wrong length takes in is known. */
#define DRAFT_ORDER 9
_Static_assert((PAGE_SIZE << DRAFT_ORDER) > AT_SECOND + ACPI_TABLE_BYTES_MAX, "zeros to the end");

struct draft {
	struct frame *frame;
	uint8_t *byte;
	uint64_t pa;
};

static void set_checksum(uint8_t *table, uint64_t bytes, unsigned at)
{
	uint8_t sum = 0;

	table[at] = 0;
	for (uint64_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum + table[i]);
	table[at] = (uint8_t)-sum;
}

static void put_table(struct draft *d, unsigned at, const char *signature, const void *body,
		      uint32_t body_bytes)
{
	uint32_t bytes = (uint32_t)sizeof(struct acpi_header) + body_bytes;

	memcpy(d->byte + at, signature, 4);
	memcpy(d->byte + at + 4, &bytes, sizeof(bytes));
	memcpy(d->byte + at + sizeof(struct acpi_header), body, body_bytes);
	set_checksum(d->byte + at, bytes, 9);
}

static void put_rsdp(struct draft *d, uint8_t revision, uint64_t xsdt)
{
	uint32_t rsdt = (uint32_t)d->pa + AT_RSDT, bytes = 36;
	uint8_t *p = d->byte + AT_RSDP;

	memcpy(p, "RSD PTR ", 8);
	p[15] = revision;
	memcpy(p + 16, &rsdt, sizeof(rsdt));
	memcpy(p + 20, &bytes, sizeof(bytes));
	memcpy(p + 24, &xsdt, sizeof(xsdt));
	set_checksum(p, 20, 8);
	set_checksum(p, 36, 32);
}

/* A root pointer, both lists with two tables each, and those. */
static bool begin(struct draft *d)
{
	static const char body[BODY_BYTES] = "nineteen characters";
	uint32_t rsdt[2];
	uint64_t xsdt[2];

	d->frame = frame_alloc_zeroed(DRAFT_ORDER, FRAME_KERNEL);
	if (!d->frame)
		return false;
	d->pa = frame_to_pa(d->frame).value;
	d->byte = pa_to_ptr(PA(d->pa));
	xsdt[0] = rsdt[0] = (uint32_t)d->pa + AT_FIRST;
	xsdt[1] = rsdt[1] = (uint32_t)d->pa + AT_SECOND;
	put_table(d, AT_RSDT, "RSDT", rsdt, sizeof(rsdt));
	put_table(d, AT_XSDT, "XSDT", xsdt, sizeof(xsdt));
	put_table(d, AT_FIRST, "ABCD", body, BODY_BYTES);
	put_table(d, AT_SECOND, "ABCD", body, BODY_BYTES - 1);
	put_rsdp(d, 2, d->pa + AT_XSDT);
	return true;
}

static void end(struct draft *d)
{
	frame_put(d->frame);
}

/* The length of the index-th table of this signature; 0 if there is none. */
static uint32_t find(const struct draft *d, const char *signature, unsigned index,
		     const char **reason)
{
	const struct acpi_header *table =
		acpi_map_table_from(PA(d->pa + AT_RSDP), signature, index, reason);
	uint32_t bytes = 0;

	if (table) {
		bytes = table->bytes;
		acpi_unmap_table(table);
	}
	return bytes;
}

#define FIRST_BYTES (sizeof(struct acpi_header) + BODY_BYTES)

/* Tables are found by signature and index, through either list, in windows that are read only. */
TEST(acpi, tables_are_found)
{
	const struct acpi_header *table;
	const char *reason;
	struct draft d;

	REQUIRE(begin(&d));
	for (uint8_t revision = 0; revision <= 2; revision += 2) {
		put_rsdp(&d, revision, d.pa + AT_XSDT);
		EXPECT_EQ(find(&d, "ABCD", 0, &reason), FIRST_BYTES);
		EXPECT_EQ(find(&d, "ABCD", 1, &reason), FIRST_BYTES - 1);
		EXPECT_EQ(find(&d, "ABCD", 2, &reason), 0);
		EXPECT(!reason);
		EXPECT_EQ(find(&d, "ABCE", 0, &reason), 0);
		EXPECT(!reason);
	}
	table = acpi_map_table_from(PA(d.pa + AT_RSDP), "ABCD", 0, &reason);
	REQUIRE(table);
	struct access a = { .va = (va_t)table, .kind = ACCESS_WRITE, .raw = true };

	EXPECT(!memcmp(table + 1, "nineteen characters", BODY_BYTES));
	EXPECT_EQ(arch_access(&a).vector, TRAP_PF);
	acpi_unmap_table(table);
	end(&d);
}

/* A flipped bit anywhere in what a checksum covers makes its table unsound, never another one. */
TEST(acpi, flipped_bits_are_noticed)
{
	unsigned noticed = 0;
	const char *reason;
	struct draft d;

	REQUIRE(begin(&d));
	for (unsigned bit = 0; bit < FIRST_BYTES * 8; bit++) {
		uint32_t found;

		d.byte[AT_FIRST + bit / 8] ^= (uint8_t)(1 << bit % 8);
		found = find(&d, "ABCD", 0, &reason);
		noticed += found == FIRST_BYTES - 1;
		d.byte[AT_FIRST + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	EXPECT_EQ(noticed, FIRST_BYTES * 8);
	d.byte[AT_XSDT + 40] ^= 1;
	EXPECT_EQ(find(&d, "ABCD", 0, &reason), 0);
	EXPECT(reason);
	end(&d);
}

/* Without a sound extended part the root pointer still leads to the old list; without a sound old
 * part it leads nowhere. */
TEST(acpi, root_pointer_is_checked)
{
	const char *reason;
	struct draft d;

	REQUIRE(begin(&d));
	d.byte[AT_RSDP + 32]++;
	d.byte[AT_XSDT + 40] ^= 1;
	EXPECT_EQ(find(&d, "ABCD", 0, &reason), FIRST_BYTES);
	for (unsigned at = 0; at < 20; at++) {
		d.byte[AT_RSDP + at] ^= 0x10;
		EXPECT_EQ(find(&d, "ABCD", 0, &reason), 0);
		EXPECT(reason);
		d.byte[AT_RSDP + at] ^= 0x10;
	}
	EXPECT(!acpi_map_table_from(PA(0), "ABCD", 0, &reason));
	EXPECT(!acpi_map_table_from(PA(~0ull - 8), "ABCD", 0, &reason));
	end(&d);
}

/* Addresses outside the machine and lengths that cannot be are passed over. */
TEST(acpi, impossible_entries_are_passed_over)
{
	static const uint64_t nowhere[] = { 0, 1ull << 52, ~0ull, ~0ull - 20 };
	static const uint32_t lengths[] = { 0, 35, ACPI_TABLE_BYTES_MAX + 1, ~0u };
	const char *reason;
	struct draft d;

	REQUIRE(begin(&d));
	for (unsigned i = 0; i < ARRAY_SIZE(nowhere); i++) {
		uint64_t xsdt[] = { nowhere[i], d.pa + AT_SECOND };

		put_table(&d, AT_XSDT, "XSDT", xsdt, sizeof(xsdt));
		EXPECT_EQ(find(&d, "ABCD", 0, &reason), FIRST_BYTES - 1);
		put_rsdp(&d, 2, nowhere[i] ? nowhere[i] : ~0ull << 51);
		EXPECT_EQ(find(&d, "ABCD", 0, &reason), 0);
		put_rsdp(&d, 2, d.pa + AT_XSDT);
	}
	end(&d);
	REQUIRE(begin(&d));
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		memcpy(d.byte + AT_FIRST + 4, &lengths[i], sizeof(lengths[i]));
		EXPECT_EQ(find(&d, "ABCD", 0, &reason), FIRST_BYTES - 1);
	}
	end(&d);
}

/* This machine's own tables are sound: it has the one that lists its CPUs. */
TEST(acpi, machine_lists_its_cpus)
{
	const struct acpi_header *table = acpi_map_table("APIC", 0);

	REQUIRE(table);
	EXPECT_LE(44, table->bytes);
	EXPECT(acpi_checksum_is_right(table, table->bytes));
	acpi_unmap_table(table);
}

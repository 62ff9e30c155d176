/*
 * Tests of the MADT reader on tables made by hand, good and bad. Runs on the host, too.
 */
#include <dev/acpi.h>
#include <dev/madt.h>
#include <lib/string.h>
#include <tests/kernel/test.h>

#define HEADER_BYTES (sizeof(struct acpi_header) + 8)

/* A table in the making. */
struct draft {
	uint8_t byte[4096];
	size_t bytes;
};

static void begin(struct draft *d)
{
	memset(d, 0, sizeof(*d));
	d->bytes = HEADER_BYTES;
	memcpy(d->byte + sizeof(struct acpi_header), "\x00\x00\xe0\xfe", 4);
}

static void put(struct draft *d, const void *entry, size_t bytes)
{
	memcpy(d->byte + d->bytes, entry, bytes);
	d->bytes += bytes;
}

static void put_apic(struct draft *d, uint8_t id, uint8_t flags)
{
	uint8_t entry[8] = { 0, 8, id, id, flags };

	put(d, entry, sizeof(entry));
}

static void put_x2apic(struct draft *d, uint32_t id, uint8_t flags)
{
	uint8_t entry[16] = { 9, 16 };

	memcpy(entry + 4, &id, sizeof(id));
	entry[8] = flags;
	put(d, entry, sizeof(entry));
}

/* Enabled CPUs are listed in order, each once; the others are counted by why they are not. */
TEST(madt, lists_enabled_cpus)
{
	static const uint8_t io_apic[12] = { 1, 12 };
	static struct draft d;
	struct madt m;

	begin(&d);
	put_apic(&d, 5, 1);
	put(&d, io_apic, sizeof(io_apic));
	put_apic(&d, 0, 1);
	put_apic(&d, 7, 0);
	put_apic(&d, 8, 2);
	put_apic(&d, 5, 1);
	put_x2apic(&d, 9, 1);
	put_x2apic(&d, 254, 1);
	put_x2apic(&d, 255, 1);
	put_x2apic(&d, 0x105, 1);
	put_apic(&d, 255, 1);
	REQUIRE_EQ(madt_parse(d.byte, d.bytes, &m), 0);
	REQUIRE_EQ(m.cpu_count, 4);
	EXPECT_EQ(m.apic_id[0], 5);
	EXPECT_EQ(m.apic_id[1], 0);
	EXPECT_EQ(m.apic_id[2], 9);
	EXPECT_EQ(m.apic_id[3], 254);
	EXPECT_EQ(m.disabled_count, 2);
	EXPECT_EQ(m.repeated_count, 1);
	EXPECT_EQ(m.unreachable_count, 3);
	EXPECT_EQ(m.apic.value, 0xfee00000);
}

/* The 64-bit address of the APICs wins over the one in the header. */
TEST(madt, address_may_be_wide)
{
	static const uint8_t address[12] = { 5, 12, 0, 0, 0, 0x10, 0, 0, 0x12 };
	static struct draft d;
	struct madt m;

	begin(&d);
	put(&d, address, sizeof(address));
	REQUIRE_EQ(madt_parse(d.byte, d.bytes, &m), 0);
	EXPECT_EQ(m.apic.value, 0x1200001000);
	EXPECT_EQ(m.cpu_count, 0);
}

/* All ids there can be are listed; no table makes the list overflow. */
TEST(madt, every_id_fits)
{
	static struct draft d;
	struct madt m;

	begin(&d);
	for (unsigned id = 0; id < 256; id++)
		put_apic(&d, (uint8_t)id, 1);
	for (unsigned id = 0; id < 100; id++)
		put_x2apic(&d, id, 1);
	REQUIRE_EQ(madt_parse(d.byte, d.bytes, &m), 0);
	EXPECT_EQ(m.cpu_count, 255);
	EXPECT_EQ(m.apic_id[254], 254);
	EXPECT_EQ(m.repeated_count, 100);
	EXPECT_EQ(m.unreachable_count, 1);
}

/* An entry without length, too small for its kind or past the end is refused; what came before
 * counts. */
TEST(madt, impossible_entries_are_refused)
{
	static const uint8_t kinds[] = { 0, 5, 9, 77 };
	static const uint8_t least[] = { 8, 12, 16, 2 };
	static struct draft d;
	struct madt m;

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (unsigned bytes = 0; bytes < 20; bytes++) {
			uint8_t entry[20] = { kinds[k], (uint8_t)bytes };

			begin(&d);
			put_apic(&d, 3, 1);
			put(&d, entry, bytes < 2 ? 2 : bytes);
			EXPECT_EQ(madt_parse(d.byte, d.bytes, &m), bytes < least[k] ? -EINVAL : 0);
			EXPECT_EQ(m.apic_id[0], 3);
			if (bytes > 1)
				EXPECT_EQ(madt_parse(d.byte, d.bytes - 1, &m), -EINVAL);
		}
	}
	for (size_t bytes = 0; bytes < HEADER_BYTES; bytes++)
		EXPECT_EQ(madt_parse(d.byte, bytes, &m), -EINVAL);
}

/* Whatever the bytes are, the reader stays inside them (the sanitizers watch on the host). */
TEST(madt, random_bytes_are_survived)
{
	static struct draft d;
	unsigned accepted = 0;

	for (unsigned round = 0; round < 5000; round++) {
		struct madt m;
		size_t bytes = HEADER_BYTES + test_random() % 200;
		uint8_t *start = d.byte + sizeof(d.byte) - bytes; /* nothing behind it */

		for (size_t i = 0; i < bytes; i++)
			start[i] =
				(uint8_t)(test_random() % 3 ? test_random() % 20 : test_random());
		accepted += !madt_parse(start, bytes, &m);
		EXPECT_LE(m.cpu_count, 255);
	}
	test_note("%u of 5000 accepted", accepted);
}

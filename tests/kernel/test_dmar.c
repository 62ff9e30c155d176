/*
 * The DMAR reader on tables of every kind, sound and hostile; and on this machine's.
 */
#include <dev/acpi.h>
#include <dev/dmar.h>
#include <lib/string.h>
#include <tests/kernel/test.h>

#define HEAD_BYTES 48
#define TABLE_MAX 512

struct draft {
	uint8_t byte[TABLE_MAX];
	size_t bytes;
};

static void put(struct draft *d, uint64_t value, unsigned bytes)
{
	memcpy(d->byte + d->bytes, &value, bytes);
	d->bytes += bytes;
}

static void begin(struct draft *d, unsigned address_bits)
{
	memset(d, 0, sizeof(*d));
	d->byte[36] = (uint8_t)(address_bits - 1);
	d->bytes = HEAD_BYTES;
}

static void put_unit(struct draft *d, uint64_t registers, uint8_t flags, uint16_t segment,
		     unsigned scope_bytes)
{
	put(d, 0, 2);
	put(d, 16 + scope_bytes, 2);
	put(d, flags, 1);
	put(d, 0, 1);
	put(d, segment, 2);
	put(d, registers, 8);
}

/* An endpoint on a bus, or behind `bridges` bridges. */
static void put_endpoint(struct draft *d, uint8_t type, uint8_t bus, uint8_t device,
			 uint8_t function, unsigned bridges)
{
	put(d, type, 1);
	put(d, 8 + 2 * bridges, 1);
	put(d, 0, 3);
	put(d, bus, 1);
	for (unsigned i = 0; i < bridges; i++)
		put(d, 0x0101, 2);
	put(d, device, 1);
	put(d, function, 1);
}

// Units, their devices and the reserved memory are read as they stand.
TEST(dmar, units_and_devices)
{
	struct draft d;
	struct dmar m;

	begin(&d, 48);
	put_unit(&d, 0xfed90000, 0, 0, 8 + 8 + 10 + 8);
	put_endpoint(&d, 1, 0, 2, 0, 0);
	put_endpoint(&d, 2, 0, 3, 0, 0); /* a bridge */
	put_endpoint(&d, 1, 0, 4, 0, 1); /* behind one */
	put_endpoint(&d, 1, 5, 31, 7, 0);
	put(&d, 1, 2); /* reserved memory */
	put(&d, 24, 2);
	d.bytes += 20;
	put_unit(&d, 0xfed91000, 1, 0, 0);
	put_unit(&d, 0xfed92000, 1, 1, 0);
	EXPECT_EQ(dmar_parse(d.byte, d.bytes, &m), 0);
	EXPECT_EQ(m.address_bits, 48u);
	EXPECT_EQ(m.unit_count, 3u);
	EXPECT_EQ(m.unit[0].registers.value, 0xfed90000u);
	EXPECT_EQ(m.unit[0].device_count, 2u);
	EXPECT_EQ(m.reserved_count, 1u);
	EXPECT_EQ(m.skipped_count, 1u);
	EXPECT_EQ(dmar_find_unit(&m, 0x0010), 0);
	EXPECT_EQ(dmar_find_unit(&m, 0x05ff), 0);
	EXPECT_EQ(dmar_find_unit(&m, 0x0018), 1); /* nobody names it */
	m.unit[1].serves_the_rest = false;
	EXPECT_EQ(dmar_find_unit(&m, 0x0018), -1);
}

// A structure that is too small, or reaches past the end, is refused, and so is what no address
// fits.
TEST(dmar, unsound_tables)
{
	struct draft d;
	struct dmar m;

	begin(&d, 48);
	EXPECT_EQ(dmar_parse(d.byte, d.bytes, &m), 0);
	EXPECT_EQ(dmar_parse(d.byte, HEAD_BYTES - 1, &m), -EINVAL);
	put_unit(&d, 0xfed90000, 1, 0, 8);
	EXPECT_EQ(dmar_parse(d.byte, d.bytes, &m), -EINVAL); /* its device is missing */
	put_endpoint(&d, 1, 0, 2, 0, 0);
	EXPECT_EQ(dmar_parse(d.byte, d.bytes, &m), 0);
	for (size_t bytes = HEAD_BYTES + 1; bytes < d.bytes; bytes++)
		EXPECT_EQ(dmar_parse(d.byte, bytes, &m), -EINVAL);
	d.byte[HEAD_BYTES + 17] = 9; /* the device's length */
	EXPECT_EQ(dmar_parse(d.byte, d.bytes, &m), -EINVAL);
	d.byte[HEAD_BYTES + 17] = 0;
	EXPECT_EQ(dmar_parse(d.byte, d.bytes, &m), -EINVAL);
	begin(&d, 48);
	put(&d, 0, 2);
	put(&d, 0, 2); /* a structure of no bytes: it would never end */
	EXPECT_EQ(dmar_parse(d.byte, d.bytes, &m), -EINVAL);
	begin(&d, 31);
	EXPECT_EQ(dmar_parse(d.byte, d.bytes, &m), -EINVAL);
	begin(&d, 53);
	EXPECT_EQ(dmar_parse(d.byte, d.bytes, &m), -EINVAL);
}

// More units and devices than there is room for are counted, not kept.
TEST(dmar, too_many)
{
	static struct draft d;
	struct dmar m;

	begin(&d, 39);
	for (unsigned i = 0; i < DMAR_UNITS_MAX + 3; i++)
		put_unit(&d, 0x1000 * i, 0, 0, 0);
	EXPECT_EQ(dmar_parse(d.byte, d.bytes, &m), 0);
	EXPECT_EQ(m.unit_count, DMAR_UNITS_MAX);
	EXPECT_EQ(m.skipped_count, 3u);
	begin(&d, 39);
	put_unit(&d, 0x1000, 0, 0, 8 * (DMAR_SCOPES_MAX + 2));
	for (unsigned i = 0; i < DMAR_SCOPES_MAX + 2; i++)
		put_endpoint(&d, 1, (uint8_t)i, 0, 0, 0);
	EXPECT_EQ(dmar_parse(d.byte, d.bytes, &m), 0);
	EXPECT_EQ(m.unit[0].device_count, DMAR_SCOPES_MAX);
	EXPECT_EQ(m.skipped_count, 2u);
}

// Random bytes, at the very end of their room, are read without a step past it, whatever they say.
TEST(dmar, random_tables)
{
	static struct draft d;
	unsigned accepted = 0;

	for (unsigned round = 0; round < 5000; round++) {
		size_t bytes = HEAD_BYTES + test_random() % 120, first = sizeof(d.byte) - bytes;
		struct dmar m;

		for (size_t i = first; i < sizeof(d.byte); i++)
			d.byte[i] =
				(uint8_t)(test_random() % 3 ? test_random() % 20 : test_random());
		d.byte[first + 36] = 47;
		accepted += !dmar_parse(d.byte + first, bytes, &m);
		EXPECT_LE(m.unit_count, DMAR_UNITS_MAX);
	}
	test_note("%u of 5000 were sound", accepted);
}

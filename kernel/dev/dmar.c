/* Reading the DMAR table, see dmar.h. */
#include <dev/acpi.h>
#include <dev/dmar.h>
#include <lib/string.h>

struct PACKED dmar_table {
	struct acpi_header header;
	uint8_t address_width; /* less one */
	uint8_t flags, reserved[10];
};
_Static_assert(sizeof(struct dmar_table) == 48, "by the specification");

/* What every remapping structure begins with, and the one of a unit. */
struct PACKED structure {
	uint16_t type, bytes;
};
#define TYPE_UNIT 0
#define TYPE_RESERVED_MEMORY 1

struct PACKED unit {
	struct structure head;
	uint8_t flags, size;
	uint16_t segment;
	uint64_t registers;
};
_Static_assert(sizeof(struct unit) == 16, "by the specification");
#define UNIT_SERVES_THE_REST 0x01

/* A device: the path from a bus, of pairs of device and function. */
struct PACKED scope {
	uint8_t type, bytes, reserved[2], enumeration, bus;
	uint8_t device, function;
};
#define SCOPE_ENDPOINT 1

#define ADDRESS_BITS_MIN 32
#define ADDRESS_BITS_MAX 52

static void add_device(struct dmar *d, struct dmar_unit *u, const struct scope *s)
{
	if (s->type != SCOPE_ENDPOINT)
		return; /* bridges, interrupt controllers, timers */
	if (s->bytes != sizeof(*s) || u->device_count == DMAR_SCOPES_MAX) {
		d->skipped_count++;
		return;
	}
	u->device[u->device_count++] =
		(uint16_t)(s->bus << 8 | (s->device & 31) << 3 | (s->function & 7));
}

/* The scopes at the end of a unit. Returns false if one reaches past it. */
static bool read_scopes(struct dmar *d, struct dmar_unit *u, const uint8_t *at, size_t left)
{
	while (left) {
		struct scope s;

		if (left < sizeof(s) || at[1] < sizeof(s) || at[1] > left)
			return false;
		memcpy(&s, at, sizeof(s));
		add_device(d, u, &s);
		left -= s.bytes;
		at += s.bytes;
	}
	return true;
}

static bool read_unit(struct dmar *d, const uint8_t *at, size_t bytes)
{
	struct dmar_unit *u = &d->unit[d->unit_count];
	struct unit raw;

	if (bytes < sizeof(raw))
		return false;
	if (d->unit_count == DMAR_UNITS_MAX) {
		d->skipped_count++;
		return true;
	}
	memcpy(&raw, at, sizeof(raw));
	*u = (struct dmar_unit){
		.registers = PA(raw.registers),
		.segment = raw.segment,
		.serves_the_rest = raw.flags & UNIT_SERVES_THE_REST,
	};
	d->unit_count++;
	return read_scopes(d, u, at + sizeof(raw), bytes - sizeof(raw));
}

static bool read_structure(struct dmar *d, const uint8_t *at, size_t bytes, unsigned type)
{
	if (type == TYPE_UNIT)
		return read_unit(d, at, bytes);
	d->reserved_count += type == TYPE_RESERVED_MEMORY;
	return true;
}

int dmar_parse(const void *table, size_t bytes, struct dmar *out)
{
	const uint8_t *at = table;
	struct dmar_table head;

	*out = (struct dmar){ .unit_count = 0 };
	if (bytes < sizeof(head))
		return -EINVAL;
	memcpy(&head, table, sizeof(head));
	out->address_bits = head.address_width + 1u;
	if (out->address_bits < ADDRESS_BITS_MIN || out->address_bits > ADDRESS_BITS_MAX)
		return -EINVAL;
	at += sizeof(head);
	for (bytes -= sizeof(head); bytes;) {
		struct structure s;

		if (bytes < sizeof(s))
			return -EINVAL;
		memcpy(&s, at, sizeof(s));
		if (s.bytes < sizeof(s) || s.bytes > bytes ||
		    !read_structure(out, at, s.bytes, s.type))
			return -EINVAL;
		at += s.bytes;
		bytes -= s.bytes;
	}
	return 0;
}

int dmar_find_unit(const struct dmar *d, uint16_t requester)
{
	int rest = -1;

	for (unsigned i = 0; i < d->unit_count; i++) {
		const struct dmar_unit *u = &d->unit[i];

		if (u->segment)
			continue;
		for (unsigned n = 0; n < u->device_count; n++)
			if (u->device[n] == requester)
				return (int)i;
		if (u->serves_the_rest && rest < 0)
			rest = (int)i;
	}
	return rest;
}

/*
 * Tests of the sweep's oracle, against examples worked out by hand from the manual. They need no
 * CPU and run on the host as well: what the kernel's sweep then finds different is the CPU's.
 */
#include <lib/string.h>
#include <tests/kernel/access_model.h>
#include <tests/kernel/test.h>

#define ROOT 0x10000 /* the tables of the example lie from here on, the top one first */
#define TARGET 0x123456000
#define OPEN (MODEL_P | MODEL_W | MODEL_U)

static const struct model_cpu strict = {
	.top_level = 4,
	.leaf_level_max = 2,
	.pa_bits = 40,
	.wp = true,
	.smep = true,
	.smap = true,
	.nxe = true,
};

/* One entry a level, each at another index of its table: VA's. */
static uint64_t path[MODEL_LEVELS];
#define VA 0x00553322bb449abc /* indices from the top: 0x55, 0x66, 0x8a, 0x1da, 0x049 */

static uint64_t table_at(unsigned top, unsigned level)
{
	return ROOT + (top - level) * MODEL_PAGE_BYTES;
}

static unsigned read_top;

/* Memory that holds the path's entries where VA finds them, and nothing else. */
static uint64_t read_path(uint64_t pa)
{
	static const uint64_t index[MODEL_LEVELS] = { 0x49, 0x1da, 0x8a, 0x66, 0x55 };

	for (unsigned level = 0; level <= read_top; level++)
		if (pa == table_at(read_top, level) + 8 * index[level])
			return path[level];
	return 0;
}

/* All open down to a leaf at this level. */
static void open_path(const struct model_cpu *cpu, unsigned leaf)
{
	read_top = cpu->top_level;
	memset(path, 0, sizeof(path));
	for (unsigned level = read_top; level > leaf; level--)
		path[level] = table_at(read_top, level - 1) | OPEN;
	path[leaf] = (TARGET & ~(model_bytes(leaf) - 1)) | OPEN | (leaf ? MODEL_PS : 0);
}

static struct model_outcome walk(const struct model_cpu *cpu, enum model_kind kind, bool user)
{
	struct model_access a = { .va = VA, .kind = kind, .user = user };

	if (cpu->top_level == 3)
		a.va &= (1ull << 47) - 1;
	return model_walk(cpu, &a, ROOT, read_path);
}

/* Every leaf level at both depths: the slots that are read, the address, A on all and D on none. */
TEST(access_model, translation)
{
	static const uint64_t pa[] = { 0x123456abc, 0x123449abc, 0x13b449abc };
	struct model_cpu cpu = strict;

	for (cpu.top_level = 3; cpu.top_level <= 4; cpu.top_level++) {
		for (unsigned leaf = 0; leaf <= 2; leaf++) {
			open_path(&cpu, leaf);
			struct model_outcome out = walk(&cpu, MODEL_READ, true);

			EXPECT_EQ(out.result, MODEL_DONE);
			EXPECT_EQ(out.step_count, cpu.top_level - leaf + 1);
			for (unsigned i = 0; i < out.step_count; i++)
				EXPECT_EQ(out.step[i].after, path[cpu.top_level - i] | MODEL_A);
			EXPECT_EQ(out.pa, pa[leaf]);
		}
	}
}

/* Take rights from one level of an open path. */
static void restrict_level(unsigned level, const char *rights)
{
	open_path(&strict, 0);
	path[level] &= ~(MODEL_W | MODEL_U);
	path[level] |= (strchr(rights, 'W') ? MODEL_W : 0) | (strchr(rights, 'U') ? MODEL_U : 0) |
		       (strchr(rights, 'X') ? 0 : MODEL_NX);
}

/* Of the accesses to this path, exactly the given ones (r, w, x) go through. */
static void expect_allowed(const struct model_cpu *cpu, bool user, const char *allowed)
{
	EXPECT_EQ(walk(cpu, MODEL_READ, user).result == MODEL_DONE, !!strchr(allowed, 'r'));
	EXPECT_EQ(walk(cpu, MODEL_WRITE, user).result == MODEL_DONE, !!strchr(allowed, 'w'));
	EXPECT_EQ(walk(cpu, MODEL_FETCH, user).result == MODEL_DONE, !!strchr(allowed, 'x'));
}

/* Who may do what (4.6.1), the same whichever level it is that takes a right away. */
TEST(access_model, rights)
{
	static const struct {
		const char *page, *cpu; /* W, U, X; w(p), e (SMEP), a (SMAP), c (AC) */
		const char *supervisor, *user;
	} row[] = {
		{ "", "wea", "r", "" },         { "W", "wea", "rw", "" },
		{ "X", "wea", "rx", "" },       { "WX", "wea", "rwx", "" },
		{ "U", "wea", "", "r" },        { "WU", "wea", "", "rw" },
		{ "UX", "wea", "", "rx" },      { "WUX", "wea", "", "rwx" },
		{ "U", "weac", "r", "r" },      { "WU", "weac", "rw", "rw" },
		{ "WUX", "weac", "rw", "rwx" }, { "UX", "weac", "r", "rx" },
		{ "UX", "wac", "rx", "rx" },    { "WUX", "wa", "x", "rwx" },
		{ "U", "w", "r", "r" },         { "WUX", "w", "rwx", "rwx" },
		{ "", "", "rw", "" },           { "U", "", "rw", "r" },
		{ "UX", "", "rwx", "rx" },      { "U", "a", "", "r" },
		{ "U", "ac", "rw", "r" },       { "UX", "e", "rw", "rx" },
		{ "UX", "wc", "rx", "rx" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		struct model_cpu cpu = strict;

		cpu.wp = strchr(row[i].cpu, 'w');
		cpu.smep = strchr(row[i].cpu, 'e');
		cpu.smap = strchr(row[i].cpu, 'a');
		cpu.ac = strchr(row[i].cpu, 'c');
		for (unsigned level = 0; level <= cpu.top_level; level++) {
			restrict_level(level, row[i].page);
			expect_allowed(&cpu, false, row[i].supervisor);
			expect_allowed(&cpu, true, row[i].user);
		}
	}
}

/* Error codes (4.7): what was tried, and whether there was a translation. */
TEST(access_model, error_codes)
{
	struct model_cpu cpu = strict;

	open_path(&cpu, 0);
	path[2] = 0;
	EXPECT_EQ(walk(&cpu, MODEL_READ, false).error, 0);
	EXPECT_EQ(walk(&cpu, MODEL_WRITE, false).error, 2);
	EXPECT_EQ(walk(&cpu, MODEL_FETCH, false).error, 0x10);
	EXPECT_EQ(walk(&cpu, MODEL_READ, true).error, 4);
	EXPECT_EQ(walk(&cpu, MODEL_WRITE, true).error, 6);
	EXPECT_EQ(walk(&cpu, MODEL_FETCH, true).error, 0x14);

	open_path(&cpu, 0);
	path[3] &= ~MODEL_W;
	EXPECT_EQ(walk(&cpu, MODEL_WRITE, true).error, 7);
	EXPECT_EQ(walk(&cpu, MODEL_READ, false).error, 1);     /* SMAP */
	EXPECT_EQ(walk(&cpu, MODEL_FETCH, false).error, 0x11); /* SMEP */

	/* Fetches are told from reads only if NX or SMEP is in use. */
	path[3] |= 1ull << 51;
	EXPECT_EQ(walk(&cpu, MODEL_FETCH, true).error, 0x1d);
	cpu.nxe = false;
	EXPECT_EQ(walk(&cpu, MODEL_FETCH, true).error, 0x1d);
	cpu.smep = false;
	EXPECT_EQ(walk(&cpu, MODEL_FETCH, true).error, 0xd);
	EXPECT_EQ(walk(&cpu, MODEL_WRITE, true).error, 0xf);
}

/* A is set on what led further, D on the leaf that was written, nothing on what ended the walk. */
TEST(access_model, accessed_and_dirty)
{
	for (unsigned stop = 0; stop <= 4; stop++) {
		open_path(&strict, 0);
		path[stop] &= ~MODEL_P;
		struct model_outcome out = walk(&strict, MODEL_WRITE, true);

		EXPECT_EQ(out.step_count, 5 - stop);
		for (unsigned i = 0; i < out.step_count; i++) {
			unsigned level = 4 - i;

			EXPECT_EQ(out.step[i].after, path[level] | (level > stop ? MODEL_A : 0));
		}
	}

	open_path(&strict, 1);
	struct model_outcome out = walk(&strict, MODEL_WRITE, true);

	EXPECT_EQ(out.step[3].after, path[1] | MODEL_A | MODEL_D);
	EXPECT_EQ(out.step[2].after, path[2] | MODEL_A);

	path[4] &= ~MODEL_W; /* found out at the leaf only */
	out = walk(&strict, MODEL_WRITE, true);
	EXPECT_EQ(out.step[0].after, path[4] | MODEL_A);
	EXPECT_EQ(out.step[2].after, path[2] | MODEL_A);
	EXPECT_EQ(out.step[3].after, path[1]);
}

/* Which bits are reserved, from the tables of 4.5; what is not reserved is ignored. */
TEST(access_model, reserved_bits)
{
	struct model_cpu cpu = strict;
	uint64_t width = 0x000fff0000000000;

	EXPECT_EQ(model_reserved(&cpu, 0, MODEL_PS), width);
	EXPECT_EQ(model_reserved(&cpu, 1, 0), width);
	EXPECT_EQ(model_reserved(&cpu, 1, MODEL_PS), width | 0x1fe000);
	EXPECT_EQ(model_reserved(&cpu, 2, 0), width);
	EXPECT_EQ(model_reserved(&cpu, 2, MODEL_PS), width | 0x3fffe000);
	EXPECT_EQ(model_reserved(&cpu, 3, 0), width | MODEL_PS);
	EXPECT_EQ(model_reserved(&cpu, 4, 0), width | MODEL_PS);

	cpu.leaf_level_max = 1;
	cpu.nxe = false;
	cpu.pa_bits = 52;
	EXPECT_EQ(model_reserved(&cpu, 2, MODEL_PS), MODEL_PS | MODEL_NX);
	EXPECT_EQ(model_reserved(&cpu, 0, 0), MODEL_NX);
}

/* The last address below the hole and the first above it, at both depths. */
TEST(access_model, canonical)
{
	static const uint64_t edge[2][4] = {
		{ 0x00007fffffffffff, 0x0000800000000000, 0xffff7fffffffffff, 0xffff800000000000 },
		{ 0x00ffffffffffffff, 0x0100000000000000, 0xfeffffffffffffff, 0xff00000000000000 },
	};
	struct model_cpu cpu = strict;

	for (cpu.top_level = 3; cpu.top_level <= 4; cpu.top_level++) {
		const uint64_t *e = edge[cpu.top_level - 3];

		EXPECT(model_is_canonical(&cpu, e[0]) && !model_is_canonical(&cpu, e[1]));
		EXPECT(!model_is_canonical(&cpu, e[2]) && model_is_canonical(&cpu, e[3]));
	}
	cpu.top_level = 4;
	EXPECT(model_is_canonical(&cpu, edge[0][1]) && model_is_canonical(&cpu, edge[0][2]));

	struct model_access a = { .va = edge[1][1], .kind = MODEL_READ };
	struct model_outcome out = model_walk(&cpu, &a, ROOT, read_path);

	EXPECT_EQ(out.result, MODEL_GENERAL_PROTECTION);
	EXPECT_EQ(out.step_count, 0);
}

/* Protection keys (4.6.2): the leaf's key, data only, user addresses only. */
TEST(access_model, protection_keys)
{
	struct model_cpu cpu = strict;

	cpu.pke = cpu.ac = true;
	cpu.smep = false;
	cpu.pkru = 1u << 10 | 2u << 14; /* no access with key 5, no writes with key 7 */
	open_path(&cpu, 0);
	path[1] |= 5ull << MODEL_KEY_SHIFT; /* ignored: not the leaf */
	EXPECT_EQ(walk(&cpu, MODEL_WRITE, true).result, MODEL_DONE);

	path[0] |= 5ull << MODEL_KEY_SHIFT;
	EXPECT_EQ(walk(&cpu, MODEL_READ, true).error, 0x25);
	EXPECT_EQ(walk(&cpu, MODEL_WRITE, false).error, 0x23);
	EXPECT_EQ(walk(&cpu, MODEL_FETCH, true).result, MODEL_DONE);

	path[0] ^= 2ull << MODEL_KEY_SHIFT;
	EXPECT_EQ(walk(&cpu, MODEL_READ, true).result, MODEL_DONE);
	EXPECT_EQ(walk(&cpu, MODEL_WRITE, true).error, 0x27);
	EXPECT_EQ(walk(&cpu, MODEL_WRITE, false).error, 0x23);
	cpu.wp = false;
	EXPECT_EQ(walk(&cpu, MODEL_WRITE, false).result, MODEL_DONE);
	EXPECT_EQ(walk(&cpu, MODEL_WRITE, true).error, 0x27);

	path[3] &= ~MODEL_U;
	EXPECT_EQ(walk(&cpu, MODEL_WRITE, true).error, 7);
	cpu.wp = true;
	EXPECT_EQ(walk(&cpu, MODEL_WRITE, false).result, MODEL_DONE);
}

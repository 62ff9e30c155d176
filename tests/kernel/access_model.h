/*
 * The oracle of the permission sweep: what an x86-64 CPU makes of one access, by the manual alone.
 *
 * Pure: it reads tables through a function it is given and writes nothing. It has bit definitions
 * of its own and shares no code with mm or with the kernel's format, which it is there to judge.
 * References are to the SDM, volume 3, chapter 4. Locking: none. Talks to nobody.
 */
#pragma once

#include <lib/compiler.h>

/* Entries (4.5, figure 4-11 and tables 4-15 to 4-20). */
#define MODEL_P (1ull << 0)
#define MODEL_W (1ull << 1)
#define MODEL_U (1ull << 2)
#define MODEL_PWT (1ull << 3)
#define MODEL_PCD (1ull << 4)
#define MODEL_A (1ull << 5)
#define MODEL_D (1ull << 6)  /* in a leaf; ignored elsewhere */
#define MODEL_PS (1ull << 7) /* at levels 1 and 2: a leaf; PAT at level 0; reserved above */
#define MODEL_G (1ull << 8)
#define MODEL_IGNORED (0x7full << 52 | 7ull << 9)
#define MODEL_KEY_SHIFT 59 /* four bits, in a leaf, if CR4.PKE; ignored elsewhere */
#define MODEL_KEY (15ull << MODEL_KEY_SHIFT)
#define MODEL_NX (1ull << 63)
#define MODEL_ADDRESS 0x000ffffffffff000ull

/* The error code of a page fault (4.7). */
#define MODEL_ERROR_P (1u << 0)
#define MODEL_ERROR_W (1u << 1)
#define MODEL_ERROR_U (1u << 2)
#define MODEL_ERROR_RSVD (1u << 3)
#define MODEL_ERROR_I (1u << 4)
#define MODEL_ERROR_PK (1u << 5)

#define MODEL_LEVELS 5
#define MODEL_PAGE_BYTES 4096

/* The CPU's state, as far as it matters. */
struct model_cpu {
	unsigned top_level;       /* 3, or 4 with CR4.LA57 */
	unsigned leaf_level_max;  /* 2 if CPUID offers 1 GiB pages */
	unsigned pa_bits;         /* MAXPHYADDR */
	bool wp, smep, smap, pke; /* CR0.WP, CR4.SMEP, CR4.SMAP, CR4.PKE */
	bool nxe;                 /* EFER.NXE */
	bool ac;                  /* EFLAGS.AC, of supervisor accesses */
	uint32_t pkru;            /* per key: bit 2k no access, bit 2k + 1 no writes */
};

enum model_kind { MODEL_READ, MODEL_WRITE, MODEL_FETCH };

struct model_access {
	uint64_t va;
	enum model_kind kind;
	bool user;
};

enum model_result { MODEL_DONE, MODEL_PAGE_FAULT, MODEL_GENERAL_PROTECTION };

/* One entry that the walk read. */
struct model_step {
	unsigned level;
	uint64_t slot; /* its physical address */
	uint64_t before, after;
};

struct model_outcome {
	enum model_result result;
	uint32_t error; /* of a page fault; its CR2 is the address of the access */
	uint64_t pa;    /* if done */
	unsigned step_count;
	struct model_step step[MODEL_LEVELS]; /* from the top; the last one decided */
};

/* Walk for one access that stays within a page. `root` is CR3's address; `read` returns the 8 bytes
 * at a physical address. */
struct model_outcome model_walk(const struct model_cpu *cpu, const struct model_access *access,
				uint64_t root, uint64_t (*read)(uint64_t pa));

/* The bits that must be 0 in a present entry of this level with the PS bit it has (4.5). */
uint64_t model_reserved(const struct model_cpu *cpu, unsigned level, uint64_t entry);

/* Is a present entry at this level a leaf? */
bool model_is_leaf(unsigned level, uint64_t entry);

/* Bytes that an entry of this level covers. */
static inline uint64_t model_bytes(unsigned level)
{
	return 1ull << (12 + 9 * level);
}

static inline unsigned model_index(uint64_t va, unsigned level)
{
	return (va >> (12 + 9 * level)) & 511;
}

/* Are the bits above the linear-address width copies of its highest one (vol. 1, 3.3.7.1)? */
bool model_is_canonical(const struct model_cpu *cpu, uint64_t va);

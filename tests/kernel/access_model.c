/*
 * The x86-64 walk by the manual. See access_model.h.
 */
#include <tests/kernel/access_model.h>

/* What the entries of a path say together (4.6): ANDs of W and U, the OR of NX. */
struct rights {
	bool w, u, x;
	unsigned key;
};

bool model_is_canonical(const struct model_cpu *cpu, uint64_t va)
{
	unsigned above = 63 - (12 + 9 * (cpu->top_level + 1)); /* copies of the sign bit */

	return (uint64_t)((int64_t)(va << above << 1) >> above >> 1) == va;
}

bool model_is_leaf(unsigned level, uint64_t entry)
{
	return level == 0 || (level <= 2 && (entry & MODEL_PS));
}

uint64_t model_reserved(const struct model_cpu *cpu, unsigned level, uint64_t entry)
{
	uint64_t reserved = MODEL_ADDRESS & ~((1ull << cpu->pa_bits) - 1);

	if (!cpu->nxe)
		reserved |= MODEL_NX;
	if (level > cpu->leaf_level_max)
		reserved |= MODEL_PS;
	else if (level > 0 && (entry & MODEL_PS))
		reserved |= MODEL_ADDRESS & (model_bytes(level) - 1) & ~(1ull << 12); /* but PAT */
	return reserved;
}

/* Does PKRU forbid this access (4.6.2)? Keys concern data, and addresses that users may use. */
static bool is_denied_by_key(const struct model_cpu *cpu, const struct model_access *a,
			     const struct rights *r)
{
	uint32_t denied = cpu->pkru >> (2 * r->key);

	if (!cpu->pke || !r->u || a->kind == MODEL_FETCH)
		return false;
	if (denied & 1)
		return true;
	return (denied & 2) && a->kind == MODEL_WRITE && (a->user || cpu->wp);
}

/* Do the path's rights allow the access (4.6.1)? */
static bool is_allowed(const struct model_cpu *cpu, const struct model_access *a,
		       const struct rights *r)
{
	if (a->user && !r->u)
		return false;
	if (a->kind == MODEL_FETCH)
		return r->x && (a->user || !r->u || !cpu->smep);
	if (!a->user && r->u && cpu->smap && !cpu->ac)
		return false;
	return a->kind == MODEL_READ || r->w || (!a->user && !cpu->wp);
}

static void set_fault(struct model_outcome *out, const struct model_cpu *cpu,
		      const struct model_access *a, uint32_t cause)
{
	out->result = MODEL_PAGE_FAULT;
	out->error = cause;
	if (a->kind == MODEL_WRITE)
		out->error |= MODEL_ERROR_W;
	if (a->user)
		out->error |= MODEL_ERROR_U;
	if (a->kind == MODEL_FETCH && (cpu->nxe || cpu->smep))
		out->error |= MODEL_ERROR_I;
}

static void add_rights(struct rights *r, uint64_t entry)
{
	r->w = r->w && (entry & MODEL_W);
	r->u = r->u && (entry & MODEL_U);
	r->x = r->x && !(entry & MODEL_NX);
	r->key = (entry & MODEL_KEY) >> MODEL_KEY_SHIFT;
}

/*
 * Walk to the leaf, marking the entries that were used to get further.
 *
 * 4.8 has the CPU set A whenever it uses an entry, and leaves open what happens to those above one
 * that faults. Every known CPU sets them, and not the one that faulted.
 * Returns false if the walk ended early, with the cause in `cause`.
 */
static bool walk_to_leaf(const struct model_cpu *cpu, uint64_t va, uint64_t root,
			 uint64_t (*read)(uint64_t pa), struct model_outcome *out,
			 struct rights *rights, uint32_t *cause)
{
	uint64_t table = root;

	for (unsigned level = cpu->top_level;; level--) {
		struct model_step *s = &out->step[out->step_count++];

		s->level = level;
		s->slot = table + 8 * model_index(va, level);
		s->before = s->after = read(s->slot);
		*cause = 0;
		if (!(s->before & MODEL_P))
			return false;
		*cause = MODEL_ERROR_P | MODEL_ERROR_RSVD;
		if (s->before & model_reserved(cpu, level, s->before))
			return false;
		add_rights(rights, s->before);
		if (model_is_leaf(level, s->before))
			return true;
		s->after |= MODEL_A;
		table = s->before & MODEL_ADDRESS;
	}
}

/* The walk got to a leaf: may the access be made, and where does it go? */
static void finish(struct model_outcome *out, const struct model_cpu *cpu,
		   const struct model_access *a, const struct rights *rights)
{
	struct model_step *leaf = &out->step[out->step_count - 1];
	uint64_t offset = model_bytes(leaf->level) - 1;

	if (is_denied_by_key(cpu, a, rights)) {
		set_fault(out, cpu, a, MODEL_ERROR_P | MODEL_ERROR_PK);
	} else if (!is_allowed(cpu, a, rights)) {
		set_fault(out, cpu, a, MODEL_ERROR_P);
	} else {
		leaf->after |= MODEL_A | (a->kind == MODEL_WRITE ? MODEL_D : 0);
		out->pa = (leaf->before & MODEL_ADDRESS & ~offset) | (a->va & offset);
	}
}

struct model_outcome model_walk(const struct model_cpu *cpu, const struct model_access *access,
				uint64_t root, uint64_t (*read)(uint64_t pa))
{
	struct model_outcome out = { .result = MODEL_DONE };
	struct rights rights = { .w = true, .u = true, .x = true };
	uint32_t cause;

	if (!model_is_canonical(cpu, access->va))
		out.result = MODEL_GENERAL_PROTECTION;
	else if (walk_to_leaf(cpu, access->va, root, read, &out, &rights, &cause))
		finish(&out, cpu, access, &rights);
	else
		set_fault(&out, cpu, access, cause);
	return out;
}

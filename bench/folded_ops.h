/*
 * Walking, mapping and unmapping in the classic manner: one function a level, nested loops over
 * [va, end), in terms of pgd_t ... pte_t. See folded.h for what is compiled over what.
 *
 * What happens once a table and not once an entry (making one, making it exclusive, splitting,
 * counting) is left to the library and costs both sides the same.
 */

/* ---- What happens once a table. ---- */

/* Make the entry p a table of the root's own. 0, -EEXIST (a leaf or soft entry), -ENOMEM. */
static NOINLINE int make_table(const struct pt_root *root, ptp_t p, va_t va)
{
	for (;;) {
		ptv_t v = ptp_get(p);
		int err = 0;

		if (ptv_is_table(v))
			return PT_HOST_SHARED(v) ? PT_HOST_EXCLUSIVE(root, p) : 0;
		if (!ptv_is_bad(v) && !ptv_none(v))
			return -EEXIST;
		if (!ptp_none_or_clear_bad(p, va) || (err = pt_populate(root, p)))
			return err;
	}
}

/* Something is at p, in [va, end), that cannot just be cleared or walked: split it, make it
 * exclusive, or contain it. 0 or -ENOMEM; then look again. */
static NOINLINE int mend_entry(const struct pt_root *root, ptp_t p, va_t va)
{
	ptv_t v = ptp_get(p);

	if (ptv_is_table(v))
		return PT_HOST_EXCLUSIVE(root, p);
	if (ptv_is_bad(v))
		return ptp_clear_bad(p, va), 0;
	return pt_split(root, p, v);
}

/* Book `count` entries more in the table of p, beginning there. */
static inline void book(ptp_t p, unsigned last, int count)
{
	if (count)
		pt_meta_add(ptp_meta(p), count, ptp_index(p), last);
}

/* If nothing is left in the table under p, the batch gets it. */
static inline void free_if_empty(const struct pt_root *root, ptp_t p, struct pt_batch *batch)
{
	pt_t table = ptv_to_table(ptp_get(p));

	if (!pt_meta(table)->live && p.level < root->keep_level) {
		ptp_change(p, ptv_make_none(p.level));
		pt_release(root->owner, table, batch);
	}
}

/* ---- Walk. ---- */

static void *folded_find(const struct pt_root *root, va_t va, uint64_t *value, unsigned *level)
{
	pgd_t *pgd = pgd_offset(root, va), pgd_v = pgd_folded ? (pgd_t){ 0 } : pgd_get(pgd);
	p4d_t *p4d, p4d_v;
	pud_t *pud, pud_v;
	pmd_t *pmd, pmd_v;
	pte_t *pte;

	if (!pgd_folded && !pgd_table(pgd_v))
		return *value = pgd_val(pgd_v), *level = 4, pgd;
	p4d = p4d_offset(pgd, pgd_v, va);
	p4d_v = p4d_get(p4d);
	if (!p4d_table(p4d_v))
		return *value = p4d_val(p4d_v), *level = 3, p4d;
	pud = pud_offset(p4d, p4d_v, va);
	pud_v = pud_get(pud);
	if (!pud_table(pud_v))
		return *value = pud_val(pud_v), *level = 2, pud;
	pmd = pmd_offset(pud, pud_v, va);
	pmd_v = pmd_get(pmd);
	if (!pmd_table(pmd_v))
		return *value = pmd_val(pmd_v), *level = 1, pmd;
	pte = pte_offset(pmd, pmd_v, va);
	return *value = pte_val(pte_get(pte)), *level = 0, pte;
}

/* ---- Map. ---- */

struct mapping {
	const struct pt_root *root;
	uint64_t delta; /* pa - va */
	pgprot_t prot;
	unsigned leaf_max;
};

static inline bool leaf_fits(const struct mapping *m, va_t va, va_t next, unsigned level)
{
	return level <= m->leaf_max && next - va == pt_size(level) &&
	       !((va | (va + m->delta)) & pt_mask(level));
}

/* The first address not done: the end, or, with *err, where it stopped. */
static va_t map_pte_range(struct mapping *m, pmd_t *pmd, va_t va, va_t end, int *err)
{
	pte_t *first = pte_offset(pmd, pmd_get(pmd), va), *pte = first;
	pte_t entry = mk_pte(PA(va + m->delta), m->prot);

	do {
		if (!pte_none(pte_get(pte))) {
			*err = -EEXIST;
			break;
		}
		set_pte(pte, entry);
		entry = pte_next(entry);
	} while (pte++, va += PAGE_SIZE, va != end);
	book(pte_ptp(first), ptp_index(pte_ptp(pte - 1)), (int)(pte - first));
	return va;
}

static va_t map_pmd_range(struct mapping *m, pud_t *pud, va_t va, va_t end, int *err)
{
	pmd_t *first = pmd_offset(pud, pud_get(pud), va), *pmd = first;
	int count = 0;
	va_t next;

	do {
		next = pmd_addr_end(va, end);
		if (leaf_fits(m, va, next, 1) && pmd_none(pmd_get(pmd))) {
			set_pmd(pmd, mk_pmd(PA(va + m->delta), m->prot));
			count++;
			continue;
		}
		if (!pmd_table(pmd_get(pmd)) || !pmd_write(pmd_get(pmd)))
			*err = make_table(m->root, pmd_ptp(pmd), va);
		if (!*err)
			next = map_pte_range(m, pmd, va, next, err);
		else
			next = va;
	} while (!*err && (pmd++, va = next, va != end));
	book(pmd_ptp(first), ptp_index(pmd_ptp(pmd - 1)), count);
	return next;
}

static va_t map_pud_range(struct mapping *m, p4d_t *p4d, va_t va, va_t end, int *err)
{
	pud_t *pud = pud_offset(p4d, p4d_get(p4d), va);
	va_t next;

	do {
		next = pud_addr_end(va, end);
		if (leaf_fits(m, va, next, 2) && pud_none(pud_get(pud))) {
			set_pud(pud, mk_pud(PA(va + m->delta), m->prot));
			book(pud_ptp(pud), ptp_index(pud_ptp(pud)), 1);
			continue;
		}
		if (!pud_table(pud_get(pud)) || !pud_write(pud_get(pud)))
			*err = make_table(m->root, pud_ptp(pud), va);
		next = *err ? va : map_pmd_range(m, pud, va, next, err);
	} while (!*err && (pud++, va = next, va != end));
	return next;
}

static va_t map_p4d_range(struct mapping *m, pgd_t *pgd, va_t va, va_t end, int *err)
{
	p4d_t *p4d = p4d_offset(pgd, pgd_get(pgd), va);
	va_t next;

	do {
		next = p4d_addr_end(va, end);
		if (!p4d_table(p4d_get(p4d)) || !p4d_write(p4d_get(p4d)))
			*err = make_table(m->root, p4d_ptp(p4d), va);
		next = *err ? va : map_pud_range(m, p4d, va, next, err);
	} while (!*err && (p4d++, va = next, va != end));
	return next;
}

static va_t map_pgd_range(struct mapping *m, va_t va, va_t end, int *err)
{
	pgd_t *pgd = pgd_offset(m->root, va);
	va_t next;

	if (pgd_folded)
		return map_p4d_range(m, pgd, va, end, err);
	do {
		next = pgd_addr_end(va, end);
		if (!pgd_table(pgd_get(pgd)) || !pgd_write(pgd_get(pgd)))
			*err = make_table(m->root, pgd_ptp(pgd), va);
		next = *err ? va : map_p4d_range(m, pgd, va, next, err);
	} while (!*err && (pgd++, va = next, va != end));
	return next;
}

static int folded_unmap(const struct pt_root *root, va_t va, va_t end, struct pt_drop *drop,
			struct pt_batch *batch);

static int folded_map(const struct pt_root *root, va_t va, pa_t pa, uint64_t bytes, pt_attr_t attr,
		      struct pt_batch *batch)
{
	unsigned leaf_max = root->leaf_level_max;
	struct mapping m = { root, pa.value - va, folded_prot(attr), leaf_max };
	uint64_t limit = pt_pa_limit();
	int err = 0;
	va_t done;

	folded_prepare();
	if (m.leaf_max > arch_mmu.leaf_level_max)
		m.leaf_max = arch_mmu.leaf_level_max;
	if ((attr & ~PT_ATTR_KNOWN) || ((pa.value | va | bytes) & (PAGE_SIZE - 1)) || !bytes)
		return -EINVAL;
	if (bytes - 1 > limit - 1 || pa.value > limit - bytes)
		return -EINVAL;
	if (!pt_root_covers(root, va, va + bytes - 1))
		return -ERANGE;
	done = map_pgd_range(&m, va, va + bytes, &err);
	if (err && done > va)
		folded_unmap(root, va, done, NULL, batch);
	return err;
}

/* ---- Unmap. ---- */

struct unmapping {
	const struct pt_root *root;
	struct pt_drop *drop;
	struct pt_batch *batch;
};

static void unmap_pte_range(struct unmapping *u, pmd_t *pmd, va_t va, va_t end)
{
	pte_t *first = pte_offset(pmd, pmd_get(pmd), va), *pte = first;
	int count = 0;

	do {
		pte_t old;

		if (pte_none(pte_get(pte)))
			continue;
		old = pte_get_and_clear(pte);
		count--;
		if (u->drop)
			u->drop->drop(u->drop, va, pte_ptv(old));
	} while (pte++, va += PAGE_SIZE, va != end);
	book(pte_ptp(first), ptp_index(pte_ptp(pte - 1)), count);
}

static int unmap_pmd_range(struct unmapping *u, pud_t *pud, va_t va, va_t end)
{
	pmd_t *first = pmd_offset(pud, pud_get(pud), va), *pmd = first;
	int count = 0, err = 0;
	va_t next;

	do {
		pmd_t v = pmd_get(pmd);

		next = pmd_addr_end(va, end);
		if (pmd_none(v))
			continue;
		if (pmd_table(v) && pmd_write(v)) {
			unmap_pte_range(u, pmd, va, next);
			free_if_empty(u->root, pmd_ptp(pmd), u->batch);
		} else if (!pmd_table(v) && pmd_known(v) && next - va == pt_size(1)) {
			v = pmd_get_and_clear(pmd);
			count--;
			if (u->drop)
				u->drop->drop(u->drop, va, pmd_ptv(v));
		} else {
			err = mend_entry(u->root, pmd_ptp(pmd), va);
			pmd--;
			next = va;
		}
	} while (!err && (pmd++, va = next, va != end));
	book(pmd_ptp(first), PT_ENTRY_COUNT - 1, count);
	return err;
}

static int unmap_pud_range(struct unmapping *u, p4d_t *p4d, va_t va, va_t end)
{
	pud_t *pud = pud_offset(p4d, p4d_get(p4d), va);
	int err = 0;
	va_t next;

	do {
		pud_t v = pud_get(pud);

		next = pud_addr_end(va, end);
		if (pud_none(v))
			continue;
		if (pud_table(v) && pud_write(v)) {
			err = unmap_pmd_range(u, pud, va, next);
			free_if_empty(u->root, pud_ptp(pud), u->batch);
		} else if (!pud_table(v) && pud_known(v) && next - va == pt_size(2)) {
			v = pud_get_and_clear(pud);
			book(pud_ptp(pud), ptp_index(pud_ptp(pud)), -1);
			if (u->drop)
				u->drop->drop(u->drop, va, pud_ptv(v));
		} else {
			err = mend_entry(u->root, pud_ptp(pud), va);
			pud--;
			next = va;
		}
	} while (!err && (pud++, va = next, va != end));
	return err;
}

static int unmap_p4d_range(struct unmapping *u, pgd_t *pgd, va_t va, va_t end)
{
	p4d_t *p4d = p4d_offset(pgd, pgd_get(pgd), va);
	int err = 0;
	va_t next;

	do {
		p4d_t v = p4d_get(p4d);

		next = p4d_addr_end(va, end);
		if (p4d_none(v))
			continue;
		if (!p4d_table(v) || !p4d_write(v))
			err = mend_entry(u->root, p4d_ptp(p4d), va);
		if (err || p4d_none(p4d_get(p4d)))
			continue;
		err = unmap_pud_range(u, p4d, va, next);
		free_if_empty(u->root, p4d_ptp(p4d), u->batch);
	} while (!err && (p4d++, va = next, va != end));
	return err;
}

static int unmap_pgd_range(struct unmapping *u, va_t va, va_t end)
{
	pgd_t *pgd = pgd_offset(u->root, va);
	int err = 0;
	va_t next;

	if (pgd_folded)
		return unmap_p4d_range(u, pgd, va, end);
	do {
		pgd_t v = pgd_get(pgd);

		next = pgd_addr_end(va, end);
		if (pgd_none(v))
			continue;
		if (!pgd_table(v) || !pgd_write(v))
			err = mend_entry(u->root, pgd_ptp(pgd), va);
		if (err || pgd_none(pgd_get(pgd)))
			continue;
		err = unmap_p4d_range(u, pgd, va, next);
		free_if_empty(u->root, pgd_ptp(pgd), u->batch);
	} while (!err && (pgd++, va = next, va != end));
	return err;
}

static int folded_unmap(const struct pt_root *root, va_t va, va_t end, struct pt_drop *drop,
			struct pt_batch *batch)
{
	struct unmapping u = { root, drop, batch };
	int err = 0;

	folded_prepare();
	if (((va | end) & (PAGE_SIZE - 1)) || va == end)
		return -EINVAL;
	if (!pt_root_covers(root, va, end - 1))
		return -ERANGE;
	if (end <= root->last && (va ^ (end - 1)) >> pt_shift(1))
		err = pt_cut(root, end);
	return err ? err : unmap_pgd_range(&u, va, end);
}

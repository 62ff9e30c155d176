/*
 * The lock checker, see lock_check.h. Test builds only.
 *
 * A rule is checked before anything is touched, so that a bug that was expected leaves no trace.
 * Interrupts are disabled while a context's list changes: handlers use the list of the thread that
 * they interrupt, and leave it as it was.
 */
#include <lib/lock_check.h>
#include <lib/preempt.h>
#include <lib/printk.h>
#include <lib/rwlock.h>
#include <lib/spinlock.h>

#if PTOLEMY_TEST

#define LOCK_ORDER_NAME(name, flags) #name,
static const char *const class_name[] = { "undeclared", LOCK_ORDER(LOCK_ORDER_NAME) };
#define LOCK_ORDER_FLAGS(name, flags) flags,
static const uint8_t class_flags[] = { 0, LOCK_ORDER(LOCK_ORDER_FLAGS) };
_Static_assert(ARRAY_SIZE(class_name) == LOCK_CLASS_COUNT, "a name for each");

static const char *const mode_name[] = {
	[LOCK_SPIN] = "spin",
	[LOCK_WORD] = "word",
	[LOCK_READ] = "read",
	[LOCK_WRITE] = "write",
};

static void print_lock(const struct lock_held *h, const char *what, const char *prefix)
{
	printk("%s%s %s (%s, nesting %u) at %p, %s:%d\n", prefix, what, class_name[h->class],
	       mode_name[h->mode], h->nesting, h->lock, h->site->file, h->site->line);
}

void lock_print_held(const struct context *context, const char *prefix)
{
	unsigned count = READ_ONCE(context->held_count);

	for (unsigned i = 0; i < count && i < ARRAY_SIZE(context->held); i++)
		print_lock(&context->held[i], "holds", prefix);
	for (unsigned i = 0; i < ARRAY_SIZE(context->wanted); i++)
		if (READ_ONCE(context->wanted[i].lock))
			print_lock(&context->wanted[i], "waits for", prefix);
}

static void lock_bug(const char *what, const void *lock, enum lock_class class,
		     const struct lock_site *site)
{
	if (!cpu_local()->context->bug_expected) {
		printk("lock %s at %p: %s\n", class_name[class], lock, what);
		lock_print_held(cpu_local()->context, "  ");
	}
	assert_failed(site->file, site->line, what, (uint64_t)lock, class);
}

/* Where the code that runs notes what it waits for. */
static struct lock_held *this_wanted(struct context *c)
{
	return &c->wanted[cpu_local()->irq_depth > 0];
}

static uint64_t *this_wait_start(struct context *c)
{
	return &c->wait_start[cpu_local()->irq_depth > 0];
}

static struct lock_held *find_held(struct context *c, const void *lock)
{
	for (unsigned i = c->held_count; i--;)
		if (c->held[i].lock == lock)
			return &c->held[i];
	return NULL;
}

bool lock_is_held(const void *lock)
{
	uint64_t flags = arch_irq_save();
	bool held = find_held(cpu_local()->context, lock) != NULL;

	arch_irq_restore(flags);
	return held;
}

/* ---- The rules. ---- */

static const char *check_context(enum lock_class class)
{
	unsigned flags = class_flags[class];
	unsigned room = LOCK_HELD_MAX + (flags & LOCK_FLAG_IRQ ? LOCK_HELD_IRQ : 0);

	if (class == LOCK_UNDECLARED)
		return "the lock has no class";
	if (cpu_local()->context->held_count >= room)
		return "more locks are held than can be kept in mind";
	if (flags & LOCK_FLAG_SLEEP)
		return NULL; /* might_sleep looks at it */
	if ((flags & LOCK_FLAG_IRQ) && arch_irq_enabled())
		return "interrupts are enabled, and interrupt handlers take this lock";
	if (!(flags & LOCK_FLAG_IRQ) && cpu_local()->irq_depth)
		return "an interrupt handler takes a lock that is not for it";
	return NULL;
}

/* Is `class` at `nesting` allowed inside the lock that is held? */
static bool is_in_order(const struct lock_held *h, enum lock_class class, unsigned nesting)
{
	return h->class < class || (h->class == class && h->nesting < nesting);
}

static const char *check_order(struct context *c, const void *lock, enum lock_class class,
			       unsigned nesting)
{
	if (find_held(c, lock))
		return "the caller holds the lock already";
	for (unsigned i = 0; i < c->held_count; i++)
		if (!is_in_order(&c->held[i], class, nesting))
			return "wrong order: a lock that comes later in the order is held";
	return NULL;
}

void lock_check_context(void *lock, enum lock_class class, const struct lock_site *site)
{
	const char *wrong = check_context(class);

	if (wrong)
		lock_bug(wrong, lock, class, site);
}

void lock_check_want(void *lock, enum lock_class class, unsigned nesting, enum lock_mode mode,
		     const struct lock_site *site)
{
	uint64_t flags;
	const char *wrong;

	lock_check_context(lock, class, site);
	flags = arch_irq_save();

	struct context *c = cpu_local()->context;

	*this_wait_start(c) = 0;
	wrong = check_order(c, lock, class, nesting);
	if (!wrong)
		*this_wanted(c) = (struct lock_held){ lock, site, class, (uint8_t)nesting, mode };
	arch_irq_restore(flags);
	if (wrong)
		lock_bug(wrong, lock, class, site);
}

/* ---- Statistics: each CPU's own, written with interrupts disabled. ---- */

static struct lock_stats stats[CPU_MAX][LOCK_CLASS_COUNT];

void lock_check_waits(void)
{
	uint64_t flags = arch_irq_save();
	uint64_t *start = this_wait_start(cpu_local()->context);

	if (!*start)
		*start = arch_read_tsc();
	arch_irq_restore(flags);
}

static void count_taken(struct context *c, enum lock_class class)
{
	struct lock_stats *s = &stats[cpu_index()][class];
	uint64_t *start = this_wait_start(c);
	uint64_t waited = *start ? arch_read_tsc() - *start : 0;

	s->taken++;
	s->contended += *start != 0;
	if (waited > s->longest)
		s->longest = waited;
	*start = 0;
}

bool lock_get_stats(enum lock_class class, struct lock_stats *sum)
{
	*sum = (struct lock_stats){ .taken = 0 };
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		const struct lock_stats *s = &stats[cpu][class];

		sum->taken += s->taken;
		sum->contended += s->contended;
		sum->longest = s->longest > sum->longest ? s->longest : sum->longest;
	}
	return true;
}

void lock_check_taken(void *lock, enum lock_class class, unsigned nesting, enum lock_mode mode,
		      const struct lock_site *site)
{
	uint64_t flags = arch_irq_save();
	struct context *c = cpu_local()->context;

	this_wanted(c)->lock = NULL;
	count_taken(c, class);
	c->taken_count[class]++;
	c->held[c->held_count++] = (struct lock_held){ lock, site, class, (uint8_t)nesting, mode };
	arch_irq_restore(flags);
}

void (*lock_check_released)(void *lock, enum lock_class class, const struct lock_site *site);

void lock_check_release(void *lock, enum lock_class class, enum lock_mode mode,
			const struct lock_site *site)
{
	uint64_t flags = arch_irq_save();
	struct context *c = cpu_local()->context;
	struct lock_held *h = find_held(c, lock);
	bool right = h && h->mode == mode;

	if (right) {
		for (c->held_count--; h < &c->held[c->held_count]; h++)
			h[0] = h[1];
	}
	arch_irq_restore(flags);
	if (!right)
		lock_bug("the caller does not hold the lock", lock, class, site);
	else if (UNLIKELY(lock_check_released))
		lock_check_released(lock, class, site);
}

/* ---- Abandoning. ---- */

static void release_one(const struct lock_held *h)
{
	switch ((enum lock_mode)h->mode) {
	case LOCK_SPIN:
		spin_unlock_at(h->lock, h->site);
		break;
	case LOCK_WORD:
		spin_unlock_word_at(h->lock, h->class, h->site);
		break;
	case LOCK_READ:
		rw_read_unlock_at(h->lock, h->site);
		break;
	case LOCK_WRITE:
		rw_write_unlock_at(h->lock, h->site);
		break;
	}
}

void lock_release_abandoned(unsigned count)
{
	struct context *c = cpu_local()->context;

	this_wanted(c)->lock = NULL;
	while (c->held_count > count) {
		struct lock_held last = c->held[c->held_count - 1];

		release_one(&last);
	}
}

#endif

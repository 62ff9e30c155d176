/*
 * The protocol of kernel/mm/notifier.h, as notifier.c and mirror.c follow it, for Spin.
 *
 * A space of PAGES pages, OPERATIONS threads that run sections on it, one that copies on write, one
 * that destroys it, and one driver that makes a mirror at any moment, LIVES times, faults its pages
 * in and destroys it. The device is the worst one possible: it has read an entry the moment it is
 * there, and forgets it only when it is flushed. One `atomic` is one critical section of the
 * notifier's lock, or one step under the locks of the space; m_locked is the mirror's own lock,
 * which is held longer.
 *
 * A translation stands for its rights, too: one that is taken back is like one that is removed.
 *
 * Safety, as assertions:
 *   CLOSED   no entry is established for what a section that has told everybody removes, and
 *            none is there when it ends
 *   SUBSET   an entry is the space's, if no event that has to do with its page is under way
 *   FREED    no frame that is freed can be reached by the device or through the mirror
 *   ALIVE    nobody calls a mirror that is gone, or asks a space that is gone
 * and that nobody waits for ever (no invalid end state). Progress, as the formula `progress`:
 * everybody gets done, however the threads are scheduled, if none of them is left out for ever.
 *
 * Each WITHOUT_* leaves a rule out, and Spin must find the error. tests/spin/run does all this.
 */
#define PAGES 2
#define FRAMES 3
#define RECENT 1 /* NOTIFIER_RECENT */
#ifndef OPERATIONS
#define OPERATIONS 2
#endif
#ifndef LIVES
#define LIVES 2
#endif
#define ALL ((1 << PAGES) - 1)

/* A page is a bit of a mask, a range a mask; a frame is a number from 1, 0 is none. */
byte space[PAGES];
bool in_use[FRAMES + 1];
bool space_alive = true;

/* struct notifier */
byte sequence;
byte recent[RECENT];
byte section[OPERATIONS]; /* the ranges of the open sections */
#ifdef WITHOUT_REGISTRATION_RULE
bool late[OPERATIONS]; /* opened before the mirror was registered */
#endif
bool told[OPERATIONS];    /* its start has returned */
byte moving;              /* pages with a page event under way */
byte cover;               /* pages that readers have been at, exactly */
bool registered, released;
byte calling; /* callbacks under way */

/* struct mirror, and the device */
bool m_alive, m_locked, m_space;
byte user_count;
byte mirror[PAGES], device[PAGES];

bool exit_or_destroy; /* one of the two at a time: see notifier_unregister */
byte operations_left = OPERATIONS + 1;
byte threads_left = OPERATIONS + 3;

#define HAS(mask, page) (((mask) >> (page)) & 1)
#define OPEN(page) (HAS(section[0], page) || (OPERATIONS > 1 && HAS(section[OPERATIONS - 1], page)))
#define CLOSED_TO(page) ((told[0] && HAS(section[0], page)) || \
	(OPERATIONS > 1 && told[OPERATIONS - 1] && HAS(section[OPERATIONS - 1], page)))

/* ---- The space: under its own locks. ---- */

inline frame_take(page)
{
	if
	:: !in_use[1] -> in_use[1] = true; space[page] = 1
	:: !in_use[2] -> in_use[2] = true; space[page] = 2
	:: !in_use[3] -> in_use[3] = true; space[page] = 3
	:: else
	fi
}

inline frame_put(frame)
{
	assert(mirror[0] != frame && mirror[1] != frame); /* FREED */
	assert(device[0] != frame && device[1] != frame); /* FREED */
	in_use[frame] = false
}

/* ---- The notifier. ---- */

inline notifier_advance(mask)
{
	sequence++;
	recent[sequence % RECENT] = mask
}

/* Tell the subscriber, if readers have been there, and if there is one when the walk comes by. */
inline notifier_invalidate(mask, told_it)
{
	atomic {
		told_it = told_it && registered;
		calling = calling + told_it
	};
	if
	:: told_it ->
		mirror_invalidate(mask);
		atomic { calling--; told_it = false }
	:: else
	fi
}

inline notifier_read_retry(seq, page, retry)
{
#ifndef WITHOUT_COVER
	cover = cover | (1 << page);
#endif
	retry = released;
#ifndef WITHOUT_AGE
	retry = retry || sequence - seq > RECENT;
#endif
#ifndef WITHOUT_SEQUENCE
	retry = retry || (sequence != seq && HAS(recent[sequence % RECENT], page));
#endif
#ifdef WITHOUT_REGISTRATION_RULE
	/* Only of the sections it has been told of does a mirror know that they are open. */
	retry = retry || (HAS(section[0], page) && !late[0]) ||
		(OPERATIONS > 1 && HAS(section[OPERATIONS - 1], page) && !late[OPERATIONS - 1])
#else
	retry = retry || OPEN(page)
#endif
}

/* ---- The mirror. ---- */

inline mirror_lock()
{
	atomic { !m_locked -> m_locked = true }
}

/* Drop the entries, flush the device; the lock is held. */
inline mirror_drop(mask)
{
	d_step {
		if :: HAS(mask, 0) -> mirror[0] = 0 :: else fi;
		if :: HAS(mask, 1) -> mirror[1] = 0 :: else fi
	};
#ifndef WITHOUT_DEVICE_FLUSH
	d_step {
		if :: HAS(mask, 0) -> device[0] = 0 :: else fi;
		if :: HAS(mask, 1) -> device[1] = 0 :: else fi
	}
#endif
}

inline mirror_invalidate(mask)
{
	assert(m_alive); /* ALIVE */
#ifdef WITHOUT_MIRROR_LOCK
	skip;
#else
	mirror_lock();
#endif
	mirror_drop(mask);
#ifndef WITHOUT_MIRROR_LOCK
	m_locked = false
#endif
}

/* ---- Operations that take translations away. ---- */

/* space_unmap and its like: sections nest, overlap and repeat as the threads have it. */
proctype operation(byte me)
{
	byte mask, old[PAGES];
	bool flag;

	atomic {
		if :: me == 0 -> mask = ALL :: me == 1 -> mask = ALL :: me == 1 -> mask = 1 fi;
#ifdef WITHOUT_REGISTRATION_RULE
		late[me] = !registered;
#endif
		flag = (cover & mask) != 0;
#ifdef WITHOUT_COVER_ORDER
	};
	atomic {
#endif
		section[me] = mask
	};
	notifier_invalidate(mask, flag);
	if
	:: skip /* somebody else refused: it is unwound, nothing has changed */
	:: d_step {
		told[me] = true;
		assert(!HAS(mask, 0) || (!mirror[0] && !device[0])); /* CLOSED */
		assert(!HAS(mask, 1) || (!mirror[1] && !device[1])) /* CLOSED */
	   };
	   d_step {
		if :: HAS(mask, 0) -> old[0] = space[0]; space[0] = 0 :: else fi;
		if :: HAS(mask, 1) -> old[1] = space[1]; space[1] = 0 :: else fi
	   };
	   d_step {
		if :: old[0] -> frame_put(old[0]); old[0] = 0 :: else fi;
		if :: old[1] -> frame_put(old[1]); old[1] = 0 :: else fi
	   }
	fi;
	d_step {
		assert(!told[me] || !HAS(mask, 0) || !mirror[0]); /* CLOSED */
		assert(!told[me] || !HAS(mask, 1) || !mirror[1]); /* CLOSED */
#ifndef WITHOUT_ADVANCE
		notifier_advance(mask);
#endif
		section[me] = 0;
		told[me] = false;
		mask = 0;
		operations_left--;
		threads_left--
	}
}

/* A write fault that copies page 0: a page event, no section. */
proctype copy_on_write()
{
	byte old;
	bool flag;

	atomic {
		old = space[0];
		if
		:: old -> frame_take(0)
		:: else
		fi;
		if
		:: old == space[0] -> old = 0 /* no memory, or no page */
		:: else -> moving = 1
		fi
	};
	if
	:: old ->
#ifdef WITHOUT_PAGE_ADVANCE
		skip;
#else
		d_step { notifier_advance(1) };
#endif
		flag = cover & 1;
		notifier_invalidate(1, flag);
		d_step { frame_put(old); old = 0; moving = 0 }
	:: else
	fi;
	d_step { operations_left--; threads_left-- }
}

/* notifier_release, and the end of the space. */
proctype space_destroy()
{
	bool flag;

	/* Who destroys a space sees to it that no operation and no unregister is under way. */
	atomic {
		!operations_left && !exit_or_destroy -> exit_or_destroy = true;
		released = true;
		notifier_advance(ALL)
	};
	atomic { flag = registered; registered = false; cover = 0 };
	if
	:: flag ->
		mirror_invalidate(ALL);
		m_space = false;
#ifndef WITHOUT_USER_COUNT
		user_count == 0
#endif
	:: else
	fi;
	d_step {
		space_alive = false;
		if :: space[0] -> frame_put(space[0]); space[0] = 0 :: else fi;
		if :: space[1] -> frame_put(space[1]); space[1] = 0 :: else fi;
		exit_or_destroy = false;
		flag = false;
		threads_left--
	}
}

/* ---- Who uses the mirror. ---- */

/* mirror_fault of one page: the reader pattern. */
inline mirror_fault(page, seq, frame, retry)
{
	atomic { user = m_space; user_count = user_count + user };
	do
	:: !user -> break
	:: user ->
		seq = sequence;
		atomic {
			assert(space_alive); /* ALIVE */
			frame = space[page];
			if
			:: !frame -> frame_take(page); frame = space[page]; retry = frame
			:: else
			fi
		};
		if
		:: retry -> retry = false; frame = 0 /* faulted in: look again */
		:: !retry && !frame -> break         /* no memory */
		:: !retry && frame ->
			mirror_lock();
			d_step { notifier_read_retry(seq, page, retry) };
#ifdef WITHOUT_RETRY
			retry = false;
#endif
			if
			:: retry -> /* mirror_try_again: -ENOENT, -EAGAIN, or at once */
				atomic { m_locked = false; retry = false; frame = 0 };
#ifndef WITHOUT_GIVING_UP
				if
				:: released || OPEN(page) -> break
				:: else
				fi
#endif
			:: else ->
				d_step {
					assert(!CLOSED_TO(page)); /* CLOSED */
					assert(OPEN(page) || HAS(moving, page) ||
					       frame == space[page]); /* SUBSET */
					mirror[page] = frame;
					if
					:: !device[page] -> device[page] = frame
					:: else
					fi
				};
				m_locked = false;
				break
			fi
		fi
	od;
	atomic { user_count = user_count - user; user = false; frame = 0; seq = 0; retry = false }
}

/* What is mapped must go while the mirror still hears of what the space frees. */
inline mirror_destroy()
{
#ifndef WITHOUT_DROP_FIRST
	mirror_lock();
	mirror_drop(ALL);
	m_locked = false;
#endif
	atomic { !exit_or_destroy -> exit_or_destroy = true };
	d_step { registered = false; cover = 0 };
#ifndef WITHOUT_UNREGISTER_WAIT
	calling == 0;
#endif
#ifdef WITHOUT_DROP_FIRST
	mirror_lock();
	mirror_drop(ALL);
	m_locked = false;
#endif
	d_step { m_alive = false; m_space = false; exit_or_destroy = false }
}

proctype driver()
{
	byte seq, frame, life;
	bool retry, user;

	do
	:: life == LIVES -> break
	:: life < LIVES ->
		life++;
		atomic {
			if
			:: !released -> m_alive = true; m_space = true; registered = true
			:: else -> break
			fi
		};
		mirror_fault(0, seq, frame, retry);
		mirror_fault(1, seq, frame, retry);
		mirror_destroy()
	od;
	threads_left--
}

init {
	atomic {
		/* Page 0 is there, page 1 is not yet. */
		space[0] = 1;
		in_use[1] = true;
		run operation(0);
		if :: OPERATIONS > 1 -> run operation(1) :: else fi;
		run copy_on_write();
		run space_destroy();
		run driver()
	}
}

ltl progress { <> (threads_left == 0) }

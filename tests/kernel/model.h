/*
 * What a family of spaces is, as a plain ordered map: the specification of every operation.
 *
 * A space is a sorted array of areas and a sorted array of the pages in them that somebody has
 * touched, with what each holds. Nothing here knows of tables, levels, frames or edges, and no line
 * of it is the implementation's; numbers are pages. An operation returns what the implementation
 * must return, and changes the map as the implementation must change the space.
 *
 * Invariants: arrays are sorted and do not overlap; a touched page lies in an area.
 * No locking, no memory but its own.
 */
#pragma once

#include <lib/compiler.h>

#define MODEL_SPACES 4
#define MODEL_AREAS 24
#define MODEL_PAGES 24
#define MODEL_OBJECTS 64

#define MODEL_R 1u
#define MODEL_W 2u

enum model_flag {
	MODEL_PLAIN = 0,
	MODEL_SHARED = 1, /* a fork sees the same pages */
	MODEL_NOFORK = 2, /* a fork does not have it */
	MODEL_HUGE = 4,   /* may be served in large pieces: then a page may be there untouched */
};

/* What is known of where a page's content is. */
enum model_where {
	MODEL_ABSENT, /* nobody has touched it: zero */
	MODEL_ZERO,   /* only read so far */
	MODEL_IN,     /* memory of its own */
	MODEL_OUT,    /* swapped out */
	MODEL_MAYBE,  /* any of these */
};

struct model_area {
	uint64_t first, last;
	unsigned flags, rights;
	unsigned object; /* MODEL_SHARED: whose pages, from `base` on */
	uint64_t base;   /* of first */
};

/* A touched page: of a space, or of an object. */
struct model_page {
	uint64_t page, value;
	enum model_where where;
};

struct model_pages {
	unsigned count;
	struct model_page page[MODEL_PAGES];
};

struct model_space {
	bool alive;
	unsigned area_count;
	struct model_area area[MODEL_AREAS];
	struct model_pages own;
};

struct model {
	struct model_space space[MODEL_SPACES];
	unsigned object_count;
	struct model_pages object[MODEL_OBJECTS];
};

void model_reset(struct model *m);

/* Is there room for another operation on this space, whatever it is? (The arrays are finite.) */
bool model_has_room(const struct model *m, unsigned space);

void model_create(struct model *m, unsigned space);
void model_exit(struct model *m, unsigned space);
/* `to` becomes a copy of `from`. */
void model_fork(struct model *m, unsigned from, unsigned to);

/* 0, or the negative error; then nothing has changed. Ranges are inclusive. */
int model_map(struct model *m, unsigned space, uint64_t first, uint64_t last, unsigned flags,
	      unsigned rights);
int model_unmap(struct model *m, unsigned space, uint64_t first, uint64_t last);
int model_protect(struct model *m, unsigned space, uint64_t first, uint64_t last, unsigned rights);

/* The area that holds the page, or NULL. */
const struct model_area *model_area(const struct model *m, unsigned space, uint64_t page);
/* May the page be accessed so? May every page of the range? */
bool model_may(const struct model *m, unsigned space, uint64_t page, unsigned access);
bool model_may_all(const struct model *m, unsigned space, uint64_t first, uint64_t last,
		   unsigned access);
/* What a read that is allowed gives. */
uint64_t model_value(const struct model *m, unsigned space, uint64_t page);

/* A page was accessed, by whomever: it is there now. Writing sets what it holds. */
void model_touch(struct model *m, unsigned space, uint64_t page);
void model_write(struct model *m, unsigned space, uint64_t page, uint64_t value);

/* What is known of the page. */
enum model_where model_where(const struct model *m, unsigned space, uint64_t page);
/* The page went out; or nobody knows where it is now. */
void model_swap_out(struct model *m, unsigned space, uint64_t page);
void model_forget(struct model *m, unsigned space, uint64_t page);

/*
 * What tests of mirrors begin with: a space with one area at RIG_BASE, a software device, and the
 * device's mirror of the space.
 */
#pragma once

#include <mm/space.h>
#include <tests/kernel/soft_device.h>
#include <tests/kernel/touch.h>

#define RIG_BASE 0x10000000000ull
#define RIG_TOP_LEVEL 3
#define PAGES(n) ((n)*PAGE_SIZE)
#define RIG_PAGE(n) (RIG_BASE + PAGES(n))
#define RW (PT_R | PT_W)

struct rig {
	struct space *space;
	struct soft_device dev;
	struct mirror *m;
};

/* An anonymous area of `pages` pages at RIG_BASE, none of them touched. */
void rig_open(struct rig *r, uint64_t pages, unsigned flags);
/* The same with every page written: its number, from 1. */
void rig_open_written(struct rig *r, uint64_t pages, unsigned flags);
/* A device with a mirror of an existing space. */
void rig_attach(struct rig *r, struct space *space, bool tracks);
/* Check with the oracle, then take everything down. */
void rig_close(struct rig *r);
void rig_detach(struct rig *r);

void rig_add_area(struct space *s, va_t start, uint64_t pages, unsigned flags);

/* Leaves that the mirror holds at a level; tables of all levels. */
uint64_t rig_leaves(struct rig *r, unsigned level);
uint64_t rig_tables(struct rig *r);
/* What the mirror grants at va: 0 if nothing. */
pt_attr_t rig_rights(struct rig *r, va_t va);

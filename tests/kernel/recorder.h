/*
 * A subscriber that writes down what it is told and can be made to refuse, or to do something in
 * the middle of a call.
 */
#pragma once

#include <mm/notifier.h>

#define RECORDER_MAX 64

struct recorder {
	struct subscriber subscriber;
	bool refuse; /* unless the caller may block */
	bool young;
	void (*hook)(struct recorder *r); /* called inside invalidate */
	struct recorder *other;           /* for the hook */
	unsigned count, release_count, young_count;
	struct recorded {
		va_t start, end;
		enum notify_why why;
	} event[RECORDER_MAX];
};

/* Set up and register; r->subscriber.ops can be changed in between by hand. */
void recorder_init(struct recorder *r);
int recorder_register(struct recorder *r, struct notifier *n);

/* Was call number i this one? */
bool recorder_saw(const struct recorder *r, unsigned i, va_t start, va_t end, enum notify_why why);

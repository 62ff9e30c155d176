/*
 * Test results for somebody who has just booted: a dot a suite, what failed in full, and the sum.
 *
 * The runner prints what it always prints; the console in front of the serial line lets through
 * what matters. Locking: one run at a time. Talks to: tests/kernel/runner, dev/serial.
 */
#pragma once

#include <tests/kernel/test.h>

/* test_run, condensed. A panic shows all that was held back. */
struct test_result digest_run_tests(const char *globs);

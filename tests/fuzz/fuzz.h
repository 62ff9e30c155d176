/*
 * Fuzz targets: an input is bytes, and nothing that they make the code under test do may be a bug.
 *
 * Each target is a program of libFuzzer's around the host's fake machine (tests/host), in which the
 * panics and failed assertions of the kernel end the process, as the sanitizers do. What an input
 * has made it takes down again, so that inputs do not depend on each other.
 */
#pragma once

#include <lib/compiler.h>

/* One input; called again and again. */
void fuzz_one(const uint8_t *data, size_t size);

/* Say why, and end the process: libFuzzer keeps the input. */
void fuzz_fail(const char *why) NORETURN;

/* Use `size` bytes of the input as text: a copy with an end, in static memory of `room` bytes. */
const char *fuzz_text(const uint8_t *data, size_t size, char *text, size_t room);

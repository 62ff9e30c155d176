/*
 * QEMU's firmware configuration device: named blobs from the outside, read byte by byte.
 *
 * Locking: boot only. Talks to: arch (port I/O).
 */
#pragma once

#include <lib/compiler.h>

/*
 * Read the file `name`, as much of it as fits, and terminate it with a zero byte.
 *
 * Returns its whole size, which may exceed `size - 1`; -1 if there is no such file or no device.
 */
int64_t fw_cfg_read(const char *name, char *buf, size_t size);

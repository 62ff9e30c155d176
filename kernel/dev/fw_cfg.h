/*
 * QEMU's firmware configuration device: named blobs from the outside, read byte by byte.
 *
 * Locking: boot only. Talks to: arch (port I/O).
 */
#ifndef DEV_FW_CFG_H
#define DEV_FW_CFG_H

#include <lib/compiler.h>

/*
 * Read the file `name`, as much of it as fits, and terminate it with a zero byte.
 *
 * Returns its whole size, which may exceed `size - 1`; -1 if there is no such file or no device.
 */
int64_t fw_cfg_read(const char *name, char *buf, size_t size);

#endif

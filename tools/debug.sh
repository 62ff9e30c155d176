#!/bin/sh
# Start QEMU halted, in the background of this terminal's gdb:  tools/debug.sh QEMU-COMMAND...
# QEMU's serial line goes to $BUILD/debug.log; it ends with gdb.
set -eu

port=${GDB_PORT:-1234}
log=$BUILD/debug.log
"$@" -serial "file:$log" -monitor none -S -gdb "tcp:127.0.0.1:$port" < /dev/null &
qemu=$!
trap 'kill $qemu 2> /dev/null || true' EXIT
echo "serial line: $log; stops before the switch to long mode, and behind it; help user-defined"
# GDBFLAGS is a list of words.
# shellcheck disable=SC2086
gdb -q "$BUILD/kernel.elf" -x tools/gdb/ptolemy.py -ex "target remote 127.0.0.1:$port" \
	-ex "hbreak boot_switch" -ex "hbreak kernel_main" ${GDBFLAGS:-}

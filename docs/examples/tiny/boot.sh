#!/bin/sh
# Boot the kernel and print what it says, in KTAP. Exit status 0 if it came to its end and all was
# well.
set -u
timeout "${DEADLINE:-60}" "${QEMU:-qemu-system-x86_64}" -machine q35 -accel tcg -cpu max -m 64M \
	-kernel "$1" -nic none -display none -no-reboot -serial stdio -monitor none \
	-device isa-debug-exit,iobase=0xf4,iosize=0x04 < /dev/null
[ $? = 33 ]

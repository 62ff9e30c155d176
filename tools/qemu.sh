#!/bin/sh
# The one place that knows the machine. Boots an image in QEMU as the variables of `make help` say:
#   tools/qemu.sh IMAGE [further QEMU arguments: where the serial line goes, ...]
# A reboot ends QEMU (a triple fault would otherwise loop in silence).
set -eu

image=$1
shift

# UEFI firmware by distribution: Debian and Ubuntu, Fedora, Arch, Homebrew.
find_uefi() {
	for file in ${OVMF:-} /usr/share/ovmf/OVMF.fd /usr/share/edk2/ovmf/OVMF.fd \
		/usr/share/edk2/ovmf/OVMF_CODE.fd \
		/usr/share/edk2/x64/OVMF.4m.fd /usr/share/edk2-ovmf/x64/OVMF.fd \
		/opt/homebrew/share/qemu/edk2-x86_64-code.fd; do
		[ ! -f "$file" ] || { echo "$file"; return; }
	done
	echo "no UEFI firmware found (package ovmf); OVMF=file names one" >&2
	return 1
}

case ${FIRMWARE:=bios} in
bios) ;;
uefi) uefi=$(find_uefi) && set -- -bios "$uefi" "$@" ;;
*) echo "FIRMWARE=$FIRMWARE: bios or uefi" >&2; exit 2 ;;
esac

# A disc, or a floppy disk that the BIOS has in its memory.
case $FIRMWARE-$image in
bios-*.img) set -- -fw_cfg "name=floppyimg/ptolemy,file=$image" -boot a "$@" ;;
*.img) echo "$image: boots by FIRMWARE=bios alone" >&2; exit 2 ;;
*) set -- -cdrom "$image" "$@" ;;
esac

# In QEMU's option syntax a comma is doubled.
options=$(printf %s "${LA57:+la57=$LA57 }${CMDLINE:-}" | sed 's/,/,,/g')
[ -z "$options" ] || set -- -fw_cfg "name=opt/org.ptolemy/cmdline,string=$options" "$@"

# An IOMMU, and two DMA engines behind it, of which one takes its time; IOMMU=no leaves them out.
[ "${IOMMU:-yes}" = no ] || set -- -device intel-iommu,aw-bits=48 \
	-device edu,dma_mask=0xffffffffffffffff \
	-netdev socket,id=nobody,udp=127.0.0.1:9,localaddr=127.0.0.1:0 \
	-device e1000,netdev=nobody,romfile= "$@"

# QEMUFLAGS is a list of words.
# shellcheck disable=SC2086
exec "${QEMU:-qemu-system-x86_64}" -machine q35 -accel "${ACCEL:-tcg}" -cpu "${CPU:-max}" \
	-smp "${SMP:-1}" -m "${MEM:-512M}" -nic none -display none -no-reboot \
	-device isa-debug-exit,iobase=0xf4,iosize=0x04 "$@" ${QEMUFLAGS:-}

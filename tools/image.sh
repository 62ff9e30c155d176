#!/bin/sh
# Make an ISO that GRUB boots by BIOS and by UEFI, the same bytes for the same input:
#   tools/image.sh KERNEL GRUB_CFG ISO
# SOURCE_DATE_EPOCH is every date in it. Works in the folder ISO.d, which it makes anew. If the last
# argument ends in .img, that is to be a floppy disk for BIOS instead: GRUB, and from sector 1024 on the
# kernel.
set -eu

kernel=$1 config=$2 iso=$3
work=$iso.d
modules="normal multiboot2 boot serial terminal terminfo configfile \
	iso9660 fat search search_fs_uuid search_fs_file part_acorn part_amiga part_apple \
	part_bsd part_dfly part_dvh part_gpt part_msdos part_plan part_sun part_sunpc"

# Fedora has its tools under another name.
grub=grub
command -v grub-mkrescue > /dev/null || grub=grub2

$grub-file --is-x86-multiboot2 "$kernel" ||
	{ echo "$kernel: no multiboot2 header that GRUB can find" >&2; exit 1; }

make_floppy() {
	sectors=5760 first=1024 # of 512 bytes
	count=$((($(stat -c %s "$kernel") + 511) / 512))
	[ $((first + count)) -le $sectors ] ||
		{ echo "$iso: no room for a kernel of $count sectors" >&2; exit 1; }
	# The parser that is in GRUB itself knows no menus; what comes behind `boot` is for when that fails.
	cat > "$iso.cfg" <<-EOF
		multiboot2 (fd0)$first+$count
		boot
		serial --unit=0 --speed=115200
		terminal_output serial
		multiboot2 (fd0)$first+$count
		boot
	EOF
	$grub-mkimage -O i386-pc -p "(fd0)" -c "$iso.cfg" -o "$iso.core" \
		biosdisk boot multiboot2 serial terminal
	rm -f "$iso"
	for folder in /usr/lib/grub/i386-pc /usr/lib/grub2/i386-pc; do
		[ ! -f $folder/boot.img ] || cat $folder/boot.img "$iso.core" > "$iso"
	done
	[ -s "$iso" ] || { echo "$iso: GRUB's boot.img is not to be found" >&2; exit 1; }
	truncate -s $((sectors * 512)) "$iso"
	dd if="$kernel" of="$iso" bs=512 seek=$first conv=notrunc status=none
}

case $iso in *.img)
	make_floppy
	exit ;;
esac

rm -rf "$work"
mkdir -p "$work/root/boot/grub" "$work/bin"
cp "$kernel" "$work/root/boot/kernel.elf"
cp "$config" "$work/root/boot/grub/grub.cfg"

# grub-mkrescue gives the EFI partition a random serial number, unless mformat is told one.
cat > "$work/bin/mformat" <<EOF
#!/bin/sh
exec $(command -v mformat) -N 50544f4c "\$@"
EOF
chmod +x "$work/bin/mformat"

date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S00)
PATH="$PWD/$work/bin:$PATH" LC_ALL=C TZ=UTC $grub-mkrescue \
	--locales= --fonts= --themes= --install-modules="$modules" --modification-date="$date" \
	-o "$iso" "$work/root" \
	-- -volid PTOLEMY -volume_date all_file_dates "$date" 2> "$work/log" ||
	{ cat "$work/log" >&2; exit 1; }

# Without grub-pc-bin the result boots by UEFI only, and the reverse; grub-mkrescue says nothing.
for platform in BIOS UEFI; do
	xorriso -indev "$iso" -report_el_torito plain 2> /dev/null |
		grep -q "El Torito boot img : .* $platform " ||
		{ echo "$iso: does not boot by $platform" >&2; rm -f "$iso"; exit 1; }
done

#!/bin/sh
# Make an ISO that GRUB boots by BIOS and by UEFI, the same bytes for the same input:
#   tools/image.sh KERNEL GRUB_CFG ISO
# SOURCE_DATE_EPOCH is every date in it. Works in the folder ISO.d, which it makes anew. If the last
# argument ends in .efi, that is to be a program for UEFI instead, GRUB with all in itself.
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

case $iso in *.efi)
	exec $grub-mkstandalone -O x86_64-efi --locales= --fonts= --themes= \
		--install-modules="$modules memdisk tar" -o "$iso" \
		"boot/kernel.elf=$kernel" "boot/grub/grub.cfg=$config" ;;
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

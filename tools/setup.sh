#!/bin/sh
# See that the tools are there: tools/setup.sh GROUP...
# What is missing is named with its Debian package; on Debian and Ubuntu, as root or with
# password-less sudo, it is installed, unless SETUP=no. CC is the compiler that make will use.
# Exit status 0 if everything is there in the end.
set -u
os_release=${OS_RELEASE:-/etc/os-release}

# group, what to look for (one of some commands, or a file if it begins with /), Debian's package;
# tools/packages has what other distributions call them
tools() {
	cat <<EOF
build ${CC:-gcc} $(case ${CC:-gcc} in *clang*) echo clang ;; *) echo gcc ;; esac)
build ld binutils
build python3 python3
image grub-mkrescue|grub2-mkrescue grub-common
image grub-file|grub2-file grub-common
image /usr/lib/grub/i386-pc/multiboot2.mod grub-pc-bin
image /usr/lib/grub/x86_64-efi/multiboot2.mod grub-efi-amd64-bin
image xorriso xorriso
image mformat mtools
run ${QEMU:-qemu-system-x86_64} qemu-system-x86
run /usr/share/seabios/bios-256k.bin seabios
uefi /usr/share/ovmf/OVMF.fd ovmf
test prove perl
test gcc gcc
test /usr/include/stdio.h libc6-dev
test spin spin
bochs bochs bochs
bochs /usr/share/bochs/BIOS-bochs-latest bochsbios
bochs /usr/share/seabios/vgabios-stdvga.bin seabios
bochs /usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so bochs-term
test clang clang
test $(clang_fuzzer) libclang-rt-$(clang_version)-dev
library pkg-config pkgconf
peer gcc gcc
peer /usr/include/stdio.h libc6-dev
peer dpkg dpkg
debug gdb gdb
picture dot graphviz
report node nodejs
report npm npm
browser chromium|chromium-browser|google-chrome chromium
EOF
}

# Where clang has its fuzzer, and the version of clang, which is part of that package's name.
clang_version() {
	version=$(clang -dumpversion 2> /dev/null || apt-cache depends clang 2> /dev/null |
		sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p')
	version=${version%%.*}
	echo "${version:-14}"
}

clang_fuzzer() {
	found=$(clang -print-file-name=libclang_rt.fuzzer-x86_64.a 2> /dev/null)
	echo "${found:-libclang_rt.fuzzer-x86_64.a}"
}

is_debian() {
	grep -q '^ID.*\(debian\|ubuntu\)' "$os_release" 2> /dev/null && command -v apt-get > /dev/null
}

# Where a file lies is known for Debian only; elsewhere the tool that needs it will say so.
is_there() {
	case $1 in
	/*) [ -e "$1" ] || ! is_debian ;;
	*) echo "$1" | tr '|' '\n' | while read -r command; do command -v "$command"; done | grep -q . ;;
	esac
}

# Lines "tool package" of what the groups need and the machine lacks.
missing() {
	tools | while read -r group tool package; do
		case " $* " in *" $group "*) is_there "$tool" || echo "$tool $package" ;; esac
	done
}

# How to become root here without a question; empty if we are.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		echo env
	elif command -v sudo > /dev/null && sudo -n true 2> /dev/null; then
		echo sudo
	fi
}

install_packages() {
	root=$(as_root)
	is_debian && [ -n "$root" ] || return 1
	echo "setup: installing: $*  (SETUP=no forbids that)"
	log=${TMPDIR:-/tmp}/ptolemy-setup.$$.log
	if { $root apt-get update &&
		$root env DEBIAN_FRONTEND=noninteractive \
			apt-get install -y --no-install-recommends "$@"; } > "$log" 2>&1; then
		rm -f "$log"
	else
		tail -n 20 "$log"
		echo "setup: apt-get failed, see $log"
		return 1
	fi
}

lacking=$(missing "$@")
[ -n "$lacking" ] || exit 0
packages=$(echo "$lacking" | cut -d' ' -f2 | sort -u | tr '\n' ' ')

if [ "${SETUP:-yes}" != no ]; then
	# A list of words.
	# shellcheck disable=SC2086
	install_packages $packages && lacking=$(missing "$@")
	[ -n "$lacking" ] || exit 0
fi

echo "$lacking" | while read -r tool package; do
	echo "setup: missing: $tool  (Debian package $package)"
done
# What this distribution calls all of it: the list's first line says how to install that.
all_packages() {
	for id in $(sed -n 's/^ID\(_LIKE\)\?=//p' "$os_release" 2> /dev/null | tr -d '"'); do
		list=tools/packages/$id.txt
		[ ! -f "$list" ] || { sed -n '1s/^# //p' "$list"; grep -v '^#' "$list"; return; }
	done
	echo "see tools/packages, or use the Dockerfile"
}

if is_debian; then
	echo "setup: on Debian and Ubuntu: apt-get install --no-install-recommends $packages"
else
	echo "setup: all there is to install here:"
	all_packages
fi
exit 1

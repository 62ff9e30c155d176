#!/bin/sh
# Debian's own kernel for virtual machines, as the peer of `make bench-linux`:
#   tools/linux.sh FOLDER        leaves FOLDER/vmlinuz
# Downloaded once by apt-get and unpacked, not installed; nothing else is fetched. SETUP=no forbids it.
set -eu

folder=$1
[ ! -s "$folder/vmlinuz" ] || exit 0

if ! command -v apt-get > /dev/null || [ "${SETUP:-yes}" = no ]; then
	echo "bench-linux: $folder/vmlinuz is missing: an x86-64 kernel with a serial console" >&2
	echo "bench-linux: on Debian: apt-get download linux-image-cloud-amd64's dependency" >&2
	exit 1
fi

# The package of that name only depends on the one for the current version.
find_package() {
	apt-cache depends linux-image-cloud-amd64 2> /dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

package=$(find_package)
if [ -z "$package" ]; then
	apt-get update > /dev/null
	package=$(find_package)
fi
[ -n "$package" ] || { echo "bench-linux: no package linux-image-cloud-amd64" >&2; exit 1; }

mkdir -p "$folder/download"
echo "bench-linux: downloading $package"
(cd "$folder/download" && apt-get -o APT::Sandbox::User=root download "$package" > apt.log 2>&1) ||
	{ cat "$folder/download/apt.log" >&2; exit 1; }
dpkg -x "$folder"/download/"$package"_*.deb "$folder/download/unpacked"
mv "$folder"/download/unpacked/boot/vmlinuz-* "$folder/vmlinuz"
rm -r "$folder/download"

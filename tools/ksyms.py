#!/usr/bin/env python3
"""Make the kernel's table of function names (kernel/lib/ksym.h) out of `nm -n` on stdin.

Usage: nm -n kernel.elf | ksyms.py > ksyms.S
Empty input gives an empty table, for the first of the two link passes.
"""
import sys

HEADER = """/* Made by tools/ksyms.py. */
	.section .rodata.ksym, "a", @progbits
	.globl ksym_table, ksym_count, ksym_names
	.balign 8
"""
FOOTER = '\t.section .note.GNU-stack, "", @progbits\n'


def functions(lines):
    """(offset, name) of the functions in the kernel's text, one per address, in order."""
    symbols = [(int(address, 16), kind, name) for address, kind, name in map(str.split, lines)]
    value = {name: address for address, _, name in symbols}
    found = {}
    for address, kind, name in symbols:
        if kind in "Tt" and value["image_text_start"] <= address < value["image_text_end"]:
            if not name.startswith("image_"):
                found.setdefault(address - value["image_base"], name)
    return sorted(found.items())


def main():
    table, names, at = [], [], 0
    for offset, name in functions(sys.stdin):
        table.append(f"\t.long {offset:#x}, {at}\n")
        names.append(f'\t.asciz "{name}"\n')
        at += len(name) + 1
    sys.stdout.write(HEADER + "ksym_table:\n" + "".join(table)
                     + f"ksym_count:\n\t.long {len(table)}\n"
                     + "ksym_names:\n" + "".join(names) + FOOTER)


main()

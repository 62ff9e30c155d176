"""Physical memory and control registers of the machine that gdb looks at: QEMU, or a dump of it.

A dump is what QEMU's dump-guest-memory writes: an ELF core file whose segments say where they lie
in physical memory, with a note of QEMU's own for each CPU.
"""
import re
import struct

import gdb

CR0_PG, CR4_LA57 = 1 << 31, 1 << 12


class Live:
    """QEMU at the other end of the line."""
    def read(self, pa, count):
        gdb.execute("maintenance packet Qqemu.PhyMemMode:1", to_string=True)
        try:
            return bytes(gdb.selected_inferior().read_memory(pa, count))
        finally:
            gdb.execute("maintenance packet Qqemu.PhyMemMode:0", to_string=True)

    def control(self, number):
        return int(gdb.parse_and_eval(f"$cr{number}")) & (1 << 64) - 1


class Dump:
    """A core file. `segments` are (pa, bytes, offset in the file)."""
    LOAD, NOTE = 1, 4
    # QEMUCPUState: version and size; 18 registers; 10 segments of 24 bytes; CR0 to CR4.
    CONTROL = 8 + 18 * 8 + 10 * 24

    def __init__(self, path):
        self.file = open(path, "rb")
        self.segments, self.cpus = [], []
        header = struct.unpack("<16xHHIQQQIHHHHHH", self.at(0, 64))
        table, size, count = header[4], header[8], header[9]
        if count == 0xffff:  # more than fit: in the first section's sh_info
            count = struct.unpack("<I", self.at(header[5] + 44, 4))[0]
        for i in range(count):
            kind, _, offset, _, pa, length = struct.unpack("<IIQQQQ", self.at(table + i * size, 40))
            if kind == self.LOAD and length:
                self.segments.append((pa, length, offset))
            elif kind == self.NOTE:
                self.read_notes(self.at(offset, length))

    def at(self, offset, count):
        self.file.seek(offset)
        return self.file.read(count)

    def read_notes(self, notes):
        while len(notes) >= 12:
            name, size, _ = struct.unpack("<III", notes[:12])
            start = 12 + (name + 3 & ~3)
            if notes[12:16] == b"QEMU":
                at = start + self.CONTROL
                self.cpus.append(struct.unpack("<5Q", notes[at:at + 40]))
            notes = notes[start + (size + 3 & ~3):]

    def read(self, pa, count):
        for start, length, offset in self.segments:
            if start <= pa and pa + count <= start + length:
                return self.at(offset + pa - start, count)
        raise gdb.GdbError(f"no memory at {pa:#x} in the dump")

    def control(self, number):
        cpu = (gdb.selected_thread() or gdb.selected_inferior().threads()[0]).num - 1
        return self.cpus[cpu][number]


machine = {}  # of a dump, by file


def find():
    """The machine that gdb looks at."""
    if not gdb.selected_inferior().pid and not gdb.selected_inferior().threads():
        raise gdb.GdbError("no machine: `target remote` or `core-file` first")
    core = re.search(r"^Local core dump file:\n\s*`(.*)', file type",
                     gdb.execute("info files", to_string=True), re.MULTILINE)
    if not core:
        return Live()
    if core[1] not in machine:
        machine[core[1]] = Dump(core[1])
    return machine[core[1]]

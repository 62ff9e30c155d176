"""x86-64 page tables, read from physical memory: kernel/arch/x86_64/include/arch/pt_format.h."""
import struct
from typing import NamedTuple

PAGE, ENTRIES = 4096, 512
R, W, U, X, UC, A, D, G, DEVMAP, MARK = (1 << n for n in (0, 1, 2, 3, 4, 5, 6, 8, 9, 10))
RIGHTS = R | W | X | U
FLAGS = [(G, "global"), (UC, "uc"), (A, "A"), (D, "D"), (DEVMAP, "dev"), (MARK, "mark")]
IN_PLACE = R | W | U | UC | A | D | G | DEVMAP | MARK
PRESENT, HIDDEN, HUGE, SOFT, NX, ADDRESS = 1, 8, 1 << 7, 1 << 11, 1 << 63, 0x000ffffffffff000
LEAF_LEVEL_MAX = 2
ALL = (1 << 64) - 1


class Entry(NamedTuple):
    raw: int
    level: int

    @property
    def kind(self):
        if not self.raw & PRESENT:
            if not self.raw:
                return "none"
            if self.raw & SOFT:
                return "soft"
            return "leaf" if self.raw & HIDDEN else "bad"
        if self.raw & ~(ADDRESS | IN_PLACE | HUGE | NX):
            return "bad"
        if self.level == 0:
            return "bad" if self.raw & HUGE else "leaf"
        if not self.raw & HUGE:
            return "table"
        return "leaf" if self.level <= LEAF_LEVEL_MAX else "bad"

    @property
    def pa(self):
        return self.raw & ADDRESS

    @property
    def attr(self):
        return self.raw & IN_PLACE | (0 if self.raw & NX else X)


class Root(NamedTuple):
    """A top table and the addresses, both inclusive, that it translates here."""
    pa: int
    level: int
    first: int
    last: int

    @classmethod
    def whole(cls, pa, level):
        return cls(pa, level, 0, ALL)

    @property
    def low_last(self):
        return (1 << shift(self.level + 1) - 1) - 1

    def covers(self, va):
        return self.first <= va <= self.last and not self.low_last < va < ALL - self.low_last


class Span(NamedTuple):
    va: int
    last: int
    entry: Entry
    attr: int
    pa: int


def shift(level):
    return 12 + 9 * level


def index(va, level):
    return va >> shift(level) & ENTRIES - 1


def text_of(attr):
    """Rights and flags as the monitor writes them (show_attr)."""
    rights = "".join(c if attr & bit else "-" for c, bit in zip("rwxu", (R, W, X, U)))
    return " ".join([rights] + [name for bit, name in FLAGS if attr & bit])


def walk(memory, root, va):
    """(level, index, entry) from the top table down."""
    table, level = root.pa, root.level
    while True:
        i = index(va, level)
        entry = Entry(struct.unpack("<Q", memory.read(table + i * 8, 8))[0], level)
        yield level, i, entry
        if entry.kind != "table":
            return
        table, level = entry.pa, level - 1


def effective(rights, entry):
    """What an entry grants below tables that leave these rights."""
    return entry.attr & (rights | ~RIGHTS) if entry.kind == "leaf" else 0


def spans(memory, root, start, last):
    """Every entry in [start, last] that is not none and not a table, with effective rights."""
    def visit(table, level, base, rights):
        raw = struct.unpack("<512Q", memory.read(table, PAGE))
        for i in range(ENTRIES):
            va = base + (i << shift(level))
            if level == root.level and i >= ENTRIES // 2:
                va |= ALL & ~root.low_last
            end = va | (1 << shift(level)) - 1
            if not raw[i] or end < start or va > last:
                continue
            entry = Entry(raw[i], level)
            if entry.kind == "table":
                yield from visit(entry.pa, level - 1, va, rights & (entry.attr | ~(W | X | U)))
            else:
                yield Span(va, end, entry, effective(rights, entry), entry.pa)

    yield from visit(root.pa, root.level, 0, RIGHTS)


def merged(some):
    """Leaves that go on where the last one ended, saying the same, in one."""
    kept = None
    for s in some:
        if kept and continues(kept, s):
            kept = kept._replace(last=s.last)
            continue
        if kept:
            yield kept
        kept = s
    if kept:
        yield kept


def continues(a, b):
    return (a.entry.kind == b.entry.kind == "leaf" and a.entry.level == b.entry.level
            and a.last + 1 == b.va and not (a.attr ^ b.attr) & ~(A | D)
            and a.pa + b.va - a.va == b.pa)

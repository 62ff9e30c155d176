"""gdb commands for Ptolemy: pt-walk, pt-dump, space, frame pa, tlb-batch, crash-dump.

`make debug` loads this. It reads page tables from physical memory, so it works at any stop, before
and after the switch to long mode, with 4 and 5 levels, and on a crash dump alike. What it prints is
what the monitor's commands pt, ptdump and frames print.
"""
import os
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import memory  # noqa: E402
import tables  # noqa: E402

FRAME_ORDER_MAX = 18
FRAME_KINDS = ["reserved", "free", "tail", "data", "table", "kernel"]
AREA_KINDS = ["anonymous", "object", "device"]
MAPPED_KINDS = ["anonymous", "object", "device", "zero", "swapped"]


def number(text):
    return int(gdb.parse_and_eval(text)) & tables.ALL


def list_of(head, kind):
    """The structs of a list (lib/list.h) whose link is their field `link`."""
    struct_type = gdb.lookup_type(f"struct {kind}")
    offset = next(f.bitpos // 8 for f in struct_type.fields() if f.name == "link")
    link = head["next"]
    while link != head.address:
        yield (link.cast(gdb.lookup_type("char").pointer()) - offset).cast(
            struct_type.pointer()).dereference()
        link = link["next"]


def cpu_root(machine):
    """What the CPU walks, or None while paging is off."""
    if not machine.control(0) & memory.CR0_PG:
        return None
    level = 4 if machine.control(4) & memory.CR4_LA57 else 3
    return tables.Root.whole(machine.control(3) & tables.ADDRESS, level)


def boot_root(machine):
    """The tables that boot/ has made and will switch to."""
    pa = int(gdb.parse_and_eval("(unsigned long)&boot_mode"))
    cr3, cr4 = (int.from_bytes(machine.read(pa + at, 4), "little") for at in (0, 4))
    if not cr3:
        raise gdb.GdbError("boot/ has not made its tables yet")
    return tables.Root.whole(cr3 & tables.ADDRESS, 4 if cr4 & memory.CR4_LA57 else 3)


def space_of(text):
    """A struct space by an expression: a space, or a pointer to one."""
    value = gdb.parse_and_eval(text)
    return value.dereference() if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR else value


def root_of(machine, text):
    """`boot`, an expression that is a space, or nothing: what the CPU walks."""
    if not text:
        return cpu_root(machine)
    if text == "boot":
        return boot_root(machine)
    root = space_of(text)["root"]
    return tables.Root(int(root["top"]["pa"]["value"]), int(root["top"]["level"]),
                       int(root["first"]), int(root["last"]))


class Command(gdb.Command):
    def __init__(self):
        super().__init__(self.name, gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        try:
            self.run(text.split(), memory.find())
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"{self.name}: {error} (is it mapped yet?)")
        except gdb.error as error:
            raise gdb.GdbError(f"{self.name}: {error}")


class PtWalk(Command):
    """pt-walk VA [SPACE]: the path of an address, level by level, and what it comes to.

SPACE is an expression (a struct space, or a pointer to one), or `boot` for the tables that boot/
switches to; without one, what the selected CPU walks."""
    name = "pt-walk"

    def run(self, argv, machine):
        if not 1 <= len(argv) <= 2:
            raise gdb.GdbError("pt-walk VA [SPACE]")
        va = number(argv[0])
        root = root_of(machine, "".join(argv[1:]))
        if root is None:
            print(f"paging is off: {va:#x} is pa {va:#x}")
            return
        print(f"walk of {va:#018x}, top table at pa {root.pa:#x}")
        if not root.covers(va):
            print("  this root does not translate it")
            return
        self.print_path(machine, root, va)

    def print_path(self, machine, root, va):
        rights = tables.RIGHTS
        for level, index, entry in tables.walk(machine, root, va):
            line = f"  level {level} [{index:3}] {entry.raw:#018x} {entry.kind:5}"
            if entry.kind in ("table", "leaf"):
                line += f" pa {entry.pa:#014x} {tables.text_of(entry.attr)}"
            elif entry.kind == "soft":
                line += f" data {entry.raw >> 12:#x}"
            print(line)
            if entry.kind == "table":
                rights &= entry.attr | ~(tables.W | tables.X | tables.U)
        if entry.kind != "leaf":
            print("  => not mapped")
            return
        pa = entry.pa + (va & (1 << tables.shift(entry.level)) - 1)
        print(f"  => pa {pa:#x}, effective {tables.text_of(tables.effective(rights, entry))}")


class PtDump(Command):
    """pt-dump [SPACE [START LAST]]: all that a space maps, neighbours merged.

SPACE as for pt-walk; `cpu` is what the selected CPU walks."""
    name = "pt-dump"

    def run(self, argv, machine):
        if len(argv) not in (0, 1, 3):
            raise gdb.GdbError("pt-dump [SPACE [START LAST]]")
        root = root_of(machine, argv[0] if argv and argv[0] != "cpu" else "")
        if root is None:
            print("paging is off: every address is its own pa")
            return
        start, last = map(number, argv[1:]) if len(argv) == 3 else (root.first, root.last)
        count = 0
        for s in tables.merged(tables.spans(machine, root, start, last)):
            self.print_span(s)
            count += 1
        print(f"{count} ranges")

    @staticmethod
    def print_span(s):
        kib, kind = s.last - s.va + 1 >> 10, s.entry.kind
        what = f"pa {s.pa:#014x} {tables.text_of(s.attr)}" if kind == "leaf" else \
            f"soft {s.entry.raw >> 12:#x}" if kind == "soft" else "bad"
        print(f"{s.va:#018x}-{s.last:#018x} {kib:11} KiB level {s.entry.level} {what}")


class Space(Command):
    """space [SPACE]: every address space, or one with its areas."""
    name = "space"

    def run(self, argv, machine):
        if argv:
            self.print_one(space_of(" ".join(argv)))
            return
        head = gdb.parse_and_eval("space_list")
        if not int(head["next"]):
            raise gdb.GdbError("there are no spaces yet")
        running = cpu_root(machine)
        kernel = gdb.parse_and_eval("kernel_space")
        for s in [kernel, *(s for s in list_of(head, "space") if s.address != kernel.address)]:
            self.print_line(s, running)

    @staticmethod
    def print_line(s, running):
        top = int(s["root"]["top"]["pa"]["value"])
        kernel = s.address == gdb.parse_and_eval("&kernel_space")
        print(f"(struct space *){int(s.address):#x}: top table {top:#x},"
              f" {len(list(list_of(s['areas'], 'area')))} areas"
              + (", kernel_space" if kernel else "")
              + (", loaded" if running and running.pa == top else ""))

    def print_one(self, s):
        root, family = s["root"], s["family"]
        owner = root["owner"]
        print(f"top table {int(root['top']['pa']['value']):#x}, {int(root['top']['level']) + 1} "
              f"levels, {int(root['first']):#x}-{int(root['last']):#x}")
        if int(owner):
            counts = [int(owner["table_count"][level]) for level in range(6)]
            users = int(family["users"]) if int(family) else 1
            print("tables by level: " + " ".join(map(str, counts[:int(root['top']['level']) + 1]))
                  + f", of a family of {users}")
        for area in list_of(s["areas"], "area"):
            self.print_area(area)

    @staticmethod
    def print_area(area):
        mapped = [f" {int(area['mapped'][i])} {name}" for i, name in enumerate(MAPPED_KINDS)
                  if int(area["mapped"][i])]
        rights = tables.text_of(int(area["rights"]))[:3]
        print(f"  {int(area['start']):#018x}-{int(area['end']):#018x} {rights} "
              f"{AREA_KINDS[int(area['kind'])]}:{''.join(mapped)}")


class Frame(Command):
    """frame pa PA: what physical memory is used for, by its struct frame.

PA is an address, or an expression that is a struct frame *. (It is one more way of gdb's own
`frame`, which keeps its meaning.)"""
    name = "frame pa"

    def run(self, argv, machine):
        if not argv:
            raise gdb.GdbError("frame pa PA")
        self.print_frame(gdb.parse_and_eval(" ".join(argv)))

    @staticmethod
    def print_frame(value):
        array = gdb.parse_and_eval("frame_array")
        if not int(array):
            raise gdb.GdbError("there are no frames yet")
        if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
            pfn = (int(value) - int(array)) // value.dereference().type.sizeof
        else:
            pfn = (int(value) & tables.ALL) >> 12
        if pfn >= int(gdb.parse_and_eval("frame_limit")):
            raise gdb.GdbError(f"there is no memory at {pfn << 12:#x}")
        f = array[pfn]
        kind = FRAME_KINDS[int(f["kind"]) % len(FRAME_KINDS)]
        order = int(f["order"])
        if kind in ("reserved", "tail") or order > FRAME_ORDER_MAX:
            order = 0
        line = (f"frame {pfn << 12:#x}: {kind}, {1 << order} frames, "
                f"{int(f['edges']) & 0xffffffff} edges")
        if kind == "table":
            line += f"; level {int(f['meta']['level'])}, {int(f['meta']['live'])} live entries"
        print(line)


class TlbBatch(Command):
    """tlb-batch [BATCH]: what a flush batch has pending.

BATCH is an expression that is a struct pt_batch or a pointer to one; without it, the first local
variable of that kind, from the selected frame outwards."""
    name = "tlb-batch"

    def run(self, argv, machine):
        value = gdb.parse_and_eval(" ".join(argv)) if argv else self.find_local()
        if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
            value = value.dereference()
        self.print_batch(value)

    @staticmethod
    def find_local():
        frame = gdb.selected_frame()
        while frame:
            block = frame.block() if frame.find_sal().symtab else []
            for symbol in block:
                kind = str(symbol.type)
                if symbol.is_variable or symbol.is_argument:
                    if kind in ("struct pt_batch", "struct pt_batch *"):
                        value = symbol.value(frame)
                        if not value.is_optimized_out:
                            return value
            frame = frame.older()
        raise gdb.GdbError("no flush batch here: tlb-batch EXPRESSION")

    @staticmethod
    def print_batch(b):
        space = int(b["space"])
        whose = f"(struct space *){space:#x}" if space else "the kernel, in every space"
        print(f"batch of {whose}" + ("" if int(b["magic"]) else ", over"))
        if b["pending"]:
            print(f"  pending {int(b['start']):#x}-{int(b['last']):#x} by {int(b['step']):#x}"
                  + (", tables too" if b["tables"] else ""))
        else:
            print("  nothing pending")
        for i in range(int(b["frame_count"])):
            held = b["frame"][i]
            shared = ", an edge of a shared table" if held["shared_table"] else ""
            Frame.print_frame(held["frame"])
            print(f"    to be let go, order {int(held['order'])}{shared}")


class CrashDump(Command):
    """crash-dump FILE: write the machine's memory and CPUs, for `gdb build/kernel.elf FILE`."""
    name = "crash-dump"

    def run(self, argv, machine):
        if len(argv) != 1:
            raise gdb.GdbError("crash-dump FILE")
        if not isinstance(machine, memory.Live):
            raise gdb.GdbError("this is a dump already")
        print(gdb.execute(f"monitor dump-guest-memory -p {os.path.abspath(argv[0])}",
                          to_string=True), end="")


for command in (PtWalk, PtDump, Space, Frame, TlbBatch, CrashDump):
    command()

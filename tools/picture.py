#!/usr/bin/env python3
"""Draw page tables as they are: boots the kernel, dumps spaces, and has graphviz draw the trees.

usage: tools/picture.py ISO

With 4 and with 5 levels: a space before it forks, with its child after that, and after the child
has written; and with the mirror of it that a device walks. Leaves NAME.json (the dumps, for
tools/report), .dot, .svg and .png in build/picture.
"""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

BUILD = Path(os.environ.get("BUILD") or "build")
OUT = BUILD / "picture"
DEADLINE = 120
PASSED = 33

# What the monitor is told; each dump is named after what it shows.
SCENE = [
    ("space new parent; map parent 0x400000 4M; map parent 0x40000000 2M huge", []),
    ("".join(f"touch parent {va} write {value};" for value, va in
             enumerate(["0x400000", "0x401000", "0x600000", "0x40000000"], 1)), []),
    ("ptdump parent json", ["before/parent"]),
    ("space fork parent child shared; ptdump parent json; ptdump child json",
     ["fork/parent", "fork/child"]),
    ("touch child 0x400000 write 5; ptdump parent json; ptdump child json",
     ["write/parent", "write/child"]),
    ("dma use parent; dma copy 0x600000 0x601000; ptdump parent json; mirror json",
     ["mirror/parent", "mirror/device"]),
    ("ptdump kernel json", ["kernel/kernel"]),
]
PICTURES = {
    "before": "A space before it forks",
    "fork": "Forked: the child shares what lies below the top tables",
    "write": "The child has written to 0x400000: its own path, the rest is shared",
    "mirror": "A space and the mirror of it that a device walks",
}
MINE = ["#d7e8f7", "#dff2d8"]  # tables of the first space, of the second
SHARED, BELOW_SHARED = "#ffb757", "#ffe1b3"  # with several edges; reached from both trees
PAGE = "#f4f4f4"
RUN_MAX = 4  # so many pages side by side are drawn one by one


def fail(reason):
    sys.exit(f"picture: {reason}")


def boot(iso, levels):
    """The scene's dumps by name."""
    run = "; ".join(command.rstrip(";") for command, _ in SCENE)
    log = BUILD / "log" / f"picture-{levels}level.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "CMDLINE": f'test=none run="{run}" exit', "MEM": "64M",
                   "LA57": "on" if levels == 5 else "off"}
    try:
        made = subprocess.run(["tools/qemu.sh", iso, "-monitor", "none", "-serial", f"file:{log}"],
                              env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        fail(f"no end in time, see {log}")
    if made.returncode != PASSED:
        fail(f"exit status {made.returncode}, see {log}\n{made.stderr}")
    text = log.read_bytes().decode("ascii", "replace").replace("\r\n", "\n")
    dumps = re.findall(r'^\{"format".*?^\]\}$', text, re.MULTILINE | re.DOTALL)
    names = [name for _, part in SCENE for name in part]
    if len(dumps) != len(names):
        fail(f"{len(dumps)} dumps instead of {len(names)}, see {log}")
    return dict(zip(names, map(json.loads, dumps)))


# ---- Drawing.

def single_entries(table):
    """The entries, short runs taken apart."""
    for entry in table["entries"]:
        if entry["count"] > RUN_MAX:
            yield entry
            continue
        for i in range(entry["count"]):
            step = {"index": entry["index"] + i, "count": 1}
            if "pa" in entry:
                step["pa"] = hex(int(entry["pa"], 16) + i * (4096 << 9 * table["level"]))
            yield {**entry, **step}


def entry_rows(table):
    """The entries of a table as rows of an HTML-like label, with a port each."""
    for entry in single_entries(table):
        last = entry["index"] + entry["count"] - 1
        index = f"{entry['index']}" if entry["count"] == 1 else f"{entry['index']}..{last}"
        yield (f'<tr><td port="e{entry["index"]}" align="left">{index}: '
               f'{entry.get("attr", entry["kind"])}</td></tr>')


def table_node(prefix, table, colour, name):
    edges = f", {table['edges']} edges" if table["edges"] > 1 else ""
    title = f"<b>{name}</b><br/>" if name else ""
    return (f'"{prefix}{table["pa"]}" [label=<<table border="0" cellborder="1" cellspacing="0" '
            f'cellpadding="3" bgcolor="{colour}"><tr><td>{title}level {table["level"]} at '
            f'{table["pa"]}{edges}</td></tr>{"".join(entry_rows(table))}</table>>];')


class Drawing:
    def __init__(self):
        self.lines, self.drawn, self.pages = [], set(), {}
        self.both = set()  # addresses of tables that are in two trees

    def add_tree(self, tree, name, colour):
        for table in tree["tables"]:
            if table["pa"] in self.drawn:
                continue
            self.drawn.add(table["pa"])
            root = table["pa"] == tree["root"]
            shade = SHARED if table["edges"] > 1 and not root else \
                BELOW_SHARED if table["pa"] in self.both else colour
            self.lines.append(table_node("", table, shade, name if root else ""))
            self.add_entries(table)

    def add_entries(self, table):
        for entry in single_entries(table):
            if entry["kind"] == "leaf":
                size = (4096 << 9 * table["level"]) * entry["count"]
                self.pages.setdefault((entry["pa"], size), set()).add(table["pa"])
                target = f"page{entry['pa']}"
            elif entry["kind"] == "table":
                target = entry["pa"]
            else:
                continue
            self.lines.append(f'"{table["pa"]}":e{entry["index"]}:e -> "{target}";')

    def page_colour(self, owners):
        return BELOW_SHARED if len(owners) > 1 or owners <= self.both else PAGE

    def text(self, title):
        pages = [f'"page{pa}" [shape=box, style=filled, fillcolor="{self.page_colour(owners)}", '
                 f'label="{size >> 10} KiB\\n{pa}"];' for (pa, size), owners in self.pages.items()]
        return "\n".join([
            "digraph tables {", f'label="{title}"; labelloc=t; rankdir=LR; ranksep=0.7;',
            'fontname="DejaVu Sans"; node [shape=plain, fontname="DejaVu Sans Mono", fontsize=10];',
            'edge [arrowsize=0.6, color="#666666"];', *self.lines, *pages, "}"])


def draw(path, title, trees):
    drawing = Drawing()
    tables = [{table["pa"] for table in tree["tables"]} for _, tree in trees]
    drawing.both = set.intersection(*tables) if len(tables) > 1 else set()
    for (name, tree), colour in zip(trees, MINE):
        drawing.add_tree(tree, name, colour)
    path.with_suffix(".dot").write_text(drawing.text(title) + "\n")
    for kind in ("svg", "png"):
        subprocess.run(["dot", f"-T{kind}", "-o", path.with_suffix(f".{kind}"),
                        path.with_suffix(".dot")], check=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    OUT.mkdir(parents=True, exist_ok=True)
    for levels in (4, 5):
        dumps = boot(sys.argv[1], levels)
        (OUT / f"{levels}level.json").write_text(json.dumps(dumps))
        for picture, title in PICTURES.items():
            trees = [(name.partition("/")[2], tree) for name, tree in dumps.items()
                     if name.startswith(f"{picture}/")]
            path = OUT / f"{levels}level-{picture}"
            draw(path, f"{title} ({levels} levels)", trees)
            print(f"{path}.svg")


main()

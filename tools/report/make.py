#!/usr/bin/env python3
"""Write build/report.html, in one file: results, measurements, pictures, and an explorer.

usage: tools/report/make.py MODULES    (the node_modules that npm has filled)

Reads what `make test` left in build/log, `make bench` and `make bench-linux` in build/bench.csv,
and `make picture` in build/picture; what is not there is named in its place.
"""
import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "tests"))
import ktap  # noqa: E402

BUILD = Path(os.environ.get("BUILD") or "build")


def read_runs():
    """What each log says: {"name", "command", "results": [[suite, name, outcome]], "errors"}."""
    runs = []
    for path in sorted((BUILD / "log").glob("*.ktap")):
        lines = path.read_text(errors="replace").splitlines()
        report = ktap.read(lines)
        command = next((line[2:] for line in lines[:5] if line.startswith("# ")), "")
        results = [[suite or path.stem, name, outcome] for suite, name, outcome in report.results]
        runs.append({"name": path.stem, "command": command, "results": results,
                     "errors": report.errors})
    return runs


def read_bench():
    path = BUILD / "bench.csv"
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [{**row, **{key: int(row[key]) for key in
                           ("levels", "page_bytes", "size_bytes", "instructions")}}
                for row in csv.DictReader(file)]


def read_dumps():
    """Every tree that was dumped, by name."""
    return {f"{path.stem.replace('level', ' levels')}, {name}": tree
            for path in sorted((BUILD / "picture").glob("*level.json"))
            for name, tree in json.loads(path.read_text()).items()}


def read_pictures():
    """{"4 levels": [svg, ...], ...}; graphviz's prologue and identifiers are left out."""
    pictures = {}
    order = ["before", "fork", "write", "mirror"]
    for path in sorted((BUILD / "picture").glob("*level-*.svg"),
                       key=lambda p: (p.stem[0], order.index(p.stem.partition("-")[2]))):
        svg = path.read_text()
        svg = re.sub(r' (id|class)="[^"]*"', "", svg[svg.index("<svg"):])
        pictures.setdefault(f"{path.stem[0]} levels", []).append(svg)
    return pictures


def commit():
    made = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    return made.stdout.strip() or "no commit"


def as_script(data):
    return json.dumps(data, separators=(",", ":")).replace("</", "<\\/")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    uplot = Path(sys.argv[1]) / "uplot/dist"
    pictures = read_pictures()
    data = {"commit": commit(), "runs": read_runs(), "bench": read_bench(), "dumps": read_dumps()}
    parts = {
        "STYLE": (uplot / "uPlot.min.css").read_text() + (HERE / "style.css").read_text(),
        "UPLOT": (uplot / "uPlot.iife.min.js").read_text(),
        "SCRIPTS": "".join((HERE / f"{name}.js").read_text()
                           for name in ("results", "plots", "explorer")),
        "DATA": as_script(data),
        "PICTURES": "".join(f"<h3>{depth}</h3>{''.join(svgs)}" for depth, svgs in pictures.items())
                    or "<p>None: <code>make picture</code> draws them.</p>",
    }
    page = (HERE / "page.html").read_text()
    page = re.sub(r"@(\w+)@", lambda match: parts[match[1]], page)
    path = BUILD / "report.html"
    path.write_text(page)
    print(f"{path}: {len(data['runs'])} logs, {len(data['bench'])} measurements, "
          f"{len(data['dumps'])} dumps, {len(page) >> 10} KiB")


main()

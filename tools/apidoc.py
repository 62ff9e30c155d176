#!/usr/bin/env python3
"""The library's reference, docs/api.md, from the doc comments of its headers.

tools/apidoc.py           write docs/api.md
tools/apidoc.py --check   write nothing; exit 1 if it is not what would be written

A header is cut into chunks at the top level: comments, macros, declarations. A comment documents
the declarations that follow it without another comment between; `/* ---- Title. ---- */` begins a
section. Bodies, guards and what is not documented and not a function are left out.
"""
import difflib
import re
import sys
from pathlib import Path

LIBRARY = Path("kernel/mm/pt")
PAGE = Path("docs/api.md")
ORDER = ["pt_types.h", "pt_format.h", "pt_host.h", "pt.h", "pt_ops.h",
         "pt_walk.h", "pt_iter.h"]
PART_OF_A_FORMAT = ["pt_word.h"]
WIDTH = 92
HEAD = """# The library, function by function

<!-- Made by `make docs` from the headers; `make check` compares. Change the headers instead. -->

`kernel/mm/pt/` is the page-table library. Its headers, in the order in which to read them; the
words are those of the [vocabulary](vocabulary.md), and [formats](formats.md) shows the library at
work outside this kernel.
"""


def comment_lines(text):
    """The text of a /* */ comment, without its stars."""
    lines = re.sub(r"\s*\*/$", "", text.removeprefix("/*")).splitlines()
    lines = [lines[0].strip()] + [re.sub(r"^\s*\*? ?", "", line, count=1) for line in lines[1:]]
    return "\n".join(line.rstrip() for line in lines).strip("\n").splitlines()


def escape(line):
    """Names as code, and nothing that Markdown would take for its own."""
    parts = line.split("`")
    for i in range(0, len(parts), 2):
        part = re.sub(r"\*(\w+)(?!\w*\*)", r"\\*\1", parts[i].replace("<", "&lt;"))
        parts[i] = re.sub(r"[\w>-]*\b[A-Za-z]\w*_\w+\b(\.[ch]\b|\(\))?", r"`\g<0>`", part)
    return "`".join(parts)


def markdown(text):
    """Prose as it is; drawings as they are, too, but fenced."""
    out, fenced = [], False
    for line in comment_lines(text):
        drawing = bool(re.match(r"(  |\t)\s*\S|\w+ {2,}\S", line))
        if drawing and not fenced:
            out.append("```text")
        elif fenced and line and not drawing:
            while not out[-1]:
                out.pop()
            out += ["```", ""]
        fenced = drawing or (fenced and not line)
        out.append(line if fenced else escape(line))
    return "\n".join(out + ["```"] * fenced)


def statement_end(lines, at):
    """One past the last line of the declaration that begins at lines[at]."""
    if lines[at].startswith("#"):
        while lines[at].endswith("\\"):
            at += 1
        return at + 1
    depth, expression = 0, lines[at].startswith("PT_EXPR(")
    while True:
        code = re.sub(r"/\*.*?\*/", "", lines[at])
        depth += code.count("{") + code.count("(") - code.count("}") - code.count(")")
        at += 1
        if depth == 0 and (expression or code.rstrip().endswith(";") or code.startswith("}")):
            return at


def chunks(lines):
    """(kind, text), where kind is comment, macro, code or blank."""
    at = 0
    while at < len(lines):
        start = at
        if not lines[at].strip():
            at += 1
            yield "blank", ""
        elif lines[at].startswith("/*"):
            while "*/" not in lines[at]:
                at += 1
            at += 1
            yield "comment", "\n".join(lines[start:at])
        else:
            at = statement_end(lines, at)
            yield ("macro" if lines[start].startswith("#") else "code"), "\n".join(lines[start:at])


def signature(text):
    """A function's head, on as few lines as fit."""
    expression = re.match(r"PT_EXPR\((.*?), (\w+),\s*(\(.*?\)),", text, re.DOTALL)
    if expression:
        star = "" if expression[1].endswith("*") else " "
        text = f"{expression[1]}{star}{expression[2]}{expression[3]};"
    head = text.split("{")[0]
    if re.match(r"(typedef )?(struct|enum|union)\b[^(]*\{", text) or not re.search(r"\w\(", head):
        return text
    head = re.sub(r"__attribute__\(\(.*?\)\)", "", head)
    head = re.sub(r"\b(PT_INLINE|PT_API|static inline|static)\b", "", head)
    head = " ".join(head.split()).rstrip(";") + ";"
    if len(head) <= WIDTH:
        return head
    name, rest = head.split("(", 1)
    lines, line = [], name + "("
    for part in re.split(r"(?<=,) ", rest):
        if len(line) + len(part) > WIDTH:
            lines.append(line.rstrip())
            line = "        "
        line += part + " "
    return "\n".join(lines + [line.rstrip()])


def macro(text, documented):
    """What of a macro belongs in a reference: a constant, or a documented macro's head."""
    optional = re.match(r"#ifndef (\w+) /\* (.*) \*/$", text)
    if optional:
        return f"#define {optional[1]}  /* optional; {optional[2]} */"
    match = re.match(r"#define (\w+)(\([^)]*\))?\s*(.*)", text, re.DOTALL)
    if not match or not match[3] or match[3].startswith("PT_NAME(") or not documented:
        return None
    if "\\" in text and match[2]:
        return f"#define {match[1]}{match[2]}"
    return text


class Page:
    def __init__(self):
        self.out, self.code = [HEAD], []

    def flush(self):
        if self.code:
            self.out += ["```c", *self.code, "```", ""]
        self.code = []

    def prose(self, text):
        self.flush()
        self.out += [markdown(text), ""]

    def header(self, name, comment):
        self.flush()
        self.out += [f"## {name}", "", markdown(comment), ""]

    def section(self, title):
        self.flush()
        self.out += [f"### {title.rstrip('.')}", ""]


def write_header(page, path):
    """One header. The comment waits for the declaration that it documents."""
    comment, first, documented = None, True, False
    for kind, text in chunks(path.read_text().splitlines()):
        title = re.match(r"/\* -+ (.*?) -+ \*/$", text)
        if kind == "comment" and first:
            page.header(path.name, text)
            first = False
        elif title:
            page.section(title[1])
            comment, documented = None, False
        elif kind == "comment":
            comment, documented = text, True
        elif kind == "blank":
            comment, documented = None, False
        else:
            code = macro(text, documented or "/*" in text) if kind == "macro" else declaration(text)
            if code and comment:
                page.prose(comment)
                comment = None
            page.code += [code] if code else []
    page.flush()


def declaration(text):
    """Forward declarations, assertions and uses of macros are left out."""
    left_out = r"_Static_assert|PT_WALKER|struct \w+;$"
    return None if re.match(left_out, text) else signature(text)


def build():
    names = {path.name for path in LIBRARY.glob("*.h")}
    unknown = names - {*ORDER, *PART_OF_A_FORMAT}
    if unknown:
        sys.exit(f"{sys.argv[0]}: where in the order is {', '.join(sorted(unknown))}?")
    page = Page()
    shown = [name for name in ORDER if name in names]
    page.out.append(" | ".join(f"[{name}](#{name.replace('.', '')})" for name in shown) + "\n")
    for name in shown:
        write_header(page, LIBRARY / name)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(page.out)).rstrip() + "\n"


def main():
    text = build()
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(text)
        return 0
    current = PAGE.read_text() if PAGE.exists() else ""
    differs = list(difflib.unified_diff(current.splitlines(), text.splitlines(), str(PAGE),
                                        "the headers", n=0, lineterm=""))
    for line in differs[:20]:
        print(line)
    return 1 if differs else 0


sys.exit(main())

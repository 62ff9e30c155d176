#!/usr/bin/env python3
"""Do the documents say what is true? Prints what is not; `make check` runs it.

In every *.md of the tree:
  - a link within the tree leads to a file, and its #anchor to a heading;
  - in `code`: a path exists, an identifier occurs in the sources, suite.name is a test, and make
    targets and variables are known. Names of others are listed in a comment: <!-- not ours: a b -->
  - in fenced sh blocks: make targets and variables are known.

Fenced blocks that are marked behind their language:
  ```c compile           must compile as part of the kernel
  ```c file=build/...    is written there, before the page's commands run
  ```sh run              must succeed at the root of the tree; ```text output right behind it is
                         what it prints
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = ("*.c", "*.h", "*.S", "*.ld", "*.py", "*.sh", "*.mk", "*.cfg", "*.md", "Makefile",
           "tests/run", "tests/monitor", "tests/debugger", "tests/exercises", ".ci/run", ".clang-format")
CODE = [name for name in SOURCES if name != "*.md"]
EXTENSION = r"\.(c|h|S|py|sh|md|mk|ld|cfg|elf|iso|asm|sym|ktap|log|csv)$"
COMPILE = ["gcc", "-std=gnu11", "-ffreestanding", "-mgeneral-regs-only", "-fsyntax-only", "-Wall",
           "-Wextra", "-Werror", "-I.", "-Ikernel", "-Ikernel/arch/x86_64/include",
           "-DPTOLEMY_TEST=1", "-x", "c"]
RUN_SECONDS = 120
# Variables of tools that our scripts start, and of the shell.
FOREIGN_VARIABLES = {"TMPDIR", "OVMF"}


def tree(*patterns):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns],
                            capture_output=True, text=True)
    if listed.returncode == 0:
        return sorted({Path(name) for name in listed.stdout.split() if Path(name).is_file()})
    build = Path(os.environ.get("BUILD", "build"))
    return sorted({path for pattern in patterns for path in Path(".").rglob(pattern)
                   if path.is_file() and build not in path.parents})


class Tree:
    """What the documents may speak of."""

    def __init__(self):
        self.files = {str(path) for path in tree()} or {str(path) for path in tree("*")}
        text = "\n".join(path.read_text(errors="replace") for path in tree(*CODE))
        self.words = set(re.findall(r"\w+", text)) | {Path(name).stem for name in self.files}
        self.tests = set(re.findall(r"^TEST(?:_HIDDEN)?\((\w+), (\w+)\)", text, re.MULTILINE))
        self.tests |= {(suite, "no_frame_leaked") for suite, _ in self.tests}
        rules = "\n".join(path.read_text() for path in tree("Makefile", "*.mk"))
        self.targets = set(re.findall(r"^\.PHONY: (\S+)", rules, re.MULTILINE))
        self.variables = set(re.findall(r"\b([A-Z][A-Z0-9_]+)\b", text)) | FOREIGN_VARIABLES

    def has_path(self, path):
        if any(char in path for char in "*?"):
            return bool(list(Path(".").glob(path.rstrip("/"))))
        return path.rstrip("/") in self.files or Path(path).is_dir() or \
            any(name.endswith("/" + path) for name in self.files)

    def has_test(self, suite, glob):
        pattern = re.escape(glob).replace(r"\*", ".*")
        return any(s == suite and re.fullmatch(pattern, name) for s, name in self.tests)


class Page:
    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        self.blocks = []  # (language, marks, code), in order
        self.prose = re.sub(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", self.take_block, self.text,
                            flags=re.MULTILINE | re.DOTALL)
        self.foreign = set(" ".join(re.findall(r"<!-- not ours: (.*?) -->", self.prose,
                                               re.DOTALL)).split())
        self.foreign |= {word for _, marks, code in self.blocks if "=" in marks
                         for word in re.findall(r"\w+", code)}
        self.prose = re.sub(r"<!--.*?-->", "", self.prose, flags=re.DOTALL)
        self.spans = re.findall(r"`([^`]+)`", self.prose)

    def take_block(self, match):
        self.blocks.append((match[1], match[2], match[3]))
        return ""

    def anchors(self):
        for title in re.findall(r"^#+ (.*)$", self.prose, re.MULTILINE):
            yield re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")

    def links(self):
        return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", self.prose))


def wrong_links(page, pages):
    for link in page.links():
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path.resolve()
        if not target.exists():
            yield f"link to {link}, which does not exist"
        elif anchor and target in pages and anchor not in set(pages[target].anchors()):
            yield f"link to {link}: no such heading"


def wrong_make(text, known):
    """`text` is a command line."""
    for command in re.findall(r"(?:^|[;&(] *)make\b([^;&|()#\n]*)", text, re.MULTILINE):
        command = re.sub(r"'[^']*'|\"[^\"]*\"", "", command)
        for word in command.split():
            variable = re.match(r"([A-Z][A-Z0-9_]*)=", word)
            if variable and variable[1] not in known.variables:
                yield f"{text}: no variable {variable[1]}"
            if re.fullmatch(r"[a-z][a-z-]*", word) and word not in known.targets:
                yield f"{text}: no target {word}"


def wrong_name(span, known):
    """One `span`: what it looks like decides what must exist."""
    base = span.removesuffix("()")
    if span.startswith(("build/", "/", "-", "http")) or re.search(r"[$<>]", span):
        return False
    if re.fullmatch(r"[\w.*?-]+(/[\w.*?-]*)+", span) or re.search(EXTENSION, span):
        return " " not in span and not known.has_path(span)
    if test := re.fullmatch(r"(\w+)\.([\w*]+)", span):
        return not known.has_test(*test.groups()) and not {*test.groups()} <= known.words
    if re.fullmatch(r"[^\W_]\w*_\w*[^\W_]", base) or span.endswith("()"):
        return base not in known.words
    return False


def wrong_names(page, known):
    for span in page.spans:
        yield from wrong_make(span, known)
        for part in re.split(r"->|, ", span):
            if part not in page.foreign and wrong_name(part, known):
                yield f"`{part}` is nowhere"


def wrong_blocks(page, known):
    for number, (language, marks, code) in enumerate(page.blocks):
        if language == "sh":
            for line in re.sub(r"#.*", "", code).splitlines():
                yield from wrong_make(line, known)
        if language == "c" and not marks:
            for name in re.findall(r"\b([a-z]\w*_\w+)\(", code):
                if name not in known.words and name not in page.foreign:
                    yield f"{name}() is nowhere"
        if marks == "compile":
            made = subprocess.run([*COMPILE, "-"], input=code, capture_output=True, text=True)
            if made.returncode:
                yield f"does not compile:\n{made.stderr}"
        if marks.startswith("file=build/"):
            path = Path(marks.removeprefix("file="))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code)
        if marks == "run":
            behind = page.blocks[number + 1:number + 2]
            output = behind[0][2] if behind and behind[0][1] == "output" else None
            yield from wrong_run(code, output)


def wrong_run(code, expected):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    with tempfile.TemporaryFile("w+") as script:
        script.write(code)
        script.seek(0)
        made = subprocess.run(["sh", "-e"], stdin=script, capture_output=True, text=True,
                              env=environment, timeout=RUN_SECONDS)
    if made.returncode:
        yield f"exit status {made.returncode} of:\n{code}{made.stdout}{made.stderr}"
    elif expected is not None and made.stdout.split() != expected.split():
        yield f"printed:\n{made.stdout}\ninstead of:\n{expected}"


def main():
    known = Tree()
    pages = {path.resolve(): Page(path) for path in tree("*.md")}
    wrong_count = 0
    for page in pages.values():
        for wrong in [*wrong_links(page, pages), *wrong_names(page, known),
                      *wrong_blocks(page, known)]:
            print(f"{page.path}: {wrong}")
            wrong_count += 1
    return 1 if wrong_count else 0


sys.exit(main())

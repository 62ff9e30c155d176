"""The small changes that can be made to a source: one operator, constant or statement each."""
import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

# (pattern, replacements). Spaces keep pointers, casts and unary operators out of it.
CHANGES = [
    (r" < ", [" <= ", " > "]), (r" > ", [" >= ", " < "]),
    (r" <= ", [" < "]), (r" >= ", [" > "]), (r" == ", [" != "]), (r" != ", [" == "]),
    (r" && ", [" || "]), (r" \|\| ", [" && "]), (r" \+ ", [" - "]), (r" - ", [" + "]),
    (r" & ", [" | "]), (r" \| ", [" & "]), (r" << ", [" >> "]), (r" >> ", [" << "]),
    (r"\+\+", ["--"]), (r"--(?!\w*>)", ["++"]), (r" \+= ", [" -= "]), (r" -= ", [" += "]),
    (r" \|= ", [" &= "]), (r" &= ", [" |= "]),
    (r"(?<=[(\s])!(?=\w)", [""]), (r"\btrue\b", ["false"]), (r"\bfalse\b", ["true"]),
    (r"(?<=[ (\[])0(?=[;,)\]])", ["1"]), (r"(?<=[ (\[])1(?=[;,)\]])", ["0", "2"]),
    (r"\breturn (err|-E\w+);", ["return 0;"]), (r"^(\t+)(break|continue);", [r"\1;"]),
    # A condition without an operator: a value, or a call.
    (r"(?<=\bif \()(\w[\w>.\[\]-]*(?:\([^()]*\))?)(?=\)(?: \{)?$)", [r"!\1"]),
    # A statement that is a call or an assignment goes.
    (r"^(\t+)[a-z_]\w*\(.*\);$", [r"\1;"]), (r"^(\t+)[a-z][\w>.*\[\]-]* [|&+-]?= .*;$", [r"\1;"]),
]
NOT_CHANGED = re.compile(r"ASSERT|^\s*(/?\*|//|#|\w+:$)|static_assert|_Static_assert|panic\(|"
                         r"trace\(|printk\(|SHARE_COUNT|FLUSH_COUNT|PT_UNROLL|__ATOMIC_RELAXED")


class Mutant(NamedTuple):
    path: str
    function: str
    number: int  # of the line, from 0
    after: str  # the line as changed
    text: str  # the change, without the number: it means the same when code around it moves
    name: str  # short for path and text


def code_lines(path):
    """(number, line, name of the function around it) of what can be changed."""
    function, comment, macro = "", False, False
    for number, line in enumerate(Path(path).read_text().splitlines()):
        begins = re.match(r"(?:PT_EXPR\([^,]+, (\w+)|[A-Za-z].*?\b(\w+)\()", line)
        if begins and not line.startswith("\t"):
            function = begins[1] or begins[2]
        opened, closed = "/*" in line, "*/" in line
        in_macro, macro = macro, line.endswith("\\")
        if not (comment or opened or in_macro or macro) and line.startswith("\t") and \
                not NOT_CHANGED.search(line):
            yield number, line, function
        comment = (comment or opened) and not closed


def changed_lines(line):
    for pattern, replacements in CHANGES:
        for match in re.finditer(pattern, line):
            for new in replacements:
                yield line[:match.start()] + match.expand(new) + line[match.end():]


def mutants_of(path):
    alike = Counter()
    for number, line, function in code_lines(path):
        for after in changed_lines(line):
            text = f"{path}: {function}: {line.strip()} -> {after.strip()}"
            alike[text] += 1
            name = hashlib.sha1(f"{text} {alike[text]}".encode()).hexdigest()[:8]
            yield Mutant(path, function, number, after, text, name)


def in_order(mutants, seed):
    """As the seed decides. A change keeps its place whatever others come or go."""
    return sorted(mutants, key=lambda m: hashlib.sha1(f"{seed} {m.name}".encode()).digest())

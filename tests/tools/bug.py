#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Find the bug: a program in which one bug of the museum is planted, by seed, and what is handed in about it.

    bug.py plant PROGRAM NAME OUT     OUT is PROGRAM with that bug for good
    bug.py measure                    what finding each of them costs, on the terminal

The student gets Holdfast as a Linux process with one byte changed: that bug is there whatever `museum` says.
Handed in is bug.toml: `token`, of an order that breaks a rule, and `function`, where the rule is not kept.
The token is replayed in the planted program, where it has to break, and in one without, where it must not:
an order that breaks there too shows a weakness of a lifetime and no bug.

tests/labs/bug.toml has the bugs that are alike in what finding one costs: executions to the first finding of its
scenario, and steps of the shortest order that is shown. Both are counts, the same on any machine.
"""

import collections
import glob
import os
import re
import struct
import subprocess
import sys
import tomllib

import csource
import labs
import submission
import variant

ROOT = labs.ROOT
TABLE = os.path.join("tests", "labs", "bug.toml")
PLANTED = 2  # MUSEUM_PLANTED
DEFINED = re.compile(r'^MUSEUM(?:_EXPLORED)?\(\s*(\w+),\s*"([^"]+)",((?:\s*"[^"]*")+)\)', re.M)
LABEL = b"a bug of the museum\0"
DIMMS = ["-p", "-,size=1G", "-p", "-,size=16G,scratch"]
# In what `explore` prints: how many executions there were, and the numbers of the steps.
FOUND = re.compile(r"^explore \S+ .*: ended, (\d+) executions, .*, BROKEN ", re.M)
STEP = re.compile(r"^ {1,4}(\d+)[> ] +", re.M)

Plant = collections.namedtuple("Plant", "name command")


# ---- the program ------------------------------------------------------------------------------

def identifiers(root=ROOT):
    """{name of an exhibit: the identifier of its switch}"""
    found = {}
    for top in ("kernel", "mm", "drivers", "dax", "tests/explore", "tests/kernel"):
        for path in glob.glob(os.path.join(root, top, "**", "*.c"), recursive=True):
            found.update((name, ident) for ident, name, _ in DEFINED.findall(text_of(path)))
    return found


def text_of(path):
    """A source."""
    with open(path, encoding="utf-8", errors="replace") as source:
        return source.read()


class Image:
    """An ELF file whose initialised data can be changed."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = bytearray(file.read())
        at, size, count = struct.unpack_from("<Q", self.bytes, 32)[0], *struct.unpack_from("<HH", self.bytes, 54)
        heads = [struct.unpack_from("<IIQQQQ", self.bytes, at + n * size) for n in range(count)]
        self.loaded = [(address, offset, length) for kind, _, offset, address, _, length in heads if kind == 1]
        done = subprocess.run(["nm", path], stdout=subprocess.PIPE, text=True, check=True)
        self.names = {name: int(value, 16) for value, _, name in
                      (line.split() for line in done.stdout.splitlines() if len(line.split()) == 3)}

    def place(self, address):
        """Where in the file an address is."""
        return next(offset + address - begin for begin, offset, length in self.loaded if begin <= address < begin + length)


def plant(program, name, out, root=ROOT):
    """Writes the program with one bug, and without what its labels say about any."""
    idents = identifiers(root)
    if name not in idents:
        raise labs.Wrong(f"there is no bug '{name}' in the museum")
    image = Image(program)
    switches = [image.place(image.names[f"museum_{ident}"]) for ident in idents.values() if f"museum_{ident}" in image.names]
    label = struct.unpack_from("<Q", image.bytes, switches[0] + 8)[0]
    for at in switches:
        struct.pack_into("<Q", image.bytes, at + 8, label)
    image.bytes[image.place(label):image.place(label) + len(LABEL)] = LABEL
    image.bytes[image.place(image.names[f"museum_{idents[name]}"]) + 16] = PLANTED
    with open(out, "wb") as file:
        file.write(image.bytes)
    os.chmod(out, 0o755)


def said(program, line):
    """What a program prints of a line of commands."""
    return submission.home(program, [*DIMMS, "-c", line], 60).output


# ---- which one --------------------------------------------------------------------------------

def table(root=ROOT):
    """([Plant], the bands that all of them are in)"""
    with open(os.path.join(root, TABLE), "rb") as source:
        text = tomllib.load(source)
    return [Plant(**row) for row in text["plant"]], text["band"]


def of(term, student, root=ROOT):
    """The bug that a student has to find."""
    return variant.draw(variant.who(term, student), "bug", table(root)[0])


def cost(program, command):
    """(executions to the first finding, steps of the order that is shown) of an exploration."""
    output = said(program, command)
    found, steps = FOUND.search(output), [int(n) for n in STEP.findall(output)]
    return (int(found[1]), max(steps, default=0)) if found else None


def functions(name, root=ROOT):
    """The functions that look at a bug's switch: where its rule is not kept."""
    asks = re.compile(rf"\bmuseum_(?:on|explored)\({identifiers(root)[name]}\)")
    return {one["name"] for top in ("kernel", "mm", "drivers", "dax")
            for path in glob.glob(os.path.join(root, top, "**", "*.[ch]"), recursive=True)
            for one in csource.HEAD.finditer(text_of(path)) if asks.search(one["body"])}


# ---- what was handed in -----------------------------------------------------------------------

CHECKS = [labs.check({"name": name, "points": points, "asks": asks, "run": "bug", "because": because}) for name, points, asks, because in (
    ("breaks", 50, "The token's order breaks a rule in the program with the bug.", [
        {"when": "no token|no order", "says": "A token is what a finding of explore ends with: SCENARIO:LIFETIME:MODEL:ORDER, in one piece."},
        {"when": "no rule was broken", "says": "This order is harmless: it was found in another program, or it is not the order of a finding."}]),
    ("is-the-bug", 30, "The same order breaks no rule in the program without it.", [
        {"when": "breaks a rule there too", "says": "What this order shows is in the product as well: a weakness of a lifetime, or a scenario "
                                                    "that is broken on purpose. The bug shows where the default design is safe."}]),
    ("function", 20, "The function is named in which the rule is not kept.", [
        {"when": "not the function", "says": "The last step of the order is where the harm shows, not where it was done. Which step before it is "
                                             "missing, or comes too early?"}]))]
TOKEN = re.compile(r"[a-z0-9]+\.[a-z0-9.-]+:[a-z-]+:(sc|tso):[a-z0-9]{1,400}")


def handed_in(path):
    """(token, function) of a bug.toml, or of a folder with one."""
    folder, name = os.path.split(os.path.join(path, "bug.toml") if os.path.isdir(path) else path)
    try:
        text = tomllib.loads(labs.source_text(folder, name))
    except (tomllib.TOMLDecodeError, OSError, UnicodeError) as err:
        raise labs.Wrong(f"bug.toml cannot be read: {err}") from err
    return str(text.get("token", "")).strip(), str(text.get("function", "")).strip().removesuffix("()")


def breaks(program, token):
    """(does this order break a rule there, what was said)"""
    if not TOKEN.fullmatch(token):
        return False, "no token was handed in, or what is no token"
    output = said(program, f"replay {token}")
    return bool(re.search(r"^ *broken: ", output, re.M)), output


def judge(name, path, clean, planted, root=ROOT):
    """[(check, reached, text)] of what was handed in."""
    token, function = handed_in(path)
    there, shown = breaks(planted, token)
    here = there and breaks(clean, token)[0]
    right = function in functions(name, root)
    rows = [(there, "it breaks" if there else f"no rule was broken: {shown.strip().splitlines()[-1]}"),
            (there and not here, "it breaks a rule there too" if here else "it breaks none there" if there else "not played"),
            (there and right, f"{function}()" if right else f"'{function}' is not the function")]
    return [(check, check.points if good else 0, text) for check, (good, text) in zip(CHECKS, rows)]


# ---- by hand ----------------------------------------------------------------------------------

def measure():
    """What each bug of the table costs now."""
    clean = os.path.join(ROOT, "build", "host", "holdfast")
    for one in table()[0]:
        plant(clean, one.name, clean + ".planted")
        print(one.name, *(cost(clean + ".planted", one.command) or ("not found",)), sorted(functions(one.name)), flush=True)
    return 0


def main(argv):
    """See above."""
    try:
        if argv[1:2] == ["plant"] and len(argv) == 5:
            plant(argv[2], argv[3], argv[4])
            return 0
        if argv[1:] == ["measure"]:
            return measure()
    except (labs.Wrong, OSError) as err:
        print(f"bug: {err}", file=sys.stderr)
        return 2
    print(__doc__.split("\n\n")[1], file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv))

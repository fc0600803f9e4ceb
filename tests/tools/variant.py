# SPDX-License-Identifier: MIT
"""What differs from student to student: the machine, places in it, the dice, which scenario, which bug.

Everything is drawn from a hash of the term and of who it is, so that it can be drawn again by whoever grades, on
any machine. labs/VARIANT of a student's tree has the values, for his own `make grade`; neither the term's word
nor a way from them to what hidden checks ask. A check takes them by name in braces:

    run = "shell devdax pmem0 align=4K; touch m1+{offset}; page {pfn}"

and {pick} is one of its `pick = […]`.
"""

import hashlib
import os
import re
import tomllib

FILE = os.path.join("labs", "VARIANT")
PFN = 0x100000  # of pmem0's first page, in the process
PLAIN = {"cpus": 2, "pmem0": 1024, "pmem1": 16384}


def who(term, student):
    """The word that all is drawn from."""
    return f"{term}\0{student}"


def draw(word, what, options):
    """One of the options."""
    number = int.from_bytes(hashlib.sha256(f"{word}\0{what}".encode(errors="surrogateescape")).digest()[:8], "big")
    return options[number % len(options)]


def values(term, student):
    """{name: value} of a student."""
    word = who(term, student)
    page = draw(word, "page", range(1, 30000))
    return {"cpus": draw(word, "cpus", (2, 3, 4)), "pmem0": draw(word, "pmem0", range(256, 2049, 128)),
            "pmem1": draw(word, "pmem1", range(16384, 17921, 256)), "seed": draw(word, "seed", range(1, 1 << 31)),
            "page": page, "offset": page * 4096, "pfn": f"{PFN + page:#x}", "few": draw(word, "few", range(3, 60)), "bytes": 4096 * draw(word, "bytes", range(8, 80))}


def machine(drawn):
    """The words that make a student's machine, of Holdfast as a Linux process."""
    drawn = {**PLAIN, **drawn}
    return ["-n", str(drawn["cpus"]), "-p", f"-,size={drawn['pmem0']}M", "-p", f"-,size={drawn['pmem1']}M,scratch"]


def fill(check, drawn, word):
    """A check with its values in."""
    known = {**drawn, "pick": draw(word, f"pick {check.name}", check.pick) if check.pick else ""}

    def value(found):
        return str(known.get(found[1], found[0]))

    def filled(pattern):
        return re.sub(r"\{([a-z]\w*)\}", value, pattern)

    return check._replace(run=re.sub(r"\{(\w+)\}", value, check.run),
                          expect=[filled(one) for one in check.expect] if isinstance(check.expect, list) else
                          check.expect and filled(check.expect))


def write(root, drawn):
    """What a student's tree knows of it."""
    with open(os.path.join(root, FILE), "w", encoding="utf-8") as file:
        file.write("".join(f"{name} = {value}\n" for name, value in drawn.items() if name in PLAIN))


def read(root):
    """The values of a tree; of one that has none, or none that can be read, nothing."""
    try:
        with open(os.path.join(root, FILE), "rb") as file:
            found = tomllib.load(file)
    except (OSError, ValueError):
        return {}
    return {name: value for name, value in found.items()
            if name in PLAIN and isinstance(value, int) and 1 <= value <= 17920} if isinstance(found, dict) else {}

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How many files a build is going to compile (tests/tools/compiling.mk), before it starts with the first one.

On stdin a line for each kind of objects: what all of them stand on besides their sources, a colon, the objects; after
`always:` objects that are compiled whatever they are like. make will compile an object that is not there, or is older than
a file that it stands on, or stands on one that is gone; which files these are it reads, as this does, in the .d file that
the compiler or the assembler wrote. Prints the piece of a format for printf that takes the number of a file: `[%3d/412] `.
"""

import functools
import os
import sys


@functools.lru_cache(maxsize=None)
def changed(path):
    """When a file was written, in nanoseconds; None if it is not there."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def stands_on(obj):
    """The files that the last compilation of an object read; none where nothing is known."""
    for listed in (obj.removesuffix(".o") + ".d", obj + ".d"):
        try:
            with open(listed, encoding="utf-8") as rules:
                return rules.read().split("\n\n")[0].replace("\\\n", " ").partition(":")[2].split("\n")[0].split()
        except OSError:
            continue
    return []


def stale(obj, others):
    """Will make compile it?"""
    when = changed(obj)
    if when is None:
        return True
    source = obj.partition("obj/")[2].removesuffix(".o")
    return any(file is None or file > when for file in map(changed, [*others, source, *stands_on(obj)]))


def count(lines):
    """Of all objects those that will be compiled, each once."""
    found = set()
    for line in lines:
        others, _, objects = line.partition(":")
        found.update(obj for obj in objects.split() if others == "always" or stale(obj, others.split()))
    return len(found)


if __name__ == "__main__":
    TOTAL = str(count(sys.stdin))
    print(f"[%{len(TOTAL)}d/{TOTAL}] ")

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""docs/seeds.md: which self-test shows what each historic patch meant, and where it stands.

    seeds.py            writes the page
    seeds.py --check    exits 1 if the page is not what it would write

The page is derived from the self-tests named seed.SERIES.NUMBER alone: their claim, their file.
"""

import glob
import os
import re
import sys

import explore_home

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "seeds.md")
SERIES = {
    "s0": ("dax: fix dma vs truncate, the lead-in series (October and November 2017)", 15),
    "s1": ("MAP_DIRECT for DAX RDMA and userspace flush, v8 (October 2017)", 14),
    "s2": ("vfio, dax: disable filesystem-dax page pinning, v5 (March 2018)", 12),
    "s3": ("dax: fix dma vs truncate and remove page-less support, v3 (October 2017)", 13),
    "s4": ("Fix the DAX-gup mistake, v2 (September 2022)", 18),
}
HEAD = """# The seeds: one self-test for each patch

Written by `make seeds` from the sources; change the tests, not this page. Every row is a patch of
one of the historic series, by its number in the series, and the self-test that asserts what the
patch was for: `make run CMD="selftest seed.s0.01"` runs one, `selftest seed.*` runs all.
"""
TEST = re.compile(r'SELFTEST\(\s*\w+,\s*"(seed\.(s\d)\.(\d\d))",\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)')


def tests():
    """{series: {number: (name, claim, file)}} of every seed test in the sources."""
    found = {series: {} for series in SERIES}
    for path in sorted(glob.glob(os.path.join(ROOT, "**", "*.c"), recursive=True)):
        where = os.path.relpath(path, ROOT)
        if where.startswith("build"):
            continue
        with open(path, encoding="utf-8") as source:
            for name, series, number, claim in TEST.findall(source.read()):
                text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', claim))
                found.setdefault(series, {})[int(number)] = (name, text, where)
    return found


def page():
    """The text of the page."""
    lines = [HEAD]
    for series, rows in tests().items():
        title, count = SERIES[series]
        if not rows:
            continue
        lines.append(f"## {series}: {title}\n")
        lines.append("| patch | self-test | what it asserts | file |\n| --: | --- | --- | --- |")
        for number in sorted(rows):
            assert number <= count, f"{series} has {count} patches"
            name, claim, where = rows[number]
            lines.append(f"| {number} | `{name}` | {claim} | [{where}](../{where}) |")
        lines.append("")
    return "\n".join(lines)


def main():
    """Writes or checks the page."""
    text = page()
    if sys.argv[1:] == ["--check"]:
        with open(PAGE, encoding="utf-8") as old:
            if old.read() == text:
                return 0
        print("docs/seeds.md is not what the sources say: run 'make seeds'", file=sys.stderr)
        return 1
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    with open(PAGE, "w", encoding="utf-8") as out:
        out.write(text)
    return 0


if __name__ == "__main__":
    explore_home.end_with("seeds", lambda _: main())

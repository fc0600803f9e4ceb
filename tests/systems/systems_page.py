# SPDX-License-Identifier: MIT
"""docs/systems.md: one section for each system, of which the newest run rewrites its own."""

import datetime
import os
import re
from typing import Dict, List, Tuple

Row = Tuple[str, ...]  # what, command, verdict, in words, date

HEAD = """# Systems

The same source on the systems that people have, each with its own compiler, C library source,
assembler, firmware and QEMU. `make test-systems SYSTEM=trixie` writes the section of a system: it
makes that system in a folder, begins with nothing but `make` in it, and goes by README's commands.
`make run` installs what is missing there and builds everything. The first hour is measured on one
made for it alone, with nothing but `git` and `make`: what all processes computed, from the clone of the
committed source to the prompt (at most 180 s), and once more, to the marks of the first lab.

Untried: Ubuntu 24.04 (gcc 13, newlib 4.4, QEMU 8.2). Its gcc is the one that Debian 13 has as gcc-13,
which is tried below; its library lies between two that are tried; nothing else is known.
"""


def section(title: str, versions: List[Tuple[str, str]], rows: List[Row]) -> str:
    lines = [f"## {title}", "", "| package | version |", "|---|---|"]
    lines += [f"| {name} | {version} |" for name, version in versions]
    lines += ["", "| what | command | verdict | in words | run on |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join([what, f"`{command}`", *others]) + " |"
              for what, command, *others in rows]
    return "\n".join(lines) + "\n"


def today() -> str:
    return datetime.date.today().isoformat()


def kept(path: str, title: str) -> Dict[str, Row]:
    """The rows of this title's section as they stand on the page, by what they are about."""
    rows = {}
    for line in sections(path).get(title, "").splitlines():
        row = line[2:-2].split(" | ")
        if line.startswith("| ") and len(row) == 5 and row[0] != "what":
            rows[row[0]] = (row[0], row[1].strip("`"), row[2], row[3].strip(), row[4].strip())
    return rows


def kept_versions(path: str, title: str) -> List[Tuple[str, str]]:
    """The packages of this title's section as they stand on the page."""
    return [(found[1], found[2]) for found in re.finditer(r"(?m)^\| (\S+) \| (\S+) \|$", sections(path).get(title, ""))
            if found[1] != "package"]


def sections(path: str) -> Dict[str, str]:
    found = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as page:
            for part in re.split(r"(?m)^(?=## )", page.read())[1:]:
                found[part.splitlines()[0][3:]] = part.rstrip() + "\n"
    return found


def write(path: str, title: str, versions: List[Tuple[str, str]],
          rows: List[Row]) -> None:
    """Replaces the section with this title, or adds it; the other sections stay as they are."""
    found = sections(path)
    found[title] = section(title, versions, rows)
    with open(path, "w", encoding="utf-8") as page:
        page.write("\n".join([HEAD] + [found[name] for name in sorted(found)]))

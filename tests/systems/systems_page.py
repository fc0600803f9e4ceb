# SPDX-License-Identifier: MIT
"""docs/systems.md: one section for each system, of which the newest run rewrites its own."""

import datetime
import os
import re
from typing import List, Tuple

HEAD = """# Systems

The same source on the systems that people have, each with its own compiler, C library source,
assembler, firmware and QEMU. `make test-systems SYSTEM=trixie` writes the section of a system: it
makes that system in a folder, begins with nothing but `make` in it, and goes by README's commands.
`make run` installs what is missing there and builds everything.

Untried: Ubuntu 24.04 (gcc 13, newlib 4.4, QEMU 8.2). Its gcc is the one that Debian 13 has as gcc-13,
which is tried below; its library lies between two that are tried; nothing else is known.
"""


def section(title: str, versions: List[Tuple[str, str]], rows: List[Tuple[str, ...]]) -> str:
    lines = [f"## {title}", "", f"Run on {datetime.date.today().isoformat()}.", "",
             "| package | version |", "|---|---|"]
    lines += [f"| {name} | {version} |" for name, version in versions]
    lines += ["", "| what | command | verdict | in words |", "|---|---|---|---|"]
    lines += ["| " + " | ".join([what, f"`{command}`".replace("|", "\\|"), verdict, words]) + " |"
              for what, command, verdict, words in rows]
    return "\n".join(lines) + "\n"


def write(path: str, title: str, versions: List[Tuple[str, str]],
          rows: List[Tuple[str, ...]]) -> None:
    """Replaces the section with this title, or adds it; the other sections stay as they are."""
    found = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as page:
            for part in re.split(r"(?m)^(?=## )", page.read())[1:]:
                found[part.splitlines()[0][3:]] = part.rstrip() + "\n"
    found[title] = section(title, versions, rows)
    with open(path, "w", encoding="utf-8") as page:
        page.write("\n".join([HEAD] + [found[name] for name in sorted(found)]))

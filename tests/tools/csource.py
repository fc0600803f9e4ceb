# SPDX-License-Identifier: MIT
"""What the checks of names and words read: C files cut into functions, comments and strings."""

import os
import re
from typing import Iterator, List, NamedTuple

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
FLOORS = ("boot", "kernel", "mm", "drivers", "dax")
# The machine in a Linux process has the names of what it stands for, and Linux's words for the rest.
OTHER_MACHINE = "boot/host"
# The head of a function, as clang-format writes it: from column 0 to the brace in column 0.
HEAD = re.compile(r"^(?P<type>[A-Za-z_][^\n;={}()#]*(?:__attribute__\(\(.*?\)\)[^\n;={}()]*)?\n?)"
                  r"(?<![\w])(?P<name>[a-z_]\w*)\((?P<args>[^;{}]*?)\)\n\{\n(?P<body>.*?)^\}",
                  re.M | re.S)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


class Function(NamedTuple):
    """One definition: where it stands, and its text."""
    path: str
    line: int
    name: str
    static: bool
    args: str
    body: str


def c_files(*tops: str, endings=(".c", ".h")) -> List[str]:
    """The C files below these folders of the project, by their path from the root; without boot/host/."""
    return sorted(os.path.relpath(os.path.join(folder, name), ROOT)
                  for top in tops for folder, _, names in os.walk(os.path.join(ROOT, top))
                  if not folder.endswith(OTHER_MACHINE)
                  for name in names if name.endswith(endings))


def read(path: str) -> str:
    """The text of a file of the project."""
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as stream:
        return stream.read()


def without_comments(text: str) -> str:
    """The same with every comment blank, so that lines keep their numbers."""
    return COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def functions(path: str, text: str) -> Iterator[Function]:
    """Every function that the text defines."""
    for head in HEAD.finditer(without_comments(text)):
        yield Function(path, text.count("\n", 0, head.start("name")) + 1, head["name"],
                       "static" in head["type"].split(), head["args"], head["body"])

# SPDX-License-Identifier: MIT
"""What a part of an exploration keeps, so that it can be killed at any moment: a file of slices.

Its first line says of which words and of which program it is. Then come slices, each a line with the
number of its lines and their sum, and these lines. A slice that is not whole, as who wrote it was killed or
a machine lost its power, is cut off, with what stands behind it: it is explored again. A file of other words
or of another program is none of this exploration: their executions do not add up.
"""

import functools
import hashlib
import os
import re
from typing import Iterable, List, Sequence, Tuple

import explore_home

SLICE = re.compile(rb"kept (\d+) lines ([0-9a-f]{16})\n")


class KeepError(Exception):
    """Whose file it is, in one sentence."""


@functools.lru_cache(maxsize=None)
def program_of(path: str, _changed: Tuple[int, int]) -> str:
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()[:16]


def mark(words: Sequence[str]) -> str:
    """The first line of a file of these words, explored by the program as it is now."""
    path = explore_home.binary()
    state = os.stat(path)
    return f"explore {' '.join(words) or '*'} by program {program_of(path, (state.st_mtime_ns, state.st_size))}"


def slice_of(lines: Sequence[str]) -> bytes:
    body = "".join(line + "\n" for line in lines).encode("utf-8", "replace")
    return b"kept %d lines %s\n" % (len(lines), hashlib.sha256(body).hexdigest()[:16].encode()) + body


def add(path: str, first: str, lines: Sequence[str]) -> None:
    """One more slice, behind those that are whole."""
    with open(path, "ab") as out:
        if not out.tell():
            out.write(first.encode() + b"\n")
        out.write(slice_of(lines))


def marked(path: str) -> str:
    """The first line of a file; empty: it has none that is whole."""
    with open(path, "rb") as stream:
        line = stream.readline().decode("utf-8", "replace")
    return line[:-1] if line.endswith("\n") else ""


def whole(data: bytes) -> Iterable[Tuple[List[str], int]]:
    """The lines of each slice that is whole, and where it ends; up to the first one that is not."""
    at = data.find(b"\n") + 1
    while True:
        head = SLICE.match(data, at)
        if not head:
            return
        end = head.end()
        for _ in range(int(head[1])):
            end = data.find(b"\n", end) + 1
            if not end:
                return
        lines = data[head.end():end].decode("utf-8", "replace").split("\n")[:-1]
        if slice_of(lines) != data[at:end]:
            return
        yield lines, end
        at = end


def is_whole(path: str) -> bool:
    """Nothing of it is damaged, and nothing stands behind it."""
    with open(path, "rb") as stream:
        data = stream.read()
    return [end for _, end in whole(data)][-1:] == [len(data)]


def read(path: str, first: str = "") -> List[List[str]]:
    """The slices of a file, which is to be of this mark; what is not whole behind them is cut off."""
    if not os.path.exists(path):
        return []
    with open(path, "rb") as stream:
        data = stream.read()
    said = marked(path)
    if said and first and said != first:
        raise KeepError(f"{path} is of '{said}', not of '{first}': take another folder, or remove it")
    slices = list(whole(data)) if said else []
    end = slices[-1][1] if slices else len(said) + 1 if said else 0
    if end < len(data):
        os.truncate(path, end)
    return [lines for lines, _ in slices]


def lines(path: str, first: str = "") -> List[str]:
    """All lines that are kept."""
    return [line for slice_ in read(path, first) for line in slice_]

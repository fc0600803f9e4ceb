# SPDX-License-Identifier: MIT
"""What a machine's screen shows: its pixels, and the text in them, read letter by letter."""

import os
import re
from typing import List, Tuple

from hf_config import ROOT

FONT = os.path.join(ROOT, "drivers", "show", "font.c")
DOTS_WIDE, DOTS_HIGH = 5, 8


def letters():
    """{the rows of dots: the letter}, from the kernel's own table."""
    with open(FONT, encoding="utf-8") as source:
        found = re.findall(r"\['(\\?.)' - ' '\] = \{([^}]*)\}", source.read())
    assert len(found) == 95, f"{FONT} has {len(found)} letters"
    return {tuple(int(row, 2) for row in rows.replace("0b", "").split(", ")): name[-1]
            for name, rows in found}


class Screen:
    """A screendump of QEMU, in its own format (PPM)."""

    def __init__(self, path: str):
        with open(path, "rb") as file:
            kind, size, depth, self.data = file.read().split(b"\n", 3)
        assert (kind, depth) == (b"P6", b"255"), (kind, depth)
        self.width, self.height = (int(word) for word in size.split())
        self.letters = letters()

    def pixel(self, x: int, y: int) -> Tuple[int, int, int]:
        at = 3 * (y * self.width + x)
        return tuple(self.data[at:at + 3])

    def letter(self, x: int, y: int, scale: int, behind) -> str:
        """The letter whose first dot is there; a ? that is none of the font's is U+FFFD."""
        rows = tuple(sum((self.pixel(x + dot * scale, y + row * scale) != behind)
                         << (DOTS_WIDE - 1 - dot) for dot in range(DOTS_WIDE))
                     for row in range(DOTS_HIGH))
        return self.letters.get(rows, "\ufffd")

    def text(self, x: int, y: int, scale: int = 2) -> str:
        """The line that begins there; what it stands on is what is at the screen's lower right."""
        behind = self.pixel(self.width - 1, self.height - 1)
        columns = (self.width - x) // ((DOTS_WIDE + 1) * scale)
        step = (DOTS_WIDE + 1) * scale
        return "".join(self.letter(x + n * step, y, scale, behind) for n in range(columns)).rstrip()

    def lines(self, x: int, y: int, count: int, step: int = 18) -> List[str]:
        return [self.text(x, y + n * step) for n in range(count)]


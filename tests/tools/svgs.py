#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Can the pictures in docs/ be read at the width of a page? svgs.py exits 1 and names those that cannot.

At most 900 px wide (a page shrinks what is wider, words included), no words smaller than 12 px, and
and at most three times as wide as high. Only the text of the SVG is looked at.
"""

import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MAX_WIDTH, MIN_FONT = 900, 12
PIXELS = {"pt": 4 / 3, "px": 1, "": 1}


def complaint(svg):
    """Why a picture cannot be read; empty: it can."""
    head = re.search(r'<svg[^>]*? width="([\d.]+)(pt|px|)"\s+height="([\d.]+)(pt|px|)"', svg)
    if not head:
        return "it does not say how large it is"
    width, height = (float(head[n]) * PIXELS[head[n + 1]] for n in (1, 3))
    fonts = [float(size) * (PIXELS[head[2]]) for size in re.findall(r'font-size="([\d.]+)"', svg)]
    if width > MAX_WIDTH:
        return f"{width:.0f} px wide, at most {MAX_WIDTH}"
    if not fonts or min(fonts) < MIN_FONT:
        return f"words of {min(fonts, default=0):.0f} px, at least {MIN_FONT}"
    if width > 3 * height:
        return f"{width:.0f} px wide and only {height:.0f} high"
    return ""


def main():
    found = {path: complaint(open(path, encoding="utf-8").read())
             for path in sorted(glob.glob(os.path.join(ROOT, "docs", "*.svg")))}
    for path, why in found.items():
        if why:
            print(f"{os.path.relpath(path, ROOT)}: {why}", file=sys.stderr)
    return 1 if any(found.values()) or not found else 0


if __name__ == "__main__":
    sys.exit(main())

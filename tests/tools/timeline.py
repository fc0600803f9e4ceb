#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A picture that shows time: a race as docs/lifetimes.md quotes it, one column an actor.

    timeline.py          writes docs/timeline-RACE-LIFETIME.svg for each race of PICTURES
    timeline.py --check  exits 1 if a picture is not what the page quotes

Time goes down. A step is a box in its actor's column at its number; what an actor reports of a step
(a refusal, a sleep) stands in the box. The verdict is the line below. Everything comes from the
quotation between `<!-- run: race … -->` and `<!-- end -->`, which transcripts.py takes from the
machine.
"""

import os
import re
import sys
import textwrap
from xml.sax.saxutils import escape

import explore_home

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "lifetimes.md")
PICTURES = [("A-1", "unaware"), ("A-1", "busy-extent")]
WIDTH, LINE, PAD, FONT = 860, 17, 8, 13
COLORS = {"safe": "#1a7f37", "BROKEN": "#c0341d", "HUNG": "#b26a00"}


def quotation(text, race, lifetime):
    """The lines that the page quotes of `race RACE lifetime=LIFETIME`."""
    found = re.search(rf"<!-- run: race {race} lifetime={lifetime} -->\n```text\n(.*?)```", text, re.S)
    if not found:
        sys.exit(f"docs/lifetimes.md does not quote race {race} lifetime={lifetime}")
    return found.group(1).splitlines()


def parse(lines):
    """Actors, steps (number, column, words) and the verdict of a quoted race."""
    actors, steps, verdict = [], [], ""
    for line in lines:
        row = re.match(r"\s*(\d*) \| (.*)\|$", line)
        if line.startswith("race "):
            verdict = line
        elif row:
            cells = [cell.strip() for cell in row.group(2).split("|")]
            if not actors:
                actors = cells
                continue
            column = next(i for i, cell in enumerate(cells) if cell)
            if row.group(1):
                steps.append([row.group(1), column, cells[column]])
            else:
                steps[-1][2] += " " + cells[column]
    return actors, steps, verdict


def text(x, y, words, extra=""):
    return f'<text x="{x}" y="{y}"{extra}>{escape(words)}</text>\n'


def draw(lines):
    """The picture of a quoted race, as SVG."""
    return picture(*parse(lines))


def picture(actors, steps, verdict):
    """Time goes down, a column an actor; steps: [number, column, words]."""
    left = 40
    wide = (WIDTH - left) // len(actors)
    body, y = "", 56
    for number, column, words in steps:
        rows = textwrap.wrap(words.replace(" = ", " → "), int((wide - 4 * PAD) / (FONT * 0.55)))
        high = len(rows) * LINE + PAD
        x = left + column * wide + PAD
        refused = " → " in words.replace(" = ", " → ")
        body += (f'<rect x="{x}" y="{y}" width="{wide - 2 * PAD}" height="{high}" rx="5" '
                 f'fill="{"#fff3e0" if refused else "#eef3fb"}" stroke="#5b6b82"/>\n')
        body += text(14, y + LINE, number, ' fill="#5b6b82"')
        for n, row in enumerate(rows):
            body += text(x + PAD, y + LINE * (n + 1) - 2, row)
        y += high + 12
    verdict_rows = textwrap.wrap(verdict, int((WIDTH - 20) / (FONT * 0.58)))
    kind = re.search(r"\b(safe|BROKEN|HUNG)\b", verdict).group(1)
    head = ""
    for n, actor in enumerate(actors):
        middle = left + n * wide + wide // 2
        head += text(middle, 24, actor, ' text-anchor="middle" font-weight="bold"')
        head += (f'<line x1="{middle}" y1="34" x2="{middle}" y2="{y}" stroke="#b7c0cd" '
                 'stroke-dasharray="3 4"/>\n')
    for n, row in enumerate(verdict_rows):
        body += text(14, y + LINE * (n + 1), row, f' fill="{COLORS[kind]}" font-weight="bold"')
    high = y + LINE * len(verdict_rows) + 14
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{high}" '
            f'viewBox="0 0 {WIDTH} {high}" font-family="Helvetica, Arial, sans-serif" '
            f'font-size="{FONT}">\n<rect width="{WIDTH}" height="{high}" fill="#ffffff"/>\n'
            f'{head}{body}</svg>\n')


def main():
    with open(PAGE, encoding="utf-8") as page:
        quotes = page.read()
    for race, lifetime in PICTURES:
        path = os.path.join(ROOT, "docs", f"timeline-{race}-{lifetime}.svg")
        fresh = draw(quotation(quotes, race, lifetime))
        if sys.argv[1:] == ["--check"]:
            if not os.path.exists(path) or open(path, encoding="utf-8").read() != fresh:
                print(f"{os.path.relpath(path, ROOT)} is not what the page quotes: run 'make docs'",
                      file=sys.stderr)
                return 1
            continue
        with open(path, "w", encoding="utf-8") as out:
            out.write(fresh)
    return 0


if __name__ == "__main__":
    explore_home.end_with("timelines", lambda _: main(), "what was not written is as it was")

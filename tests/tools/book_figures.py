# SPDX-License-Identifier: MIT
"""The pictures of the book, each drawn from what the machine says or from the sources.

    race NAME lifetime=L      the race, a column an actor (timeline.py)
    order [SWITCH: ]SCENARIO  the shortest order of events that breaks it, likewise
    memory                    where RAM, the DIMMs and their page records lie: from `pmem` and `pgmap`
    state-word                the bits of a page record's state: from mm/page/page.h
    walk ADDRESS              the entries of the page tables that lead from an address to a page
"""

import re
import sys
from typing import Dict, List, Tuple

import timeline
from book_blocks import home_text, read

WIDTH, FONT = 860, 13
HEAD = ('<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="{f}">\n'
        '<rect width="{w}" height="{h}" fill="#ffffff"/>\n')
COLOURS = {"ram": "#eef3fb", "pmem": "#e3f4e6", "records": "#fff3e0", "free": "#f6f6f6"}


def box(x: float, y: float, w: float, h: float, fill: str, words: List[str]) -> str:
    """A box with lines of words in its middle."""
    body = (f'<rect x="{x:.0f}" y="{y:.0f}" width="{w:.0f}" height="{h:.0f}" rx="4" fill="{fill}" '
            'stroke="#5b6b82"/>\n')
    for n, line in enumerate(words):
        top = y + h / 2 + (n - (len(words) - 1) / 2) * 17 + 5
        body += timeline.text(round(x + w / 2), round(top), line, ' text-anchor="middle"')
    return body


def drawn(height: int, body: str) -> str:
    return HEAD.format(w=WIDTH, h=height, f=FONT) + body + "</svg>\n"


# ---- orders

def race(what: str) -> str:
    """A race as the home plays it."""
    said = home_text([f"race {what}"])
    lines = re.search(rf"(?ms)^> race {re.escape(what)}\n(.*?)^\[status", said)
    return timeline.draw(lines.group(1).splitlines())


def without_addresses(text: str) -> str:
    """Entries of page tables by letters, in the order in which they occur: where a table lies in RAM is of no
    interest, and another one with each change of the kernel's size."""
    letters: Dict[str, str] = {}

    def named(m: "re.Match[str]") -> str:
        return "entry " + letters.setdefault(m[0], chr(ord("A") + len(letters)))
    return re.sub(r"= 0x[0-9a-f]{4,8}003\b", "= the next table", re.sub(r"\b0x2000[0-9a-f]{8}\b", named, text))


def order(what: str) -> str:
    """A counterexample of the explorer: who did what, without the places in the source."""
    switch, _, command = what.rpartition(": ")
    said = home_text(([f"museum {switch} on"] if switch else []) + [f"explore {command}"])
    verdict, rest = re.search(r"(?ms)^(explore \S+ [^\n]*)\n(.*?)^token", said).groups()
    head, *rows = without_addresses(rest).splitlines()
    starts = [m.start() for m in re.finditer(r"(?<=  )\S+(?: \d)?(?=  |$)", head)]
    names = re.findall(r"\S+(?: \d)?", head)
    steps: List[Tuple[str, int, str]] = []
    for row in rows:
        found = re.match(r"\s*(\d+)>?\s+", row)
        if found:
            column = max((n for n, at in enumerate(starts) if at <= found.end()), default=0)
            steps.append((found[1], column, row[found.end():].strip()))
    used = sorted({column for _, column, _ in steps})
    return timeline.picture([names[n] for n in used],
                            [[number, used.index(column), words] for number, column, words in steps],
                            re.sub(r" strategy=\S+", "", verdict))


# ---- memory

def gib(text: str) -> float:
    return int(text, 16) / (1 << 30)


def memory(_: str) -> str:
    """Physical memory below, the window of page records above it, joined by arithmetic."""
    said = home_text(["pmem", "pgmap", "memory"])
    regions = re.findall(r"(?m)^(pmem\d): (0x[0-9a-f]+) - (0x[0-9a-f]+), (.*?),", said)
    records = re.findall(r"pfn (0x[0-9a-f]+) - (0x[0-9a-f]+) \(.*?\), records at (0x[0-9a-f]+)", said)
    ram = re.search(r"RAM: (\d+) KiB", said)[1]
    body = timeline.text(20, 26, "physical addresses, low to high (not to scale)", ' font-weight="bold"')
    x = 20
    for name, words, width, kind in [("RAM", [f"{int(ram) // 1024} MiB", "programs, kernel"], 150, "ram"),
                                     ("", ["nothing"], 90, "free"),
                                     *[(r[0], [r[3], f"from {r[1]}"], 250 + 40 * n, "pmem")
                                       for n, r in enumerate(regions)]]:
        body += box(x, 40, width, 70, COLOURS[kind], ([name] if name else []) + words)
        x += width + 10
    body += timeline.text(20, 150, "kernel addresses: one record of 32 bytes for each 4 KiB above",
                          ' font-weight="bold"')
    x = 20 + 150 + 10 + 90 + 10
    for n, (first, last, at) in enumerate(records):
        pages = int(last, 16) - int(first, 16) + 1
        width = 250 + 40 * n
        body += box(x, 164, width, 70, COLOURS["records"],
                    [f"records at {at}", f"room for {pages:,} records", "made when a page is first used"])
        body += (f'<line x1="{x + width // 2}" y1="112" x2="{x + width // 2}" y2="162" stroke="#5b6b82" '
                 'stroke-dasharray="3 4"/>\n')
        x += width + 10
    return drawn(290, body)


def state_word(_: str) -> str:
    """Bits 63 to 0, from the constants that the code uses."""
    text = read("mm/page/page.h")
    for name, value in (("PAGE_REF_MASK", "0xffffffffull"), ("PAGE_MAP_MASK", "(0x3fffffffull << 32)"),
                        ("PAGE_FOLIO", "(1ull << 62)"), ("PAGE_BUSY", "(1ull << 63)")):
        if not re.search(rf"#define {name}\s+{re.escape(value)}", text):
            sys.exit(f"mm/page/page.h has another {name} than this picture")
    body = timeline.text(20, 26, "struct page: the state word, 64 bits", ' font-weight="bold"')
    x = 20
    for words, bits, width, kind in ((["busy", "1 bit"], "63", 80, "records"), (["folio", "1 bit"], "62", 80, "ram"),
                                     (["mappings", "30 bits"], "61 … 32", 320, "pmem"),
                                     (["references", "32 bits"], "31 … 0", 320, "pmem")):
        body += box(x, 40, width, 60, COLOURS[kind], words)
        body += timeline.text(x + width // 2, 120, bits, ' text-anchor="middle"')
        x += width + 6
    notes = ("busy: the file has freed the block, and somebody still holds the page (chapter 11)",
             "folio: this record counts for all 512 pages of its 2 MiB (chapter 8)",
             "mappings: page-table entries that lead here (chapters 3 and 7)",
             "references: get_user_pages takes them, a put gives them back (chapters 4 and 5)")
    for n, line in enumerate(notes):
        body += timeline.text(20, 156 + 22 * n, line)
    return drawn(max(290, 156 + 22 * len(notes)), body)


def walk(address: str) -> str:
    """Four tables, nine bits of the address for each, twelve that stay."""
    value = int(address, 16)
    parts = [value >> shift & 511 for shift in (39, 30, 21, 12)] + [value & 4095]
    body = timeline.text(20, 26, f"the address {address}, cut into what picks an entry of each table",
                         ' font-weight="bold"')
    names = ("level 4", "level 3", "level 2", "level 1", "the page")
    covers = ("512 GiB an entry", "1 GiB an entry", "2 MiB an entry", "4 KiB an entry", "4096 bytes")
    for n, (name, cover, part) in enumerate(zip(names, covers, parts)):
        x = 20 + n * 166
        body += box(x, 44, 150, 34, COLOURS["free"], [f"{'entry' if n < 4 else 'byte'} {part}"])
        body += box(x, 110, 150, 70, COLOURS["ram" if n < 4 else "pmem"], [name, cover])
        body += (f'<line x1="{x + 75}" y1="78" x2="{x + 75}" y2="108" stroke="#5b6b82"/>\n')
        if n < 4:
            body += (f'<line x1="{x + 150}" y1="145" x2="{x + 166}" y2="145" stroke="#5b6b82"/>\n'
                     f'<polygon points="{x + 166},145 {x + 158},140 {x + 158},150" fill="#5b6b82"/>\n')
    body += timeline.text(20, 214, "level 4 is where register CR3 leads; an entry of level 2 may show 2 MiB at once "
                          "(chapter 8)")
    return drawn(290, body)


KINDS = {"race": race, "order": order, "memory": memory, "state-word": state_word, "walk": walk}


def figure(what: str) -> str:
    """The picture of a `figure` comment."""
    kind, _, rest = what.partition(" ")
    return KINDS[kind](rest)

# SPDX-License-Identifier: MIT
"""What the chapters of the book (docs/book) quote: each block names what makes it, and is made here.

In a chapter stand, each behind a comment of its own line:

    <!-- home after: COMMANDS -->      a block of text: what the home (build/host/holdfast) prints, which was
                                       given these commands and then those behind `> ` in the block
    <!-- machine after: COMMANDS -->   the same of a machine in QEMU, with ICOUNT=1
    <!-- explored: A; B model=tso -->  up to <!-- end -->: a table of what `explore A` and so on counted
    <!-- verdicts: A-1 C-2 -->         the same: how these races end, under every lifetime
    <!-- source: PATH NAME -->         a block of C: the struct or function of that name
    <!-- refusals -->                  up to <!-- end -->: what the chapter's files refuse, and assert
    <!-- figure: NAME: WHAT -->        the picture figures/NAME.svg, drawn from WHAT (book_figures.py)

Everything but `machine` takes milliseconds, so a test may make all of it again.
"""

import os
import re
import subprocess
import sys
import tempfile
from typing import Callable, Dict, List, NamedTuple, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "qemu"), os.path.join(ROOT, "tests", "tools")]
from csource import c_files, read, without_comments  # noqa: E402

BOOK = os.path.join(ROOT, "docs", "book")
HOME = os.path.join(ROOT, "build", "host", "holdfast")
SESSION = re.compile(r"(<!-- (home|machine) after: ?(.*?) ?-->\n```text\n)(.*?)(```\n)", re.S)
TABLE = re.compile(r"(<!-- (explored|verdicts): (.*?) -->\n)(.*?)(<!-- end -->)", re.S)
SOURCE = re.compile(r"(<!-- source: (\S+) (\w+) -->\n```c\n)(.*?)(```\n)", re.S)
REFUSALS = re.compile(r"(<!-- refusals -->\n)(.*?)(<!-- end -->)", re.S)
FIGURE = re.compile(r"<!-- figure: (\S+): (.*?) -->")
SPEED = re.compile(r"(?m)^ +\d+ executions/s, .*\n")  # of the host, and of no interest


class Chapter(NamedTuple):
    """A row of the table in dax/book/places.c."""
    number: int
    file: str
    title: str


def chapters() -> List[Chapter]:
    """The chapters, as the kernel knows them."""
    text = re.search(r"BOOK_CHAPTERS\((.*?)\);", read("dax/book/places.c"), re.S).group(1)
    return [Chapter(int(n), file, title) for n, file, title in
            re.findall(r'\{(\d+), "([^"]+)",\s*"([^"]+)"\}', text)]


def places() -> Dict[str, int]:
    """{beginning of a file's name: chapter}, likewise."""
    text = re.search(r"BOOK_PLACES\((.*?)\);", read("dax/book/places.c"), re.S).group(1)
    return {path: int(n) for path, n in re.findall(r'\{"([^"]+)",\s*(\d+)\}', text)}


def chapter_of(path: str, table: Dict[str, int]) -> int:
    """The chapter that a file of the sources belongs to; 0: none."""
    fits = [begin for begin in table if path.startswith(begin)]
    return table[max(fits, key=len)] if fits else 0


def page_path(chapter: Chapter) -> str:
    return os.path.join(BOOK, chapter.file + ".md")


# ---- sessions

def ext4_image(folder: str) -> str:
    """A fresh pmem0, as `make run` makes it."""
    import hf_media
    path = os.path.join(folder, "pmem0.img")
    hf_media.make_ext4(path, 1 << 30)
    return path


def home_text(commands: List[str]) -> str:
    """What the home prints of these commands, frames of the shell included."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [HOME, "-p", ext4_image(folder), "-p", "-,size=16G,scratch", "-c", "; ".join(commands)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, timeout=60)
    return done.stdout.decode(errors="replace").replace("\r", "")


def machine_text(commands: List[str]) -> str:
    """The same of a machine in QEMU."""
    from hf_machine import run_commands
    with tempfile.TemporaryDirectory() as folder:
        return run_commands("; ".join(commands), folder, ICOUNT="1", TIMEOUT="300").text.replace("\r", "")


def session(where: str, prepare: str, block: str) -> str:
    """What the block has to be: the commands in it with what they print. Of the words about each
    command's status only those of failures are left."""
    lines = re.findall(r"(?m)^> (.*)$", block)
    runs: Dict[str, Callable[[List[str]], str]] = {"home": home_text, "machine": machine_text}
    said = runs[where]([*([prepare] if prepare else []), *lines, "echo over"])
    begin, end = said.find(f"> {lines[0]}\n"), said.find("> echo over\n")
    if begin < 0 or end < 0:
        raise ValueError(f"`{lines[0]}` and what follows did not come to its end:\n{said[-2000:]}")
    return SPEED.sub("", re.sub(r"(?m)^\[status 0\]\n", "", said[begin:end]))


# ---- tables

def explored(what: str) -> str:
    """A row for each scenario of `A; B model=tso; MUSEUM: C`: what the explorer counted."""
    rows = "| scenario | switched on | model | orders run | outcomes | verdict |\n|---|---|---|--:|--:|---|\n"
    for one in what.split("; "):
        switch, _, command = one.rpartition(": ")
        lines = ([f"museum {switch} on"] if switch else []) + [f"explore {command}"]
        said = home_text(lines)
        found = re.search(r"^explore (\S+) .*?model=(\S+) .*?(\d+) executions(?:, (\d+) outcomes)?.*?, "
                          r"(safe|BROKEN \S+|HUNG \S+)", said, re.M)
        if not found:
            raise ValueError(f"`{command}` says no verdict:\n{said[-800:]}")
        rows += (f"| `{found[1]}` | {'`' + switch + '`' if switch else '–'} | {found[2]} | {found[3]} | "
                 f"{found[4] or '–'} | {found[5]} |\n")
    return rows


def verdicts(what: str) -> str:
    """A row for each lifetime, a column for each race."""
    races = what.split()
    cells: Dict[str, List[str]] = {}
    for race in races:
        for lifetime, verdict in re.findall(rf"(?m)^race {re.escape(race)} lifetime=(\S+): (safe|\w+ I\d)",
                                            home_text([f"race {race} lifetime=all"])):
            cells.setdefault(lifetime, []).append(verdict)
    head = f"| lifetime | {' | '.join(f'`{race}`' for race in races)} |\n|---|{'---|' * len(races)}\n"
    return head + "".join(f"| {name} | {' | '.join(row)} |\n" for name, row in cells.items())


# ---- sources

def definition(path: str, name: str) -> str:
    """The text of a struct or a function, with the comment right above it left out."""
    text = read(path)
    found = (re.search(rf"^(?:static )?struct {name} \{{\n.*?^\}}[^\n]*;\n", text, re.M | re.S) or
             re.search(rf"^[a-z][^\n;=]*(?:\n[^\n;=]*)?\b{name}\([^;{{]*\)\n\{{\n.*?^\}}\n", text, re.M | re.S))
    if not found:
        raise ValueError(f"{path} defines no {name}")
    return found.group(0).expandtabs(8)


STRING = r'"(?:[^"\\]|\\.)*"'
CALL = re.compile(r"\b(refuse|panic|panic_frame|ASSERT)\(")


def arguments(text: str, at: int) -> str:
    """The text between the parenthesis that ends at `at` and the one that closes it."""
    depth, end, quoted = 1, at, False
    while depth:
        c = text[end]
        if quoted and c == "\\":
            end += 1
        elif c == '"':
            quoted = not quoted
        elif not quoted:
            depth += (c == "(") - (c == ")")
        end += 1
    return text[at:end - 1]


def sentence(args: str) -> str:
    """The format, its pieces put together; what it prints of the moment as "…"."""
    pieces = re.search(rf"{STRING}(?:\s*(?:PRI\w+\s*)?{STRING})*", args)
    if not pieces:
        return ""
    text = "".join(re.findall(STRING, pieces.group(0))).replace('""', "")
    text = re.sub(r"%[-+ 0#]*[\d.*]*(?:hh|h|ll|l|z)?[a-zA-Z]", "…", text.strip('"'))
    return text.replace("\\n", " ").replace('\\"', '"').strip()


def said_by(path: str) -> List[Tuple[str, str]]:
    """[(kind, sentence)] of what a file refuses, asserts and panics with; ("refuse", "") hands on the
    sentence of another one, or a variable's."""
    text = without_comments(read(path))
    return [(call[1], sentence(arguments(text, call.end()))) for call in CALL.finditer(text)]


def explained_files() -> List[str]:
    """The files of mm/ and dax/ that can be met by a message."""
    return [path for path in c_files("mm", "dax") if "/test_" not in path]


def refusals(number: int) -> str:
    """The table of one chapter: sentence and file, refusals first."""
    table, rows = places(), {"refuse": [], "ASSERT": []}
    for path in explained_files():
        if chapter_of(path, table) != number:
            continue
        for kind, text in said_by(path):
            plain = text.replace("…", "").strip(" :")
            row = (text.replace("|", "\\|"), path)
            kind = "refuse" if kind == "refuse" else "ASSERT"
            if len(plain) > 3 and row not in rows[kind]:
                rows[kind].append(row)
    out = ""
    for kind, head in (("refuse", "what is refused"), ("ASSERT", "what must hold, else a panic")):
        if rows[kind]:
            out += f"| {head} | said by |\n|---|---|\n"
            out += "".join(f"| {text} | `{path}` |\n" for text, path in rows[kind]) + "\n"
    return out or "No file of this chapter refuses anything by itself.\n\n"


# ---- a whole page

def made(text: str, number: int, machine: bool = True) -> str:
    """The chapter as it has to be. Without `machine` the blocks of a machine stay as they are."""
    def one_session(m: "re.Match[str]") -> str:
        if m[2] == "machine" and not machine:
            return m[0]
        return m[1] + session(m[2], m[3], m[4]) + m[5]

    text = SESSION.sub(one_session, text)
    kinds = {"explored": explored, "verdicts": verdicts}
    text = TABLE.sub(lambda m: m[1] + kinds[m[2]](m[3]) + m[5], text)
    text = SOURCE.sub(lambda m: m[1] + definition(m[2], m[3]) + m[5], text)
    return REFUSALS.sub(lambda m: m[1] + refusals(number) + m[3], text)


LOOSE = (
    (re.compile(r"(\.[ch]):\d+"), r"\1:N"),  # a line of source moves without anybody's doing
    (re.compile(r"\+0x[0-9a-f]+ "), "+N "),
    (re.compile(r"\b0x(?:ffffffff8|4000)[0-9a-f]{7,}\b"), "CODE"),
    (re.compile(r"(?m)^(RAM: |page tables ).*$"), r"\1N"),  # the size of the image, and what is left
    (re.compile(r"(token \S+:)[0-9a-f]+"), r"\1T"),
)


def same(one: str, other: str) -> bool:
    """Do two pages say the same, lines and addresses of code aside?"""
    for pattern, to in LOOSE:
        one, other = pattern.sub(to, one), pattern.sub(to, other)
    return one == other

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What docs/lifetimes.md, leases.md and iommu.md quote from the machine: runs it, writes the pages.

    transcripts.py          runs every quoted command once more and writes the pages
    transcripts.py --check  exits 1 if a verdict in lifetimes.md is not what the machine says

In leases.md and iommu.md a block of text behind `<!-- from the machine, after: COMMANDS -->` is what a machine of
its own prints, which was given these commands and then those that stand in the block behind `> `.
In lifetimes.md a quotation stands between `<!-- run: COMMAND -->` and `<!-- end -->`; the table of all cells
between `<!-- table -->` and `<!-- end -->`. All of it comes from one run with ICOUNT=1, in which
every run of the same kernel takes the same course. Verdicts are the same in any run, so a check may
take what another one printed: commands() says what has to be in it, told() gives the page.
"""

import os
import re
import sys
import tempfile

import explore_home
from progress import Progress

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "qemu"))
PAGE = os.path.join(ROOT, "docs", "lifetimes.md")
SESSIONS = [os.path.join(ROOT, "docs", name) for name in ("leases.md", "iommu.md")]
SESSION = re.compile(r"(<!-- from the machine, after: (.*?) -->\n```text\n)(.*?)(```\n)", re.S)
QUOTE = re.compile(r"(<!-- run: (.*?) -->\n)(.*?)(<!-- end -->)", re.S)
TABLE = re.compile(r"(<!-- table -->\n)(.*?)(<!-- end -->)", re.S)
CELL = re.compile(r"^race (\S+) lifetime=(\S+?)( museum=\S+| era=\S+)?: (safe|BROKEN I\d|HUNG I\d|skip)",
                  re.M)
# In `race all`: a later era of a design.
ERA = re.compile(r"^  race (\S+) lifetime=(\S+) era=(\S+): (safe|BROKEN I\d|HUNG I\d|skip)", re.M)
# In `lifetime NAME`: its eras, and where one was measured.
ERAS = re.compile(r"^  era=(\S+?)( \(default\))?: Linux .*?, (measured on|not measured)", re.M)
WITH_ERAS = ("idle-at-one", "counted-map")
SECONDS = "600"


def run(commands):
    """{command: what it printed}, of one machine."""
    from hf_machine import run_commands
    with tempfile.TemporaryDirectory() as folder:
        result = run_commands("; ".join(commands), folder, ICOUNT="1", TIMEOUT=SECONDS)
    if len(result.commands) < len(commands):
        sys.exit(f"the machine stopped early; the end of what it said:\n{result.text[-2000:]}")
    return {c.line: c.output.replace("\r", "").strip("\n") for c in result.commands}


def session(prepare, text):
    """What a machine prints from the first of the commands in `text` on, without the words about
    each command's status."""
    from hf_machine import run_commands
    lines = re.findall(r"(?m)^> (.*)$", text)
    with tempfile.TemporaryDirectory() as folder:
        said = run_commands("; ".join([prepare, *lines, "echo over"]), folder, ICOUNT="1",
                            TIMEOUT=SECONDS).text.replace("\r", "")
    begin, end = said.find(f"> {lines[0]}\n"), said.find("> echo over\n")
    if begin < 0 or end < 0:
        sys.exit(f"the machine stopped early; the end of what it said:\n{said[-2000:]}")
    return re.sub(r"(?m)^\[status \d+\]\n", "", said[begin:end])


def sessions(path):
    """[(what prepares the machine, what the page quotes)] of such a page."""
    with open(path, encoding="utf-8") as page_file:
        return [(match[2], match[3]) for match in SESSION.finditer(page_file.read())]


def without_times(text):
    """A session with every time as N: how long something took is another figure in each build."""
    return re.sub(r"\b\d+(\.\d+)? ms\b", "N ms", text)


def write_sessions():
    """The pages that quote whole machines, with what these say now."""
    for path in SESSIONS:
        with open(path, encoding="utf-8") as old:
            text = old.read()
        fresh = SESSION.sub(lambda m: m[1] + session(m[2], m[3]) + m[4], text)
        with open(path, "w", encoding="utf-8") as out:
            out.write(fresh)


def verdicts(text):
    """Every verdict line, cut after the invariant: the same in every run."""
    return [match.group(0) for match in CELL.finditer(text)]


def columns(lifetimes, eras):
    """[(key of a cell, heading)]: each design, and behind it its later eras. `eras`: what `lifetime
    NAME` said, for each that has any."""
    found = []
    for name in lifetimes:
        told = ERAS.findall(eras.get(name, ""))
        first = "".join(f" {era}" for era, default, _ in told if default)
        found.append((name, name + first))
        found += [(f"{name} {era}", era + (" ✓" if how == "measured on" else ""))
                  for era, default, how in told if not default]
    return found


def table(text, eras):
    """`race all` as a table of Markdown: a row for a race, a column for a lifetime or an era."""
    rows, lifetimes = {}, []
    for race, lifetime, other, verdict in CELL.findall(text):
        if other:
            continue
        rows.setdefault(race, {})[lifetime] = verdict
        if lifetime not in lifetimes:
            lifetimes.append(lifetime)
    for race, lifetime, era, verdict in ERA.findall(text):
        rows[race][f"{lifetime} {era}"] = verdict
    heads = columns(lifetimes, eras)
    head = f"| race | {' | '.join(text for _, text in heads)} |\n| --- |{' --- |' * len(heads)}\n"
    shown = {"safe": "safe", "skip": "–", "": "·"}

    def cell(verdict):
        return shown.get(verdict, f"**{verdict}**")

    return head + "".join(f"| `{race}` | " + " | ".join(cell(cells.get(key, "")) for key, _ in heads)
                          + " |\n" for race, cells in rows.items())


def page():
    """The page as it is."""
    with open(PAGE, encoding="utf-8") as old:
        return old.read()


def commands(text):
    """What the machine is asked for this page, each once."""
    quoted = [match.group(2) for match in QUOTE.finditer(text)]
    return list(dict.fromkeys(quoted + [f"lifetime {name}" for name in WITH_ERAS] + ["race all"]))


def told(text, output):
    """The page with what the machine says now. `output`: {command: what it printed}."""
    eras = {name: output[f"lifetime {name}"] for name in WITH_ERAS}
    fresh = QUOTE.sub(lambda m: f"{m[1]}```text\n> {m[2]}\n{output[m[2]]}\n```\n{m[4]}", text)
    return TABLE.sub(lambda m: m[1] + table(output["race all"], eras) + m[3], fresh)


def same_verdicts(text, fresh):
    """Do the two pages agree in each verdict, quoted or in the table?"""
    return verdicts(fresh) == verdicts(text) and TABLE.findall(fresh) == TABLE.findall(text)


def main():
    """Writes or checks the page."""
    text = page()
    with Progress("asking the machine, some minutes"):
        fresh = told(text, run(commands(text)))
    if sys.argv[1:] == ["--check"]:
        if not same_verdicts(text, fresh):
            print("docs/lifetimes.md is not what the machine says: run 'make docs'", file=sys.stderr)
            return 1
        return 0
    with open(PAGE, "w", encoding="utf-8") as out:
        out.write(fresh)
    write_sessions()
    return 0


if __name__ == "__main__":
    explore_home.end_with("quotes", lambda _: main(), "what was not written is as it was")

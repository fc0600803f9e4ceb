# SPDX-License-Identifier: MIT
"""docs/mutants.md, from the outcomes of campaigns and mutants_explained.txt.

The page itself keeps the outcomes of earlier campaigns (of_page()): what this one has not tried
stays as it was, with today's line, and with its date and commit.

mutants_explained.txt has a paragraph for each survivor that no test can or should kill: its name, a
colon and a kind, then the reason, indented. The name says floor and file, and no folder between
them, so that it survives a move; the page shows where the file lies.

    mm/page.c:put_run:swap:de0e22d8: equivalent
        Both statements …

The kinds: `equivalent` (no run of the kernel differs in anything but time), `explorer` (only one
rare order of events, or the memory model, shows it), `text` (only words at the console differ,
which a test in tests/qemu reads, and no self-test can), `guard` (a check of what cannot be while the
code around it is right). A name that is no survivor any more is told.
"""

import os
import re
import sys
from collections import Counter
from typing import Dict, Iterable, List, Tuple

import mutants_source
from mutants_machine import ROOT

PAGE = os.path.join(ROOT, "docs", "mutants.md")
EXPLAINED = os.path.join(ROOT, "tests", "tools", "mutants_explained.txt")
NONE = ("no-build", "same-code")  # no mutants at all, and not counted

HEAD = """<!-- SPDX-License-Identifier: MIT -->
# Mutants: what a test notices

*Written by `make mutants` from its outcomes; the reasons are from `tests/tools/mutants_explained.txt`.*

One small change at a time is made in the code that everything else stands on; the kernel is built
with it, and self-tests run until one fails. What passes them all, and is not proven equivalent, is
tried with `race all` too: once with every order of events given (`ICOUNT=1`), once on two CPUs.
`tests/tools/mutants_source.py` says which changes there are, `tests/tools/mutants_machine.py` how
they are built, `tests/tools/mutants_watch.py` how a machine is judged, and what a hang is. A change
from which the compiler makes the same code is none, and is not counted; neither is one that does not
compile.
"""


def explanations() -> Dict[str, Tuple[str, str]]:
    """Name: (kind, reason)."""
    found: Dict[str, Tuple[str, str]] = {}
    name, kind, words = "", "", []
    try:
        with open(EXPLAINED, encoding="utf-8") as stream:
            lines = stream.read().split("\n") + ["end: equivalent"]
    except OSError:
        return {}
    for line in lines:
        match = re.match(r"(\S+): (equivalent|explorer|text|guard)$", line)
        if match:
            if name:
                found[name] = (kind, " ".join(words))
            name, kind, words = match.group(1), match.group(2), []
        elif line.strip() and not line.startswith("#"):
            words.append(line.strip())
    return found


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def code(text: str) -> str:
    return "`" + cell(text if text.endswith("…") else text[:110] + ("…" if len(text) > 110 else "")) + "`"


def row(name: str, outcome: dict, why: Dict[str, Tuple[str, str]]) -> str:
    by = cell(outcome.get("by", "")).removeprefix("selftest ")
    if outcome["verdict"] == "survived":
        kind, reason = why.get(name, ("NOT EXPLAINED", ""))
        by = f"**{kind}** {cell(reason)}"
        by = by[:400] + (" *`race all` passes, too.*" if outcome.get("raced") else "")
    verdict = outcome["verdict"]
    if outcome.get("by", "").startswith("race "):
        verdict = "killed by race " + by.split()[1]
    if outcome.get("gone"):
        verdict += " †"
    _, function, kind, mark = name.rsplit(":", 3)
    return (f"| {function}:{outcome['line']} | {kind} {mark} | {code(outcome['change'])} | "
            f"{verdict} | {by[:430]} | {outcome['date']} {outcome['commit']} |")


def place(file: str, names: Iterable[str]) -> str:
    """Where the file lies today that mutants call by its floor and its own name (short()): those files
    that have one of the functions; if none has, as those were renamed, all of that name."""
    functions = {name.split(":")[1] for name in names}
    found, others = [], []
    for folder, _, inside in os.walk(os.path.join(ROOT, file.split("/")[0])):
        path = os.path.relpath(os.path.join(folder, os.path.basename(file)), ROOT)
        if os.path.basename(file) not in inside or mutants_source.short(path) != file:
            continue
        with open(os.path.join(ROOT, path), encoding="utf-8") as stream:
            text = stream.read()
        here = any(re.search(rf"^[^\n;]*\b{name}\([^;]*\)\n{{", text, re.M) for name in functions)
        (found if here else others).append(path)
    return ", ".join(sorted(found or others)) or file


def totals(outcomes: Dict[str, dict], why) -> List[str]:
    """The table of numbers: a line a file."""
    lines = ["| file | mutants | killed | equivalent | for the explorer | words only | guard | "
             "not explained |", "|---|---:|---:|---:|---:|---:|---:|---:|"]
    files = sorted({name.split(":")[0] for name in outcomes})
    for file in files + ["all"]:
        mine = {n: o for n, o in outcomes.items() if file in ("all", n.split(":")[0])}
        count = Counter(o["verdict"] if o["verdict"] == "killed" else why.get(n, ("unexplained",))[0]
                        for n, o in mine.items())
        shown = file if file == "all" else place(file, mine)
        lines.append(f"| {shown} | {len(mine)} | {count['killed']} | {count['equivalent']} | "
                     f"{count['explorer']} | {count['text']} | {count['guard']} | "
                     f"{count['unexplained']} |")
    return lines


ROW = re.compile(r"\| (\w+):(\d+) \| (\w+) (\w+) \| `(.*?)` \| (\S.*?) \| (.*?) \| (\S+) (\S+) \|$")
SAME = "Changes from which the compiler makes the same code: "


def of_page(text: str) -> Dict[str, dict]:
    """{name: outcome} of what stands in the page."""
    found: Dict[str, dict] = {}
    file = ""
    for line in text.split("\n"):
        if line.startswith("## "):
            file = mutants_source.short(line[3:].split(", ")[0])
        if line.startswith(SAME):
            for name in re.findall(r"`(\S+)`", line):
                found[name] = {"verdict": "same-code"}
        row = ROW.match(line.replace("\\|", "\0"))
        if not row:
            continue
        function, at, kind, mark, change, verdict, by, date, commit = (
            cell.replace("\0", "|") for cell in row.groups())
        outcome = {"verdict": verdict.split()[0].strip("†"), "line": int(at), "gone": "†" in verdict, "change": change, "date": date,
                   "commit": commit, "raced": by.endswith(" *`race all` passes, too.*")}
        if outcome["verdict"] == "killed":
            outcome["by"] = by if "race" in verdict else "selftest " + by
        found[f"{file}:{function}:{kind}:{mark}"] = outcome
    return found


def page(chosen: int, outcomes: Dict[str, dict]) -> str:
    why = explanations()
    built = {n: o for n, o in outcomes.items() if o.get("verdict") and o["verdict"] not in NONE}
    none = Counter(o["verdict"] for o in outcomes.values() if o.get("verdict") in NONE)
    killed = sum(o["verdict"] == "killed" for o in built.values())
    same = sum(o["verdict"] == "survived" and why.get(n, ("",))[0] == "equivalent"
               for n, o in built.items())
    dates = sorted(o["date"] for o in built.values())
    gone = sum(bool(o.get("gone")) for o in built.values())
    left = chosen - sum(not o.get("gone") for o in outcomes.values())
    lines = [HEAD, f"The seed chooses {chosen} changes of the tree as it is; {left} of them were not tried yet. "
             f"{len(built)} are mutants, tried from {dates[0]} to {dates[-1]}: {killed} killed "
             f"({100 * killed / len(built):.1f} %; {100 * killed / (len(built) - same):.1f} % of those "
             f"that are not equivalent), {len(built) - killed} survived. {gone} of them are of places that have "
             f"changed since (†), with the lines of then. {none['same-code']} more made the same code, "
             f"{none['no-build']} did not compile.", ""]
    lines += totals(built, why)
    for file in sorted({n.split(":")[0] for n in built}):
        mine = [n for n in built if n.split(":")[0] == file]
        lines += ["", f"## {place(file, mine)}", "", "| where | mutant | change | outcome | by, or why not | "
                  "when |", "|---|---|---|---|---|---|"]
        lines += [row(n, built[n], why)
                  for n in sorted(mine, key=lambda n: (built[n]["line"], n))]
    same_code = sorted(name for name, o in outcomes.items() if o.get("verdict") == "same-code")
    if same_code:
        lines += ["", "## Not counted", "", SAME + ", ".join(f"`{name}`" for name in same_code) + "."]
    return "\n".join(lines) + "\n"


def write(chosen: int, outcomes: Dict[str, dict]) -> None:
    why = explanations()
    text = page(chosen, outcomes)
    built = {n: o for n, o in outcomes.items() if o.get("verdict") and o["verdict"] not in NONE}
    killed = sum(o["verdict"] == "killed" for o in built.values())
    with open(PAGE, "w", encoding="utf-8") as stream:
        stream.write(text)
    for name in why:
        if outcomes.get(name, {}).get("verdict", "survived") != "survived":
            print(f"mutants: explained, but no survivor: {name}", file=sys.stderr)
    missing = [n for n, o in built.items() if o["verdict"] == "survived" and n not in why]
    print(f"mutants: {killed} of {len(built)} killed, {len(missing)} survivors not explained; "
          "docs/mutants.md", file=sys.stderr)

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make explore-table`: what every scenario came to, and what meets in which; into docs/explorer.md.

    explore_table.py [SECONDS]      runs what was not run yet of this kernel, and writes the tables
    explore_table.py pairs          writes the matrix of pairs alone, and runs nothing

Each scenario runs under the default lifetime, as sc and as tso: completely; if that does not end in
SECONDS (60), with at most 3 preemptions, then 2, then 1, each state once. Those that differ by lifetime run under the
other six as well, as sc, for two fifths of that, where a weakness may be found: expected.txt, beside
the scenarios, says which.

Outcomes are kept in build/explore-table.json as they come, so that a run that was ended goes on. A
scenario that was changed, or whose kernel was, is run again. Status 1: one broke that should not
have, or one that should have did not.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from itertools import combinations_with_replacement

import explore
import explore_home
import explore_merge
import museum
from progress import Progress

ROOT = explore.ROOT
PAGE = os.path.join(ROOT, "docs", "explorer.md")
KEPT = os.path.join(ROOT, "build", "explore-table.json")
SCENARIOS = os.path.join(ROOT, "tests", "explore", "scenarios")
THINGS = ("fault slow fast put truncate punch evict unmount unbind munmap mprotect fork exchange "
          "break dma split").split()
SAYS = {"slow": "slow gup", "fast": "fast gup", "break": "lease break", "dma": "DMA", "split": "huge split"}
DEFAULT = "busy-extent"
LIFETIMES = "unaware lease-poll idle-at-one zap-to-zero counted-map refuse-busy".split()
CLAIM = re.compile(r'EXPLORE_SCENARIO\(\s*\w+,\s*"([^"]+)"|^(?!SELFTEST|MUSEUM)[A-Z_]+\(\s*\w+,\s*"([a-z]+\.[a-z0-9-]+)"', re.M)


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as stream:
        return stream.read()


# ---- what meets in which ---------------------------------------------------------------------------


def names_in_sources():
    """Every scenario that the sources have."""
    folders = (SCENARIOS, os.path.dirname(SCENARIOS))
    texts = [read(folder, name) for folder in folders for name in os.listdir(folder)
             if name.endswith(".c")]
    return {a or b for text in texts for a, b in CLAIM.findall(text)}


def pairs():
    """({pair: scenarios}, {pair: letter}, {letter: reason}), of pairs.txt."""
    shown, never, reasons = {}, {}, {}
    for line in read(SCENARIOS, "pairs.txt").splitlines():
        words = line.split(": ")
        if line.startswith("never "):
            letter, one, others, reason = words[0][6:], words[1], words[2], ": ".join(words[3:])
            reasons[letter] = f"{SAYS.get(one, one)}: {reason}"
            for other in others.split():
                never[key(one, other)] = letter
        elif line and not line.startswith("#"):
            things = words[1].split()
            for i, thing in enumerate(things):
                for other in things[i + 1:]:
                    shown.setdefault(key(thing, other), []).append(words[0])
    return shown, never, reasons


def key(one, other):
    unknown = {one, other} - set(THINGS)
    if unknown:
        sys.exit(f"pairs.txt: {', '.join(unknown)} is none of what can meet")
    return tuple(sorted((one, other), key=THINGS.index))


def complaints():
    """What is wrong with pairs.txt, in sentences."""
    shown, never, _ = pairs()
    for pair in combinations_with_replacement(THINGS, 2):
        if pair not in shown and pair not in never:
            yield f"{pair[0]} and {pair[1]} have no scenario, and no reason"
        if pair in shown and pair in never:
            yield f"{pair[0]} and {pair[1]} never meet, and do in {', '.join(shown[pair])}"
    told = {name for names in shown.values() for name in names}
    for name in sorted(told - names_in_sources()):
        yield f"there is no scenario {name}"


def matrix():
    """The table of pairs, as lines."""
    shown, never, reasons = pairs()
    yield "| | " + " | ".join(SAYS.get(t, t) for t in THINGS) + " |"
    yield "| --- |" + " --: |" * len(THINGS)
    for i, row in enumerate(THINGS):
        cells = [str(len(set(shown[key(row, t)]))) if key(row, t) in shown else never[key(row, t)]
                 for t in THINGS[:i + 1]] + [""] * (len(THINGS) - i - 1)
        yield f"| {SAYS.get(row, row)} | " + " | ".join(cells) + " |"
    yield ""
    for letter, reason in reasons.items():
        yield f"* *{letter}* {reason}."


# ---- what came out ---------------------------------------------------------------------------------


def fingerprint():
    """Of the program that explores. The object of a scenario changes no other one's outcome."""
    with open(explore_home.binary(), "rb") as stream:
        return hashlib.sha1(stream.read()).hexdigest()[:12]


def command(name, lifetime, model, seconds, how=""):
    words = ["explore", name] + ([f"lifetime={lifetime}"] if lifetime != DEFAULT else [])
    words += [f"model={model}"] if model != "sc" else []
    words += [how] if how else []
    return " ".join(words + [f"time={seconds}"])


def play(lines):
    """(line, what was printed) of each, as it comes; a machine that dies is begun anew behind it."""
    left = list(lines)
    while left:
        at = 0
        for line, outcome in museum.listen(museum.start("explore", left)):
            if line == left[at]:
                at += 1
                yield line, outcome.text
            if at == len(left):
                break
        left = left[max(at, 1):]


class Kept:
    """Outcomes by what was asked, on disk."""

    def __init__(self):
        self.kernel = fingerprint()
        try:
            with open(KEPT, encoding="utf-8") as stream:
                self.known = json.load(stream)
        except (OSError, ValueError):
            self.known = {}

    def of(self, asked):
        kernel, text = self.known.get(asked, ("", None))
        return text if kernel == self.kernel else None

    def keep(self, asked, text):
        self.known[asked] = (self.kernel, text)
        with open(KEPT + ".new", "w", encoding="utf-8") as stream:
            json.dump(self.known, stream, indent=0)
        os.rename(KEPT + ".new", KEPT)


def run(kept, asked):
    """Those that are not known yet."""
    missing = [line for line in asked if kept.of(line) is None]
    with Progress("exploring", len(missing)) as bar:
        bar.step()
        for line, text in play(missing):
            kept.keep(line, text)
            found = explore_merge.results(text.splitlines())
            bar.print(found[0].line() if found else f"{line}: {text.strip().splitlines()[-1:]}")
            bar.step()


def result(kept, line):
    """What a line came to; None: it cannot run. A race that is listed is part of it."""
    text = kept.of(line) or ""
    found = explore_merge.results(text.splitlines())
    return (found[0], "race: " in text) if found else (None, False)


def ended(found):
    """All orders that were asked for, or the first one that breaks."""
    return found and (found.bounded in ((), ("preemptions",)) or found.verdict != "safe")


def attempts(lifetime):
    """How, one after the other, until one ends. What is known to break is looked for with one preemption too."""
    return ("", *(f"strategy=states bound={n}" for n in (3, 2, 1))) if lifetime == DEFAULT else ("", "bound=1")


def best(kept, name, lifetime, model, seconds):
    """The first of its attempts that ended; if none did, the first one."""
    all_of_them = [(how, *result(kept, command(name, lifetime, model, seconds, how)))
                   for how in attempts(lifetime)]
    return next((attempt for attempt in all_of_them if ended(attempt[1])), all_of_them[0])


def explore_all(kept, names, lifetime, model, seconds):
    """Each attempt for those that the one before did not end for."""
    weak = expected()
    for how in attempts(lifetime):
        run(kept, [command(n, lifetime, model, seconds, how) for n in names])
        names = [n for n in names
                 if not ended(result(kept, command(n, lifetime, model, seconds, how))[0])
                 and (lifetime == DEFAULT or (n, lifetime) in weak)]


def unmodelled():
    """{lifetime: reason} that the explorer cannot run every scenario of, of expected.txt."""
    return dict(re.findall(r"^cannot ([a-z-]+): (.*)$", read(SCENARIOS, "expected.txt"), re.M))


def expected():
    """{(scenario, lifetime): (weakness, invariant)}, of expected.txt."""
    weak = {}
    for line in read(SCENARIOS, "expected.txt").splitlines():
        match = re.match(r"([a-z-]+) ([A-G]-\d+) (I\d): (.*)", line)
        for name in match[4].split() if match else ():
            weak[name, match[1]] = (match[2], match[3])
    return weak


# ---- tables ----------------------------------------------------------------------------------------


def how_far(how, found, races):
    """In a few words."""
    if not found:
        return "cannot"
    if found.verdict != "safe":
        return found.verdict.split()[1]
    if not ended(found):
        return "time"
    far = "complete" if found.bounded == () else f"{how[-1:]} preemptions"
    return far + (", a race" if races else "")


def cells(kept, name, lifetime, model, seconds):
    how, found, races = best(kept, name, lifetime, model, seconds)
    if kept.of(command(name, lifetime, model, seconds)) is None:
        return "not run | | | "
    if not found:
        return "cannot | | | "
    return f"{how_far(how, found, races)} | {found.executions:,} | {found.outcomes} | {found.depth}"


def table(kept, names, seconds):
    """Of the default lifetime."""
    yield "| scenario | threads | sc | executions | outcomes | depth | tso | executions | outcomes | depth |"
    yield "| --- | --: | --- | --: | --: | --: | --- | --: | --: | --: |"
    for name, threads in names.items():
        yield (f"| {name} | {threads} | {cells(kept, name, DEFAULT, 'sc', seconds)} | "
               f"{cells(kept, name, DEFAULT, 'tso', seconds)} |")


def lifetime_table(kept, names, seconds):
    for lifetime, reason in unmodelled().items():
        yield f"*cannot*, of {lifetime}: {reason}."
    yield ""
    yield "| scenario | " + " | ".join(LIFETIMES) + " |"
    yield "| --- |" + " --- |" * len(LIFETIMES)
    weak = expected()
    for name in names:
        row = []
        for lifetime in LIFETIMES:
            known = kept.of(command(name, lifetime, "sc", seconds)) is not None
            cell = how_far(*best(kept, name, lifetime, "sc", seconds)) if known else "not run"
            row.append(cell + (f" ({weak[name, lifetime][0]})" if (name, lifetime) in weak else ""))
        yield f"| {name} | " + " | ".join(row) + " |"


def measured(command):
    """The sentence above a table: which command made it, of which commit."""
    commit = subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%h of %cs"], check=False, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip() or "no commit"
    changed = subprocess.run(["git", "-C", ROOT, "diff", "--quiet", "HEAD", "--", ":!docs", ":!*.md"], check=False).returncode
    return (f"*Measured by `{command}`, {'in QEMU' if explore_home.in_kernel() else 'in a Linux process'}, on commit "
            f"{commit}{' with changes' if changed else ''}.*")


def write(mark, lines):
    """Between <!-- mark --> and <!-- end --> of the page."""
    text = read(PAGE)
    new, n = re.subn(rf"(<!-- {mark} -->\n).*?(<!-- end -->)",
                     lambda m: m[1] + "\n" + "\n".join(lines) + "\n\n" + m[2], text, flags=re.S)
    if n != 1:
        sys.exit(f"{PAGE} has no place for {mark}")
    with open(PAGE, "w", encoding="utf-8") as stream:
        stream.write(new)


def wrong(kept, every, differing, seconds):
    """Sentences about what is not as it should be. What is known to break is marked in the list."""
    weak = expected()
    for name, lifetime, model in ([(n, DEFAULT, m) for n in every for m in ("sc", "tso")]
                                  + [(n, lt, "sc") for n in differing for lt in LIFETIMES]):
        _, found, races = best(kept, name, lifetime, model, seconds if lifetime == DEFAULT
                               else seconds * 2 // 5)
        broken = bool(found) and found.verdict != "safe"
        should = (name, lifetime) in weak or "known to break" in every[name][1] and (
            model == "tso" or "under tso" not in every[name][1])
        other = (name, lifetime) in weak and broken and found.verdict.split()[1] != weak[name, lifetime][1]
        if not found and lifetime in unmodelled():
            continue
        if not found:
            yield f"{name} lifetime={lifetime} model={model} cannot run"
        if broken and (other or not should):
            yield f"{name} lifetime={lifetime} model={model}: {found.verdict}"
        if not broken and should:
            yield f"{name} lifetime={lifetime} model={model} should break, and does not"
        if races and not should and name not in ("litmus.race", "litmus.race-read"):  # there to be listed
            yield f"{name} lifetime={lifetime} model={model}: a race is listed"


def main(args):
    for sentence in complaints():
        sys.exit(f"pairs.txt: {sentence}")
    write("pairs", matrix())
    if args == ["pairs"]:
        return
    seconds = explore_home.seconds(args[0]) if args else 60
    kept = Kept()
    rows = (re.match(r"([a-z0-9]+\.[a-z0-9.-]+) +(\d)\+(\d) (l?) +(\S.*)", line)
            for line in explore.said("explore -l"))
    every = {m[1]: (m[2] + ("+" + m[3] if m[3] != "0" else ""), m[5], bool(m[4])) for m in rows if m}
    differing = [name for name, (_, _, lifetimes) in every.items() if lifetimes]
    for model in ("sc", "tso"):
        explore_all(kept, list(every), DEFAULT, model, seconds)
    for lifetime in LIFETIMES:
        explore_all(kept, differing, lifetime, "sc", seconds * 2 // 5)
    told = [measured(f"make explore-table SECONDS={seconds}"), ""]
    write("scenarios", told + list(table(kept, {n: e[0] for n, e in every.items()}, seconds)))
    write("lifetimes", told + list(lifetime_table(kept, differing, seconds * 2 // 5)))
    sentences = list(wrong(kept, every, differing, seconds))
    print("\n".join(sentences))
    sys.exit(bool(sentences))


if __name__ == "__main__":
    explore_home.end_with("explore-table", main, "the same command goes on behind what ended")

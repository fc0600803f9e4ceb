#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Can each scenario fail? `make explore-faults`: each is played with a fault that it has to notice.

    explore_faults.py [EDIT …]   what the museum has, then these edits; without a name: all of them
    explore_faults.py find FILE  which scenarios notice what, as JSON: to write the list by

tests/explore/scenarios/faults.txt says which fault each scenario notices: a switch of the museum, or
an edit of the sources, which is made in a copy of the tree (build/explore-faults), built, and taken
back. What is known to break (litmus tests) and what breaks under a weak design (expected.txt) has
its fault already. A scenario notices by a broken rule, or by a race that is listed.
"""

import collections
import json
import os
import re
import shutil
import subprocess
import sys

import explore_home
import explore_table
import museum
from progress import Progress

ROOT = explore_home.ROOT
LIST = os.path.join(explore_table.SCENARIOS, "faults.txt")
COPY = os.path.join(ROOT, "build", "explore-faults")
# Of build/: what the process is not made of. Images have holes, which a copy would fill: 17 GiB.
LEFT_OUT = ("explore", "explore-faults", "explore-run", "ext4", "mutants", "systems", "check", "coverage")
RUNS = 8000  # executions in which a fault is to be met
HEAD = re.compile(r"(museum|edit|none) ([a-z0-9.-]+)((?: [a-z]+=[a-z-]+)*)(?: ([\w/.]+))?: (.*)$")
TOLD = re.compile(r"^explore (\S+) lifetime=\S+ model=\S+ strategy=\S+: (.*)$", re.M)

Fault = collections.namedtuple("Fault", "kind name words file scenarios old new")


def faults():
    """What faults.txt says, in its order."""
    found = []
    for line in explore_table.read(LIST).splitlines():
        head = HEAD.match(line)
        if head:
            found.append(Fault(*head.groups()[:3], head[4], head[5].split(), [], []))
        elif line[:2] in ("- ", "+ ", "-", "+"):
            (found[-1].old if line[0] == "-" else found[-1].new).append(line[2:])
        elif line and line[0] not in "#\t ":
            raise ValueError(f"faults.txt: {line}")
    return found


def texts(fault):
    """(file, what stands there, what shall stand there) of an edit."""
    return fault.file, "\n".join(fault.old) + "\n", "".join(line + "\n" for line in fault.new)


def known_to_break(listed):
    """Those that need no fault: they break by themselves, or under a design."""
    return ({name for name, claim in listed.items() if "(known to break" in claim}
            | {name for name, _ in explore_table.expected()})


def complaints(listed):
    """Sentences about faults.txt: names that are none, edits that do not apply, scenarios without a
    fault. listed: {scenario: its line in `explore -l`}."""
    switches = set(museum.labels()) | set(museum.labels("MUSEUM_EXPLORED"))
    noticed = known_to_break(listed)
    for fault in faults():
        for name in [fault.name] if fault.kind == "none" else fault.scenarios:
            noticed.add(name)
            if name not in listed:
                yield f"{name} is no scenario"
        if fault.kind == "museum" and fault.name not in switches:
            yield f"{fault.name} is no switch of the museum"
        if fault.kind == "edit" and explore_table.read(os.path.join(ROOT, fault.file)).count(texts(fault)[1]) != 1:
            yield f"the edit {fault.name} does not apply to {fault.file}"
    for name in listed:
        if name not in noticed:
            yield f"{name} is failed by no fault of faults.txt"


def explorations(fault, names):
    return [f"explore {name}{fault.words} short=0 runs={RUNS}" for name in names]


def notices(output):
    """Is it broken, or a race listed?"""
    told = TOLD.search(output)
    return bool(told) and (" BROKEN " in told[2] or bool(re.search(r"^ *race: ", output, re.M)))


def outputs(lines, home=None, seconds=600):
    """What each command prints, in one process."""
    command = explore_home.command("; ".join(lines), seconds)
    if home:
        command[0] = home
    try:
        text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=seconds).stdout
    except subprocess.TimeoutExpired as late:  # what it came to by then counts
        text = late.stdout or b""
    text = text.decode(errors="replace")
    said = re.split(r"^> .*$", text, flags=re.M)[1:]
    return said + [""] * (len(lines) - len(said))  # it died on the way


def missed_by_switches():
    """(switch, scenario) that should notice it, and does not."""
    chosen = [fault for fault in faults() if fault.kind == "museum"]
    lines = [line for fault in chosen for line in
             [f"museum {fault.name} on", *explorations(fault, fault.scenarios), f"museum {fault.name} off"]]
    said = iter(outputs(lines))
    for fault in chosen:
        next(said)
        for name in fault.scenarios:
            if not notices(next(said)):
                yield fault.name, name
        next(said)


# ---- edits


def make_copy():
    """A copy of the tree with its objects, so that an edit is a build of one file."""
    tree = os.path.join(COPY, "tree")
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(ROOT, tree, symlinks=True, ignore=lambda folder, names: [
        name for name in names if name in (".git", "__pycache__") or name.endswith(".img")
        or folder == os.path.join(ROOT, "build") and name in LEFT_OUT])
    return tree


def build(tree):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    done = subprocess.run(["make", "-s", "-C", tree, "host"], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout[-2000:])
    return os.path.join(tree, "build", "host", "holdfast")


def with_edit(tree, fault, names):
    """What the explorations of `names` print with the edit."""
    file, old, new = texts(fault)
    path = os.path.join(tree, file)
    before = explore_table.read(path)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(before.replace(old, new))
    try:
        home = build(tree)
        return outputs(explorations(fault, names), home)
    finally:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(before)


def edits(names):
    """Those that are called so; without a name: all."""
    return [fault for fault in faults() if fault.kind == "edit" and (not names or fault.name in names)]


def missed_by_edits(names, bar):
    """(edit, scenario) that should notice it, and does not; tells each edit as it was played."""
    bar.rename("copies the tree")
    tree = make_copy()
    for fault in edits(names):
        bar.rename(fault.name)
        said = with_edit(tree, fault, fault.scenarios)
        missed = [name for name, output in zip(fault.scenarios, said) if not notices(output)]
        bar.print(f"{fault.name:28} noticed by {len(fault.scenarios) - len(missed)} of {len(fault.scenarios)}"
                  + (f"; not by {', '.join(missed)}" if missed else ""))
        bar.step()
        yield from ((fault.name, name) for name in missed)


def find(path):
    """{fault: scenarios that notice it}, of all scenarios."""
    every, found, tree = list(scenarios()), {}, make_copy()
    for fault in faults():
        if fault.kind == "museum":
            lines = [f"museum {fault.name} on", *explorations(fault, every)]
            said = outputs(lines)[1:]
        elif fault.kind == "edit":
            said = with_edit(tree, fault, every)
        else:
            continue
        found[fault.name + fault.words] = [name for name, output in zip(every, said) if notices(output)]
        print(fault.name, len(found[fault.name + fault.words]), flush=True)
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(found, stream, indent=1)


def scenarios():
    """{scenario: its line} as `explore -l` tells."""
    lines = outputs(["explore -l"])[0].splitlines()
    rows = (re.match(r"([a-z0-9]+\.[a-z0-9.-]+) +\d\+\d (.*)$", line) for line in lines)
    return {row[1]: row[2] for row in rows if row}


def main(args):
    if args[:1] == ["find"] and len(args) == 2:
        find(args[1])
        return
    unknown = set(args) - {fault.name for fault in edits([])}
    if unknown:
        sys.exit(f"explore-faults: no edit is called {', '.join(sorted(unknown))}; {os.path.relpath(LIST, ROOT)} has them")
    sys.exit(play(args))


def play(names):
    """Plays these edits, or everything; the status."""
    every = scenarios()
    sentences, switches = list(complaints(every)), 0 if names else sum(fault.kind == "museum" for fault in faults())
    with Progress("exploring with faults", switches + len(edits(names))) as bar:
        bar.step(f"{switches} switches of the museum" if switches else "")
        missed = list(missed_by_switches()) if switches else []
        for _ in range(switches):
            bar.step()
        missed += missed_by_edits(names, bar)
    sentences += [f"{name} does not notice {fault}" for fault, name in missed]
    print("\n".join(sentences + [f"explore-faults: {switches} switches and {len(edits(names))} edits; " + (
        f"{len(sentences)} things are wrong" if sentences else
        "each scenario that is named notices its own" if names else f"each of {len(every)} scenarios can fail")]))
    return bool(sentences)


if __name__ == "__main__":
    explore_home.end_with("explore-faults", main)

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A counterexample as a page and as a trace: `make explain TOKEN=…`.

    explain.py TOKEN…      replays the token and writes explain-NAME.html and explain-NAME.trace.json
    explain.py -i FILE…    the same from what `replay TOKEN json` printed; -: from stdin
    -o FOLDER              where to (build/explain if not said)

The page (explain_page.py) is one file that needs nothing else; the trace (explain_trace.py) is for
Perfetto. Both show the source as it is in this tree, or, with COMMIT=…, as it
was in that commit. MUSEUM=NAME is the fault of the museum with which the order was found.
"""

import bisect
import json
import os
import re
import subprocess
import sys
from typing import Any, Dict, List, NamedTuple, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NEEDED = {"step": int, "thread": str, "event": str}
OPTIONAL = {"cpu": int, "object": str, "value": str, "function": str, "file": str, "line": int,
            "preempts": bool, "watch": dict}
VERDICT = ("broken", "text", "token", "scenario", "lifetime", "model")
# Events that have a value, which is what was read or is there now. Of the rest it says nothing.
VALUED = {"load", "store", "rmw", "drain", "mmu-load", "mmu-store", "dma"}
# An object by its address: below it are places that are no memory (a fence's, a queue's).
ADDRESS = re.compile(r"0x[0-9a-f]+$")
SMALLEST_ADDRESS = 4096


class ExplainError(Exception):
    """What is wrong with the input, in one sentence."""


class Story(NamedTuple):
    """A counterexample: its steps in their order, and what it ends in."""

    steps: List[Dict[str, Any]]
    verdict: Dict[str, str]

    def threads(self) -> List[str]:
        """The threads, in the order in which they first do something."""
        return list(dict.fromkeys(step["thread"] for step in self.steps))

    def watched(self) -> List[str]:
        """Everything that is watched, in the order of its first value."""
        return list(dict.fromkeys(name for step in self.steps for name in step["watch"]))


def checked_step(row: Dict[str, Any], where: str) -> Dict[str, Any]:
    """The step with every key that it may have; what is no step is refused."""
    for key, kind in NEEDED.items():
        if not isinstance(row.get(key), kind):
            raise ExplainError(f"{where}: a step has no {key}, or not one of type {kind.__name__}")
    for key, kind in OPTIONAL.items():
        if key in row and (not isinstance(row[key], kind) or (kind is int and row[key] is True)):
            raise ExplainError(f"{where}: {key} is not of type {kind.__name__}")
    step = {"cpu": 0, "object": "", "value": "", "function": "", "file": "", "line": 0,
            "preempts": False, "watch": {}}
    step.update((key, row[key]) for key in {**NEEDED, **OPTIONAL} if key in row)
    step["watch"] = {str(name): str(value) for name, value in step["watch"].items()}
    if step["event"] not in VALUED:
        step["value"] = ""
    if ADDRESS.match(step["object"]) and int(step["object"], 16) < SMALLEST_ADDRESS:
        step["object"] = ""
    for key in ("function", "file"):
        step[key] = "" if step[key] == "?" else step[key]
    return step


def variables() -> List[Tuple[int, int, str]]:
    """Address, size and name of every variable of the explorer's program, in order; none: not built."""
    import explore_home

    done = subprocess.run(["nm", "-S", "-n", explore_home.binary()],
                          check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    rows = [line.split() for line in done.stdout.splitlines()]
    return [(int(r[0], 16), int(r[1], 16), r[3]) for r in rows if len(r) == 4 and r[2] in "bBdDrR"]


def named(steps: List[Dict[str, Any]], table: List[Tuple[int, int, str]]) -> None:
    """Objects that are an address within a variable get its name. What is on a heap keeps its own."""
    starts = [start for start, _, _ in table]
    for step in steps:
        if not ADDRESS.match(step["object"]):
            continue
        at = int(step["object"], 16)
        n = bisect.bisect_right(starts, at) - 1
        if n >= 0 and at < table[n][0] + table[n][1]:
            offset = at - table[n][0]
            step["object"] = table[n][2] + (f"+{offset:#x}" if offset else "")


def read_story(lines: List[str]) -> Story:
    """The JSON lines among what a machine printed. The last one is the verdict."""
    steps: List[Dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line.startswith("{"):
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ExplainError(f"line {number}: not JSON: {error}") from error
        if "step" not in row:
            if not steps:
                raise ExplainError(f"line {number}: a verdict without a step before it")
            return Story(steps, {key: str(row.get(key, "")) for key in VERDICT})
        steps.append(checked_step(row, f"line {number}"))
        if steps[-1]["step"] <= (steps[-2]["step"] if len(steps) > 1 else -1):
            raise ExplainError(f"line {number}: step {steps[-1]['step']} comes behind a later one")
    raise ExplainError("no verdict: the lines end before the replay did" if steps else
                       "no line of a replay: expected is what `replay TOKEN json` prints")


def source(path: str, commit: str = "") -> List[str]:
    """The lines of a file of the tree, or of a commit; none, if it is not there."""
    path = os.path.normpath(path)
    if not path or os.path.isabs(path) or path.startswith(".."):
        return []
    if commit:
        done = subprocess.run(["git", "-C", ROOT, "show", f"{commit}:{path}"], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return done.stdout.decode("utf-8", "replace").splitlines()
    try:
        with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def check_commit(commit: str) -> None:
    """COMMIT: a commit of this tree, or no word."""
    done = subprocess.run(["git", "-C", ROOT, "rev-parse", "-q", "--verify", commit + "^{commit}"], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        raise ExplainError(f"COMMIT={commit} is no commit of this tree: `git log` has them")


def invariants() -> Dict[str, str]:
    """{"I1": its sentence …} as dax/check/invariants.c has them."""
    text = "\n".join(source("dax/check/invariants.c"))
    table = re.search(r"texts\[\] = \{\n(.*?)\n\};", text, re.S)
    rows = re.split(r",\n", table.group(1)) if table else []
    joined = ["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', row)).replace('\\"', '"') for row in rows]
    return {f"I{n}": sentence for n, sentence in enumerate(filter(None, joined), 1)}


def replay(token: str) -> List[str]:
    """What the explorer prints of `replay TOKEN json`."""
    if not re.fullmatch(r"[\w.:,=+/@-]+", token):
        raise ExplainError(f"'{token}' is no token: it is one word, as `explore` printed it")
    import explore_home

    done = subprocess.run(explore_home.command(explore_home.replay(token, "json"), 120), check=False,
                          text=True, stdout=subprocess.PIPE, errors="replace")
    lines = done.stdout.splitlines()
    refused = [line for line in lines if line.startswith("museum: ")]
    if refused:
        raise ExplainError(refused[0])
    if not any(line.startswith("{") for line in lines):
        raise ExplainError("the replay printed no step: " + (" / ".join(lines[-3:]) or "nothing"))
    return lines


def write(story: Story, folder: str) -> List[str]:
    """The two files of a story; value: their names."""
    import explain_page
    import explain_trace

    commit = os.environ.get("COMMIT", "")
    name = re.sub(r"[^\w.-]+", "-", story.verdict["scenario"] or "replay")
    os.makedirs(folder, exist_ok=True)
    texts = {f"explain-{name}.html": explain_page.page(story, commit),
             f"explain-{name}.trace.json": json.dumps(explain_trace.trace(story), indent=1)}
    for file, text in texts.items():
        with open(os.path.join(folder, file), "w", encoding="utf-8") as out:
            out.write(text + "\n")
    return [os.path.join(folder, file) for file in texts]


def lines_of(file: str) -> List[str]:
    if file == "-":
        return sys.stdin.read().splitlines()
    with open(file, encoding="utf-8", errors="replace") as stream:
        return stream.read().splitlines()


def main(args: List[str]) -> int:
    folder = os.path.join(ROOT, "build", "explain")
    if "-o" in args[:-1]:
        at = args.index("-o")
        folder = args[at + 1]
        del args[at:at + 2]
    recorded = args[:1] == ["-i"]
    if not any(args[recorded:]):
        print("explain: of what? make explain TOKEN=…, the last line of a finding of `explore`, or "
              "JSON=FILE, what `replay TOKEN json` printed", file=sys.stderr)
        return 2
    for word in args[recorded:]:
        try:
            if os.environ.get("COMMIT"):
                check_commit(os.environ["COMMIT"])
            story = read_story(lines_of(word) if recorded else replay(word))
            named(story.steps, variables())
            print("\n".join(write(story, folder)))
        except ExplainError as error:
            print(f"explain: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            print(f"explain: {error.filename}: {error.strerror}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import explore_home
    explore_home.end_with("explain", main)

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make explore-peer`: Spin on models of three protocols, beside the explorer on the code itself.

    peer_compare.py          verifies everything and writes the tables of docs/explorer.md
    peer_compare.py MODEL…   these models alone, and writes nothing

Everything runs on one core, one after the other: each model completely, each known fault of it until
it is found, and the scenario of the same protocol completely, in the home that is a process. A model
whose fault is not found, or that is found at fault without one, ends this with status 1.
"""

import os
import re
import subprocess
import sys
import tempfile
from typing import Dict, List, NamedTuple, Optional, Tuple

import peer_spin
from peer_spin import CASES, FAULTS, MEMORY, Case, Verified

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))

import explore_home  # noqa: E402

PAGE = os.path.join(ROOT, "docs", "explorer.md")
HOST = os.path.join(ROOT, "build", "host", "holdfast")
RESULT = re.compile(r"(\d+) ns and \d+ events an execution.*\n"
                    r"explore (\S+) .*: complete, (\d+) executions?, .*, safe$", re.M)


class Explored(NamedTuple):
    """A complete exploration: how many executions, and how long they took, in a machine that is up."""

    executions: int
    seconds: float


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def explored(case: Case, memory: str) -> Optional[Explored]:
    """The least of some runs. None: there is no such scenario."""
    if not case.scenario:
        return None
    best = None
    for _ in range(peer_spin.RUNS):
        done = subprocess.run([HOST, "-p", "-,size=64M,scratch", "-c", f"explore {case.scenario} model={memory}"],
                              check=False, text=True, stdout=subprocess.PIPE, errors="replace")
        found = RESULT.search(done.stdout)
        if not found:
            raise peer_spin.SpinError(f"{case.scenario} {memory} is not explored completely, or not safe")
        took = Explored(int(found.group(3)), int(found.group(3)) * int(found.group(1)) * 1e-9)
        best = min(filter(None, (best, took)), key=lambda e: e.seconds)
    return best


def measure(case: Case, memory: str, folder: str) -> Tuple[Verified, Optional[Explored]]:
    """A model without faults, and the code."""
    name = f"{case.title()} {memory}"
    model = peer_spin.verify(case, memory, os.path.join(folder, name.replace(" ", "_")))
    if model.errors:
        raise peer_spin.SpinError(f"{name}: Spin finds a fault in the model as it is: {model.said}")
    code = explored(case, memory)
    say(f"{name}: {model.states} states in {model.seconds:.3f} s; "
        + (f"{case.scenario}: {code.executions} executions in {code.seconds:.4f} s" if code
           else "not explored"))
    return model, code


def find_fault(model: str, fault: str, memory: str, folder: str) -> Tuple[Case, Verified]:
    """In the smallest case that shows it. Also makes sure that sc has no fault that tso is needed for."""
    for case in (case for case in CASES if case.model == model):
        found = peer_spin.verify_fault(case, memory, fault, os.path.join(
            folder, "_".join((model, fault, memory, *case.size))))
        if found.errors:
            say(f"{case.title()} {fault} {memory}: found: {found.said}")
            return case, found
    return case, found


def check_faults(models: List[str], folder: str) -> Dict[Tuple[str, str, str], Tuple[Case, Verified]]:
    """Every fault under both memories: found where it is one, and nowhere else."""
    rows = {}
    for model in models:
        for fault, where in FAULTS[model]:
            for memory in MEMORY:
                case, found = find_fault(model, fault, memory, folder)
                if bool(found.errors) != (memory in where):
                    raise peer_spin.SpinError(
                        f"{model} {fault} {memory}: {'found' if found.errors else 'not found'}")
                rows[model, fault, memory] = (case, found)
    return rows


def figures(rows) -> List[str]:
    """The table of what is verified completely. Without an explorer Spin stands alone."""
    lines = ["| model | memory | states | transitions | seconds |", "| --- | --- | --: | --: | --: |"]
    if any(code for *_, code in rows):
        lines = [lines[0] + " scenario | executions | seconds | code / model |",
                 lines[1] + " --- | --: | --: | --: |"]
    for case, memory, model, code in rows:
        line = (f"| `{case.title()}` | {memory} | {model.states} | {model.transitions} | "
                f"{model.seconds:.3f} |")
        if code:
            line += (f" `{case.scenario}` | {code.executions} | {code.seconds:.4f} | "
                     f"{code.seconds / max(model.seconds, 1e-3):.2f} |")
        lines.append(line)
    return lines


def faults(rows) -> List[str]:
    """The table of the known faults."""
    lines = ["| model | fault | sc | tso | what Spin says |", "| --- | --- | --- | --- | --- |"]
    for model, fault in dict.fromkeys((model, fault) for model, fault, _ in rows):
        both = [rows[model, fault, memory] for memory in MEMORY]
        said = next(found.said for _, found in both if found.errors)
        lines.append(f"| `{both[1][0].title()}` | `{fault}` | "
                     + " | ".join("found" if found.errors else "no fault" for _, found in both)
                     + f" | {said} |")
    return lines


def write_page(tables: Dict[str, List[str]]) -> None:
    """Each table stands between `<!-- NAME -->` and `<!-- end -->`."""
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    for name, lines in tables.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.S)
        body = "\n".join(lines)
        text, count = pattern.subn(lambda m: f"{m.group(1)}\n{body}\n\n{m.group(2)}", text)
        assert count == 1, f"{PAGE} has {count} places for {name}"
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(text)


def main(args: List[str]) -> int:
    models = args or list(FAULTS)
    unknown = [name for name in models if name not in FAULTS]
    if unknown:
        say(f"no model {', '.join(unknown)}; there are {', '.join(FAULTS)}")
        return 2
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        try:
            rows = [(case, memory, *measure(case, memory, folder)) for case in CASES
                    if case.model in models for memory in MEMORY]
            found = check_faults(models, folder)
        except peer_spin.SpinError as error:
            say(f"explore-peer: {error}")
            return 1
    tables = {"verified": figures(rows), "faults": faults(found)}
    if not args:
        write_page(tables)
    print("\n".join(tables["verified"] + [""] + tables["faults"]))
    return 0


if __name__ == "__main__":
    explore_home.end_with("explore-peer", main, "nothing was written")

# SPDX-License-Identifier: MIT
"""Spin on the models of this folder: each verified completely, and each with its known faults.

A model is compiled for one memory model and with some defines, and searched to the end. `Verified`
says what the search cost: the processor time of the searching program alone, the least of some runs,
without Spin's own work and the compiler's.
"""

import os
import re
import resource
import subprocess
from typing import Dict, List, NamedTuple, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
DEPTH = 2000      # steps on one path, of which no model here needs a tenth
TABLES = (14, 18, 22)  # powers of two: places of the table of states. Whichever is fastest counts
RUNS = 9


class Case(NamedTuple):
    """One thing to verify: a model, how large, and the explorer's scenario of the same protocol
    (empty: it has none)."""

    model: str
    size: Tuple[str, ...]
    scenario: str

    def title(self) -> str:
        return " ".join((self.model,) + self.size)


CASES = (
    Case("wait", ("WAITERS=1",), "peer.wait"),
    Case("wait", ("WAITERS=2",), "peer.wait-two"),
    Case("percpu_ref", ("USERS=1",), "peer.percpu-ref"),
    Case("percpu_ref", ("USERS=2",), "peer.percpu-ref-two"),
    Case("percpu_ref", ("USERS=2", "MOVES"), ""),  # the explorer's threads keep their CPUs
    Case("busy", ("HOLDERS=1",), "peer.busy"),
    Case("busy", ("HOLDERS=1", "MAPPED=1"), "peer.busy-mapped"),
    Case("busy", ("HOLDERS=2",), "peer.busy-two"),
)
# Each fault and the memory models in which it is one: without store buffers no barrier is missing.
FAULTS: Dict[str, Tuple[Tuple[str, Tuple[str, ...]], ...]] = {
    "wait": (("NO_RECHECK", ("sc", "tso")), ("NO_WAITER_BARRIER", ("tso",)),
             ("NO_WAKER_BARRIER", ("tso",))),
    "percpu_ref": (("NO_CALL", ("sc", "tso")), ("NO_BIAS", ("sc", "tso")),
                   ("NO_RECHECK", ("sc", "tso"))),
    "busy": (("REREAD_STATE", ("sc", "tso")), ("MARKER_RELEASES", ("sc", "tso")),
             ("NO_MARKER_LOOK", ("sc", "tso")), ("PLAIN_RELEASED", ("tso",))),
}
MEMORY = ("sc", "tso")


class SpinError(Exception):
    """A model that Spin, the compiler or the search refused, in one sentence."""


class Verified(NamedTuple):
    """What a complete search said."""

    errors: int
    states: int
    transitions: int
    seconds: float  # of processor time
    said: str       # of the first error


def called(args: List[str], folder: str) -> str:
    done = subprocess.run(args, cwd=folder, check=False, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise SpinError(f"{' '.join(args)}: status {done.returncode}: {done.stdout[-500:]}")
    return done.stdout


def build(case: Case, memory: str, faults: Tuple[str, ...], folder: str, optimise: str = "-O2") -> None:
    """Makes the searching program in an empty folder. Spin finds the included files beside it."""
    for name in os.listdir(HERE):
        if name.endswith(".pml"):
            os.symlink(os.path.join(HERE, name), os.path.join(folder, name))
    words = case.size + faults + (("TSO",) if memory == "tso" else ())
    called(["spin", "-a"] + [f"-D{word}" for word in words] + [case.model + ".pml"], folder)
    called(["gcc", optimise, "-w", "-DSAFETY", "-o", "pan", "pan.c"], folder)


def search(folder: str, table: int) -> Tuple[str, float]:
    """One run: what it printed, and the processor time that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = called(["./pan", f"-m{DEPTH}", f"-w{table}"], folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return said, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def understood(said: str, seconds: float) -> Verified:
    """The figures of a run; one that is not complete, and found nothing, is refused."""
    errors = re.search(r"errors: (\d+)", said)
    states = re.search(r"^\s*([\d.e+]+) states, stored", said, re.M)
    moves = re.search(r"^\s*([\d.e+]+) transitions", said, re.M)
    if not (errors and states and moves):
        raise SpinError(f"a search ended without its figures: {said[-300:]}")
    found = int(errors.group(1))
    if not found and ("max search depth too small" in said or "Search not completed" in said):
        raise SpinError(f"a search was not complete: {said[:300]}")
    why = re.search(r"^pan:1?:? ?(.*?)(?: \(at depth.*)?$", said, re.M)
    return Verified(found, int(float(states.group(1))), int(float(moves.group(1))), seconds,
                    why.group(1).strip() if found and why else "")


def verify(case: Case, memory: str, folder: str) -> Verified:
    """The whole: build, and search some times."""
    os.makedirs(folder)
    build(case, memory, (), folder)
    return min((understood(*search(folder, table)) for table in TABLES for _ in range(RUNS)),
               key=lambda v: v.seconds)


def verify_fault(case: Case, memory: str, fault: str, folder: str) -> Verified:
    """The same of a model with a fault in it, once."""
    os.makedirs(folder)
    build(case, memory, (fault,), folder, "-O0")
    return understood(*search(folder, TABLES[-1]))

# SPDX-License-Identifier: MIT
"""make mutants [FILES="mm/gup/gup.c …"] [TOTAL=420] [JOBS=1] [AGAIN=survived] [NAMES="…"] [TESTS="…"]
             [QUICK=1] [REPORT=1]

Does a test notice? One small change at a time is made in the code that everything else stands on
(mutants_source.py), the kernel is built with it, and the self-tests run, those that have killed most
first (mutants_machine.py). What passes them all is tried with `race all` as well, in the same
machine, where the order of all events is given, and in an ordinary one of two CPUs. A mutant that a
test or a race notices is killed; one that none notices shows what is not tested, unless it means
the same as the original: that is proven by reading, and what mutants_explained.txt calls equivalent
is spared the races, which take minutes.

The outcome of each is kept in build/mutants/NAME.json, so a campaign can be ended at any time and
goes on where it was. AGAIN=survived runs those once more that survived (AGAIN=all: all), on the tree
as it is now. QUICK=1 leaves the races for another time: AGAIN=unraced. Two campaigns at a time share
the work. TESTS names a few tests, by patterns: a mutant that they kill is killed, of one that passes
them nothing is learnt, and what is kept of it stays.

docs/mutants.md is written from the outcomes (REPORT=1: without trying any), from what it says of those
that were not tried here, and from mutants_explained.txt, in which a person says
of a survivor why it is equivalent, or why only one rare order of events or the memory model can
show it. Outcomes of places that have changed since are marked there.
"""

import fnmatch
import glob
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Dict, List

import asked
import explore_home
import mutants_report
import mutants_source
from mutants_machine import ROOT, Outcome, Worker, find_sources

KEPT = os.path.join(ROOT, "build", "mutants")
FILES = ["mm/gup/gup*.c", "mm/page/page.c", "mm/page/busy.c", "mm/tables/zap.c", "mm/tables/tlb.c",
         "mm/space/fork.c", "mm/device/records.c", "mm/device/percpu_ref.c", "mm/page/page.h",
         "mm/[gpst]*/internal.h", "dax/file/file.c", "dax/file/entry.c", "dax/file/layout.c",
         "dax/lifetime/*.c"]
TOTAL = 430
# Tests by area, in the order in which they are likely to notice a change of the file; then the rest.
RACES = "race all"
AGAIN = ("all", "survived", "killed", "unraced")
MACHINES = ("icount", "smp")  # in which the races run
NEAREST = {
    "mm/gup": "gup huge anon fork dio directio space mm lease",
    "mm/page": "mm gup huge lifetime devdax",
    "mm/busy": "mm lifetime huge fail reshape",
    "mm/zap": "tlb space mm dax huge anon private",
    "mm/tlb": "tlb space mm dax private",
    "mm/fork": "fork anon private",
    "mm/records": "mm devdax huge dax fail",
    "mm/percpu_ref": "mm devdax lifetime",
    "mm/internal": "gup tlb space mm huge anon",
    "dax/file": "dax ext4 reshape lifetime xfs seed fail",
    "dax/entry": "dax huge lifetime tinyfs fail seed",
    "dax/layout": "lifetime lease dax reshape seed",
    "dax/lifetime": "lifetime lease dax reshape seed devdax",
}
# Tests of several CPUs at once: with -icount they prove little and spin for long.
SLOW_AREAS = ("race", "soak", "bench", "selftest", "acpi", "pci", "thread", "trap", "time", "shell",
              "nfit", "libc", "cpu", "virtio", "lock", "rwsem", "step", "museum", "ipi", "smp")
SLOW = ("race", "stress", "everywhere", "smp", "ipi", "seed.s4.18", "pattern-1g", "count-after-flush",
        "xfs.437")
LAST = "check"  # the invariants, behind all tests


def read(path: str) -> str:
    with open(os.path.join(ROOT, path), encoding="utf-8") as stream:
        return stream.read()


def files_of(patterns: List[str]) -> List[str]:
    return [path for pattern in patterns for path in find_sources(ROOT, pattern)]


def seen_by(mutant) -> List[str]:
    """The sources to rebuild. A function in line in a header is the code of those that call it:
    sources that name it, or another one of the header that does."""
    if mutant.file.endswith(".c"):
        return [mutant.file]
    names, text = {mutant.function}, read(mutant.file)
    for m in mutants_source.functions_of(text):
        if any(mutants_source.mentions(m[1], name) for name in names):
            names.add(m[0])
    users = [path for path in files_of(["mm/**/*.c", "dax/**/*.c", "drivers/**/*.c"])
             if any(mutants_source.mentions(read(path), name) for name in names)]
    return users


def is_slow(test: str) -> bool:
    return test.split(".")[0] in SLOW_AREAS or any(s in test for s in SLOW)


class Campaign:
    def __init__(self, env):
        self.env = env
        self.jobs = asked.jobs("mutants", env.get("JOBS") or "1")
        total = asked.number("mutants", "TOTAL", env.get("TOTAL") or str(TOTAL), "mutants", 1, 99999)
        asked.known("mutants", "AGAIN", (env.get("AGAIN") or "all").split(), AGAIN, f"there are {', '.join(AGAIN)}")
        every = files_of(FILES)
        self.files = files_of((env.get("FILES") or " ".join(FILES)).split())
        asked.known("mutants", "FILES", self.files or (env.get("FILES") or "").split(), every,
                    "docs/mutants.md names the files that mutants are made of")
        self.chosen = mutants_source.choose({f: read(f) for f in every}, total)
        asked.known("mutants", "NAMES", (env.get("NAMES") or "").split(), {m.name for m in self.chosen},
                    "docs/mutants.md has their names")
        os.makedirs(KEPT, exist_ok=True)
        self.commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True,
                                     stdout=subprocess.PIPE, check=False).stdout.strip()
        with open(os.path.join(ROOT, "build", "holdfast.elf"), "rb") as stream:
            self.kernel = hashlib.sha1(stream.read()).hexdigest()[:8]
        self.lock = threading.Lock()
        self.costs: Dict[str, float] = {}
        self.kills = self.killers()
        self.tests = (env.get("TESTS") or "").split()
        self.with_races = not self.tests and not env.get("QUICK")

    # ---- what is kept ----

    @staticmethod
    def path(mutant) -> str:
        return os.path.join(KEPT, mutant.name.replace("/", "+") + ".json")

    def outcome(self, mutant) -> dict:
        try:
            return read_json(self.path(mutant))
        except (OSError, ValueError):
            return {}

    def keep(self, mutant, outcome: dict) -> None:
        outcome.update(name=mutant.name, line=mutant.line, change=mutant.show(), commit=self.commit,
                       date=time.strftime("%Y-%m-%d"))
        write_json(self.path(mutant), outcome)

    def kept(self, what: str) -> str:
        """Of the kernel as it is built now."""
        return os.path.join(KEPT, f"{what}-{self.kernel}.json")

    def claim(self, mutant) -> bool:
        """Is it still to be done, and ours? Another campaign may be under way beside this one."""
        again = self.env.get("AGAIN")
        before = self.outcome(mutant)
        verdict = before.get("verdict")
        if again == "unraced":
            if verdict != "survived" or before.get("raced") or self.is_equivalent(mutant):
                return False
        elif verdict and again not in ("all", verdict):
            return False
        mark = self.path(mutant) + f".{again or 'first'}.{self.env.get('ROUND', '')}"
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            return True
        except FileExistsError:
            return False

    # ---- tests ----

    def measure(self, worker: Worker) -> None:
        """What each test costs on the unchanged kernel, and that it always passes: once in the order
        of the campaign. What an earlier kernel's tests took is near enough."""
        if self.tests:
            self.measure_few(worker)
            return
        if os.path.exists(self.kept("costs")):
            self.costs = read_json(self.kept("costs"))
            return
        worker.link_unchanged()
        names = [n for n in worker.ask("selftest -l") if "." in n and not is_slow(n)]
        commands = [f"selftest {name}" for name in names]
        costs = self.earlier_costs()
        rest = [c for c in commands if c not in costs]
        while rest:  # each once, going on behind what does not pass
            out = worker.run(rest + [LAST], None)
            costs.update(out.costs)
            left = [c for c in rest if c not in out.passed]
            if left:
                say(f"left out: {out.by}")
                commands.remove(left[0])
            rest = rest[rest.index(left[0]) + 1:] if left else []
        commands = [c for c in commands if c in costs]
        done = False
        while not done:
            self.costs = {c: costs[c] for c in commands} | {LAST: costs.get(LAST, 1)}
            out = worker.run(self.order(self.files[0]), self.costs)
            say(f"the unchanged kernel: {out.verdict} {out.by}, {out.cpu:.0f} CPU seconds")
            done = set(commands) <= set(out.passed)
            if not done:
                commands.remove(next(c for c in self.order(self.files[0]) if c not in out.passed))
        write_json(self.kept("costs"), self.costs)
        say(f"{len(commands)} tests in {sum(self.costs.values()):.0f} CPU seconds")

    @staticmethod
    def earlier_costs() -> Dict[str, float]:
        kept = glob.glob(os.path.join(KEPT, "costs-*.json"))
        return read_json(max(kept, key=os.path.getmtime)) if kept else {}

    def killers(self) -> Counter:
        """How many mutants each test has killed so far."""
        by = (self.outcome(m).get("by", "") for m in self.chosen)
        return Counter(text.split(": ")[0] for text in by if text)

    def measure_few(self, worker: Worker) -> None:
        """The costs of TESTS. They must pass on the unchanged kernel."""
        worker.link_unchanged()
        names = [n for n in worker.ask("selftest -l") if "." in n and
                 any(fnmatch.fnmatch(n.strip(), pattern) for pattern in self.tests)]
        out = worker.run([f"selftest {name.strip()}" for name in names] + [LAST], None)
        if out.verdict != "passed":
            raise RuntimeError(f"the unchanged kernel does not pass {out.by}")
        self.costs = out.costs
        say(f"{len(names)} tests in {out.cpu:.0f} CPU seconds")

    def order(self, file: str) -> List[str]:
        """Those that have killed most come first, of the file's areas and then of the others."""
        home = mutants_source.short(file)
        areas = next((v for k, v in NEAREST.items() if home.startswith(k)), "").split()

        def place(command: str):
            area = command.removeprefix("selftest ").split(".")[0]
            return (self.costs[command] > 1, -self.kills[command],
                    areas.index(area) if area in areas else len(areas), command)

        return sorted((c for c in self.costs if c != LAST), key=place) + [LAST]

    # ---- work ----

    def one(self, worker: Worker, mutant) -> dict:
        text = read_at(worker, mutant.file)
        changed = text[:mutant.start] + mutant.new + text[mutant.end:]
        built = worker.build(mutant.file, changed, seen_by(mutant))
        if built != "built":
            return {"verdict": built}
        out: Outcome = worker.run(self.order(mutant.file), self.costs)
        cpu, raced = out.cpu, False
        if out.verdict != "killed" and self.with_races and not self.is_equivalent(mutant):
            raced = True
            for machine in MACHINES:
                if out.verdict != "killed":
                    out = worker.run([RACES], self.race_costs(machine), machine == "icount")
                    cpu += out.cpu
        verdict = "killed" if out.verdict == "killed" else "survived"
        return {"verdict": verdict, "by": out.by, "cpu": round(cpu, 1), "raced": raced}

    @staticmethod
    def is_equivalent(mutant) -> bool:
        return mutants_report.explanations().get(mutant.name, ("",))[0] == "equivalent"

    def race_costs(self, machine: str) -> Dict[str, float]:
        return read_json(self.kept("races-" + machine))

    def measure_races(self, worker: Worker) -> None:
        """What the dearest cell of `race all` costs on the unchanged kernel, which must pass."""
        for machine in MACHINES:
            if os.path.exists(self.kept("races-" + machine)):
                continue
            worker.link_unchanged()
            out = worker.run([RACES], None, machine == "icount")
            if out.verdict != "passed":
                raise RuntimeError(f"the unchanged kernel does not pass {out.by}")
            say(f"{RACES}, {machine}: {out.cpu:.0f} CPU seconds, the dearest cell "
                f"{out.costs[RACES]:.1f}")
            write_json(self.kept("races-" + machine), out.costs)

    def work(self, folder: str) -> None:
        worker = Worker(folder)
        with self.lock:
            worker.prepare(self.kernel)
            self.measure(worker)
            if self.with_races:
                self.measure_races(worker)
        for mutant in self.todo():
            if not self.claim(mutant):
                continue
            outcome = self.one(worker, mutant)
            if outcome["verdict"] != "survived" or not self.tests:
                self.keep(mutant, outcome)
            say(f"{outcome['verdict']:9} {mutant.name}  {outcome.get('by', '')[:90]}")

    def todo(self) -> List:
        """In the order of rank, so that an unfinished campaign is a fair sample."""
        names = (self.env.get("NAMES") or "").split()
        return sorted((m for m in self.chosen if m.file in self.files and
                       (not names or m.name in names)), key=mutants_source.rank)

    def run(self) -> None:
        if not self.env.get("REPORT"):
            base = self.env.get("MUTANTS_DIR") or KEPT
            threads = [threading.Thread(target=self.work, args=(
                os.path.join(base, f"worker-{self.env.get('WORKER') or 0}-{n}"),))
                for n in range(self.jobs)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        mutants_report.write(len(self.chosen), self.outcomes())

    def outcomes(self) -> Dict[str, dict]:
        """What is kept of the sample, here or in the page; each says of which commit it is."""
        before = mutants_report.of_page(read(os.path.relpath(mutants_report.PAGE, ROOT)))
        found = {m.name: (self.outcome(m) or before.get(m.name, {})) | {"line": m.line, "change": m.show()}
                 | {"gone": False} for m in self.chosen}
        gone = {name: outcome | {"gone": True} for name, outcome in before.items() if name not in found}
        return {name: outcome for name, outcome in {**gone, **found}.items() if outcome.get("verdict")}


def read_at(worker: Worker, file: str) -> str:
    with open(os.path.join(worker.tree, file), encoding="utf-8") as stream:
        return stream.read()


def read_json(path: str) -> dict:
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def write_json(path: str, what) -> None:
    with open(path + ".new", "w", encoding="utf-8") as stream:
        json.dump(what, stream, ensure_ascii=False, indent=1)
    os.rename(path + ".new", path)


def say(text: str) -> None:
    print(f"mutants: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    explore_home.end_with("mutants", lambda _: Campaign(os.environ).run(), "what was tried is kept: the same command goes on")

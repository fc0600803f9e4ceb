# SPDX-License-Identifier: MIT
"""make mutants [FILES="mm/gup.c …"] [TOTAL=420] [JOBS=1] [AGAIN=survived] [NAMES="…"] [TESTS="…"]
             [REPORT=1]

Does a test notice? One small change at a time is made in the code that everything else stands on
(mutants_source.py), the kernel is built with it, and the self-tests run, those nearest to the file
first (mutants_machine.py). A mutant that a test notices is killed; one that no test notices shows
what is not tested, unless it means the same as the original.

The outcome of each is kept in build/mutants/NAME.json, so a campaign can be ended at any time and
goes on where it was. AGAIN=survived runs those once more that survived (AGAIN=all: all), on the tree
as it is now. Two campaigns at a time share the work. TESTS names a few tests, by patterns: a mutant
that they kill is killed, of one that passes them nothing is learnt, and what is kept of it stays.

docs/mutants.md is written from the outcomes and from mutants_explained.txt, in which a person says
of a survivor why it is equivalent, or why only one rare order of events or the memory model can
show it. Outcomes of places that have changed since are left out.
"""

import fnmatch
import glob
import json
import os
import subprocess
import sys
import threading
import time
from typing import Dict, List

import mutants_report
import mutants_source
from mutants_machine import ROOT, Outcome, Worker

KEPT = os.path.join(ROOT, "build", "mutants")
FILES = ["mm/gup*.c", "mm/page.c", "mm/busy.c", "mm/zap.c", "mm/tlb.c", "mm/fork.c", "mm/records.c",
         "mm/percpu_ref.c", "mm/page.h", "mm/internal.h", "dax/file.c", "dax/entry.c", "dax/layout.c",
         "dax/lifetime/*.c"]
TOTAL = 430
EVERY_ONE = 10**7
# Tests by area, in the order in which they are likely to notice a change of the file; then the rest.
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
    found: List[str] = []
    for pattern in patterns:
        found += sorted(os.path.relpath(p, ROOT) for p in glob.glob(os.path.join(ROOT, pattern)))
    return found


def seen_by(mutant) -> List[str]:
    """The sources to rebuild. A function in line in a header is the code of those that call it:
    sources that name it, or another one of the header that does."""
    if mutant.file.endswith(".c"):
        return [mutant.file]
    names, text = {mutant.function}, read(mutant.file)
    for m in mutants_source.functions_of(text):
        if any(mutants_source.mentions(m[1], name) for name in names):
            names.add(m[0])
    users = [path for path in files_of(["mm/*.c", "dax/*.c", "dax/lifetime/*.c", "drivers/*.c"])
             if any(mutants_source.mentions(read(path), name) for name in names)]
    return users


def is_slow(test: str) -> bool:
    return test.split(".")[0] in SLOW_AREAS or any(s in test for s in SLOW)


class Campaign:
    def __init__(self, env):
        self.env = env
        self.files = files_of((env.get("FILES") or " ".join(FILES)).split())
        os.makedirs(KEPT, exist_ok=True)
        self.chosen = mutants_source.choose({f: read(f) for f in files_of(FILES)},
                                            int(env.get("TOTAL") or TOTAL))
        self.commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True,
                                     stdout=subprocess.PIPE, check=False).stdout.strip()
        self.lock = threading.Lock()
        self.costs: Dict[str, float] = {}
        self.tests = (env.get("TESTS") or "").split()

    # ---- what is kept ----

    @staticmethod
    def path(mutant) -> str:
        return os.path.join(KEPT, mutant.name.replace("/", "+") + ".json")

    def outcome(self, mutant) -> dict:
        try:
            with open(self.path(mutant), encoding="utf-8") as stream:
                return json.load(stream)
        except (OSError, ValueError):
            return {}

    def keep(self, mutant, outcome: dict) -> None:
        outcome.update(name=mutant.name, line=mutant.line, change=mutant.show(), commit=self.commit,
                       date=time.strftime("%Y-%m-%d"))
        path = self.path(mutant)
        with open(path + ".new", "w", encoding="utf-8") as stream:
            json.dump(outcome, stream, ensure_ascii=False, indent=1)
        os.rename(path + ".new", path)

    def claim(self, mutant) -> bool:
        """Is it still to be done, and ours? Another campaign may be under way beside this one."""
        again = self.env.get("AGAIN")
        verdict = self.outcome(mutant).get("verdict")
        if verdict and again not in ("all", verdict):
            return False
        mark = self.path(mutant) + f".{again or 'first'}.{self.env.get('ROUND', '')}"
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            return True
        except FileExistsError:
            return False

    # ---- tests ----

    def measure(self, worker: Worker) -> None:
        """What each test costs on the unchanged kernel; twice, so that what does not always pass is
        found here."""
        if self.tests:
            self.measure_few(worker)
            return
        kept = os.path.join(KEPT, f"costs-{self.commit}.json")
        if os.path.exists(kept):
            with open(kept, encoding="utf-8") as stream:
                self.costs = json.load(stream)
            return
        subprocess.run(worker.link_words, cwd=worker.tree, check=True)
        names = [n for n in worker.ask("selftest -l") if "." in n and not is_slow(n)]
        commands = [f"selftest {name}" for name in names]
        costs: Dict[str, float] = {}
        rest = list(commands)
        while rest:  # first each once, going on behind what does not pass
            out = worker.run(rest + [LAST], None)
            costs.update(out.costs)
            left = [c for c in rest if c not in out.passed]
            if left:
                say(f"left out: {out.by}")
                commands.remove(left[0])
            rest = left[1:]
        for file in ("mm/gup.c", "mm/page.c", "dax/file.c"):  # then in the orders of the campaign
            self.costs = {c: costs[c] for c in commands} | {LAST: costs.get(LAST, 1)}
            out = worker.run(self.order(file), self.costs)
            say(f"the unchanged kernel: {out.verdict} {out.by}, {out.cpu:.0f} CPU seconds")
            if out.verdict != "passed" and not set(commands) <= set(out.passed):
                commands.remove(next(c for c in commands if c not in out.passed))
        self.costs = {c: costs[c] for c in commands}
        self.costs[LAST] = costs.get(LAST, 1)
        with open(kept + ".new", "w", encoding="utf-8") as stream:
            json.dump(self.costs, stream, indent=1)
        os.rename(kept + ".new", kept)
        say(f"{len(commands)} tests in {sum(self.costs.values()):.0f} CPU seconds")

    def measure_few(self, worker: Worker) -> None:
        """The costs of TESTS. They must pass on the unchanged kernel."""
        subprocess.run(worker.link_words, cwd=worker.tree, check=True)
        names = [n for n in worker.ask("selftest -l") if "." in n and
                 any(fnmatch.fnmatch(n.strip(), pattern) for pattern in self.tests)]
        out = worker.run([f"selftest {name.strip()}" for name in names] + [LAST], None)
        if out.verdict != "passed":
            raise RuntimeError(f"the unchanged kernel does not pass {out.by}")
        self.costs = out.costs
        say(f"{len(names)} tests in {out.cpu:.0f} CPU seconds")

    def order(self, file: str) -> List[str]:
        areas = next((v for k, v in NEAREST.items() if file.startswith(k)), "").split()

        def place(command: str):
            area = command.removeprefix("selftest ").split(".")[0]
            return (areas.index(area) if area in areas else len(areas), self.costs[command] > 1,
                    command)

        return sorted((c for c in self.costs if c != LAST), key=place) + [LAST]

    # ---- work ----

    def one(self, worker: Worker, mutant) -> dict:
        text = read_at(worker, mutant.file)
        changed = text[:mutant.start] + mutant.new + text[mutant.end:]
        built = worker.build(mutant.file, changed, seen_by(mutant))
        if built != "built":
            return {"verdict": built}
        out: Outcome = worker.run(self.order(mutant.file), self.costs)
        verdict = "killed" if out.verdict == "killed" else "survived"
        return {"verdict": verdict, "by": out.by, "cpu": round(out.cpu, 1)}

    def work(self, folder: str) -> None:
        worker = Worker(folder)
        with self.lock:
            worker.prepare(self.commit)
            self.measure(worker)
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
                for n in range(int(self.env.get("JOBS") or 1))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        mutants_report.write(len(self.chosen), self.outcomes())

    def outcomes(self) -> Dict[str, dict]:
        """All that is kept of places that are as they were; each says of which commit it is."""
        places = {m.name: m for m in mutants_source.choose({f: read(f) for f in files_of(FILES)},
                                                           EVERY_ONE)}
        found, gone = {}, 0
        for path in glob.glob(os.path.join(KEPT, "*:*.json")):
            with open(path, encoding="utf-8") as stream:
                outcome = json.load(stream)
            if outcome["name"] in places:
                found[outcome["name"]] = outcome | {"line": places[outcome["name"]].line}
            else:
                gone += 1
        say(f"{gone} outcomes are of places that have changed since, and left out")
        return found


def read_at(worker: Worker, file: str) -> str:
    with open(os.path.join(worker.tree, file), encoding="utf-8") as stream:
        return stream.read()


def say(text: str) -> None:
    print(f"mutants: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    Campaign(os.environ).run()

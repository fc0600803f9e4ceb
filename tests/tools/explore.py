#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""All orders of events on several processors or machines: `make explore JOBS=n`.

    explore.py run JOBS [SCENARIO [WORDS…]]   JOBS at a time, here, which share the work (explore_share.py)
    explore.py shard FOLDER K N [SCENARIO [WORDS…]]   shard K of 0 … N-1 alone; see explore_job.sh
    explore.py merge FOLDER                   one result out of what the shards left in FOLDER

SCENARIO is a name or a pattern ('*' if none is given), WORDS are those of `explore`: strategy=…,
model=…, bound=…. A shard explores in slices of a minute. After each it adds what was printed to
FOLDER/shard-K-of-N.part, which is its checkpoint (explore_keep.py): one that was killed goes on behind the
last slice, by the same command once more. When it has ended the file is called .out, and it does not run
again. A folder is of one program and of the same words: others are refused.
It runs as a Linux process (make host), with WHERE=kernel in the environment in QEMU, where `run` means the shards
0 … 4 × JOBS - 1, JOBS at a time, and their merge.

Status: 0 safe, 1 something is broken that is not known to break (litmus tests), 2 something is missing.
"""

import fnmatch
import functools
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Dict, List, Optional, Sequence, Set

import asked
import explore_home
import explore_keep
import explore_merge
import explore_share
from progress import Progress

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILE = re.compile(r"shard-(\d+)-of-(\d+)\.(out|part)$")
SAFE, BROKEN, MISSING = 0, 1, 2
SLICE = 60  # seconds
INTERRUPTED = threading.Event()
RUNNING: Set[subprocess.Popen] = set()
PER_JOB = 4  # shards: they are of different size, and whoever is done with one takes the next


def said(line: str, seconds: int = SLICE, more: Sequence[str] = ()) -> List[str]:
    """What a machine prints of a line that may take so long."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    with subprocess.Popen(explore_home.command(line, seconds + 300) + list(more), env=env, stdout=subprocess.PIPE, text=True,
                          errors="replace") as process:
        RUNNING.add(process)
        if INTERRUPTED.is_set():  # it was begun beside Ctrl-C, and has not got that
            process.terminate()
        text = process.communicate()[0]
        RUNNING.discard(process)
    return text.splitlines()


@functools.lru_cache(maxsize=None)
def listed(_program: str) -> Dict[str, str]:
    """Each scenario, and what is said of it."""
    rows = (re.match(r"([a-z0-9]+\.[a-z0-9.-]+) {2,}(\S.*)", line) for line in said("explore -l"))
    return {row.group(1): row.group(2) for row in rows if row}


def scenarios(pattern: str) -> List[str]:
    """The scenarios that a pattern means."""
    return [name for name in listed(explore_keep.mark([])) if fnmatch.fnmatchcase(name, pattern)]


def is_known(result: explore_merge.Result) -> bool:
    """A litmus test, or the like, that breaks as it has to."""
    claim = listed(explore_keep.mark([])).get(result.name, "")
    return claim.endswith("(known to break)") or (" model=tso" in result.how and claim.endswith("(known to break under tso)"))


def status(found: List[explore_merge.Result], whole: bool) -> int:
    """What these results mean. What is known to break and does not, when all of it was explored, is a fault of the
    explorer."""
    lost = [r.name for r in found if whole and r.verdict == "safe" and not r.bounded and is_known(r)]
    if lost:
        print(f"explore: known to break, and safe: {', '.join(lost)}", file=sys.stderr)
    return BROKEN if lost or any(r.verdict != "safe" and not is_known(r) for r in found) else SAFE


def unknown(pattern: str) -> str:
    return f"no scenario is called {pattern}; `build/host/holdfast -c 'explore -l'` lists them"


def say_last(lines: List[str]) -> None:
    """What a process without a result said last; not, if it was interrupted."""
    if not INTERRUPTED.is_set():
        print("\n".join(lines[-3:]), file=sys.stderr)


def each(jobs: int, work: Callable[[int], object], count: int) -> None:
    """work(0 … count-1), so many at a time. Ctrl-C: what runs ends, and nothing more begins."""
    with ThreadPoolExecutor(jobs) as pool:
        try:
            list(pool.map(work, range(count)))
        except KeyboardInterrupt:
            INTERRUPTED.set()
            for process in list(RUNNING):
                process.terminate()
            raise


def patience(mine: List[explore_merge.Result]) -> int:
    """Seconds for the next slice. One that came no further than the one before gets twice the time: a slice
    goes on at a beginning, which may take longer."""
    places = [explore_merge.goes_on(result) for result in mine]
    stuck = 0
    while stuck + 1 < len(places) and places[-1 - stuck] == places[-2 - stuck]:
        stuck += 1
    return SLICE << stuck


def slice_of(name: str, words: List[str], at: int, seconds: int, keep) -> Optional[explore_merge.Result]:
    """Explores one scenario for a slice from beginning `at` on; what was printed goes to keep()."""
    limit = [] if any(word.startswith("time=") for word in words) else [f"time={seconds}"]
    lines = said(" ".join(["explore", name] + words + limit + ([f"from={at}"] if at else [])), seconds)
    found = explore_merge.results(lines)
    if len(found) != 1:
        say_last(lines)
        return None
    keep(lines)
    return found[0]


def explore_one(name: str, words: List[str], before: List[explore_merge.Result], keep) -> bool:
    """One scenario, slice by slice, behind those that were kept before. False: no result."""
    mine = [result for result in before if result.name == name]
    last = mine[-1] if mine else None
    timed = any(word.startswith("time=") for word in words)
    while not last or (not timed and explore_merge.goes_on(last) is not None):
        last = slice_of(name, words, explore_merge.goes_on(last) if last else 0, patience(mine), keep)
        if not last:
            return False
        mine.append(last)
    return True


def run_shard(folder: str, k: int, count: int, words: List[str]) -> int:
    """Runs one shard, or what is left of it. Value: the status that its results mean."""
    path = os.path.join(folder, f"shard-{k}-of-{count}")
    os.makedirs(folder, exist_ok=True)
    mark = explore_keep.mark(words)
    if os.path.exists(path + ".out") and not explore_keep.is_whole(path + ".out"):
        os.rename(path + ".out", path + ".part")
    if not os.path.exists(path + ".out"):
        names = scenarios(words[0] if words else "*")
        before = explore_merge.results(explore_keep.lines(path + ".part", mark))
        ended = []
        with Progress(f"exploring, part {k} of {count}", len(names)) as bar:
            for name in names:
                if INTERRUPTED.is_set():
                    return MISSING
                bar.step(name)
                ended.append(explore_one(name, words[1:] + [f"shard={k}/{count}"], before,
                                         lambda lines: explore_keep.add(path + ".part", mark, lines)))
        if not names or not all(ended):
            missing = ", ".join(n for n, e in zip(names, ended) if not e)
            print(f"explore: shard {k} of {count} has no result for {missing}" if names else f"explore: {unknown(words[0])}",
                  file=sys.stderr)
            return MISSING
        os.rename(path + ".part", path + ".out")
    return status(read(path + ".out", mark), False)


def read(path: str, mark: str = "") -> List[explore_merge.Result]:
    return explore_merge.results(explore_keep.lines(path, mark))


def merge_folder(folder: str) -> int:
    """Prints the united results, each finding with its counterexample."""
    shards: Dict[int, List[explore_merge.Result]] = {}
    counts, marks = set(), set()
    for name in sorted(os.listdir(folder)):
        match = FILE.match(name)
        if match:
            counts.add(int(match.group(2)))
        if match and match.group(3) == "out":
            marks.add(explore_keep.marked(os.path.join(folder, name)))
            shards[int(match.group(1))] = read(os.path.join(folder, name))
    if len(counts) != 1:
        print(f"explore: {folder} holds shards of {len(counts)} divisions; one is needed",
              file=sys.stderr)
        return MISSING
    if len(marks) > 1:
        print(f"explore: {folder} holds shards of different explorations: {'; '.join(sorted(marks))}", file=sys.stderr)
        return MISSING
    try:
        found = explore_merge.merge(shards, counts.pop())
    except explore_merge.MergeError as error:
        print(f"explore: {error}", file=sys.stderr)
        return MISSING
    return told(found)


def told(found: List[explore_merge.Result]) -> int:
    """Prints them; value: the status that they mean."""
    for result in found:
        print("\n".join((result.line(),) + result.told))
    return status(found, True)


def forget_old(folder: str, binary: str) -> None:
    """Removes what was kept of a program that is none any more."""
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        if re.search(r"\.(out|part|taken)$", name) and os.path.getmtime(path) < os.path.getmtime(binary):
            os.remove(path)


def folder_of(words: List[str], how: str) -> str:
    """Where results of these words are kept."""
    name = re.sub(r"[^\w.=-]+", "_", "-".join(words).replace("*", "all")) or "all"
    folder = os.path.join(ROOT, "build", "explore-run", f"{name}-{how}")
    forget_old(folder, explore_home.binary())
    os.makedirs(folder, exist_ok=True)
    return folder


def run_shards(jobs: int, words: List[str]) -> int:
    """So many shards at a time as jobs."""
    count = jobs * PER_JOB if jobs > 1 else 1
    folder = folder_of(words, str(count))
    each(jobs, lambda k: run_shard(folder, k, count, words), count)
    return merge_folder(folder)


def help_with(share: explore_share.Share, scenario: explore_share.Scenario, words: List[str]) -> None:
    """One job's part of a scenario, slice by slice, until no beginning is left."""
    timed = any(word.startswith("time=") for word in words)
    shared = [] if scenario.alone else ["shard=0/1"]
    mine: List[explore_merge.Result] = []
    while not mine or (not timed and explore_merge.goes_on(mine[-1]) is not None):
        number, seconds = share.number(scenario), patience(mine)
        at = explore_merge.goes_on(mine[-1]) if mine else 0
        limit = [] if timed or scenario.alone else [f"time={seconds}"]
        lines = said(" ".join(["explore", scenario.name, *words, *shared, *limit] + ([f"from={at}"] if at else [])), seconds,
                     ["-t", f"{scenario.path}.taken:{number}"] if shared else [])
        found = explore_merge.results(lines)
        share.came(scenario, number, lines, found[0] if len(found) == 1 else None)
        if len(found) != 1:
            say_last(lines)
            return
        mine.append(found[0])


def run_shared(jobs: int, words: List[str]) -> int:
    """So many jobs, which share all scenarios."""
    folder, names = folder_of(words, "shared"), scenarios(words[0] if words else "*")
    mark = explore_keep.mark(words)
    share = explore_share.Share(folder, [n for n in names if not os.path.exists(os.path.join(folder, n + ".out"))], words[1:], mark)

    def work(_job: int) -> None:
        for scenario in iter(lambda: None if INTERRUPTED.is_set() else share.next(), None):
            bar.step(scenario.name)
            help_with(share, scenario, words[1:])
            while not share.leave(scenario):
                help_with(share, scenario, words[1:])

    with Progress("exploring", len(names)) as bar:
        each(jobs, work, jobs)
    missing = [n for n in names if not os.path.exists(os.path.join(folder, n + ".out"))]
    if not names:
        print(f"explore: {unknown(words[0])}", file=sys.stderr)
        return MISSING
    if missing:
        print(f"explore: there is no result for {', '.join(missing)}", file=sys.stderr)
        return MISSING
    timed = any(word.startswith("time=") for word in words)
    return told([explore_share.together(explore_share.read(os.path.join(folder, n), mark), timed) for n in names])


def run(jobs: int, words: List[str]) -> int:
    return (run_shards if explore_home.in_kernel() else run_shared)(jobs, words)


def main(args: List[str]) -> int:
    try:
        return command(args)
    except explore_keep.KeepError as error:
        print(f"explore: {error}", file=sys.stderr)
        return MISSING


def command(args: List[str]) -> int:
    if args[:1] == ["run"] and len(args) > 1:
        return run(asked.jobs("explore", args[1]), args[2:])
    if args[:1] == ["shard"] and len(args) > 3 and all(re.fullmatch(r"\d{1,4}", n) for n in args[2:4]):
        k, count = int(args[2]), int(args[3])
        if k < count:
            return run_shard(args[1], k, count, args[4:])
    if args[:1] == ["merge"] and len(args) == 2 and os.path.isdir(args[1]):
        return merge_folder(args[1])
    print(__doc__.split("\n\n")[1], file=sys.stderr)
    return MISSING


if __name__ == "__main__":
    explore_home.end_with("explore", main, "what ended is kept, and the same command goes on behind it")

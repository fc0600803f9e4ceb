# SPDX-License-Identifier: MIT
"""Jobs of one machine share what there is to explore (explore.py run): whoever has nothing to begin helps who is at work.

A scenario is begun by one job. When none is left to begin, a job that is free starts a process of its own for one that
is at work for a while, and the two take its beginnings as they come, each of which is explored by whoever asks first
(boot/host/share.c). So no part is cut beforehand that could turn out to be the largest one.

In the folder, for each scenario: NAME.taken, which process has which beginning, by number; NAME.part, for each process,
or slice of a minute, its number and what it printed (explore_keep.py). When all is explored NAME.part is called NAME.out.
Who was killed has no slice in it, so what he took is free again for the next run.
"""

import array
import collections
import os
import re
import threading
import time

import explore_keep
import explore_merge

PIECES = 1 << 24  # numbers in a file of what is taken (boot/host/share.c)
PATIENCE = 0.1  # seconds that a scenario is at work before it gets help: most are over by then
SLICE = re.compile(r"^slice (\d+)$")
UNSHARED = ("strategy=pct", "strategy=random", "strategy=states")  # they have no parts, or all parts throw the same dice


class Scenario:
    """One that is at work, or was."""

    def __init__(self, folder, name, alone, mark):
        self.name, self.alone, self.mark = name, alone, mark
        self.path = os.path.join(folder, name)
        self.hands, self.begun = 0, time.monotonic()
        self.exhausted = self.failed = False  # no beginning is left that nobody has; a process had no result
        self.kept = read(self.path, mark)
        if not self.alone and not forget(self.path + ".taken", self.kept):
            self.kept.clear()
            os.remove(self.path + ".part")
        self.number = max(self.kept, default=0)

    def learnt_late(self):
        """A process learnt of a place when others had gone by it: their parts do not add up."""
        return any(by.startswith("learnt late") for result in self.kept.values() for by in result.bounded)

    def start_over(self):
        """By one process, without parts."""
        self.alone, self.kept = True, collections.OrderedDict()
        os.remove(self.path + ".part")

    def keep(self, number, lines):
        """The lines of one process: at once, or not at all."""
        explore_keep.add(self.path + ".part", self.mark, [f"slice {number}", *lines])

    def end(self):
        """Nobody is at work on it any more."""
        if not self.failed:
            os.rename(self.path + ".part", self.path + ".out")
            if os.path.exists(self.path + ".taken"):
                os.remove(self.path + ".taken")


def read(path, mark):
    """{number: its result}, of the processes that were kept."""
    found = collections.OrderedDict()
    for end in (".part", ".out"):
        for lines in explore_keep.read(path + end, mark):
            number, results = SLICE.match(lines[0]), explore_merge.results(lines)
            if number and results:
                found[int(number[1])] = results[0]
    return found


def forget(path, kept):
    """What was taken by a process that is not among the kept ones is nobody's. False: nobody knows what the kept ones
    took, so they do not count. The file is another one then: who was left over from before has the old one, and takes
    nothing away from us."""
    taken = array.array("H")
    if os.path.exists(path):
        with open(path, "rb") as stream:
            data = stream.read()
        os.remove(path)
        taken.frombytes(data if len(data) == 2 * PIECES else b"")
    there = set(taken)
    if any(number not in there for number, result in kept.items() if result.executions):
        return False
    while taken and taken[-1] not in kept:
        taken.pop()
    with open(path + ".new", "wb") as stream:
        stream.write(array.array("H", (number if number in kept else 0 for number in taken)).tobytes())
        stream.truncate(2 * PIECES)
    os.rename(path + ".new", path)
    return True


class Share:
    """What several jobs have before them."""

    def __init__(self, folder, names, words, mark):
        self.folder, self.waiting, self.at_work, self.mark = folder, collections.deque(names), [], mark
        self.alone = any(word in UNSHARED for word in words)
        self.turn = threading.Condition()

    def next(self):
        """What to begin, or to help with; None: there is nothing."""
        with self.turn:
            while True:
                if self.waiting:
                    self.at_work.append(Scenario(self.folder, self.waiting.popleft(), self.alone, self.mark))
                    return self.join(self.at_work[-1])
                left = [s for s in self.at_work if not (s.exhausted or s.alone)]
                if not left:
                    return None
                ripe = [s for s in left if time.monotonic() - s.begun >= PATIENCE]
                if ripe:
                    return self.join(min(ripe, key=lambda s: s.hands))
                self.turn.wait(PATIENCE)

    @staticmethod
    def join(scenario):
        scenario.hands += 1
        return scenario

    def number(self, scenario):
        """For the next process."""
        with self.turn:
            scenario.number += 1
            return scenario.number

    def came(self, scenario, number, lines, result):
        """What a process printed. False: it did not end."""
        with self.turn:
            if result is None:
                scenario.failed = True
            else:
                scenario.keep(number, lines)
                scenario.kept[number] = result
            scenario.exhausted |= result is None or explore_merge.goes_on(result) is None

    def leave(self, scenario):
        """False: it is to be begun once more, by who asks."""
        with self.turn:
            if scenario.hands == 1 and not scenario.failed and not scenario.alone and scenario.learnt_late():
                scenario.start_over()
                return False
            scenario.hands -= 1
            if not scenario.hands:
                self.at_work.remove(scenario)
                scenario.end()
            self.turn.notify_all()
            return True


def together(kept, timed):
    """The result of all processes of one scenario. A slice that somebody went on behind does not say how it ended."""
    parts = list(kept.values())
    whole = explore_merge.united(parts[0].name, parts)
    stopped = [not timed and explore_merge.goes_on(part) is not None for part in parts]
    executions = sum(part.done[1] if stop else part.executions for part, stop in zip(parts, stopped))
    bounded = {by for part, stop in zip(parts, stopped) for by in part.bounded if not stop}
    return whole._replace(executions=executions, bounded=tuple(sorted(bounded)))

# SPDX-License-Identifier: MIT
"""Jobs of one machine share what there is to explore (explore.py run): whoever has nothing to begin helps who is at work.

A scenario is begun by one job. When none is left to begin, a job that is free starts a process of its own for one that
is at work for a while, and the two take its beginnings as they come, each of which is explored by whoever asks first
(boot/host/share.c). So no part is cut beforehand that could turn out to be the largest one.

In the folder, for each scenario: NAME.taken, which process has which beginning, by number; NAME.part, for each process,
or slice of a minute, its number and what it printed. When all is explored NAME.part is called NAME.out. Who was killed has
no line in it, so what he took is free again for the next run.
"""

import array
import collections
import os
import re
import threading
import time

import explore_merge

PATIENCE = 0.1  # seconds that a scenario is at work before it gets help: most are over by then
SLICE = re.compile(r"^slice (\d+)$")
UNSHARED = ("strategy=pct", "strategy=random", "strategy=states")  # they have no parts, or all parts throw the same dice


class Scenario:
    """One that is at work, or was."""

    def __init__(self, folder, name, alone):
        self.name, self.alone = name, alone
        self.path = os.path.join(folder, name)
        self.hands, self.begun = 0, time.monotonic()
        self.exhausted = self.failed = False  # no beginning is left that nobody has; a process had no result
        self.kept = read(self.path)
        self.number = max(self.kept, default=0)
        forget(self.path + ".taken", self.kept)

    def learnt_late(self):
        """A process learnt of a place when others had gone by it: their parts do not add up."""
        return any(by.startswith("learnt late") for result in self.kept.values() for by in result.bounded)

    def start_over(self):
        """By one process, without parts."""
        self.alone, self.kept = True, collections.OrderedDict()
        os.remove(self.path + ".part")

    def keep(self, number, lines):
        """The lines of one process: at once, or not at all."""
        with open(self.path + ".part", "a", encoding="utf-8") as out:
            out.write("\n".join([f"slice {number}", *lines]) + "\n")

    def end(self):
        """Nobody is at work on it any more."""
        if not self.failed:
            os.rename(self.path + ".part", self.path + ".out")
            if os.path.exists(self.path + ".taken"):
                os.remove(self.path + ".taken")


def read(path):
    """{number: its result}, of the processes that were kept."""
    found, number = collections.OrderedDict(), 0
    for end in (".part", ".out"):
        if not os.path.exists(path + end):
            continue
        with open(path + end, encoding="utf-8", errors="replace") as stream:
            lines = collections.defaultdict(list)
            for line in stream:
                match = SLICE.match(line)
                number = int(match.group(1)) if match else number
                lines[number].append(line)
        for number, its in lines.items():
            results = explore_merge.results(its)
            if results:
                found[number] = results[0]
    return found


def forget(path, kept):
    """What was taken by a process that is not among the kept ones is nobody's."""
    if not os.path.exists(path):
        return
    taken = array.array("H")
    with open(path, "rb") as stream:
        taken.frombytes(stream.read())
    lost = set(taken) - set(kept) - {0}
    with open(path, "r+b") as stream:
        for place, number in enumerate(taken) if lost else ():
            if number in lost:
                stream.seek(2 * place)
                stream.write(b"\0\0")


class Share:
    """What several jobs have before them."""

    def __init__(self, folder, names, words):
        self.folder, self.waiting, self.at_work = folder, collections.deque(names), []
        self.alone = any(word in UNSHARED for word in words)
        self.turn = threading.Condition()

    def next(self):
        """What to begin, or to help with; None: there is nothing."""
        with self.turn:
            while True:
                if self.waiting:
                    self.at_work.append(Scenario(self.folder, self.waiting.popleft(), self.alone))
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

# SPDX-License-Identifier: MIT
"""The results of shards as one: what N machines printed of `explore NAME … shard=k/N`, k from 0.

A shard goes through the executions whose schedules begin in its own way, so executions add up. An
outcome may come in several shards: each prints a line `outcome WORD` for those that it saw, and they
are united; of a shard that prints none only the largest number is known, and the result says "at
least". The depth is the deepest, complete is what every shard completed, and of several findings the
one of the lowest shard is told, with its counterexample.
"""

import re
from typing import Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

LINE = re.compile(r"^explore (?P<name>\S+)(?P<how>(?: \w+=\S+)*): (?P<end>complete|ended|bounded \((?P<by>[^)]*)\)),"
                  r" (?P<executions>\d+) executions?, (?:at least )?(?P<outcomes>\d+) outcomes?,"
                  r" depth (?P<depth>\d+), (?P<verdict>safe|BROKEN .*)$")
OUTCOME = re.compile(r"^outcome (\S+)")
DONE = re.compile(r"^beginnings (\d+) executions (\d+)")
SHARD = re.compile(r"(?:^| )shard=(\d+)/(\d+)")


class MergeError(Exception):
    """What is missing or does not fit, in one sentence."""


class Result(NamedTuple):
    """What one shard, or all of them, found of one scenario."""

    name: str
    how: str            # " lifetime=… model=… strategy=…"
    bounded: Tuple[str, ...]  # by what; empty: complete
    executions: int
    outcomes: int
    exact: bool         # `outcomes` are all; else there are at least so many
    seen: Tuple[str, ...]
    depth: int
    verdict: str
    told: Tuple[str, ...]  # the counterexample's lines
    done: Optional[Tuple[int, int]] = None  # beginnings, and the executions in them

    def line(self) -> str:
        end = f"bounded ({', '.join(self.bounded)})" if self.bounded else "complete"
        least = "" if self.exact else "at least "
        return (f"explore {self.name}{self.how}: {end}, {self.executions} executions, "
                f"{least}{self.outcomes} outcomes, depth {self.depth}, {self.verdict}")


def results(lines: Iterable[str]) -> List[Result]:
    """Every result among the lines that a machine printed. What is said of a scenario before its line
    are its outcomes and how far it came; what comes behind it, up to its token, is its counterexample."""
    found: List[Result] = []
    seen: List[str] = []
    telling, at = False, None
    for line in (line.rstrip("\r\n") for line in lines):
        match, outcome, done = LINE.match(line), OUTCOME.match(line), DONE.match(line)
        if outcome:
            seen.append(outcome.group(1))
        elif done:
            at = (int(done.group(1)), int(done.group(2)))
        elif match:
            found.append(one(match, seen)._replace(done=at))
            seen, telling, at = [], match.group("verdict") != "safe", None
        elif telling:
            found[-1] = found[-1]._replace(told=found[-1].told + (line,))
            telling = not line.startswith("token ")
    return found


def one(match, seen: List[str]) -> Result:
    how = SHARD.sub("", match.group("how"))
    distinct = tuple(sorted(set(seen)))
    return Result(match.group("name"), how, (match.group("by"),) if match.group("by") else (),
                  int(match.group("executions")), int(match.group("outcomes")), True, distinct,
                  int(match.group("depth")), match.group("verdict"), ())


def goes_on(result: Result) -> Optional[int]:
    """The beginning from which a next slice goes on, if this one was stopped by its time."""
    if result.bounded == ("time",) and result.verdict == "safe" and result.done:
        return result.done[0]
    return None


def slices(parts: List[Result]) -> Result:
    """Of one scenario, the slices of one shard in their order: the last one says how it ended."""
    whole = united(parts[0].name, parts)
    executions = sum(part.done[1] if part.done else part.executions for part in parts[:-1])
    return whole._replace(executions=executions + parts[-1].executions, bounded=parts[-1].bounded,
                          done=parts[-1].done)


def by_scenario(found: List[Result]) -> List[Result]:
    """What one shard printed, its slices put together."""
    parts: Dict[Tuple[str, str], List[Result]] = {}
    for result in found:
        parts.setdefault((result.name, result.how), []).append(result)
    return [slices(results_) for results_ in parts.values()]


def united(name: str, parts: List[Result]) -> Result:
    """Of one scenario, the results of all shards in their order."""
    seen: Set[str] = set().union(*(part.seen for part in parts))
    most = max(part.outcomes for part in parts)
    exact = len(parts) == 1 or all(len(part.seen) == part.outcomes for part in parts)
    broken = next((part for part in parts if part.verdict != "safe"), parts[0])
    return Result(name, parts[0].how, tuple(sorted({by for part in parts for by in part.bounded})),
                  sum(part.executions for part in parts), len(seen) if seen and exact else most, exact,
                  tuple(sorted(seen)), max(part.depth for part in parts), broken.verdict, broken.told)


def merge(shards: Dict[int, List[Result]], count: int) -> List[Result]:
    """All scenarios, in the order of the first shard. A shard that is missing is an error: what is
    not known of is not safe."""
    missing = [k for k in range(count) if k not in shards]
    if missing:
        raise MergeError(f"shards {', '.join(map(str, missing))} of 0 … {count - 1} have not ended")
    parts: Dict[Tuple[str, str], List[Result]] = {}
    for k in sorted(shards):
        for result in by_scenario(shards[k]):
            parts.setdefault((result.name, result.how), []).append(result)
    for (name, how), found in parts.items():
        if len(found) != count:
            raise MergeError(f"{name}{how}: {len(found)} results of {count} shards")
    return [united(name, found) for (name, _), found in parts.items()]

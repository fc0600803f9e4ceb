# SPDX-License-Identifier: MIT
"""One machine's serial line, read and judged: did every command pass, which failed, which hangs?

A hang is told by what the machine itself says, never by the clock of the host:

 - The kernel's watchdog names a thread that has run for 12 s of the machine's time without a sleep,
   and a CPU that took no interrupt for as long.
 - A command that takes many times the CPU seconds it took on the unchanged kernel is looked at: the
   kernel is asked what every CPU and thread does (a break on its serial line, kernel/trap/report.c).
   60 s of the machine's own time between two looks at one command: it hangs, and the report says
   who sleeps, for what, and who would wake it. An idle machine's clock jumps from timer to timer,
   so with -icount that takes seconds.
 - Where its clock creeps, as two CPUs spin for each other, LOOKS such spans of CPU time are the end.
 - A machine that takes no CPU time and does not answer takes no interrupt any more.
"""

import json
import os
import re
import select
import socket
import time
from dataclasses import dataclass, field
from typing import Dict, List

TICK = os.sysconf("SC_CLK_TCK")
DEAD = re.compile(r"(panic|PANIC|kernel panic|triple fault)")
BREAK = {"execute": "chardev-send-break", "arguments": {"id": "ser"}}
FACTOR, GRACE = 4, 2  # a look after FACTOR times its cost, and GRACE CPU seconds
LOOKS = 4
# Seconds of the machine's time that no command spends between two looks; a race may, as its own
# script waits for 60 s before it says HUNG, and a matrix has 36 of them.
OWN_TIME, OWN_TIME_RACE = 60, 3600
STALL = 300  # seconds without a line and without CPU time, and no answer to a break
DEAREST = 3.0  # CPU seconds; a test that takes more on the unchanged kernel is none of the quick ones
REPORT = re.compile(r"report: what every CPU and thread does, (\d+) ms after boot")
SLEEPER = re.compile(r"report: thread (\d+) '(.*)' sleeps for (\d+) ms: (waits for .*)")
RUNNER = re.compile(r"report: CPU \d+ runs thread \d+ '.*', interrupts \w+$")


@dataclass
class Outcome:
    verdict: str  # passed, killed
    by: str = ""  # the test, and what it said
    cpu: float = 0
    costs: Dict[str, float] = field(default_factory=dict)  # CPU seconds of each test
    passed: List[str] = field(default_factory=list)


def send_break(path: str) -> None:
    """Asks the kernel for its report. A QEMU that does not answer is seen by what it prints."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(30)
        try:
            control.connect(path)
            with control.makefile("rw") as file:
                for line in ({"execute": "qmp_capabilities"}, BREAK):
                    file.write(json.dumps(line) + "\n")
                    file.flush()
                for _ in range(3):
                    file.readline()
        except OSError:
            pass


class Report:
    """What the kernel said it does, the last time it was asked."""

    def __init__(self):
        self.clock, self.sleepers, self.runners = 0.0, [], []

    def line(self, text: str) -> None:
        if match := REPORT.match(text):
            self.__init__()
            self.clock = int(match.group(1)) / 1000
        elif match := SLEEPER.match(text):
            seconds = int(match.group(3)) / 1000
            self.sleepers.append((seconds, f"'{match.group(2)}' sleeps for {seconds:.0f} s: "
                                  + match.group(4)))
        elif RUNNER.match(text):
            self.runners.append(text.removeprefix("report: "))

    def sleeps(self, since: float) -> str:
        """Those asleep for at least as long as the command hangs, the newest sleep first: the
        kernel's own threads went to sleep before it began."""
        found = sorted(s for s in self.sleepers if s[0] >= since)
        return found[0][1] if found else "; ".join(self.runners) or "all CPUs are idle"


class Watch:
    """Reads a machine's serial line and judges it. control: path of QEMU's control socket."""

    def __init__(self, process, commands, costs, control, icount=True):
        self.process, self.last, self.costs, self.control = process, commands[-1], costs, control
        self.icount = icount  # its clock stands still while the host has no time for it
        self.out, self.report = Outcome("passed"), Report()
        self.why, self.cell, self.dearest, self.ended = "", "", 0.0, False
        self.begin("boot", 0.0)

    def begin(self, command: str, cpu: float) -> None:
        self.now, self.since, self.looks, self.first_clock = command, cpu, 0, None

    def cpu(self) -> float:
        try:
            with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            return self.out.cpu
        return (int(fields[11]) + int(fields[12])) / TICK

    def span(self) -> float:
        """CPU seconds until the next look at a command."""
        if self.costs is None:
            return 60
        return FACTOR * self.costs.get(self.now, 1) + GRACE

    def watch(self) -> Outcome:
        pipe, rest = self.process.stdout, b""
        os.set_blocking(pipe.fileno(), False)
        silent, last = time.monotonic(), 0.0
        while True:
            ready, _, _ = select.select([pipe], [], [], 0.5)
            cpu = self.cpu()
            if cpu > last + 0.05:
                silent, last = time.monotonic(), cpu
            if ready:
                data = os.read(pipe.fileno(), 65536)
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                if any(self.line(line.decode(errors="replace").rstrip("\r"), cpu) for line in lines):
                    break
            if time.monotonic() - silent > STALL:
                self.killed("hangs: no CPU time is used, and no interrupt is taken")
                break
            if cpu - self.since > (self.looks + 1) * self.span() and self.look():
                break
            if self.costs is None and self.now.startswith("selftest ") and \
                    cpu - self.since > DEAREST:
                self.killed("it is none of the quick ones")
                break
        self.out.cpu = self.cpu()
        if self.out.verdict == "passed" and not self.ended:
            self.killed("the machine ended early")
        return self.out

    def look(self) -> bool:
        """It takes long. True: it hangs. Else the kernel is asked what it does."""
        self.looks += 1
        if self.looks > LOOKS:
            return self.killed(f"hangs: {LOOKS * self.span():.0f} CPU seconds, and it took "
                               f"{(self.costs or {}).get(self.now, 1):.2f}; "
                               + ("; ".join(self.report.runners) or "no answer"))
        send_break(self.control)
        return False

    def answered(self) -> bool:
        """The kernel said what it does. True: it has done nothing else for long, so it hangs."""
        clock = self.report.clock
        if self.first_clock is None:
            self.first_clock = clock
        limit = OWN_TIME_RACE if self.racing() else OWN_TIME
        return clock - self.first_clock > limit and \
            self.killed(f"hangs: {self.report.sleeps(clock - self.first_clock)}")

    def racing(self) -> bool:
        return self.now.startswith("race ")

    def killed(self, how: str) -> bool:
        where = f"{self.now}, after {self.cell.split(':')[0]}" if self.cell else self.now
        self.out.verdict, self.out.by = "killed", f"{where}: {how}"[:300]
        return True

    def cell_done(self, text: str, cpu: float) -> None:
        """A line of `race all`: the end of one cell, each of which is looked at by itself."""
        self.dearest = max(self.dearest, cpu - self.since)
        self.cell = text
        self.begin(self.now, cpu)

    def line(self, text: str, cpu: float) -> bool:
        """True: enough was seen."""
        said = text.removeprefix("# ")  # while a self-test runs, every line is a comment
        if text.startswith("> "):
            self.begin(text[2:].strip(), cpu)
        elif text.startswith("[status "):
            return self.status(text, cpu)
        elif text.startswith(("not ok", "panic", "PANIC")) or DEAD.match(text):
            return self.killed(self.why or text)
        elif said.startswith("watchdog: ") and self.icount and self.costs is not None:
            return self.killed(f"hangs: {said}")
        elif said.startswith("report: "):
            self.report.line(said)
            return said == "report: end" and self.answered()
        elif text.startswith("# ") and "expected" in text:
            self.why = text[2:]
        elif match := re.match(r" *race (\S+ lifetime=.*)", text):
            self.cell_done(f"race {match.group(1)}", cpu)
        elif text.startswith("  UNEXPECTED: "):
            self.out.verdict, self.out.by = "killed", self.cell[:250] + "; " + text[14:]
            return True
        return False

    def status(self, text: str, cpu: float) -> bool:
        """A command's end. True: enough was seen."""
        cost = round(max(cpu - self.since, self.dearest), 2)
        self.out.costs[self.now] = cost
        if text != "[status 0]":
            return self.killed(self.why or text)
        self.out.passed.append(self.now)
        if self.costs is None:
            print(f"{cost:6.2f} {self.now}", flush=True)
        if self.now == self.last:
            self.ended = True
        self.begin("the shell", cpu)
        self.cell, self.dearest = "", 0.0
        return self.ended

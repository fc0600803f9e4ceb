#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make debug TOKEN=…`: gdb on the counterexample, stopped before the step that breaks the rule.

    explore_debug.py TOKEN [GDB ARGUMENT …]

The token is replayed in the home that is a Linux process. Each time a program begins the explorer
first learns the scenario, which takes a moment; then the order of the token runs up to its last
event, and gdb shows the code that is about to make it. Threads that wait their turn are stacks that
nobody runs; `replay TOKEN` prints what they did. `kill`, then `run`, begins once more. MUSEUM=NAME is
the fault of the museum with which the order was found.

A token that cannot be replayed is refused before gdb begins.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from typing import List, Tuple

import explore_home

# What happens next, in words. Then from the explorer's own frames up to the code under test; a scenario is
# code under test, too. Where no code makes the event, the line that caused it: a store that leaves its buffer.
UP = """python
import gdb
def code_under_test():
    frame = gdb.newest_frame()
    while frame:
        line = frame.find_sal()
        file = line.symtab.filename if line.symtab else ""
        if file and (not file.startswith("tests/explore/") or "/scenarios/" in file):
            return frame
        frame = frame.older()
    return None
def show_step(event):
    frame = gdb.newest_frame()
    if frame.name() != "explore_last_step":
        return
    said = {name: frame.read_var(name) for name in ("actor", "event", "on_its_stack")}
    print("the last event of the token comes next: %s: %s, %s:%d" % (
        said["actor"].string(), said["event"].string(), file, line))
    frame = code_under_test() if said["on_its_stack"] else None
    if frame:
        frame.select()
        gdb.execute("frame")
    elif line:
        print("no code makes it, so there is no stack of its own")
        gdb.execute("list %s:%d,+1" % (file, line))
gdb.events.stop.connect(show_step)
end
"""


def command(token: str, place: Tuple[str, int], more: List[str]) -> List[str]:
    """gdb with the home; a page fault and a tick are signals, which are the machine's own affair."""
    folder = os.path.join(explore_home.ROOT, "build", "explain")
    os.makedirs(folder, exist_ok=True)
    script = os.path.join(folder, "step.gdb")
    with open(f"{script}.{os.getpid()}", "w", encoding="utf-8") as file:
        file.write("handle SIGSEGV SIGVTALRM nostop noprint pass\nset breakpoint pending on\n" + UP
                   + "break explore_last_step\nrun\n")
    os.rename(file.name, script)  # another one's gdb may be reading it, whose token has another place
    return ["gdb", "-q", "-iex", "python file, line = %r, %d" % place, "-x", script, *more, "--args",
            explore_home.HOST, *explore_home.DIMMS, "-c", explore_home.replay(token)]


HINT = "; an order that was found with a fault of the museum wants MUSEUM=NAME"


def replay(token: str) -> Tuple[int, str]:
    """Status and output of the replay, a line of JSON for each step."""
    done = subprocess.run([explore_home.HOST, *explore_home.DIMMS, "-c", explore_home.replay(token, "json")],
                          check=False, text=True, errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def refusal(token: str, status: int, said: str) -> str:
    """Why gdb would find nothing to stop at; empty: it does. Said on stderr: that the order breaks nothing."""
    if status:
        why = [line for line in said.splitlines() if re.match(r"(replay|museum): ", line)]
        if not why:
            return f"the replay ended with status {status}: {said[-400:]}"
        return why[0] + (HINT if "is not what it was" in why[0] else "")
    if not token.split(":")[-1]:
        return f"'{token}' names no event: its order is empty"
    if not re.search(r'^{"broken":"[^"]', said, re.M):
        print("debug: this order breaks no rule" + HINT, file=sys.stderr)
    return ""


def place_of(token: str, said: str) -> Tuple[str, int]:
    """File and line of the token's last event, as `replay` tells them, which goes on behind it: those of the
    function itself, where gdb would name a header whose code stands there in line."""
    events = sum(int(times or 1) for times in re.findall(r"[a-z](\d*)", token.split(":")[-1]))
    steps = [json.loads(line) for line in said.splitlines() if line.startswith('{"step"')]
    last = steps[events - 1] if 0 < events <= len(steps) else {}
    return last.get("file") or "?", last.get("line") or 0


def main(args: List[str]) -> int:
    if not args or not re.fullmatch(r"[\w.:,-]+", args[0]):
        print("debug: TOKEN is the last line of a finding of `explore`, without the word token", file=sys.stderr)
        return 2
    if not shutil.which("gdb"):
        print("debug: gdb is not installed; `make debug` as root installs it", file=sys.stderr)
        return 2
    os.chdir(explore_home.ROOT)
    status, said = replay(args[0])
    why = refusal(args[0], status, said)
    if why:
        print(f"debug: {why}", file=sys.stderr)
        return 1
    os.execvp("gdb", command(args[0], place_of(args[0], said), args[1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make debug TOKEN=…`: gdb on the counterexample, stopped before the step that breaks the rule.

    explore_debug.py TOKEN [GDB ARGUMENT …]

The token is replayed in the home that is a Linux process. Each time a program begins the explorer
first learns the scenario, which takes a moment; then the order of the token runs up to its last
event, and gdb shows the code that is about to make it. Threads that wait their turn are stacks that
nobody runs; `replay TOKEN` prints what they did. `kill`, then `run`, begins once more.
"""

import os
import re
import shutil
import sys
from typing import List

import explore_home

# From the explorer's own frames up to the code under test; a scenario is code under test, too.
UP = """python
import gdb
def show_step(event):
    frame = gdb.newest_frame()
    while frame and frame.older():
        line = frame.find_sal()
        file = line.symtab.filename if line.symtab else ""
        if file and (not file.startswith("tests/explore/") or "/scenarios/" in file):
            break
        frame = frame.older()
    frame.select()
    gdb.execute("frame")
gdb.events.stop.connect(show_step)
end
"""


def command(token: str, more: List[str]) -> List[str]:
    """gdb with the home; a page fault and a tick are signals, which are the machine's own affair."""
    folder = os.path.join(explore_home.ROOT, "build", "explain")
    os.makedirs(folder, exist_ok=True)
    script = os.path.join(folder, "step.gdb")
    with open(script, "w", encoding="utf-8") as file:
        file.write("handle SIGSEGV SIGVTALRM nostop noprint pass\nset breakpoint pending on\n" + UP
                   + "break explore_last_step\nrun\n")
    return ["gdb", "-q", "-x", script, *more, "--args", explore_home.HOST, *explore_home.DIMMS, "-c",
            f"replay {token}"]


def main(args: List[str]) -> int:
    if not args or not re.fullmatch(r"[\w.:,-]+", args[0]):
        print("debug: TOKEN is the last line of a finding of `explore`, without the word token", file=sys.stderr)
        return 2
    if not shutil.which("gdb"):
        print("debug: gdb is not installed; `make debug` as root installs it", file=sys.stderr)
        return 2
    os.chdir(explore_home.ROOT)
    os.execvp("gdb", command(args[0], args[1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

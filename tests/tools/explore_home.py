# SPDX-License-Identifier: MIT
"""Where the explorer runs for the tools: as a Linux process, or, with WHERE=kernel, in QEMU.

Both tell the same (tests/qemu/test_explore.py); the process takes a fraction of the time.
"""

import os
import sys
from typing import Callable, List, NoReturn, Optional

from enough import until_enough

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST = os.path.join(ROOT, "build", "host", "holdfast")
KERNEL = os.path.join(ROOT, "build", "explore", "holdfast.elf")
# The two DIMMs of `make run`, in memory: several processes at a time need no file that one has.
DIMMS = ["-p", "-,size=1G", "-p", "-,size=16G,scratch"]


def in_kernel() -> bool:
    """WHERE: host, which is what no word means, or kernel."""
    where = os.environ.get("WHERE") or "host"
    if where not in ("host", "kernel"):
        sys.exit(f"WHERE={where} is neither host (a Linux process) nor kernel (in QEMU)")
    return where == "kernel"


def binary() -> str:
    """What has to be built for it."""
    return KERNEL if in_kernel() else HOST


def seconds(text: str) -> int:
    """SECONDS: how long one exploration may take."""
    if not (text.isascii() and text.isdigit() and int(text)):
        sys.exit(f"SECONDS={text} is no number of seconds: 1 or more")
    return int(text)


def end_with(name: str, main: Callable[[List[str]], Optional[int]], kept: str = "") -> NoReturn:
    """The program ends with the status of main(). Ctrl-C, a program that is not installed and a file that cannot be
    had end it by a sentence; `kept`: what becomes of what was done."""
    try:
        sys.exit(until_enough(main, sys.argv[1:]))
    except KeyboardInterrupt:
        print(f"{name}: interrupted" + (f"; {kept}" if kept else ""), file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError) and "/" not in str(error.filename or "/")
        print(f"{name}: {error.filename} is not installed; `make {name}` as root installs it" if missing else
              f"{name}: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(2)


def command(line: str, seconds: int) -> List[str]:
    """The program that runs this line of commands, and ends."""
    if in_kernel():
        return ["make", "-s", "-C", ROOT, "run", "EXPLORE=1", f"TIMEOUT={seconds}", f"CMD={line}"]
    return [HOST, *DIMMS, "-c", line]


def replay(token: str, word: str = "") -> str:
    """The line of commands that plays a token: with MUSEUM=NAME under that fault of the museum."""
    fault = os.environ.get("MUSEUM", "")
    return (f"museum {fault} on; " if fault else "") + f"replay {token}{word and ' ' + word}"

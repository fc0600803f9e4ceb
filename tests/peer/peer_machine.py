# SPDX-License-Identifier: MIT
"""The machine of the comparison, the same for both kernels, and one run of it.

Both command lines come from the function that starts every Holdfast machine
(tests/qemu/hf_command.py); only what is booted differs: -kernel, -initrd, -append, -fw_cfg.
"""

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from typing import Dict, List, Optional

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "qemu"))

import hf_command  # noqa: E402
import hf_media  # noqa: E402
from hf_config import GIB, MIB, Config, ConfigError, Dimm  # noqa: E402
from hf_process import die_with_parent  # noqa: E402

PEER = os.path.join(ROOT, "build", "peer")
CPU = "max,-erms"  # clear and copy by one instruction per word, on both sides
SERIAL = ["-chardev", "stdio,id=ser,signal=off", "-serial", "chardev:ser", "-monitor", "none"]


class PeerError(Exception):
    """The comparison cannot go on; the text is for the person who typed `make`."""


def say(text: str) -> None:
    print(f"peer: {text}", file=sys.stderr, flush=True)


def dimm(name: str, size: int) -> Dimm:
    return Dimm(os.path.join(PEER, name + ".img"), size, align=2 * MIB, fresh=True)


def machine(*sizes: int, icount: bool = True, cpu: str = CPU) -> Config:
    """One vCPU, 2 GiB of RAM, sparse shared DIMMs of these many GiB, made anew at every run."""
    dimms = [dimm(f"pmem{n}", size * GIB) for n, size in enumerate(sizes)]
    return Config(smp=1, mem=2 * GIB, cpu=cpu, dimms=dimms, icount=icount)


@dataclasses.dataclass
class Run:
    """What one boot said: its JSON rows, in order, and when (seconds after QEMU's start)."""

    command: List[str]
    rows: List[dict] = dataclasses.field(default_factory=list)
    times: List[float] = dataclasses.field(default_factory=list)
    text: str = ""
    status: Optional[int] = None

    def by_name(self) -> Dict[str, dict]:
        return {row["bench"]: row for row in self.rows if "bench" in row}

    def wall(self, pattern: str) -> Optional[float]:
        """Seconds until a line matched; None: no line did."""
        for when, line in zip(self.times, self.text.splitlines()):
            if re.search(pattern, line):
                return when
        return None


def parse_line(line: str) -> Optional[dict]:
    """A JSON object, if the line is one from its first character on."""
    if not line.startswith("{"):
        return None
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def add_line(run: Run, line: str, seconds: float) -> None:
    run.text += line + "\n"
    run.times.append(seconds)
    row = parse_line(line)
    if row:
        run.rows.append(row)


def boot(config: Config, media: List[str], who: str, seconds: int,
         ext4: Optional[int] = None) -> Run:
    """Runs the machine to its end. `ext4`: the number of the DIMM that gets a file system before.

    PeerError: QEMU did not end within `seconds`."""
    os.makedirs(PEER, exist_ok=True)
    locks = hf_media.prepare_dimms(config, f"the comparison of kernels, process {os.getpid()}", 60)
    process = None
    try:
        if ext4 is not None:
            make_ext4(config.dimms[ext4].path)
        run = Run(hf_command.qemu_command(config, media, SERIAL))
        start = time.monotonic()
        process = subprocess.Popen(run.command, pass_fds=locks, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip("\r\n")
            add_line(run, line, time.monotonic() - start)
        run.status = process.wait()
        timer.cancel()
    finally:
        if process and process.poll() is None:
            process.kill()
            process.wait()
        for fd in locks:
            os.close(fd)
    if run.status == -9:
        raise PeerError(f"{who}: no end after {seconds} s; the last lines:\n{run.text[-3000:]}")
    return run


def make_ext4(path: str) -> None:
    """As Debian makes it, but with nothing left for a background thread to initialise, and with
    2 MiB as the unit of allocation (stripe), so that large files can have 2 MiB entries. UUIDs are
    fixed: two runs start from the same bytes."""
    hf_media.tool(["mkfs.ext4", "-q", "-F", "-b", "4096", "-U",
                   "00000000-0000-4000-8000-0000000000f5", "-E",
                   "lazy_itable_init=0,lazy_journal_init=0,nodiscard,stride=512,stripe_width=512,"
                   "hash_seed=00000000-0000-4000-8000-0000000000f6", path])





def printable(command: List[str]) -> str:
    """The command line as one would type it, with paths from the root of the project."""
    return shlex.join(command).replace(ROOT + "/", "")


__all__ = ["ConfigError", "PEER", "PeerError", "ROOT", "Run", "boot", "machine", "printable", "say"]

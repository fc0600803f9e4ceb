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
import struct
import subprocess
import sys
import threading
import time
from typing import Dict, List, Optional, Sequence

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "qemu"))

import hf_command  # noqa: E402
import hf_media  # noqa: E402
import hf_qemu  # noqa: E402
from hf_config import GIB, MIB, Config, ConfigError, Dimm, cause  # noqa: E402
from hf_process import die_with_parent  # noqa: E402

PEER = os.path.join(ROOT, "build", "peer")
CPU = "max,-erms"  # clear and copy by one instruction per word, on both sides
DATA = 2 * MIB  # where the data of an fsdax namespace begins: one alignment unit
SERIAL = ["-chardev", "stdio,id=ser,signal=off", "-serial", "chardev:ser", "-monitor", "none"]


class PeerError(Exception):
    """The comparison cannot go on; the text is for the person who typed `make`."""


def say(text: str) -> None:
    print(f"peer: {text}", file=sys.stderr, flush=True)


def dimm(name: str, size: int) -> Dimm:
    return Dimm(os.path.join(PEER, name + ".img"), size, align=2 * MIB, fresh=True)


def machine(*sizes: int, icount: bool = True, cpu: str = CPU, smp: int = 1,
            iommu: bool = False) -> Config:
    """2 GiB of RAM, sparse shared DIMMs of these many GiB, made anew at every run; one vCPU, if
    not told otherwise."""
    dimms = [dimm(f"pmem{n}", size * GIB) for n, size in enumerate(sizes)]
    config = Config(smp=smp, mem=2 * GIB, cpu=cpu, dimms=dimms, icount=icount, iommu=iommu)
    config.qemu = os.environ.get("QEMU") or config.qemu
    return config


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
        for when, line in zip(self.times, self.text.split("\n")):
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
         fsdax: Sequence[int] = (), ext4: Sequence[int] = (), features: str = "") -> Run:
    """Runs the machine to its end. `fsdax`, `ext4`: the numbers of the DIMMs that are made an fsdax
    namespace before, and that get a file system: in the namespace, or from their first byte on;
    `features` are mkfs.ext4's -O, if anything but its own choice.

    PeerError: QEMU did not end within `seconds`."""
    os.makedirs(PEER, exist_ok=True)
    locks = hf_media.prepare_dimms(config, f"the comparison of kernels, process {os.getpid()}", 60)
    process = None
    try:
        for number in fsdax:
            make_fsdax(config.dimms[number].path)
        for number in ext4:
            make_ext4(config.dimms[number].path, number in fsdax, features)
        run = Run(hf_command.qemu_command(config, media, SERIAL))
        start = time.monotonic()
        process = subprocess.Popen(run.command, pass_fds=locks, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        timer = threading.Timer(seconds, process.kill)
        timer.daemon = True  # Ctrl-C ends the program, and not when this one would
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


# ---- what a DIMM carries before Linux sees it ----


def fletcher64(data: bytes) -> int:
    low = high = 0
    for (word,) in struct.iter_unpack("<I", data):
        low = (low + word) & 0xFFFFFFFF
        high = (high + low) & 0xFFFFFFFF
    return high << 32 | low


def info_block(size: int) -> bytes:
    """The 4 KiB that make a region without labels an fsdax namespace whose page records are in RAM.

    Linux 6.1 maps no file of a region without it ("DAX unsupported by block device")."""
    head = struct.pack("<16s16s16sIHHQQIIIIIH", b"NVDIMM_PFN_INFO\0", b"holdfast-compare", b"", 0,
                       1, 4, DATA, (size - DATA) // 4096, 1, 0, 0, DATA, 4096, 64)
    block = head.ljust(4088, b"\0")
    return block + struct.pack("<Q", fletcher64(block + bytes(8)))


def make_fsdax(path: str) -> None:
    with open(path, "r+b") as image:
        image.seek(4096)
        image.write(info_block(os.path.getsize(path)))


def make_ext4(path: str, fsdax: bool, features: str) -> None:
    """As Debian makes it, but with nothing left for a background thread to initialise, and with
    2 MiB as the unit of allocation (stripe), so that large files can have 2 MiB entries. UUIDs are
    fixed: two runs start from the same bytes. Without `fsdax`: as it comes, and a sparse image
    stays sparse, because it reads as zeroes without being told to."""
    options = ["nodiscard", "hash_seed=00000000-0000-4000-8000-0000000000f6"]
    blocks = []
    if fsdax:
        options += [f"offset={DATA}", "lazy_itable_init=0", "lazy_journal_init=0", "stride=512",
                    "stripe_width=512"]
        blocks = [str((os.path.getsize(path) - DATA) // 4096)]
    else:
        options.append("assume_storage_prezeroed=1")
    hf_media.tool(["mkfs.ext4", "-q", "-F", "-b", "4096", "-U",
                   "00000000-0000-4000-8000-0000000000f5", "-E", ",".join(options)] +
                  (["-O", features] if features else []) + [path] + blocks)


def printable(command: List[str]) -> str:
    """The command line as one would type it, with paths from the root of the project."""
    return shlex.join(command).replace(ROOT + "/", "")


__all__ = ["ConfigError", "PEER", "PeerError", "ROOT", "Run", "boot", "cause", "hf_qemu", "machine", "printable",
           "say"]

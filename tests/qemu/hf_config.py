# SPDX-License-Identifier: MIT
"""What a machine is to be: the variables of `make run`, checked and understood.

Everything that can be wrong with them is found here, before anything is started, and said in a
sentence: ConfigError. The meaning of each variable is a contract, tests/tools/help.txt.
"""

import os
import re
import shlex
from dataclasses import dataclass, field
from typing import List, Optional

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
BOOT_PATHS = ("direct", "grub", "grub-uefi", "efi")
KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
LARGEST = (1 << 63) - 1  # what Linux counts the bytes of a file with


class ConfigError(Exception):
    """A variable asks for something that cannot be; the text is for the person who typed it."""


def cause(error: OSError) -> str:
    """Which file could not be had, or written, and why; of a copy it is the second one."""
    return ": ".join(str(part) for part in (error.filename2 or error.filename, error.strerror or error) if part)


@dataclass
class Dimm:
    """One NVDIMM. `size` None: the file exists and keeps its own."""

    path: str
    size: Optional[int] = None
    label: int = 0
    align: Optional[int] = None
    unarmed: bool = False
    node: Optional[int] = None
    shadow: bool = False
    scratch: bool = False  # races, benchmarks and self-tests may overwrite it
    ext4: bool = False  # when it does not exist yet it is made with a file system
    fresh: bool = False  # made anew at every run


@dataclass
class Config:
    qemu: str = "qemu-system-x86_64"
    boot: str = "direct"
    smp: int = 2
    mem: int = 512 * MIB
    cpu: str = "max"
    dimms: List[Dimm] = field(default_factory=list)
    disk: Optional[str] = None  # image of the virtio-blk disk; None: no disk
    iommu: bool = False  # VT-d in front of every device, the disk included
    qemu_args: List[str] = field(default_factory=list)
    icount: bool = False
    gdb: bool = False
    debug: bool = False  # the kernel that watches itself: build/debug
    explore: bool = False  # the one that runs all orders of its events: build/explore
    timeout: float = 120
    timeout_given: bool = False
    cmd: Optional[str] = None  # None: interactive
    append: str = ""

    def cmdline(self) -> str:
        """The kernel command line, the same on every way in."""
        shadows = [f"pmem{n}" for n, dimm in enumerate(self.dimms) if dimm.shadow]
        words = self.append.split()
        if shadows:
            words.insert(0, "shadow=" + ",".join(shadows))
        return " ".join(words)


def parse_size(text: str, what: str) -> int:
    match = re.fullmatch(r"(0x[0-9a-fA-F]+|[0-9]+)([KMGTkmgt]?)[Bb]?", text)
    if not match:
        raise ConfigError(f"{what}={text} is no size; a number with K, M, G or T would be")
    shift = " KMGT".index(match.group(2).upper() or " ") * 10
    size = int(match.group(1), 0) << shift
    if size <= 0:
        raise ConfigError(f"{what}={text} is nothing; a size above 0 would do")
    if size > LARGEST:
        raise ConfigError(f"{what}={text} is more than a file or a machine can have; less than 8388608T would do")
    return size


def parse_count(text: str, what: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[0-9]+", text) or not low <= int(text) <= high:
        raise ConfigError(f"{what}={text} is not a number from {low} to {high}")
    return int(text)


def parse_switch(text: str, what: str) -> bool:
    if text in ("", "0"):
        return False
    if text == "1":
        return True
    raise ConfigError(f"{what}={text} is neither 1 (on) nor 0 or empty (off)")


def parse_dimm(entry: str) -> Dimm:
    """FILE[,size=1G][,label=128K][,align=2M][,unarmed][,node=N][,shadow][,scratch]"""
    path, *options = entry.split(",")
    if not path:
        raise ConfigError(f'PMEM entry "{entry}" does not begin with a file name')
    if entry[0] in "'\"":
        raise ConfigError(f"PMEM entry {entry} begins with a quote: entries are what stands between blanks, and a file whose "
                          "name has one cannot be given, but a link to it can")
    dimm, given = Dimm(path), set()
    for option in options:
        name, eq, value = option.partition("=")
        what = f"PMEM {path}: {name}"
        if name in given:
            raise ConfigError(f"{what} is said twice; once would do")
        given.add(name)
        if name in ("size", "label", "align") and eq:
            setattr(dimm, name, parse_size(value, what))
        elif name == "node" and eq:
            dimm.node = parse_count(value, what, 0, 63)
        elif name in ("unarmed", "shadow", "scratch") and not eq:
            setattr(dimm, name, True)
        else:
            raise ConfigError(f'PMEM {path}: unknown option "{option}"; there are size=, label=, '
                              "align=, unarmed, node=N, shadow and scratch")
    check_dimm(dimm)
    return dimm


def check_dimm(dimm: Dimm) -> None:
    if os.path.exists(dimm.path) and not dimm.fresh:
        if not os.path.isfile(dimm.path):
            raise ConfigError(f"PMEM {dimm.path} is not a regular file")
        if not os.access(dimm.path, os.R_OK | os.W_OK):
            raise ConfigError(f"PMEM {dimm.path} cannot be read and written by this user")
        dimm.size = os.path.getsize(dimm.path)  # an existing file keeps its size
    elif dimm.size is None:
        raise ConfigError(f"PMEM {dimm.path} does not exist; with size= it would be made, "
                          f"for example {dimm.path},size=1G")
    elif not dimm.fresh and not dimm.ext4 and not os.path.isdir(os.path.dirname(os.path.realpath(dimm.path))):
        raise ConfigError(f"PMEM {dimm.path} is not there, nor is its folder; a file is made with size= in a folder that is there")
    if dimm.size % 4096 or not dimm.size:
        raise ConfigError(f"PMEM {dimm.path} is {dimm.size} bytes long; "
                          "a multiple of 4096 above 0 is needed")
    if dimm.label and not 128 * KIB <= dimm.label < dimm.size:
        raise ConfigError(f"PMEM {dimm.path}: label={dimm.label} is no label area; "
                          "128K or more, and less than the file, would be")
    if dimm.align and (dimm.align & (dimm.align - 1) or dimm.align < 4096):
        raise ConfigError(f"PMEM {dimm.path}: align={dimm.align} is not a power of two from 4K on")


def default_dimms(folder: str = BUILD) -> List[Dimm]:
    """pmem0: 1 GiB, ext4, kept between runs. pmem1: 16 GiB, sparse, made anew at every run, for scratch."""
    dimms = [Dimm(os.path.join(folder, "pmem0.img"), GIB, align=2 * MIB, ext4=True),
             Dimm(os.path.join(folder, "pmem1.img"), 16 * GIB, align=2 * MIB, fresh=True,
                  scratch=True)]
    for dimm in dimms:
        check_dimm(dimm)
    return dimms


def default_disk() -> str:
    """Zeroes, for ever: QEMU keeps what a run writes beside the image and forgets it at the end.

    So every run finds the same disk, and runs at the same time can share it."""
    return os.path.join(BUILD, "disk0.img")


def parse_pmem(text: Optional[str]) -> List[Dimm]:
    """None: the variable was not given, so the default DIMMs. Empty: no DIMM at all."""
    if text is None:
        return default_dimms()
    dimms = [parse_dimm(entry) for entry in text.split()]
    for n, dimm in enumerate(dimms):
        for other in dimms[:n]:
            if is_same_file(dimm.path, other.path):
                raise ConfigError(f"PMEM names {other.path} twice ({dimm.path}); each DIMM needs its own file")
    return dimms


def is_same_file(path: str, other: str) -> bool:
    """By whatever links; of files that are still to be made, by their names."""
    if os.path.realpath(path) == os.path.realpath(other):
        return True
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


def check_append(text: str) -> str:
    bad = re.search(r"[^ -~]|['\"\\$;{}&|<>]", text)
    if bad:
        raise ConfigError(f"APPEND contains {bad.group(0)!r}, which GRUB's own syntax would change "
                          "on the way; plain words, numbers and = , . : - _ / * pass")
    return text


def from_variables(env) -> Config:
    """The Config for these variables (a dict, such as os.environ)."""

    def get(name, default):
        return env.get(name) or default

    config = Config()
    # Whatever a test says of its machine, the person who runs it chooses the QEMU.
    config.qemu = get("QEMU", os.environ.get("QEMU") or config.qemu)
    config.boot = get("BOOT", config.boot)
    if config.boot not in BOOT_PATHS:
        raise ConfigError(f"BOOT={config.boot} is no way in; there are {', '.join(BOOT_PATHS)}")
    config.smp = parse_count(get("SMP", "2"), "SMP", 1, 255)
    config.mem = parse_size(get("MEM", "512M"), "MEM")
    config.cpu = get("CPU", config.cpu)
    config.dimms = parse_pmem(env.get("PMEM"))
    config.disk = default_disk()
    config.iommu = parse_switch(get("IOMMU", "1"), "IOMMU")
    config.icount = parse_switch(get("ICOUNT", ""), "ICOUNT")
    config.gdb = parse_switch(get("GDB", ""), "GDB")
    config.debug = parse_switch(get("DEBUG", ""), "DEBUG")
    config.explore = parse_switch(get("EXPLORE", ""), "EXPLORE")
    config.timeout_given = bool(env.get("TIMEOUT"))
    config.timeout = parse_count(get("TIMEOUT", "120"), "TIMEOUT", 1, 10 ** 6)
    config.cmd = env.get("CMD")
    config.append = check_append(get("APPEND", ""))
    try:
        config.qemu_args = shlex.split(get("QEMU_ARGS", ""))
    except ValueError as error:
        raise ConfigError(f"QEMU_ARGS: {error}") from None
    return config

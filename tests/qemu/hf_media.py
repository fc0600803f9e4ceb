# SPDX-License-Identifier: MIT
"""What a machine boots from and what its DIMMs are: files made before QEMU starts.

Boot media carry the kernel command line, so they are made for each run, in the run's own folder.
DIMM images are locked for the length of a run: two machines on one image would corrupt it. The lock
belongs to an open file that QEMU inherits, so it lasts exactly as long as the machine does, and the
lock file says who holds it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from typing import List

from hf_config import BUILD, MIB, Config, ConfigError, Dimm

KERNEL = "holdfast.elf"
STRIPPED = "k.elf"
LOADER = os.path.join("efi", "BOOTX64.EFI")
MKFS = ["mkfs.ext4", "-q", "-F", "-b", "4096", "-I", "256", "-O",
        "none,filetype,extent,sparse_super,large_file,extra_isize"]
DISK_SIZE = 64 * MIB
SBIN = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def tool(command: List[str]) -> None:
    """Runs a tool of the host; what it says is shown only when it fails."""
    env = dict(os.environ, PATH=SBIN)
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise ConfigError(f"{command[0]} failed:\n{done.stdout.rstrip()}")


# ---- boot media ----

GRUB_CFG = """set timeout=0
insmod all_video
multiboot2 /boot/k.elf {cmdline}
boot
"""


def built(config: Config, name: str) -> str:
    """Where make put it: KERNEL or STRIPPED, of the plain build or another one."""
    kind = "debug" if config.debug else "explore" if config.explore else ""
    return os.path.join(BUILD, kind, name)


def make_iso(config: Config, folder: str, cmdline: str) -> str:
    """One ISO for BIOS and UEFI: grub-mkrescue puts both GRUBs on it."""
    tree, iso = os.path.join(folder, "iso"), os.path.join(folder, "holdfast.iso")
    os.makedirs(os.path.join(tree, "boot", "grub"), exist_ok=True)
    shutil.copy(built(config, STRIPPED), os.path.join(tree, "boot", "k.elf"))
    with open(os.path.join(tree, "boot", "grub", "grub.cfg"), "w", encoding="ascii") as cfg:
        cfg.write(GRUB_CFG.format(cmdline=cmdline))
    tool(["grub-mkrescue", "-o", iso, tree])
    return iso


def make_esp(config: Config, folder: str, cmdline: str) -> str:
    """The EFI system partition as a folder, which QEMU shows as a FAT disk: names in 8.3."""
    esp = os.path.join(folder, "esp")
    os.makedirs(os.path.join(esp, "EFI", "BOOT"), exist_ok=True)
    shutil.copy(os.path.join(BUILD, LOADER), os.path.join(esp, "EFI", "BOOT", "BOOTX64.EFI"))
    shutil.copy(built(config, STRIPPED), os.path.join(esp, "k.elf"))
    with open(os.path.join(esp, "cmdline.txt"), "w", encoding="ascii") as text:
        text.write(cmdline + "\n")
    return esp


def ovmf_args() -> List[str]:
    """The variables are opened as a snapshot: nothing of one run is left for the next."""
    args = []
    for unit, (name, mode) in enumerate((("CODE", "readonly=on"), ("VARS", "snapshot=on"))):
        path = f"/usr/share/OVMF/OVMF_{name}_4M.fd"
        args += ["-drive", f"if=pflash,format=raw,unit={unit},{mode},file={path}"]
    return args


def media_args(config: Config, folder: str) -> List[str]:
    """Makes what config.boot boots from, inside `folder`; the QEMU arguments that use it."""
    for path in (built(config, KERNEL), built(config, STRIPPED)):
        if not os.path.exists(path):
            raise ConfigError(f"{path} is not there; `make` builds it")
    cmdline = config.cmdline()
    if config.boot == "direct":
        return ["-kernel", built(config, KERNEL)] + (["-append", cmdline] if cmdline else [])
    if config.boot == "efi":
        esp = make_esp(config, folder, cmdline)
        return ovmf_args() + ["-drive", f"format=raw,file=fat:rw:{esp}"]
    drive = f"format=raw,media=cdrom,readonly=on,file={make_iso(config, folder, cmdline)}"
    firmware = ovmf_args() if config.boot == "grub-uefi" else []
    return firmware + ["-drive", drive]


# ---- DIMM images ----


def lock_path(path: str) -> str:
    name = hashlib.sha1(os.path.realpath(path).encode()).hexdigest()[:16]
    return os.path.join(BUILD, "locks", name)


def lock_image(path: str, me: str, patience: float) -> int:
    """Locks the image for this run and returns the descriptor that holds the lock.

    Waits up to `patience` seconds for another run that uses it, then names that run."""
    os.makedirs(os.path.join(BUILD, "locks"), exist_ok=True)
    fd = os.open(lock_path(path), os.O_RDWR | os.O_CREAT, 0o666)
    deadline, told = time.monotonic() + patience, False
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            holder = os.pread(fd, 400, 0).decode(errors="replace").strip() or "another run"
            if time.monotonic() >= deadline:
                os.close(fd)
                raise ConfigError(f"{path} is in use by {holder}; end that run, or name other "
                                  "files with PMEM=") from None
            if not told:
                print(f"run: {path} is in use by {holder}; waiting", file=sys.stderr, flush=True)
                told = True
            time.sleep(0.2)
    os.ftruncate(fd, 0)
    os.pwrite(fd, me.encode(), 0)
    return fd


def make_sparse(path: str, size: int) -> None:
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(path, "wb") as image:
        image.truncate(size)


def data_of(fd: int):
    """(offset, length) of each piece of a file that is no hole."""
    at, end = 0, os.fstat(fd).st_size
    while at < end:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:  # nothing but a hole up to the end
            return
        after = os.lseek(fd, at, os.SEEK_HOLE)
        yield at, after - at
        at = after


def copy_data(source: str, target: str) -> None:
    """A copy that has the holes of its original."""
    with open(source, "rb") as old, open(target, "wb") as new:
        new.truncate(os.fstat(old.fileno()).st_size)
        for at, left in data_of(old.fileno()):
            os.lseek(new.fileno(), at, os.SEEK_SET)
            while left:
                sent = os.sendfile(new.fileno(), old.fileno(), at, left)
                at, left = at + sent, left - sent


def kept_ext4(size: int) -> str:
    """What this host's mkfs.ext4 makes of an image of this size: made once, the others are copies."""
    state = os.stat(shutil.which(MKFS[0], path=SBIN) or "/")
    key = hashlib.sha1(f"{state.st_size} {state.st_mtime_ns} {MKFS} {size}".encode()).hexdigest()
    kept = os.path.join(BUILD, "ext4", key[:16])
    # More than a sixteenth of it is data: somebody copied build/ and filled its holes.
    if not os.path.exists(kept) or os.stat(kept).st_blocks * 512 > size // 16:
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        make_sparse(f"{kept}.{os.getpid()}", size)
        tool(MKFS + [f"{kept}.{os.getpid()}"])
        os.rename(f"{kept}.{os.getpid()}", kept)
    return kept


def make_ext4(path: str, size: int) -> None:
    """A file system nobody has written to yet; under another name until it is whole."""
    copy_data(kept_ext4(size), path + ".new")
    os.rename(path + ".new", path)


def is_as_made(path: str) -> bool:
    """Has nobody changed a byte of an image that make_ext4() made?"""
    kept = kept_ext4(os.path.getsize(path))
    with open(path, "rb") as one, open(kept, "rb") as other:
        pieces = sorted({*data_of(one.fileno()), *data_of(other.fileno())})
        return all(os.pread(one.fileno(), min(MIB, length - at), start + at) ==
                   os.pread(other.fileno(), min(MIB, length - at), start + at)
                   for start, length in pieces for at in range(0, length, MIB))


def prepare_image(dimm: Dimm) -> None:
    """Makes the image if it has to be made. The caller holds its lock."""
    if dimm.fresh:
        if os.path.exists(dimm.path):
            os.unlink(dimm.path)
        make_sparse(dimm.path, dimm.size)
    elif not os.path.exists(dimm.path):
        if dimm.ext4:
            make_ext4(dimm.path, dimm.size)
        else:
            make_sparse(dimm.path, dimm.size)


def prepare_disk(path: str) -> None:
    """The disk's image, if it is not there: sparse, and nobody ever writes to it."""
    if not os.path.exists(path):
        make_sparse(f"{path}.{os.getpid()}", DISK_SIZE)
        os.rename(f"{path}.{os.getpid()}", path)


def prepare_dimms(config: Config, me: str, patience: float) -> List[int]:
    """Locks and makes every image; the locks' descriptors, for QEMU to inherit."""
    locks: List[int] = []
    try:
        for dimm in sorted(config.dimms, key=lambda d: os.path.realpath(d.path)):
            locks.append(lock_image(dimm.path, me, patience))
            prepare_image(dimm)
    except BaseException:
        for fd in locks:
            os.close(fd)
        raise
    return locks

# SPDX-License-Identifier: MIT
"""File systems on DIMM images, seen from the host: made by mkfs.ext4, judged by e2fsck and debugfs.

A test never believes what the kernel says about a file alone: contents() reads the image with
debugfs, and fsck() has the last word on every image (conftest.py asks it after each test).
"""

import glob
import os
import re
import subprocess
from typing import List, Optional

import hf_media
from hf_config import GIB
from hf_media import SBIN

OURS = "none,filetype,extent,sparse_super,large_file,extra_isize"
EXT4_MAGIC = (0x438, b"\x53\xef")
PATIENCE = 120  # seconds; a clean image of any size here takes less than two


def host(*command: str) -> subprocess.CompletedProcess:
    """A tool of the host, with what it printed as text (stderr included).

    One that takes PATIENCE seconds is ended, as by timeout(1): on an image that is damaged enough
    e2fsck goes on for an hour."""
    try:
        return subprocess.run(command, env=dict(os.environ, PATH=SBIN, MKE2FS_CONFIG="/dev/null"),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=PATIENCE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, f"{command[0]} took {PATIENCE} s")


def mkfs(path, size: str = "32M", features: str = OURS, tree: Optional[str] = None,
         extra: Optional[List[str]] = None, fs_size: Optional[str] = None) -> str:
    """A new image with a file system; `tree`: a folder of the host to fill it with. Its path.

    `features` beginning with a comma are added to OURS; `fs_size`: less than the whole image."""
    path = str(path)
    if features.startswith(","):
        features = OURS + features
    with open(path, "wb"):
        pass
    host("truncate", "-s", size, path)
    command = ["mkfs.ext4", "-q", "-F", "-b", "4096", "-I", "256", "-O", features]
    done = host(*command, *(["-d", str(tree)] if tree else []), *(extra or []), path,
                *([fs_size] if fs_size else []))
    assert done.returncode == 0, done.stdout
    return path


def has_ext4(path: str) -> bool:
    with open(path, "rb") as image:
        image.seek(EXT4_MAGIC[0])
        return image.read(2) == EXT4_MAGIC[1]


def fsck(path) -> str:
    """What e2fsck -fn complains about; empty when it finds nothing.

    Its status says less than its words: wrong free counts alone leave it 0."""
    done = host("e2fsck", "-fn", str(path))
    quiet = done.returncode == 0 and not re.search(r"\? no$|WARNING", done.stdout, re.M)
    return "" if quiet else f"status {done.returncode}\n{done.stdout}"


def fsck_all(folder) -> None:
    """Every image in this folder that holds an ext4 must be clean. The default DIMM that no machine
    mounted is: it is what mkfs.ext4 made."""
    for path in sorted(glob.glob(os.path.join(str(folder), "**", "*.img"), recursive=True)):
        if has_ext4(path) and not (os.path.getsize(path) == GIB and hf_media.is_as_made(path)):
            complaint = fsck(path)
            assert not complaint, f"{path}:\n{complaint}"


def debugfs(path, request: str) -> str:
    """One debugfs request, read-only; its output without the version line."""
    text = host("debugfs", "-R", request, str(path)).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith("debugfs 1."))


def contents(path, file: str) -> bytes:
    """A file's bytes, read from the image by debugfs."""
    out = f"{path}.dump"
    if os.path.exists(out):
        os.unlink(out)
    said = debugfs(path, f'dump "{file}" {out}')
    assert os.path.exists(out) and "not found" not in said, f"{path}: {file}: {said}"
    with open(out, "rb") as data:
        return data.read()


def names(path, folder: str) -> List[str]:
    """The names in a directory, read from the image by debugfs; without . and .. ."""
    rows = [line.split("/") for line in debugfs(path, f'ls -p "{folder}"').splitlines()]
    return sorted(row[5] for row in rows if len(row) > 5 and row[1] != "0"
                  and row[5] not in (".", ".."))


def super_field(path, name: str) -> str:
    """A line of the superblock as dumpe2fs prints it, for example "Filesystem state"."""
    for line in host("dumpe2fs", "-h", str(path)).stdout.splitlines():
        if line.startswith(name + ":"):
            return line.split(":", 1)[1].strip()
    raise AssertionError(f"{path}: the superblock has no {name}")

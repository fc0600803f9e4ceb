# SPDX-License-Identifier: MIT
"""The scratch file system, as the kernel carries it.

`race`, `bench` and the self-tests need a fresh ext4 on a device that has none. mkfs.ext4 makes it
here, at build time; what the kernel carries are the blocks that a fresh file system has in use
(everything else is free space), those of zeroes as a count only, equal ones once, and each as its
words of 8 bytes with how often they follow one another: nearly all are zero, or all ones of a
bitmap. With uninit_bg the zeroes are left out: tables and bitmaps that no descriptor vouches for.
Output: NASM, a table of runs of blocks, and two of words.

Usage: scratch.py NAME SIZE INODES FEATURES DIR >FILE.asm
"""
import itertools
import os
import re
import struct
import subprocess
import sys

BLOCK = 4096
# Fixed, so that two builds carry the same bytes.
UUID = "686f6c64-6661-7374-7363-726174636800"


def make_image(path, size, inodes, features):
    with open(path, "wb") as f:
        f.truncate(size)
    env = dict(os.environ, E2FSPROGS_FAKE_TIME="1767225600")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-b", str(BLOCK), "-I", "256", "-N", str(inodes), "-m", "0",
                    "-O", features,
                    "-U", UUID, "-E", f"hash_seed={UUID}", path], check=True, env=env)


def used_blocks(path, blocks):
    """The blocks that dumpe2fs does not call free."""
    text = subprocess.run(["dumpe2fs", path], check=True, capture_output=True, text=True).stdout
    at = 0
    for line in re.findall(r"^  Free blocks: *(.*)$", text, re.M):
        for part in filter(None, re.split(r",\s*", line)):
            first, _, last = part.partition("-")
            yield from range(at, int(first))
            at = int(last or first) + 1
    yield from range(at, blocks)


def runs(path, size):
    """(first block, count, data or None): blocks in use, those of zeroes together."""
    out = []
    with open(path, "rb") as f:
        for block in used_blocks(path, size // BLOCK):
            f.seek(block * BLOCK)
            data = f.read(BLOCK)
            if data.count(0) < BLOCK:
                out.append((block, 1, data))
            elif out and out[-1][2] is None and out[-1][0] + out[-1][1] == block:
                out[-1] = (out[-1][0], out[-1][1] + 1, None)
            else:
                out.append((block, 1, None))
    return out


def word_runs(data):
    """[(word, how often)] of a block."""
    words = struct.unpack(f"<{BLOCK // 8}Q", data)
    return [(word, len(list(same))) for word, same in itertools.groupby(words)]


def main(name, size, inodes, features, folder):
    path = os.path.join(folder, f"{name}.img")
    make_image(path, size, inodes, features)
    table, words, places = [], [], {}
    for first, count, data in runs(path, size):
        if data and data not in places:
            places[data] = len(words)
            words += word_runs(data)
        if data or "uninit_bg" not in features:
            table.append((first, count, places[data] if data else -1))
    os.unlink(path)
    print("section .rodata")
    print(f"global {name}_runs, {name}_nr_runs, {name}_bytes, {name}_words, {name}_times")
    print(f"align 8\n{name}_bytes: dq {size}\n{name}_nr_runs: dq {len(table)}\n{name}_runs:")
    for first, count, at in table:
        print(f"\tdq {first}, {count}, {at}")
    print(f"{name}_words:")
    for word, _ in words:
        print(f"\tdq {word:#x}")
    print(f"{name}_times:")
    for _, times in words:
        print(f"\tdw {times}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])

# SPDX-License-Identifier: MIT
"""The scratch file system, as the kernel carries it.

`race`, `bench` and the self-tests need a fresh ext4 on a device that has none. mkfs.ext4 makes it
here, at build time; what the kernel carries are the blocks that a fresh file system has in use
(everything else is free space), those of zeroes as a count only, equal ones once. With uninit_bg
the zeroes are left out: tables and bitmaps that no descriptor vouches for. Output: NASM, a table of
runs.

Usage: scratch.py NAME SIZE INODES FEATURES DIR >FILE.asm
"""
import os
import re
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
    """(first block, count, data or None), only blocks in use."""
    out = []
    with open(path, "rb") as f:
        for block in used_blocks(path, size // BLOCK):
            f.seek(block * BLOCK)
            data = f.read(BLOCK)
            data = None if data.count(0) == BLOCK else data
            if out and out[-1][0] + out[-1][1] == block and (out[-1][2] is None) == (data is None):
                first, count, old = out.pop()
                out.append((first, count + 1, None if data is None else old + data))
            else:
                out.append((block, 1, data))
    return out


def place(data, blob, places):
    """(offset in the blob, blocks there) of the first blocks of data; what is not there is added."""
    offset = places.setdefault(data[:BLOCK], len(blob))
    count = 1
    if offset == len(blob):
        blob += data[:BLOCK]
    while len(data) > count * BLOCK:
        block = data[count * BLOCK:(count + 1) * BLOCK]
        if places.setdefault(block, len(blob)) != offset + count * BLOCK:
            break
        if len(blob) == offset + count * BLOCK:
            blob += block
        count += 1
    return offset, count


def main(name, size, inodes, features, folder):
    path = os.path.join(folder, f"{name}.img")
    make_image(path, size, inodes, features)
    table, blob, places = [], bytearray(), {}
    for first, count, data in runs(path, size):
        if not data and "uninit_bg" not in features:
            table.append((first, count, -1))
        while data:
            offset, n = place(data, blob, places)
            table.append((first, n, offset))
            first, data = first + n, data[n * BLOCK:]
    os.unlink(path)
    blob_path = os.path.join(folder, f"{name}.bin")
    with open(blob_path, "wb") as f:
        f.write(blob)
    print("section .rodata")
    print(f"global {name}_runs, {name}_nr_runs, {name}_bytes, {name}_data")
    print(f"align 8\n{name}_bytes: dq {size}\n{name}_nr_runs: dq {len(table)}\n{name}_runs:")
    for first, count, offset in table:
        print(f"\tdq {first}, {count}, {offset}")
    print(f'align 16\n{name}_data: incbin "{blob_path}"')


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])

# SPDX-License-Identifier: MIT
"""Whose bytes are on a DIMM: no race, benchmark or self-test overwrites what it was not given.

The signatures are the bytes that count, at the places that drivers/pmem/signature.c names; its host test
has all of them. Here a machine meets some, as the second DIMM or as one to be mounted.
"""

import hashlib
import json
import shutil
import subprocess

import pytest

import hf_image
from run import run_commands

MIB = 1 << 20

# name in the refusal: [(offset, bytes)]
SIGNATURES = {
    "XFS": [(0, b"XFSB")],
    "btrfs": [(0x10040, b"_BHRfS_M")],
    "F2FS": [(0x400, b"\x10\x20\xf5\xf2")],
    "swap": [(4086, b"SWAPSPACE2")],
    "GPT": [(512, b"EFI PART")],
    "MBR": [(510, b"\x55\xaa")],
    "LVM2": [(512, b"LABELONE"), (536, b"LVM2 001")],
    "MD 1.2": [(4096, b"\xfc\x4e\x2b\xa9\1\0\0\0"), (4224, b"\x08")],
    "MD 0.90": [(16 * MIB - 65536, b"\xfc\x4e\x2b\xa9")],
    "LUKS 1": [(0, b"LUKS\xba\xbe\0\1")],
    "LUKS 2": [(0, b"LUKS\xba\xbe\0\2")],
    "NVDIMM_PFN_INFO": [(4096, b"NVDIMM_PFN_INFO\0")],
    "NVDIMM_DAX_INFO": [(4096, b"NVDIMM_DAX_INFO\0")],
    "BTT": [(4096, b"BTT_ARENA_INFO\0\0")],
}


def make(path, size, patches=()):
    """An image of zeroes with some bytes in it; its path."""
    with open(path, "wb") as image:
        image.truncate(size)
        for at, data in patches:
            image.seek(at)
            image.write(data)
    return str(path)


def digest(path):
    with open(path, "rb") as image:
        return hashlib.sha256(image.read()).hexdigest()


def test_foreign_signatures_are_named(tmp_path):
    """Each is named by `mount`, which tells nobody to run mkfs over it; race, bench and selftest
    refuse the second DIMM by name, with the word that allows it; not a byte changes."""
    images = [make(tmp_path / f"{n}.img", 16 * MIB, patches)
              for n, patches in enumerate(SIGNATURES.values())]
    first = hf_image.mkfs(tmp_path / "first.img", "16M")
    before = [digest(path) for path in images]
    mounts = [f"mount pmem{n} /t" for n in range(1, len(images) + 1)]
    others = ["race A-1", "race dma-truncate", "bench gup.get.4k.b1", "selftest lifetime.last-put*",
              "selftest mm.memremap-altmap", "pmem pmem1"]
    result = run_commands("; ".join(mounts + others), tmp_path, PMEM=" ".join([first] + images))
    for line, name in zip(mounts, SIGNATURES):
        command = result.command(line)
        assert command.status == 22 and f"holds {name}" in command.output.replace(
            "ndctl info block, fsdax (", "").replace("ndctl info block, devdax (", ""), command
        assert "make one" not in command.output, command
    for line in others[:-1]:
        command = result.command(line)
        assert "pmem1 holds XFS (at 0x0), which would be lost" in command.output, command
        assert ",scratch" in command.output, command
    assert result.command("race A-1").status == 1
    assert "contents: XFS (at 0x0)" in result.command("pmem pmem1").output
    assert [digest(path) for path in images] == before


def test_scratch_is_what_was_given(tmp_path):
    """The word makes any DIMM scratch; without it a blank second one is, and stays so when only an
    earlier race has written to it. Mounted, every user of it says so in the same sentence."""
    lost = make(tmp_path / "lost.img", 32 * MIB, SIGNATURES["XFS"] + SIGNATURES["GPT"])
    blank = make(tmp_path / "blank.img", 32 * MIB)
    first = hf_image.mkfs(tmp_path / "first.img", "16M")
    given = run_commands("race A-1 lifetime=busy-extent; pmem", tmp_path,
                         PMEM=f"{first} {blank} {lost},scratch")
    assert given.status == 0, given.text
    assert "given as scratch" in given.command("pmem").output
    assert digest(blank) == digest(make(tmp_path / "zeroes.img", 32 * MIB))
    used = run_commands("race A-1 lifetime=busy-extent; pmem pmem1", tmp_path,
                        PMEM=f"{first} {blank}")
    assert used.status == 0 and "contents: ext4" in used.text, used.text
    lines = ["race A-1 lifetime=unaware", "race dma-truncate", "bench gup.get.4k.b1",
             "bench fault.2m*", "selftest lifetime.last-put*"]
    again = run_commands("race A-1 lifetime=busy-extent; mount pmem1 /t; " + "; ".join(lines)
                         + "; umount /t", tmp_path, PMEM=f"{first} {blank}")
    assert again.command("race A-1 lifetime=busy-extent").status == 0, again.text
    for line in lines:
        assert "pmem1 is mounted on /t: umount /t" in again.command(line).output, again.text
    assert again.command(lines[0]).status == 16


def test_a_start_that_was_cut(tmp_path):
    """An odd first DIMM cuts the second one's start: boot, `pmem` and `mount` name the cut and what
    mends it; the ext4 that begins in the cut part is seen by race, and kept."""
    odd = make(tmp_path / "odd.img", 100 * MIB + 12288)
    second = hf_image.mkfs(tmp_path / "second.img", "64M")
    before = digest(second)
    result = run_commands("pmem pmem1; mount pmem1 /t; race A-1", tmp_path, PMEM=f"{odd} {second}")
    boot = result.text[:result.text.index("\n> ")]
    cut = f"its start was cut by {2 * MIB - 12288} bytes and its end by 12288"
    assert f"pmem1: {cut}" in boot and "ext4 (at 0x438)" in boot, boot
    assert "align=2M" in result.command("pmem pmem1").output
    mount = result.command("mount pmem1 /t")
    assert cut in mount.output and "align=2M would do" in mount.output, mount
    assert "make one" not in mount.output
    assert "pmem1 holds" in result.command("race A-1").output, result.text
    assert digest(second) == before


def test_a_race_takes_no_busy_device(tmp_path):
    """An edu device at work for a user is left to it: the other one serves, and with both at work
    the race refuses at once and names one and the time; so do self-tests."""
    busy = "mount pmem0 /t; write /t/f 0 a; map /t/f; dma m1 in z times=1000"
    result = run_commands(f"{busy}; race A-1 lifetime=unaware; dma m1 in z times=1000 edu=1; "
                          "race A-1; race dma-truncate; selftest edu.both-directions", tmp_path)
    assert "race A-1 lifetime=unaware: BROKEN I1" in result.text, result.text
    for line in ("race A-1", "race dma-truncate", "selftest edu.both-directions"):
        output = result.command(line).output
        assert "edu0 is at work for another" in output and "PANIC" not in result.text, output
    assert result.command("race A-1").status == 16


def ndctl(*words):
    """ndctl on a file: what it printed."""
    if not shutil.which("ndctl"):
        pytest.skip("ndctl writes and reads the info blocks, and is not installed: `make test` installs it")
    done = subprocess.run(["ndctl", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


def fields(path):
    """Of the info block of an image as ndctl reads it, if its checksum is right; no UUID, which is another one in each."""
    block = json.loads(ndctl("read-infoblock", "--verify", "-i", str(path), "-j"))[0]
    del block["file"], block["uuid"]
    return block


@pytest.mark.parametrize("align,words", [("4K", "4 KiB"), ("2M", "2 MiB")])
@pytest.mark.parametrize("records", ["mem", "dev"])
def test_a_namespace_that_ndctl_wrote(tmp_path, align, words, records):
    """`ndctl write-infoblock` on the host makes the region a device, whose data lie where ndctl says; also
    with its page records on the device, whose place is left alone. It is not mounted; taken away, nothing but the
    block is lost; and of the block that is made here ndctl reads the same as of its own."""
    path = make(tmp_path / "dimm.img", 64 * MIB)
    ndctl("write-infoblock", "-o", path, "-m", "devdax", "-s", "64M", "-a", align, "-M", records)
    written = fields(path)
    assert written["signature"] == "NVDIMM_DAX_INFO" and written["mode"] == (1 if records == "mem" else 2)
    data = written["dataoff"]
    with open(path, "r+b") as image:
        image.seek(8192)
        image.write(b"kept for records")
        image.seek(data)
        image.write(b"from the host")
    result = run_commands(f"devdax pmem0; touch m1; touch m1+2M STORED; unmap m1; mount pmem0 /t; pmem mode pmem0 "
                          f"raw; pmem mode pmem0 devdax align={align}", tmp_path, PMEM=path)
    assert f"pmem0: device mode, pages of {words}, data at 0x{data:x} - 0x4000000" in result.text
    assert ("room for page records" in result.text) == (records == "dev")
    assert "from the host" in result.command("touch m1").output
    refused = result.command("mount pmem0 /t")
    assert refused.status == 22 and "is in device mode" in refused.output and "pmem mode pmem0 raw" in refused.output
    assert [c.status for c in result.commands].count(0) == 6, result.text
    with open(path, "rb") as image:
        left = image.read(data + 2 * MIB + 16)
    assert left[data:data + 13] == b"from the host" and left[data + 2 * MIB:][:6] == b"STORED"
    assert left[8192:8208] == b"kept for records"
    made = fields(path)
    if records == "mem":
        assert made == written
    assert made["mode"] == 1 and made["align"] == written["align"] and made["version"] == written["version"]

# SPDX-License-Identifier: MIT
"""DIMM layouts: none, one, three with unaligned starts, label areas, unarmed, huge, on a node."""

import os
import re

import pytest

import hf_image
import hf_media
from hf_config import GIB
from run import run_commands
from test_selftest import BY_CHANCE, Ktap


SELFTEST = f"selftest {BY_CHANCE}"


def regions(result):
    """{name: (start, end)} as `pmem` prints them."""
    found = re.findall(r"(?m)^(pmem\d+): (0x[0-9a-f]+) - (0x[0-9a-f]+), \d+ [KMGT]iB, bound",
                       result.command("pmem").output)
    return {name: (int(start, 16), int(end, 16)) for name, start, end in found}


def ktap(result):
    """The run's self-tests; none may have failed."""
    run = result.command(SELFTEST)
    report = Ktap(run.output)
    assert not report.failed and run.status == 0, result.text
    return report


NO_DIMM = ("pmem", "nfit", "pgmap", "map", "pin", "dma", "mount", "check", "memory", "shadow",
           "lifetime", "sync", SELFTEST)


def test_no_dimm(tmp_path):
    """Nothing plugged in: boot, `nfit` and `pmem` say so and how to add one; tests skip by name."""
    result = run_commands("; ".join(NO_DIMM), tmp_path, PMEM="")
    assert result.status == 0, result.text
    boot = result.text[:result.text.index("\n> ")]
    assert "no NVDIMM is plugged in" in boot and "no persistent memory" in boot
    assert "-device nvdimm" in boot and "size=1G" in boot, "the boot says what would add one"
    assert "PMEM=" in result.command("nfit").output
    assert "no persistent memory" in result.command("pmem").output
    report = ktap(result)
    skipped = {reason for name, reason in report.skipped.items() if name.startswith("dax.")}
    assert skipped and all("DIMM" in reason or "pmem" in reason for reason in skipped), skipped
    assert len(report.passed) >= 80, "the machine below the DIMMs is tested all the same"


def test_no_dimm_refusals(tmp_path):
    """Without a DIMM every command about one fails with what is missing, and none crashes."""
    lines = ("mount pmem0 /t", "umount /t", "ls /t", "write /t/f 0 x", "pmem pmem0", "map /t/f",
             "truncate /t/f 0", "powercut", "page 0x100000", "race dma-truncate")
    result = run_commands("; ".join(lines) + "; echo alive; check", tmp_path, PMEM="")
    for command in result.commands[:-2]:
        assert command.status != 0 and command.output.strip(), command
    assert [c.status for c in result.commands[-2:]] == [0, 0], result.text


def test_one_dimm(tmp_path):
    """A single DIMM: its file system works; what needs a second one skips and says which."""
    image = hf_image.mkfs(tmp_path / "one.img", "64M")
    result = run_commands("pmem; mount pmem0 /t; write /t/f 0 hello; umount /t; "
                          f"{SELFTEST}; check", tmp_path, PMEM=image)
    assert result.status == 0, result.text
    assert regions(result) == {"pmem0": (4 * GIB, 4 * GIB + (64 << 20))}
    reasons = {reason for reason in ktap(result).skipped.values()}
    assert any("no second DIMM (pmem1) to scratch on" in reason for reason in reasons)
    known = ("pmem1", "second DIMM", "aligned GiB", "command line", "address bits", "iommu-testdev")
    assert all(any(word in reason for word in known) for reason in reasons), reasons
    assert hf_image.contents(image, "/f") == b"hello"


def label_areas(image, write=False):
    """Is the label area at the end of the image as it was left by `write`?"""
    with open(image, "r+b") as dimm:
        dimm.seek(-128 << 10, os.SEEK_END)
        return dimm.write(LABEL) if write else dimm.read(len(LABEL)) == LABEL


LABEL = b"LABEL" * 100
LABELLED = ("{0}/a.img,size=64M,label=128K {0}/b.img,size=32M,label=128K "
            "{0}/c.img,size=16M")


def old_and_shifted(tmp_path):
    """A run of everything on a CPU without any new instruction, whose DIMMs begin anywhere. Neither has
    anything to do with the other, so one machine is both; of the races those of the default design: no
    design knows the instruction, nor where a device begins."""
    image = hf_image.mkfs(tmp_path / "a.img", "64M", fs_size="60M")
    hf_media.make_sparse(str(tmp_path / "b.img"), 32 << 20)
    label_areas(tmp_path / "b.img", write=True)
    result = run_commands("pmem; nfit; pgmap; mount pmem0 /t; write /t/f 0 hello; cat /t/f; "
                          f"umount /t; {SELFTEST}; race all lifetime=busy-extent; check", tmp_path,
                          CPU="qemu64", PMEM=LABELLED.format(tmp_path))
    hf_image.fsck_all(tmp_path)
    return result, image


@pytest.mark.xdist_group("old and shifted")
def test_three_dimms_with_unaligned_starts(old_and_shifted):
    """Label areas without align= shift the next DIMM: borders are trimmed, the fix is printed.

    Self-tests and races play on the shifted pmem1, to its end, and leave its label area alone."""
    result, image = old_and_shifted
    assert result.status == 0, result.text
    assert "NFIT #1: accepted: 3 of 3 ranges usable, 3 DIMMs" in result.text
    found = regions(result)
    assert len(found) == 3 and all((s | e) % (2 << 20) == 0 for s, e in found.values()), found
    ranges = re.findall(r"base (0x[0-9a-f]+) length (0x[0-9a-f]+)", result.command("nfit").output)
    raw = sorted((int(base, 16), int(base, 16) + int(length, 16)) for base, length in ranges)
    assert raw[1][0] % (2 << 20), f"the layout is not unaligned after all: {raw}"
    lost = 0
    for (start, end), (name, (used_start, used_end)) in zip(raw, sorted(found.items())):
        assert start <= used_start < used_end <= end, name
        pages = (used_start - start + end - used_end) // 4096
        if pages:
            lost += pages
            for output in (result.command("nfit").output, result.command("pmem").output):
                assert re.search(rf"\b{pages} page.*align=2M", output), (name, pages, output)
    assert lost > 0
    assert label_areas(os.path.join(os.path.dirname(image), "b.img"))
    assert hf_image.contents(image, "/f") == b"hello"
    ktap(result)


def test_align_is_the_fix_that_works(tmp_path):
    """The same DIMMs with align=2M, as the message says: nothing is trimmed any more."""
    pmem = LABELLED.format(tmp_path).replace("label=128K", "label=128K,align=2M")
    result = run_commands("pmem; nfit", tmp_path, PMEM=pmem)
    assert result.status == 0, result.text
    assert result.command("pmem").output.count("trimmed: nothing") == 3, result.text
    assert "pages lost" not in result.command("nfit").output


def test_label_area_is_left_alone(tmp_path):
    """The label area at the end of the image is no part of the region, and nothing writes to it:
    a file system that is filled, self-tests of the device as a whole and of files, and a race."""
    image = hf_image.mkfs(tmp_path / "l.img", "64M", fs_size="60M")
    label_areas(image, write=True)
    result = run_commands("pmem; mount pmem1 /t; fallocate /t/f 0 50M; write /t/f 52000000 end; "
                          "umount /t; selftest devdax.* dax.* ext4.*; race dma-truncate", tmp_path,
                          PMEM=f"{tmp_path}/x.img,size=16M {image},label=128K,align=2M,scratch")
    assert result.status == 0, result.text
    assert regions(result)["pmem1"][1] - regions(result)["pmem1"][0] == 62 << 20, result.text
    assert label_areas(image)


READ_ONLY = ("write /t/f 0 x", "write /t/new 0 x", "truncate /t/f 0", "truncate /t/f 100",
             "punch /t/f 0 4096", "fallocate /t/f 0 4096", "mkdir /t/d", "rm /t/f", "touch m1 X",
             "pin m1", "dma m1 in")


def test_unarmed_is_read_only(tmp_path):
    """A DIMM that is not armed: mounted read-only with the reason; nothing can change it."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "f").write_text("hello")
    image = hf_image.mkfs(tmp_path / "u.img", "32M", tree=tree)
    with open(image, "rb") as dimm:
        before = dimm.read()
    result = run_commands("pmem; nfit; mount pmem0 /t; mount; cat /t/f; map /t/f; touch m1; "
                          "pin m1 ro; " + "; ".join(READ_ONLY) + "; sync; unpin p1; check; "
                          "cat /t/f; unmap m1; umount /t", tmp_path, PMEM=f"{image},unarmed")
    reason = "not armed"
    for command in ("pmem", "nfit", "mount pmem0 /t", "map /t/f"):
        assert "read-only" in result.command(command).output, result.text
        assert reason in result.command(command).output, result.text
    assert "read-only" in result.command("mount").output
    for line in READ_ONLY:
        command = result.command(line)
        assert command.status in (14, 30) and "read-only" in command.output, command
        assert "waited" not in command.output, "refused before it waits for anything"
    others = [c for c in result.commands if c.line not in READ_ONLY]
    assert all(c.status == 0 for c in others), result.text
    assert [c.output for c in result.commands if c.line == "cat /t/f"] == ["hello\n"] * 2
    with open(image, "rb") as dimm:
        assert dimm.read() == before, "a byte of a read-only DIMM changed"


def test_unarmed_scratch_device(tmp_path):
    """pmem1 unarmed: races and self-tests that write say so and skip; the rest passes."""
    result = run_commands(f"{SELFTEST}; race dma-truncate", tmp_path,
                          PMEM=f"{tmp_path}/a.img,size=16M {tmp_path}/b.img,size=64M,unarmed")
    assert any("read-only" in reason for reason in ktap(result).skipped.values())
    assert "skip pmem1 is read-only" in result.command("race dma-truncate").output


def test_64_gib_sparse_dimm(tmp_path):
    """64 GiB: bound without a record, no slower than 1 GiB, files at its far end, image sparse."""
    path = tmp_path / "huge.img"
    image = hf_image.mkfs(path, "64G", extra=["-N", "4096", "-E", "lazy_itable_init=1"])
    result = run_commands("memory; pgmap; pmem; nfit; mount pmem0 /t; mkdir /t/d; write /t/d/f 0 far; "
                          "fallocate /t/big 0 40G; stat /t/big; write /t/big 42949672950 end; "
                          "map /t/big 42949668864 4096; touch m1+4086; unmap m1; check; rm /t/big; "
                          "umount /t", tmp_path, PMEM=image)
    assert result.status == 0, result.text
    assert regions(result)["pmem0"] == (4 * GIB, 68 * GIB)
    assert "0 records made" in result.command("pgmap").output
    # One spelling of a size: at boot and wherever a command shows it.
    assert "pmem0: 64 GiB at 0x" in result.text[:result.text.index("> memory")], result.text
    for line in ("pgmap", "pmem", "nfit"):
        assert "64 GiB" in result.command(line).output, result.command(line)
        assert "65536 MiB" not in result.command(line).output
    assert "end" in result.command("touch m1+4086").output
    assert os.stat(image).st_blocks * 512 < 256 << 20, "the image did not stay sparse"
    assert hf_image.contents(image, "/d/f") == b"far"


def test_binding_costs_the_same_whatever_the_size(tmp_path):
    """Memory in use at the prompt does not grow with the DIMM: 1 GiB and 64 GiB: a few tables."""
    used = []
    for size in ("1G", "64G"):
        result = run_commands("memory", tmp_path, PMEM=f"{tmp_path}/{size}.img,size={size}",
                              ICOUNT=1)
        used.append(int(re.search(r"(\d+) in use", result.text).group(1)))
    assert abs(used[1] - used[0]) <= 64, f"KiB in use: {used}"


def test_dimm_on_a_node(tmp_path):
    """node=1 shows in pmem, nfit and pgmap; the SRAT names the node."""
    result = run_commands("pmem; nfit; pgmap; acpi", tmp_path,
                          PMEM=f"{tmp_path}/a.img,size=64M {tmp_path}/b.img,size=64M,node=1")
    assert result.status == 0, result.text
    nodes = re.findall(r"(?m)^  node (\d+), armed", result.command("pmem").output)
    assert nodes == ["0", "1"], result.text
    assert re.findall(r", node (\d+), references", result.command("pgmap").output) == ["0", "1"]
    assert re.search(r"node 1: 0x[0-9a-f]+-0x[0-9a-f]+, non-volatile",
                     result.command("acpi").output)


def test_many_dimms_and_tiny_ones(tmp_path):
    """Ten DIMMs, some too small to leave a 2 MiB page: those are told, the others are bound."""
    sizes = ["4K", "1M", "2M", "4M", "8M", "16M", "64K", "32M", "2M", "4M"]
    pmem = " ".join(f"{tmp_path}/{n}.img,size={size}" for n, size in enumerate(sizes))
    result = run_commands("pmem; nfit; pgmap; check", tmp_path, PMEM=pmem)
    assert result.status == 0, result.text
    verdict = re.search(r"NFIT #1: accepted: (\d+) of 10 ranges usable, 10 DIMMs", result.text)
    assert int(verdict.group(1)) == len(regions(result)) >= 5
    rejected = 10 - len(regions(result))
    assert len(re.findall(r"(?m)^ +rejected: ", result.command("nfit").output)) == rejected


def test_names_follow_the_order_of_the_dimms(tmp_path):
    """QEMU puts the last DIMM into a gap below the third, and the second is too small to bind:
    pmem3 is the fourth one given all the same."""
    images = [hf_image.mkfs(tmp_path / f"{name}.img", "64M") for name in ("first", "fourth")]
    pmem = (f"{images[0]} {tmp_path}/tiny.img,size=1M {tmp_path}/gap.img,size=1G,align=1G "
            f"{images[1]},align=2M")
    result = run_commands("pmem; mount pmem0 /a; write /a/f 0 first; mount pmem3 /d; "
                          "write /d/f 0 fourth", tmp_path, PMEM=pmem)
    assert result.status == 0, result.text
    found = regions(result)
    assert list(found) == ["pmem0", "pmem2", "pmem3"] and found["pmem3"] < found["pmem2"], found
    assert re.search(r"(?m)^pmem1: not usable: it has 1048576 bytes", result.text), result.text
    for image, text in zip(images, (b"first", b"fourth")):
        assert hf_image.contents(image, "/f") == text


def test_200_dimms(tmp_path):
    """No number of DIMMs is too high: each has its region, the last one is mounted and written."""
    image = hf_image.mkfs(tmp_path / "last.img", "16M")
    pmem = " ".join(f"{tmp_path}/{n}.img,size=4M" for n in range(199))
    result = run_commands("pmem; mount pmem199 /t; write /t/f 0 last", tmp_path,
                          PMEM=f"{pmem} {image}")
    assert result.status == 0 and "warning" not in result.text, result.text
    assert len(regions(result)) == 200
    assert hf_image.contents(image, "/f") == b"last"


@pytest.mark.parametrize("persistence,words", [("cpu", "CPU caches"), ("mem-ctrl", "memory contr")])
def test_persistence_domain(tmp_path, persistence, words):
    """The platform capabilities say what a power failure flushes, and `pmem` prints it."""
    result = run_commands("pmem; nfit", tmp_path, PMEM=f"{tmp_path}/a.img,size=16M",
                          QEMU_ARGS=f"-machine nvdimm-persistence={persistence}")
    assert result.status == 0, result.text
    for command in result.commands:
        line = re.search(r"persistence domain: .*", command.output).group()
        assert "unknown" not in line and words.lower() in line.lower(), line


def test_memory_that_nobody_drives_is_named(tmp_path):
    """A virtio-pmem device is no DIMM: boot and `pci` say by name that it is there and not used."""
    result = run_commands("pci", tmp_path, PMEM="", QEMU_ARGS=(
        "-object memory-backend-ram,id=vp,size=16M -device virtio-pmem-pci,memdev=vp,id=other"))
    said = [line for line in result.text.splitlines() if "is not used" in line]
    assert len(said) == 1 and said[0].startswith("pci: virtio-pmem at "), result.text
    line, = (line for line in result.command("pci").output.splitlines() if "1af4:105b" in line)
    assert "virtio-pmem, no driver: not used" in line, line
    assert result.command("pci").output.count("not used") == 1 and result.status == 0

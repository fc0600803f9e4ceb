# SPDX-License-Identifier: MIT
"""The power-cut model: what was made durable is there afterwards, what was not is lost.

A DIMM with `shadow` has a second copy that gets a line only when it was written back and fenced;
`powercut` puts that copy in place and stops. The next mount finds the dirty state, repairs and
says what it did; then e2fsck must find nothing.
"""

import random
import re
import shutil

import pytest

import hf_image
from run import run_commands
from test_files import Model, printable


def shadowed(folder, size="32M", **arguments):
    """A fresh image for a DIMM that can lose power, and the PMEM for it."""
    image = hf_image.mkfs(folder / "a.img", size, **arguments)
    return image, f"{image},shadow"


def cut(lines, folder, pmem, **variables):
    """Runs these lines, then `powercut`: how many lines of 64 bytes that lost."""
    result = run_commands(f"mount pmem0 /t; {lines}; powercut", folder, PMEM=pmem, **variables)
    assert "[status 0]" in result.text and "> powercut" in result.text, result.text
    lost = re.search(r"power cut: (\d+) line\(s\)", result.text)
    assert lost, result.text
    assert "unmount" not in result.text[result.text.index("> powercut"):], "it must not unmount"
    return int(lost.group(1))


def after_all(pieces, images):
    """What after() does, for many images in one machine: a piece of commands for each, in which /t is
    its mount. For each: the commands as they were run, from the mount to the umount.

    Without a shadow: the power does not fail again, and so many second copies fill the memory."""
    parts = [["mount pmem%d /t" % n, *lines.split("; "), "check", "umount /t"]
             for n, lines in enumerate(pieces)]
    result = run_commands("; ".join("; ".join(part) for part in parts), images[0].parent,
                          PMEM=" ".join(str(image) for image in images))
    left, found = list(result.commands), []
    for part, image in zip(parts, images):
        commands, left = left[:len(part)], left[len(part):]
        assert [c.line for c in commands] == part, result.text
        assert all(c.status == 0 for c in commands[:1] + commands[-2:]), result.text
        complaint = hf_image.fsck(image)
        assert not complaint, complaint + result.text
        found.append(commands)
    return found


def after(lines, folder, pmem):
    """Mounts after a cut, runs these lines, checks, unmounts: the Result; e2fsck must be clean."""
    result = run_commands(f"mount pmem0 /t; {lines}; check; umount /t", folder, PMEM=pmem)
    assert all(c.status == 0 for c in result.commands[:1] + result.commands[-2:]), result.text
    complaint = hf_image.fsck(folder / "a.img")
    assert not complaint, complaint + result.text
    return result


def test_what_write_wrote_survives(tmp_path):
    """write makes durable: nothing is lost, the file is there, the next mount says it scanned."""
    image, pmem = shadowed(tmp_path)
    assert cut("write /t/f 0 durable; mkdir /t/d; write /t/d/g 70000 far", tmp_path, pmem) == 0
    result = after("cat /t/f; stat /t/d/g", tmp_path, pmem)
    assert result.command("cat /t/f").output == "durable\n"
    assert "70003 bytes" in result.command("stat /t/d/g").output
    mount = result.commands[0].output
    assert "not unmounted" in mount and re.search(r"repaired: .*\d+ files", mount), mount
    assert hf_image.contents(image, "/f") == b"durable"


def test_a_store_without_sync_is_lost_with_sync_survives(tmp_path):
    """Stores through a mapping are durable after `sync` only, and `shadow` counts what would go."""
    image, pmem = shadowed(tmp_path)
    lost = cut("write /t/f 0 aaaaaaaa; write /t/g 0 aaaaaaaa; map /t/f; map /t/g; touch m1 SYNC; "
               "sync; shadow; touch m1+4 LOST; touch m2 LOST; shadow", tmp_path, pmem)
    assert lost == 2
    result = after("cat /t/f; cat /t/g", tmp_path, pmem)
    assert result.command("cat /t/f").output == "SYNCaaaa\n"
    assert result.command("cat /t/g").output == "aaaaaaaa\n"
    assert hf_image.contents(image, "/f") == b"SYNCaaaa"


def test_shadow_counts_lines(tmp_path):
    """`shadow` says how many lines a cut would lose right now: none, one, three, none again."""
    _, pmem = shadowed(tmp_path)
    result = run_commands("mount pmem0 /t; write /t/f 0 x; fallocate /t/f 0 8K; map /t/f; shadow; "
                          "touch m1 A; shadow; touch m1+100 B; touch m1+5000 C; shadow; sync; "
                          "shadow; unmap m1; umount /t; shadow", tmp_path, PMEM=pmem)
    assert result.status == 0, result.text
    assert re.findall(r"would lose (\d+) line", result.text) == ["0", "1", "3", "0", "0"]


def test_without_the_flush_the_file_is_lost(tmp_path):
    """museum skip-flush: metadata is not written back, so the written file is not there."""
    image, pmem = shadowed(tmp_path)
    assert cut("museum skip-flush on; write /t/f 0 hello", tmp_path, pmem) > 0
    result = after("cat /t/f", tmp_path, pmem)
    assert result.command("cat /t/f").status != 0, "skip-flush shows nothing"
    assert hf_image.names(image, "/") == ["lost+found"]


def test_behind_a_synchronous_fault_the_block_map_is_there(tmp_path):
    """MAP_SYNC: a store into a hole, and the power fails: the file has its block, without a sync.

    With museum skip-flush on during the second file's store its fault commits nothing: no block."""
    _, pmem = shadowed(tmp_path)
    lines = ("write /t/f 0 x; truncate /t/f 8192; write /t/g 0 x; truncate /t/g 8192; map /t/f sync; "
             "map /t/g sync; touch m1+4096 STORE; museum skip-flush on; touch m2+4096 STORE")
    assert cut(lines, tmp_path, pmem) > 0
    result = after("stat /t/f; stat /t/g", tmp_path, pmem)
    there = ["pages 1 - 1: hole" not in result.command(f"stat /t/{name}").output for name in "fg"]
    assert there == [True, False], result.text


def test_what_a_plain_fault_leaves_open_a_synchronous_one_does_not(tmp_path):
    """The power fails behind a store into each of two mappings: the one with MAP_SYNC has its time in
    the file, the plain one has not. All else that a fault changes is durable behind any, of ext4."""
    _, pmem = shadowed(tmp_path)
    lines = ("write /t/f 0 x; write /t/g 0 x; sleep 2100; map /t/f sync; map /t/g; touch m1 STORE; "
             "touch m2 STORE")
    assert cut(lines, tmp_path, pmem) > 0
    result = after("stat /t/f; stat /t/g", tmp_path, pmem)
    f, g = (int(re.search(r"contents changed (\d+) seconds", result.command(f"stat /t/{name}").output)[1])
            for name in "fg")
    assert f >= g + 2, (f, g)


def test_without_the_fsync_the_store_is_lost(tmp_path):
    """museum skip-fsync: touch, sync, cut: the store is gone, as it must not be without the bug."""
    for switch, content in (("on", "hello"), ("off", "STORE")):
        image, pmem = shadowed(tmp_path)
        lines = f"write /t/f 0 hello; map /t/f; museum skip-fsync {switch}; touch m1 STORE; sync"
        assert (cut(lines, tmp_path, pmem) > 0) == (switch == "on")
        after("cat /t/f", tmp_path, pmem)
        assert hf_image.contents(image, "/f") == content.encode()


SEEDS = range(6)


@pytest.fixture(scope="module")
def random_work(tmp_path_factory):
    """A machine for each seed that loses its power behind the work, one that looks at all of them:
    for each the model, how many lines were lost, what was said afterwards, and the image."""
    folder = tmp_path_factory.mktemp("random")
    models, lost, images = [], [], [folder / f"{seed}.img" for seed in SEEDS]
    for seed in SEEDS:
        lifetime = ("idle-at-one", "unaware")[seed % 2]
        hf_image.mkfs(images[seed], "32M")
        model = Model(1000 + seed)
        while len(model.commands) < random.Random(seed).randrange(5, 250):
            model.step()
        lines = "; ".join([f"umount /t; mount pmem0 /t lifetime={lifetime}"] + model.commands)
        lost.append(cut(lines, folder, f"{images[seed]},shadow"))
        models.append(model)
    cats = ["; ".join(f"cat /t{path}" for path in sorted(model.files)) or "sync" for model in models]
    yield list(zip(models, lost, after_all(cats, images), images))
    for image in images:
        image.unlink()


@pytest.mark.xdist_group("random work")
@pytest.mark.parametrize("seed", SEEDS)
def test_random_work_then_a_cut(random_work, seed):
    """After any number of operations a cut loses nothing of them, and nothing needs e2fsck."""
    model, lost, commands, image = random_work[seed]
    assert lost == 0
    said = {c.line: c.output for c in commands}
    for path, data in model.files.items():
        assert said[f"cat /t{path}"] == printable(data), path
        assert hf_image.contents(image, path) == bytes(data), path


MIDDLE = ("fallocate /t/new 0 20M", "truncate /t/big 0", "punch /t/big 4096 9M", "rm /t/big",
          "write /t/many 100 x", "truncate /t/many 5", "mkdir /t/d/e", "rm /t/many",
          "zero /t/many 0 400K", "collapse /t/many 4096 40K", "insert /t/many 8192 4096",
          "exchange /t/many 4096 /t/big 0 400K")


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """An image with a file of many extents, a large one, and one to be kept; each test copies it."""
    folder = tmp_path_factory.mktemp("filled")
    image, pmem = shadowed(folder)
    result = run_commands("mount pmem0 /t; mkdir /t/d; write /t/keep 0 kept; "
                          "fallocate /t/big 0 10M; "
                          + "; ".join(f"write /t/many {n * 8192} {n}" for n in range(100))
                          + "; umount /t", folder, PMEM=pmem)
    assert result.status == 0, result.text
    return image


@pytest.fixture(scope="module")
def cut_in_the_middle(tmp_path_factory, filled):
    """A machine for each line that loses its power during it, one that looks at all of them."""
    folder = tmp_path_factory.mktemp("middle")
    images = [folder / f"{n}.img" for n in range(len(MIDDLE))]
    for line, image in zip(MIDDLE, images):
        shutil.copyfile(filled, image)
        cut(f"{line} &", folder, f"{image},shadow", SMP=4)
    looks = ["cat /t/keep; write /t/again 0 goes; cat /t/again"] * len(MIDDLE)
    yield dict(zip(MIDDLE, zip(after_all(looks, images), images)))
    for image in images:
        image.unlink()


@pytest.mark.xdist_group("cut in the middle")
@pytest.mark.parametrize("line", MIDDLE)
def test_a_cut_in_the_middle(cut_in_the_middle, line):
    """Power fails while a job is at work: no block has two owners, other files are untouched."""
    commands, image = cut_in_the_middle[line]
    said = {c.line: c.output for c in commands}
    assert said["cat /t/keep"] == "kept\n"
    assert said["cat /t/again"] == "goes\n"
    assert hf_image.contents(image, "/keep") == b"kept"


@pytest.mark.parametrize("features", [",flex_bg,64bit,huge_file,dir_nlink,uninit_bg,dir_index"])
def test_repair_under_other_features(tmp_path, features):
    """The scan that repairs knows every feature set that mounts."""
    image, pmem = shadowed(tmp_path, size="64M", features=hf_image.OURS + features)
    cut("fallocate /t/big 0 40M; mkdir /t/d; write /t/d/f 0 kept; rm /t/big; fallocate /t/b 0 9M",
        tmp_path, pmem)
    after("cat /t/d/f", tmp_path, pmem)
    assert hf_image.contents(image, "/d/f") == b"kept"


def test_two_dimms_lose_power_together(tmp_path):
    """Both shadowed DIMMs go back to what was durable; one without a shadow keeps everything."""
    images = [hf_image.mkfs(tmp_path / f"{n}.img", "16M") for n in range(3)]
    pmem = f"{images[0]},shadow {images[1]},shadow {images[2]}"
    lines = "; ".join(f"mount pmem{n} /t{n}; write /t{n}/f 0 aaaa; map /t{n}/f; touch m{n + 1} BB"
                      for n in range(3))
    result = run_commands(lines + "; shadow; powercut", tmp_path, PMEM=pmem)
    assert "power cut: 2 line(s)" in result.text, result.text
    result = run_commands("; ".join(f"mount pmem{n} /t{n}; cat /t{n}/f; umount /t{n}"
                                    for n in range(3)), tmp_path, PMEM=pmem)
    assert result.status == 0, result.text
    assert [hf_image.contents(i, "/f") for i in images] == [b"aaaa", b"aaaa", b"BBaa"]


def test_the_shadow_has_a_limit(tmp_path):
    """A DIMM that is too large for a second copy says so at boot; powercut is refused then."""
    result = run_commands("shadow; powercut; echo alive", tmp_path,
                          PMEM=f"{tmp_path}/a.img,size=128M,shadow")
    assert "at most 64 MiB" in result.text[:result.text.index("\n> ")], result.text
    assert result.command("powercut").status != 0 and result.command("echo alive").status == 0

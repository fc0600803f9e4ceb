# SPDX-License-Identifier: MIT
"""Images others made: read right under every feature set, refused by name, damaged ones told."""

import os
import random
import re
import struct

import pytest

import hf_image
from run import run_commands
from test_files import printable

SETS = ["", ",flex_bg", ",64bit", ",huge_file", ",dir_nlink", ",uninit_bg", ",dir_index",
        ",flex_bg,64bit,huge_file,dir_nlink,uninit_bg,dir_index"]
ENTRIES, DEPTH = 2000, 40


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A folder to make images from: deep, wide, sparse, with 700 extents, empty, odd names."""
    root = tmp_path_factory.mktemp("tree")
    deep = root.joinpath(*["d%d" % n for n in range(DEPTH)])
    deep.mkdir(parents=True)
    (deep / "bottom").write_text("at the bottom")
    wide = root / "wide"
    wide.mkdir()
    for n in range(ENTRIES):
        (wide / f"entry-{n:04d}").write_text(str(n) if n % 100 == 0 else "")
    with open(root / "sparse", "wb") as data:
        data.truncate(3 << 30)
        for place in (0, 1 << 20, (2 << 30) + 5, (3 << 30) - 4):
            data.seek(place)
            data.write(b"here")
    with open(root / "pieces", "wb") as data:
        for n in range(700):
            data.seek(n * 8192)
            data.write(b"piece %d\n" % n)
    (root / "empty").write_bytes(b"")
    (root / "bytes").write_bytes(bytes(range(256)) * 64)
    (root / ("n" * 255)).write_text("long name")
    os.symlink("bytes", root / "link")
    return root


def is_hashed(image, folder):
    """Whether the inode of a directory has the flag of a hash tree."""
    flags = re.search(r"Flags: (0x[0-9a-f]+)", hf_image.debugfs(image, f"stat {folder}")).group(1)
    return bool(int(flags, 16) & 0x1000)


DEEP = "/".join("d%d" % n for n in range(DEPTH))


def work_on(n):
    """What is read and changed on the file system of pmemN."""
    t = f"/t{n}"
    return (f"mount pmem{n} {t}; ls {t}; cat {t}/{DEEP}/bottom; ls {t}/wide; cat {t}/wide/entry-1900; "
            f"stat {t}/sparse; map {t}/sparse 2147483648 4096; touch m1+5; unmap m1; cat {t}/bytes; "
            f"cat {t}/{'n' * 255}; stat {t}/pieces; map {t}/pieces 5726208 4096; touch m1; unmap m1; "
            f"cat {t}/empty; check; write {t}/wide/new 0 new; rm {t}/wide/entry-0007; "
            f"truncate {t}/pieces 1M; write {t}/sparse 1073741824 middle; rm {t}/bytes; "
            f"fallocate {t}/big 0 30M; check; umount {t}")


@pytest.fixture(scope="module")
def worked(tmp_path_factory, tree):
    """One machine with an image of each feature set: its Result, and the images."""
    folder = tmp_path_factory.mktemp("worked")
    images = []
    for n, features in enumerate(SETS):
        images.append(hf_image.mkfs(folder / f"{n}.img", "128M", tree=tree,
                                    features=hf_image.OURS + features, extra=["-N", "4096"]))
        if "dir_index" in features:
            hf_image.host("e2fsck", "-fyD", images[n])
            assert is_hashed(images[n], "/wide"), "no hashed directory to read"
    result = run_commands("; ".join(work_on(n) for n in range(len(SETS))), folder,
                          PMEM=" ".join(images))
    hf_image.fsck_all(folder)
    yield result, images
    for image in images:
        os.unlink(image)


@pytest.mark.xdist_group("feature sets")
@pytest.mark.parametrize("features", SETS)
def test_host_made_images_read_right(tree, worked, features):
    """Contents, sizes and names are the host's, and after changes e2fsck and debugfs agree."""
    result, images = worked
    n = SETS.index(features)
    t, image = f"/t{n}", images[n]
    assert result.status == 0, result.text[-4000:]
    touched = [c.output for c in result.commands if c.line.startswith("touch m1")][2 * n:2 * n + 2]
    listed = {line.split()[3] for line in result.command(f"ls {t}/wide").output.splitlines()}
    assert listed == {".", ".."} | {f"entry-{n:04d}" for n in range(ENTRIES)}
    assert {"sparse", "pieces", "empty", "bytes", "d0", "n" * 255} <= {
        line.split()[3] for line in result.command(f"ls {t}").output.splitlines()}
    assert result.command(f"cat {t}/{DEEP}/bottom").output == "at the bottom\n"
    assert result.command(f"cat {t}/wide/entry-1900").output == "1900\n"
    assert "3221225472 bytes" in result.command(f"stat {t}/sparse").output
    assert "here" in touched[0] and "piece 699" in touched[1]
    assert result.command(f"cat {t}/bytes").output == printable(bytes(range(256)) * 64)
    assert result.command(f"cat {t}/{'n' * 255}").output == "long name\n"
    assert result.command(f"cat {t}/empty").output == "\n"
    assert not is_hashed(image, "/wide"), "changed without its hash tree, so it is none any more"
    names = hf_image.names(image, "/wide")
    assert "new" in names and "entry-0007" not in names and len(names) == ENTRIES
    assert hf_image.contents(image, "/wide/new") == b"new"
    want = (tree / "pieces").read_bytes()[:1 << 20]
    assert hf_image.contents(image, "/pieces") == want


def test_a_symbolic_link_is_told(tmp_path, tree):
    """A symbolic link is listed as one and not followed: the refusal says what it is."""
    image = hf_image.mkfs(tmp_path / "a.img", "128M", tree=tree, extra=["-N", "4096"])
    result = run_commands("mount pmem0 /t; ls /t; cat /t/link; write /t/link 0 x; rm /t/link; "
                          "ls /t; umount /t", tmp_path, PMEM=image)
    assert re.search(r"symbolic link +\d+  link$", result.command("ls /t").output, re.M)
    assert result.command("cat /t/link").status != 0
    assert result.command("cat /t/link").output.strip()
    assert result.command("write /t/link 0 x").status != 0


REFUSED = ["has_journal", "metadata_csum", "inline_data", "encrypt", "casefold", "bigalloc",
           "quota", "project,quota", "ea_inode", "mmp", "meta_bg", "verity", "sparse_super2",
           "stable_inodes", "large_dir", "metadata_csum_seed,metadata_csum,64bit",
           "fast_commit,has_journal"]


def mount_all(images, folder):
    """One machine that mounts each of these alone: for each, what the three commands said."""
    lines = [f"mount pmem{n} /t; mount; check; umount /t" for n in range(len(images))]
    result = run_commands("; ".join(lines), folder, PMEM=" ".join(images))
    return [result.commands[4 * n:4 * n + 4] for n in range(len(images))]


def take_the_way_out(image, features, said):
    """Does what a refusal says: `tune2fs`, or `mkfs.ext4` where it knows no other way."""
    tune = re.search(r"`tune2fs -O (\^\S+) IMAGE`", said)
    if not tune:
        hf_image.mkfs(image, "32M")
        return ""
    # -f: or it waits ten seconds for another user of an image with mmp
    done = hf_image.host("tune2fs", "-f", "-O", tune.group(1), image)
    if "mmp" not in features:  # whose interval e2fsck would wait for
        hf_image.host("e2fsck", "-fy", image)
    return f"the way out does not work: {done.stdout}" if done.returncode else ""


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """All of them in one machine, then once more as the refusals say: (first, why not, second)."""
    folder = tmp_path_factory.mktemp("refused")
    images = [hf_image.mkfs(folder / f"{n}.img", "32M", features=f"{hf_image.OURS},{features}")
              for n, features in enumerate(REFUSED)]
    first = mount_all(images, folder)
    failed = ["" if commands[0].status == 0 else
              take_the_way_out(image, features, commands[0].output)
              for image, features, commands in zip(images, REFUSED, first)]
    second = mount_all(images, folder)
    hf_image.fsck_all(folder)
    for image in images:
        os.unlink(image)
    return dict(zip(REFUSED, zip(first, failed, second)))


@pytest.mark.xdist_group("refused features")
@pytest.mark.parametrize("features", REFUSED)
def test_refused_features_are_named_with_the_way_out(refused, features):
    """All unknown features are refused by name, and the tune2fs or mkfs line it gives works at once."""
    first, failed, second = refused[features]
    assert not failed, failed
    mount, shown, check, _ = first
    if mount.status != 0:
        assert mount.status == 95, mount
        missing = set(features.split(",")) - {"64bit"} - set(re.findall(r"[a-z0-9_]+", mount.output))
        assert not missing, mount.output
        assert f"-O {hf_image.OURS}`" in mount.output, "the mkfs line that passes"
        assert "nothing is mounted" in shown.output
        mount = second[0]
    assert mount.status == 0, mount.output
    assert check.status == second[2].status == 0


@pytest.mark.parametrize("without", ["extent", "filetype"])
def test_missing_features_are_named(tmp_path, without):
    """A file system without extents or file types in names is refused by that name."""
    features = ",".join(f for f in hf_image.OURS.split(",") if f != without)
    image = hf_image.mkfs(tmp_path / "a.img", "32M", features=features)
    mount = run_commands("mount pmem0 /t", tmp_path, PMEM=image).commands[0]
    assert (mount.status == 0 and without == "filetype") or without in mount.output, mount


def test_other_block_and_inode_sizes(tmp_path):
    """1 KiB blocks or 128-byte inodes are refused with what would pass, never misread."""
    for n, arguments in enumerate((["-b", "1024"], ["-I", "128"], ["-b", "2048"])):
        image = hf_image.mkfs(tmp_path / f"{n}.img", "32M", extra=arguments)
        result = run_commands("mount pmem0 /t; mount; check", tmp_path, PMEM=image)
        mount = result.commands[0]
        if mount.status == 0:
            assert arguments[0] == "-I", mount
        else:
            assert "4096" in mount.output or "256" in mount.output, mount


# (offset in the superblock, struct format, value, a word of the refusal)
DAMAGE = {
    "magic": (56, "<H", 0x1234, "magic"), "block size": (24, "<I", 20, "block"),
    "blocks beyond the device": (4, "<I", 1 << 20, "device"), "no blocks": (4, "<I", 0, ""),
    "no inodes per group": (40, "<I", 0, ""), "no blocks per group": (32, "<I", 0, ""),
    "huge groups": (32, "<I", 1 << 30, ""), "inode size 0": (88, "<H", 0, "inode"),
    "inode size odd": (88, "<H", 300, "inode"), "first data block": (20, "<I", 7, ""),
    "revision": (76, "<I", 9, "revision"), "unknown incompat": (96, "<I", 0x80000042, "feature"),
    "unknown ro_compat": (100, "<I", 0x80000003, "feature"), "no inodes": (0, "<I", 0, ""),
    "first inode": (84, "<I", 0xffffffff, ""), "inodes per group": (40, "<I", 1 << 30, ""),
}


@pytest.mark.unclean("their superblocks are damaged on purpose")
def test_damaged_superblocks(tmp_path):
    """Every damaged field is refused with a sentence that names it; eight DIMMs in each boot."""
    cases = list(DAMAGE.items())
    for start in range(0, len(cases), 8):
        part = cases[start:start + 8]
        pmem = []
        for n, (name, (offset, form, value, _)) in enumerate(part):
            image = hf_image.mkfs(tmp_path / f"{start + n}.img", "16M")
            with open(image, "r+b") as dimm:
                dimm.seek(1024 + offset)
                dimm.write(struct.pack(form, value))
            pmem.append(image)
        result = run_commands("; ".join(f"mount pmem{n} /t{n}" for n in range(len(part)))
                              + "; mount; check; echo alive", tmp_path, PMEM=" ".join(pmem))
        assert result.command("echo alive").status == 0, result.text
        assert result.command("check").status == 0, result.text
        for command, (name, (_, _, _, word)) in zip(result.commands, part):
            assert command.status not in (0, None), f"{name}: {command}"
            assert word in command.output and command.output.strip(), f"{name}: {command}"


@pytest.mark.unclean("the image was cut in two")
def test_a_truncated_image(tmp_path):
    """An image that lost its end: the refusal gives both sizes; nothing is read beyond the end."""
    image = hf_image.mkfs(tmp_path / "a.img", "64M")
    os.truncate(image, 32 << 20)
    result = run_commands("mount pmem0 /t; check", tmp_path, PMEM=image)
    mount = result.commands[0]
    assert mount.status != 0 and "device" in mount.output, mount
    assert "16384" in mount.output and "8192" in mount.output, mount.output
    assert result.command("check").status == 0


def test_no_file_system_at_all(tmp_path):
    """Zeroes and noise are no ext4, and the refusal says how to make one."""
    (tmp_path / "noise.img").write_bytes(random.Random(1).randbytes(4 << 20))
    result = run_commands("mount pmem0 /t; mount pmem1 /t; mount", tmp_path,
                          PMEM=f"{tmp_path}/zero.img,size=4M {tmp_path}/noise.img")
    for command in result.commands[:2]:
        assert command.status == 22 and "mkfs.ext4" in command.output, command


@pytest.mark.unclean("random bytes of them were changed")
@pytest.mark.parametrize("seed", range(4))
def test_random_damage_never_crashes(tmp_path, seed):
    """Eight images with random bytes of their metadata changed: refused or used, never a panic."""
    source = random.Random(seed)
    folder = tmp_path / "tree"
    folder.mkdir()
    for n in range(30):
        (folder / f"f{n}").write_bytes(b"x" * 5000 * n)
    pmem, commands = [], []
    for n in range(8):
        image = hf_image.mkfs(tmp_path / f"{n}.img", "16M", tree=folder)
        with open(image, "r+b") as dimm:
            for _ in range(source.choice((1, 4, 40))):
                # superblock, descriptors, bitmaps, the first inodes, the root directory
                dimm.seek(source.choice((1024, 4096, 8192, 12288, 16384, 20480, 16384 + 128))
                          + source.randrange(1024))
                dimm.write(bytes([source.choice((0, 1, 0x7f, 0x80, 0xff, source.randrange(256)))]))
        pmem.append(image)
        commands += [f"mount pmem{n} /t{n}", f"ls /t{n}", f"cat /t{n}/f3", f"stat /t{n}/f29",
                     f"write /t{n}/new 0 x", f"truncate /t{n}/f20 10", f"rm /t{n}/f21",
                     f"mkdir /t{n}/d", f"map /t{n}/f4", "touch m1", "unmap m1", f"umount /t{n}"]
    result = run_commands("; ".join(commands) + "; echo alive", tmp_path, PMEM=" ".join(pmem))
    assert result.rc in (33, 35), result.text[-5000:]
    assert result.command("echo alive").output == "alive\n", result.text[-3000:]
    assert all(c.status is not None and (c.status == 0 or c.output.strip())
               for c in result.commands), result.text

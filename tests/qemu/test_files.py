# SPDX-License-Identifier: MIT
"""What Holdfast writes, others can read: the same operations on a model here, then debugfs looks.

conftest.py asks e2fsck about every image when a test is over.
"""

import random

import pytest

import hf_image
from run import Machine, run_commands

ALL_FEATURES = ",flex_bg,64bit,huge_file,dir_nlink,uninit_bg,dir_index"
LIFETIMES = ("idle-at-one", "unaware")
LIMIT = 40000


class Model:
    """A file system of the kind a dict can hold, and the shell commands that lead to it."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.files, self.folders, self.commands = {}, [""], []

    def step(self):
        """One random operation, on the model and as a command."""
        kind = self.random.choice(("write", "write", "write", "truncate", "punch", "fallocate",
                                   "rm", "mkdir", "zero", "collapse", "insert", "exchange"))
        getattr(self, kind)()

    def command(self, *words):
        self.commands.append(" ".join(str(word) for word in words))

    def offset(self):
        return self.random.choice((0, 1, 4095, 4096, 4097, 8192, self.random.randrange(LIMIT)))

    def pick(self):
        """A file there is; a new one is made when there are few."""
        if len(self.files) < 6 or (len(self.files) < 25 and self.random.random() < 0.1):
            path = f"{self.random.choice(self.folders)}/f{len(self.commands)}"
            self.files[path] = bytearray()
            self.command("write", "/t" + path, 0, "''")
        return self.random.choice(sorted(self.files))

    def grow(self, path, size):
        data = self.files[path]
        data.extend(bytes(max(0, size - len(data))))

    def write(self):
        path, offset = self.pick(), self.offset()
        text = f"<{len(self.commands)}>" * self.random.randrange(1, 40)
        self.grow(path, offset + len(text))
        self.files[path][offset:offset + len(text)] = text.encode()
        self.command("write", "/t" + path, offset, f"'{text}'")

    def truncate(self):
        path, size = self.pick(), self.offset()
        del self.files[path][size:]
        self.grow(path, size)
        self.command("truncate", "/t" + path, size)

    def punch(self):
        path, offset, length = self.pick(), self.offset(), self.offset() + 1
        data = self.files[path]
        end = min(offset + length, len(data))
        if end > offset:
            data[offset:end] = bytes(end - offset)
        self.command("punch", "/t" + path, offset, length)

    def fallocate(self):
        path, offset, length = self.pick(), self.offset(), self.offset() + 1
        self.grow(path, offset + length)
        self.command("fallocate", "/t" + path, offset, length)

    def zero(self):
        path, offset, length = self.pick(), self.offset(), self.offset() + 1
        self.grow(path, offset + length)
        self.files[path][offset:offset + length] = bytes(length)
        self.command("zero", "/t" + path, offset, length)

    def blocks(self, data):
        """Offset and length of some whole blocks that begin in `data`, and end before it does."""
        offset = self.random.randrange((len(data) - 1) // 4096) * 4096
        return offset, self.random.randint(1, (len(data) - 1 - offset) // 4096) * 4096

    def collapse(self):
        path = self.pick()
        if len(self.files[path]) > 4096:
            offset, length = self.blocks(self.files[path])
            del self.files[path][offset:offset + length]
            self.command("collapse", "/t" + path, offset, length)

    def insert(self):
        path = self.pick()
        if 4096 < len(self.files[path]) < 3 * LIMIT:
            offset, length = self.blocks(self.files[path])
            self.files[path][offset:offset] = bytes(length)
            self.command("insert", "/t" + path, offset, length)

    def exchange(self):
        paths = self.pick(), self.pick()
        one, other = (self.files[path] for path in paths)
        if paths[0] != paths[1] and min(len(one), len(other)) > 4096:
            offset, length = self.blocks(min(one, other, key=len))
            one[offset:offset + length], other[offset:offset + length] = \
                other[offset:offset + length], one[offset:offset + length]
            self.command("exchange", "/t" + paths[0], offset, "/t" + paths[1], offset, length)

    def rm(self):
        if len(self.files) > 6:
            path = self.pick()
            del self.files[path]
            self.command("rm", "/t" + path)

    def mkdir(self):
        if len(self.folders) < 8:
            path = f"{self.random.choice(self.folders)}/d{len(self.commands)}"
            self.folders.append(path)
            self.command("mkdir", "/t" + path)


def printable(data):
    """What `cat` shows of these bytes: a TAB moves no cursor, it is shown as C writes it."""
    text = "".join(chr(b) if 32 <= b < 127 or b == 10 else "." for b in data.replace(b"\t", b"\\t"))
    return text + "\n"


@pytest.mark.parametrize("seed", range(4))
def test_random_operations(tmp_path, seed):
    """400 random operations: the guest reads back, and debugfs finds, what the model holds."""
    lifetime, features = LIFETIMES[seed % 2], ("", ALL_FEATURES)[seed // 2]
    image = hf_image.mkfs(tmp_path / "a.img", "64M", features=hf_image.OURS + features)
    model = Model(seed)
    while len(model.commands) < 400:
        model.step()
    cats = [f"cat /t{path}" for path in sorted(model.files)]
    result = run_commands("; ".join([f"mount pmem0 /t lifetime={lifetime}", *model.commands, *cats,
                                     "check", "umount /t"]), tmp_path, PMEM=image, SMP=2)
    assert result.status == 0, [c for c in result.commands if c.status != 0]
    for path, data in model.files.items():
        assert result.command(f"cat /t{path}").output == printable(data), path
        assert hf_image.contents(image, path) == bytes(data), path
    for folder in model.folders:
        inside = {p[len(folder) + 1:] for p in [*model.files, *model.folders[1:]]
                  if p.rpartition("/")[0] == folder}
        assert set(hf_image.names(image, folder or "/")) - {"lost+found"} == inside


def test_through_mappings(tmp_path):
    """Stores through mappings, over holes and behind truncates, are in the file on the host."""
    image = hf_image.mkfs(tmp_path / "a.img", "32M")
    result = run_commands(
        "mount pmem0 /t; write /t/f 0 A; truncate /t/f 1M; map /t/f; map /t/f ro; "
        "touch m1+8000 over-a-page-border; touch m1+300 X; touch m1+500000 hole; touch m2+8000; "
        "punch /t/f 8192 4096; touch m1+8192 again; truncate /t/f 500002; truncate /t/f 600000; "
        "touch m1+500000; touch m1+599999 Z; cat /t/f; sync; check; unmap m1; unmap m2; umount /t",
        tmp_path, PMEM=image)
    assert result.status == 0, result.text
    want = bytearray(600000)
    for offset, text in ((0, b"A"), (300, b"X"), (8000, b"over-a-page-border"),
                         (8192, b"again"), (500000, b"ho"), (599999, b"Z")):
        want[offset:offset + len(text)] = text
    assert result.command("cat /t/f").output == printable(want)
    assert hf_image.contents(image, "/f") == bytes(want)


@pytest.mark.parametrize("smp,lifetime", [(1, "idle-at-one"), (4, "idle-at-one"), (4, "unaware")])
def test_jobs_at_the_same_time(tmp_path, smp, lifetime):
    """Many jobs on the same few files: each ends, nothing is torn, no block is lost or shared."""
    image = hf_image.mkfs(tmp_path / "a.img", "64M")
    source = random.Random(smp)
    lines = [f"mount pmem0 /t lifetime={lifetime}", "mount"]
    for n in range(4):
        lines += [f"write /t/f{n} 0 start", f"truncate /t/f{n} 64K", f"map /t/f{n}"]
    for _ in range(12):
        for _ in range(6):
            file, offset = f"/t/f{source.randrange(4)}", source.randrange(65536)
            lines.append(source.choice((
                f"write {file} {offset} {'w' * 50} &", f"truncate {file} {offset} &",
                f"punch {file} {offset} 9000 &", f"fallocate {file} {offset} 9000 &",
                f"touch m{source.randrange(1, 5)}+{offset} store &", f"cat {file} &",
                f"write /t/n{offset} 0 new &", f"mkdir /t/d{offset} &", "sync &", "pgmap &")))
        lines.append("wait")
    lines += ["check"] + [f"unmap m{n}" for n in range(1, 5)] + ["check", "umount /t"]
    result = run_commands("; ".join(lines).replace("&;", "&"), tmp_path, PMEM=image, SMP=smp)
    # A store behind the end of a file that another job cut is a refusal, so jobs may fail.
    assert result.rc in (33, 35) and "violated" not in result.text, result.text[-3000:]
    assert all(c.status == 0 for c in result.commands[-6:]), result.text[-3000:]
    assert result.text.count("] done: ") == 72


def test_an_unlinked_file_goes_with_its_last_user(tmp_path):
    """rm of a mapped file: readable until unmap, its blocks free afterwards, e2fsck content."""
    image = hf_image.mkfs(tmp_path / "a.img", "32M")
    result = run_commands("mount pmem0 /t; mount; fallocate /t/f 0 8M; write /t/f 0 ghost; "
                          "map /t/f 0 4096; rm /t/f; ls /t; touch m1; check; unmap m1; check; "
                          "mount; umount /t", tmp_path, PMEM=image)
    assert result.status == 0, result.text
    assert "ghost" in result.command("touch m1").output
    assert " f\n" not in result.command("ls /t").output
    mounts = [c.output for c in result.commands if c.line == "mount"]
    assert mounts[0] == mounts[1], "blocks or inodes were lost"


def test_a_name_that_cannot_be_read_hides_no_other(tmp_path):
    """Two files mapped as ext2 maps them, among others: `ls` shows all, each with its reason, and fails."""
    (tmp_path / "tree").mkdir()
    for name in "abcd":
        (tmp_path / "tree" / name).write_text("")
    image = hf_image.mkfs(tmp_path / "a.img", tree=tmp_path / "tree")
    for name in "ac":
        for field in ("flags", "block[0]", "block[1]", "block[2]"):
            hf_image.host("debugfs", "-w", "-R", f"set_inode_field {name} {field} 0", image)
    result = run_commands("mount pmem0 /t; ls /t; umount /t", tmp_path, PMEM=image)
    listed = result.command("ls /t")
    rows = [line.split(None, 3) for line in listed.output.splitlines()]
    assert [row[3].split(":")[0] for row in rows if row[1] in ("?", "file")] == list("abcd"), listed.output
    assert [row[3][0] for row in rows if row[1:3] == ["?", "?"] and "indirect blocks" in row[3]] == ["a", "c"], listed.output
    assert listed.status == 95 and "ls: /t: 2 of its names could not be read" in listed.output


def test_many_names_and_deep_folders(tmp_path):
    """A directory of several blocks and a path of 60 folders, made here, found by debugfs."""
    image = hf_image.mkfs(tmp_path / "a.img", "64M", extra=["-N", "2048"])
    count, depth = 500, 60
    long = [f"/t/many/{n:04d}-{'x' * (n % 200)}" for n in range(count)]
    folders = ["/t" + "/d" * n for n in range(1, depth + 1)]
    first = run_commands("; ".join(["mount pmem0 /t", "mkdir /t/many"]
                                   + [f"write {path} 0 {n}" for n, path in enumerate(long)]
                                   + ["umount /t"]), tmp_path, PMEM=image)
    assert first.status == 0, first.text[-3000:]
    second = run_commands("; ".join(["mount pmem0 /t"] + [f"mkdir {path}" for path in folders]
                                    + [f"write {folders[-1]}/f 0 deep", f"cat {folders[-1]}/f"]
                                    + [f"rm {path}" for path in long[::2]]
                                    + ["ls /t/many", "check", "umount /t"]), tmp_path, PMEM=image)
    assert second.status == 0, second.text[-3000:]
    kept = [path[len("/t/many/"):] for path in long[1::2]]
    shown = [line.split()[3] for line in second.command("ls /t/many").output.splitlines()]
    assert sorted(shown) == sorted([".", ".."] + kept)
    assert hf_image.names(image, "/many") == sorted(kept)
    assert hf_image.contents(image, "/d" * depth + "/f") == b"deep"
    assert hf_image.contents(image, f"/many/{kept[-1]}") == str(count - 1).encode()


def test_fragments(tmp_path):
    """Two files grown in turn, block by block, then one removed: extents far beyond one block."""
    image = hf_image.mkfs(tmp_path / "a.img", "64M")
    blocks = 700
    lines = [f"write /t/{name} {4096 * 2 * n} {name}{n}" for n in range(blocks) for name in "ab"]
    for half in (lines[:blocks], lines[blocks:] + ["rm /t/b", "check"]):
        result = run_commands("; ".join(["mount pmem0 /t", *half, "umount /t"]), tmp_path,
                              PMEM=image)
        assert result.status == 0, result.text[-3000:]
    want = bytearray(4096 * 2 * (blocks - 1))
    for n in range(blocks):
        text = f"a{n}".encode()
        want[4096 * 2 * n:4096 * 2 * n + len(text)] = text
    assert hf_image.contents(image, "/a") == bytes(want)
    assert hf_image.names(image, "/") == ["a", "lost+found"]
    assert hf_image.debugfs(image, "ex /a").count("\n") > 340, "the file is not in fragments"


@pytest.mark.parametrize("how", ["umount /t", "poweroff", "end of the list", "poweroff -f"])
def test_every_way_to_end_leaves_it_clean(tmp_path, how):
    """umount, poweroff and the end of a run unmount: e2fsck finds nothing, the state is clean."""
    image = hf_image.mkfs(tmp_path / "a.img", "32M")
    lines = "mount pmem0 /t; write /t/f 0 kept; mkdir /t/d; truncate /t/f 100000; rm /t/d"
    result = run_commands(lines + ("" if how == "end of the list" else "; " + how), tmp_path,
                          PMEM=image)
    assert result.status == 0, result.text
    assert hf_image.super_field(image, "Filesystem state") == "clean"
    assert hf_image.contents(image, "/f") == b"kept" + bytes(100000 - 4)


def test_poweroff_at_the_prompt_unmounts(tmp_path):
    """A person types poweroff: the same."""
    image = hf_image.mkfs(tmp_path / "a.img", "32M")
    with Machine(tmp_path, PMEM=image) as m:
        assert m.run("mount pmem0 /t").status == 0
        assert m.run("write /t/f 0 kept").status == 0
        assert hf_image.super_field(image, "Filesystem state") != "clean", "mounted is not clean"
        m.send("poweroff")
        assert m.wait() in (0, 33), m.text()
    assert hf_image.super_field(image, "Filesystem state") == "clean"


@pytest.mark.unclean("QEMU was killed while it was mounted; the next mount repairs")
def test_a_killed_machine_is_repaired_by_the_next_mount(tmp_path):
    """QEMU killed in the middle: what was written is there, the next mount says it repaired."""
    image = hf_image.mkfs(tmp_path / "a.img", "32M")
    with Machine(tmp_path, PMEM=image) as m:
        for line in ("mount pmem0 /t", "write /t/f 0 kept", "mkdir /t/d", "write /t/d/g 5000 x",
                     "truncate /t/f 2", "fallocate /t/h 0 1M"):
            assert m.run(line).status == 0, m.text()
    result = run_commands("mount pmem0 /t; cat /t/f; check; umount /t; mount pmem0 /t; umount /t",
                          tmp_path, PMEM=image)
    assert result.status == 0, result.text
    first, second = [c.output for c in result.commands if c.line == "mount pmem0 /t"]
    assert "not unmounted" in first or "repair" in first, first
    assert "repair" not in second and "not unmounted" not in second, second
    assert result.command("cat /t/f").output == "ke\n"
    assert hf_image.fsck(image) == ""

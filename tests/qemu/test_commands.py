# SPDX-License-Identifier: MIT
"""Nothing typed can crash the kernel: every command of hf_lines.py, and lines that mean nothing.

What the shell makes of a line before it runs a command (quotes, frames, jobs, keys) is in
test_shell.py.
"""

import random
import re

import pytest

import hf_config
import hf_image
import hf_media
from hf_lines import LEAVE, SETUP, TABLE
from hf_machine import Command
from run import Machine, run_commands

BAD_WORDS = ("PANIC", "panic:", "ASSERT", "BUG", "page fault", "violated")


def known_commands(folder):
    text = run_commands("help", folder, PMEM="").text
    return set(re.findall(r"(?m)^  ([a-z][a-z0-9_-]*) ", text))


def test_the_table_is_complete(tmp_path):
    """Every command that `help` lists has rows here, right and wrong ones, and no other has."""
    known = known_commands(tmp_path)
    assert known == set(TABLE), known ^ set(TABLE)
    for command, rows in TABLE.items():
        assert command == "echo" or any(not row.good for row in rows), f"{command}: nothing wrong"


def complaint(row, command: Command) -> str:
    """Why this command did not do what its row says; empty when it did."""
    if command.status is None:
        return "it never ended"
    if row.good != (command.status == 0):
        return f"status {command.status}, {'0' if row.good else 'another one'} expected"
    if row.words not in command.output:
        return f"no {row.words!r} in its output"
    if not row.good and (not command.output.strip() or re.search(r"(?m)^[a-z_]+: *$", command.output)):
        return "it failed without a sentence"
    if any(word in command.output for word in BAD_WORDS):
        return "that is no answer to a wrong word"
    return ""


# A command whose lines name no device, job or lease is content with any mount at /t: such commands
# share a machine, each with a file system of its own. The others have a machine each.
ALONE = re.compile(r"pmem|&|%|\blease\b|\bregion\b|^(race|quiz|history|museum|soak|bench|poweroff)\b")
SHARING = [name for name, rows in TABLE.items() if not any(ALONE.search(row.line) for row in rows)]
TOGETHER = 8
GROUPS = [SHARING[at:at + TOGETHER] for at in range(0, len(SHARING), TOGETHER)]
GROUPS += [[name] for name in TABLE if name not in SHARING]
# Everything that rows may have left behind; what is not there is refused.
GIVE_BACK = "; ".join([f"unpin p{n}" for n in range(1, 5)] + [f"unmap m{n}" for n in range(1, 9)])


def lines_of(name, pmem):
    """All that is run for one command: the set-up, on this device, its rows, and what follows them."""
    setup = SETUP.replace("pmem0", pmem).split("; ")
    return setup, [row.line for row in TABLE[name]], ["echo alive", "check", *LEAVE.split("; ")]


def play(group, folder):
    """One machine for these commands: {name: what was run, from behind its set-up on}."""
    names = [f"pmem{n + 1 if n else 0}" for n in range(len(group))]  # pmem1 is for scratch
    images = [hf_image.mkfs(folder / f"{name}.img", "64M") for name in names[1:]]
    parts = [lines_of(name, pmem) for name, pmem in zip(group, names)]
    cmd = f"; {GIVE_BACK}; umount /t; ".join("; ".join(sum(part, [])) for part in parts)
    variables = {}
    if images:
        dimms = hf_config.default_dimms(str(folder))
        hf_media.make_ext4(dimms[0].path, dimms[0].size)
        variables["PMEM"] = " ".join([f"{dimms[0].path},align=2M",
                                      f"{dimms[1].path},size={dimms[1].size},align=2M,scratch",
                                      *[f"{image},align=2M" for image in images]])
    result = run_commands(cmd.replace("& ;", "&"), folder, **variables)
    hf_image.fsck_all(folder)
    for image in folder.glob("*.img"):
        image.unlink()
    found, left = {}, list(result.commands)
    for name, (setup, rows, last) in zip(group, parts):
        found[name] = left[len(setup):]
        many = sum(line.count(" &") or 1 for line in rows)
        left = left[len(setup) + many + len(last) + GIVE_BACK.count(";") + 2:]
    return result, found


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Number of a group -> play() of it, once."""
    kept = {}

    def get(number):
        if number not in kept:
            kept[number] = play(GROUPS[number], tmp_path_factory.mktemp("commands"))
        return kept[number]

    return get


@pytest.mark.parametrize("group,name", [
    pytest.param(n, name, id=name, marks=pytest.mark.xdist_group(f"commands {n}"))
    for n, group in enumerate(GROUPS) for name in group])
def test_right_and_wrong_arguments(played, group, name):
    """Right lines succeed, wrong ones are refused with a sentence, and the machine goes on."""
    rows = TABLE[name]
    result, found = played(group)
    assert result.rc in (33, 35), result.text[-4000:]
    commands = list(found[name])
    wrong = []
    for row in rows:
        for _ in range(row.line.count(" &") or 1):
            command = commands.pop(0)
        why = complaint(row, command)
        if why:
            wrong.append(f"{row.line[:200]}: {why}: [{command.status}] {command.output[:300]!r}")
    assert not wrong, "\n".join(wrong)
    assert commands[0].output == "alive\n" and commands[1].status == 0, result.text[-2000:]


NOTHING = [("nope", "unknown command 'nope'"), ("trunkate /t 0", "did you mean 'truncate'"),
           ("MOUNT", "did you mean 'mount'"), ("''", "''"), ("' '", ""), ("/t", "/t"),
           ("mount\\ pmem0", ""), ("=", "="), ("-", "-"), ("#", "#"), ("%1", "%1"), ("\\", ""),
           ("x" * 4000, ""), ("0", "0"), ("../mount", "../mount"), ("echo a | cat", "|"),
           ("echo a > b", ">"), ("(echo)", "(")]


def test_lines_that_mean_nothing(tmp_path):
    """No command, a path, an operator of sh: each is refused in a sentence; the next line runs."""
    with Machine(tmp_path, PMEM="") as m:
        for line, words in NOTHING:
            if len(line) > 900:
                continue
            answer = m.run(line)
            if words in "|>(":
                assert answer.output.strip(), line
                continue
            assert answer.status != 0, (line, answer)
            assert words in answer.output and answer.output.strip(), (line, answer)
        assert m.run("echo alive").output == "alive\n"


def test_suggestions(tmp_path):
    """A word one or two letters off is named with the right one: commands and their arguments."""
    pairs = {"trucate /t 0": "truncate", "hlep": "help", "mout": "mount", "selftset": "selftest",
             "museum skip-wkae on": "skip-wake", "race dma-punhc": "dma-punch",
             "help pmme": "pmem", "selftest wait.deadlin": "wait.deadline",
             "mount pmem0 /t lifetime=unawar": "unaware"}
    result = run_commands("; ".join(pairs), tmp_path)
    for line, word in pairs.items():
        command = result.command(line)
        assert command.status != 0 and f"{word}" in command.output, command


def test_tab_completes_commands_names_and_devices(tmp_path):
    """TAB finishes a command, an exhibit, a device and a self-test, or shows what is possible."""
    with Machine(tmp_path) as m:
        assert "usage: truncate" in m.ask("help trun\t")
        assert "skip-wake" in m.ask("museum skip-w\t")
        assert "pmem0 on /t" in m.ask("mount pme\t0 /t")
        assert "ok 1 wait.deadline" in m.ask("selftest wait.dea\t")
        m.type("un\t\t")
        m.expect(r"unmap")
        m.expect(r"unpin")
        m.type("\x15")
        assert m.run("umount /t").status == 0


def test_many_mappings_and_pins_run_out_politely(tmp_path):
    """Names for mappings and pins, and DMA slots, are finite: the one too many is refused."""
    lines = ["mount pmem0 /t", "write /t/f 0 x"] + ["map /t/f"] * 33 + ["pin m1"] * 17
    lines += [f"unpin p{n}" for n in range(1, 17)] + [f"unmap m{n}" for n in range(1, 33)]
    result = run_commands("; ".join(lines) + "; check; umount /t", tmp_path)
    failed = [c for c in result.commands if c.status != 0]
    assert [c.line for c in failed] == ["map /t/f", "pin m1"], result.text
    assert all("in use" in c.output for c in failed), failed
    assert result.rc == 35


def test_a_full_device(tmp_path):
    """No block left: write and fallocate say so, nothing is torn, removing makes room again."""
    image = hf_image.mkfs(tmp_path / "small.img", "16M")
    result = run_commands("mount pmem0 /t; fallocate /t/a 0 12M; fallocate /t/b 0 12M; check; "
                          "write /t/c 0 small; cat /t/c; fallocate /t/d 0 4M; write /t/e 0 x; "
                          "check; rm /t/a; write /t/e 0 room; cat /t/e; check; umount /t",
                          tmp_path, PMEM=image)
    assert result.command("fallocate /t/b 0 12M").status == 28, result.text
    assert " free" in result.command("fallocate /t/b 0 12M").output
    assert result.command("cat /t/e").output == "room\n"
    assert all(c.status == 0 for c in result.commands if c.line == "check"), result.text
    assert hf_image.contents(image, "/e") == b"room"


def random_line(source):
    """A line about memory and files that may well be right, with numbers around borders."""
    number = source.choice(("0", "1", "4096", "8192", "12288", "64K", "1M", "2M", "4M", "100",
                            str(4096 * source.randrange(600)), str(source.randrange(1 << 22))))
    length = source.choice(("4096", "8K", "16K", "2M", number))
    mapping, file = f"m{source.randrange(1, 12)}", f"/t/f{source.randrange(4)}"
    return source.choice((
        f"map {file} {number} {length}", f"map {file} {number} {length} ro", f"map {file}",
        f"map {file} 0 {length} private", f"map anon {length}", f"unmap {mapping}",
        f"unmap {mapping} {number} {length}", f"protect {mapping} ro {number} {length}",
        f"protect {mapping} rw", f"remap {mapping} {number} {length}",
        f"remap {mapping} {number} {length} m{source.randrange(1, 12)}",
        f"advise {mapping} dontneed", f"advise {mapping} huge", f"touch {mapping}+{number} store",
        f"touch {mapping}+{number}", f"touch {mapping} x",
        f"pin {mapping}+{number} {length}; unpin p1", f"pin {mapping} {length} ro; unpin p1",
        f"truncate {file} {number}",
        f"punch {file} {number} {length}", f"fallocate {file} {number} {length}",
        f"zero {file} {number} {length}", f"collapse {file} {number} {length}",
        f"insert {file} {number} {length}",
        f"exchange {file} {number} /t/f{source.randrange(4)} {number} {length}",
        f"lease set {file}; lease drop {file}", f"disk read 0 {mapping}+{number} 4096",
        f"disk write {source.randrange(99)} {mapping} 4096", f"gup_test {mapping} size={length}",
        "pmem unbind pmem0", "pmem kill pmem0; pmem revive pmem0", "pmem", "mount", "lifetime",
        f"write {file} {number} text", f"rm {file}", f"sync {mapping}", "sync", "check", "pgmap",
        "ps", "huge", "map", "memory"))


@pytest.mark.parametrize("seed", range(4))
def test_random_lines(tmp_path, seed):
    """300 random lines about mappings and files: whatever they do, I1 to I6 hold and e2fsck too."""
    source = random.Random(seed)
    image = hf_image.mkfs(tmp_path / "a.img", "64M")
    lines = [random_line(source) for _ in range(300)]
    end = [f"unmap m{n}" for n in range(1, 33)] + ["lifetime", "check", "umount /t"]
    last = ["lifetime", "lifetime idle-at-one"]
    result = run_commands("; ".join(["mount pmem0 /t"] + lines + end + last), tmp_path, PMEM=image,
                          SMP=1 + seed % 2, ICOUNT=seed // 2 % 2)
    assert result.rc in (33, 35) and "violated" not in result.text, result.text[-4000:]
    assert [c.status for c in result.commands[-4:]] == [0] * 4, result.text[-4000:]
    assert all(c.status is not None for c in result.commands)
    assert "nothing is mounted" not in result.commands[-5].output
    assert "nothing is mounted" in result.commands[-2].output
    eras = re.findall(r"^  era=(\S+?)(?: \(default\))?: ", result.commands[-1].output, re.M)
    assert eras == ["4.17", "5.18", "6.1"], result.commands[-1].output

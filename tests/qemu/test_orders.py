# SPDX-License-Identifier: MIT
"""No order of commands ends the kernel: mounts, holders, layout changes, unbinding, killing.

Every lifetime whose eviction waits for nobody gets random orders of the commands that decide how long a page lives. What may wait
is a job, and is killed or freed at the end: everybody who holds something lets go, every job ends,
the devices are bound and whole again, the file system is clean.
"""

import random
import re

import pytest

import hf_image
from run import run_commands

LIFETIMES = ("unaware", "lease-poll", "idle-at-one", "zap-to-zero", "counted-map", "refuse-busy",
             "busy-extent")
# In these an eviction or an unmount waits for a holder, and no signal ends it: whoever pins by a job
# that waits behind it hangs both (docs/weaknesses.md D-6, E-3). Shown by races, not by chance.
EVICTION_WAITS = ("zap-to-zero", "counted-map", "refuse-busy")
TRIED = [name for name in LIFETIMES if name not in EVICTION_WAITS]
# What designs that let a held block go (unaware: A-1; lease-poll: B-7; idle-at-one: C-1) leave to be
# seen by a `check` in the midst of an order: the block is gone from its file (I1), and free while
# held (I5). That, word by word, and no other finding of I1 or I5 is forgiven; at rest nothing is.
LOST = re.compile(r"  (I1 violated: .* lost \d+ block\(s\) while somebody held them"
                  r"|I5 violated: pfn 0x[0-9a-f]+ is held( with its 2 MiB)?, and block \d+ is free)")
ORDERS = 3  # of each lifetime and seed, in one machine
LENGTH = 45
FILES = [f"/t/f{n}" for n in range(3)]
# Everybody lets go; `settle` waits until every job has ended, or sleeps for somebody else. A job that
# held the others up may pin only then, so it is all said again.
LET_GO = ([f"unpin p{n}" for n in range(1, 17)] + [f"unmap m{n}" for n in range(1, 33)]
          + ["lease drop " + file for file in FILES]
          + ["pmem revive pmem0", "bio_delay off", "settle"])
ROUNDS = 4


def line(source, lifetime):
    """One line of an order. `&` where a lifetime may have it wait for a holder.

    The device as a whole is mapped for reading only: whoever stores there writes over the file
    system, and no lifetime is to blame for what `check` says of it."""
    file, other = source.sample(FILES, 2)
    number, length = (4096 * source.randrange(n, 5) for n in (0, 1))
    mapping, pin, job = (source.randrange(1, 5) for _ in range(3))
    options = source.choice(("", "", " longterm=allow", " entries=sectors", " longterm=refuse"))
    chosen = lifetime if source.random() < .9 else source.choice(TRIED)
    return source.choice((
        f"mount pmem0 /t lifetime={chosen}{options}", "umount /t &", "umount /t &",
        f"map {file}", f"map {file} 0 2M", f"map {file} private", f"unmap m{mapping}",
        f"touch m{mapping}+{number} text", f"touch m{mapping}+{number}",
        f"pin m{mapping}+{number} {length} &", f"pin m{mapping} &",
        f"pin m{mapping} ro longterm &",
        f"pin m{mapping} ro &", f"unpin p{pin}", f"unpin p{pin}", f"dma m{mapping} in text &",
        f"dma p{pin} in text", f"disk read 0 m{mapping}+{number} 4096 &",
        f"write {file} {number} text &", f"truncate {file} {number} &",
        f"truncate {file} 20000 &", f"punch {file} {number} {length} &",
        f"zero {file} {number} {length} &", f"collapse {file} {number} {length} &",
        f"insert {file} {number} {length} &", f"fallocate {file} {number} {length} &",
        f"exchange {file} {number} {other} 0 {length} &", f"rm {file} &",
        f"fallocate {file} 0 60M wait &", f"lease set {file}", f"lease drop {file}",
        f"lease break {file} wait &", "sync &", "check", "pmem", "ps", "pmem unbind pmem0 &",
        "pmem unbind pmem0 wait &", "pmem bind pmem0", "pmem bind pmem0 limited",
        "pmem kill pmem0", "pmem revive pmem0", "devdax pmem0 ro", f"kill %{job}", "jobs",
        "bio_delay 200"))


def order(source, lifetime):
    """A random order, and the way back to rest."""
    start = ["pmem bind pmem0", f"mount pmem0 /t lifetime={lifetime}"]
    start += [f"write {file} 12288 text" for file in FILES]
    start += ["map /t/f0", "touch m1 text", "pin m1"][:source.randrange(4)]
    return (start + [line(source, lifetime) for _ in range(LENGTH)] + ["settle"] + LET_GO * ROUNDS
            + ["wait", "jobs", "unmap m1", "umount /t", "pmem unbind pmem0", "pmem bind pmem0",
               "pmem pmem0", "mount pmem0 /t", "check", "umount /t"])


@pytest.mark.parametrize("lifetime", TRIED)
@pytest.mark.parametrize("seed", range(2))
def test_any_order(tmp_path, lifetime, seed):
    """Whatever the order: no panic, no job that stays, and at the end all is at rest and clean."""
    source = random.Random(f"{lifetime} {seed}")
    lines = [line for _ in range(ORDERS) for line in order(source, lifetime)]
    result = run_commands("; ".join(lines).replace("&;", "&"), tmp_path, SMP=1 + seed,
                          PMEM=hf_image.mkfs(tmp_path / "a.img", "64M"))
    assert result.rc in (33, 35), result.text[-6000:]
    loses = any(f"lifetime={name}" in command for command in lines for name in TRIED[:3])
    assert not [line for line in result.text.splitlines()
                if "violated" in line and not (loses and LOST.fullmatch(line))], result.text
    ends = [c for c in result.commands if c.line in ("mount pmem0 /t", "wait", "pmem pmem0")]
    assert len(ends) == 3 * ORDERS and all(c.status == 0 for c in ends), result.text[-6000:]
    assert not any("held:" in c.output or "busy:" in c.output for c in ends), result.text[-6000:]
    assert [c.status for c in result.commands[-3:]] == [0, 0, 0], result.text[-6000:]

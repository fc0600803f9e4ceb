# SPDX-License-Identifier: MIT
"""Every shell command with right and wrong arguments: the table that test_commands.py runs.

Each command has its own machine, prepared by SETUP, in which its lines are run in this order.
`ok(line, words)`: status 0 and `words` in the output. `no(line, words)`: a status that is not 0 and
a sentence with `words` in it, never silence. A command that `help` knows and this table does not
fails test_commands.py, so a new command brings its rows along.
"""

from typing import Dict, List, NamedTuple


class Row(NamedTuple):
    line: str
    good: bool
    words: str


def ok(line: str, words: str = "") -> Row:
    return Row(line, True, words)


def no(line: str, words: str) -> Row:
    return Row(line, False, words)


SETUP = ("mount pmem0 /t; mkdir /t/d; write /t/f 0 'hello world'; write /t/d/g 8192 deep; "
         "map /t/f; touch m1; pin m1")
LEAVE = "unpin p1; unmap m1; umount /t"
LONG = "/t/" + "n" * 300
DEEP = "/t" + "/d" * 200
HUGE = "99999999999999999999"
MAX = "0xffffffffffffffff"


def path_rows(command: str, tail: str = "") -> List[Row]:
    """What every command that takes a path of an existing file must refuse."""
    return [no(f"{command} /t/none{tail}", "/t/none"), no(f"{command} /none{tail}", "/none"),
            no(f"{command} none{tail}", "none"), no(f"{command} ''{tail}", "''"),
            no(f"{command} /t/f/x{tail}", "/t/f/x"), no(f"{command} {LONG}{tail}", "a name of the"),
            no(f"{command} {DEEP}{tail}", "/t/d/d"), no(f"{command} /t/d/none/x{tail}", "none"),
            no(f"{command} /tt/f{tail}", "/tt/f"), no(f"{command}", "usage: " + command),
            no(f"{command} /t/f 1 2 3 4 5", "usage: " + command)]


def number_rows(command: str, what: str, tail: str = "") -> List[Row]:
    """What every command that takes a number must refuse; `what` is the name it gives to it."""
    return [no(f"{command} {word}{tail}", what) for word in
            ("x", "''", "-1", "1x", "0x", "1.5", HUGE, "17000000T", "1e3", "' 1'", "+1", "0xg")]


TABLE: Dict[str, List[Row]] = {
    "acpi": [ok("acpi", "RSDP"), ok("acpi NFIT", "NFIT"), ok("acpi FACP", "FADT"),
             no("acpi NOPE", "NOPE"), no("acpi ''", "''"), no("acpi NFIT x", "usage: acpi"),
             no("acpi NFITNFITNFIT", "NFITNFITNFIT")],
    "advise": [ok("touch m1", "hello"), ok("advise m1 dontneed"), ok("touch m1", "hello"),
               ok("map anon 16K", "m2"), ok("touch m2 gone"), ok("advise m2 dontneed 0 4K"),
               ok("touch m2", "........"), ok("advise m1 huge"), ok("advise m1 nohuge"),
               no("advise m1", "usage: advise"), no("advise m1 willneed", "'willneed'"),
               no("advise m9 huge", "m9"), no("advise x huge", ""), no("advise", "usage"),
               no("advise m1 dontneed 1 4096", "4096"), no("advise m1 dontneed 0 8192", "beyond"),
               no("advise m1 huge 0 4096 x", "usage"), ok("unmap m2")],
    "bench": [no("bench nope*", "nope"), no("bench ''", "''"), no("bench -x", "-x")],
    "cat": [ok("cat /t/f", "hello world"), ok("cat /t//f", "hello world"),
            ok("cat /t/d/../f", "hello world"), ok("cat /t/./f", "hello world"),
            no("cat /t/d", "not a regular file"), no("cat /t", "not a regular file"),
            *path_rows("cat")],
    "check": [ok("check", "I6 holds"), no("check x", "usage: check")],
    "dma": [ok("dma"), ok("dma m1 in ABC", "started"), ok("dma", "running"),
            ok("dma p1 out edu=1 times=2", "started"), ok("sleep 1800"), ok("dma"),
            ok("touch m1", "ABCABC"), no("dma p1 out", "p1"), ok("pin m1", "p1"),
            no("dma m1", "usage: dma"), no("dma m1 up", "'up'"), no("dma m9 in", "m9"),
            no("dma m1 in edu=2", "edu2"), no("dma m1 in edu=x", "edu"), no("dma x in", "'x'"),
            no("dma m1 in times=0", "times"), no("dma m1 in times=10001", "10000"),
            no("dma m1 in a b", "'b'"), no("dma m1 out text", "'text'"), no("dma p99 in", "p99"),
            no("dma m1 in ''", "1 to"), no("dma m1 in " + "x" * 500, "1 to"),
            no("dma m1+4096 in", "0x1000"), no(f"dma m1 in times={HUGE}", "times"),
            no("dma pp in", "pp"), no("dma '' in", "''")],
    "echo": [ok("echo", ""), ok("echo a  'b  c' \"d\"", "a b  c d"), ok("echo * ? [a]", "* ? [a]"),
             ok("echo a\\;b", "a;b"), ok("echo %s %n $HOME `x`", "%s %n $HOME `x`"),
             ok("echo " + "w" * 4000, "w" * 4000)],
    "fallocate": [ok("fallocate /t/n 0 64K"), ok("stat /t/n", "65536 bytes"),
                  ok("fallocate /t/f 100 10"), ok("cat /t/f", "hello world"),
                  no("fallocate /t/n 0 0", "at least one byte"), no("fallocate /t/n 0", "usage"),
                  no("fallocate /t/n 0 100T", "/t/n"), no(f"fallocate /t/n {MAX} 1", "2^"),
                  no(f"fallocate /t/n 0 {MAX}", ""), no("fallocate /t/d 0 1", "not a regular file"),
                  no("fallocate /none/x 0 1", "/none/x"), no(f"fallocate {LONG} 0 1", "a name of the"),
                  no("fallocate /t/n 0 2G", "free"), ok("stat /t/n", "65536 bytes"),
                  *number_rows("fallocate /t/n", "offset", " 1"),
                  *number_rows("fallocate /t/n 0", "length")],
    "help": [ok("help", "truncate"), ok("help truncate", "usage: truncate FILE SIZE"),
             ok("help help ls", "usage: ls"), no("help trunkate", "did you mean 'truncate'"),
             no("help ''", "''"), no("help " + "x" * 300, "xxx")],
    "history": [ok("history"), no("history 5", "usage: history")],
    "huge": [ok("huge", "2 MiB"), no("huge x", "usage: huge")],
    "jobs": [ok("jobs"), ok("sleep 300 &", "[job 1] started"), ok("jobs", "sleep 300"),
             no("jobs x", "usage: jobs"), ok("wait")],
    "kill": [ok("sleep 60000 &", "started"), ok("kill %1"), ok("wait"), no("wait %1", "%1"),
             no("kill", "usage"), no("kill %1 %2", "usage"), no("kill %9", "%9"),
             no("kill 99999", "99999"), no("kill x", ""), no("kill %", ""), no("kill %x", ""),
             no(f"kill {HUGE}", ""), no("kill -1", ""), no("kill ''", ""), no("kill %-1", "")],
    "lifetime": [ok("lifetime", "idle-at-one"), ok("lifetime", "unaware"),
                 no("lifetime x", "lifetime=NAME")],
    "ls": [ok("ls /t", "lost+found"), ok("ls /t/", " d"), ok("ls /t/d", " g"), ok("ls /t/f", "11"),
           *path_rows("ls")],
    "map": [ok("map anon 8K", "anonymous"), ok("touch m2 mine"), ok("unmap m2"),
            ok("map /t/f private", "private"), ok("touch m2 COPY"), ok("touch m2", "COPYo world"),
            ok("cat /t/f", "hello world"), ok("unmap m2"), no("map anon", "usage: map"),
            no("map anon 0", "at least one byte"), no("map anon x", "length"),
            no(f"map anon {MAX}", ""), no("map anon 4K 4K", ""), ok("map", "m1: /t/f"), ok("map /t/f ro", "m2"), ok("map /t/d/g 4K 4K", "m3"),
            ok("map /t/d/g 8192", "m4"), ok("map /t/f 0 4096 ro", "m5"), ok("map /t/f 0 1", "m6"),
            no("map /t/f 1 1", "4 KiB aligned"), no("map /t/f 4096", "nothing to map"),
            no("map /t/f 0 0", "nothing to map"), no("map /t/f 0 1 rw", "usage: map"),
            no("map /t/f 0 4096 4096", "usage: map"), no(f"map /t/f 0 {MAX}", "/t/f"),
            ok("map /t/f 0xfffffffffffff000 4096", "m7"), no("touch m7", "beyond the end"),
            no("pin m7", "beyond the end"), no("dma m7 in", "beyond the end"), ok("unmap m7"), no("map /t/f 0 0x800000000000", ""),
            no("map /t/d", "not a regular file"), no("touch m2 x", "read-only"), ok("touch m3", "...."),
            *number_rows("map /t/f", "offset", " 4096"), *number_rows("map /t/f 0", "length"),
            *[row for row in path_rows("map") if row.line not in ("map",)],
            *[ok(f"unmap m{n}") for n in (2, 3, 4, 5, 6)]],
    "memory": [ok("memory", "in use"), no("memory x", "usage: memory")],
    "mkdir": [ok("mkdir /t/new"), ok("mkdir /t/new/er"), ok("ls /t/new", " er"),
              no("mkdir /t/new", "exist"), no("mkdir /t/f", "exist"), no("mkdir /t", ""),
              no("mkdir /t/a/b", "/t/a/b"), no("mkdir", "usage"), no("mkdir /t/x /t/y", "usage"),
              no("mkdir ''", "''"), no("mkdir none", "none"), no(f"mkdir {LONG}", "a name of the"),
              no("mkdir /t/f/x", "/t/f/x"), no("mkdir /t/.", ""), no("mkdir /t/d/..", ""),
              ok("mkdir '/t/with blank'"), ok("ls /t", "with blank"), ok("mkdir /t/" + "m" * 255)],
    "mount": [ok("mount", "pmem0 on /t"), no("mount pmem0", "usage"),
              no("mount pmem0 /t", "/t"), no("mount pmem0 /u", "mounted"),
              no("mount pmem1 /t", "/t"), no("mount pmem1 /u", "mkfs.ext4"),
              no("mount pmem9 /u", "pmem9"), no("mount pmem1 u", "absolute"),
              no("mount '' /u", "''"), no("mount pmem1 ''", ""), no("mount pmem1 /", ""),
              no("mount pmem1 /u lifetime=zap", "unaware, idle-at-one"),
              no("mount pmem1 /u lifetime=idle-at-onr", "idle-at-one"),
              no("mount pmem1 /u idle-at-one", "lifetime=idle-at-one"),
              no("mount pmem1 /u lifetime=unaware x", "usage"),
              no("mount pmem1 /" + "u" * 300, ""), no("mount pmem1 /u/v/w", "")],
    "museum": [ok("museum", "skip-wake"), ok("museum skip-wake on", "on"), ok("museum skip-wake"),
               ok("museum skip-wake off", "off"), no("museum skip-wak on", "'skip-wake'"),
               no("museum skip-wake maybe", "maybe"), no("museum all on", "only be turned off"),
               ok("museum all off"), no("museum skip-wake on on", "usage"), no("museum ''", "''")],
    "nfit": [ok("nfit", "NFIT #1: accepted"), no("nfit x", "usage: nfit")],
    "page": [ok("page 0x100000", "pmem0"), no("page 0x10", "0x10"), no("page", "usage: page"),
             no("page 1 2", "usage"), no(f"page {MAX}", ""), no("page 0x10000000000000", ""),
             *number_rows("page", "")],
    "pci": [ok("pci", "edu0"), ok("pci 00:02.0", "edu"), no("pci 0:31.7", ""), no("pci zz", "zz"),
            no("pci 00:02.0 x", "usage: pci"), no("pci ff:ff.ff", "ff:ff.ff"), no("pci ''", "no function")],
    "pgmap": [ok("pgmap", "FS_DAX"), no("pgmap x", "usage: pgmap")],
    "pin": [ok("pin", "p1: 1 page"), ok("pin m1 ro", "p2"), ok("pin m1+5 1", "p3"),
            no("pin m1 longterm", "FOLL_LONGTERM"), no("pin m1 ro longterm", "FOLL_LONGTERM"),
            no("pin m9", "m9"), no("pin m0", "m0"), no("pin x", "'x'"), no("pin ''", "''"),
            no("pin m1 4097", "page"), no("pin m1+4096", "beyond"), no("pin m1+-1", "offset"),
            no("pin m1+", "offset"), no("pin m1 4096 4096", "usage"), no("pin m1 rw", "length"),
            no(f"pin m1 {MAX}", ""), no(f"pin m{HUGE}", ""), no("pin m1x", "'m1x'"),
            ok("unpin p2"), ok("unpin p3")],
    "pmem": [ok("pmem", "pmem0: 0x"), ok("pmem pmem1", "pmem1: 0x"), no("pmem pmem9", "pmem9"),
             no("pmem ''", "''"), no("pmem pmem0 pmem1", "usage: pmem"), no("pmem pmem", "pmem0")],
    "poweroff": [no("poweroff x", "-f"), no("poweroff", "/t/f"),
                 no("poweroff -f x", "usage: poweroff"), no("poweroff -x", "-f")],
    "powercut": [no("powercut x", "usage: powercut"), no("powercut", "shadow")],
    "protect": [ok("protect m1 ro"), no("touch m1 x", "read-only"), ok("touch m1", "hello"),
                ok("protect m1 rw"), ok("touch m1 x"), ok("map /t/f ro", "m2"),
                no("protect m1", "usage"), no("protect m1 rx", ""), no("protect m9 ro", "m9"),
                no("protect x ro", ""), no("protect", "usage"), no("protect m1 ro 1 1", "4096"),
                no("protect m1 ro 0 8192", "beyond"), no("protect m1 ro 0 0", ""), ok("unmap m2")],
    "ps": [ok("ps", "idle/0"), no("ps x", "usage: ps")],
    "punch": [ok("punch /t/d/g 0 8K"), ok("stat /t/d/g", "hole"), ok("punch /t/d/g 100 10"),
              ok("punch /t/d/g 1G 1G"), no("punch /t/d/g 0 0", "at least one byte"),
              no(f"punch /t/d/g {MAX} {MAX}", "2^64"), no("punch /t/d/g 0", "usage"),
              no("punch /t/d 0 1", "not a regular file"), *number_rows("punch /t/d/g", "offset", " 1"),
              *number_rows("punch /t/d/g 0", "length"), *path_rows("punch", " 0 1"),
              ok("check", "I1 holds")],
    "race": [ok("race", "dma-truncate"), no("race nope", "nope"),
             no("race dma-trunkate", "did you mean 'dma-truncate'"), no("race ''", "''"),
             no("race dma-truncate lifetime=x", "known is"), no("race dma-truncate x", "lifetime="),
             no("race all x", "lifetime="), no("race dma-truncate lifetime=", "known is"),
             no("race dma-truncate lifetime=unaware x", "usage: race")],
    "remap": [ok("map anon 32K", "m2"), ok("touch m2+4096 moved"), ok("remap m2 4096 4096", "m"),
              no("remap m2", "usage"), no("remap m2 0", "usage"), no("remap m9 0 4096", "m9"),
              no("remap m2 1 4096", "4096"), no("remap m2 0 1", "4096"), no("remap m2 0 0", ""),
              no("remap m2 0 1G", "beyond"), no("remap m2 0 4096 x", ""), no("remap x 0 4096", ""),
              no("remap m2 0 4096 m9", "m9"), no("remap m2 0 4096 m1 x", "usage"), ok("map"),
              ok("check", "I3 holds"), *number_rows("remap m2", "", " 4096")],
    "rm": [ok("write /t/gone 0 x"), ok("rm /t/gone"), no("rm /t/gone", "/t/gone"),
           no("rm /t/d", "empty"), ok("rm /t/d/g"), ok("rm /t/d"), no("ls /t/d", "/t/d"),
           no("rm /t", ""), no("rm /t/.", ""), no("rm /t/..", ""), no("rm /t/f /t/g", "usage"),
           *path_rows("rm"), ok("rm /t/f"), no("cat /t/f", "/t/f"), ok("touch m1", "hello"),
           ok("check", "I1 holds")],
    "selftest": [ok("selftest -l", "shell."), no("selftest nope", "nope"), no("selftest ''", "''"),
                 no("selftest -x", "-l"), no("selftest -v -l x", "x"),
                 ok("selftest wait.deadline", "ok 1 wait.deadline")],
    "shadow": [ok("shadow", "shadow"), no("shadow x", "usage: shadow")],
    "sleep": [ok("sleep 0"), ok("sleep 1"), ok("sleep 0x10"), no("sleep", "usage: sleep"),
              no("sleep 1 2", "usage: sleep"), no(f"sleep {MAX}", ""),
              *number_rows("sleep", "MILLISECONDS")],
    "stat": [ok("stat /t/f", "11 bytes"), ok("stat /t", "directory"), ok("stat /t/d/g", "hole"),
             *path_rows("stat")],
    "sync": [ok("sync"), ok("touch m1 HELLO"), ok("sync m1"), ok("sync m1 0 4096"),
             no("sync x", "'x'"), no("sync m9", "m9"), no("sync m1 1 2", "4096"),
             no("sync m1 0", "usage: sync"), no("sync m1 0 4096 0", "usage: sync"),
             no("sync m1 0 1M", "beyond m1"), no("sync m1 4096 4096", "beyond m1"),
             *number_rows("sync m1", "", " 4096"), *number_rows("sync m1 0", "")],
    "time": [ok("time echo a", "time: "), ok("time time echo a"), no("time", "usage: time"),
             no("time nope", "unknown command 'nope'"), no("time cat /none", "/none")],
    "touch": [ok("touch m1", "hello world"), ok("touch m1+6", "world"), ok("touch m1 HELLO"),
              ok("cat /t/f", "HELLO world"), ok("touch m1+4095 x"), no("touch m1+4095 xy", "fit"),
              no("touch m1+4096", "beyond"), no("touch m9", "m9"), no("touch m0", "m0"),
              no("touch", "usage"), no("touch m1 a b", "usage"), no("touch x", "'x'"),
              no("touch ''", "''"), no("touch m", "'m'"), no("touch m1+", "offset"),
              no("touch m1+-1", "offset"), no(f"touch m1+{MAX}", "beyond"), no("touch mm1", "'mm1'"),
              no(f"touch m{HUGE}", ""), no("touch m1-1", "'m1-1'"), ok("touch m1 ''"),
              no("touch /t/f", "/t/f")],
    "trace": [ok("trace"), no("trace x", "usage: trace")],
    "truncate": [ok("truncate /t/d/g 100"), ok("stat /t/d/g", "100 bytes"),
                 ok("truncate /t/d/g 1M"), ok("stat /t/d/g", "1048576 bytes"),
                 ok("truncate /t/d/g 0"), ok("truncate /t/d/g 0"),
                 no("truncate /t/d 0", "not a regular file"), no(f"truncate /t/d/g {MAX}", "/t/d/g"),
                 no("truncate /t/d/g 32T", "/t/d/g"), ok("stat /t/d/g", " 0 bytes"),
                 no("truncate /t/f", "usage"), *number_rows("truncate /t/d/g", "size"),
                 *path_rows("truncate", " 0"), ok("check", "I1 holds")],
    "umount": [no("umount /t", "/t/f"), no("umount /u", "/u"), no("umount", "usage"),
               no("umount /t /u", "usage"), no("umount ''", "nothing is mounted"), no("umount pmem0", "pmem0"),
               no("umount /t/d", "/t/d")],
    "unmap": [ok("map /t/d/g", "m2"), ok("unmap m2"), no("unmap m2", "m2"), no("unmap", "usage"),
              no("unmap m1 m2", "usage"), no("unmap m1+0", "as a whole"), no("unmap x", "'x'"),
              no("unmap ''", "''"), no("unmap m99", "m99"), ok("touch m1", "hello")],
    "unpin": [ok("pin m1", "p2"), ok("unpin p2"), no("unpin p2", "p2"), no("unpin", "usage"),
              no("unpin p1 p2", "usage"), no("unpin x", "'x'"), no("unpin ''", "''"),
              no("unpin p0", "p0"), no("unpin p99", "p99"), no("unpin p1x", "p1x"),
              no("unpin p-1", "p-1"), no(f"unpin p{HUGE}", "")],
    "wait": [ok("wait"), ok("sleep 50 & sleep 60 &", ""), ok("wait"), no("wait %9", "%9"),
             no("wait x", "x"), no("wait %1 %2", "usage: wait"), no("wait ''", "empty")],
    "write": [ok("write /t/f 6 there"), ok("cat /t/f", "hello there"),
              ok("write /t/new 5000 x"), ok("stat /t/new", "5001 bytes"),
              ok("write '/t/a b' 0 'c d'"), ok("cat '/t/a b'", "c d"), ok("write /t/f 0 ''"),
              no("write /t/f 0", "usage"), no("write /t/d 0 x", "not a regular file"),
              no("write /t 0 x", ""), no(f"write /t/f {MAX} xx", ""), no("write /t/f 100T x", ""),
              no("write /t/none/x 0 x", "none"), no(f"write {LONG} 0 x", "a name of the"),
              no("write '' 0 x", "''"), no("write f 0 x", "f"), no("write /none/f 0 x", "/none/f"),
              no("write /t/f 0 a b", "usage"), *number_rows("write /t/f", "offset", " x"),
              ok("write /t/" + "w" * 255 + " 0 long"), ok("check", "I1 holds")],
}

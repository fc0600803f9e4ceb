# SPDX-License-Identifier: MIT
"""The machine by hand: what a person at the prompt meets, in one long sitting."""

import os
import re

from hf_config import ROOT
from run import Machine, run_commands

LONG = [("race all", r"race A-1 lifetime=\S+: "), ("selftest", r"\nok 1 "),
        ("bench", r"\{"), ("soak 503 100000", None), ("wait", None), ("sleep 3600000", None),
        ("gup_test size=64K repeat=1000000", None), ("race A-1 lifetime=all", r"lifetime=un")]


def interrupted(m, line, first):
    """Types a long command, then Ctrl-C once it is under way; it ends with EINTR by itself."""
    m.send(line)
    if first:
        m.expect(first)
    else:
        m.expect(r"\n")
    m.type("\x03")
    m.expect(r"\[status 4\] EINTR")
    m.expect(r"\rholdfast> \x1b\[K")


def test_ctrl_c_ends_every_long_command(tmp_path):
    """Each ends at its next safe point, gives everything back, and the next one runs."""
    with Machine(tmp_path) as m:
        m.ask("sleep 3600000 &")  # what `wait` waits for
        for line, first in LONG:
            interrupted(m, line, first)
        assert m.run("kill %1").status == 0
        answer = m.run("race dma-truncate")
        assert answer.status == 0 and ": safe" in answer.output, answer
        assert m.run("check").status == 0
        m.send("poweroff")
        assert m.wait() in (0, 33), m.text()[-3000:]


def test_a_sitting(tmp_path):
    """Pins of any size, pages by their file's name, transfers told at the prompt, options named."""
    with Machine(tmp_path) as m:
        assert m.run("mount pmem0 /t").status == 0
        m.ask("write /t/f 0 hello; map /t/f; touch m1")
        answer = m.run("pin m1 1G")
        assert answer.status == 22 and "1 GiB reach beyond the mapping" in answer.output, answer
        assert "has 4 KiB" in answer.output
        m.ask("fallocate /t/big 0 1M; map /t/big")
        assert "p1: 256 page(s)" in m.ask("pin m2")
        answer = m.run("dma p1 in x")
        assert answer.status == 22 and "64 at a time (256 KiB)" in answer.output, answer
        pfn = re.search(r"from pfn (0x[0-9a-f]+)", m.ask("unpin p1; pin m1")).group(1)
        assert "belongs to page 0 of /t/f\n" in m.ask(f"page {pfn}")
        m.ask("dma p1 in DONE")
        m.expect(r"edu0 writing p1 \(1 pages\): done")  # nothing was typed meanwhile
        assert "DONE" in m.ask("touch m1")
        for line, words in (("mount pmem1 /u -o dax", "options are words without a dash here"),
                            ("mount pmem1 /u ro", "there are lifetime=L"),
                            ("mount pmem1 /u unawar", "did you mean 'lifetime=unaware'?"),
                            ("race A-1 -v", "there are lifetime=L"),
                            ("selftest -x", "known is -l, -v")):
            answer = m.run(line)
            assert answer.status == 22 and words in answer.output, answer
            assert "lifetime=-" not in answer.output and "lifetime=ro" not in answer.output
        assert m.run("unmap m1; unmap m2; check; umount /t").status == 0


def shape(text):
    """Lines without what differs from run to run: numbers, and the table of threads but for T's."""
    rows = [re.sub(r"0x[0-9a-f]+|\d+", "N", line).split() for line in text.splitlines()]
    return [row for row in rows if row and not (row[:1] == ["N"] and "waits" not in row)
            and "bury;" not in row]


def test_the_tour_of_the_readme(tmp_path):
    """It prints what README.md says, and by hand there is time to type: the device takes 20 s."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as page:
        text = page.read()
    cmd, output = re.search(r"(?ms)^    \$ make run CMD='([^']+)'\n(.*?)\n\n", text).groups()
    result = run_commands(cmd, tmp_path, ICOUNT=1)
    assert result.status == 0, result.text
    said = result.text[result.text.index("> mount"):]
    assert shape(said) == shape(output), said
    assert int(re.search(r"started, about (\d+) ms", said).group(1)) >= 15000
    waits = re.search(r"truncate /t/f 0 +sleeping .* waits for (.*)", said).group(1)
    assert "held by: edu0 writing" in waits and "woken by last put of the page" in waits

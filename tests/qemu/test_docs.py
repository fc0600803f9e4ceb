# SPDX-License-Identifier: MIT
"""Pages that are generated: what stands in the repository is what the sources say."""

import os
import re
import subprocess
import sys

from run import run_commands

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERIES = {"s0": 15, "s3": 13, "s4": 18}


def test_seeds_page_is_current():
    """docs/seeds.md names the seed tests, claims and files of the sources: 'make seeds' is done."""
    tool = os.path.join(ROOT, "tests", "tools", "seeds.py")
    result = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True,
                            check=False)
    assert result.returncode == 0, result.stderr


def test_every_patch_has_a_seed_test_that_runs(tmp_path):
    """46 names, one for each patch of the three series, and the default machine skips none."""
    result = run_commands("selftest -l seed.*; selftest seed.*", tmp_path)
    assert result.status == 0, result.text
    names = result.command("selftest -l seed.*").output.splitlines()
    assert sorted(names) == [f"seed.{series}.{n:02}" for series, count in sorted(SERIES.items())
                             for n in range(1, count + 1)]
    assert len(names) == 46
    output = result.command("selftest seed.*").output
    assert re.findall(r"^ok \d+ (seed\.\S+)$", output, re.M) == names, output
    assert "46 passed, 0 failed, 0 skipped" in output


def test_the_seeds_page_has_a_row_for_every_patch():
    """No row is empty, and each row's file is there."""
    with open(os.path.join(ROOT, "docs", "seeds.md"), encoding="utf-8") as page:
        rows = re.findall(r"^\| (\d+) \| `(\S+)` \| (.+) \| \[(\S+)\]", page.read(), re.M)
    assert len(rows) == sum(SERIES.values())
    for number, name, claim, path in rows:
        assert name.endswith(f".{int(number):02}") and len(claim) > 20
        assert os.path.exists(os.path.join(ROOT, path)), path

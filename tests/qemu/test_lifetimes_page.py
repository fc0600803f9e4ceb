# SPDX-License-Identifier: MIT
"""docs/lifetimes.md quotes the machine: every verdict on the page is what the machine says today."""

import os
import subprocess
import sys

from hf_config import ROOT


def test_the_page_says_what_the_machine_says():
    """The quoted races and the table of all cells, run once more."""
    result = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "tools", "transcripts.py"),
                             "--check"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr

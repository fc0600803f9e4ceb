# SPDX-License-Identifier: MIT
"""`make explore-peer` without Spin: how its output is read, and that models, faults and page agree."""

import os
import re
import sys

import pytest

from hf_config import ROOT

PEER = os.path.join(ROOT, "tests", "explore", "peer")
sys.path.insert(0, PEER)
import peer_compare  # noqa: E402
import peer_spin  # noqa: E402

COMPLETE = """
(Spin Version 6.5.2 -- 6 December 2019)
	+ Partial Order Reduction
Full statespace search for:
	never claim         	- (none specified)
State-vector 176 byte, depth reached 88, errors: 0
      695 states, stored
      508 states, matched
     1203 transitions (= stored+matched)
pan: elapsed time 0 seconds
"""
FAULT = """pan:1: invalid end state (at depth 73)
pan: wrote wait.pml.trail
Warning: Search not completed
State-vector 176 byte, depth reached 75, errors: 1
       73 states, stored
       74 transitions (= stored+matched)
"""
SHALLOW = "error: max search depth too small\n" + COMPLETE


def read(name):
    with open(os.path.join(PEER, name), encoding="utf-8") as file:
        return file.read()


def test_figures_of_a_search():
    """A complete one, one that found something, and what proves nothing."""
    assert peer_spin.understood(COMPLETE, 0.5) == (0, 695, 1203, 0.5, "")
    assert peer_spin.understood(FAULT, 0.1) == (1, 73, 74, 0.1, "invalid end state")
    for text, said in ((SHALLOW, "not complete"), ("Segmentation fault\n", "without its figures")):
        with pytest.raises(peer_spin.SpinError, match=said):
            peer_spin.understood(text, 0)


def test_every_model_has_claims_and_faults():
    """Each fault of the list is a define in its model, and the other way round; each model asserts."""
    shared = read("wait_queue.pml") + read("machine.pml")
    for model, faults in peer_spin.FAULTS.items():
        text = read(model + ".pml")
        assert len(re.findall(r"\bassert\(", text)) > 1 and len(faults) >= 3
        own = set(re.findall(r"#ifn?def (?!TSO|MOVES)([A-Z]+_\w+)", text))
        listed = {fault for fault, _ in faults}
        assert own <= listed and listed <= own | set(re.findall(r"#ifn?def ([A-Z]+_\w+)", shared))
        assert all(fault in text.split("*/")[1] + shared for fault in listed)
        assert any("sc" in where for _, where in faults) and all("tso" in where for _, where in faults)
    assert {case.model for case in peer_spin.CASES} == set(peer_spin.FAULTS)


def test_the_page_has_every_row():
    """docs/explorer.md has what the last `make explore-peer` measured, of each case and each fault."""
    with open(peer_compare.PAGE, encoding="utf-8") as file:
        page = file.read()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for case in peer_spin.CASES:
        for memory in peer_spin.MEMORY:
            assert sum(row.startswith(f"| `{case.title()}` | {memory} | ") for row in rows) == 1, case
    for model, faults in peer_spin.FAULTS.items():
        for fault, where in faults:
            found = " | ".join("found" if m in where else "no fault" for m in peer_spin.MEMORY)
            assert sum(row.startswith(f"| `{model} ") and f"| `{fault}` | {found} |" in row
                       for row in rows) == 1, fault


def test_tables_with_and_without_the_code():
    """Spin alone, or beside the scenario of the same name, and then what both took."""
    case = peer_spin.CASES[0]
    model = peer_spin.Verified(0, 306, 402, 0.008, "")
    alone = peer_compare.figures([(case, "sc", model, None)])
    assert alone[2] == "| `wait WAITERS=1` | sc | 306 | 402 | 0.008 |"
    both = peer_compare.figures([(case, "sc", model, peer_compare.Explored(40, 0.004))])
    assert both[2] == alone[2] + " `peer.wait` | 40 | 0.0040 | 0.50 |"
    assert len(both[0].split("|")) == len(both[1].split("|")) == len(both[2].split("|"))


def test_the_page_is_rewritten_in_its_places(tmp_path, monkeypatch):
    page = tmp_path / "page"
    page.write_text("a\n<!-- one -->\nold\n<!-- end -->\nb\n<!-- two -->\n<!-- end -->\n")
    monkeypatch.setattr(peer_compare, "PAGE", str(page))
    for _ in range(2):
        peer_compare.write_page({"one": ["1"], "two": ["2", "3"]})
    assert page.read_text() == ("a\n<!-- one -->\n\n1\n\n<!-- end -->\nb\n<!-- two -->\n\n2\n3\n\n"
                                "<!-- end -->\n")
    with pytest.raises(AssertionError):
        peer_compare.write_page({"none": []})
    assert peer_compare.main(["nosuch"]) == 2

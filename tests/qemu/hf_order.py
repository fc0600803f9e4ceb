# SPDX-License-Identifier: MIT
"""In which order the workers take the tests: the longest first, so that none is left for the end.
And which of them `make quick` takes.

The figures are seconds, measured once on one machine with five workers; only their order matters, and a test
that is not listed takes its turn after them, as the files come. The tests of one host program are
one unit of work: its report is made once, not once for each worker (test_host.py).
"""

import os
import re

LONG = (
    ("test_selftest.py::test_all_self_tests_on_two_cpus", 120),  # asleep for the most part
    ("test_race.py::test_race_all_is_as_expected", 90),
    ("test_selftest.py::test_all_self_tests_on_other_cpu_counts", 85),
    ("test_debug.py::test_self_tests_in_the_debug_build", 84),  # with its compilation
    ("test_dimms.py::test_three_dimms", 60),
    ("test_explore.py::test_the_explorer", 50),  # with its compilation
    ("test_host.py::test_host[test_ext4_cut-", 30),
    ("test_race.py::test_a_cpu_that_is_missing", 27),
    ("test_host.py::test_host[test_ext4_random-", 21),
    ("test_host.py::test_host[test_ext4_reshape_cut-", 20),
    ("test_bench.py::test_bench_speaks_json", 18),
    ("test_powercut.py::test_a_cut_in_the_middle", 17),  # the machines of all of them
    ("test_cut_held.py::test_a_cut_between_two_fences", 16),
    ("test_race.py::test_without_a_dma_device", 14),
    ("test_boot.py::test_four_ways_in_one_way_on[efi]", 12),
    ("test_boot.py::test_four_ways_in_one_way_on[grub-uefi]", 12),
    ("test_powercut.py::test_random_work", 11),
    ("test_shell.py::test_no_command_breaks", 10),
    ("test_dimms.py::test_no_dimm", 9),
    ("test_race.py::test_the_matrix_is_as_its_table_says", 8),
    ("test_dimms.py::test_unarmed_scratch_device", 7),
    ("test_dimms.py::test_one_dimm", 7),
    ("test_bench.py::", 6),
    ("test_host_images.py::test_host_made", 6),
    ("test_museum.py::test_an_exhibit", 5),  # eight of them
    ("test_boot.py::test_four_ways_in_one_way_on", 5),
    ("test_orders.py::", 5),  # asleep for the most part
    ("test_commands.py::test_right_and_wrong", 4),  # a machine of them
    ("test_powercut.py::", 3),
    ("test_host_images.py::", 2),
)
QUICK = os.environ.get("ONLY") == "quick"
# What stands for the rest before a commit: no machine, or a second of one; each of them a way to
# break everything. The one long run is that of all self-tests.
QUICK_TESTS = (
    "test_docs.py::", "test_lifetimes.py::", "test_run.py::", "test_peer.py::", "test_peer_linux.py::",
    "test_text.py::", "test_host.py::",
    "test_selftest.py::test_all_self_tests_on_two_cpus", "test_selftest.py::test_globs",
    "test_boot.py::test_four_ways_in_one_way_on[direct]", "test_boot.py::test_every_stage",
    "test_race.py::test_a_cell_by_itself", "test_race.py::test_races_on_any_machine",
    "test_race.py::test_a_hang_is_reported", "test_commands.py::test_the_table_is_complete",
    "test_commands.py::test_lines_that_mean_nothing", "test_commands.py::test_a_full_device",
    "test_make_run.py::test_stdout_is", "test_make_run.py::test_a_failing_command",
    "test_dimms.py::test_no_dimm_refusals", "test_dimms.py::test_align_is_the_fix",
    "test_nfit.py::test_ten_nfits_at_once", "test_powercut.py::test_what_write_wrote_survives",
    "test_museum.py::test_the_", "test_museum.py::test_every_", "test_museum.py::test_one_fault",
)
NOT_QUICK = ("[test_ext4_cut-", "[test_ext4_cut]", "[test_ext4_reshape_cut", "[test_ext4_random",
             "test_ext4_fuzz", "test_docs.py::test_every_patch")
HOST = re.compile(r"test_host\w*\[(test_\w+)[-\]]")


def seconds(nodeid: str) -> float:
    """What this test takes, if it is one of the long ones; 0: it is not."""
    return next((cost for part, cost in LONG if part in nodeid), 0)


def host_program(nodeid: str) -> str:
    """The host program whose report this test reads; empty: none."""
    match = HOST.search(nodeid)
    return match.group(1) if match else ""


def quick(nodeid: str) -> bool:
    """Is it one of those that `make quick` runs?"""
    return (any(part in nodeid for part in QUICK_TESTS)
            and not any(part in nodeid for part in NOT_QUICK))


def work_order(nodeids):
    """The places of these tests in the order of work: long ones first, a host program together."""
    costs = [seconds(nodeid) for nodeid in nodeids]
    programs = {}
    for nodeid, cost in zip(nodeids, costs):
        name = host_program(nodeid)
        programs[name] = max(programs.get(name, 0), cost)
    units = [programs[host_program(n)] if host_program(n) else c for n, c in zip(nodeids, costs)]
    return sorted(range(len(nodeids)), key=lambda n: -units[n])

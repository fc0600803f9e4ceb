# SPDX-License-Identifier: MIT
"""In which order the workers take the tests: the longest first, so that none is left for the end.

The figures are seconds of CPU, measured once on one machine; only their order matters, and a test
that is not listed takes its turn after them, as the files come. The tests of one host program are
one unit of work: its report is made once, not once for each worker (test_host.py).
"""

import re

LONG = (
    ("test_host.py::test_host[test_ext4_cut-", 35),
    ("test_race.py::test_race_all_is_as_expected", 70),
    ("test_host.py::test_host[test_ext4_reshape_cut-", 18),
)
HOST = re.compile(r"test_host\w*\[(test_\w+)[-\]]")


def seconds(nodeid: str) -> float:
    """What this test takes, if it is one of the long ones; 0: it is not."""
    return next((cost for part, cost in LONG if part in nodeid), 0)


def host_program(nodeid: str) -> str:
    """The host program whose report this test reads; empty: none."""
    match = HOST.search(nodeid)
    return match.group(1) if match else ""


def work_order(nodeids):
    """The places of these tests in the order of work: long ones first, a host program together."""
    costs = [seconds(nodeid) for nodeid in nodeids]
    programs = {}
    for nodeid, cost in zip(nodeids, costs):
        name = host_program(nodeid)
        programs[name] = max(programs.get(name, 0), cost)
    units = [programs[host_program(n)] if host_program(n) else c for n, c in zip(nodeids, costs)]
    return sorted(range(len(nodeids)), key=lambda n: -units[n])

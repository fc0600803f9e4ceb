# SPDX-License-Identifier: MIT
"""`make test-systems` without a system: its verdicts, its page, and what `make clean-systems` removes."""

import os
import subprocess
import sys

import pytest

from hf_config import ROOT

SYSTEMS = os.path.join(ROOT, "tests", "systems")
sys.path.insert(0, SYSTEMS)
import systems  # noqa: E402
import systems_page  # noqa: E402

# In a mount namespace of its own, where whoever runs the tests is root.
OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"]
FAKE = """set -e
mkdir -p place/trixie/proc place/trixie/mnt place/trixie/usr/bin place/forky.new/dev place/mine victim
touch place/trixie.make.log place/trixie/usr/bin/tool place/mine/file place/notes victim/precious
mount -t tmpfs tmpfs place/trixie/proc
mkdir place/trixie/proc/inner
mount -t tmpfs tmpfs place/trixie/proc/inner
mount --bind victim place/trixie/mnt
mount --bind victim place/forky.new/dev
"""
CLEAN = f"{sys.executable} -c 'import sys; sys.path.insert(0, \"{SYSTEMS}\"); import systems; {{}}'"


def shell(folder, script):
    """Status, and what was said, of these lines of a shell, which may mount."""
    if subprocess.run([*OWN_MOUNTS, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("this system lets nobody but root have a mount namespace")
    done = subprocess.run([*OWN_MOUNTS, "sh", "-c", FAKE + script], cwd=folder, text=True,
                          env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def files(folder):
    return sorted(os.path.relpath(os.path.join(path, name), folder)
                  for path, _, names in os.walk(folder) for name in names)


def test_what_is_mounted_is_unmounted_and_nothing_else_goes(tmp_path):
    """Systems and logs go, with what was mounted in them unmounted first; the rest stays."""
    status, said = shell(tmp_path, CLEAN.format('systems.clean("place")'))
    assert status == 0, said
    assert files(tmp_path) == ["place/mine/file", "place/notes", "victim/precious"], said
    assert said.index("trixie/proc/inner") < said.index("trixie/proc\n"), said
    assert "kept, as it was not made here:" in said and said.rstrip().endswith("mine notes"), said


def test_a_system_in_use_is_kept_whole(tmp_path):
    """Somebody works in a mount: not even the rest of that system is removed."""
    status, said = shell(tmp_path, f"""sleep 100 <place/trixie/mnt & sleeper=$!
set +e; {CLEAN.format('systems.clean("place")')}
status=$?; kill $sleeper; exit $status""")
    assert status == 1 and "Refusal" in said and "was removed:" in said, said
    assert "place/trixie/usr/bin/tool" in files(tmp_path), said


def test_an_empty_place_goes_too(tmp_path):
    place = tmp_path / "systems"
    (place / "bookworm" / "usr").mkdir(parents=True)
    systems.clean(str(place))
    assert not place.exists()


def test_verdicts_of_what_the_tools_print():
    """The numbers and names that go to docs/systems.md."""
    bench = ("gup.get.4k.b1                     118 insns       120  met\n"
             "fallocate.8g.remove            50 732 insns                19 000  missed by 167 %\n"
             "boot.wall                        0.87 s         0.5  missed by 74 %\n")
    assert systems.measured(0, bench) == (False, "1 targets met, 1 missed; fallocate.8g.remove 50 732 "
                                          "insns, missed by 167 %; boot.wall 0.87 s, missed by 74 %, "
                                          "not judged")
    races = "race A-1 lifetime=a: safe\nrace C-6 lifetime=b: safe\n  UNEXPECTED: the table says HUNG\n"
    assert systems.raced(2, races) == (False, "2 verdicts, status 2; unexpected: C-6 lifetime=b")
    assert systems.raced(0, races.splitlines()[0]) == (True, "1 verdicts, status 0")
    files = "  CC      [  1/2] newlib, libc/a.c\n  CC      [  2/2] newlib, libc/b.c\n"
    assert systems.compiled(0, files + "0m0.01s 0m0.02s\n1m10.50s 0m12.25s\n") == (True, "83 s of CPU time, at most 100; 2 files")
    assert not systems.compiled(0, files + "0m0.01s 0m0.02s\n1m40.00s 0m12.25s\n")[0]
    for wrong in ("", files.replace("/2", "/3"), files.split("\n")[1] + "\n"):
        assert systems.compiled(0, wrong + "0m0.01s 0m0.02s\n1m10.50s 0m12.25s\n")[1].endswith("wrongly counted")
    assert not systems.compiled(0, "no times\n")[0]
    text = ("FAILED tests/qemu/test_run.py::test_a - assert 1 == 2\n"
            "SKIPPED [1] tests/qemu/test_boot.py:20: no second QEMU\n"
            "== 1 failed, 9 passed, 1 skipped in 5.01s ==\n")
    assert systems.succeeded(1, text) == (False, "1 failed, 9 passed, 1 skipped in 5.01s; failed: "
                                          "test_run.py::test_a; skipped: no second QEMU")


def phase(name, clock, user, system):
    """What the shell of a check prints between two phases: `times` says of itself, then of its children."""
    return f"phase {name} {clock}\n0m0.01s 0m0.00s\n{user // 60}m{user % 60}.50s 0m{system}.250000s\n"


def test_the_first_hour_is_judged_by_cpu_time():
    """Packages, build and boot together, and the first lab; a slow clock is told, a slow machine is wrong."""
    hour = (phase("cloned", 100, 0, 0) + "noise\n" + phase("packages", 500, 12, 4) + phase("prompt", 560, 59, 9)
            + "lab 2: Page records and populate; 23 checks. Building first.\nok\n100 of 100 points\n"
            + phase("graded", 600, 119, 9))
    assert systems.first_hour(0, hour) == (
        True, "CPU time: 16 s to install packages, 52 s from there to the prompt, 60 s to make lab 2's tree, paste its "
        "solution and grade it (100 of 100 points); 500 s by the clock, with whatever else ran")
    assert not systems.first_hour(1, hour)[0]
    assert not systems.first_hour(0, hour.replace("100 of 100", "99 of 100"))[0]
    assert not systems.first_hour(0, hour.replace("0m9.25", "3m9.25"))[0]
    assert systems.first_hour(2, hour[:60]) == (False, "status 2, 0 of 3 phases, 0 labs graded")


def test_each_lab_is_graded_in_time():
    each = phase("begin", 1, 0, 0) + phase("built", 9, 200, 0) + phase("02", 9, 220, 0) + phase("03", 9, 230, 5)
    assert systems.graded_each(0, each) == (True, "CPU time, at most 45 s: 02 20 s, 03 15 s")
    assert not systems.graded_each(0, each + phase("04", 9, 290, 5))[0]
    assert not systems.graded_each(2, each)[0]


def test_what_a_check_of_its_own_system_says_stands_in_a_table():
    """No command has what ends a cell."""
    assert all("|" not in check.command for one in systems.SYSTEMS for check in systems.checks(one))


def test_a_section_is_replaced_and_the_others_stay(tmp_path):
    page = str(tmp_path / "systems.md")
    row = ("make", "make -j2", "right", "status 0", "2026-01-02")
    systems_page.write(page, "Two", [("gcc", "14.2.0")], [row])
    systems_page.write(page, "One", [("gcc", "12.2.0")], [row])
    systems_page.write(page, "Two", [("gcc", "15.1.0")], [row])
    assert set(systems_page.sections(page)) == {"One", "Two"}
    assert systems_page.kept(page, "One") == {"make": row}
    assert systems_page.kept_versions(page, "Two") == [("gcc", "15.1.0")] and not systems_page.kept_versions(page, "Three")
    with open(page, encoding="utf-8") as text:
        assert "14.2.0" not in text.read()

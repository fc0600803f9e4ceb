# SPDX-License-Identifier: MIT
"""The Linux side of the comparison, without booting it: which packages are wanted, how the unpacked
headers are made usable, what the targets are reckoned from, and the questions of linux-truth."""

import lzma
import os
import re
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "peer"))

import peer  # noqa: E402
import peer_debian  # noqa: E402
import peer_linux  # noqa: E402
import peer_page  # noqa: E402
import peer_report  # noqa: E402
import peer_rows  # noqa: E402
import peer_store  # noqa: E402
import truth  # noqa: E402
import truth_rows  # noqa: E402
from peer_kept import KEPT, NEWEST  # noqa: E402
from peer_machine import PeerError  # noqa: E402
from peer_rows import BY_NAME, ROWS, Row  # noqa: E402
from peer_store import Measured  # noqa: E402

# ---- packages ----


class Offers(peer_debian.OwnApt):
    """An apt that knows these packages: {package: what `apt-cache depends` says}."""

    def __init__(self, suite, packages):
        super().__init__(suite, "")
        self.packages = packages

    def cache(self, *words):
        names = self.packages.get(words[-1], [])
        return f"{words[-1]}\n" + "".join(f"  Depends: {name}\n" for name in names)


NEW = "7.3.4+deb13-amd64"
SPLIT = {"linux-image-amd64": ["linux-base-amd64", f"linux-image-{NEW}", "linux-modules-amd64"],
         f"linux-image-{NEW}": [f"linux-base-{NEW}", f"linux-binary-{NEW}", f"linux-modules-{NEW}"],
         f"linux-headers-{NEW}": ["gcc-14-for-host", "linux-headers-7.3.4+deb13-common",
                                  "linux-kbuild-7.3.4+deb13"],
         "linux-kbuild-7.3.4+deb13": ["pahole", "libc6", "libelf1t64", "zlib1g"],
         "libelf1t64": ["libc6", "libzstd1"], "libzstd1": ["libc6"]}


def test_the_newest_of_a_series_is_taken():
    older, newer = (peer_debian.OwnApt(suite, "") for suite in ("forky", "trixie-backports"))
    offered = [("7.3.4+deb14-amd64", older), ("7.3.12+deb13-amd64", newer), ("7.2.9-amd64", older)]
    assert peer_debian.choose("7.3", offered) == ("7.3.12+deb13-amd64", newer)
    assert peer_debian.choose("7.2", offered)[0] == "7.2.9-amd64"
    with pytest.raises(PeerError, match=r"no Linux 7.30 now; there is LINUX=7.3 \(forky\), LINUX"):
        peer_debian.choose("7.30", offered)
    with pytest.raises(PeerError, match="there is none"):
        peer_debian.choose("7.3", [])


def test_split_packages_and_libraries():
    """The image is empty since it was split; programs of another Debian need its libraries."""
    apt = Offers("trixie-backports", SPLIT)
    assert apt.linux() == NEW
    names = peer_debian.package_names(NEW, apt)
    assert names == [f"linux-binary-{NEW}", f"linux-modules-{NEW}", f"linux-headers-{NEW}",
                     "busybox-static", "linux-headers-7.3.4+deb13-common",
                     "linux-kbuild-7.3.4+deb13", "libc6", "libelf1t64", "zlib1g", "libzstd1"]
    whole = Offers("", {"linux-headers-6.1.0-9-amd64": ["linux-kbuild-6.1"]})
    assert peer_debian.package_names("6.1.0-9-amd64", whole)[0] == "linux-image-6.1.0-9-amd64"


def test_apt_has_its_own_lists(tmp_path, monkeypatch):
    """Sources, lists, cache and status lie below build/peer; the mirror is this system's."""
    monkeypatch.setattr(peer_debian, "PEER", str(tmp_path))
    monkeypatch.setattr(peer_debian.systems, "mirror", lambda: "mirror:/debian")
    apt = peer_debian.OwnApt("trixie-backports", "trixie")
    apt.make()
    own = tmp_path / "apt-trixie-backports"
    sources = (own / "sources.list").read_text()
    assert re.findall(r"mirror:/debian (\S+) main", sources) == ["trixie-backports", "trixie"]
    conf = (own / "apt.conf").read_text()
    for name in ("Dir::Etc::SourceList", "Dir::State", "Dir::State::status", "Dir::Cache"):
        assert re.search(rf'(?m)^{name} "{re.escape(str(own))}', conf), name
    assert apt.env()["APT_CONFIG"] == str(own / "apt.conf")


# ---- unpacked ----


def test_absolute_paths_of_the_headers():
    text = ("KBUILD_OUTPUT=/usr/src/linux-headers-7.3.4-amd64\n"
            "include /usr/src/linux-headers-7.3.4-common/Makefile\n")
    moved = peer_linux.move_paths(text, "/a/root/usr/src")
    assert moved == text.replace("/usr/src", "/a/root/usr/src")
    assert peer_linux.move_paths(moved, "/b") == text.replace("/usr/src", "/b")


def test_a_program_of_another_debian_is_run_by_its_loader(tmp_path):
    program = tmp_path / "objtool"
    program.write_bytes(b"\x7fELF")
    for _ in range(2):  # a second time changes nothing
        peer_linux.wrap(str(program), "/there")
        assert (tmp_path / "objtool.elf").read_bytes() == b"\x7fELF"
        assert program.read_text().startswith(
            '#!/bin/sh\nexec "/there/usr/lib64/ld-linux-x86-64.so.2" --argv0 "$0" --library-path ')
    assert os.access(program, os.X_OK)


def test_modules_by_name_compressed_or_not(tmp_path, monkeypatch):
    top = tmp_path / "root" / "usr" / "lib" / "modules" / "7.3.4-amd64" / "kernel"
    top.mkdir(parents=True)
    (top / "ext4.ko.xz").write_bytes(lzma.compress(b"\0depends=jbd2,crc-16\0"))
    (top / "jbd2.ko.xz").write_bytes(lzma.compress(b"\0depends=\0"))
    (top / "crc-16.ko").write_bytes(b"\0depends=\0")
    (top / "modules.order").write_bytes(b"")
    monkeypatch.setattr(peer_debian, "PEER", str(tmp_path))
    (tmp_path / "root").rename(tmp_path / "linux-7.3")
    linux = peer_debian.Unpacked("7.3", "7.3.4-amd64", {}, "forky")
    monkeypatch.setattr(peer_debian.Unpacked, "root", property(lambda self: self.folder))
    found = peer_linux.module_files(linux, ["ext4"])
    assert [peer_linux.module_name(path) for path in found] == ["jbd2", "crc_16", "ext4"]
    assert peer_linux.module_data(found[0]) == b"\0depends=\0"
    with pytest.raises(PeerError, match="no module nfit"):
        peer_linux.module_files(linux, ["nfit"])
    with pytest.raises(PeerError, match="have no boot/x and no y"):
        linux.first("boot/x", "y")


def test_cpio_entry():
    """Fields are eight hexadecimal digits; name and data end on multiples of four."""
    entry = peer_linux.cpio_entry(3, "bin/x", 0o100755, b"12345")
    assert len(entry) % 4 == 0
    assert entry[:6] == b"070701"
    fields = [int(entry[6 + 8 * n:14 + 8 * n], 16) for n in range(13)]
    assert fields[0:2] == [3, 0o100755] and fields[6] == 5 and fields[11] == len("bin/x") + 1
    assert entry[110:116] == b"bin/x\0" and entry[116:121] == b"12345"


# ---- what is reached for ----

SOME = {"6.1": {"a": 90, "dir": 40}, "7.3": {"a": 8.91, "dir": 50, "io": 1600, "none": 0}}


@pytest.mark.parametrize("row, limit", [
    (Row("a", "insns", ""), 2.9), (Row("dir", "insns", "", share=1), 40),
    (Row("io", "insns", "", copy=512, linux_copy=1000), 712), (Row("none", "insns", ""), 0),
    (Row("a", "insns", "", share=0), None), (Row("absent", "insns", "", 7), None)])
def test_what_linux_allows(row, limit):
    assert peer_rows.linux_limit(row, SOME) == limit


@pytest.mark.parametrize("value, down", [
    (2.97, 2.9), (6.66, 6.6), (3.0, 3.0), (0.1431, 0.14), (8135.4, 8100), (11355067, 11000000),
    (0.29, 0.29), (99.99, 99)])
def test_two_digits(value, down):
    assert peer_rows.round_down(value) == down


def test_the_smaller_target_counts():
    """Of a figure of our own and a third of the newest Linux; of rows in this tree."""
    for row in ROWS:
        third = peer_rows.linux_limit(row, KEPT)
        limits = [limit for limit in (row.asked, third) if limit is not None]
        assert row.reach == (min(limits) if limits else None), row.bench
    assert BY_NAME["gup.get.2m.b512"].reach <= 4 and BY_NAME["truncate.idle"].reach is None
    names = {row.bench for row in ROWS}
    for series, kept in KEPT.items():
        assert set(kept) <= names, f"{series}: kept, and no row: {set(kept) - names}"
    assert NEWEST == max(KEPT, key=lambda series: [int(n) for n in series.split(".")])


def page_columns(text: str) -> dict:
    """The figures' table of the page: {column: {row: text}}."""
    lines = [[cell.strip(" `") for cell in line.strip("| ").split(" | ")]
             for line in text[text.index("## Figures"):].splitlines() if line.startswith("| ")]
    lines = lines[:len(ROWS) + 2]
    return {name: {line[0]: line[n] for line in lines[2:]} for n, name in enumerate(lines[0])}


def test_the_page_agrees_with_the_targets():
    """docs/performance.md has a column for each Linux, with the figures the targets come from, and
    the targets that these give."""
    with open(peer.PAGE, encoding="utf-8") as text:
        columns = page_columns(text.read())
    for series, kept in KEPT.items():
        for bench, value in kept.items():
            on_page = float(columns[f"Linux {series}"][bench].replace(" ", ""))
            assert abs(on_page - value) <= peer_report.SAME_SINGLE * value + 0.01, (series, bench)
    for row in ROWS:
        assert columns["reach"][row.bench] == peer_report.reach_text(row)


def test_a_column_that_kept_figures_do_not_confirm():
    kept = {"7.3": {"gup.get.2m.b512": 8.91, "munmap.4k.4096": 564}}
    rows = {"gup.get.2m.b512": {"value": 8.92, "unit": "insns/page", "n": 9},
            "munmap.4k.4096": {"value": 600, "unit": "insns/page", "n": 9},
            "wake.put": {"value": 3, "unit": "insns", "n": 9},
            "boot.wall": {"value": 3, "unit": "s", "n": 3}, "extra": {"value": 1}}
    linux = [Measured("Linux 7.3", "", runs=[rows])]
    assert peer_report.kept_faults(linux, kept) == [
        "peer_kept.py: munmap.4k.4096 of Linux 7.3 is kept as 564, measured 600",
        "peer_kept.py: wake.put of Linux 7.3 is kept as None, measured 3"]


# ---- columns ----


def test_results_are_kept_and_found(tmp_path):
    assert peer_store.load(str(tmp_path / "none")) == ([], None)
    ours = Measured("Holdfast", "2026-01-01", [["QEMU", "7.2"]], [], [{}, {}])
    for one in (Measured("Linux 10.2", "2026-02-02"), ours, Measured("Linux 7.3", "2026-03-03")):
        peer_store.save(one, str(tmp_path))
    linux, holdfast = peer_store.load(str(tmp_path))
    assert [one.name for one in linux] == ["Linux 7.3", "Linux 10.2"] and holdfast == ours


def a_linux(name: str, value: float) -> Measured:
    return Measured(name, "2026-03-03", [("QEMU", "7.2"), ("version", name)], [],
                    [{"wake.put": {"bench": "wake.put", "value": value, "unit": "insns", "n": 1}}])


def found(text: str, start: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith(start)]
    assert lines, f"no line begins with {start!r} in:\n{text}"
    return lines[0]


def test_a_column_for_each_linux():
    """The comparison is with the least; when and with what each was measured is said."""
    ours = Measured("Holdfast", "2026-04-04", [("QEMU", "7.2")], [],
                    [{"wake.put": {"bench": "wake.put", "value": 200, "unit": "insns", "n": 1}}])
    text = peer_page.page([a_linux("Linux 6.1", 1600), a_linux("Linux 7.3", 2700)], ours)
    assert found(text, "| row | unit |").startswith(
        "| row | unit | Linux 6.1 | Linux 7.3 | Holdfast | least Linux ÷ Holdfast |")
    assert found(text, "| `wake.put` | insns |").startswith(
        "| `wake.put` | insns | 1 600 | 2 700 | 200 | 8.0 × | ")
    assert found(text, "| column |") == "| column | measured | QEMU | version |"
    assert found(text, "| Linux 7.3 |") == "| Linux 7.3 | 2026-03-03 | 7.2 | Linux 7.3 |"
    assert found(text, "| Holdfast | 2026") == "| Holdfast | 2026-04-04 | 7.2 | – |"


def test_a_column_that_is_missing():
    """One Linux alone, none, and a Holdfast that was never measured: the page says so."""
    alone = peer_page.page([a_linux("Linux 6.1", 1600)], None)
    assert found(alone, "| `wake.put` | insns |").startswith("| `wake.put` | insns | 1 600 | – | –")
    assert f"Linux {NEWEST} was not measured for this page." in alone
    none = peer_page.page([], None)
    assert found(none, "| row | unit |").startswith("| row | unit | Holdfast |")
    assert found(none, f"{len(ROWS)} rows: ").startswith(f"{len(ROWS)} rows: 0 targets met, 0 missed")


# ---- linux-truth ----

def test_the_table_of_eras_is_what_linux_answered():
    """Era 6.1 in race_eras.c and the questions asked of Linux stand for each other, both ways."""
    with open(truth.ERAS, encoding="utf-8") as text:
        table = truth.era_verdicts(text.read())
    assert table["C-5"] == "HUNG" and table["A-1"] == "safe" and "B-1" not in table
    assert truth.table_faults(table) == []
    assert truth.table_faults(dict(table, **{"C-8": "safe"})) == [
        "race_eras.c: C-8 of era 6.1 is safe, and the answers stand for I2"]
    assert truth.table_faults(dict(table, **{"B-1": "I1"})) == [
        "race_eras.c: B-1 of era 6.1 has no question here"]
    lost = {race: verdict for race, verdict in table.items() if race != "E-7"}
    assert truth.table_faults(lost) == [
        "race_eras.c: E-7 of era 6.1 is not there, and the answers stand for safe"]


def test_an_answer_that_differs_is_said():
    """On the page and on the terminal; one that never came, too."""
    answers = {row.name: row.answer for row in truth_rows.ROWS}
    found = peer_debian.Unpacked("6.1", "6.1.0-1-amd64", {"linux-image-6.1.0-1-amd64": "6.1.1-1"},
                                 "Debian")
    total = len(truth_rows.ROWS)
    assert total >= 18 and len(answers) == total, "each question has a name of its own"
    text = truth.page(found, answers, "qemu", [])
    assert f"{total} of {total} answers as expected." in text and "**" not in text
    answers["disk"] = "truncate has ended"
    del answers["evict"]
    text = truth.page(found, answers, "qemu", ["race_eras.c: wrong"])
    assert f"{total - 2} of {total} answers as expected." in text
    assert "| **truncate has ended** | `C-5` HUNG, `bio-truncate` HUNG |" in text
    assert "| **nothing** | `C-3` I1, `matrix-evict` I1 |" in text and "* **race_eras.c: wrong**" in text
    lines = "\n".join(truth.report(answers))
    assert "disk: DIFFERS\n" in lines and "evict: no answer\n" in lines
    assert "umount: as expected\n" in lines

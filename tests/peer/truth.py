# SPDX-License-Identifier: MIT
"""`make linux-truth`: Debian's Linux 6.1 is asked again who waits for whom.

Boots the kernel that `make bench-peer` unpacks, with a module that holds pages and a program that
asks (tests/peer/linux/hfhold.c, truth_*.c), compares every answer with truth_rows.py, and the
verdicts that stand for them with tests/kernel/race/race_eras.c. Writes docs/linux-truth.md. Status 1 if
anything differs.
"""

import os
import re
import sys
import time
from typing import Dict, List

import peer_debian
import peer_linux
import peer_machine
from peer_machine import ROOT, ConfigError, PeerError, printable, say
from truth_rows import LEFT_OUT, ROWS

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
from progress import Progress  # noqa: E402

PAGE = os.path.join(ROOT, "docs", "linux-truth.md")
ERAS = os.path.join(ROOT, "tests", "kernel", "race", "race_eras.c")
INITRD = "initrd-truth"
SECONDS = 1500
SIZES = (1,) * 6  # a DIMM for each question that takes its device away
# A disk whose completions come 3 s after the request.
DISK = {"null_blk": "queue_mode=2 irqmode=2 completion_nsec=3000000000 nr_devices=1 gb=1"}


def era_verdicts(text: str) -> Dict[str, str]:
    """{race: verdict} of era 6.1, the second column of the table in race_eras.c."""
    rows = re.findall(r'\{"([^"]+)", \{(\w+), (\w+), (\w+)\}\}', text)
    return {race: {"SAFE": "safe"}.get(second, second) for race, _, second, _ in rows
            if second != "NOT_ASKED"}


def table_faults(table: Dict[str, str]) -> List[str]:
    """Where the table of expectations does not say what the rows stand for, or says more."""
    stand = {race: verdict for row in ROWS for race, verdict in row.races.items()}
    faults = [f"race_eras.c: {race} of era 6.1 is {table.get(race, 'not there')}, and the answers "
              f"stand for {verdict}" for race, verdict in stand.items()
              if table.get(race) != verdict]
    return faults + [f"race_eras.c: {race} of era 6.1 has no question here" for race in table
                     if race not in stand]


def verdict(answers: Dict[str, str], name: str, expected: str) -> str:
    if name not in answers:
        return "no answer"
    return "as expected" if answers[name] == expected else "DIFFERS"


def prepare() -> peer_debian.Unpacked:
    linux = peer_linux.start(peer_debian.OLD)
    peer_linux.build_module(linux, ["hfhold"])
    peer_linux.build_program(linux, "hftruth", "linux/truth_*.c")
    peer_linux.make_initrd(linux, INITRD, "hftruth", "hfhold", DISK)
    return linux


def ask(linux: peer_debian.Unpacked) -> peer_machine.Run:
    numbers = list(range(len(SIZES)))
    return peer_machine.boot(peer_machine.machine(*SIZES),
                             peer_linux.media(linux, ["truth"], INITRD), "Linux", SECONDS,
                             numbers, numbers)


def report(answers: Dict[str, str]) -> List[str]:
    """One block of lines for each row, for the terminal."""
    lines = []
    for row in ROWS:
        how = verdict(answers, row.name, row.answer)
        lines.append(f"{row.name}: {how}\n    asked     {row.question}\n"
                     f"    expected  {row.answer}\n    answered  {answers.get(row.name, '-')}")
    return lines


def page(linux: peer_debian.Unpacked, answers: Dict[str, str], command: str,
         faults: List[str]) -> str:
    same = sum(verdict(answers, row.name, row.answer) == "as expected" for row in ROWS)
    text = ["# What Linux 6.1 answered", "",
            "`make linux-truth` writes this page: it boots Debian's kernel in QEMU with ext4 "
            "`-o dax=always`, a module that holds pages as drivers do, and a program that asks who "
            "waits for whom. It is not part of `make test`. The column \"expected\" is what was "
            "measured once, with another program; the races of era 6.1 (`race NAME era=6.1`) are "
            "compared with it, and it is not taken from a run of Holdfast.", "",
            f"Asked: linux-image-{linux.release} {linux.version} (Debian). "
            f"{same} of {len(ROWS)} answers as expected.", "",
            "| asked | expected | answered | races of era 6.1 |", "| --- | --- | --- | --- |"]
    for row in ROWS:
        how = verdict(answers, row.name, row.answer)
        said = "the same" if how == "as expected" else f"**{answers.get(row.name, 'nothing')}**"
        races = ", ".join(f"`{race}` {what}" for race, what in row.races.items()) or "–"
        text.append(f"| {row.question} | {row.answer} | {said} | {races} |")
    text += ["", "I1, I2, HUNG: the verdicts of `race`. \"Sleeps\" means that the operation was "
             "not back after a second in which nothing else had anything to do.", "",
             "## Not asked", ""]
    text += [f"* {what}: {why}." for what, why in LEFT_OUT]
    text += [f"* **{fault}**" for fault in faults]
    return "\n".join(text + ["", "## The machine", "", f"    {command}", ""])


def main() -> int:
    start = time.monotonic()
    linux = prepare()
    say(f"asking {len(ROWS)} questions; some minutes")
    with Progress("asking Linux"):
        run = ask(linux)
    answers = {row["truth"]: row["answer"] for row in run.rows if "truth" in row}
    errors = [row["error"] for row in run.rows if "error" in row]
    with open(ERAS, encoding="utf-8") as text:
        faults = table_faults(era_verdicts(text.read()))
    print("\n".join(report(answers)))
    print("\n".join(faults + [f"Linux: {error}" for error in errors]))
    differ = [row.name for row in ROWS
              if verdict(answers, row.name, row.answer) != "as expected"]
    with open(PAGE, "w", encoding="utf-8") as out:
        out.write(page(linux, answers, printable(run.command), faults))
    if {"end": 1} not in run.rows:
        say(f"Linux did not come to its end; the last lines:\n{run.text[-2000:]}")
    print(f"{len(ROWS)} questions, {len(differ)} answered otherwise"
          f"{': ' if differ else ''}{', '.join(differ)}; {time.monotonic() - start:.0f} s")
    return 1 if differ or faults or errors or {"end": 1} not in run.rows else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (PeerError, ConfigError) as error:
        say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

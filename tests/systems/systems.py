# SPDX-License-Identifier: MIT
"""`make test-systems [SYSTEM="trixie forky"] [CHECK=bench]`: the same source on other systems.

Each system is made with debootstrap below build/systems/, as small as it goes plus make, and gets a
copy of this tree. From there on it does what the README says, by `make run`: packages that are
missing are installed, newlib and the kernel are built by that system's tools, and its QEMU, GRUB and
firmware run it. What came out is a section of docs/systems.md, written at the end of each system.

It needs root (chroot, and a mount namespace of its own, so that nothing stays mounted), a network
to the mirror that apt here is set up with, and about 4 GB for each system. `make clean-systems`
removes them, after what is mounted in them is unmounted. CHECK is a pattern: only checks whose name it is found in are run, and the other rows
stay as they are. A system that is there is used again, with what was built in it.
"""

import dataclasses
import glob
import os
import re
import shutil
import subprocess
import sys
import time
from typing import Callable, List, Tuple

import systems_page

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools"))
import explore_home  # noqa: E402
from progress import Progress  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLACE = os.path.join(ROOT, "build", "systems")
PACKAGES = ["gcc", "binutils", "newlib-source", "nasm", "gnu-efi", "grub-common", "ovmf",
            "qemu-system-x86", "seabios", "e2fsprogs", "python3"]


class Refusal(Exception):
    """Why a system cannot be had; the text is for the person who asked for it."""


@dataclasses.dataclass(frozen=True)
class System:
    name: str  # Debian's code name, which is also the folder's
    title: str
    suite: str = ""  # what debootstrap makes, if it is not `name`
    backports: Tuple[str, ...] = ()  # source packages that come from this suite's backports
    compiler: str = ""  # another gcc of the same system that is tried as well


SYSTEMS = [System("bookworm", "Debian 12 (bookworm)"),
           System("trixie", "Debian 13 (trixie)", compiler="gcc-13"),
           System("trixie-backports", "Debian 13 with the QEMU of trixie-backports", suite="trixie",
                  backports=("qemu", "seabios")),
           System("forky", "Debian testing (forky)")]


@dataclasses.dataclass(frozen=True)
class Check:
    what: str
    command: str  # of a shell, in the tree
    verdict: Callable[[int, str], Tuple[bool, str]]  # from status and output: is it right, in words
    seconds: int = 4000
    bare: bool = False  # on a system made for it alone: nothing but git and make, and no tree yet


# ---- verdicts -------------------------------------------------------------------------------


def built(status: int, text: str) -> Tuple[bool, str]:
    """Without a warning, too: what is missing is installed, newlib and the kernel are built."""
    warnings = len(re.findall(r"(?m)^[^ ].*: warning: ", text))
    return not status and not warnings, f"status {status}, {warnings} warnings"


def booted(status: int, text: str) -> Tuple[bool, str]:
    """Two NVDIMMs were found, and every command succeeded."""
    ranges = re.findall(r"(?m)^pmem[01]: 0x[0-9a-f]+ - 0x[0-9a-f]+", text)
    passed = re.findall(r"(?m)^# (\d+) passed, 0 failed", text)
    if status or len(ranges) < 2 or not passed:
        return False, f"status {status}, {len(ranges)} of 2 NVDIMMs"
    return True, f"2 NVDIMMs, {passed[0]} self-tests"


def tested(status: int, text: str) -> Tuple[bool, str]:
    found = re.search(r"(?m)^# (\d+) passed, (\d+) failed, (\d+) skipped", text)
    failed = re.findall(r"(?m)^not ok \d+ (\S+)", text)
    if not found:
        return False, f"status {status}, no end of the report"
    words = f"{found[1]} passed, {found[2]} failed, {found[3]} skipped"
    return not status and found[2] == "0", words + (": " + ", ".join(failed) if failed else "")


def raced(status: int, text: str) -> Tuple[bool, str]:
    races = len(re.findall(r"(?m)^race \S+ .*lifetime=", text))
    other = re.findall(r"(?m)^race (\S+ lifetime=\S+): .*\n  UNEXPECTED", text)
    return not status and races > 0, "; unexpected: ".join([f"{races} verdicts, status {status}", *other])


def measured(status: int, text: str) -> Tuple[bool, str]:
    """The table of `make bench`: how many targets are met, and which rows miss theirs.

    Seconds by the clock are told and not judged: they say how busy the host was."""
    met = len(re.findall(r"(?m) met$", text))
    missed = re.findall(r"(?m)^(\S+) +([\d. ]+) (\S+) .* (missed by \d+ %)$", text)
    judged = [row for row in missed if row[2] != "s"]
    rows = "".join(f"; {name} {value} {unit}, {how}{', not judged' * (unit == 's')}"
                   for name, value, unit, how in missed)
    return not status and met > 0 and not judged, f"{met} targets met, {len(judged)} missed{rows}"


def compiled(status: int, text: str) -> Tuple[bool, str]:
    """What `times` of a shell says of its children, who were newlib's whole build, which counted its files."""
    minutes = re.findall(r"(?m)^(\d+)m([\d.]+)s (\d+)m([\d.]+)s$", text)
    if status or len(minutes) != 2:
        return False, f"status {status}"
    user_m, user_s, system_m, system_s = (float(word) for word in minutes[1])
    seconds = 60 * (user_m + system_m) + user_s + system_s
    told = [(int(n), int(of)) for n, of in re.findall(r"(?m)^  CC +\[ *(\d+)/(\d+)\] newlib, ", text)]
    counted = bool(told) and max(told)[0] == told[0][1] == len(told)
    return counted and seconds <= NEWLIB_SECONDS, (f"{seconds:.0f} s of CPU time, at most {NEWLIB_SECONDS}; {len(told)} files"
                                                   + ("" if counted else ", wrongly counted"))


def phases(text: str) -> List[Tuple[str, float, int]]:
    """(name, seconds of CPU time, seconds by the clock) between the lines that `phase` printed."""
    told = re.findall(r"(?m)^phase (\S+) (\d+)\n.*\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s$", text)
    points = [(name, 60 * (int(um) + int(sm)) + float(us) + float(ss), int(clock))
              for name, clock, um, us, sm, ss in told]
    return [(name, cpu - points[n][1], clock - points[n][2]) for n, (name, cpu, clock) in enumerate(points[1:])]


def first_hour(status: int, text: str) -> Tuple[bool, str]:
    """From the clone to a prompt, and from there to full marks in the first lab, in CPU time.

    What the clock says depends on the network and on who else computes; it is told and not judged."""
    took = phases(text)
    lab = re.findall(r"(?m)^lab (\d+): .*; \d+ checks\.", text)
    marks = re.findall(r"(?m)^(\d+) of (\d+) points$", text)
    if status or len(took) != 3 or not lab or not marks:
        return False, f"status {status}, {len(took)} of 3 phases, {len(marks)} labs graded"
    (_, packages, _), (_, build, _), (_, graded, _) = took
    number, (points, of) = lab[-1], marks[-1]
    words = (f"CPU time: {packages:.0f} s to install packages, {build:.0f} s from there to the prompt, {graded:.0f} s to "
             f"make lab {number}'s tree, paste its solution and grade it ({points} of {of} points); "
             f"{sum(clock for _, _, clock in took)} s by the clock, with whatever else ran")
    return packages + build <= PROMPT_SECONDS and graded <= PROMPT_SECONDS and points == of, words


def graded_each(status: int, text: str) -> Tuple[bool, str]:
    """Every lab's own answer, in CPU time, after a first grading that built what they share."""
    took = phases(text)[1:]
    slow = [f"{name} {cpu:.0f} s" for name, cpu, _ in took if cpu > GRADE_SECONDS]
    words = ", ".join(f"{name} {cpu:.0f} s" for name, cpu, _ in took)
    return not status and bool(took) and not slow, f"CPU time, at most {GRADE_SECONDS} s: {words}"


def succeeded(status: int, text: str) -> Tuple[bool, str]:
    """pytest's last line, and what it skipped and why."""
    skipped = re.findall(r"(?m)^SKIPPED \[\d+\] \S+ (.*)$", text)
    failed = re.findall(r"(?m)^(?:FAILED|ERROR) \S*?(\w+\.py::\S+)", text)
    last = [line for line in text.splitlines() if re.search(r"\d+ (passed|failed)", line)]
    words = last[-1].strip("= ") if last else f"status {status}"
    return not status, "; ".join([words] + [f"failed: {name}" for name in failed]
                                 + [f"skipped: {why}" for why in skipped])


# ---- what is done on a system ------------------------------------------------------------------

NEWLIB_SECONDS = 100
PROMPT_SECONDS = 180  # from nothing to the prompt, and once more to the marks of the first lab
GRADE_SECONDS = 45  # less than a tenth of what `make test` computes
# What `times` says of the children is in its second line.
PHASE = 'phase() { echo "phase $1 $(date +%s)"; times; }; '
FIRST_HOUR = (
    PHASE + "git clone -q /source.git . && phase cloned && make deps >/dev/null 2>&1 && phase packages && "
    "make run CMD=pmem && phase prompt && set -- labs/* && lab=${1#labs/} && make lab LAB=${lab%%-*} DIR=/root/lab && "
    "for f in $(sed -n 's/^file = \"\\(.*\\)\"/\\1/p' labs/$lab/checks.toml); do cp $f /root/lab/$f; done && "
    "make -C /root/lab grade && phase graded")
EACH_LAB = (PHASE + "set -e; phase begin; make host all >/dev/null 2>&1; phase built; for lab in $(ls labs); do "
            "make grade LAB=${lab%%-*}; phase ${lab%%-*}; done")
NEWLIB = ("tests/tools/newlib.sh $(sed -n 's/^NEWLIB_TAR := //p' build/config.mk) /tmp/newlib gcc && "
          "times; rm -rf /tmp/newlib")
BOOT = "pmem; nfit; selftest init.* nfit.* mm.* dax.*; race dma-truncate; check"


def run(cmd: str, **variables) -> str:
    words = " ".join(f"{name}={value}" for name, value in variables.items())
    return f"make run {words} TIMEOUT=3600 CMD='{cmd}'"


def checks(system: System) -> List[Check]:
    """In this order: the first one begins on a system that has nothing yet."""
    found = [Check("first hour", FIRST_HOUR, first_hour, bare=True), Check("make", "make -j$(nproc)", built, 7200)]
    found += [Check(f"boot {path}", run(BOOT, BOOT=path), booted)
              for path in ("direct", "grub", "grub-uefi", "efi")]
    found += [Check(f"selftest, SMP={smp}", run("selftest", SMP=smp), tested)
              for smp in (1, 2, 8)]
    found += [Check("race all", run("race all"), raced),
              Check("bench", "make bench", measured),
              Check("make grade, each lab", EACH_LAB, graded_each),
              Check("make host-test", "make host-test JOBS=2", succeeded),
              Check("make test", "make test", succeeded, 7200),
              Check("newlib", NEWLIB, compiled)]
    if system.compiler:
        found.append(Check(f"selftest, CC={system.compiler}",
                           f"apt-get install -qq -y --no-install-recommends {system.compiler} >&2 && "
                           + run("selftest", CC=system.compiler), tested))
    return found


# ---- a system ------------------------------------------------------------------------------------


def say(text: str) -> None:
    print(f"test-systems: {text}", file=sys.stderr, flush=True)


def output(command: List[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout


def mirror() -> str:
    """Where apt here gets Debian from."""
    uris = output(["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)",
                   "Created-By: Packages"])
    for label, _, uri in (line.partition(" ") for line in uris.splitlines()):
        if label == "Debian":
            return uri.rstrip("/")
    raise Refusal("apt here knows no mirror of Debian; /etc/apt/sources.list.d/ needs one")


def bootstrap(system: System, root: str, more: str = "") -> None:
    """The smallest system, and make (`more`: ",git"). Under another name until it is whole.

    debootstrap of an older Debian has no script for a newer one: they are all as sid's."""
    if not shutil.which("debootstrap"):
        raise Refusal("debootstrap is not installed: apt-get install debootstrap")
    scripts, uri = "/usr/share/debootstrap/scripts", mirror()
    suite = system.suite or system.name
    script = [] if os.path.exists(f"{scripts}/{suite}") else [f"{scripts}/sid"]
    new = root + ".new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    say(f"{system.name}: debootstrap, some minutes")
    with open(root + ".debootstrap.log", "w", encoding="utf-8") as log:
        with Progress(f"{system.name}: debootstrap"):
            done = subprocess.run(["debootstrap", "--variant=minbase",
                                   "--include=make,ca-certificates" + more,
                                   suite, new, uri] + script, stdout=log,
                                  stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise Refusal(f"debootstrap failed; {root}.debootstrap.log says why")
    with open(f"{new}/etc/apt/sources.list", "w", encoding="ascii") as sources:
        sources.write(f"deb {uri} {suite} main\n")
        if system.backports:
            sources.write(f"deb {uri} {suite}-backports main\n")
    with open(f"{new}/etc/apt/preferences.d/backports", "w", encoding="ascii") as preferences:
        for source in system.backports:
            preferences.write(f"Package: src:{source}\nPin: release n={suite}-backports\n"
                              "Pin-Priority: 900\n\n")
    # A testing that nobody released for a while, or a mirror that is kept, is past its date.
    with open(f"{new}/etc/apt/apt.conf.d/99date", "w", encoding="ascii") as conf:
        conf.write('Acquire::Check-Valid-Until "false";\n')
    os.rename(new, root)


def copy_tree(root: str) -> None:
    """This tree's files as they are now; what was built there stays, what left the tree goes."""
    there = os.path.join(root, "holdfast")
    os.makedirs(there, exist_ok=True)
    for name in os.listdir(there):
        path = os.path.join(there, name)
        if name != "build":
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    names = output(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"]).splitlines()
    for name in names:
        source = os.path.join(ROOT, name)
        if os.path.exists(source):
            os.makedirs(os.path.dirname(os.path.join(there, name)), exist_ok=True)
            shutil.copy2(source, os.path.join(there, name))
    shutil.copy("/etc/resolv.conf", f"{root}/etc/resolv.conf")


def inside(root: str, command: str, seconds: int = 3600) -> Tuple[int, str]:
    """Runs a shell command in the system's copy of the tree: its status, and all it printed.

    In namespaces of its own: what is mounted there is gone with its last process, and no process
    outlives the command or its time."""
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root",
           "DEBIAN_FRONTEND": "noninteractive", "TERM": "dumb"}
    mounts = (f"mount -t proc proc '{root}/proc' && mount -t devpts devpts '{root}/dev/pts' && "
              f"mount -t tmpfs tmpfs '{root}/dev/shm' && exec nice -n 8 chroot '{root}' "
              'sh -c "cd /holdfast && $0"')
    try:
        done = subprocess.run(["unshare", "--mount", "--propagation", "private", "--pid", "--fork",
                               "--kill-child", "sh", "-c", mounts, command],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=env, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode(errors="replace")
    return done.returncode, done.stdout.decode(errors="replace")


def versions(root: str) -> List[Tuple[str, str]]:
    """What dpkg says of PACKAGES; gcc by itself, since its package only points to another one."""
    _, text = inside(root, "dpkg-query -W -f='${Package} ${Version}\\n' " + " ".join(PACKAGES))
    found = [tuple(line.split(" ")) for line in text.splitlines() if line.count(" ") == 1]
    full = inside(root, "gcc -dumpfullversion")[1].strip()
    return [(name, full if name == "gcc" else version) for name, version in found]


def play(system: System, root: str, check: Check) -> Tuple[int, str]:
    """inside(), or the same in a system made for this check, whose source is a clone of what is committed."""
    if not check.bare:
        return inside(root, check.command, check.seconds)
    alone = root + ".alone"
    shutil.rmtree(alone, ignore_errors=True)
    bootstrap(system, alone, ",git")
    os.makedirs(f"{alone}/holdfast")
    subprocess.run(["git", "clone", "-q", "--bare", ROOT, f"{alone}/source.git"], check=True)
    shutil.copy("/etc/resolv.conf", f"{alone}/etc/resolv.conf")
    status, text = inside(alone, check.command, check.seconds)
    shutil.rmtree(alone)
    return status, text


def test(system: System) -> bool:
    """All checks on one system; its section of the page is written whatever they say."""
    root = os.path.join(PLACE, system.name)
    if not os.path.exists(root):
        bootstrap(system, root)
    copy_tree(root)
    status, text = inside(root, "apt-get update -qq")
    if status:
        raise Refusal(f"{system.name}: apt-get update failed:\n{text}")
    todo, good = checks(system), True
    page = os.path.join(ROOT, "docs", "systems.md")
    before = systems_page.kept(page, system.title)
    rows = [before.get(check.what, (check.what, check.command, "not run", "", ""))
            for check in todo]
    for n, check in enumerate(todo):
        if not re.search(os.environ.get("CHECK", ""), check.what):
            continue
        start = time.monotonic()
        with Progress(f"{system.name}: {check.what}"):
            status, text = play(system, root, check)
        right, words = check.verdict(status, text)
        say(f"{system.name}: {check.what}: {words} ({time.monotonic() - start:.0f} s)"
            + ("" if right else "  WRONG"))
        log = os.path.join(PLACE, f"{system.name}.{re.sub('[^a-z0-9]+', '-', check.what)}.log")
        with open(log, "w", encoding="utf-8") as file:
            file.write(text)
        rows[n] = (check.what, check.command, "right" if right else "WRONG", words,
                   systems_page.today())
        good &= right
        # So far: it takes long. What is not installed here keeps its version: a bare check alone installs nothing here.
        there = {**dict(systems_page.kept_versions(page, system.title)), **dict(versions(root))}
        systems_page.write(page, system.title, sorted(there.items()), rows)
    return good


# ---- away with them ------------------------------------------------------------------------------


def mounted_below(folder: str) -> List[str]:
    """Mount points in this folder, the innermost first."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        points = [re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), line.split(" ")[1])
                  for line in mounts]
    return sorted((point for point in points if point.startswith(folder + "/")), reverse=True)


def unmount(folder: str) -> None:
    """What somebody mounted in a system to work there by hand. What is in use keeps the folder."""
    for point in mounted_below(folder):
        say(f"unmounting {point}")
        done = subprocess.run(["umount", point], stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise Refusal(f"nothing of {folder} was removed: {done.stderr.strip()}; "
                          f"end what runs there and unmount it")


def clean(place: str) -> None:
    """Removes the systems and their logs, and `place` itself if nothing else is in it.

    Mounts go first: a removal that went into one would take what lies elsewhere."""
    place = os.path.realpath(place)
    for system in SYSTEMS:
        for root in (os.path.join(place, system.name + end) for end in ("", ".new", ".alone", ".alone.new")):
            unmount(root)
            if os.path.isdir(root):
                subprocess.run(["rm", "-rf", "--one-file-system", root], check=True)
        for log in glob.glob(os.path.join(glob.escape(place), system.name + ".*.log")):
            os.unlink(log)
    if os.path.isdir(place) and os.listdir(place):
        say(f"kept, as it was not made here: {place}/{' '.join(sorted(os.listdir(place)))}")
    elif os.path.isdir(place):
        os.rmdir(place)


def chosen(names: str) -> List[System]:
    known = {system.name: system for system in SYSTEMS}
    for name in names.split():
        if name not in known:
            raise Refusal(f"SYSTEM={name} is none; there are {', '.join(known)}")
    return [known[name] for name in names.split()] or SYSTEMS


def main(argv: List[str]) -> int:
    try:
        if argv == ["clean"]:
            clean(PLACE)
            return 0
        if os.geteuid():
            raise Refusal("a chroot needs root: sudo make test-systems")
        results = [test(system) for system in chosen(os.environ.get("SYSTEM", ""))]
    except Refusal as error:
        say(str(error))
        return 1
    return 0 if all(results) else 1


if __name__ == "__main__":
    explore_home.end_with("test-systems", main, "make clean-systems takes away what is mounted")

# SPDX-License-Identifier: MIT
"""Debian's packages of Linux: looked up, downloaded and unpacked, never installed.

Linux 6.1 is what apt of a Debian 12 offers by itself. A newer one comes from trixie-backports or
from testing, by apt as well, but with sources and lists of its own below build/peer: what apt of
this system knows and has installed stays as it is. The mirror is the one that this system uses.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Dict, List, Tuple

from peer_machine import PEER, ROOT, PeerError, say

sys.path.insert(0, os.path.join(ROOT, "tests", "systems"))
import systems  # noqa: E402

META, HEADERS, BUSYBOX = "linux-image-amd64", "linux-headers-amd64", "busybox-static"
OLD = "6.1"
# Where a newer Linux may be: (the suite, what else its packages need). The newest that fits is it.
NEWER = [("trixie-backports", "trixie"), ("forky", "")]
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
# apt on its own: nothing installed, no cache shared; a mirror that is kept is past its date.
CONFIG = """Dir::Etc::SourceList "{0}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "{0}";
Dir::State::status "{0}/status";
Dir::Cache "{0}";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
APT::Sandbox::User "root";
"""


def output(command: List[str], what: str, **options) -> str:
    """A tool's stdout; PeerError with all that it said when it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, **options)
    if done.returncode:
        raise PeerError(f"{what} failed: {' '.join(command)}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def as_root(command: List[str], what: str) -> None:
    if os.geteuid():
        if not shutil.which("sudo") or subprocess.call(["sudo", "-n", "true"],
                                                       stderr=subprocess.DEVNULL):
            raise PeerError(f"{what} needs root; run: sudo {' '.join(command)}")
        command = ["sudo", "-n"] + command
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    output(command, what, env=env)


def install(wanted: Dict[str, object]) -> None:
    """{package: anything that is true when it is there}"""
    missing = [package for package, found in wanted.items() if not found]
    if missing:
        say(f"installing {' '.join(missing)}")
        as_root(["apt-get", "update", "-q"], "reading the lists of packages")
        as_root(["apt-get", "install", "-y", "-q", "--no-install-recommends"] + missing,
                "installing what the module's build needs")


# ---- apt ----


class Apt:
    """The lists of this system's apt."""

    suite = "this system's Debian"
    options: List[str] = []

    def env(self) -> Dict[str, str]:
        return dict(os.environ)

    def update(self) -> None:
        say("reading Debian's lists of packages")
        as_root(["apt-get", "update", "-q"], "reading the lists of packages")

    def cache(self, *words: str) -> str:
        done = subprocess.run(["apt-cache", *self.options, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, env=self.env(), check=False)
        return done.stdout if not done.returncode else ""

    def need(self, *packages: str) -> None:
        """Reads the lists if they do not know these yet."""
        if not all(self.cache("show", package) for package in packages):
            self.update()

    def depends(self, package: str) -> List[str]:
        return re.findall(r"(?m)^ *Depends: ([a-z0-9][a-z0-9.+-]*)$",
                          self.cache("depends", package))

    def linux(self) -> str:
        """The release that the package of the newest kernel depends on; "" if there is none."""
        found = [name for name in self.depends(META)
                 if re.match(r"linux-image-\d+\.\d", name)]
        return found[0][len("linux-image-"):] if len(found) == 1 else ""

    def download(self, names: List[str], folder: str) -> None:
        say(f"downloading {' '.join(names)}")
        output(["apt-get", *self.options, "download", "-q"] + names, "downloading", cwd=folder,
               env=self.env())


class OwnApt(Apt):
    """Sources and lists of another Debian, below build/peer."""

    def __init__(self, suite: str, base: str) -> None:
        self.suite, self.base = suite, base
        self.folder = os.path.join(PEER, "apt-" + suite)
        self.options = ["-t", suite]

    def env(self) -> Dict[str, str]:
        return dict(os.environ, APT_CONFIG=os.path.join(self.folder, "apt.conf"))

    def make(self) -> None:
        try:
            mirror = systems.mirror()
        except systems.Refusal as error:
            raise PeerError(str(error)) from None
        os.makedirs(os.path.join(self.folder, "lists", "partial"), exist_ok=True)
        os.makedirs(os.path.join(self.folder, "archives", "partial"), exist_ok=True)
        signed = f" [signed-by={KEYS}]" if os.path.exists(KEYS) else ""
        suites = filter(None, (self.suite, self.base))
        texts = {"sources.list": "".join(f"deb{signed} {mirror} {suite} main\n"
                                         for suite in suites),
                 "apt.conf": CONFIG.format(self.folder), "status": ""}
        for name, text in texts.items():
            with open(os.path.join(self.folder, name), "w", encoding="ascii") as out:
                out.write(text)

    def need(self, *packages: str) -> None:
        self.update()

    def update(self) -> None:
        self.make()
        say(f"reading the lists of {self.suite}")
        output(["apt-get", "update", "-q"], f"reading the lists of {self.suite}", env=self.env())


# ---- which Linux ----


def numbers(release: str) -> Tuple[int, ...]:
    """7.3.4+deb13-amd64 as (7, 3, 4): for comparing."""
    return tuple(int(n) for n in re.match(r"[\d.]*\d", release).group().split("."))


def series_of(release: str) -> str:
    return ".".join(str(n) for n in numbers(release)[:2])


def choose(series: str, offered: List[Tuple[str, Apt]]) -> Tuple[str, Apt]:
    """The newest release of a series; PeerError: what there is instead."""
    fit = [(release, apt) for release, apt in offered if series_of(release) == series]
    if not fit:
        there = ", ".join(f"LINUX={series_of(release)} ({apt.suite})" for release, apt in offered)
        raise PeerError(f"LINUX={series}: Debian has no Linux {series} now; there is "
                        f"{there or 'none'}")
    return max(fit, key=lambda one: numbers(one[0]))


def find(series: str) -> Tuple[str, Apt]:
    """The release of this series that Debian has now, and the apt that gets it."""
    if not shutil.which("apt-get"):
        raise PeerError("the Linux column is Debian's kernel; a Debian 12 with apt-get is needed")
    if series == OLD:
        places = [Apt()]
    else:
        places = [OwnApt(suite, base) for suite, base in NEWER]
    for apt in places:
        apt.need(META, BUSYBOX)
    offered = [(apt.linux(), apt) for apt in places]
    return choose(series, [(release, apt) for release, apt in offered if release])


def libraries(apt: Apt, package: str) -> List[str]:
    """The libraries that a package's programs need, and those that these need."""
    found: List[str] = []
    todo = [package]
    while todo:
        for name in apt.depends(todo.pop()):
            if re.match("lib|zlib", name) and name not in found:
                found.append(name)
                todo.append(name)
    return found


def package_names(release: str, apt: Apt) -> List[str]:
    """Of the kernel, its modules and headers; from 7 on they are split, and the image is empty.
    Programs of another Debian come with their libraries."""
    image, headers = f"linux-image-{release}", f"linux-headers-{release}"
    parts = [name for name in apt.depends(image) if re.match("linux-(binary|modules)-", name)]
    more = [name for name in apt.depends(headers) if re.match("linux-(headers|kbuild)-", name)]
    found = (parts or [image]) + [headers, BUSYBOX] + more
    if isinstance(apt, OwnApt):
        for kbuild in (name for name in more if "kbuild" in name):
            found += libraries(apt, kbuild)
    return found


# ---- unpacked ----


@dataclass(frozen=True)
class Unpacked:
    """One Linux, below build/peer/linux-N.M: deb/ the packages, root/ what is in them."""

    series: str
    release: str
    versions: Dict[str, str]  # of each package
    suite: str  # where it is from

    @property
    def folder(self) -> str:
        return folder_of(self.series)

    @property
    def root(self) -> str:
        return os.path.join(self.folder, "root")

    @property
    def version(self) -> str:
        return next(version for package, version in self.versions.items()
                    if re.match("linux-(image|binary)-", package))

    def first(self, *patterns: str) -> str:
        """The first file that there is."""
        for pattern in patterns:
            for path in sorted(glob.glob(os.path.join(self.root, pattern))):
                return path
        raise PeerError(f"Linux {self.release}: the packages have no {' and no '.join(patterns)}; "
                        f"remove {self.folder} and try again")


def folder_of(series: str) -> str:
    return os.path.join(PEER, "linux-" + series)


def read_stamp(series: str) -> Dict[str, str]:
    path = os.path.join(folder_of(series), "stamp")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="ascii") as text:
        return dict(line.rstrip("\n").split(" ", 1) for line in text)


def unpack(deb: str, root: str) -> Tuple[str, str]:
    """Name and version."""
    say(f"unpacking {os.path.basename(deb)}")
    output(["dpkg-deb", "-x", deb, root], "unpacking")
    fields = output(["dpkg-deb", "-f", deb, "Package", "Version"], "reading a package")
    package, version = re.findall(r"(?m)^(?:Package|Version): (.*)$", fields)
    return package, version


def download(series: str, deb: str) -> Tuple[str, Apt]:
    """Lists that are older than the mirror name files that it no longer has: they are read again
    then, and everything is looked up again."""
    release, apt = find(series)
    try:
        apt.download(package_names(release, apt), deb)
    except PeerError:
        apt.update()
        release, apt = find(series)
        apt.download(package_names(release, apt), deb)
    return release, apt


def fetch(series: str) -> Unpacked:
    """Downloads and unpacks, once."""
    found = read_stamp(series)
    if not found:
        folder = folder_of(series)
        deb, root = os.path.join(folder, "deb"), os.path.join(folder, "root")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(deb)
        os.makedirs(root)
        release, apt = download(series, deb)
        found = {"release": release, "suite": apt.suite}
        for name in sorted(os.listdir(deb)):
            package, version = unpack(os.path.join(deb, name), root)
            found[package] = version
        with open(os.path.join(folder, "stamp"), "w", encoding="ascii") as text:
            text.writelines(f"{key} {value}\n" for key, value in found.items())
    versions = {key: value for key, value in found.items() if key not in ("release", "suite")}
    return Unpacked(series, found["release"], versions, found["suite"])

# SPDX-License-Identifier: MIT
"""Debian's Linux kernel, fetched and unpacked but not installed; our module and program built for
it; the initramfs they boot from. Everything goes to build/peer/.

    deb/     the packages as Debian ships them
    root/    what is in them, unpacked
    work/    the module and the program, built; count.so, the plugin that counts
    initrd   the initramfs of the comparison; initrd-truth: that of `make linux-truth`
"""

import glob
import os
import re
import shutil
import stat
import subprocess
from typing import Dict, List, Optional, Tuple

from peer_machine import PEER, ROOT, PeerError, say

SOURCE = os.path.join(ROOT, "tests", "peer")
DEB, UNPACKED, WORK = (os.path.join(PEER, name) for name in ("deb", "root", "work"))
INITRD = os.path.join(PEER, "initrd")
IMAGE, BUSYBOX = "linux-image-amd64", "busybox-static"
# What a prompt with persistent memory needs; each comes after what it depends on.
MODULES = ["nfit", "nd_pmem", "device_dax", "dax_pmem", "crc32c_generic", "ext4"]
APPEND = ("console=ttyS0 quiet mitigations=off init_on_alloc=0 nokaslr norandmaps "
          "rdinit=/init panic=-1 suites=")


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


# ---- packages ----


def dependencies(package: str) -> List[str]:
    text = output(["apt-cache", "depends", package], "looking up a package")
    return re.findall(r"(?m)^ *Depends: ([a-z0-9][a-z0-9.+-]*)$", text)


def known(package: str) -> bool:
    done = subprocess.run(["apt-cache", "show", package], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def read_lists() -> None:
    say("reading Debian's lists of packages")
    as_root(["apt-get", "update", "-q"], "reading the lists of packages")


def need_lists() -> None:
    if not shutil.which("apt-get"):
        raise PeerError("the Linux column is Debian's kernel; a Debian 12 with apt-get is needed")
    if not known(IMAGE) or not known(BUSYBOX):
        read_lists()


def package_names() -> Tuple[str, List[str]]:
    """The kernel's release (6.1.0-NN-amd64), and all packages that are needed."""
    image = [name for name in dependencies(IMAGE) if name.startswith("linux-image-")]
    if len(image) != 1:
        raise PeerError(f"{IMAGE} should depend on one kernel, and depends on {image}; "
                        "Debian 12's does")
    release = image[0][len("linux-image-"):]
    if not release.startswith("6.1."):
        raise PeerError(f"{IMAGE} is Linux {release}; the module is written for 6.1, Debian 12's")
    headers = f"linux-headers-{release}"
    more = [name for name in dependencies(headers) if re.match("linux-(headers|kbuild)-", name)]
    return release, [image[0], headers, BUSYBOX] + more


def install_tools() -> None:
    """What the headers' build needs beside our own tools."""
    wanted = {"gcc-12": shutil.which("gcc-12"), "dpkg": shutil.which("dpkg-deb"),
              "libelf1": glob.glob("/usr/lib/*/libelf.so.1") + glob.glob("/lib/*/libelf.so.1"),
              "libc6-dev": glob.glob("/usr/lib/*/libc.a")}
    missing = [package for package, found in wanted.items() if not found]
    if missing:
        need_lists()
        say(f"installing {' '.join(missing)}")
        as_root(["apt-get", "install", "-y", "-q", "--no-install-recommends"] + missing,
                "installing what the module's build needs")


def download(release: str, names: List[str]) -> str:
    """To DEB. Lists that are older than the mirror name files it no longer has: read them and try
    once more. The release that was downloaded."""
    say(f"downloading {' '.join(names)} (about 85 MB)")
    try:
        output(["apt-get", "download", "-q"] + names, "downloading", cwd=DEB)
    except PeerError:
        read_lists()
        release, names = package_names()
        output(["apt-get", "download", "-q"] + names, "downloading", cwd=DEB)
    return release


def fetch() -> Dict[str, str]:
    """Downloads and unpacks, once. {package: version}, and "release"."""
    stamp = os.path.join(UNPACKED, "stamp")
    if os.path.exists(stamp):
        with open(stamp, encoding="ascii") as text:
            return dict(line.split() for line in text)
    need_lists()
    release, names = package_names()
    for folder in (DEB, UNPACKED):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    release = download(release, names)
    found = {"release": release}
    for deb in sorted(os.listdir(DEB)):
        path = os.path.join(DEB, deb)
        say(f"unpacking {deb}")
        output(["dpkg-deb", "-x", path, UNPACKED], "unpacking")
        fields = output(["dpkg-deb", "-f", path, "Package", "Version"], "reading a package")
        package, version = re.findall(r"(?m)^(?:Package|Version): (.*)$", fields)
        found[package] = version
    with open(stamp, "w", encoding="ascii") as text:
        text.writelines(f"{key} {value}\n" for key, value in found.items())
    return found


# ---- our own part ----


def build_module(release: str) -> None:
    """With the headers where they were unpacked: the one absolute path in them is changed."""
    headers = os.path.join(UNPACKED, "usr", "src", f"linux-headers-{release}")
    makefile = os.path.join(headers, "Makefile")
    with open(makefile, encoding="ascii") as text:
        lines = re.sub(r"(?m)^include .*/(linux-headers-[^/]*/Makefile)$",
                       f"include {os.path.join(UNPACKED, 'usr', 'src')}/\\1", text.read())
    with open(makefile, "w", encoding="ascii") as text:
        text.write(lines)
    for name in ("Kbuild", "hfpeer.c", "hfpeer.h", "hfhold.c", "hfhold.h"):
        shutil.copy(os.path.join(SOURCE, "linux", name), WORK)
    env = {key: value for key, value in os.environ.items()
           if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "V", "CC")}
    output(["make", "-C", headers, f"M={WORK}", "modules"], "building the modules", env=env)


def build(release: str) -> None:
    os.makedirs(WORK, exist_ok=True)
    say("building the modules and the programs")
    build_module(release)
    flags = ["gcc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
    sources = [os.path.join(SOURCE, "linux", "hfwork.c")]
    sources += sorted(glob.glob(os.path.join(SOURCE, "linux", "rows_*.c")))
    output(flags + ["-static", "-o", os.path.join(WORK, "hfwork")] + sources,
           "building the program")
    sources = sorted(glob.glob(os.path.join(SOURCE, "linux", "truth_*.c")))
    output(flags + ["-static", "-o", os.path.join(WORK, "hftruth")] + sources,
           "building the program that asks")
    output(flags + ["-shared", "-fPIC", "-o", plugin(), os.path.join(SOURCE, "count.c")],
           "building the plugin")


def plugin() -> str:
    return os.path.join(WORK, "count.so")


def vmlinuz(release: str) -> str:
    return os.path.join(UNPACKED, "boot", f"vmlinuz-{release}")


# ---- the initramfs ----


def module_files(release: str, wanted: List[str]) -> List[str]:
    """The files of `wanted` and of all they depend on, in an order that insmod accepts."""
    found = {}
    for folder, _, names in os.walk(os.path.join(UNPACKED, "lib", "modules", release, "kernel")):
        found.update({name[:-3].replace("-", "_"): os.path.join(folder, name)
                      for name in names if name.endswith(".ko")})
    order: List[str] = []

    def add(name: str) -> None:
        path = found.get(name)
        if not path:
            raise PeerError(f"the kernel package has no module {name}")
        if path in order:
            return
        with open(path, "rb") as module:
            depends = re.search(rb"\0depends=([^\0]*)\0", module.read())
        for other in (depends.group(1).decode().split(",") if depends else []):
            if other:
                add(other.replace("-", "_"))
        order.append(path)

    for name in wanted:
        add(name)
    return order


def cpio_entry(number: int, name: str, mode: int, data: bytes = b"",
               device: Tuple[int, int] = (0, 0)) -> bytes:
    """One entry of the "newc" format: fields of 8 hexadecimal digits, name and data padded to 4.

    Owner root, no time: the same files make the same bytes."""
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def make_initrd(release: str, initrd: str = INITRD, program: str = "hfwork", own: str = "hfpeer",
                parameters: Optional[Dict[str, str]] = None) -> None:
    """`own`: our module; `parameters`: of further modules of Linux, by their names."""
    parameters = parameters or {}
    files = {"init": os.path.join(SOURCE, "linux", "init.sh"),
             "bin/busybox": os.path.join(UNPACKED, "bin", "busybox"),
             f"bin/{program}": os.path.join(WORK, program)}
    modules = module_files(release, MODULES + list(parameters))
    modules.append(os.path.join(WORK, own + ".ko"))
    files.update({f"modules/{os.path.basename(path)}": path for path in modules})
    order = "".join(f"{name} {parameters.get(name[:-3], '')}".rstrip() + "\n"
                    for name in map(os.path.basename, modules)).encode()
    entries = [(name, stat.S_IFDIR | 0o755, b"", (0, 0)) for name in ("bin", "dev", "modules")]
    entries.append(("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1)))
    for name, path in files.items():
        with open(path, "rb") as data:
            entries.append((name, stat.S_IFREG | 0o755, data.read(), (0, 0)))
    entries.append(("modules/order", stat.S_IFREG | 0o644, order, (0, 0)))
    entries.append(("TRAILER!!!", 0, b"", (0, 0)))
    with open(initrd, "wb") as out:
        for number, (name, mode, data, device) in enumerate(entries, 1):
            out.write(cpio_entry(number, name, mode, data, device))


def prepare_build() -> Dict[str, str]:
    """Everything up to the modules and programs; {package: version} and "release"."""
    install_tools()
    found = fetch()
    build(found["release"])
    return found


def prepare() -> Dict[str, str]:
    """Everything up to a bootable kernel of the comparison."""
    found = prepare_build()
    make_initrd(found["release"])
    return found


def media(release: str, suites: List[str], initrd: str = INITRD) -> List[str]:
    return ["-kernel", vmlinuz(release), "-initrd", initrd, "-append", APPEND + ",".join(suites)]

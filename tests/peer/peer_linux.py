# SPDX-License-Identifier: MIT
"""Debian's Linux (peer_debian.py) made ready to boot: our module and program built for it, and the
initramfs it boots from. Everything goes to build/peer/linux-N.M:

    root/    the packages, unpacked
    work/    the module and the program, built; count.so, the plugin that counts
    initrd   the initramfs of the comparison; initrd-truth: that of `make linux-truth`
"""

import glob
import lzma
import os
import re
import shutil
import stat
import subprocess
from typing import Dict, List, Optional, Tuple

import peer_debian
from peer_debian import Unpacked, output
from peer_machine import ROOT, PeerError, hf_qemu, machine, say

SOURCE = os.path.join(ROOT, "tests", "peer")
# What a prompt with persistent memory needs; each comes after what it depends on.
MODULES = ["nfit", "nd_pmem", "device_dax", "dax_pmem", "ext4"]
STRICT = "intel_iommu=on iommu.strict=1"  # the end of a mapping waits until the unit has forgotten
PLUGIN_VERSIONS = (1, 3, 7)  # see count.c
IF_THERE = ["crc32c_generic"]  # newer kernels have it built in
APPEND = ("console=ttyS0 quiet mitigations=off init_on_alloc=0 nokaslr norandmaps "
          "rdinit=/init panic=-1 suites=")


def install_tools() -> None:
    """What the headers' build needs beside our own tools."""
    peer_debian.install({
        "gcc-12": shutil.which("gcc-12") or shutil.which("gcc-14"),
        "dpkg": shutil.which("dpkg-deb"),
        "libelf1": glob.glob("/usr/lib/*/libelf.so.1") + glob.glob("/lib/*/libelf.so.1"),
        "libc6-dev": glob.glob("/usr/lib/*/libc.a")})


def in_work(linux: Unpacked, name: str = "") -> str:
    return os.path.join(linux.folder, "work", name)


# ---- the headers, where they were unpacked ----


def rewrite(path: str, change) -> None:
    with open(path, encoding="utf-8") as text:
        old = text.read()
    with open(path, "w", encoding="utf-8") as text:
        text.write(change(old))


def move_paths(text: str, place: str) -> str:
    """The headers' Makefile names itself and the common headers by absolute paths."""
    return re.sub(r"(?m)^(include |KBUILD_OUTPUT *= *)/\S*/(linux-headers-)",
                  rf"\1{place}/\2", text)


def wrap(program: str, root: str) -> None:
    """A program of another Debian is run by that Debian's loader, with its libraries."""
    loader = os.path.join(root, "usr", "lib64", "ld-linux-x86-64.so.2")
    place = os.path.join(root, "usr", "lib", "x86_64-linux-gnu")
    if not os.path.exists(program + ".elf"):
        os.rename(program, program + ".elf")
    with open(program, "w", encoding="utf-8") as script:
        script.write(f'#!/bin/sh\nexec "{loader}" --argv0 "$0" --library-path "{place}" '
                     f'"{program}.elf" "$@"\n')
    os.chmod(program, 0o755)


def wrap_programs(linux: Unpacked) -> None:
    """Nothing to do where the libraries were not downloaded: then the programs are this system's."""
    if not os.path.exists(os.path.join(linux.root, "usr", "lib64", "ld-linux-x86-64.so.2")):
        return
    for folder, _, names in os.walk(linux.first("usr/lib/linux-kbuild-*")):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.islink(path) or not os.access(path, os.X_OK) or path.endswith(".elf"):
                continue
            with open(path, "rb") as data:
                elf = data.read(4) == b"\x7fELF"
            if elf or os.path.exists(path + ".elf"):
                wrap(path, linux.root)


def headers_of(linux: Unpacked) -> str:
    """Ready for use. A vmlinux among them would have the module's types encoded with pahole."""
    headers = linux.first(f"usr/src/linux-headers-{linux.release}")
    rewrite(os.path.join(headers, "Makefile"),
            lambda text: move_paths(text, os.path.join(linux.root, "usr", "src")))
    if os.path.exists(os.path.join(headers, "vmlinux")):
        os.unlink(os.path.join(headers, "vmlinux"))
    wrap_programs(linux)
    return headers


# ---- our own part ----


def compiler(headers: str) -> List[str]:
    """Of the module: the kernel's own, if it is here, else what make is told. An option that the
    kernel's compiler knew and this one does not is left out."""
    with open(os.path.join(headers, ".kernelvariables"), encoding="utf-8") as text:
        wanted = re.search(r"gcc-\d+", text.read())
    if wanted and shutil.which(wanted.group()):
        return [f"CC={wanted.group()}"]
    cc = next(name for name in ("gcc-14", "gcc-13", "gcc-12", "gcc") if shutil.which(name))
    known = subprocess.run([cc, "-fmin-function-alignment=16", "-xc", "-E", "/dev/null"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return [f"CC={cc}"] + (["CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT="] if known.returncode else [])


def build_module(linux: Unpacked, modules: List[str]) -> str:
    """The compiler it was built with."""
    headers, work = headers_of(linux), in_work(linux)
    for name in ("Kbuild", "hfmain.c", "hfdma.c", "hfmodule.h", "hfpeer.h", "hfhold.c", "hfhold.h"):
        shutil.copy(os.path.join(SOURCE, "linux", name), work)
    env = {key: value for key, value in os.environ.items()
           if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "V", "CC", "LINUX")}
    cc = compiler(headers)
    output(["make", "-C", headers, f"M={work}", *cc, "modules",
            "OBJECTS=" + " ".join(name + ".o" for name in modules)],
           "building the modules", env=env)
    return cc[0][len("CC="):]


def gcc(to: str, sources: List[str], *how: str) -> None:
    output(["gcc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", *how, "-o", to] + sources,
           f"building {os.path.basename(to)}")


def build_program(linux: Unpacked, name: str, *sources: str) -> None:
    found = sorted(sum((glob.glob(os.path.join(SOURCE, source)) for source in sources), []))
    gcc(in_work(linux, name), found, "-static")


# ---- the plugin ----


def takes_plugin(qemu: str, path: str) -> str:
    """Why this QEMU does not load the plugin; "" if it does. It is asked, and ends at once."""
    command = hf_qemu.start_of_command(hf_qemu.find(qemu))
    command += ["-M", "none", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio", "-plugin",
                f"{path},out=/dev/null"]
    done = subprocess.run(command, input='{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n',
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60,
                          check=False)
    return done.stderr.strip() or f"status {done.returncode}" if done.returncode else ""


def build_plugin(linux: Unpacked) -> None:
    """By the first version of the interface that the QEMU of the comparison takes."""
    reasons = []
    for version in PLUGIN_VERSIONS:
        gcc(plugin(linux), [os.path.join(SOURCE, "count.c")], "-shared", "-fPIC",
            f"-DPLUGIN_API={version}")
        reasons.append(takes_plugin(machine(1).qemu, plugin(linux)))
        if not reasons[-1]:
            return
    raise PeerError("QEMU loads the counting plugin by no version of its interface:\n"
                    + "\n".join(reasons))


def plugin(linux: Unpacked) -> str:
    return in_work(linux, "count.so")


def vmlinuz(linux: Unpacked) -> str:
    return linux.first(f"boot/vmlinuz-{linux.release}",
                       f"usr/lib/modules/{linux.release}/vmlinuz")


# ---- the initramfs ----


def module_name(path: str) -> str:
    """As other modules and insmod name it: "" for a file that is no module."""
    found = re.match(r"(.*)\.ko(\.xz)?$", os.path.basename(path))
    return found.group(1).replace("-", "_") if found else ""


def module_data(path: str) -> bytes:
    with open(path, "rb") as module:
        data = module.read()
    return lzma.decompress(data) if path.endswith(".xz") else data


def module_files(linux: Unpacked, wanted: List[str]) -> List[str]:
    """The files of `wanted` and of all they depend on, in an order that insmod accepts."""
    found = {}
    top = linux.first(f"lib/modules/{linux.release}/kernel",
                      f"usr/lib/modules/{linux.release}/kernel")
    for folder, _, names in os.walk(top):
        found.update({module_name(name): os.path.join(folder, name) for name in names})
    order: List[str] = []

    def add(name: str) -> None:
        path = found.get(name)
        if not path:
            raise PeerError(f"the kernel package has no module {name}")
        if path in order:
            return
        depends = re.search(rb"\0depends=([^\0]*)\0", module_data(path))
        for other in (depends.group(1).decode().split(",") if depends else []):
            if other:
                add(other.replace("-", "_"))
        order.append(path)

    for name in [name for name in IF_THERE if name in found] + wanted:
        add(name)
    return order


def cpio_entry(number: int, name: str, mode: int, data: bytes = b"",
               device: Tuple[int, int] = (0, 0)) -> bytes:
    """One entry of the "newc" format: fields of 8 hexadecimal digits, name and data padded to 4.

    Owner root, no time: the same files make the same bytes."""
    fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, device[0], device[1], len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def make_initrd(linux: Unpacked, initrd: str = "initrd", program: str = "hfwork",
                own: str = "hfpeer", parameters: Optional[Dict[str, str]] = None) -> None:
    """`own`: our module; `parameters`: of further modules of Linux, by their names."""
    parameters = parameters or {}
    files = {"init": os.path.join(SOURCE, "linux", "init.sh"),
             "bin/busybox": linux.first("bin/busybox", "usr/bin/busybox"),
             f"bin/{program}": in_work(linux, program)}
    modules = module_files(linux, MODULES + list(parameters)) + [in_work(linux, own + ".ko")]
    names = [module_name(path) for path in modules]
    files.update({f"modules/{name}.ko": path for name, path in zip(names, modules)})
    order = "".join(f"{name}.ko {parameters.get(name, '')}".rstrip() + "\n"
                    for name in names).encode()
    entries = [(name, stat.S_IFDIR | 0o755, b"", (0, 0)) for name in ("bin", "dev", "modules")]
    entries.append(("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1)))
    entries += [(name, stat.S_IFREG | 0o755, module_data(path), (0, 0))
                for name, path in files.items()]
    entries.append(("modules/order", stat.S_IFREG | 0o644, order, (0, 0)))
    entries.append(("TRAILER!!!", 0, b"", (0, 0)))
    with open(os.path.join(linux.folder, initrd), "wb") as out:
        for number, (name, mode, data, device) in enumerate(entries, 1):
            out.write(cpio_entry(number, name, mode, data, device))


def start(series: str) -> Unpacked:
    """Fetched and unpacked, with the tools to build for it."""
    install_tools()
    linux = peer_debian.fetch(series)
    os.makedirs(in_work(linux), exist_ok=True)
    say(f"building the modules and the programs for Linux {linux.release}")
    return linux


def prepare(series: str) -> Tuple[Unpacked, str]:
    """Everything up to a bootable kernel of the comparison; and the module's compiler."""
    linux = start(series)
    cc = build_module(linux, ["hfpeer"])
    build_program(linux, "hfwork", "linux/hfwork.c", "linux/rows_*.c")
    build_plugin(linux)
    make_initrd(linux)
    return linux, cc


def media(linux: Unpacked, suites: List[str], initrd: str = "initrd",
          words: str = "") -> List[str]:
    """`words` stand before those of every run on Linux's command line."""
    return ["-kernel", vmlinuz(linux), "-initrd", os.path.join(linux.folder, initrd), "-append",
            f"{words} {APPEND}".lstrip() + ",".join(suites)]

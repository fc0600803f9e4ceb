# SPDX-License-Identifier: MIT
"""Which QEMU runs the machine, and what it can do.

QEMU=FILE names the binary. What a machine needs of it (a machine type with NVDIMMs, devices, their
properties, a CPU model) is asked of the binary itself, over QMP, once for each binary that was
ever used here: the answers are kept in build/qemu/. No version number is looked at; a refusal names
the one it got, and the oldest that is known to do.

A binary that lies in the tree of another system (build/systems/trixie/usr/bin/…) is run with that
tree's loader, libraries and firmware: the host's are of another age.
"""

import glob
import hashlib
import json
import os
import shutil
import subprocess
from typing import Dict, List, Optional

from hf_config import BUILD, Config, ConfigError

MACHINE = "q35"
# What the command line names (hf_command.py): type, and the property without which it is of no use.
NEEDED = {"nvdimm": "label-size", "edu": "dma_mask", "virtio-blk-pci": "disable-legacy",
          "isa-debug-exit": "iobase"}
WOULD_DO = "7.2 or newer, as Debian 12 and 13 have it, would do"
PATIENCE = 60  # seconds for the answers
# The same for a machine with an IOMMU: the disk behind it, and the unit itself.
NEEDED_FOR_IOMMU = {"intel-iommu": "aw-bits", "virtio-blk-pci": "iommu_platform"}
ASKED = sorted({**NEEDED, **NEEDED_FOR_IOMMU, "iommu-testdev": ""})  # the last: a test uses it
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/pulseaudio")
FIRMWARE = ("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu")


def find(name: str) -> str:
    """The file that QEMU=name means."""
    path = shutil.which(name)
    if not path:
        raise ConfigError(f"QEMU={name} is no program here; `make deps` installs qemu-system-x86_64, "
                          "and QEMU=FILE names another one")
    return os.path.abspath(path)


def foreign_root(path: str) -> Optional[str]:
    """The root of the other system that this binary belongs to; None: it is the host's."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(path)))
    loader = os.path.join(root, "lib64", "ld-linux-x86-64.so.2")
    return root if root != "/" and os.path.exists(loader) else None


def start_of_command(path: str) -> List[str]:
    """The words that start this binary; QEMU's own arguments come behind them."""
    root = foreign_root(path)
    if not root:
        return [path]
    libraries = ":".join(os.path.join(root, folder) for folder in LIBRARIES)
    # QEMU looks for its modules and its firmware beside the file that was started: the loader.
    command = ["env", f"QEMU_MODULE_DIR={os.path.join(root, LIBRARIES[0], 'qemu')}",
               os.path.join(root, "lib64", "ld-linux-x86-64.so.2"), "--library-path", libraries,
               path]
    for folder in FIRMWARE:
        command += ["-L", os.path.join(root, folder)]
    return command


# ---- what it can ----


def questions() -> List[dict]:
    """QMP commands: version, machine types, CPU models, then the properties of all in ASKED."""
    asked = [{"execute": "qmp_capabilities"}, {"execute": "query-version"},
             {"execute": "query-machines"}, {"execute": "query-cpu-definitions"}]
    asked += [{"execute": "device-list-properties", "arguments": {"typename": name}}
              for name in ASKED]
    return asked + [{"execute": "quit"}]


def answers_of(path: str) -> List[dict]:
    """One answer for each question, in their order."""
    text = "".join(json.dumps(question) + "\n" for question in questions())
    command = start_of_command(path) + ["-M", "none", "-nodefaults", "-display", "none", "-S",
                                        "-qmp", "stdio"]
    try:
        done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=PATIENCE, check=False)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        lines = [answer for answer in answers if "return" in answer or "error" in answer]
    except subprocess.TimeoutExpired:
        raise ConfigError(f"QEMU={path} did not answer within {PATIENCE} s") from None
    except ValueError:
        raise ConfigError(f"QEMU={path} does not answer as a QEMU does: {done.stdout[:200]!r}") from None
    if len(lines) < len(questions()) - 1:
        raise ConfigError(f"QEMU={path} does not answer as a QEMU does: {done.stderr.strip() or 'it said nothing'}")
    return lines


def names(answer: dict) -> List[str]:
    return [entry["name"] for entry in answer.get("return", [])]


def ask(path: str) -> Dict[str, list]:
    """{"version": [7, 2, 0], "machines": …, "cpus": …, "nvdimm": its properties, …}"""
    _, version, machines, cpus, *devices = answers_of(path)
    known = {"version": [version["return"]["qemu"][part] for part in ("major", "minor", "micro")],
             "machines": names(machines), "cpus": names(cpus)}
    known["machines"] += [entry["alias"] for entry in machines["return"] if "alias" in entry]
    known.update({name: names(answer) for name, answer in zip(ASKED, devices)})
    return known


def can(path: str) -> Dict[str, list]:
    """ask(), kept in build/qemu/ until the binary is another one, or is asked something else."""
    state = os.stat(path)
    key = f"{path} {state.st_size} {state.st_mtime_ns} {questions()}"
    key = hashlib.sha1(key.encode()).hexdigest()[:16]
    kept = os.path.join(BUILD, "qemu", key + ".json")
    try:
        with open(kept, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        known = ask(path)
    os.makedirs(os.path.dirname(kept), exist_ok=True)
    with open(f"{kept}.{os.getpid()}", "w", encoding="utf-8") as file:
        json.dump(known, file)
    os.rename(f"{kept}.{os.getpid()}", kept)
    return known


def check(config: Config) -> List[str]:
    """start_of_command() of the QEMU that `config` names, or the sentence what it lacks."""
    path = find(config.qemu)
    known = can(path)
    who = f"QEMU={path} is QEMU {'.'.join(str(part) for part in known['version'])} and has"
    if MACHINE not in known["machines"]:
        raise ConfigError(f"{who} no machine type {MACHINE}; {WOULD_DO}")
    for device, needed in NEEDED.items():
        if needed not in known[device]:
            what = f"no {needed} at its device {device}" if known[device] else f"no device {device}"
            raise ConfigError(f"{who} {what}; {WOULD_DO}")
    for device, needed in NEEDED_FOR_IOMMU.items() if config.iommu else ():
        if needed not in known[device]:
            raise ConfigError(f"{who} no {device} with {needed}; {WOULD_DO}, and so would IOMMU=0")
    model = config.cpu.split(",")[0]
    if model not in known["cpus"]:
        raise ConfigError(f"CPU={config.cpu}: {path} has no CPU model {model}; "
                          f"`{path} -cpu help` lists those it has")
    return start_of_command(path)


def others() -> List[str]:
    """QEMUs beside the host's: what QEMU2 names, and those of the systems in build/systems/."""
    named = os.environ.get("QEMU2")
    pattern = os.path.join(BUILD, "systems", "*", "usr", "bin", "qemu-system-x86_64")
    return [named] if named else sorted(glob.glob(pattern))

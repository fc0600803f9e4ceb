# SPDX-License-Identifier: MIT
"""One worker's tree, and one machine: rebuild what a mutant touches, run tests, say what happened.

Everything counts in virtual time and in the CPU seconds of QEMU, never by the clock of the host,
since a host that is busy with other things must not kill a mutant:

 - The machine runs with -icount (ICOUNT=1): its course depends on its code alone, to the digit. Two
   CPUs take turns in it, so the tests that want real interplay of CPUs prove little here, and those
   that spin for each other are slow; they are left out (SLOW), and what only they could show is
   named for the explorer.
 - A test that takes many times the CPU seconds it took on the unchanged kernel hangs.

Three things make it fast: the objects are stripped and linked once, without the pass that names the
functions for backtraces; a test is a command of its own, so the machine is ended at the first that
fails; and the DIMMs are private mappings of two files that never change.
"""

import os
import re
import select
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Dict, List, Optional

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "qemu"))

import hf_command  # noqa: E402
import hf_media  # noqa: E402
from hf_config import GIB, MIB, Config, Dimm  # noqa: E402

SKIPPED = shutil.ignore_patterns(".git", "build", "__pycache__")
DEAD = re.compile(r"(panic|PANIC|kernel panic|triple fault)")
TICK = os.sysconf("SC_CLK_TCK")
STALL = 90  # seconds without a line and without CPU time: a machine that sleeps for ever
GRACE = 4  # CPU seconds any test may take beyond a multiple of what it took
FACTOR = 4
DEAREST = 3.0  # CPU seconds; a test that takes more on the unchanged kernel is none of the quick ones


@dataclass
class Outcome:
    verdict: str  # passed, killed
    by: str = ""  # the test, and what it said
    cpu: float = 0
    costs: Dict[str, float] = field(default_factory=dict)  # CPU seconds of each test
    passed: List[str] = field(default_factory=list)


class Worker:
    """A copy of the tree with its objects, in `folder`."""

    def __init__(self, folder: str):
        self.folder, self.tree = folder, os.path.join(folder, "tree")
        self.kernel = os.path.join(folder, "mutant.elf")
        self.changed: List[str] = []

    def prepare(self, commit: str) -> None:
        """The tree as it is now, its objects built and stripped, the images made; all of it only
        once for a commit."""
        self.images = [os.path.join(self.folder, name) for name in ("pmem0.img", "pmem1.img")]
        self.disk = os.path.join(self.folder, "disk0.img")
        ready = os.path.join(self.folder, "ready-" + commit)
        if os.path.exists(ready):
            self.learn_commands()
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(ROOT, self.tree, symlinks=True, ignore=SKIPPED)
        shutil.copytree(os.path.join(ROOT, "build"), os.path.join(self.tree, "build"), symlinks=True,
                        ignore=shutil.ignore_patterns("newlib", "*.img", "mutants", "host", "locks"))
        os.symlink(os.path.realpath(os.path.join(ROOT, "build", "newlib")),
                   os.path.join(self.tree, "build", "newlib"))
        self.learn_commands()
        for path in self.objects:
            subprocess.run(["objcopy", "--strip-debug", path], cwd=self.tree, check=True)
        hf_media.make_ext4(self.images[0], GIB)
        hf_media.make_sparse(self.images[1], 16 * GIB)
        hf_media.make_sparse(self.disk, hf_media.DISK_SIZE)
        os.close(os.open(ready, os.O_CREAT))

    def learn_commands(self) -> None:
        """What make would run, taken from make itself."""
        plan = subprocess.run(["make", "-n", "-W", "mm/gup.c", "build/holdfast.elf"], cwd=self.tree,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=True).stdout
        compiler = next(line for line in plan.split("\n") if " -c mm/gup.c" in line)
        self.flags = re.sub(r" -MMD -MP -c .*", "", compiler.lstrip("@")).split() + ["-w", "-g0"]
        link = next(line for line in plan.split("\n") if line.lstrip("@").startswith("ld ")
                    and "pass1" not in line)
        words = link.lstrip("@").split()
        words[words.index("-o") + 1] = self.kernel
        self.link_words = words
        self.objects = [w for w in words if w.endswith(".o")]

    def object_of(self, source: str) -> str:
        return f"build/obj/{source}.o"

    def compile(self, source: str, out: str) -> bool:
        done = subprocess.run(self.flags + ["-c", source, "-o", out], cwd=self.tree, check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return done.returncode == 0

    def build(self, file: str, text: str, sources: List[str]) -> str:
        """The kernel with `text` as `file`, seen by `sources`: "built", "no-build" (it does not
        compile) or "same-code" (the compiler makes the same of it)."""
        path = os.path.join(self.tree, file)
        with open(path, encoding="utf-8") as stream:
            before = stream.read()
        objects, differs = {}, False
        try:
            for source in sources:
                plain = os.path.join(self.folder, source.replace("/", "_") + ".plain.o")
                if not os.path.exists(plain) and not self.compile(source, plain):
                    raise RuntimeError(f"{source} itself does not compile")
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
            for source in sources:
                out = os.path.join(self.folder, source.replace("/", "_") + ".o")
                if not self.compile(source, out):
                    return "no-build"
                objects[self.object_of(source)] = out
                differs = differs or not self.same(out, source)
        finally:
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(before)
        if not differs:
            return "same-code"
        words = [objects.get(w, w) for w in self.link_words]
        done = subprocess.run(words, cwd=self.tree, check=False, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
        return "no-build" if done.returncode else "built"

    def same(self, out: str, source: str) -> bool:
        plain = os.path.join(self.folder, source.replace("/", "_") + ".plain.o")
        with open(out, "rb") as a, open(plain, "rb") as b:
            return a.read() == b.read()

    # ---- the machine ----

    def command(self, script: str) -> List[str]:
        config = Config(icount=True, disk=self.disk, mem=512 * MIB, dimms=[
            Dimm(self.images[0], GIB, align=2 * MIB), Dimm(self.images[1], 16 * GIB, align=2 * MIB)])
        media = ["-kernel", self.kernel, "-fw_cfg", f"name=opt/holdfast/cmd,file={script}"]
        serial = ["-chardev", "stdio,id=ser,signal=off", "-serial", "chardev:ser", "-monitor", "none"]
        words = hf_command.qemu_command(config, media, serial)
        return [w.replace("share=on,size", "share=off,reserve=off,size") for w in words]

    def ask(self, command: str) -> List[str]:
        """What the unchanged kernel prints for a command."""
        script = os.path.join(self.folder, "script")
        with open(script, "w", encoding="utf-8") as stream:
            stream.write(command)
        text = subprocess.run(self.command(script), stdin=subprocess.DEVNULL, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        return text.partition(f"> {command}\n")[2].partition("[status")[0].split("\n")

    def run(self, commands: List[str], costs: Optional[Dict[str, float]]) -> Outcome:
        """Runs the commands until one fails. costs: CPU seconds of each on the unchanged kernel;
        None: this is the run that finds them."""
        script = os.path.join(self.folder, "script")
        with open(script, "w", encoding="utf-8") as stream:
            stream.write("; ".join(commands))
        process = subprocess.Popen(self.command(script), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            return Watch(process, commands, costs).watch()
        finally:
            process.kill()
            process.wait()


class Watch:
    """Reads a machine's serial line and judges it."""

    def __init__(self, process, commands, costs):
        self.process, self.last, self.costs = process, commands[-1], costs
        self.out = Outcome("passed")
        self.now, self.since, self.why, self.ended = "boot", 0.0, "", False

    def cpu(self) -> float:
        try:
            with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            return self.out.cpu
        return (int(fields[11]) + int(fields[12])) / TICK

    def limit(self) -> float:
        if self.costs is None:
            return DEAREST if self.now != "boot" else 60
        return FACTOR * self.costs.get(self.now, 1) + GRACE

    def watch(self) -> Outcome:
        pipe, rest = self.process.stdout, b""
        os.set_blocking(pipe.fileno(), False)
        silent, last = time.monotonic(), 0.0
        while True:
            ready, _, _ = select.select([pipe], [], [], 0.5)
            cpu = self.cpu()
            if cpu > last + 0.05:
                silent, last = time.monotonic(), cpu
            if ready:
                data = os.read(pipe.fileno(), 65536)
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                if any(self.line(line.decode(errors="replace").rstrip("\r"), cpu) for line in lines):
                    break
            if cpu - self.since > self.limit() or time.monotonic() - silent > STALL:
                self.killed("hangs")
                break
        self.out.cpu = self.cpu()
        if self.out.verdict == "passed" and not self.ended:
            self.killed("the machine ended early")
        return self.out

    def killed(self, how: str) -> bool:
        self.out.verdict, self.out.by = "killed", f"{self.now}: {how}"[:300]
        return True

    def line(self, text: str, cpu: float) -> bool:
        """True: enough was seen."""
        if text.startswith("> "):
            self.now, self.since = text[2:].strip(), cpu
        elif text.startswith("[status "):
            self.out.costs[self.now] = round(cpu - self.since, 2)
            if text != "[status 0]":
                return self.killed(self.why or text)
            self.out.passed.append(self.now)
            if self.costs is None:
                print(f"{cpu - self.since:6.2f} {self.now}", flush=True)
            self.since = cpu
            if self.now == self.last:
                self.ended = True
                return True
        elif text.startswith(("not ok", "panic", "PANIC")) or DEAD.match(text):
            return self.killed(self.why or text)
        elif text.startswith("# ") and "expected" in text:
            self.why = text[2:]
        return False

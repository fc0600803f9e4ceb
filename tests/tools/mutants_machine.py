# SPDX-License-Identifier: MIT
"""One worker's tree, and one machine: rebuild what a mutant touches, run tests, say what happened.

The machine of the self-tests runs with -icount (ICOUNT=1): its course depends on its code alone, to
the digit. Two CPUs take turns in it, so the tests that want real interplay of CPUs prove little
here, and those that spin for each other are slow; they are left out (SLOW). What passes the others
is tried with `race all`, in the same machine and once more in an ordinary one of two CPUs.

Nothing is judged by the clock of the host, since a host that is busy with other things must not
kill a mutant; mutants_watch.py says how a hang is told.

Three things make it fast: the objects are stripped and linked once, without the pass that names the
functions for backtraces; a test is a command of its own, so the machine is ended at the first that
fails; and the DIMMs are private mappings of two files that never change.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Dict, List, Optional

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "qemu"))

import hf_command  # noqa: E402
import hf_media  # noqa: E402
from hf_config import GIB, MIB, Config, Dimm  # noqa: E402
from mutants_watch import Outcome, Watch  # noqa: E402

SKIPPED = shutil.ignore_patterns(".git", "build", "__pycache__")
ANY_SOURCE = "mm/tables/tlb.c"  # to learn how make compiles one


def find_sources(tree: str, name: str) -> List[str]:
    """The sources that a name like mm/gup*.c means. Where the first folder has none, those in it."""
    top, _, last = name.partition("/")
    for path in (name, os.path.join(top, "**", last)):
        found = glob.glob(os.path.join(tree, path), recursive=True)
        if found:
            break
    return sorted(os.path.relpath(path, tree) for path in found)


class Worker:
    """A copy of the tree with its objects, in `folder`."""

    def __init__(self, folder: str):
        self.folder, self.tree = folder, os.path.join(folder, "tree")
        self.kernel = os.path.join(folder, "mutant.elf")
        # Short, because the path of a Unix socket has at most 107 characters.
        self.control = os.path.join(tempfile.mkdtemp(prefix="mutants."), "qmp")

    def prepare(self, kernel: str) -> None:
        """The tree as it is now, its objects built and stripped, the images made; all of it only
        once for a kernel."""
        self.images = [os.path.join(self.folder, name) for name in ("pmem0.img", "pmem1.img")]
        self.disk = os.path.join(self.folder, "disk0.img")
        ready = os.path.join(self.folder, "ready-" + kernel)
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
        subprocess.run(["strip", "--strip-debug"] + self.objects, cwd=self.tree, check=True)
        hf_media.make_ext4(self.images[0], GIB)
        hf_media.make_sparse(self.images[1], 16 * GIB)
        hf_media.make_sparse(self.disk, hf_media.DISK_SIZE)
        os.close(os.open(ready, os.O_CREAT))

    def learn_commands(self) -> None:
        """What make would run, taken from make itself."""
        source = find_sources(self.tree, ANY_SOURCE)[0]
        plan = subprocess.run(["make", "-n", "-W", source, "build/holdfast.elf"], cwd=self.tree,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=True).stdout
        compiler = next(line for line in plan.split("\n") if f" -c {source}" in line)
        compiler = compiler.rpartition("; exec ")[2]  # behind what makes the folder and tells the line
        self.flags = re.sub(r" -MMD -MP -c .*", "", compiler.lstrip("@")).split() + ["-w", "-g0"]
        link = next(line for line in plan.split("\n") if line.lstrip("@").startswith("ld ")
                    and "pass1" not in line)
        words = link.lstrip("@").split()
        words[words.index("-o") + 1] = self.kernel
        self.link_words = words
        self.objects = [w for w in words if w.endswith(".o")]

    def link_unchanged(self) -> None:
        subprocess.run(self.link_words, cwd=self.tree, check=True)

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

    def command(self, script: str, icount: bool = True) -> List[str]:
        config = Config(icount=icount, disk=self.disk, mem=512 * MIB, dimms=[
            Dimm(self.images[0], GIB, align=2 * MIB), Dimm(self.images[1], 16 * GIB, align=2 * MIB, scratch=True)])
        media = ["-kernel", self.kernel, "-fw_cfg", f"name=opt/holdfast/cmd,file={script}"]
        serial = ["-chardev", "stdio,id=ser,signal=off", "-serial", "chardev:ser", "-monitor", "none",
                  "-qmp", f"unix:{self.control},server=on,wait=off"]
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

    def run(self, commands: List[str], costs: Optional[Dict[str, float]],
            icount: bool = True) -> Outcome:
        """Runs the commands until one fails. costs: CPU seconds of each on the unchanged kernel;
        None: this is the run that finds them."""
        script = os.path.join(self.folder, "script")
        with open(script, "w", encoding="utf-8") as stream:
            stream.write("; ".join(commands))
        process = subprocess.Popen(self.command(script, icount), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            return Watch(process, commands, costs, self.control, icount).watch()
        finally:
            process.kill()
            process.wait()

# SPDX-License-Identifier: MIT
"""Runs what somebody handed in: a process with limits, and what it printed between two words.

What is done. Each run has a session of its own, which is killed as a whole at its end, and no
environment but PATH and the language; a limit in seconds, of CPU time and by the clock; limits of
memory, of files and of output; no core; and it is the first to go where memory is short. Where `bwrap`
may be used (jail.py) it sees nothing of the disk but /usr and what it is given, which is its program; no
network; no process but its own; and as root it is a user's who owns nothing. Otherwise, as far as
`unshare` and `setpriv` may, it has no network and, as root, nobody's rights (65534). A stranger's tree
(strange()) is compiled in such a jail too, and its `bench` runs in one, with the images in memory: what is
written outside that tree is gone with the run.

What is not. It shares memory with the self-test that judges it, as one kernel does: who writes C for
a kernel can search that memory, the verdict's variables and the grader's word among them, and C that
sets out to deceive in that way can. Another process or user does not mend that: what is judged is a
kernel, and the answer is a part of it. Who would call the judge by name is told (judge.py); who would
search memory has to write casts of numbers to pointers into a region that everybody reads. No region of
a submission may hold a directive or assembly (labs.refused()), and the program may call of the host what
the product calls, and no more. A host test has the C library beside it, with the same limits but that of
addresses, which its sanitizers need.
"""

import collections
import contextlib
import functools
import os
import re
import resource
import select
import signal
import subprocess
import time

import jail

OUTPUT = 4 << 20  # bytes; what is right prints some kilobytes
FILES = 18 << 30  # bytes: an image of 16 GiB is such a file, in memory
SPACE = 40 << 30  # bytes of addresses: images of 17 GiB, and what the machine has besides
OBJECT = 256 << 20  # bytes of one file that a stranger's build may write
IMAGES = 2 << 30  # bytes of images in memory that a stranger's bench may touch
MEMORY = 2 << 30  # bytes that what runs may have in memory at once, shared ones too; what is right has a tenth
LOOK = 0.5  # seconds between two looks at that
WAIT = 5  # seconds for the end of a process that has closed its output
NOBODY = "65534"

# status: of the process, None if it was ended; why: a sentence, if it was.
Ended = collections.namedtuple("Ended", "status output why")


def limits(cpu, space, files):
    """Called in the child, before it becomes the program."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (files, files))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as first:
        first.write("1000")
    if space:
        resource.setrlimit(resource.RLIMIT_AS, (space, space))


@functools.lru_cache
def apart():
    """The words before a program that keep it apart, as far as this machine can."""
    root = os.geteuid() == 0
    network = ["unshare", "-n"] if root else ["unshare", "-c", "-n"]
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"] if root else []
    return [word for words in (network, user) if words and jail.works(*words) for word in words]


def in_memory(process):
    """Bytes that the processes of a run have in memory: those of its user, who is nobody else's, or of its session."""
    total, own = 0, jail.user() if os.geteuid() == 0 and jail.usable() else None
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(pid)) == process.pid or own is not None and os.stat(f"/proc/{pid}").st_uid == own:
                with open(f"/proc/{pid}/statm", encoding="ascii") as counts:
                    total += int(counts.read().split()[1]) * resource.getpagesize()
        except (OSError, IndexError):
            continue  # it has ended meanwhile
    return total


def read_all(process, seconds, seen=lambda got: None):
    """(output, why it was ended or None): until it has closed its output, or it is too long or too much; `seen` is called with what there
    is so far."""
    got, end, look = bytearray(), time.monotonic() + seconds, 0.0
    pipe = process.stdout.fileno()
    while True:
        now = time.monotonic()
        if now >= end:
            return got, f"it did not end within {seconds} s"
        if now >= look + LOOK:
            look = now
            if in_memory(process) > MEMORY:
                return got, f"it had more than {MEMORY >> 20} MiB of memory at once"
        if not select.select([pipe], [], [], min(end - now, 0.2))[0]:
            if process.poll() is not None:
                return got, None  # it has ended, and left something behind that holds its output
            continue
        some = os.read(pipe, 1 << 16)
        if not some:
            return got, None
        got += some
        seen(got)
        if len(got) > OUTPUT:
            return got, f"it printed more than {OUTPUT >> 20} MiB"


def end_all(process):
    """Ends what runs, and what it began: in a jail with the jail's first process."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    end = time.monotonic() + WAIT
    while time.monotonic() < end and in_memory(process):
        time.sleep(0.01)  # else the next run in this jail would be counted with it


# Of a process itself; of one in a jail as bwrap tells it.
ENDED_BY_LIMIT = [sign * number + base for sign, base in ((-1, 0), (1, 128)) for number in (signal.SIGXCPU, signal.SIGKILL)]


def run(command, seconds, clock=None, cwd="/", env=None, space=None, fds=(), files=FILES,
        seen=lambda got: None):
    """Runs it to its end, or ends it. `seconds` are of CPU time for each process; by the clock it may take twice that.
    `seen` is called with the output so far, whenever there is more."""
    own = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(command, cwd=cwd, env=own if env is None else env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, pass_fds=fds,
                          preexec_fn=lambda: limits(seconds, space, files)) as process:
        try:
            output, why = read_all(process, clock or 2 * seconds, seen)
            if not why:
                try:
                    process.wait(WAIT)
                except subprocess.TimeoutExpired:
                    why = "it closed its output and did not end"
        finally:
            end_all(process)
        status = process.wait()
    if not why and status in ENDED_BY_LIMIT:
        why = f"it used more than {seconds} s of CPU time, or more memory than there is"
    return Ended(None if why else status, output.decode(errors="replace"), why)


STRANGE = set()  # trees that hold what somebody else wrote


@contextlib.contextmanager
def strange(tree):
    """While it lasts, what is built and run in this tree is in a jail of its own, if this machine can make one."""
    if jail.usable():
        if os.geteuid() == 0:
            subprocess.run(["chown", "-hR", f"{jail.user()}:{jail.user()}", tree], check=True)
        STRANGE.add(tree)
    try:
        yield
    finally:
        STRANGE.discard(tree)


def within(tree, temporary=jail.TEMPORARY):
    """The words before a program that works in a tree."""
    return jail.words(write=[tree], cwd=tree, temporary=temporary, processes=200) if tree in STRANGE else []


def home(program, words, seconds, space=SPACE):
    """Holdfast as a Linux process, or a host test."""
    os.chmod(program, os.stat(program).st_mode | 0o555)
    if jail.usable():
        return run([*jail.words(read=[(os.path.abspath(program), "/holdfast")]), "/holdfast", *words], seconds, space=space)
    file = os.open(program, os.O_RDONLY)
    try:
        return run([*apart(), f"/proc/self/fd/{file}", *words], seconds, space=space, fds=(file,))
    finally:
        os.close(file)


def between(ended, word):
    """(status, output) of the one line of commands between two that print a word that nobody can guess; None for
    a status: the machine ended before the second one, or the words are not where they must be."""
    parts = re.split(rf"(?m)^{word}\r?$", ended.output)
    if ended.why or len(parts) != 3:
        why = ended.why or "the commands did not come to their end: the machine stopped, or your code prints something"
        rest = ended.output.rsplit(f"{word}\n", 1)[-1]
        return None, re.sub(rf"(?m)^.*{word}.*\n?", "", rest) + f"\n{why}\n"
    body = re.sub(r"\A\s*\[status 0\]\s*> .*\n", "", parts[1].replace("\r", ""))
    status = re.search(r"^\[status (-?\d+)\]\n> echo [0-9a-f]+\n\Z", body, re.M)
    return (int(status.group(1)) if status else None), body[:status.start()] if status else body


# SPDX-License-Identifier: MIT
"""Runs what somebody handed in: a process with limits, and what it printed between two words.

What is done. Each run has a session of its own, which is killed as a whole at its end, and no
environment but PATH and the language; a limit in seconds, of CPU time and by the clock; limits of
memory, of files and of output; no core. On Linux as root it is an unprivileged user's (65534), with
no new privileges; and it has no network, where `unshare` may take that away (root, or a kernel that
lets users make namespaces). Its program is handed to it open, so that it need not reach the tree.

What is not. It shares memory with the self-test that judges it, as one kernel does: who writes C for
a kernel can search that memory, the verdict's variables and the grader's word among them, and C that
sets out to deceive in that way can. Such code stands in the region for everybody to read. The compiler
runs as whoever grades, with limits only; for that, no region of a submission may hold a directive or
assembly (labs.refused()), and the program may call of the host what the product calls, and no more.
Memory that is shared with the host's (images, the machine's own) is not within RLIMIT_AS: 17 GiB of
it can be touched. Not as root, the run has the rights of its user: files, and other processes.
A host test has the C library beside it, with the same limits but that of addresses, which its sanitizers need.
`bench` runs in QEMU as whoever grades: what is kept apart there is what QEMU keeps apart.
"""

import collections
import functools
import os
import re
import resource
import select
import signal
import subprocess
import time

OUTPUT = 4 << 20  # bytes; what is right prints some kilobytes
FILES = 18 << 30  # bytes: an image of 16 GiB is such a file, in memory
SPACE = 40 << 30  # bytes of addresses: images of 17 GiB, and what the machine has besides
WAIT = 5  # seconds for the end of a process that has closed its output
NOBODY = "65534"

# status: of the process, None if it was ended; why: a sentence, if it was.
Ended = collections.namedtuple("Ended", "status output why")


def limits(cpu, space):
    """Called in the child, before it becomes the program."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILES, FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if space:
        resource.setrlimit(resource.RLIMIT_AS, (space, space))


def works(*command):
    """Whether a command can be run before `true`."""
    try:
        return subprocess.run([*command, "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


@functools.lru_cache
def apart():
    """The words before a program that keep it apart, as far as this machine can."""
    root = os.geteuid() == 0
    network = ["unshare", "-n"] if root else ["unshare", "-c", "-n"]
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"] if root else []
    return [word for words in (network, user) if words and works(*words) for word in words]


def read_all(process, seconds):
    """(output, why it was ended or None): until it has closed its output, or it is too long or too much."""
    got, end = bytearray(), time.monotonic() + seconds
    pipe = process.stdout.fileno()
    while True:
        left = end - time.monotonic()
        if left <= 0:
            return got, f"it did not end within {seconds} s"
        if not select.select([pipe], [], [], min(left, 0.2))[0]:
            if process.poll() is not None:
                return got, None  # it has ended, and left something behind that holds its output
            continue
        some = os.read(pipe, 1 << 16)
        if not some:
            return got, None
        got += some
        if len(got) > OUTPUT:
            return got, f"it printed more than {OUTPUT >> 20} MiB"


def run(command, seconds, clock=None, cwd="/", env=None, space=None, fds=()):
    """Runs it to its end, or ends it. `seconds` are of CPU time for each process; by the clock it may take twice that."""
    own = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(command, cwd=cwd, env=own if env is None else env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, pass_fds=fds,
                          preexec_fn=lambda: limits(seconds, space)) as process:
        try:
            output, why = read_all(process, clock or 2 * seconds)
            if not why:
                try:
                    process.wait(WAIT)
                except subprocess.TimeoutExpired:
                    why = "it closed its output and did not end"
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        status = process.wait()
    if not why and status in (-signal.SIGXCPU, -signal.SIGKILL):
        why = f"it used more than {seconds} s of CPU time, or more memory than there is"
    return Ended(None if why else status, output.decode(errors="replace"), why)


def home(program, words, seconds, space=SPACE):
    """Holdfast as a Linux process, or a host test."""
    os.chmod(program, os.stat(program).st_mode | 0o555)
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


def undefined(path):
    """The names that an object wants of others."""
    done = subprocess.run(["nm", "-u", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return set(re.findall(r"^\s+U (\S+)$", done.stdout, re.M))

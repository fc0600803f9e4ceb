# SPDX-License-Identifier: MIT
"""Where a stranger's program runs: bubblewrap's namespaces, and an unprivileged user in them.

`bwrap` (Debian's bubblewrap) gives the process a world of its own: /usr to read, the trees that it is given,
a /tmp of a size in memory, no network (not even the host's loopback), no process but its own. In it, as
root, `setpriv` makes it a user that owns nothing else, without any capability and without a way back;
not as root, the namespace is a user's own, and the rights are those of whoever grades, who sees no more
of the disk either. `prlimit` counts its processes. All three are packaged: nothing of this is written here.

Two that run at once have two users, so that processes and memory of one do not count for the other: USERS and the
slot of who grades, GRADE_SLOT, or what its process's number makes of it.
"""

import functools
import os
import subprocess

# systemd's range for users that come and go: nobody else's.
USERS, SLOTS = 61184, 4000
TEMPORARY = 64 << 20  # bytes of /tmp, which is memory
ETC = ("/etc/alternatives", "/etc/ld.so.cache")


def works(*command):
    """Whether a command can be run before `true`."""
    try:
        return subprocess.run([*command, "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def user():
    """The user of what runs in this slot, if we are root; otherwise the one that we are."""
    return USERS + int(os.environ.get("GRADE_SLOT") or os.getpid()) % SLOTS if os.geteuid() == 0 else os.geteuid()


def drop(processes):
    """The words that give up rights, behind those that make the namespaces."""
    root = os.geteuid() == 0
    rights = ["setpriv", f"--reuid={user()}", f"--regid={user()}", "--clear-groups", "--inh-caps=-all",
              "--bounding-set=-all", "--no-new-privs"] if root else []
    return [*rights, "prlimit", f"--nproc={processes}"]


def memory(*where, size):
    """A folder in memory, for anybody to write."""
    return [word for place in where for word in ("--size", str(size), "--perms", "1777", "--tmpfs", place)]


def above(name):
    """The folders above a name, from the root on, for anybody to pass: bwrap would make them its own."""
    parts = os.path.dirname(name).split(os.sep)[1:]
    return [word for n in range(1, len(parts) + 1) if parts[:n] not in ([""], ["tmp"])
            for word in ("--perms", "0755", "--dir", os.sep + os.sep.join(parts[:n]))]


def words(read=(), write=(), cwd="/", temporary=TEMPORARY, processes=32):
    """What stands before a program. `read`: (file or folder, what it is called in there); `write`: folders."""
    seen = [*above(ETC[0]), *(word for name in ETC for word in ("--ro-bind-try", name, name))]
    seen += [word for name, called in read for word in ("--ro-bind", name, called)]
    seen += [word for name in write for word in (*above(name), "--bind", name, name)]
    return ["bwrap", *([] if os.geteuid() == 0 else ["--unshare-user"]), "--unshare-pid", "--unshare-net", "--unshare-ipc",
            "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--ro-bind", "/usr", "/usr",
            *(word for name in ("lib", "lib64", "bin", "sbin") for word in ("--symlink", f"usr/{name}", f"/{name}")),
            *above("/var/tmp"), "--symlink", "/tmp", "/var/tmp",
            "--proc", "/proc", "--dev", "/dev", *memory("/tmp", "/dev/shm", size=temporary), *seen,
            "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", cwd, *drop(processes)]


@functools.lru_cache
def usable():
    """Whether this machine lets us."""
    return works(*words())


def missing():
    """Why it does not, in sentences; none: it does."""
    if usable():
        return []
    wants = [name for name, package in (("bwrap", "bubblewrap"), ("setpriv", "util-linux"), ("prlimit", "util-linux"))
             if not works(name, *(["--ro-bind", "/", "/"] if name == "bwrap" else []))]
    lacks = f"{', '.join(wants)} cannot be run" if wants else "the namespaces cannot be made"
    return [f"submissions are kept apart by limits only: {lacks}. Needed are the packages bubblewrap and util-linux, and "
            + ("a container that may make namespaces" if os.geteuid() == 0 else
               "a kernel that lets users make namespaces (sysctl kernel.unprivileged_userns_clone=1), or root")]

# SPDX-License-Identifier: MIT
"""What the build needs: refusals that name the version, and one C library for each version."""

import glob
import os
import re
import subprocess

import pytest

from hf_config import ROOT

HEADER = ("newlib", "x86_64-elf", "include", "_newlib_version.h")


def deps(folder, script="tests/tools/deps.sh", **env):
    """Status and the line of tests/tools/deps.sh, which writes config.mk in this folder."""
    done = subprocess.run([script, str(folder / "config.mk")], cwd=ROOT, text=True,
                          env=dict(os.environ, **env), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stdout.strip()


def library(folder, version):
    """A library in `folder`/newlib that says it is of this version."""
    header = folder.joinpath(*HEADER)
    header.parent.mkdir(parents=True)
    header.write_text(f'#define _NEWLIB_VERSION "{version}"\n')


def test_a_library_of_another_version_makes_room_and_comes_back(tmp_path):
    """build/newlib is always the system's version; one that was built before is kept beside it."""
    source = sorted(glob.glob("/usr/src/newlib/newlib-*.tar.xz"))[0]
    version = re.search(r"newlib-([0-9]+\.[0-9]+\.[0-9]+)", source).group(1)
    library(tmp_path, "2.5.0")
    assert deps(tmp_path) == (0, "")
    assert not (tmp_path / "newlib").exists() and (tmp_path / "newlib-2.5.0").is_dir()
    assert source in (tmp_path / "toolchain").read_text()
    (tmp_path / "newlib-2.5.0").rename(tmp_path / "newlib")
    library(tmp_path / "elsewhere", version)
    (tmp_path / "elsewhere" / "newlib").rename(tmp_path / f"newlib-{version}")
    (tmp_path / "config.mk").unlink()
    assert deps(tmp_path) == (0, "")
    assert version in tmp_path.joinpath(*HEADER).read_text()
    assert (tmp_path / "newlib-2.5.0").is_dir()


def tool(folder, name, body):
    """A program of this name in `folder`, made by these lines of a shell."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return program


def elsewhere(folder, **places):
    """deps.sh, looking in other places: places=value are its variables."""
    with open(os.path.join(ROOT, "tests", "tools", "deps.sh"), encoding="utf-8") as script:
        text = script.read()
    for name, value in places.items():
        text, changed = re.subn(f"(?m)^{name}=.*$", f"{name}={value}", text)
        assert changed == 1, f"deps.sh has no variable {name}"
    script = folder / "deps.sh"
    script.write_text(text)
    script.chmod(0o755)
    return str(script)


def first_on_path(folder):
    return f"{folder}:{os.environ['PATH']}"


def test_an_old_compiler_is_refused_by_its_version(tmp_path):
    """The version found, the one that would do, and where to get it."""
    old = tool(tmp_path, "old-gcc",
               "case $1 in -dumpfullversion) echo 11.4.0;; *) echo x86_64-linux-gnu;; esac")
    status, line = deps(tmp_path, CC=str(old))
    assert status == 1 and "is version 11.4.0; 12.0 or newer is needed (Debian 12" in line, line


@pytest.mark.parametrize("name,says,sentence", [
    ("nasm", "echo NASM version 2.14.02 compiled on Dec 26 2018", "nasm is version 2.14.02; 2.15 or"),
    ("grub-mkrescue", "echo 'grub-mkrescue (GRUB) 2.04-20'", "grub-mkrescue is version 2.04; 2.06 or"),
    ("dpkg-query", "echo 3.0.8-2", "gnu-efi is version 3.0.8; 3.0.15 or newer"),
    ("dpkg-query", "case $* in *ovmf) echo 2020.11-2;; *) echo 3.0.18;; esac",
     "ovmf is version 2020.11; 2022.11 or newer"),
    ("dpkg-query", "case $* in *ovmf) echo '0~20181115.85588389-3';; *) echo 3.0.18;; esac",
     "ovmf is version 0~20181115.85588389-3; 2022.11 or newer"),
])
def test_an_old_tool_is_refused_although_a_newer_one_was_found(tmp_path, name, says, sentence):
    """By name and version, and also when what is first on the PATH came after config.mk."""
    assert deps(tmp_path) == (0, "")
    old = tool(tmp_path / "bin", name, says).parent
    if name == "dpkg-query":  # it is not asked again while the files it knows are as they were
        (tmp_path / "config.mk").unlink()
    status, line = deps(tmp_path, PATH=first_on_path(old))
    assert status == 1 and sentence in line and "(Debian 12 and 13 have it)" in line, line


def test_an_old_library_is_refused_by_its_version(tmp_path):
    """newlib's version is in the name of its tarball."""
    (tmp_path / "newlib-3.1.0.20181231.tar.xz").touch()
    script = elsewhere(tmp_path, newlib_places=f"'{tmp_path}/newlib-*.tar.xz'")
    status, line = deps(tmp_path, script)
    assert status == 1, line
    assert "newlib-3.1.0.20181231.tar.xz is neither newlib 3.3 or newer nor newlib 4; " in line
    assert "Debian 12 (3.3.0) and 13 (4.5.0) have one" in line


def test_a_package_without_the_file_is_named_with_its_version(tmp_path):
    """Installing it again does not help: it is of another age."""
    script = elsewhere(tmp_path, ovmf=f"{tmp_path}/none.fd")
    tool(tmp_path / "bin", "apt-get", "exit 0")
    tool(tmp_path / "bin", "sudo", 'while [ "$1" = -n ]; do shift; done; exec "$@"')
    folder = tool(tmp_path / "bin", "dpkg-query", "echo 0~20160813.de74668f-2").parent
    assert deps(tmp_path, script, PATH=first_on_path(folder)) == (
        1, "still missing after the installation: ovmf (version 0~20160813.de74668f-2 has not what "
           "is needed); Debian 12 and 13 have what is needed")


def test_the_same_versions_rebuild_nothing(tmp_path):
    """build/toolchain, which every object depends on, is rewritten only when a version changed."""
    assert deps(tmp_path) == (0, "")
    before = os.stat(tmp_path / "toolchain").st_mtime_ns
    (tmp_path / "config.mk").unlink()
    assert deps(tmp_path) == (0, "")
    assert os.stat(tmp_path / "toolchain").st_mtime_ns == before


def path_without(folder, *names):
    """A PATH with every program of this one but `names`."""
    folder.mkdir()
    for place in os.environ["PATH"].split(":") + ["/usr/sbin", "/sbin"]:
        for name in os.listdir(place) if os.path.isdir(place) else ():
            if name not in names and not (folder / name).is_symlink():
                (folder / name).symlink_to(os.path.join(place, name))
    return str(folder)


def preflight(folder, script="tests/tools/deps.sh", **env):
    """Status and lines of the report; it writes nothing, and installs nothing."""
    tool(folder / "never", "apt-get", f"touch {folder}/installed")
    path = f"{folder / 'never'}:{env.pop('PATH', os.environ['PATH'])}"
    done = subprocess.run([script, "preflight"], cwd=ROOT, text=True, check=False,
                          env=dict(os.environ, PATH=path, **env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert not (folder / "installed").exists()
    assert not os.path.exists(os.path.join(ROOT, "preflight"))
    return done.returncode, done.stdout.splitlines()


def test_preflight_says_what_is_there(tmp_path):
    """Every package of a build, with its version and what it is for; also by make, which builds nothing."""
    status, lines = preflight(tmp_path)
    assert status == 0 and lines[-1] == "Nothing is missing that a build needs, and nothing is too old."
    found = dict(re.findall(r"(?m)^  ok +(\S+) +(\S+) ", "\n".join(lines)))
    assert {"gcc", "nasm", "newlib-source", "qemu-system-x86", "ovmf", "e2fsprogs", "python3-pytest"} <= set(found)
    assert all(re.match(r"[0-9]", version) for version in found.values()), found
    made = subprocess.run(["make", "--no-print-directory", "preflight", f"BASE={tmp_path}/build"], cwd=ROOT,
                          stdout=subprocess.PIPE, text=True, check=False)
    assert made.returncode == 0 and made.stdout.splitlines() == lines
    assert not (tmp_path / "build").exists()


def test_preflight_names_what_is_missing(tmp_path):
    """By its package, with what it is for; what only some targets need does not count."""
    path = path_without(tmp_path / "bin", "nasm", "xorriso", "gcovr")
    status, lines = preflight(tmp_path, PATH=path)
    # The script adds places of its own to the PATH, in which neither of them lies.
    gone = [line.split()[1] for line in lines if line.startswith("  missing ")]
    assert status == 1 and {"nasm", "xorriso", "gcovr"} <= set(gone), lines
    assert any(re.match(r"  missing +nasm .*assembles the first instructions", line) for line in lines)
    assert "make installs, as root or with sudo: nasm xorriso" in lines


def test_preflight_names_every_odd_version(tmp_path):
    """All of them at once, each with the version that would do."""
    tool(tmp_path / "bin", "nasm", "echo NASM version 2.14.02 compiled on Dec 26 2018")
    tool(tmp_path / "bin", "qemu-system-x86_64", "echo 'QEMU emulator version 6.2.0 (Debian)'")
    folder = tool(tmp_path / "bin", "grub-mkrescue", "echo no version at all").parent
    status, lines = preflight(tmp_path, PATH=first_on_path(folder))
    assert status == 1, lines
    wrong = lines[lines.index("What is there and of no use:") + 1:]
    assert [line.split(";")[0] for line in wrong] == [
        "  nasm is version 2.14.02", '  grub-mkrescue says "no version at all" of its version',
        "  qemu-system-x86_64 is version 6.2.0"]


@pytest.mark.parametrize("name,odd", [("a b", " "), ("it's", "'"), ("d$x", "$"), ("a:b", ":"), ("a,b=c~d+e@f%g-é", "")])
def test_a_folder_in_whose_name_nothing_can_be_built(tmp_path, name, odd):
    """make and the C library's build would fail somewhere within, by a name that was cut."""
    folder = tmp_path / name
    (folder / "build").mkdir(parents=True)
    done = subprocess.run([os.path.join(ROOT, "tests", "tools", "deps.sh"), "build/config.mk"], cwd=folder, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == (1 if odd else 0), done.stdout
    assert done.stdout == "" if not odd else done.stdout.startswith(f"the path of this folder has '{odd}' in it, "), done.stdout


def test_what_is_missing_is_said_before_it_is_installed(tmp_path):
    """A build says it too: which tool, what for, and then what it does about it."""
    path = path_without(tmp_path / "bin", "nasm", "apt-get", "sudo")
    tool(tmp_path / "apt", "apt-get", "echo no network >&2; exit 100")
    folder = tool(tmp_path / "apt", "sudo", 'while [ "$1" = -n ]; do shift; done; exec "$@"').parent
    done = subprocess.run(["tests/tools/deps.sh", str(tmp_path / "config.mk")], cwd=ROOT, text=True, check=False,
                          env=dict(os.environ, PATH=f"{folder}:{path}"), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    assert done.returncode == 1 and "installing failed; by hand: sudo sh -c" in done.stdout
    assert ("what is missing, and what it is for:\n  nasm: assembles the first instructions and entry code\n"
            "installing: nasm\n") in done.stderr

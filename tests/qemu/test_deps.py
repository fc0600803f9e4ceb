# SPDX-License-Identifier: MIT
"""What the build needs: refusals that name the version, and one C library for each version."""

import glob
import os
import re
import subprocess

from hf_config import ROOT

HEADER = ("newlib", "x86_64-elf", "include", "_newlib_version.h")


def deps(folder, **env):
    """Status and the line of tests/tools/deps.sh, which writes config.mk in this folder."""
    done = subprocess.run(["tests/tools/deps.sh", str(folder / "config.mk")], cwd=ROOT, text=True,
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


def test_an_old_compiler_is_refused_by_its_version(tmp_path):
    """The version found, the one that would do, and where to get it."""
    old = tmp_path / "old-gcc"
    old.write_text("#!/bin/sh\ncase $1 in -dumpfullversion) echo 11.4.0;; *) echo x86_64-linux-gnu;; esac\n")
    old.chmod(0o755)
    status, line = deps(tmp_path, CC=str(old))
    assert status == 1 and "is version 11.4.0; 12.0 or newer is needed (Debian 12" in line, line


def test_the_same_versions_rebuild_nothing(tmp_path):
    """build/toolchain, which every object depends on, is rewritten only when a version changed."""
    assert deps(tmp_path) == (0, "")
    before = os.stat(tmp_path / "toolchain").st_mtime_ns
    (tmp_path / "config.mk").unlink()
    assert deps(tmp_path) == (0, "")
    assert os.stat(tmp_path / "toolchain").st_mtime_ns == before

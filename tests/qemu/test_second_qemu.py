# SPDX-License-Identifier: MIT
"""QEMU=FILE: the machine on another QEMU than the host's, and what is said of one that will not do."""

import json
import os
import shutil
import stat

import pytest

import hf_qemu
from hf_config import ConfigError, from_variables
from run import run_commands


def test_a_second_qemu(tmp_path):
    """Persistent memory, self-tests of the machine and a race, on another QEMU if there is one."""
    found = hf_qemu.others()
    if not found:
        pytest.skip("no second QEMU: QEMU2 names none, and build/systems/ holds none")
    result = run_commands("nfit; pmem; selftest init.* nfit.* cpu.* mm.* edu.*; race dma-truncate; check",
                          tmp_path, QEMU=found[0])
    assert result.status == 0, result.text + result.stderr
    assert "pmem0: 0x100000000 - 0x140000000" in result.command("pmem").output
    assert "race dma-truncate lifetime=busy-extent: safe" in result.text


def test_a_second_master(tmp_path):
    """Where a QEMU has iommu-testdev, whose transfer happens at a register read, it is used."""
    having = [path for path in [hf_qemu.find("qemu-system-x86_64"), *hf_qemu.others()]
              if hf_qemu.can(path)["iommu-testdev"]]
    if not having:
        pytest.skip("no QEMU here has the device iommu-testdev (QEMU 11.1 has)")
    result = run_commands("selftest iommu.*; check", tmp_path, QEMU=having[0],
                          QEMU_ARGS="-device iommu-testdev")
    assert result.status == 0, result.text + result.stderr
    assert "iommu.second-master\n" in result.text and ", 0 failed, 0 skipped" in result.text


def test_the_binary_is_asked(tmp_path):
    """Machine types, CPU models and properties come from the QEMU itself."""
    known = hf_qemu.ask(hf_qemu.find("qemu-system-x86_64"))
    assert {"q35", "pc"} <= set(known["machines"]) and {"max", "qemu64"} <= set(known["cpus"])
    assert len(known["version"]) == 3 and known["version"] >= [5, 0, 0], known["version"]
    assert "dma_mask" in known["edu"] and "label-size" in known["nvdimm"]
    with pytest.raises(ConfigError, match="no CPU model i80286"):
        hf_qemu.check(from_variables({"PMEM": "", "CPU": "i80286"}))


@pytest.mark.parametrize("change,sentence", [
    ({"edu": []}, "no device edu"),
    ({"edu": ["addr"]}, "no dma_mask at its device edu"),
    ({"intel-iommu": []}, "no intel-iommu with aw-bits"),
    ({"virtio-blk-pci": ["disable-legacy"]}, "no virtio-blk-pci with iommu_platform"),
    ({"machines": ["pc"]}, "no machine type q35"),
])
def test_a_qemu_that_lacks_something_is_refused(monkeypatch, change, sentence):
    """In a sentence that names it, its version and one that would do, before anything is started."""
    known = dict(hf_qemu.ask(hf_qemu.find("qemu-system-x86_64")), **change, version=[4, 1, 1])
    monkeypatch.setattr(hf_qemu, "can", lambda path: known)
    with pytest.raises(ConfigError, match=f"is QEMU 4.1.1 and has {sentence}; 7.2 or newer"):
        hf_qemu.check(from_variables({"PMEM": ""}))


def test_no_qemu(tmp_path, monkeypatch):
    """A file that is none, and programs that are none of QEMU's: silent, talkative, slow."""
    with pytest.raises(ConfigError, match="is no program here"):
        hf_qemu.check(from_variables({"PMEM": "", "QEMU": str(tmp_path / "none")}))
    for program in ("true", "echo"):
        with pytest.raises(ConfigError, match="does not answer as a QEMU does"):
            hf_qemu.ask(shutil.which(program))
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(hf_qemu, "PATIENCE", 0.1)
    with pytest.raises(ConfigError, match="did not answer within 0.1 s"):
        hf_qemu.ask(str(slow))


def test_answers_are_kept_for_one_binary(tmp_path, monkeypatch):
    """Asked once; a binary that was replaced is asked again."""
    binary = tmp_path / "binary"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(hf_qemu, "BUILD", str(tmp_path))
    asked = []
    monkeypatch.setattr(hf_qemu, "ask", lambda path: asked.append(path) or {"n": [len(asked)]})
    assert [hf_qemu.can(str(binary)) for _ in range(2)] == [{"n": [1]}] * 2
    os.utime(binary, (1, 1))
    assert hf_qemu.can(str(binary)) == {"n": [2]}
    assert json.loads(next((tmp_path / "qemu").glob("*.json")).read_text())

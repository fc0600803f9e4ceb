# SPDX-License-Identifier: MIT
"""The runner itself: its variables, its arithmetic, its filter, and a CPU that lacks something."""

import errno
import json
import os
import signal
import socket

import pytest

import hf_command
import hf_media
import hf_process
from hf_config import GIB, MIB, TIB, ConfigError, cause, from_variables
from hf_machine import split_commands
from hf_process import SerialFilter, verdict
from run import run_commands


def config(**variables):
    return from_variables(dict({"PMEM": ""}, **variables))


@pytest.mark.parametrize("variables,words", [
    ({"BOOT": "floppy"}, "direct, grub, grub-uefi, efi"),
    ({"SMP": "0"}, "from 1 to 255"),
    ({"SMP": "two"}, "from 1 to 255"),
    ({"MEM": "much"}, "K, M, G or T"),
    ({"ICOUNT": "yes"}, "neither 1"),
    ({"TIMEOUT": "0"}, "TIMEOUT=0"),
    ({"APPEND": "a'b"}, "GRUB's own syntax"),
    ({"QEMU_ARGS": "'open"}, "QEMU_ARGS"),
    ({"PMEM": "not-there.img"}, "not-there.img,size=1G"),
    ({"PMEM": "a.img,size=1G,speed=9"}, "unknown option \"speed=9\""),
    ({"PMEM": "a.img,size=1000"}, "multiple of 4096"),
    ({"PMEM": "a.img,size=1G,align=3M"}, "power of two"),
    ({"PMEM": "a.img,size=1G,label=4K"}, "128K or more"),
    ({"PMEM": "a.img,size=1G ./a.img,size=1G"}, "twice"),
    ({"PMEM": ",size=1G"}, "does not begin with a file name"),
    ({"PMEM": "none/a.img,size=1G"}, "in a folder that is there"),
    ({"PMEM": "a.img,size=1G,size=2G"}, "size is said twice"),
    ({"PMEM": "a.img,size=1G,scratch,scratch"}, "scratch is said twice"),
    ({"PMEM": "'a b.img',size=1G"}, "a link to it can"),
    ({"PMEM": "a.img,size=99999999999999999999999"}, "less than 8388608T"),
    ({"MEM": "99999999999999999999M"}, "less than 8388608T"),
])
def test_a_wrong_variable_is_explained(variables, words):
    with pytest.raises(ConfigError) as error:
        config(**variables)
    assert words in str(error.value)


def test_a_file_is_one_dimm_by_whatever_name(tmp_path):
    first, second = tmp_path / "first.img", tmp_path / "second.img"
    first.write_bytes(bytes(4096))
    for link in (second.symlink_to, second.hardlink_to):
        link(first)
        with pytest.raises(ConfigError, match=r"first\.img twice \(.*second\.img\)"):
            config(PMEM=f"{first} {second}")
        second.unlink()
    second.write_bytes(bytes(4096))
    assert len(config(PMEM=f"{first} {second}").dimms) == 2


def test_the_default_machine_is_the_contract(tmp_path):
    command = " ".join(hf_command.qemu_command(from_variables({}), [], []))
    for words in ("-M q35,nvdimm=on", "-cpu max ", "-smp 2 ", "-m 512M,", "pmem0.img,align=2097152",
                  "size=1073741824,", "size=17179869184,", "isa-debug-exit,iobase=0xf4"):
        assert words in command
    assert command.index("-device intel-iommu ") < command.index("-device edu")
    assert "drive=disk0,disable-legacy=on,iommu_platform=on" in command
    without = " ".join(hf_command.qemu_command(config(IOMMU="0"), [], []))
    assert "iommu" not in without and "drive=disk0,disable-legacy=on" in without
    assert command.count("-device edu,dma_mask=0xffffffffff") == 2
    assert "-device virtio-blk-pci,drive=disk0,disable-legacy=on" in command
    assert "build/disk0.img,throttling.iops-total=16" in command and "snapshot=on" in command
    assert "-icount" not in command and "label-size" not in command


def test_every_dimm_option_reaches_qemu(tmp_path):
    kept = tmp_path / "kept.img"
    kept.write_bytes(b"x" * 8192)
    machine = config(PMEM=f"{tmp_path}/a,size=1G,label=128K,align=2M,unarmed,node=2,shadow "
                          f"{kept},size=4G,shadow", APPEND="one  two=2")
    command = " ".join(hf_command.qemu_command(machine, [], []))
    assert "id=nvd0,memdev=nv0,label-size=131072,unarmed=on,node=2" in command
    assert "node,nodeid=2" in command and "align=2097152" in command
    assert machine.dimms[1].size == 8192  # an existing file keeps its size
    assert machine.cmdline() == "shadow=pmem0,pmem1 one two=2"


def test_commas_in_commands_are_doubled():
    command = hf_command.qemu_command(config(CMD="a, b; c"), [], [])
    assert command[-1] == "name=opt/holdfast/cmd,string=a,, b; c"


def test_qemu_args_come_last_and_icount_is_exact():
    command = hf_command.qemu_command(config(ICOUNT="1", QEMU_ARGS="-m 1G"), [], [])
    assert command[-2:] == ["-m", "1G"]
    assert "shift=0,sleep=off" in command and "base=2026-01-01,clock=vm" in command


@pytest.mark.parametrize("size,bits", [(64 * GIB, 40), (512 * GIB, 40), (TIB, 42), (4 * TIB, 43)])
def test_large_dimms_raise_the_address_bits(size, bits, tmp_path):
    machine = config(PMEM=f"{tmp_path}/a,size={size}")
    assert max(hf_command.phys_bits(machine), 40) == bits
    assert hf_command.cpu_model(machine) == ("max" if bits == 40 else f"max,phys-bits={bits}")
    machine.cpu = "qemu64"
    if bits > 40:
        with pytest.raises(ConfigError, match="CPU=max"):
            hf_command.cpu_model(machine)


def test_firmware_output_is_cut_off_and_line_ends_are_plain():
    pieces = [b"\x1b[2J BdsDxe: loa", b"ding\r\nboot: ente", b"red by PVH\r", b"\n> x\r\n",
              b"\rrow"]
    filt = SerialFilter()
    assert b"".join(filt.feed(piece) for piece in pieces) == b"boot: entered by PVH\n> x\n\rrow"
    assert b"BdsDxe" in filt.before


def test_commands_are_split_by_their_frames():
    text = "noise\n> a\n1\n2\n[status 0]\n> b; c\n[status 22]\n> d\nhalf"
    commands = split_commands(text)
    assert [(c.line, c.output, c.status) for c in commands] == [
        ("a", "1\n2\n", 0), ("b; c", "", 22), ("d", "half\n", None)]


@pytest.mark.parametrize("rc,good", [(33, True), (35, False), (37, False), (0, False), (1, False),
                                     (-6, False)])
def test_only_one_exit_status_means_success(rc, good):
    assert (verdict(rc) == "") == good


def test_what_a_full_disk_says():
    """Of a copy, where to; of QEMU, whose store found no room."""
    assert cause(OSError(errno.ENOSPC, "No space left on device", "from", None, "to")) == "to: No space left on device"
    assert cause(OSError(errno.EACCES, "Permission denied", "locks")) == "locks: Permission denied"
    assert "no room for what is written" in verdict(-signal.SIGBUS)


def test_an_image_in_use_is_named(tmp_path):
    image = str(tmp_path / "shared.img")
    lock = hf_media.lock_image(image, "process 42 (BOOT=direct)", 0)
    with pytest.raises(ConfigError, match=r"process 42 \(BOOT=direct\)"):
        hf_media.lock_image(image, "me", 0)
    os.close(lock)
    os.close(hf_media.lock_image(image, "me", 0))


def test_the_fresh_image_is_made_anew_and_the_other_kept(tmp_path):
    machine = config(PMEM=f"{tmp_path}/a,size=1M {tmp_path}/b,size=1M")
    machine.dimms[1].fresh = True
    for dimm in machine.dimms:
        hf_media.prepare_image(dimm)
        with open(dimm.path, "r+b") as image:
            image.write(b"mine")
        hf_media.prepare_image(dimm)
    assert (tmp_path / "a").read_bytes()[:4] == b"mine"
    assert (tmp_path / "b").read_bytes() == bytes(MIB)


@pytest.mark.parametrize("cpu,name", [("max,-nx", "NX (no-execute pages)"),
                                      ("qemu32", "CLFSH (clflush)"),
                                      ("max,-lm", "LM (64-bit long mode)"),
                                      ("max,-sse2", "SSE2")])
def test_a_cpu_that_lacks_something_is_told_so(cpu, name, tmp_path):
    result = run_commands("help", tmp_path, CPU=cpu, PMEM="", TIMEOUT="20")
    assert result.status == 1 and result.rc == 37
    assert f"boot: this CPU lacks {name}" in result.text
    assert "use -cpu qemu64 or better" in result.text


def test_a_question_is_answered_behind_events():
    """What QEMU tells by itself is not taken for the answer; a refusal is one; no answer is an error."""
    def said(*lines):
        ours, theirs = socket.socketpair()
        theirs.sendall("".join(json.dumps(line) + "\n" for line in lines).encode())
        theirs.shutdown(socket.SHUT_WR)
        with ours, theirs, ours.makefile("rw") as file:
            return hf_process.done(file, {"execute": "screendump"}), file.read()
    stop, more = {"event": "STOP"}, {"event": "RESUME"}
    assert said({"return": {}}) == (True, "")
    assert said(stop, more, {"return": {}}, stop) == (True, json.dumps(stop) + "\n")
    assert said(stop, {"error": {"class": "GenericError"}})[0] is False
    with pytest.raises(ValueError):
        said(stop)


def test_a_machine_that_never_ends_is_ended(tmp_path):
    result = run_commands("help", tmp_path, PMEM="", QEMU_ARGS="-S", TIMEOUT="1")
    assert result.timed_out and result.status == 124


def test_an_argument_qemu_does_not_know_is_passed_on(tmp_path):
    result = run_commands("help", tmp_path, PMEM="", QEMU_ARGS="-no-such-thing")
    assert result.status == 1 and "no-such-thing" in result.stderr

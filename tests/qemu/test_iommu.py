# SPDX-License-Identifier: MIT
"""The IOMMU on machines that are not the default one: none, others, firmware that lies, bridges.

The default machine has one (hf_command.py), so that every other test runs behind it; what the unit
does is tested inside, by the self-tests iommu.*.
"""

import re
import socket
import struct

import pytest

import hf_process
from hf_machine import PROMPT
from run import Machine, run_commands

EDU = "edu,dma_mask=0xffffffffff"


def test_without_an_iommu(tmp_path):
    """Everything runs, with physical bus addresses; what needs an IOMMU skips by name."""
    result = run_commands("iommu; selftest edu.* dio.* virtio.* iommu.*; race dma-truncate; iommu table; iommu x",
                          tmp_path, IOMMU="0")
    assert [c.status for c in result.commands] == [0, 0, 0, 19, 22], result.text
    shown = result.command("iommu").output
    assert "no IOMMU is in use" in shown
    assert len(re.findall(r"(?m)^\w+ \(\S+\): \d+ mapping\(s\), bus addresses are physical: "
                          "there is no IOMMU$", shown)) == 3, shown
    tests = result.command("selftest edu.* dio.* virtio.* iommu.*").output
    assert re.findall(r"(?m)^ok \d+ (edu|virtio)\.", tests) and "not ok" not in tests
    assert "iommu.unmap-ends-it # SKIP edu0: there is no IOMMU (QEMU: -device intel-iommu)" in tests
    assert re.search(r"(?m)^ok \d+ iommu\.without-one$", tests), tests


# ---- firmware that lies ----


def dmar(*structures, width=38):
    """A table of these structures, with its checksum."""
    body = b"".join(structures)
    head = struct.pack("<4sIBB6s8sI4sIBB10x", b"DMAR", 48 + len(body), 1, 0, b"LIAR  ", b"LIES    ", 1,
                       b"TEST", 1, width, 0)
    table = head + body
    return table[:9] + bytes([-sum(table) % 256]) + table[10:]


def unit(base, flags=1, length=16):
    return struct.pack("<HHBBHQ", 0, length, flags, 0, 0, base)


LIES = {
    "a structure of no length": (dmar(unit(0xfed90000), unit(0xfed91000, length=0)),
                                 "DMAR: rejected: structure at offset 64 has length 0",
                                 "the DMAR table is refused"),
    "registers in RAM": (dmar(unit(0x1000000)), "overlaps RAM", "no unit is in front of it"),
    "registers where no unit is": (dmar(unit(0xfed90000)), "iommu0 at 0xfed90000 is not used: ",
                                   "the unit in front of it is not used"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_table_that_lies(tmp_path, lie):
    """The boot goes on with physical addresses; what is wrong is told, and per device what follows."""
    table, told, why = LIES[lie]
    (tmp_path / "dmar.bin").write_bytes(table)
    result = run_commands("iommu table; iommu; selftest edu.both-directions virtio.round-trip", tmp_path,
                          IOMMU="0", QEMU_ARGS=f"-acpitable file={tmp_path}/dmar.bin")
    assert result.status == 0, result.text
    assert told in result.text, result.text
    assert result.command("iommu").output.count(f"bus addresses are physical: {why}\n") == 3, result.text


# ---- other units ----


@pytest.mark.parametrize("words,args,shows", [
    ("iommu=registers", "", "tables of (3 levels, 39|4 levels, 48) address bits, invalidation by registers"),
    ("iommu=registers", "-global intel-iommu.aw-bits=39",
     "tables of 3 levels, 39 address bits, invalidation by registers"),
    ("", "-global intel-iommu.aw-bits=48 -global intel-iommu.caching-mode=on",
     "tables of 4 levels, 48 address bits, invalidation by queue"),
])
def test_other_units(tmp_path, words, args, shows):
    """Without its queue; with wider tables, and one that remembers what is absent."""
    if not words:
        words = "x=1"
    result = run_commands("iommu; selftest iommu.* edu.* virtio.*; race dma-truncate; iommu", tmp_path,
                          APPEND=words, QEMU_ARGS=args)
    assert result.status == 0, result.text
    assert re.search(shows, result.commands[0].output), result.text
    assert not [line for line in result.text.splitlines() if "SKIP" in line and "iommu-testdev" not in line]


def test_turned_off(tmp_path):
    """iommu=off: the unit is left alone."""
    result = run_commands("iommu; selftest edu.* virtio.round-trip", tmp_path, APPEND="iommu=off")
    assert result.status == 0, result.text
    assert "iommu: off, by the command line" in result.text
    assert "the unit in front of it is not used" in result.command("iommu").output


def test_devices_behind_bridges(tmp_path):
    """Of a bridge to conventional PCI the unit sees the bridge, of a root port the device itself."""
    args = (f"-device pci-bridge,id=old,chassis_nr=1 -device {EDU},bus=old,addr=3 "
            f"-device pcie-root-port,id=new,chassis=2 -device {EDU},bus=new "
            "-device pcie-root-port,id=third,chassis=3 -device pcie-pci-bridge,id=both,bus=third "
            f"-device {EDU},bus=both,addr=3 -device {EDU},bus=both,addr=4")
    result = run_commands("iommu; selftest iommu.*; pci", tmp_path, QEMU_ARGS=args)
    assert result.status == 0, result.text
    shown = result.command("iommu").output
    behind = re.findall(r"(?m)^(edu\d) \((0[1-9]:\S+)\): 0 mapping\(s\)\n  domain (\d+)", shown)
    domains = {}
    for _, place, domain in behind:
        domains.setdefault(place.split(":")[0], []).append(domain)
    # Two behind the one bridge share a domain; everybody else has one of its own.
    assert sorted(map(len, domains.values())) == [1, 1, 2], shown
    assert sorted(len(set(one)) for one in domains.values()) == [1, 1, 1], shown
    assert len({domain for one in domains.values() for domain in one}) == 3, shown


def qmp(path, command):
    """One QMP command at the socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(str(path))
        lines = sock.makefile("rw", encoding="utf-8")
        lines.readline()
        assert all(hf_process.done(lines, {"execute": word}) for word in ("qmp_capabilities", command))


class Bus:
    """The machine's memory and registers, from outside, while its CPU runs (QEMU's qtest protocol)."""

    ECAM = 0xb0000000  # q35's, as its firmware places it

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(path))
        self.lines = self.sock.makefile("rw", encoding="ascii")

    def say(self, line):
        self.lines.write(line + "\n")
        self.lines.flush()
        answer = self.lines.readline().split()
        assert answer[:1] == ["OK"], (line, answer)
        return int(answer[1], 0) if len(answer) > 1 else None

    def function(self, ids):
        """Where the configuration space of the first device on bus 0 with these ids is."""
        return next(at for at in (self.ECAM + (dev << 15) for dev in range(32))
                    if self.say(f"readl {at:#x}") == ids)


def test_a_device_at_work_during_boot(tmp_path):
    """It is let master the bus behind the kernel's back, before its driver: its write is a fault, told
    at the prompt, and the boot goes on."""
    path = tmp_path / "qtest"
    with Machine(tmp_path, prompt=False,
                 QEMU_ARGS=f"-qtest unix:{path},server=on,wait=off -qtest-log none") as m:
        m.expect(r"bus mastering off")
        m.expect(r"iommu0: VT-d at \S+ translates")
        bus = Bus(path)
        edu = bus.function(0x11e81234)
        registers = bus.say(f"readl {edu + 0x10:#x}") & ~15
        bus.say(f"writew {edu + 4:#x} 6")  # memory, and bus mastering
        for register, value in ((0x80, 0x40000), (0x88, 0x2000000), (0x90, 64), (0x98, 3)):
            bus.say(f"writeq {registers + register:#x} {value:#x}")  # from, to, bytes, go: in 100 ms
        m.expect(PROMPT)
        assert m.run("sleep 200").status == 0
        assert m.run("echo the next prompt").status == 0
        told = m.text()  # by the interrupt: `iommu` looks at the unit itself
        shown = m.ask("iommu")
        assert m.run("selftest iommu.* edu.*; check").status == 0
    fault = (r"write to 0x2000000: (the device has no domain \(reason 2\)|"
             r"no mapping lets it write there \(reason 5\))")
    assert re.search(rf"edu0 \(\S+\), {fault}", shown), shown
    assert re.search(rf"iommu0: fault: \S+ \(?\S+\)?, {fault}", told), told


def test_dma_after_a_reset(tmp_path):
    """A reset while a device writes: the next life translates again, and nothing of the old one comes."""
    path = tmp_path / "qmp"
    with Machine(tmp_path, QEMU_ARGS=f"-action reboot=reset -qmp unix:{path},server=on,wait=off") as m:
        for line in ("mount pmem0 /t", "write /t/f 0 hello", "sync", "map /t/f", "pin m1", "dma m1 in"):
            assert m.run(line).status == 0, line
        qmp(path, "system_reset")
        m.expect(r"iommu0: VT-d at \S+ translates")
        m.expect(r"boot: done after")  # the driver has waited until the device was idle
        shown = m.ask("iommu")
        assert "domain 2 of iommu0: 0 mapping(s)" in shown, shown
        assert m.run("mount pmem0 /t").status == 0
        assert "hello" in m.ask("cat /t/f")
        assert m.run("selftest iommu.* edu.*").status == 0
        assert m.run("check").status == 0

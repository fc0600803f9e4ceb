# SPDX-License-Identifier: MIT
"""Four ways in, one way on: what a boot prints, and that nothing after it knows which one ran."""

import re

import pytest

from run import run_commands
from test_selftest import BY_CHANCE

PATHS = {"direct": "PVH", "grub": "multiboot2", "grub-uefi": "multiboot2", "efi": "the EFI loader"}
WORDS = "one=1 two three=a,b:c"
# One boot of each path has to show all of it: under OVMF a boot takes eight seconds.
COMMANDS = ("help; pmem; acpi; mount pmem0 /t; write /t/f 0 'by any path'; cat /t/f; umount /t; "
            f"selftest init.* mm.* nfit.* acpi.* pci.* dax.* lifetime.* cpu.* {BY_CHANCE}; "
            "race dma-truncate; check")


def stages(text):
    """The stage lines of a boot; the first one names the way in, which is cut off."""
    found = re.findall(r"(?m)^boot: stage (.*)$", text)
    return [re.sub(r", by way of .*", "", stage) for stage in found]


@pytest.fixture(scope="module")
def direct_stages(tmp_path_factory):
    """The stages of a direct boot, which the other paths are compared with."""
    return stages(run_commands("echo", tmp_path_factory.mktemp("direct"), PMEM="").text)


@pytest.mark.parametrize("path", PATHS)
def test_four_ways_in_one_way_on(tmp_path, path, direct_stages):
    """Every path: banner, same command line, same stages, same commands, files, races; status 0."""
    result = run_commands(COMMANDS, tmp_path, BOOT=path, APPEND=WORDS)
    lines = result.text.splitlines()
    assert result.status == 0, result.text
    assert all(command.status == 0 for command in result.commands), result.text
    assert len(result.commands) == COMMANDS.count(";") + 1
    assert lines[0] == f"boot: entered by {PATHS[path]}, cpu ok"
    assert f"boot: stage kernel, by way of {path}" in lines
    assert any(f'command line "{WORDS}"' in line for line in lines), result.text
    assert stages(result.text) == direct_stages
    assert re.search(r"(?m)^boot: done after \d+ us, 2 CPUs$", result.text)
    assert "pmem0: 0x100000000 - 0x140000000" in result.command("pmem").output
    assert "pmem1: 0x140000000 - 0x540000000" in result.command("pmem").output
    assert result.command("cat /t/f").output == "by any path\n"
    assert "race dma-truncate lifetime=busy-extent: safe" in result.text
    assert "# SKIP the command line is empty" not in result.text


def test_every_stage_prints_a_line(direct_stages):
    """A hang names its stage: each part of the boot announces itself before it starts."""
    assert len(direct_stages) == len(set(direct_stages)) >= 10
    for word in ("kernel", "CPU", "exceptions", "clock", "threads", "page tables", "ACPI",
                 "interrupt controllers", "NFIT", "PCI", "edu", "persistent memory", "dax"):
        assert any(word in stage for stage in direct_stages), f"no stage {word}: {direct_stages}"


def test_firmware_tables_by_either_rsdp(tmp_path):
    """A revision 0 RSDP (SeaBIOS) leads through the RSDT; checksums of all tables are right."""
    result = run_commands("acpi", tmp_path, PMEM="")
    assert "acpi: RSDP revision 0" in result.text and "through the RSDT" in result.text
    tables = re.findall(r"(?m)^([A-Z]{4}) 0x[0-9a-f]{12} .* (\S+)$", result.command("acpi").output)
    assert {"FACP", "APIC", "SRAT", "MCFG"} <= {name for name, _ in tables}
    assert {verdict for _, verdict in tables} == {"ok"}, result.text


@pytest.mark.parametrize("path,cpu,name", [("grub", "max,-sse2", "SSE2"),
                                           ("efi", "max,-clflush", "CLFSH (clflush)"),
                                           ("direct", "486", "TSC (time stamp counter)"),
                                           ("direct", "qemu64,-apic", "APIC")])
def test_a_cpu_that_lacks_something_is_told_on_every_path(tmp_path, path, cpu, name):
    """The missing feature is named, whichever way the kernel came in, and the run fails."""
    result = run_commands("help", tmp_path, BOOT=path, CPU=cpu, PMEM="")
    assert f"boot: this CPU lacks {name}" in result.text, result.text
    assert result.status == 1 and not result.commands


@pytest.mark.xdist_group("old and shifted")
def test_an_old_cpu_is_enough(old_and_shifted):
    """qemu64: no CLWB, no 1 GiB pages, no SMAP; lines are written back by CLFLUSH, all works."""
    result, _ = old_and_shifted
    assert result.status == 0, result.text
    cpu = re.search(r"(?m)^boot: CPU .*$", result.text).group()
    assert "write-back by CLFLUSH" in cpu and "1G pages" not in cpu and "SMAP" not in cpu, cpu
    assert result.command("pmem").output.count("flush with CLFLUSH\n") == 3
    assert "written back with CLFLUSH, then fenced" in result.command("nfit").output
    assert "\nnot ok" not in result.text


@pytest.mark.parametrize("cpu,name", [("qemu64,+clflushopt", "CLFLUSHOPT"), ("max", "CLWB"),
                                      ("max,-clwb", "CLFLUSHOPT"),
                                      ("max,-clwb,-clflushopt", "CLFLUSH")])
def test_the_best_write_back_instruction_is_taken(tmp_path, cpu, name):
    """CLWB before CLFLUSHOPT before CLFLUSH, as CPUID offers them; `pmem` says which."""
    result = run_commands("pmem; selftest cpu.*", tmp_path, CPU=cpu)
    assert result.status == 0, result.text
    assert f"flush with {name}\n" in result.command("pmem").output


@pytest.mark.parametrize("mem", ["16M", "3G"])
def test_little_and_much_memory(tmp_path, mem):
    """16 MiB of RAM are enough to boot and to mount; RAM beyond 4 GiB moves the DIMMs up."""
    result = run_commands("memory; mount pmem0 /t; write /t/f 0 x; umount /t; pmem; check",
                          tmp_path, MEM=mem)
    assert result.status == 0, result.text
    if mem == "3G":
        assert "pmem0: 0x140000000 - " in result.command("pmem").output


def test_more_cpus_than_it_can_use(tmp_path):
    """Nine CPUs: eight are used, and a warning says so."""
    result = run_commands("ps; selftest cpu.* ipi.*", tmp_path, SMP=9, PMEM="")
    assert result.status == 0, result.text
    assert "9 CPUs found, 8 used" in result.text
    assert "idle/7" in result.command("ps").output


def test_no_nfit_although_dimms_were_given(tmp_path):
    """A boot that finds ACPI tables and no NFIT knows from QEMU that one is missing, and fails."""
    result = run_commands("nfit; pmem; echo alive", tmp_path, PMEM="",
                          QEMU_ARGS="-fw_cfg name=opt/holdfast/dimms,string=2")
    boot = result.text[:result.text.index("\n> ")]
    assert "nfit: the machine was given 2 NVDIMM(s)" in boot, result.text
    assert "no NVDIMM is plugged in" not in result.text
    for name in ("nfit", "pmem"):
        command = result.command(name)
        assert command.status == 19 and "hold no NFIT" in command.output, command
    assert result.command("echo alive").status == 0 and result.status == 1, result.text


def test_no_rsdp_is_said_and_fails_the_run(tmp_path):
    """No ACPI tables: unknown is not "none plugged in"; commands and the whole run say it failed."""
    result = run_commands("nfit; pmem; acpi; echo alive", tmp_path, PMEM="",
                          QEMU_ARGS="-machine acpi=off -bios qboot.rom")
    boot = result.text[:result.text.index("\n> ")]
    assert "acpi: no RSDP was handed over or found" in boot and "are not known" in boot
    assert "no NVDIMM is plugged in" not in result.text, "nobody can know that"
    for name in ("nfit", "pmem", "acpi"):
        command = result.command(name)
        assert command.status == 19 and "no RSDP" in command.output, command
    assert result.command("echo alive").status == 0

    result = run_commands("echo alive", tmp_path, PMEM="",
                          QEMU_ARGS="-machine acpi=off -bios qboot.rom")
    assert result.command("echo alive").status == 0 and result.status == 1, result.text
    assert "2 boot stages failed, so this run fails" in result.text

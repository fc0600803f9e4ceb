# SPDX-License-Identifier: MIT
"""From a Config to QEMU's command line, and the arithmetic behind it.

The machine: q35 with NVDIMM support, an IOMMU, two `edu` DMA devices, a slow virtio-blk disk, no network, no
reboot, and the isa-debug-exit port by which the kernel ends a run with a verdict (kernel/trap/trap.h).
"""

from typing import List

import hf_qemu
from hf_config import GIB, MIB, TIB, Config, ConfigError

SLOTS = 8
MAX_SLOTS = 256  # of QEMU's -m slots=
EDU = "edu,dma_mask=0xffffffffff"
# As it comes: the width that it has by default (39 bits up to machine type 9.1, 48 from 9.2 on) will do.
IOMMU = "intel-iommu"
# The hole that AMD CPUs keep below 1 TiB for HyperTransport: QEMU moves memory that would reach
# into it up to 1 TiB, which needs more address bits than the 40 of the CPU models.
HT_HOLE = 0xFD00000000
PCI_HOLE64 = 32 * GIB
# The disk answers 16 requests a second, so one that waits behind others is in flight for 62 ms or
# more. After a pause QEMU lets the first two through at once. The brake runs by the host's clock,
# so there is none with ICOUNT: while a request lasted, the idle machine's clock would jump ahead by
# half a minute.
DISK_IOPS = 16


def escape(value: str) -> str:
    """A value inside a QEMU option: commas are doubled."""
    return value.replace(",", ",,")


def round_up(value: int, to: int) -> int:
    return (value + to - 1) // to * to


def slots(config: Config) -> int:
    if len(config.dimms) > MAX_SLOTS:
        raise ConfigError(f"PMEM names {len(config.dimms)} DIMMs; QEMU has {MAX_SLOTS} slots")
    return max(SLOTS, len(config.dimms))


def hotplug_size(config: Config) -> int:
    """Bytes of address space for DIMMs: each rounded up to 1 GiB, and room for another."""
    return sum(round_up(dimm.size, GIB) for dimm in config.dimms) + 4 * GIB


def phys_bits(config: Config) -> int:
    """Physical address bits this machine takes, by the layout rules of QEMU's hw/i386/pc.c."""
    low = 2 * GIB if config.mem >= 0xB0000000 else config.mem
    size = round_up(config.mem - low, GIB) + hotplug_size(config) + slots(config) * GIB
    size += PCI_HOLE64 + GIB
    start = 4 * GIB if 4 * GIB + size <= HT_HOLE else TIB
    return (start + size - 1).bit_length()


def cpu_model(config: Config) -> str:
    """CPU=max gets the address bits that very large DIMMs need; any other model is left alone."""
    bits = phys_bits(config)
    if bits <= 40 or "phys-bits" in config.cpu:
        return config.cpu
    if config.cpu.split(",")[0] != "max":
        raise ConfigError(f"these DIMMs need {bits} physical address bits and CPU={config.cpu} has "
                          f"40; CPU=max, or CPU={config.cpu},phys-bits={bits}, would do")
    return f"{config.cpu},phys-bits={bits}"


def memory_args(config: Config) -> List[str]:
    if config.mem % MIB:
        raise ConfigError(f"MEM={config.mem} is not a whole number of MiB")
    maxmem = config.mem + hotplug_size(config)
    args = ["-m", f"{config.mem // MIB}M,slots={slots(config)},maxmem={maxmem // MIB}M"]
    nodes = [dimm.node for dimm in config.dimms if dimm.node is not None]
    if nodes:
        args += ["-object", f"memory-backend-ram,id=ram0,size={config.mem}",
                 "-numa", f"node,nodeid=0,memdev=ram0,cpus=0-{config.smp - 1}"]
        for node in range(1, max(nodes) + 1):
            args += ["-numa", f"node,nodeid={node}"]
    return args


def dimm_args(config: Config) -> List[str]:
    args = []
    for n, dimm in enumerate(config.dimms):
        backend = f"memory-backend-file,id=nv{n},share=on,size={dimm.size}"
        backend += f",mem-path={escape(dimm.path)}"
        device = f"nvdimm,id=nvd{n},memdev=nv{n}"
        if dimm.align:
            backend += f",align={dimm.align}"
        if dimm.label:
            device += f",label-size={dimm.label}"
        if dimm.unarmed:
            device += ",unarmed=on"
        if dimm.node is not None:
            device += f",node={dimm.node}"
        args += ["-object", backend, "-device", device]
    return args


def disk_args(config: Config) -> List[str]:
    if config.disk is None:
        return []
    drive = f"if=none,id=disk0,format=raw,snapshot=on,file={escape(config.disk)}"
    if not config.icount:
        drive += f",throttling.iops-total={DISK_IOPS}"
    device = "virtio-blk-pci,drive=disk0,disable-legacy=on"
    if config.iommu:  # without it the disk's accesses pass the IOMMU by
        device += ",iommu_platform=on"
    return ["-drive", drive, "-device", device]


def qemu_command(config: Config, media: List[str], serial: List[str]) -> List[str]:
    """`media`: the arguments that bring the kernel in; `serial`: where the serial line goes."""
    args = hf_qemu.check(config) + ["-M", "q35,nvdimm=on", "-cpu", cpu_model(config),
            "-smp", str(config.smp)]
    args += memory_args(config) + dimm_args(config)
    if config.iommu:  # before the devices that it stands in front of
        args += ["-device", IOMMU]
    args += ["-device", EDU, "-device", EDU] + disk_args(config)
    args += ["-nic", "none", "-vga", "std", "-display", "none", "-no-reboot",
             "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    args += serial + media
    if config.icount:
        args += ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm", "-seed", "1"]
    if config.cmd is not None:
        # An empty string is no fw_cfg item at all: a blank is a list without a command.
        args += ["-fw_cfg", f"name=opt/holdfast/cmd,string={escape(config.cmd or ' ')}"]
    if config.dimms:  # a boot that finds no NFIT then knows that one is missing
        args += ["-fw_cfg", f"name=opt/holdfast/dimms,string={len(config.dimms)}"]
    scratch = [f"pmem{n}" for n, dimm in enumerate(config.dimms) if dimm.scratch]
    if scratch:
        args += ["-fw_cfg", f"name=opt/holdfast/scratch,string={escape(','.join(scratch))}"]
    return args + config.qemu_args

# SPDX-License-Identifier: MIT
"""Linux's figures, as they were measured last: what the targets are reckoned from, so that `make
bench` judges where no Linux was ever run.

`make bench-peer` says which of them a new run does not confirm; they are changed here by hand, with
the page. Seconds are not among them.
"""

from typing import Dict

SERIES = ("6.1", "7.3")  # Debian's 6.1.192-3 and 7.3.4-1~bpo13+1, in QEMU 7.2.22
NEWEST = SERIES[-1]
FIGURES = {
    "fault.4k.read.present": (3997, 4885),
    "fault.4k.write.new": (5311, 6291),
    "fault.2m.read.new": (12047, 8909),
    "fault.2m.write.present": (5579, 5327),
    "fault.devdax.4k.write": (2187, 3021),
    "fault.devdax.2m.write": (1898, 1892),
    "gup.get.4k.b1": (678, 550),
    "gup.get.4k.b512": (185.39, 191.9),
    "gup.get.4k.scattered": (185.39, 191.9),
    "gup.get.2m.b512": (68.11, 8.91),
    "gup.put.4k.b512": (59.04, 20.03),
    "gup.put.2m.b512": (59.04, 20.03),
    "gup.pin.4k.b512": (244.79, 253.67),
    "gup.unpin.4k.b512": (124.39, 74.76),
    "truncate.4k.4096": (880.52, 1216.76),
    "punch.4k.4096": (2441.76, 1203.47),
    "munmap.4k.4096": (89.99, 563.66),
    "flush.4k": (1578.95, 1890.23),
    "flush.2m": (262.13, 262.71),
    "wake.put": (1632, 2753),
    "wake.waiter": (6723, 9784),
    "dma.map.4k.b512": (25.6, 32.61),
    "dma.unmap.4k.b512": (4.21, 22.77),
    "dma.map.4k.scattered": (537.1, 844.39),
    "dma.unmap.4k.scattered": (4.22, 22.79),
    "dma.map.2m.b512": (3.01, 2.88),
    "dma.unmap.2m.b512": (3.39, 2.88),
    "dma.waits.4k.b512": (1, 1),
    "dma.waits.4k.scattered": (1, 1),
    "dma.waits.2m.b512": (1, 1),
    "region.pin.4k.b64": (251.31, 258.58),
    "region.unpin.4k.b64": (124.58, 75),
    "region.register.4k.b64": (331.8, 427.95),
    "region.deregister.4k.b64": (177.33, 119.58),
    "fallocate.8g": (53_267_374, 21_476_765),
    "fallocate.8g.remove": (5_776_795, 1_902_309),
    "fallocate.8g.truncate": (5_747_334, 1_867_198),
    "dir.lookup.20000": (3401, 3271),
    "dir.lookup.20000.other": (45430, 33710),
    "dir.lookup.20000.first": (472_566, 515_842),
    "dir.create.20000": (106_912, 84406),
    "pread.4k": (2516, 2626),
    "pread.1m": (133_076, 133_186),
    "pwrite.4k": (3423, 3578),
    "pwrite.1m": (329_823, 346_298),
    "map.1g.4k": (4400.16, 4951.68),
    "map.1g.2m": (394.81, 10.27),
    "fork.1g.4k": (0.27, 0.42),
    "fork.1g.2m": (0.28, 0.43),
    "mount.1t": (95_143_165, 34_065_201),
    "open.10000": (24657.97, 24402.59),
    "open.10000.warm": (4916.4, 4453.32),
    "open.10000.bytes": (2378.54, 2179.89),
    "memremap.1g": (13_956_880, 12_159_836),
    "memremap.16g": (223_949_522, 194_436_669),
    "memremap.64g": (896_153_584, 777_623_691),
    "records.4k.bind": (16_777_728, 16_777_728),
    "records.4k.touched": (16_777_728, 16_777_728),
    "records.2m.bind": (4_227_840, 4_227_584),
    "records.2m.touched": (4_227_840, 4_227_584),
    "records.1g.bind": (43690.67, 43690.67),
    "records.1g.touched": (43690.67, 43690.67),
    "boot": (6_801_186_843, 4_405_724_915),
    "memory.prompt": (208_563_200, 209_112_064),
}
KEPT: Dict[str, Dict[str, float]] = {
    series: {bench: figures[n] for bench, figures in FIGURES.items()}
    for n, series in enumerate(SERIES)}

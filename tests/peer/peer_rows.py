# SPDX-License-Identifier: MIT
"""The rows of the comparison: what each measures, in which scope, and what Holdfast is to reach.

What Holdfast is to reach is the smaller of two: a figure of our own, and a third of what the newest
Linux takes (peer_kept.py).
"""

import math
from dataclasses import dataclass
from typing import Dict, Optional

from peer_kept import KEPT, NEWEST

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Row:
    """`asked`: the largest value that meets our own target; None: there is none, or it depends on
    another row."""

    bench: str
    unit: str
    what: str
    asked: Optional[float] = None
    reach_text: str = ""
    linux_text: str = ""  # stands in Linux's column when there is no figure
    scope: str = ""  # where the two columns do not do quite the same
    twice: str = ""  # the target is two times the value of this row of Holdfast's
    share: int = 3  # the part of the newest Linux that may be taken. 1: as much as the least; 0: any
    least: bool = False  # the part is of the Linux that takes least
    copy: int = 0  # instructions of the bare copy in it, which nobody can save
    linux_copy: int = 0  # and in Linux's

    @property
    def reach(self) -> Optional[float]:
        """What the table judges by; None: nothing to judge by here."""
        limits = [limit for limit in (self.asked, linux_limit(self, KEPT)) if limit is not None]
        return min(limits) if limits else None


def round_down(value: float) -> float:
    """To two digits: a third of a figure that moves in its fourth."""
    if value <= 0:
        return 0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return round(math.floor(value / step + 1e-9) * step, 6)


def linux_limit(row: Row, kept: Dict[str, Dict[str, float]]) -> Optional[float]:
    """What Linux's figures allow. What is bare copy stays, and the rest is divided."""
    if row.share == 0:
        return None
    if row.share == 1 or row.least:
        found = [column[row.bench] for column in kept.values() if row.bench in column]
        part = min(found) / row.share if found else None
        return part if part is None or row.share == 1 else round_down(part)
    newest = kept[NEWEST].get(row.bench)
    if newest is None:
        return None
    rest = (newest - row.linux_copy) / row.share
    return row.copy + math.floor(rest) if row.copy else round_down(rest)


_NEW = "exception in and out included, blocks allocated and written"
_NO_JOURNAL = ("Linux: one system call on ext4, journal handle inside, no commit. Holdfast: a "
               "call, no journal; its metadata is written back and fenced inside")
_BIND = ("Linux: memmap_init_zone_device() and __add_pages() by kretprobe, because the rest waits "
         "for RCU. Holdfast: all of memremap_pages()")
_BESIDE = "none, shown beside it"
_LOOKUP = "Linux: stat(), a system call, hashed directory; names that were found are cached"
_COPY = ("one instruction a word is bare copy on both sides (512 or 131 072) and is not divided; "
         "Linux: a system call")
_WRITE = ("Linux stores past the cache, 2.625 instructions a word (1344 or 344 064); bare copy of "
          "Holdfast's are one a word and three a line for its write-back. Neither is divided")
_MAPPED = "writable, shared, every index entry present"
_POPULATE = "Linux: MAP_POPULATE"
_FORK = ("Linux copies nothing of a shared file mapping, the child faults again; its first "
         "instructions and its exit are not inside")
_SG = ("Linux: dma_map_sg() and dma_unmap_sg() for a PCI device, intel_iommu=on iommu.strict=1; the "
       "list, of {}, is made before. Holdfast: {}")
_ONE = _SG.format("one piece", "a call that names the first page and how many")
_EACH = _SG.format("512 pieces", "a call that is handed an array of 512 pages")
_AWAY = "the way back: afterwards no access of the device arrives there, and the unit has said so"
_REGION = ("Linux: pin_user_pages_fast(), a list of the pages, dma_map_sg(), as its RDMA core does "
           "it; without FOLL_LONGTERM, which it refuses on a DAX file. Holdfast: region_register() "
           "on a mapping with MAP_DIRECT, so with the lease by which the device can be stopped, and "
           "a notifier of the range")
_RECORDS = "bytes of RAM for records per GiB bound"

ROWS = [
    Row("fault.4k.read.present", "insns",
        f"4K read fault on a DAX file, index entry present; {_NEW}", 500),
    Row("fault.4k.write.new", "insns", f"4K write fault, no entry yet; {_NEW}", 800),
    Row("fault.2m.read.new", "insns", f"2M read fault, no entry yet; {_NEW}", 900),
    Row("fault.2m.write.present", "insns", f"2M write fault, entry present; {_NEW}", 600),
    Row("fault.devdax.4k.write", "insns", "4K write fault on a device-dax mapping", 400),
    Row("fault.devdax.2m.write", "insns", "2M write fault on a device-dax mapping", 400),
    Row("gup.get.4k.b1", "insns", "get_user_pages_fast of one 4K page, for writing", 120),
    Row("gup.get.4k.b512", "insns/page", "the same of 512 pages side by side in memory", 16),
    Row("gup.get.4k.scattered", "insns/page", "the same of 512 pages, no two side by side", 24),
    Row("gup.get.2m.b512", "insns/page", "the same of 512 pages of one 2M mapping", 4),
    Row("gup.put.4k.b512", "insns/page", "giving 512 such 4K pages back", 8,
        scope="Linux: put_page() for each. Holdfast: one call for all"),
    Row("gup.put.2m.b512", "insns/page", "giving 512 pages of a 2M mapping back", 1,
        scope="Linux: put_page() for each. Holdfast: one call that names the first page and how "
              "many"),
    Row("gup.put.2m.array.b512", "insns/page", "the same by an array of 512 pointers", None,
        "none, see below", share=0, scope="Holdfast alone: one call for all"),
    Row("gup.pin.4k.b512", "insns/page", "pin_user_pages_fast of 512 pages, for writing", 16),
    Row("gup.unpin.4k.b512", "insns/page", "unpinning them", 8,
        scope="Linux: unpin_user_page() for each, which is cheaper than unpin_user_pages(). "
              "Holdfast: one call for all"),
    Row("truncate.4k.4096", "insns/page", "truncate to 0 of 4096 mapped, dirty 4K pages", 80,
        scope=_NO_JOURNAL),
    Row("punch.4k.4096", "insns/page", "a hole over 4096 mapped, dirty 4K pages", 250,
        scope=_NO_JOURNAL + ". Linux writes the dirty lines back first; Holdfast does not, nobody "
              "can read them any more"),
    Row("munmap.4k.4096", "insns/page", "munmap of 4096 dirty 4K pages of a file", 25),
    Row("flush.4k", "insns/page", "flush of 512 pages, each dirtied through a mapping", 150,
        scope="Linux: sync_file_range(), so that no journal commit is inside. Holdfast: fsync"),
    Row("flush.2m", "insns/page", "the same of 512 pages as one 2M entry, per 4K", 80,
        scope="as flush.4k"),
    Row("wake.put", "insns", "the last put of a page that a truncate waits for", 250),
    Row("wake.waiter", "insns",
        "from before that put until break_layout has returned in the waiter", 1500,
        scope="Linux: return of ext4_break_layouts(), since 6.15 dax_break_layout(), by kretprobe, "
              "whose own cost is taken off; "
              "the putter's return to its program is inside, as its scheduler switches there"),
    Row("truncate.busy", "insns", "truncate of a page that a device still holds", None,
        "≤ 2 × the same of an idle page", "as long as the device", "Linux waits, without an end",
        "truncate.idle"),
    Row("truncate.idle", "insns", "the same truncate of a page that nobody holds", None,
        "none, it is the measure of truncate.busy", "see truncate.4k.4096",
        "Holdfast alone: one page, so a call's fixed part is all of it"),
    Row("dma.map.4k.b512", "insns/page", "a device is let at 512 pages that lie side by side, not at "
        "a 2 MiB boundary", share=5, least=True, scope=_ONE),
    Row("dma.unmap.4k.b512", "insns/page", _AWAY, share=5, least=True, scope=_ONE),
    Row("dma.map.4k.scattered", "insns/page", "the same of 512 pages, no two side by side", share=5,
        least=True, scope=_EACH),
    Row("dma.unmap.4k.scattered", "insns/page", _AWAY, share=5, least=True, scope=_EACH),
    Row("dma.map.2m.b512", "insns/page", "the same of 512 pages side by side from a 2 MiB boundary "
        "on: one entry", share=1, scope=_ONE),
    Row("dma.unmap.2m.b512", "insns/page", _AWAY, share=1, scope=_ONE),
    Row("dma.map.4k.array.b512", "insns/page", "512 pages side by side by an array of 512 pointers",
        None, _BESIDE, share=0, scope="Holdfast alone; Linux's list has one piece"),
    Row("dma.waits.4k.b512", "waits", "times that the unit is told to forget, and waited for: one "
        "map and unmap", 1, share=0, scope="Linux: calls of qi_submit_sync(), by kretprobe"),
    Row("dma.waits.4k.scattered", "waits", "the same of scattered pages", 1, share=0,
        scope="as above"),
    Row("dma.waits.2m.b512", "waits", "the same of one entry", 1, share=0, scope="as above"),
    Row("lease.revoke.4k.512", "insns/page", "a device is thrown out of 512 pages of a file whose "
        "lease is broken: from the word to its holder until the device reaches nothing, less the "
        "break time", None, "none, it is what a revocation costs", "was never merged", share=0,
        scope="Holdfast alone: the revoker's wake, unmapping, TLBs, translation, the unit's answer"),
    Row("region.pin.4k.b64", "insns/page", "64 pages of a file, side by side, are pinned for a device: "
        "get_user_pages alone"),
    Row("region.unpin.4k.b64", "insns/page", "the way back",
        scope="Linux: unpin_user_page() for each. Holdfast: one call for all"),
    Row("region.register.4k.b64", "insns/page", "the same pages are registered with the device: pin, "
        "bus addresses, page tables", scope=_REGION),
    Row("region.deregister.4k.b64", "insns/page", "the way back; the unit has forgotten them",
        scope=_REGION),
    Row("fallocate.8g", "insns", "fallocate of 8 GiB, an empty file on an empty file system",
        324_000_000 / 300, scope=_NO_JOURNAL),
    Row("fallocate.8g.remove", "insns", "unlink of that file and the close of its last user",
        5_700_000 // 300, scope=_NO_JOURNAL),
    Row("fallocate.8g.truncate", "insns", "truncate of such a file to 0", None, _BESIDE, share=0,
        scope="Linux alone"),
    Row("dir.lookup.20000", "insns", "look-up of one name in a directory of 20 000, the same name "
        "again", share=1, scope=_LOOKUP),
    Row("dir.lookup.20000.other", "insns", "the same of a name that nobody asked for since the "
        "mount; the directory's blocks are cached", None, _BESIDE, share=0, scope=_LOOKUP),
    Row("dir.lookup.20000.first", "insns", "the first look-up in that directory after the mount",
        share=1, scope=_LOOKUP),
    Row("dir.create.20000", "insns", "creation of one further name in that directory", share=1,
        scope=_NO_JOURNAL),
    Row("pread.4k", "insns", "read of 4 KiB of a DAX file, blocks written", copy=512,
        linux_copy=512, scope=_COPY),
    Row("pread.1m", "insns", "the same of 1 MiB", copy=131_072, linux_copy=131_072, scope=_COPY),
    Row("pwrite.4k", "insns", "write of 4 KiB to a DAX file, blocks written", copy=512 + 3 * 64,
        linux_copy=1344, scope=_WRITE),
    Row("pwrite.1m", "insns", "the same of 1 MiB", copy=131_072 + 3 * 16_384, linux_copy=344_064,
        scope=_WRITE),
    Row("map.1g.4k", "insns/page", f"mmap, populate and munmap of 1 GiB in 4K; {_MAPPED}",
        scope=_POPULATE),
    Row("map.1g.2m", "insns/page", f"the same in 2M, per 4K; {_MAPPED}", scope=_POPULATE),
    Row("fork.1g.4k", "insns/page", "fork of a process that has 1 GiB mapped in 4K, shared and "
        "populated; until it is back in the parent", scope=_FORK),
    Row("fork.1g.2m", "insns/page", "the same in 2M, per 4K", scope=_FORK),
    Row("mount.1t", "insns", "mount of a clean ext4 of 1 TiB",
        scope="Linux: without -o dax, because its records of 1 TiB would take 16 GiB of RAM; its "
              "journal is looked at. Holdfast: the same image made with -O "
              "^has_journal,^metadata_csum, which it does not write"),
    Row("open.10000", "insns", "open of an existing name, 10 000 of a directory of 20 000, each for "
        "the first time since the mount", scope="Linux: a system call, a descriptor is inside"),
    Row("open.10000.warm", "insns", "the same again", None, _BESIDE, share=0,
        scope="Linux: names and inodes are cached"),
    Row("open.10000.bytes", "bytes", "RAM that one of these open files takes",
        scope="what a kernel keeps of it: name, inode, file"),
    Row("memremap.1g", "insns", "binding 1 GiB with 4K records", 100_000, scope=_BIND),
    Row("memremap.16g", "insns", "binding 16 GiB with 4K records", 100_000, scope=_BIND),
    Row("memremap.64g", "insns", "binding 64 GiB with 4K records", 100_000, scope=_BIND),
    Row("memremap.4t", "insns", "binding 4 TiB with 4K records", 100_000,
        "≤ 100 000 and 4096 page-table entries", "not run: 64 GiB of RAM for records",
        "Holdfast alone, in a machine whose CPU has 46 physical address bits"),
    Row("record.populate", "insns/record", "records of one fresh record page, per record", 12,
        linux_text="made at bind, for every page", scope="Holdfast alone; Linux: see memremap"),
    Row("records.4k.bind", "bytes", f"{_RECORDS}, 4K records, after binding", 0),
    Row("records.4k.touched", "bytes", "the same after every page was used", 8 * MIB, share=0,
        scope="the same. Half of Linux's and not a third: a record has 32 bytes, and 21 would not "
              "hold what it says"),
    Row("records.2m.bind", "bytes", f"{_RECORDS}, compound records of 2M (device-dax), after "
        "binding", 0),
    Row("records.2m.touched", "bytes", "the same after every page was used", 64 * KIB),
    Row("records.1g.bind", "bytes", f"{_RECORDS}, compound records of 1G (device-dax), after "
        "binding", 0),
    Row("records.1g.touched", "bytes", "the same after every page was used", 4 * KIB),
    Row("boot", "insns", "kernel entry to prompt, 1 GiB of persistent memory bound", 30_000_000,
        scope="Linux: from the CPU's reset, so with the firmware (below 1 %), unpacking itself, "
              "idle time, and the shell script that loads its modules"),
    Row("boot.wall", "s",
        "seconds from QEMU's start to the prompt, without -icount, least of three", 0.5),
    Row("memory.prompt", "bytes", "RAM that is not free at the prompt, 1 GiB of persistent memory "
        "bound", 4_000_000,
        scope="of all RAM that the firmware gave to the kernel. Of Holdfast's more than four fifths "
              "are its image, and more than two fifths of that its self-tests, races and benchmarks (1.03 "
              "of 2.35 MB by the linker's map): the row grows with them"),
]
BY_NAME = {row.bench: row for row in ROWS}

# Where Holdfast uses more of something than Linux, and why: (row, kind of count) → reason.
_BARRIER = ("a full barrier (MFENCE) before the look at who has to be told, {}; Linux's full "
            "barrier is a locked ADD, and stands among its atomics")
_BATCH = _BARRIER.format("here at who waits for a locked entry, once for a node of 64 entries")
_WALK = _BARRIER.format("here at who waits for the mount to have no walker")
_WALK_LOCKS = ("the list of mounts is locked twice and the file layer once, two atomics each; Linux "
               "reads its mounts and cached names under RCU")
_REGION_FENCES = ("two SFENCEs order what the unit reads; the others are full barriers (MFENCE) where "
                  "the notifier of the range and the waiters for the lease are looked for, neither of "
                  "which Linux's registration has")
_STORED = "its lines are written back, where Linux stores past the cache"
MORE = {
    ("truncate.4k.4096", "fences"): _BATCH,
    ("punch.4k.4096", "fences"): _BATCH,
    ("flush.4k", "fences"): _BATCH + ". One SFENCE more ends the write-back, which Linux leaves to "
        "a later flush",
    ("wake.put", "fences"): _BARRIER.format("here at who sleeps for the page"),
    ("pwrite.4k", "clwb"): _STORED,
    ("pwrite.1m", "clwb"): _STORED,
    ("dir.lookup.20000", "atomics"): _WALK_LOCKS,
    ("dir.lookup.20000", "fences"): _WALK,
    ("dir.lookup.20000.other", "fences"): _WALK,
    ("dir.lookup.20000.first", "fences"): _WALK,
    ("open.10000", "fences"): _WALK + ". One more as the heap grows",
    ("open.10000.warm", "fences"): _WALK,
    ("mount.1t", "fences"): "none is for the device, which a clean mount does not write: the C "
        "library's memset and memcpy store past the cache from 256 bytes on and end with an SFENCE, "
        "so that nobody finds the memory before its bytes. Four zero the tables of the mount "
        "(itself, groups, zones, inodes held), two copy the sector that would be a partition table, "
        "which is looked at twice",
    ("region.register.4k.b64", "fences"): _REGION_FENCES,
    ("region.deregister.4k.b64", "fences"): _REGION_FENCES,
    ("region.deregister.4k.b64", "clwb"): "one more: the unit's request, which it may read past the "
        "CPU's caches as well",
    ("munmap.4k.4096", "atomics"):
        "one takes the page-table entry away, as in Linux; the other gives back what the mapping "
        "held of its page. Linux 6.1 counts no mapping of a DAX page, which is weakness C-4",
}

_DURABLE = ("there is no journal: what changes of the metadata is written back and fenced before the "
            "call returns, where Linux leaves it to a commit that is not inside")


# Where a target is not reached, and where the rest goes: row → a sentence.
LEFT: Dict[str, str] = {}


def why_more(row: Row, count: str) -> str:
    """Why Holdfast uses more of `count` than Linux in this row."""
    if count in ("clwb", "fences") and row.scope.startswith(_NO_JOURNAL):
        return MORE.get((row.bench, count), _DURABLE)
    return MORE.get((row.bench, count), "nobody has said why yet")


# ---- rows of Holdfast alone: tables of their own ----

LIFETIMES = ("unaware", "lease-poll", "idle-at-one", "zap-to-zero", "counted-map", "refuse-busy",
             "busy-extent")
# lifetime.LT.NAME: (NAME, unit, what it measures)
LIFETIME_ROWS = [
    ("truncate.idle", "insns",
     "truncate to 0 of one page, mapped and stored to, that nobody holds"),
    ("truncate.busy", "insns", "the same while a device holds the page. Of a design that waits: "
     "what the truncating thread itself runs until it sleeps and after it was woken; the holder's "
     "time is not in it"),
    ("punch.idle", "insns", "a hole over one such page that nobody holds"),
    ("punch.busy", "insns", "the same while a device holds it; waiting as above"),
    ("put.last", "insns", "the last put of a page of a file that nothing maps, nobody waits"),
    ("put.last.waiter", "insns", "the same while somebody sleeps for it: who punches the page; "
     "under busy-extent, where nobody waits for a page, who waits for space on a full device"),
    ("put.freed", "insns", "the last put of a page whose block its file has lost; under "
     "busy-extent it gives the block to the allocator"),
    ("held.bytes", "bytes", "RAM of a held page: its record, and what the call that took it keeps"),
    ("poll.wakeups", "wakeups/s", "how often a CPU is woken for one lease in a second of waiting: "
     "the poll, and the sleeper, who looks at the lease every tick"),
    ("poll.looks", "wakeups/s", "the poll's part of it"),
]
GROWTH = {"gup": "get_user_pages_fast of N pages by one call",
          "fault": "4K write faults on N pages, no entry yet",
          "truncate": "one truncate of N mapped pages that were stored to"}
SIZES = tuple(4 ** n for n in range(2, 9))
FLAT = 1.1  # the dearest further page from 64 pages on, over the cheapest
SMP = {"fault": "4K write faults as in `fault.4k.write.new`",
       "gup": "a gup_fast of one page and its put"}
CPUS = (1, 2, 4, 8)
SMP_GROWTH = 1.2  # below it
TLB = [("tlb.page", "INVLPG of a page whose translation is there"),
       ("tlb.all", "a load of CR3 with 512 translations there"),
       ("tlb.load", "a load from a page whose translation is there"),
       ("tlb.refill", "the same load after everything was flushed")]
FAMILIES = [
    ("lifetime.LT.…", "the section *The lifetimes*", "Holdfast alone: seven designs, one machine"),
    ("growth.WORK.4k.N", "the section *Growth*", "Holdfast alone; per page of one section over N"),
    ("smp.WORK.N", "the section *CPUs side by side*", "Holdfast alone, on a machine with 8 CPUs: "
     "ticks of the section by operations of all N CPUs, each on its own file"),
    ("tlb.…", "the section *The TLB*", "Holdfast alone, without -icount: nanoseconds"),
    ("wake.nobody", "a wake for an address that nobody sleeps at", "Holdfast alone; lab 5 asks for it"),
]

/* SPDX-License-Identifier: MIT */
/*
 * The chapters of the book (docs/book), and which files each of them is about.
 *
 * Every file of mm/ and dax/ that refuses something or can panic belongs to one chapter, whose
 * section "What is refused here" lists its sentences. A test holds this table, the files and the
 * pages together (tests/qemu/test_book.py).
 */
#include "dax/dax.h"

BOOK_CHAPTERS(chapters, {1, "01-boot-and-nfit", "what is a page: boot and NFIT"},
	      {2, "02-page-records", "page records and populate"},
	      {3, "03-dax-fault", "page tables and the DAX fault"},
	      {4, "04-fast-gup", "fast gup and its recheck"},
	      {5, "05-wake", "put, wake and the lost wake-up"},
	      {6, "06-break-layouts", "break layouts: truncate that waits"},
	      {7, "07-tlb", "the TLB and the stale mapping"}, {8, "08-two-mib", "entries of 2 MiB"},
	      {9, "09-leases", "leases and MAP_DIRECT against a deaf holder"},
	      {10, "10-iommu", "the IOMMU: cut a device off"},
	      {11, "11-busy-extent", "busy-extent: nobody waits"},
	      {12, "12-crash-safe-metadata", "crash-safe metadata"},
	      {13, "13-idle-at-one", "a design that was shipped: idle-at-one, explain C-2"},
	      {14, "14-zap-to-zero", "a design that was not: zap-to-zero, predict D-1"});

BOOK_PLACES(places, {"boot/", 1}, {"drivers/acpi/", 1}, {"drivers/nfit/", 1}, {"drivers/pmem/", 1},
	    {"mm/init.c", 1}, {"mm/frames/", 1}, {"drivers/pmem/held.c", 2}, {"mm/cmd.c", 2},
	    {"mm/device/", 2}, {"mm/page/", 2}, {"dax/device/device.c", 2},
	    {"dax/device/unbind.c", 2}, {"dax/file/dir.c", 12}, {"dax/file/inode.c", 12},
	    {"dax/file/times.c", 12}, {"dax/file/entry.c", 3}, {"dax/file/fault.c", 3},
	    {"dax/file/index.c", 3}, {"dax/file/map.c", 3}, {"dax/file/private.c", 3},
	    {"dax/file/sector.c", 3}, {"dax/shell/cmd_map.c", 3}, {"dax/shell/cmd_touch.c", 3},
	    {"dax/shell/map_names.c", 3}, {"mm/space/", 3}, {"mm/tables/", 3},
	    {"drivers/clients/", 4}, {"mm/gup/", 4}, {"mm/page/holder.c", 4}, {"drivers/block/", 5},
	    {"drivers/edu/", 5}, {"kernel/sync/", 5}, {"mm/page/page.c", 5}, {"dax/check/", 6},
	    {"dax/file/", 6}, {"dax/lifetime/", 6}, {"dax/shell/", 6}, {"mm/space/notifier.c", 7},
	    {"mm/tables/tlb.c", 7}, {"mm/tables/zap.c", 7}, {"dax/device/devdax.c", 8},
	    {"dax/device/", 8}, {"dax/file/huge.c", 8}, {"mm/gup/gup_huge.c", 8},
	    {"mm/page/folio.c", 8}, {"mm/tables/huge.c", 8}, {"dax/file/direct.c", 9},
	    {"dax/lease/", 9}, {"dax/lifetime/gup_lease.c", 9}, {"dax/lifetime/lease-poll.c", 9},
	    {"dax/shell/cmd_lease.c", 9}, {"drivers/clients/region_lease.c", 9},
	    {"drivers/clients/cmd_vfio.c", 10}, {"drivers/clients/container.c", 10},
	    {"drivers/clients/region", 10}, {"drivers/clients/cmd_region.c", 10},
	    {"drivers/iommu/", 10}, {"dax/file/space.c", 11}, {"dax/lifetime/busy", 11},
	    {"mm/page/busy.c", 11}, {"dax/ext4/", 12}, {"dax/layer/", 12}, {"dax/mount/", 12},
	    {"dax/shell/cmd_mount.c", 12}, {"drivers/pmem/shadow.c", 12},
	    {"dax/lifetime/idle-at-one.c", 13}, {"dax/lifetime/zap-to-zero.c", 14});

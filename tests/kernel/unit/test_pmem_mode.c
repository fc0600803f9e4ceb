/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: a region in device mode (pmem.mode-*), and leases of device-dax (devdax.lease-*).
 * Each gives the scratch device back in raw mode. The blocks themselves:
 * tests/host/test_infoblock.c.
 */
#include "dax/device/internal.h"
#include "tests/kernel/lib/huge.h"

#define RW   (VM_READ | VM_WRITE | VM_SHARED)
#define SOON 20000000ull /* a break time, in ns */
#define DEVICE(r)                                                                                  \
	const char *why_;                                                                          \
	struct pmem_region *r = scratch_for_modes(&why_);                                          \
	if (!r)                                                                                    \
	SKIP("%s", why_)

static uint64_t map(struct pmem_region *r, uint64_t align, uint64_t len)
{
	uint64_t va = 0;

	return devdax_mmap(current_mm(), r, align, 0, len, RW, &va) ? 0 : va;
}

static volatile uint64_t *word(const struct pmem_region *r, uint64_t off)
{
	return (uint64_t *)((char *)r->kaddr + off);
}

/* The data of the namespace begin behind the block: where is the first page of the mapping? */
static const char *try_mode(struct pmem_region *r, uint32_t align, unsigned level)
{
	const uint64_t other = align == PAGE_SIZE ? PMD_SIZE : PAGE_SIZE;
	const char *wrong = NULL;
	uint64_t va, data, len;
	int mount;

	if (dax_device_set_mode(r, align, false))
		return refusal();
	data = r->info.data;
	len = ALIGN_DOWN(r->info.end - data, (uint64_t)align); /* a piece of a page is not mapped */
	*word(r, data) = 4711;
	*word(r, data + len - 8) = 4712;
	mount = dax_device_mount(r);
	if (!mount) {
		dax_device_umount(r);
		wrong = "it can be mounted";
	}
	if (map(r, other, other) || !strstr(refusal(), "device mode"))
		return "it is mapped by pages of another size";
	va = map(r, align, DEVDAX_ALL);
	if (!va)
		return refusal();
	if (data < 2 * PAGE_SIZE || (r->start + data) % align)
		wrong = "the data begin at an odd place";
	else if (*(volatile uint64_t *)va != 4711 || *(volatile uint64_t *)(va + len - 8) != 4712)
		wrong = "the mapping does not show the data, from the first byte to the last";
	else if (level_at(va) != level || r->pgmap.vmemmap_shift != 9 * (level - 1))
		wrong = "its pages or its records have another size";
	mm_unmap(current_mm(), va, len);
	if (r->pgmap.type != PGMAP_GENERIC)
		wrong = "after the last unmap it is no device any more";
	return wrong;
}

SELFTEST(pmem_mode_device, "pmem.mode-device",
	 "a region in device mode is mapped by pages of its block's size, from its data on, and by "
	 "no others, is not mounted, and keeps its mode when it is bound anew; in raw mode it is "
	 "mounted")
{
	static const uint32_t aligns[] = {PAGE_SIZE, PMD_SIZE, PUD_SIZE};
	const char *wrong = NULL;
	int raw, again;

	DEVICE(r);
	for (unsigned i = 0; i < 3 && !wrong; i++) {
		if (i == 2 && (!cpu_features.page1g || r->len < 4 * GIB))
			break; /* the default machine has both */
		wrong = try_mode(r, aligns[i], i + 1);
		pmem_unbind(r);
		if (pmem_bind(r) || r->info.mode != PMEM_DEVDAX || r->info.align != aligns[i])
			wrong = "bound anew it has another mode";
		raw = dax_device_set_mode(r, 0, false);
		if (raw || r->info.mode != PMEM_RAW)
			wrong = "the block does not go away";
	}
	EXPECT(!wrong, "%s", wrong);
	FIXTURE(fx, LIFETIME_DEFAULT);
	again = fx_map(&fx, "f", 1, 'a') != 0;
	fixture_end(&fx);
	EXPECT(again, "no file afterwards");
}

/* What is refused, and changes no byte of the first 8 KiB. */
static int refused(struct pmem_region *r, uint32_t align, const char *word_of_it)
{
	uint64_t before[2] = {*word(r, 0), *word(r, INFO_AT)};
	int err = dax_device_set_mode(r, align, false);

	if (before[0] != *word(r, 0) || before[1] != *word(r, INFO_AT))
		return 0;
	return err && strstr(refusal(), word_of_it) ? err : 0;
}

SELFTEST(pmem_mode_refused, "pmem.mode-refused",
	 "a mode is not changed while the region is mapped, mounted or pinned, or over something "
	 "known unless forced; a refusal changes no byte")
{
	int mapped, pinned, mounted, raw, known = 0, forced = 0;
	struct page *p = NULL;
	bool scratch;
	uint64_t va;

	DEVICE(r);
	va = map(r, PMD_SIZE, PMD_SIZE);
	EXPECT(va && get_user_pages_fast(va, 1, PIN, &p) == 1, "%s", refusal());
	mapped = refused(r, PMD_SIZE, "mapped as a device");
	mm_unmap(current_mm(), va, PMD_SIZE);
	pinned = refused(r, PMD_SIZE, "is held");
	unpin_user_pages(&p, 1);
	{
		FIXTURE(fx, LIFETIME_DEFAULT);
		mounted = refused(r, PMD_SIZE, "is mounted");
		fixture_end(&fx);
	}
	raw = refused(r, 0, "raw mode");
	scratch = r->scratch;
	r->scratch = false;
	memcpy(r->kaddr, "XFSB", 4);
	known = refused(r, PMD_SIZE, "XFS (at 0x0)");
	forced = dax_device_set_mode(r, PMD_SIZE, true);
	r->scratch = scratch;
	dax_device_set_mode(r, 0, false);
	EXPECT(mapped == -EBUSY && pinned == -EBUSY && mounted == -EBUSY,
	       "mapped %d, pinned %d, mounted %d", mapped, pinned, mounted);
	EXPECT(raw == -EINVAL && known == -EPERM && !forced, "raw %d, known %d, forced %d", raw,
	       known, forced);
	EXPECT(!*word(r, 0), "what was announced is still there");
}

SELFTEST(pmem_mode_damaged, "pmem.mode-damaged",
	 "a block with a wrong sum is none; one with a right sum that cannot be used keeps mounts "
	 "and mappings away, with its reason, until it is taken away")
{
	bool none, kept, mapped;
	int mount, away;
	uint64_t va;

	DEVICE(r);
	EXPECT(!dax_device_set_mode(r, PMD_SIZE, false), "%s", refusal());
	*word(r, INFO_AT + 16) ^= 1;
	pmem_read_info(r);
	none = r->info.mode == PMEM_RAW && !*r->info_why;
	*word(r, INFO_AT + 16) ^= 1;
	*word(r, INFO_AT + 56) += PAGE_SIZE; /* the data, within a page of 2 MiB */
	*word(r, INFO_AT + 4088) = 0;
	*word(r, INFO_AT + 4088) = nfit_fletcher64((char *)r->kaddr + INFO_AT, INFO_BYTES);
	pmem_read_info(r);
	kept = r->info.mode == PMEM_RAW && strstr(r->info_why, "align");
	mount = dax_device_mount(r);
	va = map(r, PMD_SIZE, PMD_SIZE);
	mapped = va || !strstr(refusal(), "cannot be used");
	away = dax_device_set_mode(r, 0, false);
	EXPECT(none && kept, "wrong sum %d, wrong place %d: %s", none, kept, r->info_why);
	EXPECT(mount == -EINVAL && !mapped && !away, "mounted %d, mapped %d, taken away %d", mount,
	       mapped, away);
}

/* ---- leases of clients --------------------------------------------------------------------- */

/* A client that holds a page of the device, and is deaf. */
static struct {
	struct direct_lease lease;
	struct page *page;
	uint64_t va;
	unsigned told, revoked;
	bool mapped; /* at the revoke, was the page still mapped? */
} client;

static void client_told(struct direct_lease *l)
{
	(void)l;
	client.told++;
}

static void client_revoke(struct direct_lease *l)
{
	(void)l;
	client.mapped = client.page && page_maps(page_to_record(client.page));
	unpin_user_pages(&client.page, 1);
	client.revoked++;
}

static const struct direct_lease_ops client_ops = {
	.what = "a test's client", .told = client_told, .revoke = client_revoke};

static int take_lease(uint64_t va)
{
	struct mm *mm = current_mm();
	int err;

	memset(&client, 0, sizeof(client));
	client.lease.ops = &client_ops;
	client.va = va;
	down_read(&mm->mmap_lock);
	err = direct_lease_take(mm_find_vma(mm, va), &client.lease);
	up_read(&mm->mmap_lock);
	return err;
}

/* Breaks it: devdax_remove() that breaks no lease (the pin is waited for, for ever), or breaks it
 * behind the unmapping. */
SELFTEST(devdax_lease_unbind, "devdax.lease-unbind",
	 "a device gives a lease without one of its mapping's; when it is removed, the holder is "
	 "told, revoked once the break time is over, then the mappings die, and the pin was not "
	 "waited for")
{
	const uint64_t before = lease_break_time_ns;
	int taken, unbound = 0, fault = 0;
	uint64_t va, v;

	DEVICE(r);
	va = map(r, PMD_SIZE, PMD_SIZE);
	EXPECT(va, "%s", refusal());
	*at(va) = 'l';
	taken = take_lease(va);
	if (!taken && get_user_pages_fast(va, 1, PIN | FOLL_LONGTERM, &client.page) == 1) {
		lease_break_time_ns = SOON;
		unbound = dax_unbind(r, true);
		fault = load_checked((uint64_t *)va, &v);
		lease_break_time_ns = before;
		direct_lease_end(&client.lease);
	}
	mm_unmap(current_mm(), va, PMD_SIZE);
	EXPECT(!pmem_bind(r), "%s", refusal());
	EXPECT(!taken && !unbound && fault == -EFAULT, "lease %d, unbound %d, a fault %d", taken,
	       unbound, fault);
	EXPECT(client.told == 1 && client.revoked == 1 && client.mapped,
	       "told %u, revoked %u, mapped at the revoke: %d", client.told, client.revoked,
	       client.mapped);
}

/* Breaks it: a lease that is set without a look at the region's state. */
SELFTEST(devdax_lease_killed, "devdax.lease-killed",
	 "killing a device begins to break its leases, and waits for nobody; of a killed device "
	 "there is no lease (-ENXIO), and of a revived one there is")
{
	struct dax_device *d;
	int taken, late, again;
	unsigned told;
	uint64_t va;

	DEVICE(r);
	d = dax_device_of(r);
	va = map(r, PMD_SIZE, PMD_SIZE);
	EXPECT(va, "%s", refusal());
	taken = take_lease(va);
	pmem_kill(r);
	told = client.told;
	if (!taken)
		direct_lease_end(&client.lease);
	late = take_lease(va);
	if (!late)
		direct_lease_end(&client.lease);
	pmem_revive(r);
	again = take_lease(va);
	if (!again)
		direct_lease_end(&client.lease);
	mm_unmap(current_mm(), va, PMD_SIZE);
	EXPECT(!taken && told == 1 && late == -ENXIO && !again,
	       "lease %d, told %u; of a killed device %d, of a revived one %d", taken, told, late,
	       again);
	EXPECT(!lease_count(&d->leases, LEASE_ALL) && !client.revoked, "%u leases left",
	       lease_count(&d->leases, LEASE_ALL));
}

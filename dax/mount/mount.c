/* SPDX-License-Identifier: MIT */
/*
 * Mounts: a pmem region, an ext4 on it, a lifetime, a place in the tree of names.
 *
 * The lifetime belongs to the device from the first mount on: its records rest at that design's
 * count. Another design may take over only while every record is at rest; otherwise the mount is
 * refused and says who holds what.
 */
#include "dax/file/internal.h"
#include "dax/mount/internal.h"
#include "dax/device/internal.h"

static uint64_t mounts_begun; /* atomic */

/* What the device's records were made for, to put back when a mount fails. */
struct rest_rules {
	const struct pgmap_ops *ops;
	uint32_t rest;
	bool mapped_holds, forgets_references, forgets_mappings;
};

/* Makes every record of the device rest as the rules say; -EBUSY: one is held, and *held is it. */
static int set_rest_rules(struct pgmap *pgmap, const struct rest_rules *c, struct page **held)
{
	if (pgmap_set_rest(pgmap, c->rest, held))
		return -EBUSY;
	pgmap->mapped_holds = c->mapped_holds;
	pgmap->forgets_references = c->forgets_references;
	pgmap->forgets_mappings = c->forgets_mappings;
	page_any_deaf |= c->ops && c->ops->deaf;
	pgmap->ops = c->ops;
	return 0;
}

/* The device's records get the lifetime's resting count and its waker; *before is what they had. A
 * device that had this lifetime keeps what is held and what is busy (F-7). */
static int take_lifetime(struct pmem_region *region, const struct lifetime *lt,
			 struct rest_rules *before)
{
	const struct rest_rules next = {&lt->pgmap_ops, lt->rest, lt->mapped_holds,
					lt->unbind == UNBIND_WAITS_FOR_MAPPINGS ||
						lt->unbind == UNBIND_WAITS_FOR_NOBODY,
					lt->unbind == UNBIND_WAITS_FOR_NOBODY};
	struct pgmap *pgmap = &region->pgmap;
	struct page *held = NULL;
	char who[200], text[40];

	*before = (struct rest_rules){pgmap->ops, pgmap->rest, pgmap->mapped_holds,
				      pgmap->forgets_references, pgmap->forgets_mappings};
	if (pgmap->ops == next.ops || !set_rest_rules(pgmap, &next, &held))
		return 0;
	holders_describe(held, who, sizeof(who));
	return refuse(-EBUSY,
		      "%s: pfn 0x%lx is %s (%u references, %u mappings, rest %u) by %s; its "
		      "lifetime cannot change to %s before they let go",
		      region->name, page_to_pfn(held),
		      page_state(held) & PAGE_BUSY ? "busy: freed by its file, and held" : "held",
		      page_refs(held), page_maps(held), pgmap->rest, who,
		      lifetime_text(lt, text, sizeof(text)));
}

bool dax_block_blocked(const struct dax_fs *fs, uint64_t pfn)
{
	return fs->lifetime->idle_run && !fs->lifetime->idle_run(fs, pfn, 1);
}

/* ---- what a mount is refused for ---- */

static bool takes_longterm(const struct lifetime *lt)
{
	return lt->longterm_allowed;
}

static bool takes_sectors(const struct lifetime *lt)
{
	return lt->sectors_allowed;
}

static bool takes_limited(const struct lifetime *lt)
{
	return lt->needs_no_records;
}

static int check_options(const struct pmem_region *region, const struct lifetime *lt,
			 const struct mount_options *o)
{
	if (o->longterm && !takes_longterm(lt))
		return refuse(-EINVAL,
			      "longterm=allow needs lifetime=%s: with %s a pin without an end "
			      "would make truncate wait without an end",
			      lifetime_with(takes_longterm), lt->name);
	if (o->sectors && !takes_sectors(lt))
		return refuse(-EINVAL,
			      "entries=sectors is of lifetime=%s only; %s stores page frames",
			      lifetime_with(takes_sectors), lt->name);
	if (o->sectors && !sector_can_name(region))
		return refuse(-EINVAL,
			      "entries=sectors has room for the numbers of 4096 regions; %s is "
			      "beyond them",
			      region->name);
	return 0;
}

static struct dax_fs *fs_new(struct pmem_region *region, const char *path,
			     const struct lifetime *lt, const struct mount_options *o)
{
	struct dax_fs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	fs->serial = __atomic_add_fetch(&mounts_begun, 1, __ATOMIC_RELAXED);
	fs->region = region;
	fs->lifetime = lt;
	fs->longterm = o->longterm;
	fs->sectors = o->sectors;
	fs->ops = o->ops ? o->ops : dax_layer_find(LAYER_DEFAULT);
	mutex_init(&fs->lock, "file layer");
	LIST_INIT(&fs->inodes);
	snprintf(fs->path, sizeof(fs->path), "%s", path);
	return fs;
}

/* The device is the file system's; its records have its lifetime, its contents are looked at. */
static int mount_taken(struct dax_fs *fs, const struct mount_options *o)
{
	struct pmem_region *region = fs->region;
	struct rest_rules before = {0};
	struct page *held;
	int err = pmem_is_limited(region) ? 0 : take_lifetime(region, fs->lifetime, &before);

	if (err)
		return err;
	err = fs->ops->barred ? fs->ops->barred(region) : 0;
	if (!err)
		err = fs->ops->mount(fs, o);
	if (!err)
		return 0;
	/* Nothing was faulted in meanwhile: what was at rest still is. */
	if (!pmem_is_limited(region) && before.ops != region->pgmap.ops)
		set_rest_rules(&region->pgmap, &before, &held);
	return refuse(err, "%s: %s", region->name, refusal());
}

/* DAX needs page records behind the whole region, or none at all and nobody who asks for them. */
static int check_records(const struct dax_fs *fs)
{
	const struct pmem_region *r = fs->region;

	if (!pmem_is_limited(r))
		return dax_probe(&r->pgmap, r->start >> PAGE_SHIFT, r->len >> PAGE_SHIFT)
			       ? refuse(-EOPNOTSUPP, "%s: %s", r->name, refusal())
			       : 0;
	if (takes_limited(fs->lifetime))
		return 0;
	return refuse(-EOPNOTSUPP,
		      "%s is limited: it has no page records for lifetime=%s to count in; only "
		      "%s needs none",
		      r->name, fs->lifetime->name, lifetime_with(takes_limited));
}

/* COMING: nobody else is at it, and no lock is held. */
static int mount_new(struct dax_fs *fs, const struct mount_options *o)
{
	int err = dax_device_mount(fs->region);

	if (err)
		return err;
	err = check_records(fs);
	if (!err)
		err = mount_taken(fs, o);
	if (err)
		dax_device_umount(fs->region);
	return err;
}

static int mount_on(struct dax_fs *fs, const struct mount_options *o)
{
	int err = mount_enter(fs);

	if (err)
		return err;
	err = mount_new(fs, o);
	if (err) {
		mount_remove(fs);
		return err;
	}
	fs->region->pgmap.owner = fs;
	mount_lives(fs);
	return 0;
}

int dax_mount_with(struct pmem_region *region, const char *path, const struct lifetime *lt,
		   const struct mount_options *options, struct dax_fs **out)
{
	static const struct mount_options none;
	const struct mount_options *o = options ? options : &none;
	int err = check_options(region, lt, o);
	struct dax_fs *fs;

	if (err)
		return err;
	fs = fs_new(region, path, lt, o);
	if (!fs)
		return refuse(-ENOMEM, "no memory for a mount");
	err = mount_on(fs, o);
	if (err)
		free(fs);
	else if (out)
		*out = fs;
	return err;
}

int dax_mount(struct pmem_region *region, const char *path, const struct lifetime *lt,
	      struct dax_fs **out)
{
	return dax_mount_with(region, path, lt, NULL, out);
}

/* ---- a mount leaves ------------------------------------------------------------------------- */

/* -EBUSY, and who it is, if somebody uses a file. The sentence is made under the lock: the file may
 * go with its last user a moment later. */
static int refuse_open(struct dax_fs *fs)
{
	struct dax_inode *inode;
	int err = 0;

	mutex_lock(&fs->lock);
	LIST_FOREACH (inode, &fs->inodes, link)
		if (inode->refs)
			break;
	if (inode && lease_count(&inode->leases, LEASE_ALL))
		err = refuse(-EBUSY,
			     "%s has %u open(s), mapping(s) or leases ('lease' lists those); "
			     "'unmap' and 'lease drop' them first",
			     inode->name, inode->refs);
	else if (inode)
		err = refuse(-EBUSY, "%s has %u open(s) or mapping(s); 'unmap' them first",
			     inode->name, inode->refs);
	mutex_unlock(&fs->lock);
	return err;
}

/* Files, holders, the file layer. Nobody but us is at it; no lock is held. */
static int empty(struct dax_fs *fs)
{
	struct dax_inode *inode;
	int err;

	if (fs->lifetime->settle)
		fs->lifetime->settle(fs);
	err = refuse_open(fs);
	if (err)
		return err;
	/* Stores through mappings that are gone by now become durable, as at any umount. */
	while ((inode = LIST_FIRST(&fs->inodes))) {
		dax_fsync(inode);
		inode_drop(inode);
	}
	err = fs->ops->unmount(fs);
	return err ? refuse(err, "%s: %s", fs->path, refusal()) : 0;
}

int dax_umount(const char *path)
{
	struct dax_fs *fs;
	int err = mount_leaves(path, &fs);

	if (err)
		return err;
	err = empty(fs);
	if (err) {
		mount_lives(fs);
		return err;
	}
	fs->region->pgmap.owner = NULL;
	dax_device_umount(fs->region);
	mount_remove(fs); /* last: until then the region and the path are taken */
	free(fs);
	return 0;
}

static int umount_everything(void)
{
	char path[sizeof(((struct dax_fs *)NULL)->path)];

	while (mount_first(path, sizeof(path))) {
		int err = dax_umount(path);

		if (!err)
			continue;
		kprintf("poweroff: %s stays mounted: %s\n", path, refusal());
		return err;
	}
	return 0;
}

static int dax_init(const struct boot_info *bi)
{
	(void)bi;
	shell_at_poweroff(umount_everything, "unmount");
	return 0;
}
INITCALL(INIT_DAX, dax, "dax file layer", dax_init);

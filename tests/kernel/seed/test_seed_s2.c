/* SPDX-License-Identifier: MIT */
/*
 * Seed tests, series s2: "vfio: disable filesystem-dax page pinning" v5 (March 2018), patches 1 to
 * 11: which inode is on DAX, and of which kind.
 *
 * Several of the patches are about builds without one of the two kinds. This kernel is built with
 * both; what the predicates are in other builds is asked of the same macros with a feature turned
 * off (tests/kernel/lib/kinds.c), and that device-dax needs no file layer is seen by the linker's
 * eyes (tests/qemu/test_floors.py).
 */
#include "tests/kernel/lib/kinds.h"
#include "tests/kernel/lib/tinyfs.h"
#include "dax/file/internal.h"
#include "tests/kernel/seed/seed.h"

#define RW (VM_READ | VM_WRITE | VM_SHARED)

static struct kind_object o; /* one test at a time */

#define OBJECT(kind)                                                                               \
	const char *why_ = kind_start(&o, kind);                                                   \
	if (why_) {                                                                                \
		kind_end(&o);                                                                      \
		SKIP("%s", why_);                                                                  \
	}

/* Breaks it: museum whole-mode. */
SELFTEST(seed_s2_01, "seed.s2.01",
	 "a device whose mode is 020600 is no file on DAX, and a long-term pin of its page is "
	 "allowed, fast and slow")
{
	struct page *p[2] = {NULL};
	unsigned says, mode;
	long fast, slow;

	OBJECT(KIND_DEVDAX);
	says = kind_says(o.va, BUILD_BOTH);
	down_read(&current_mm()->mmap_lock);
	mode = mm_find_vma(current_mm(), o.va)->mapping->i_mode;
	up_read(&current_mm()->mmap_lock);
	fast = get_user_pages_fast(o.va, 1, PIN | FOLL_LONGTERM, &p[0]);
	unpin_user_pages(&p[0], MAX(fast, 0));
	slow = get_user_pages(current_mm(), o.va, 1, PIN | FOLL_LONGTERM, &p[1]);
	unpin_user_pages(&p[1], MAX(slow, 0));
	kind_end(&o);
	EXPECT(mode == 020600, "its mode is 0%o", mode);
	EXPECT(!(says & SAYS_VMA_IS_FSDAX), "it passes for a file");
	EXPECT(fast == 1 && slow == 1, "pinned for long: fast %ld, slow %ld", fast, slow);
}

/* What the five say of an object that is of the kind which `built` has. */
static const struct {
	unsigned file, device;
} in_build[BUILDS] = {
	[BUILD_BOTH] = {SAYS_S_DAX | SAYS_IS_FSDAX | SAYS_VMA_IS_DAX | SAYS_VMA_IS_FSDAX,
			SAYS_S_DAX | SAYS_IS_DEVDAX | SAYS_VMA_IS_DAX},
	[BUILD_FILES] = {SAYS_S_DAX | SAYS_IS_FSDAX | SAYS_VMA_IS_DAX | SAYS_VMA_IS_FSDAX,
			 SAYS_S_DAX | SAYS_VMA_IS_DAX},
	[BUILD_DEVICES] = {SAYS_S_DAX | SAYS_VMA_IS_DAX,
			   SAYS_S_DAX | SAYS_IS_DEVDAX | SAYS_VMA_IS_DAX},
	[BUILD_NEITHER] = {0, 0},
};

/* Breaks it: museum dax-flag-of-files, or a predicate that forgets its feature. */
SELFTEST(seed_s2_02, "seed.s2.02",
	 "no object is IS_FSDAX and IS_DEVDAX at once, in any build; a predicate whose feature is "
	 "not built is false, and of what is not on DAX nothing is ever true")
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		unsigned says[BUILDS] = {0};
		const char *why = kind_start(&o, kind);

		for (unsigned b = 0; !why && b < BUILDS; b++)
			says[b] = kind_says(o.va, b);
		kind_end(&o);
		if (why)
			SKIP("%s: %s", kind_name[kind], why);
		for (unsigned b = 0; b < BUILDS; b++) {
			unsigned want = kind == KIND_FSDAX    ? in_build[b].file
					: kind == KIND_DEVDAX ? in_build[b].device
							      : 0;

			EXPECT(says[b] == want, "build %u, %s: 0x%x, not 0x%x", b, kind_name[kind],
			       says[b], want);
		}
	}
}

static char said[200];

/* A truncate that forgot the fault lock. */
static void delete_unlocked(void *inode)
{
	assert_expect(said, sizeof(said));
	entries_delete(inode, 0, DAX_TO_END);
	assert_expect(NULL, 0);
}

/* Breaks it: entries_delete() without its assertion. */
SELFTEST(seed_s2_03, "seed.s2.03",
	 "taking entries out of a file's index without holding its fault lock for writing trips an "
	 "assertion that names the lock, and changes nothing")
{
	struct thread *careless;
	bool mapped, kept;

	FIXTURE(fx, LIFETIME_DEFAULT);
	mapped = fx_map(&fx, "f", 1, 'a') && *at(fx.va[0]) == 'a';
	said[0] = '\0';
	careless = mapped ? thread_create("careless", delete_unlocked, fx.inode[0], 0) : NULL;
	if (careless)
		thread_join(careless);
	kept = mapped && seed_entry(fx.inode[0], 0);
	fixture_end(&fx);
	EXPECT(strstr(said, "fault_lock") && strstr(said, "for writing"), "it said '%s'", said);
	EXPECT(kept, "the entry is gone");
}

/* Is the predicate a constant where its feature is off, so that the compiler drops what asks? */
#undef FS_DAX
#define FS_DAX 0
static bool files_are_dropped(const struct vma *vma)
{
	return __builtin_constant_p(IS_FSDAX(vma->mapping)) &&
	       __builtin_constant_p(vma_is_fsdax(vma)) && !IS_FSDAX(vma->mapping) &&
	       !vma_is_fsdax(vma);
}
#undef FS_DAX
#define FS_DAX 1

/* Breaks it: a predicate that looks at the object before it looks at its feature. */
SELFTEST(
	seed_s2_04, "seed.s2.04",
	"where files on DAX are not built, whether something is one is the constant false, so what "
	"asks needs no other case")
{
	const struct vma vma = {.flags = VM_SHARED};

	EXPECT(files_are_dropped(&vma), "the compiler does not know the answer");
}

/* Breaks it: a mount that lets its layer look before it knows whether the region can do DAX. */
SELFTEST(seed_s2_05, "seed.s2.05",
	 "while a region is used as a device no operation of ext4 is reached: a mount is refused "
	 "before the layer sees it, and bytes that look like an ext4 stay as they are")
{
	uint64_t before, after;
	const char *why = NULL;
	struct pmem_region *r = scratch_region(&why);
	uint64_t va = 0;
	int err;

	if (!r)
		SKIP("%s", why);
	FIXTURE(fx, LIFETIME_DEFAULT); /* leaves a file system behind */
	fixture_end(&fx);
	EXPECT(!devdax_mmap(current_mm(), r, PAGE_SIZE, 0, PMD_SIZE, RW, &va), "%s", refusal());
	before = *(volatile uint64_t *)(va + 0x438);
	err = dax_mount(r, SCRATCH_PATH, LIFETIME_DEFAULT, NULL);
	after = *(volatile uint64_t *)(va + 0x438);
	mm_unmap(current_mm(), va, PMD_SIZE);
	EXPECT(err == -EBUSY && strstr(refusal(), "mapped as a device"), "%d: %s", err, refusal());
	EXPECT(before == after, "0x%lx became 0x%lx", before, after);
}

/* A file on DAX is mapped by entries; the same file, were it not on DAX, is read and written, and
 * not mapped. NULL, or what is wrong. */
static const char *asks_for_files(struct dax_inode *f)
{
	const uint16_t flags = f->mapping.i_flags;
	const char *wrong = NULL;
	uint64_t va = 0;
	char c = 'w';

	if (dax_write(f, 0, &c, 1) != 1 || dax_mmap(current_mm(), f, 0, 1, true, &va))
		return "a file on DAX is not mapped";
	if (*at(va) != 'w' || !seed_entry(f, 0))
		wrong = "a fault of a file on DAX makes no entry";
	mm_unmap(current_mm(), va, PAGE_SIZE);
	f->mapping.i_flags = 0;
	for (unsigned private = 0; private < 2 && !wrong; private ++) {
		va = 0;
		if (!(private ? dax_mmap_private : dax_mmap)(current_mm(), f, 0, 1, true, &va)) {
			mm_unmap(current_mm(), va, PAGE_SIZE);
			wrong = private ? "one that is not on DAX is mapped private"
					: "one that is not on DAX is mapped shared";
		} else if (!strstr(refusal(), "not on DAX")) {
			wrong = "one that is not on DAX is refused for another reason";
		}
	}
	if (!wrong && (dax_write(f, 0, "v", 1) != 1 || dax_read(f, 0, &c, 1) != 1 || c != 'v'))
		wrong = "one that is not on DAX cannot be read and written";
	f->mapping.i_flags = flags;
	return wrong;
}

/* Breaks it: dax_mmap() that does not ask, or a fault of a device that goes by a file's entries. */
SELFTEST(seed_s2_06, "seed.s2.06",
	 "file code asks for files on DAX: of the tiny layer such a file is mapped by its entries, "
	 "and one that is not on DAX is refused; a device's fault makes no entry of any file")
{
	const char *why = NULL, *wrong;
	const struct page *record;
	struct dax_inode *f;
	struct dax_fs *fs;
	struct page *p;

	if (!scratch_region(&why))
		SKIP("%s", why);
	EXPECT(!tiny_mount(LIFETIME_DEFAULT, &fs, &why), "%s", why);
	f = tiny_file(fs, "f", 1);
	wrong = f ? asks_for_files(f) : "no file";
	if (f)
		dax_put(f);
	tiny_umount();
	EXPECT(!wrong, "%s", wrong);
	OBJECT(KIND_DEVDAX);
	*at(o.va) = 'd';
	p = seed_pin(o.va);
	record = p ? page_to_record(p) : NULL;
	why = !record ? "no page" : record->mapping ? "the page names a file" : NULL;
	if (p)
		unpin_user_pages(&p, 1);
	kind_end(&o);
	EXPECT(!why, "a device: %s", why);
}

SELFTEST(seed_s2_07, "seed.s2.07",
	 "file code asks for files on DAX: an ext4 file is mapped by its entries, shared and "
	 "private, and read and written alone if it is not on DAX")
{
	const char *wrong;
	struct dax_inode *f;

	FIXTURE(fx, LIFETIME_DEFAULT);
	f = scratch_file("f", 1, 'a');
	wrong = f ? asks_for_files(f) : "no file";
	if (f)
		dax_put(f);
	fixture_end(&fx);
	EXPECT(!wrong, "%s", wrong);
}

/* Breaks it: two_files() that does not ask. */
SELFTEST(seed_s2_08, "seed.s2.08",
	 "sharing blocks between a file on DAX and one that is not is refused (-EINVAL), whichever "
	 "comes first, and so is an exchange; between two of a kind it is done")
{
	int there = 0, back = 0, swap = 0, alike = -1;
	const char *why = NULL;
	struct dax_inode *a, *b;
	struct dax_fs *fs;

	if (!scratch_region(&why))
		SKIP("%s", why);
	EXPECT(!tiny_mount(LIFETIME_DEFAULT, &fs, &why), "%s", why);
	a = tiny_file(fs, "a", 1);
	b = tiny_file(fs, "b", 1);
	if (a && b && dax_write(a, 0, "s", 1) == 1) {
		b->mapping.i_flags = 0;
		there = dax_reflink(a, 0, b, 0, PAGE_SIZE);
		back = dax_reflink(b, 0, a, 0, PAGE_SIZE);
		swap = dax_exchange(a, 0, b, 0, PAGE_SIZE);
		b->mapping.i_flags = a->mapping.i_flags;
		alike = dax_reflink(a, 0, b, 0, PAGE_SIZE);
	}
	if (a)
		dax_put(a);
	if (b)
		dax_put(b);
	tiny_umount();
	EXPECT(there == -EINVAL && back == -EINVAL && swap == -EINVAL,
	       "shared: %d, the other way %d; exchanged: %d", there, back, swap);
	EXPECT(!alike, "two files on DAX: %d, %s", alike, refusal());
}

/* Breaks it: advice that is refused on a device or changes what it shows, or a place that is not
 * aligned. */
SELFTEST(seed_s2_09, "seed.s2.09",
	 "advice about large pages is accepted on a device and on a file alike, and changes "
	 "nothing; both get addresses at multiples of 2 MiB; 'either kind' is one look at one flag")
{
	enum { NO, YES, FORGET, ADVICES };
	static const enum mm_advice advice[] = {MM_NO_HUGE, MM_HUGE, MM_DONT_NEED};
	const char *wrong = NULL;
	uint64_t file;

	FIXTURE(fx, LIFETIME_DEFAULT);
	file = map_huge(&fx, "f", 1);
	if (!file || !IS_ALIGNED(file, PMD_SIZE) || level_at(file) != 2)
		wrong = "2 MiB of a file are not at a multiple of 2 MiB, or by single pages";
	fixture_end(&fx);
	EXPECT(!wrong, "%s", wrong);
	OBJECT(KIND_DEVDAX);
	*at(o.va) = 'd';
	for (unsigned i = 0; i < ADVICES && !wrong; i++) {
		int err = mm_advise(current_mm(), o.va, PMD_SIZE, advice[i]);

		if (err)
			wrong = "advice is refused";
		else if (level_at(o.va) != (i == FORGET ? 0 : 2))
			wrong = "advice changed what is mapped";
		else if (*at(o.va) != 'd' || level_at(o.va) != 2)
			wrong = "an access after advice";
	}
	if (!IS_ALIGNED(o.va, PMD_SIZE))
		wrong = "its address is not a multiple of 2 MiB";
	if (!(kind_says(o.va, BUILD_FILES) & SAYS_VMA_IS_DAX))
		wrong = "'either kind' asks for the features of both";
	kind_end(&o);
	EXPECT(!wrong, "a device: %s", wrong);
}

/* Breaks it: a macro IS_DAX. A predicate by another name is found in the sources (words.py). */
SELFTEST(seed_s2_10, "seed.s2.10",
	 "there is no predicate for DAX that does not say of which kind, or of a VMA: no IS_DAX, "
	 "here or, as a look at all sources in `make test` says, by another name")
{
#ifdef IS_DAX
	const bool ambiguous = true;
#else
	const bool ambiguous = false;
#endif

	EXPECT(!ambiguous, "IS_DAX is defined");
}

/* Breaks it: museum dax-flag-of-files. */
SELFTEST(seed_s2_11, "seed.s2.11",
	 "S_DAX exists if either kind is built: with device-dax alone a device's mapping is DAX, "
	 "and with files alone a file's is; with neither there is no flag")
{
	unsigned device[BUILDS], file[BUILDS];

	{
		OBJECT(KIND_DEVDAX);
		for (unsigned b = 0; b < BUILDS; b++)
			device[b] = kind_says(o.va, b) & SAYS_VMA_IS_DAX;
		kind_end(&o);
	}
	OBJECT(KIND_FSDAX);
	for (unsigned b = 0; b < BUILDS; b++)
		file[b] = kind_says(o.va, b) & SAYS_VMA_IS_DAX;
	kind_end(&o);
	EXPECT(device[BUILD_DEVICES], "with device-dax alone a device passes for ordinary memory");
	EXPECT(file[BUILD_FILES], "with files alone a file passes for ordinary memory");
	EXPECT(!device[BUILD_NEITHER] && !file[BUILD_NEITHER], "the flag without a kind");
}

/* SPDX-License-Identifier: MIT */
/*
 * A change and a cut at every moment of it; see cut_play.h.
 *
 * Both file systems, the one that changes and the one that a cut has left, are mounted from memory
 * with calls of their own: nothing here touches a region, and the recorder gets every write-back
 * and fence of the change. What is judged has none: what the mount repairs is not cut again.
 */
#include "dax/ext4/internal.h"
#include "tests/kernel/lib/cut_test.h"
#include "tests/kernel/lib/cut_tree.h"
#include "tests/kernel/lib/ext4_cut.h"
#include "tests/kernel/lib/scratch.h"

#define DICE   6 /* pictures of each random kind, at each moment */
#define BLOCKS (SCRATCH_IMAGE / EXT4_BLOCK_SIZE)

static struct {
	uint8_t *memory;      /* of both images, and a file's bytes */
	uint8_t *live, *left; /* the images, aligned */
	uint8_t *bytes;	      /* CUT_BYTES */
	struct cut_tree before, after;
	struct cut_found *found;
	struct ext4_fs *fs;	/* of `left`, while it is mounted */
	uint32_t owner[BLOCKS]; /* of each block, by the names; zero: none */
	uint32_t nameless[4];	/* inodes that had no name before the change; zero: no more */
	bool seen[CUT_NAMES];	/* of `before`: its inode has a name still */
	uint32_t seed;
	char sentence[EXT4_WHY]; /* of the last failure, in either */
} play;

static void no_writeback(const void *p, size_t n)
{
	(void)p, (void)n;
}

static void no_fence(void)
{
}

static uint32_t long_ago(void)
{
	return 1767225700;
}

static char *why_text(void *ctx)
{
	(void)ctx;
	return play.sentence;
}

static bool wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The first one is kept. Value: false. */
static bool wrong(const char *fmt, ...)
{
	va_list ap;

	if (play.found->broken++)
		return false;
	va_start(ap, fmt);
	vsnprintf(play.found->text, sizeof(play.found->text), fmt, ap);
	va_end(ap);
	return false;
}

static int mount_left(bool readonly)
{
	const struct ext4_env env = {.base = play.left,
				     .size = SCRATCH_IMAGE,
				     .readonly = readonly,
				     .writeback = no_writeback,
				     .fence = no_fence,
				     .why = why_text,
				     .now = long_ago};

	return ext4_mount(&env, &play.fs, play.sentence, sizeof(play.sentence));
}

/* ---- as it lies --------------------------------------------------------------------------- */

static int own(void *ctx, const struct ext4_extent_info *e)
{
	(void)ctx;
	for (uint64_t b = e->pblk; b < e->pblk + e->count; b++) {
		if (ext4_block_free(play.fs, b))
			return !wrong("as it lies: inode %u has block %u, which is free (I7)",
				      (unsigned)e->ino, (unsigned)b);
		if (play.owner[b] && play.owner[b] != e->ino)
			return !wrong("as it lies: block %u has two owners (I7)", (unsigned)b);
		play.owner[b] = e->ino;
	}
	return 0;
}

static int own_all(void *ctx, const char *path, struct ext4_inode *ip)
{
	(void)ctx;
	if (!ip->links)
		return !wrong("as it lies: %.20s names an inode without links", path);
	return ext4_for_each_of(play.fs, ip->ino, own, NULL);
}

static bool on_list(const struct ext4_fs *fs, uint32_t ino)
{
	uint32_t at = fs->sb->s_last_orphan;

	for (uint32_t i = 0; i < fs->inodes && at - 1 < fs->inodes; i++) {
		if (at == ino)
			return true;
		at = ext4_raw(fs, at)->i_dtime;
	}
	return false;
}

/* In use, without a name: somebody had it open when its name went. */
static bool is_nameless(const struct ext4_fs *fs, uint32_t ino)
{
	struct ext4_disk_inode *raw = ext4_raw(fs, ino);

	return raw->i_mode && !raw->i_links_count && ext4_has_tree(raw) &&
	       ext4_root(raw)->eh_entries;
}

static void find_nameless(const struct ext4_fs *fs)
{
	unsigned n = 0;

	memset(play.nameless, 0, sizeof(play.nameless));
	for (uint32_t ino = fs->first_ino; ino <= fs->inodes; ino++)
		if (is_nameless(fs, ino) && on_list(fs, ino) && n < ARRAY_SIZE(play.nameless))
			play.nameless[n++] = ino;
}

/* e2fsck, and other systems, free by the list and by nothing else. */
static void judge_list(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(play.nameless) && play.nameless[i]; i++)
		if (is_nameless(play.fs, play.nameless[i]) && !on_list(play.fs, play.nameless[i]))
			wrong("as it lies: inode %u has blocks, and neither a name nor a place on "
			      "the list",
			      (unsigned)play.nameless[i]);
}

static void judge_as_it_lies(void)
{
	const struct ext4_super *sb = (const struct ext4_super *)(const void *)(play.left + 1024);
	int err;

	if (sb->s_redo.commit || sb->s_redo_pair)
		return; /* half an inode may lie there: the record completes it */
	if (mount_left(true)) {
		wrong("as it lies: %.150s", play.sentence);
		return;
	}
	memset(play.owner, 0, sizeof(play.owner));
	err = cut_walk(play.fs, own_all, NULL);
	if (err < 0)
		wrong("as it lies: %.150s", play.sentence);
	judge_list();
	ext4_unmount(play.fs);
}

/* ---- after a mount ------------------------------------------------------------------------ */

/* Is byte i of the file what `n` has there? */
static bool byte_of(const struct cut_name *n, uint64_t i)
{
	return n && n->data && i < n->size && n->data[i] == play.bytes[i];
}

static bool judge_bytes(const char *path, struct ext4_inode *ip, const struct cut_name *b,
			const struct cut_name *a)
{
	if (!(b && b->size == ip->size) && !(a && a->size == ip->size))
		return wrong("%.20s has %u bytes, before the change %u, after it %u", path,
			     (unsigned)ip->size, b ? (unsigned)b->size : 0,
			     a ? (unsigned)a->size : 0);
	if ((ip->mode & EXT4_S_IFMT) == EXT4_S_IFDIR)
		return true;
	if (ext4_read(ip, 0, play.bytes, ip->size) != (int64_t)ip->size)
		return wrong("%.20s cannot be read: %.100s", path, play.sentence);
	for (uint64_t i = 0; i < ip->size; i++)
		if (!byte_of(b, i) && !byte_of(a, i))
			return wrong("byte %u of %.20s is %#x: neither what was there before the "
				     "change nor after it",
				     (unsigned)i, path, play.bytes[i]);
	return true;
}

static int judge_name(void *ctx, const char *path, struct ext4_inode *ip)
{
	const struct cut_name *b = cut_find(&play.before, path), *a = cut_find(&play.after, path);

	(void)ctx;
	for (unsigned i = 0; i < play.before.nr; i++)
		play.seen[i] |= play.before.name[i].ino == ip->ino;
	if (!b && !a && !strncmp(path, "/lost+found/", 12))
		return !wrong("inode %u lost its name, and repair put it into lost+found",
			      (unsigned)ip->ino);
	if (!b && !a)
		return !wrong("%.20s is there, neither before the change nor after it", path);
	return !judge_bytes(path, ip, b, a);
}

/* What has a name before and after the change has one. */
static void judge_lost(void)
{
	for (unsigned i = 0; i < play.before.nr; i++) {
		const struct cut_name *n = &play.before.name[i];

		for (unsigned k = 0; !play.seen[i] && k < play.after.nr; k++)
			if (play.after.name[k].ino == n->ino) {
				wrong("%.20s (inode %u) is lost", n->path, (unsigned)n->ino);
				return;
			}
	}
}

static void say(void *ctx, const char *line)
{
	(void)ctx;
	wrong("after the repair: %.160s", line);
}

static void judge_repaired(void)
{
	int err;

	if (mount_left(false)) {
		wrong("the mount is refused: %.150s", play.sentence);
		return;
	}
	memset(play.seen, 0, sizeof(play.seen));
	err = cut_walk(play.fs, judge_name, NULL);
	if (err < 0)
		wrong("after the repair: %.150s", play.sentence);
	if (!err)
		judge_lost();
	if (ext4_check(play.fs, say, NULL) < 0)
		wrong("after the repair: %.150s", play.sentence);
	ext4_unmount(play.fs);
}

static void judge(struct cut *c, enum cut_kind kind)
{
	uint32_t had = play.found->broken;

	play.found->outcomes++;
	cut_make(c, kind, &play.seed, play.left);
	judge_as_it_lies();
	if (play.found->broken == had)
		judge_repaired();
	if (play.found->broken > had)
		play.found->broken = had + 1;
}

static void judge_moment(struct cut *c)
{
	judge(c, CUT_NOTHING);
	judge(c, CUT_ALL);
	for (int i = 0; i < DICE; i++) {
		judge(c, CUT_PENDING);
		judge(c, CUT_LINES);
		judge(c, CUT_WORDS);
	}
}

/* ---- the play ----------------------------------------------------------------------------- */

static int play_start(struct cut_found *found)
{
	*found = (struct cut_found){0};
	play.found = found;
	play.seed = 77;
	play.memory = malloc(2 * SCRATCH_IMAGE + EXT4_BLOCK_SIZE + CUT_BYTES);
	if (!play.memory)
		return -ENOMEM;
	play.live = (uint8_t *)ALIGN_UP((uintptr_t)play.memory, (uintptr_t)EXT4_BLOCK_SIZE);
	play.left = play.live + SCRATCH_IMAGE;
	play.bytes = play.left + SCRATCH_IMAGE;
	memset(play.left, 0, SCRATCH_IMAGE);
	scratch_image(play.live);
	return 0;
}

static int mount_live(struct ext4_fs **fs)
{
	const struct ext4_env env = {.base = play.live,
				     .size = SCRATCH_IMAGE,
				     .writeback = cut_writeback,
				     .fence = cut_fence,
				     .why = why_text,
				     .now = long_ago};

	return ext4_mount(&env, fs, play.sentence, sizeof(play.sentence));
}

/* What it leads to is known only when it is over: it runs twice, the first time to be asked. */
static int ask(const struct cut_change *c)
{
	struct ext4_fs *fs;
	int err = mount_live(&fs);

	if (err)
		return err;
	err = c->before ? c->before(fs) : 0;
	err = err ? err : cut_read(fs, &play.before);
	err = err ? err : c->change(fs);
	err = err ? err : cut_read(fs, &play.after);
	if (!err && !c->silent && cut_same(&play.before, &play.after)) {
		snprintf(play.sentence, sizeof(play.sentence),
			 "the change has changed no name and no byte");
		err = -EINVAL;
	}
	if (c->after)
		c->after(fs);
	ext4_unmount(fs);
	return err;
}

/* Lines that the CPU sees other than they are for certain when the power fails now. */
static unsigned count_late(const struct cut *recorder)
{
	unsigned n = 0;

	for (size_t at = 0; at < recorder->size; at += LINE)
		n += memcmp(recorder->live + at, recorder->durable + at, LINE) != 0;
	return n;
}

static int cut(const struct cut_change *c, struct cut *recorder)
{
	uint64_t fences;
	struct ext4_fs *fs;
	int err = mount_live(&fs);

	if (err)
		return err;
	err = c->before ? c->before(fs) : 0;
	cut_fence(); /* data may be written back and not fenced */
	find_nameless(fs);
	fences = recorder->fences;
	recorder->moment = judge_moment;
	recorder->lose_one_in = c->lose_one_in;
	err = err ? err : c->change(fs);
	recorder->moment = NULL;
	play.found->fences = recorder->fences - fences;
	play.found->late = count_late(recorder);
	cut_forget(&play.before);
	err = err ? err : cut_read(fs, &play.before); /* it is all done: nothing older counts now */
	if (!err)
		judge(recorder, CUT_NOTHING);
	if (c->after)
		c->after(fs);
	ext4_unmount(fs);
	return err;
}

static void play_end(void)
{
	cut_forget(&play.before);
	cut_forget(&play.after);
	free(play.memory);
	play.memory = NULL;
}

int cut_play(const struct cut_change *c, struct cut_found *found)
{
	struct cut recorder;
	int err = play_start(found);

	if (err)
		return err;
	cut_begin(&recorder, play.live, SCRATCH_IMAGE, NULL);
	err = ask(c);
	cut_end(&recorder);
	if (!err) {
		scratch_image(play.live);
		cut_begin(&recorder, play.live, SCRATCH_IMAGE, NULL);
		err = cut(c, &recorder);
		cut_end(&recorder);
	}
	cut_drop();
	if (err)
		snprintf(found->text, sizeof(found->text), "%.190s", play.sentence);
	play_end();
	return err;
}

void cut_test(struct selftest_run *t, const struct cut_change *c)
{
	struct cut_found found;
	int err = cut_play(c, &found);

	EXPECT(!err, "%d: %s", err, found.text);
	EXPECT(found.fences, "no fence in the whole change");
	EXPECT(!found.broken, "%u of %u cuts in a change of %lu fences: %s", found.broken,
	       found.outcomes, found.fences, found.text);
	EXPECT(!found.late, "%u lines were not durable when the change returned", found.late);
}

void cut_fences_test(struct selftest_run *t, const struct cut_fences *row, unsigned rows)
{
	struct cut_found found;

	for (; rows--; row++) {
		int err = cut_play(&row->c, &found);

		EXPECT(!err, "%s: %d: %s", row->what, err, found.text);
		EXPECT(found.fences <= row->most, "%s: %lu fences, at most %u", row->what,
		       found.fences, row->most);
	}
}

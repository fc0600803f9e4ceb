/* SPDX-License-Identifier: MIT */
/*
 * The tree of VMAs under random maps, unmaps, cuts, rights and moves, against a simple model: one
 * word for each page that says what is shown there. Allocations fail now and then.
 *
 * mm/space/space.c and mm/tables/change.c are compiled in here as they are; what they call below
 * them (locks, page tables, TLB) does nothing. There is one thread, whose struct cpu GS points at.
 */
/* The running thread is read through GS, at "address" 0: no null pointer, whatever UBSan thinks. */
#define inline inline __attribute__((no_sanitize_undefined))
#include "mm/space/space.c"
#include "mm/tables/change.c"
#undef inline

#include <asm/prctl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <cmocka.h>

#define BASE	0x40000000ull
#define PAGES	64u
#define OBJECTS 3u
#define STEPS	60000u

long syscall(long number, ...);

static struct thread self;
static struct cpu cpu = {.self = &cpu, .current = &self};
static bool may_fail; /* one of 24 allocations does */

/* ---- what lies below ---------------------------------------------------------------------- */

uint64_t kernel_root;

void assert_failed(const char *file, int line, const char *cond, const char *fmt, ...)
{
	(void)fmt;
	print_error("%s:%d: %s\n", file, line, cond);
	abort();
}
void rwsem_init(struct rwsem *s, const char *name)
{
	*s = (struct rwsem){.name = name};
}
void down_write(struct rwsem *s)
{
	assert_null(s->writer);
	s->writer = &self;
}
void up_write(struct rwsem *s)
{
	assert_ptr_equal(s->writer, &self);
	s->writer = NULL;
}
/* No address space has a notifier here. */
bool ptl_notify(struct mm *mm, uint64_t start, uint64_t end)
{
	(void)mm, (void)start, (void)end;
	abort();
}
void notify_end(struct mm *mm, uint64_t start, uint64_t end)
{
	(void)mm, (void)start, (void)end;
	abort();
}
void *slab_alloc(struct slab_cache *c)
{
	return may_fail && rand() % 24 == 0 ? NULL : calloc(1, c->size);
}
void slab_free(struct slab_cache *c, void *p)
{
	(void)c;
	free(p);
}
uint64_t *pte_walk(uint64_t root, uint64_t va, unsigned level, bool make, unsigned *at)
{
	(void)root, (void)va, (void)level, (void)make, (void)at;
	return NULL; /* nothing is present */
}
uint64_t zap_vma(struct vma *vma, uint64_t start, uint64_t end, enum zap_mode mode)
{
	(void)mode;
	assert_true(vma->start <= start && start < end && end <= vma->end);
	return 0;
}
void tlb_flush_range(struct mm *mm, uint64_t start, uint64_t end)
{
	(void)mm, (void)start, (void)end;
}
void mm_count_table(int delta)
{
	(void)delta;
}
uint64_t frame_alloc_zero(void)
{
	return 0;
}
void pte_free_low_half(uint64_t root)
{
	(void)root;
}
void spin_init(struct spinlock *l, const char *name)
{
	(void)l, (void)name;
}
uint64_t irq_save(void)
{
	return 0;
}
void irq_enable(void)
{
}
void write_cr3(uint64_t root)
{
	(void)root;
}
void preempt_switch(void)
{
}
/* Of these only the fast path in line is ever taken. */
#define NEVER(decl)                                                                                \
	decl                                                                                       \
	{                                                                                          \
		abort();                                                                           \
	}
NEVER(void spin_lock_slowly(struct spinlock *l __unused))
NEVER(void spin_unlock_wrongly(const struct spinlock *l __unused))
NEVER(void down_read_slowly(struct rwsem *s __unused))
NEVER(void up_read_wrongly(const struct rwsem *s __unused))
NEVER(void up_read_wake(struct rwsem *s __unused))
NEVER(bool held_remove_any(uintptr_t entry __unused))
NEVER(void might_sleep_slowly(void))

/* ---- objects and the model ------------------------------------------------------------------- */

static struct object {
	struct mapping mapping;
	unsigned users; /* VMAs that show it */
} objects[OBJECTS];

static void object_open(struct vma *vma)
{
	((struct object *)vma->private)->users++;
}
static void object_close(struct vma *vma)
{
	assert_true(((struct object *)vma->private)->users--);
}
static const struct vma_ops object_ops = {.open = object_open, .close = object_close};

static struct shown {
	struct object *object; /* NULL: nothing is mapped */
	uint64_t pgoff;
	bool write;
} model[PAGES];
static struct mm mm;

static void vma_is_sound(const struct vma *vma, const struct vma *before, unsigned count[])
{
	assert_true(vma->start < vma->end && (!before || before->end <= vma->start));
	assert_true(vma->mm == &mm && vma->start >= BASE && vma->end <= BASE + PAGES * PAGE_SIZE);
	count[(struct object *)vma->private - objects]++;
}

/* The tree and the model show the same, and every list and count agrees with the tree. */
static void check_everything(void)
{
	unsigned n = 0, of_object[OBJECTS] = {0};
	const struct vma *vma = NULL, *before = NULL;

	while ((vma = mm_next_vma(&mm, vma))) {
		vma_is_sound(vma, before, of_object);
		before = vma;
		n++;
	}
	assert_int_equal(n, mm.nr_vmas);
	for (unsigned i = 0; i < OBJECTS; i++) {
		struct vma *v;

		assert_int_equal(of_object[i], objects[i].users);
		LIST_FOREACH (v, &objects[i].mapping.vmas, i_mmap)
			of_object[i]--;
		assert_int_equal(of_object[i], 0);
	}
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t at = BASE + i * PAGE_SIZE;

		vma = mm_find_vma(&mm, at);
		assert_ptr_equal(vma ? vma->private : NULL, model[i].object);
		if (!vma)
			continue;
		assert_int_equal(vma->pgoff + ((at - vma->start) >> PAGE_SHIFT), model[i].pgoff);
		assert_int_equal(!!(vma->flags & VM_WRITE), model[i].write);
	}
}

static unsigned mapped(unsigned first, unsigned n)
{
	unsigned found = 0;

	for (unsigned i = first; i < first + n; i++)
		found += model[i].object != NULL;
	return found;
}

/* ---- moves: each does it, and says in the model what must have happened ------------------- */

static void do_map(unsigned first, unsigned n)
{
	struct object *o = &objects[rand() % OBJECTS];
	uint64_t at = BASE + first * PAGE_SIZE, pgoff = (uint64_t)rand() % 1000;
	bool write = rand() % 2, priv = rand() % 2;
	int err = mm_map(&mm, &at, n * PAGE_SIZE,
			 VM_READ | VM_MAYWRITE | (write ? VM_WRITE : 0) |
				 (priv ? VM_PRIVATE : VM_SHARED),
			 &object_ops, o, &o->mapping, pgoff);

	if (mapped(first, n))
		assert_int_equal(err, -EEXIST);
	else
		assert_true(!err || (err == -ENOMEM && may_fail));
	for (unsigned i = 0; i < n && !err; i++)
		model[first + i] = (struct shown){o, pgoff + i, write};
}

static void do_unmap(unsigned first, unsigned n)
{
	int err = mm_unmap(&mm, BASE + first * PAGE_SIZE, n * PAGE_SIZE);

	if (!mapped(first, n))
		assert_int_equal(err, -EINVAL);
	else
		assert_true(!err || (err == -ENOMEM && may_fail));
	if (!err)
		memset(&model[first], 0, n * sizeof(model[0]));
}

static void do_protect(unsigned first, unsigned n)
{
	bool write = rand() % 2;
	int err = mm_protect(&mm, BASE + first * PAGE_SIZE, n * PAGE_SIZE,
			     VM_READ | (write ? VM_WRITE : 0));

	if (mapped(first, n) < n)
		assert_int_equal(err, -ENOMEM);
	else
		assert_true(!err || (err == -ENOMEM && may_fail));
	for (unsigned i = first; i < first + n && !err; i++)
		model[i].write = write;
}

static void do_remap(unsigned first, unsigned n)
{
	unsigned target = (unsigned)rand() % (PAGES - n + 1);
	uint64_t from = BASE + first * PAGE_SIZE, to = BASE + target * PAGE_SIZE;
	const struct vma *vma = mm_find_vma(&mm, from);
	bool one = vma && vma->end - from >= n * PAGE_SIZE;
	struct shown moved[PAGES];
	int err = mm_remap(&mm, from, n * PAGE_SIZE, &to);

	if (target < first + n && first < target + n)
		assert_int_equal(err, -EINVAL);
	else if (!one)
		assert_int_equal(err, -EFAULT);
	else
		assert_true(!err || (err == -ENOMEM && may_fail));
	if (err)
		return;
	memcpy(moved, &model[first], n * sizeof(moved[0]));
	memset(&model[first], 0, n * sizeof(moved[0]));
	memcpy(&model[target], moved, n * sizeof(moved[0]));
}

static void do_advise(unsigned first, unsigned n)
{
	int err = mm_advise(&mm, BASE + first * PAGE_SIZE, n * PAGE_SIZE, MM_DONT_NEED);

	assert_int_equal(err, mapped(first, n) < n ? -ENOMEM : 0);
}

/* ---- the tests ---------------------------------------------------------------------------- */

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, &cpu), 0);
	memset(&mm, 0, sizeof(mm));
	RB_INIT(&mm.vmas);
	memset(model, 0, sizeof(model));
	for (unsigned i = 0; i < OBJECTS; i++) {
		mapping_init(&objects[i].mapping, MODE_FILE | 0600, 0);
		objects[i].users = 0;
	}
	return 0;
}

static void random_steps(bool failing)
{
	static void (*const moves[])(unsigned, unsigned) = {
		do_map, do_map, do_unmap, do_remap, do_remap, do_protect, do_advise};

	srand(failing ? 2026 : 1975);
	may_fail = failing;
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned n = 1 + (unsigned)rand() % (rand() % 8 ? 6 : 40);

		moves[rand() % ARRAY_SIZE(moves)]((unsigned)rand() % (PAGES - n + 1), n);
		check_everything();
	}
	may_fail = false;
	mm_unmap(&mm, BASE, PAGES * PAGE_SIZE);
	memset(model, 0, sizeof(model));
	check_everything();
	assert_int_equal(mm.nr_vmas, 0);
}

static void the_tree_agrees_with_a_simple_model(void **state)
{
	(void)state;
	random_steps(false);
}

static void it_still_does_when_memory_runs_out(void **state)
{
	(void)state;
	random_steps(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_tree_agrees_with_a_simple_model, set_up),
		cmocka_unit_test_setup(it_still_does_when_memory_runs_out, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

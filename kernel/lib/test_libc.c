/* SPDX-License-Identifier: MIT */
/* Self-tests: what the kernel takes from libc, and what it gives to it (libc.*). */
#include "kernel/kernel.h"

SELFTEST(libc_formats, "libc.formats", "snprintf knows every length modifier the kernel uses")
{
	char buf[128];
	int n = snprintf(buf, sizeof(buf), "%llx %zu %jd %td %hhu|%-4s|%08x|%.3s|%c|%%",
			 0x123456789abcull, (size_t)42, (intmax_t)-7, (ptrdiff_t)9,
			 (unsigned char)200, "ab", 0xbeefu, "abcdef", 'x');
	static const char want[] = "123456789abc 42 -7 9 200|ab  |0000beef|abc|x|%";

	EXPECT(strcmp(buf, want) == 0, "'%s', expected '%s'", buf, want);
	EXPECT(n == (int)strlen(want), "length %d", n);
	EXPECT(snprintf(buf, 4, "%s", "longer") == 6 && strcmp(buf, "lon") == 0, "cut to '%s'",
	       buf);
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

SELFTEST(libc_sort, "libc.sort", "qsort and strtoull give what the standard says")
{
	int v[200];
	char *end;

	for (int i = 0; i < 200; i++)
		v[i] = i * 7919 % 200;
	qsort(v, 200, sizeof(v[0]), by_value);
	for (int i = 0; i < 200; i++)
		EXPECT(v[i] == i, "place %d holds %d", i, v[i]);
	EXPECT(strtoull("0x1fz", &end, 0) == 31 && *end == 'z', "0x1f misread");
	errno = 0;
	EXPECT(strtoull("99999999999999999999", &end, 10) == UINT64_MAX && errno == ERANGE,
	       "overflow not reported");
}

static unsigned corrupt;

static void allocate_and_check(void *arg __attribute__((unused)))
{
	unsigned mark = current_thread()->tid & 0xff;
	uint8_t *p[8] = {NULL};

	for (unsigned i = 0; i < 400; i++) {
		unsigned k = i * 5 % 8, size = 16 + i * 37 % 900;

		if (p[k] && (p[k][0] != mark || p[k][15] != mark))
			__atomic_add_fetch(&corrupt, 1, __ATOMIC_RELAXED);
		free(p[k]);
		p[k] = malloc(size);
		if (p[k])
			memset(p[k], (int)mark, size);
		if (i % 50 == 0)
			thread_yield();
	}
	for (unsigned k = 0; k < 8; k++)
		free(p[k]);
}

SELFTEST(libc_malloc_smp, "libc.malloc-smp",
	 "threads on all CPUs allocate and free at the same time")
{
	struct gang g;

	corrupt = 0;
	EXPECT(gang_start(&g, 4, allocate_and_check, NULL, true), "no memory for threads");
	gang_join(&g);
	EXPECT(corrupt == 0, "%u blocks were overwritten by another thread", corrupt);
}

static unsigned ticks;

static void allocate_in_interrupt(struct timer *t)
{
	void *p = malloc(100);

	if (!p)
		__atomic_add_fetch(&corrupt, 1, __ATOMIC_RELAXED);
	free(p);
	if (__atomic_add_fetch(&ticks, 1, __ATOMIC_RELEASE) < 20)
		timer_arm(t, clock_ns() + 50000, allocate_in_interrupt);
}

SELFTEST(libc_malloc_irq, "libc.malloc-irq",
	 "an interrupt handler may allocate while a thread does")
{
	static struct timer timer;
	unsigned rounds = 0;

	corrupt = ticks = 0;
	timer_arm(&timer, clock_ns() + 50000, allocate_in_interrupt);
	while (__atomic_load_n(&ticks, __ATOMIC_ACQUIRE) < 20 && rounds++ < 3000000)
		free(malloc(64));
	timer_cancel_wait(&timer);
	EXPECT(ticks == 20, "%u of 20 interrupts came", ticks);
	EXPECT(corrupt == 0, "%u allocations failed", corrupt);
}

static void set_errno(void *arg)
{
	errno = 5;
	thread_yield();
	*(int *)arg = errno;
}

SELFTEST(libc_errno, "libc.errno", "each thread has its own errno")
{
	int theirs = 0;
	struct thread *th;

	errno = 77;
	th = thread_create("test", set_errno, &theirs, 0);
	EXPECT(th, "no memory for a thread");
	errno = 77;
	thread_join(th);
	EXPECT(theirs == 5 && errno == 77, "theirs %d, ours %d", theirs, errno);
	errno = 0;
}

void __retarget_lock_acquire_recursive(struct __lock *);
int __retarget_lock_try_acquire_recursive(struct __lock *);
void __retarget_lock_release_recursive(struct __lock *);
extern struct __lock __lock___malloc_recursive_mutex;

SELFTEST(libc_lock, "libc.lock",
	 "libc's lock nests, keeps interrupts out, and lets them in at the end")
{
	struct __lock *l = &__lock___malloc_recursive_mutex;
	bool in1, in2;
	int nested;

	__retarget_lock_acquire_recursive(l);
	nested = __retarget_lock_try_acquire_recursive(l);
	__retarget_lock_release_recursive(l);
	in1 = irqs_enabled();
	in2 = may_sleep();
	__retarget_lock_release_recursive(l);
	EXPECT(nested == 1, "the holder was refused a second time");
	EXPECT(!in1 && !in2, "interrupts came back before the last release");
	EXPECT(irqs_enabled() && may_sleep(), "interrupts stayed off");
}

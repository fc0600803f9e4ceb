/* SPDX-License-Identifier: MIT */
/* Self-tests: accesses that may fail, vectors, the command line (trap.*, init.*). */
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"
#include "kernel/trap/internal.h"

extern char __image_end[]; /* the page behind it is not mapped */

SELFTEST(trap_copy, "trap.copy", "a checked copy of good memory copies every length and alignment")
{
	static uint8_t from[128], to[160];

	for (unsigned i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i + 1);
	for (unsigned n = 0; n <= 100; n += n < 20 ? 1 : 13) {
		for (unsigned shift = 0; shift < 9; shift++) {
			memset(to, 0, sizeof(to));
			EXPECT(copy_checked(to + shift, from + 3, n) == 0, "%u bytes refused", n);
			EXPECT(memcmp(to + shift, from + 3, n) == 0 && to[shift + n] == 0,
			       "%u bytes at +%u: wrong", n, shift);
		}
	}
}

SELFTEST(trap_copy_stops, "trap.copy-stops",
	 "a copy that runs into unmapped memory fails, having copied every byte before it")
{
	static uint8_t to[128];

	for (unsigned good = 0; good <= 35; good++) {
		int err;

		memset(to, 0xee, sizeof(to));
		err = copy_checked(to, __image_end - good, 64);
		EXPECT(err == -EFAULT, "%u good bytes: result %d", good, err);
		EXPECT(memcmp(to, __image_end - good, good) == 0, "%u good bytes not copied", good);
		EXPECT(to[good] == 0xee, "%u good bytes: the next one was written", good);
	}
}

SELFTEST(trap_store_stops, "trap.store-stops", "a copy to unmapped memory fails as well")
{
	static const uint8_t from[64] = {1};
	int err = copy_checked(__image_end, from, sizeof(from));

	EXPECT(err == -EFAULT, "result %d", err);
}

SELFTEST(trap_load, "trap.load",
	 "a checked load refuses null, unmapped and non-canonical addresses")
{
	static const uint64_t good = 0x1122334455667788;
	uint64_t v = 0;
	int err = load_checked(&good, &v);

	EXPECT(err == 0 && v == good, "a good word: result %d, value 0x%lx", err, v);
	EXPECT(load_checked(NULL, &v) == -EFAULT, "null was readable");
	EXPECT(load_checked((uint64_t *)__image_end, &v) == -EFAULT, "unmapped was readable");
	EXPECT(load_checked((uint64_t *)0x8000000000000000ull, &v) == -EFAULT,
	       "non-canonical was readable");
}

SELFTEST(trap_wx, "trap.write-xor-execute",
	 "code and constants cannot be written, and stay as they are")
{
	static const uint64_t constant = 42;
	uint64_t *code = (uint64_t *)ALIGN_UP((uintptr_t)switch_context, 8), was = *code;

	EXPECT(store_checked(code, 0) == -EFAULT, "code was writable");
	EXPECT(store_checked((uint64_t *)&constant, 0) == -EFAULT, "a constant was writable");
	EXPECT(*code == was && *(const volatile uint64_t *)&constant == 42, "it was changed");
}

static unsigned raised, raised_outside;

static void on_vector(void *arg)
{
	if (!in_interrupt() || irqs_enabled())
		raised_outside++;
	raised += (unsigned)(uintptr_t)arg;
}

/* Sends a vector to this CPU and waits for it, a bounded number of looks. */
static void raise_vector(int vector)
{
	unsigned before = raised;

	preempt_disable();
	apic_send_ipi(this_cpu()->apic_id, (uint8_t)vector);
	preempt_enable();
	for (int i = 0; i < 100000 && *(volatile unsigned *)&raised == before; i++)
		cpu_pause();
}

SELFTEST(trap_vector, "trap.vector", "a vector given out calls its function, with its argument")
{
	int vector = irq_alloc_vector(on_vector, (void *)5, "test");

	raised = raised_outside = 0;
	EXPECT(vector >= VEC_DEVICE_FIRST && vector <= VEC_DEVICE_LAST, "vector %d", vector);
	EXPECT_OR(out, irq_vector_name(vector) && !strcmp(irq_vector_name(vector), "test"),
		  "its name is not the one it was asked for with");
	raise_vector(vector);
out:
	irq_free_vector(vector);
	EXPECT(!irq_vector_name(vector), "the freed vector has a name");
	EXPECT(raised == 5, "argument 5, seen %u", raised);
	EXPECT(raised_outside == 0, "it did not run as an interrupt");
}

SELFTEST(trap_vectors_run_out, "trap.vectors-run-out",
	 "vectors are given out once each, refused when gone, and come back")
{
	static int got[256];
	int n = 0, refusal, again;
	bool distinct = true;

	EXPECT(irq_alloc_vector(NULL, NULL, "test") == -EINVAL, "a vector without a function");
	while (n < 255 && (got[n] = irq_alloc_vector(on_vector, NULL, "test")) > 0)
		n++;
	refusal = got[n];
	for (int i = 1; i < n; i++)
		distinct = distinct && got[i] > got[i - 1];
	for (int i = 0; i < n; i++)
		irq_free_vector(got[i]);
	again = irq_alloc_vector(on_vector, NULL, "test");
	irq_free_vector(again);
	EXPECT(n > 100 && refusal == -ENOSPC, "%d given out, then %d", n, refusal);
	EXPECT(distinct, "one was given out twice");
	EXPECT(again == got[0], "freed %d, got %d", got[0], again);
}

SELFTEST(trap_route_refused, "trap.route-refused",
	 "an interrupt pin or vector that does not exist is refused")
{
	EXPECT(irq_route_gsi(4000, VEC_DEVICE_FIRST, false, false) == -ENXIO,
	       "pin 4000 was routed");
	EXPECT(irq_route_gsi(4, VEC_TIMER, false, false) == -EINVAL,
	       "our own vector was given away");
}

SELFTEST(init_cmdline, "init.cmdline",
	 "a word of the command line is found whole, with its value, cut to the buffer")
{
	const char *line = boot_info()->cmdline;
	char buf[8] = "before", word[BOOT_CMDLINE];
	size_t len;

	EXPECT(!cmdline_get("no-such-word-was-ever-given", buf, sizeof(buf)), "found");
	EXPECT(strcmp(buf, "before") == 0, "an absent word changed the buffer to '%s'", buf);
	line += strspn(line, " ");
	len = strcspn(line, " =");
	if (len == 0)
		SKIP("the command line is empty");
	memcpy(word, line, len);
	word[len] = '\0';
	EXPECT(cmdline_get(word, buf, 2), "'%s' was not found", word);
	EXPECT(strlen(buf) <= 1, "a buffer of 2 holds '%s'", buf);
	word[len - 1] = '\0';
	if (len > 1)
		EXPECT(!cmdline_get(word, buf, 2) || strstr(line + 1, word), "half a word matched");
}

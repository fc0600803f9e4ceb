/* SPDX-License-Identifier: MIT */
/*
 * The VT-d driver before units that do not do what their registers promise.
 *
 * A unit is modelled register by register, as the specification has it, with one thing that it does
 * not do. Whatever that is, the driver says so within a bound, or does without; it never panics,
 * and a unit that it refuses is told to do nothing and interrupts nobody. Then each access in turn
 * is the one that is lost, and the one from which on nobody answers any more. Time goes by only
 * when the driver looks at the clock.
 *
 * drivers/iommu/vtd.c and vtd_invalidate.c are compiled in here as they are.
 */
/* LINK: drivers/iommu/vtd_fault.c */
/* The running thread is read through GS, at "address" 0: no null pointer, whatever UBSan thinks. */
#define inline inline __attribute__((no_sanitize_undefined))
#include "drivers/iommu/vtd.c"
#undef SECOND_NS
#include "drivers/iommu/vtd_invalidate.c"
#undef inline

#include <asm/prctl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

long syscall(long number, ...);

#define IOTLB_AT    0xf8u /* as QEMU's */
#define FRCD_AT	    0x220u
#define MOST_FRAMES 8u
#define STEP_NS	    1000000ull		 /* by which the clock goes on at each look */
#define BOUND	    (10 * 1000000000ull) /* within which a unit is refused, at the most */

/* What a unit does not do. */
enum quirk {
	NONE,
	TE_STAYS,    /* an earlier system's translation goes on */
	QIE_STAYS,   /* and its queue */
	NO_ROOT,     /* takes no root table */
	OTHER_ROOT,  /* takes another one than it was given */
	NO_QUEUE,    /* cannot be told to use a queue */
	OTHER_QUEUE, /* uses another one */
	QUEUE_STANDS,
	NO_CONTEXT, /* the bit of a command by registers stays set */
	NO_IOTLB,
	NO_TE,
	NO_VECTOR, /* the kernel's: none is left */
	OTHER_VECTOR,
	ALL_FAULTS, /* its fault status is full of ones */
	HOLDS_BACK  /* the write buffer is never flushed */
};
static struct {
	enum quirk quirk;
	uint64_t cap, ecap, root, iqa, ccmd, iotlb, iova;
	uint32_t gsts, fsts, fectl, fedata, feaddr, command;
	unsigned head, tail;
	unsigned accesses, writes, lost, gone; /* lost: this write; gone: from this access on */
	unsigned vectors, stopped, failing, allocations;
	uint64_t clock;
	void *frame[MOST_FRAMES]; /* NULL: free */
	char said[400];
} m;
static const struct dmar_unit place = {.base = 0xfed90000, .size = 4096};

/* ---- what lies below ---------------------------------------------------------------------- */

static struct thread self;
static struct cpu cpu = {.self = &cpu, .current = &self};

void assert_failed(const char *file, int line, const char *cond, const char *fmt, ...)
{
	(void)fmt;
	print_error("%s:%d: %s\n", file, line, cond);
	abort();
}
int kprintf(const char *fmt, ...)
{
	size_t at = strlen(m.said);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(m.said + at, sizeof(m.said) - at, fmt, ap);
	va_end(ap);
	return n;
}
uint64_t clock_ns(void)
{
	return m.clock += STEP_NS;
}
/* A physical address is what phys_to_virt() makes the host's address of. */
uint64_t frame_alloc(unsigned order)
{
	void *p;

	if (++m.allocations == m.failing)
		return 0;
	assert_true(m.allocations < MOST_FRAMES);
	p = aligned_alloc(PAGE_SIZE, PAGE_SIZE << order);
	memset(p, 0, PAGE_SIZE << order);
	m.frame[m.allocations] = p;
	return (uint64_t)p - DIRECT_BASE;
}
uint64_t frame_alloc_zero(void)
{
	return frame_alloc(0);
}
void frame_free(uint64_t frame, unsigned order)
{
	unsigned i = 0;

	(void)order;
	while (m.frame[i] != phys_to_virt(frame))
		assert_true(++i < MOST_FRAMES);
	assert_true(!(m.gsts & VTD_QIE) || frame != m.iqa); /* it would read on */
	free(m.frame[i]);
	m.frame[i] = NULL;
}
int irq_alloc_vector(void (*fn)(void *) __unused, void *arg __unused, const char *name __unused)
{
	if (m.quirk == NO_VECTOR)
		return -ENOSPC;
	m.vectors++;
	return 0x40;
}
void irq_free_vector(int vector)
{
	assert_int_equal(vector, 0x40);
	m.vectors--;
}
struct cpu *cpu_by_id(unsigned id)
{
	assert_int_equal(id, 0);
	return &cpu;
}
void *map_mmio(uint64_t phys, uint64_t len)
{
	static char nothing[1];

	assert_true(phys == place.base && len == place.size);
	return nothing; /* nobody reads it: vtd_read32() is below */
}
void vtd_stop_devices(const struct vtd *u __unused)
{
	m.stopped++;
}
uint64_t spin_lock_irqsave(struct spinlock *l)
{
	spin_lock(l);
	return 0;
}
void spin_unlock_irqrestore(struct spinlock *l, uint64_t flags)
{
	(void)flags;
	spin_unlock(l);
}
uint64_t irq_save(void)
{
	return 0;
}
const struct dmar *dmar_get(void)
{
	return NULL;
}
bool cmdline_get(const char *name __unused, char *buf __unused, unsigned n __unused)
{
	return false;
}
void iommu_source_name(uint16_t source, char *buf, size_t size)
{
	snprintf(buf, size, "%x", source);
}
/* Without an effect here. */
#define IDLE(decl)                                                                                 \
	decl                                                                                       \
	{                                                                                          \
	}
IDLE(void frames_lasting_add(int64_t n __unused))
IDLE(void cache_writeback(const void *p __unused, size_t n __unused))
IDLE(void store_fence(void))
IDLE(void shell_wake(void))
IDLE(void shell_at_prompt(bool (*ready)(void) __unused, void (*report)(void) __unused))
IDLE(void irq_enable(void))
/* Of these only the fast path in line is ever taken. */
#define NEVER(decl)                                                                                \
	decl                                                                                       \
	{                                                                                          \
		abort();                                                                           \
	}
NEVER(void spin_lock_slowly(struct spinlock *l __unused))
NEVER(void spin_unlock_wrongly(const struct spinlock *l __unused))
NEVER(void preempt_switch(void))

/* ---- the unit ------------------------------------------------------------------------------ */

/* False: this access does not arrive. */
static bool arrives(bool write)
{
	m.accesses++;
	m.writes += write;
	if (m.gone && m.accesses >= m.gone)
		return false;
	return !write || m.writes != m.lost;
}

static void run_queue(void)
{
	uint64_t(*queue)[2] = phys_to_virt(m.iqa);

	if (m.quirk == QUEUE_STANDS || m.quirk == OTHER_QUEUE || !m.iqa || !(m.gsts & VTD_QIE))
		return;
	for (; m.head != m.tail; m.head = (m.head + 1) % VTD_QUEUE)
		if ((queue[m.head][0] & 15) == 5)
			*(uint32_t *)phys_to_virt(queue[m.head][1]) =
				(uint32_t)(queue[m.head][0] >> 32);
}

static void command(uint32_t v)
{
	m.command = v;
	if (m.quirk != TE_STAYS && m.quirk != NO_TE)
		m.gsts = (m.gsts & ~VTD_TE) | (v & VTD_TE);
	if ((v & VTD_SRTP) && m.quirk != NO_ROOT)
		m.gsts |= VTD_SRTP;
	if ((v & VTD_WBF) && m.quirk == HOLDS_BACK)
		m.gsts |= VTD_WBF;
	if (v & VTD_QIE) {
		if (m.quirk != NO_QUEUE)
			m.gsts |= VTD_QIE;
		run_queue();
	} else if (m.quirk != QIE_STAYS && m.head == m.tail) {
		m.gsts &= ~VTD_QIE;
		m.head = 0;
	}
}

uint32_t vtd_read32(const struct vtd *u __unused, unsigned off)
{
	if (!arrives(false))
		return UINT32_MAX;
	switch (off) {
	case VTD_VER: return 0x10;
	case VTD_GSTS: return m.gsts;
	case VTD_FSTS: return m.fsts;
	case VTD_FECTL: return m.fectl;
	case VTD_FEDATA: return m.fedata;
	case VTD_FEADDR: return m.feaddr;
	}
	assert_true(off >= FRCD_AT && off < FRCD_AT + 16); /* the one fault record */
	return m.quirk == ALL_FAULTS ? UINT32_MAX : 0;
}

uint64_t vtd_read64(const struct vtd *u __unused, unsigned off)
{
	if (!arrives(false))
		return UINT64_MAX;
	switch (off) {
	case VTD_CAP: return m.cap;
	case VTD_ECAP: return m.ecap;
	case VTD_RTADDR: return m.root;
	case VTD_CCMD: return m.ccmd;
	case VTD_IQA: return m.iqa;
	case IOTLB_AT: return m.iotlb;
	}
	fail_msg("register 0x%x is read", off);
	return 0;
}

void vtd_write32(const struct vtd *u __unused, unsigned off, uint32_t v)
{
	if (!arrives(true))
		return;
	switch (off) {
	case VTD_GCMD: command(v); break;
	case VTD_FSTS: m.fsts &= m.quirk == ALL_FAULTS ? UINT32_MAX : ~v; break;
	case VTD_FECTL: m.fectl = v; break;
	case VTD_FEDATA: m.fedata = m.quirk == OTHER_VECTOR ? v + 1 : v; break;
	case VTD_FEADDR: m.feaddr = v; break;
	case VTD_FEUADDR: break;
	default: assert_true(off >= FRCD_AT && off < FRCD_AT + 16);
	}
}

/* A command is over at once, unless the queue is on: then the registers are dead. */
static uint64_t by_register(uint64_t v, enum quirk never)
{
	return m.quirk == never || (m.gsts & VTD_QIE) ? v : v & ~(1ull << 63);
}

void vtd_write64(const struct vtd *u __unused, unsigned off, uint64_t v)
{
	if (!arrives(true))
		return;
	switch (off) {
	case VTD_RTADDR: m.root = m.quirk == OTHER_ROOT ? v + PAGE_SIZE : v; break;
	case VTD_IQA: m.iqa = m.quirk == OTHER_QUEUE ? v + PAGE_SIZE : v; break;
	case VTD_CCMD: m.ccmd = by_register(v, NO_CONTEXT); break;
	case IOTLB_AT - 8: m.iova = v; break;
	case IOTLB_AT: m.iotlb = by_register(v, NO_IOTLB); break;
	case VTD_IQT:
		m.tail = (unsigned)(v >> 4);
		run_queue();
		break;
	default: fail_msg("register 0x%x is written", off);
	}
}

/* ---- tests --------------------------------------------------------------------------------- */

#define QEMU_CAP  0x00d2008c22260206ull
#define QEMU_ECAP 0xf00f42ull

static struct vtd *u;

static void begin(enum quirk quirk)
{
	memset(&m, 0, sizeof(m));
	m.quirk = quirk;
	m.cap = QEMU_CAP | (quirk == HOLDS_BACK ? 1 << 4 : 0);
	m.ecap = QEMU_ECAP;
	m.fectl = FECTL_MASKED;
	m.gsts = quirk == TE_STAYS ? VTD_TE : quirk == QIE_STAYS ? VTD_QIE : 0;
	m.fsts = quirk == ALL_FAULTS ? 0xffff : 0;
	free(units[0]);
	units[0] = u = NULL;
	nr_units = 0;
}

static void turn_it_on(bool queue)
{
	start(&place, queue);
	u = units[0];
}

/* Frames that a unit was told of stay its own, also when it was refused: not so in a test. */
static void give_frames_back(void)
{
	for (unsigned i = 0; i < MOST_FRAMES; i++)
		free(m.frame[i]);
}

/* What holds behind every start, whatever the unit does. */
static void is_sound(void)
{
	assert_true(m.clock <= BOUND);
	assert_non_null(strstr(m.said, u->refused ? u->refused : "translates"));
	assert_int_equal(m.vectors, u->refused ? 0 : 1);
	if (!u->refused) {
		assert_true(m.gsts & VTD_TE);
		assert_ptr_equal(phys_to_virt(m.root), u->root);
		assert_true(!u->queued || phys_to_virt(m.iqa) == (void *)u->queue);
		assert_true(!(m.fectl & FECTL_MASKED) && m.fedata == 0x40);
	} else if (!m.gone && !m.lost) {
		assert_int_equal(m.command, 0);
		assert_true(m.fectl & FECTL_MASKED);
		assert_true(!(m.gsts & VTD_TE) || m.quirk == TE_STAYS);
	}
}

static const struct {
	enum quirk quirk;
	const char *by_queue, *by_registers; /* a word of the refusal; NULL: it is used */
	bool queued;			     /* by its queue, if it is used and could be */
} cases[] = {
	{NONE, NULL, NULL, true},
	{TE_STAYS, "translation of an earlier", "translation of an earlier", false},
	{QIE_STAYS, "queue of an earlier", "queue of an earlier", false},
	{NO_ROOT, "root table", "root table", false},
	{OTHER_ROOT, "root table", "root table", false},
	{NO_QUEUE, NULL, NULL, false},
	{OTHER_QUEUE, "did not forget", NULL, false},  /* nor off again: what it reads is no wait */
	{QUEUE_STANDS, "did not forget", NULL, false}, /* its registers are dead, too */
	{NO_CONTEXT, NULL, "did not forget", true},
	{NO_IOTLB, NULL, "did not forget", true},
	{NO_TE, "cannot be turned on", "cannot be turned on", false},
	{NO_VECTOR, "no interrupt vector", "no interrupt vector", false},
	{OTHER_VECTOR, "fault interrupt", "fault interrupt", false},
	{ALL_FAULTS, NULL, NULL, true},
	{HOLDS_BACK, "did not forget", "did not forget", false},
};

static void what_it_does_not_do(void **state __unused)
{
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		bool queue = i & 1;
		const char *word = queue ? cases[i / 2].by_queue : cases[i / 2].by_registers;

		begin(cases[i / 2].quirk);
		turn_it_on(queue);
		if (!u->refused != !word || (word && !strstr(u->refused, word)))
			fail_msg("quirk %u, %s: %s", m.quirk, queue ? "queue" : "registers",
				 m.said);
		assert_int_equal(u->queued && !word, queue && cases[i / 2].queued);
		is_sound();
		give_frames_back();
	}
}

/* Capabilities that nobody could use, or that reach beyond the registers. */
static void what_it_says_of_itself(void **state __unused)
{
	static const struct {
		uint64_t cap, ecap;
		const char *word;
	} lies[] = {
		{UINT64_MAX, UINT64_MAX, "outside"},
		{QEMU_CAP | 0x3ffull << 24, QEMU_ECAP, "outside"},
		{QEMU_CAP, QEMU_ECAP | 0x3ff00, "outside"},
		{QEMU_CAP & ~0x1f00ull, QEMU_ECAP, "levels"},
		{QEMU_CAP & ~(0x3full << 16), QEMU_ECAP, "32 bits"},
		{(QEMU_CAP & ~(0x3full << 16)) | 30 << 16, QEMU_ECAP, "32 bits"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		begin(NONE);
		m.cap = lies[i].cap;
		m.ecap = lies[i].ecap;
		turn_it_on(true);
		if (!u->refused || !strstr(u->refused, lies[i].word))
			fail_msg("%u: %s", i, m.said);
		assert_int_equal(m.writes, 0); /* what is there may be something else */
	}
}

/* Each access in turn is the first that nobody answers; each write in turn is the one that is lost;
 * each allocation in turn fails. */
static void each_in_turn(void **state __unused)
{
	unsigned refused = 0, *const which[] = {&m.gone, &m.lost, &m.failing};

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(which); i++) {
		unsigned n = 1, all;

		do {
			begin(NONE);
			*which[i / 2] = n++;
			turn_it_on(i & 1);
			is_sound();
			refused += u->refused != NULL;
			all = i / 2 == 0 ? m.accesses : i / 2 == 1 ? m.writes : m.allocations;
			give_frames_back();
		} while (n <= all + 1);
		assert_true(!u->refused && n > 2);
	}
	assert_true(refused > 30);
}

/* A unit that worked, and then does not answer: its devices are stopped, once, and nobody waits for
 * it again. */
static void it_ends_at_work(void **state __unused)
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t before;
		bool queue = i & 1;

		begin(NONE);
		turn_it_on(queue);
		assert_null(u->refused);
		vtd_forget(u, 3, 0x100000, PAGE_SIZE);
		assert_true(!u->dead && !m.stopped && u->invalidations == 2);
		if (i & 2)
			m.gone = 1;
		else
			m.quirk = queue ? QUEUE_STANDS : NO_IOTLB;
		before = m.clock;
		vtd_forget(u, 3, 0x100000, PAGE_SIZE);
		assert_true(m.clock - before <= BOUND && m.stopped == 1);
		assert_non_null(u->dead);
		before = m.clock;
		vtd_forget(u, 3, 0x200000, PAGE_SIZE);
		vtd_forget_all(u);
		vtd_take_faults(u);
		assert_true(m.clock - before < 10 * STEP_NS && m.stopped == 1);
		assert_int_equal(u->log.seen, 0);
		m.said[0] = '\0';
		assert_true(something_to_tell());
		tell();
		assert_non_null(strstr(m.said, "did not forget old translations"));
		assert_false(something_to_tell());
		give_frames_back();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_does_not_do),
		cmocka_unit_test(what_it_says_of_itself),
		cmocka_unit_test(each_in_turn),
		cmocka_unit_test(it_ends_at_work),
	};

	syscall(SYS_arch_prctl, ARCH_SET_GS, &cpu);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * A VT-d unit for host tests, register by register, as the specification has it: with one thing
 * that it does not do, with accesses that are lost, and what the driver asks of the kernel.
 * test_vtd.c includes the driver itself before this.
 *
 * A unit that does not look into the CPU's caches (ECAP.C is 0) has a memory of its own here: a
 * line is in it once it was written back, and a fence came behind that.
 */
#ifndef TESTS_HOST_VTD_UNIT_H
#define TESTS_HOST_VTD_UNIT_H

#define IOTLB_AT    0xf8u /* as QEMU's */
#define FRCD_AT	    0x220u
#define MOST_FRAMES 8u
#define LINE	    64u
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
	void *frame[MOST_FRAMES];   /* NULL: free */
	uint8_t *seen[MOST_FRAMES]; /* the same as the unit sees it, if it does not look into caches
				     */
	bool pending[MOST_FRAMES][2 * PAGE_SIZE / LINE]; /* written back, and no fence since */
	unsigned written_back;				 /* lines, in all */
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
	m.seen[m.allocations] =
		memset(aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE), 0xff, 2 * PAGE_SIZE);
	return (uint64_t)p - DIRECT_BASE;
}
/* Which frame this byte is in, *at its offset. */
static unsigned frame_with(const void *p, size_t *at)
{
	for (unsigned i = 0; i < MOST_FRAMES; i++) {
		*at = (size_t)((const char *)p - (char *)m.frame[i]);
		if (m.frame[i] && *at < 2 * PAGE_SIZE)
			return i;
	}
	fail_msg("%p is in no frame", p);
	return 0;
}
/* What the unit reads there: the CPU's bytes, or what of them has arrived. */
static const void *unit_sees(const void *p)
{
	size_t at;
	unsigned i = frame_with(p, &at);

	return m.ecap & 1 ? p : m.seen[i] + at;
}
void cache_writeback(const void *p, size_t n)
{
	size_t at;
	unsigned i = frame_with(p, &at);

	for (size_t line = at / LINE; line <= (at + n - 1) / LINE; line++) {
		m.pending[i][line] = true;
		m.written_back++;
	}
}
void store_fence(void)
{
	for (unsigned i = 0; i < MOST_FRAMES; i++)
		for (unsigned l = 0; m.frame[i] && l < 2 * PAGE_SIZE / LINE; l++) {
			if (m.pending[i][l])
				memcpy(m.seen[i] + l * LINE, (char *)m.frame[i] + l * LINE, LINE);
			m.pending[i][l] = false;
		}
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
	free(m.seen[i]);
	memset(m.pending[i], 0, sizeof(m.pending[i]));
	m.frame[i] = m.seen[i] = NULL;
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
	for (; m.head != m.tail; m.head = (m.head + 1) % VTD_QUEUE) {
		const uint64_t *descriptor = unit_sees(queue[m.head]);

		if ((descriptor[0] & 15) == 5)
			*(uint32_t *)phys_to_virt(descriptor[1]) = (uint32_t)(descriptor[0] >> 32);
	}
}

static void command(uint32_t v)
{
	m.command = v;
	if (m.quirk != TE_STAYS && m.quirk != NO_TE)
		m.gsts = (m.gsts & ~VTD_TE) | (v & VTD_TE);
	if ((v & VTD_SRTP) && m.quirk != NO_ROOT) {
		m.gsts |= VTD_SRTP;
		assert_memory_equal(unit_sees(phys_to_virt(m.root)), phys_to_virt(m.root),
				    PAGE_SIZE);
	}
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

#endif

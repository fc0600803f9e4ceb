/* SPDX-License-Identifier: MIT */
/*
 * A VT-d unit: what it can, how it is started, which device has which tables, and its faults.
 *
 * From a device's access to memory: the root table has an entry for each bus, that leads to a table
 * with an entry for each function, and that names the page tables of its domain. A function without
 * an entry reaches nothing; so has every function that no driver asked a domain for.
 *
 * Translation is turned on at boot before any driver starts, with an empty root table, when no
 * function but bridges may master the bus (drivers/pci). A unit that does not do what its registers
 * promise is turned off again and refused with the reason, and the devices in front of it go on
 * with physical addresses.
 *
 * `iommu=off` on the kernel's command line leaves all units alone; `iommu=registers` does not use
 * their queues.
 *
 * Source: Intel VT-d, chapter 9 (tables), chapter 11 (registers), 6.8 (write-back of tables).
 */
#include "drivers/drivers.h"
#include "drivers/iommu/internal.h"

#define SECOND_NS	1000000000ull
#define CONTEXT_PRESENT 1ull
#define FEE_BASE	0xfee00000u
#define FECTL_MASKED	0x80000000u

static struct vtd *units[DMAR_MAX_UNITS]; /* made as the table names them */
static unsigned nr_units;

struct vtd *vtd_nth(unsigned n)
{
	return n < nr_units ? units[n] : NULL;
}

struct vtd *vtd_of(const struct dmar_unit *unit)
{
	for (unsigned i = 0; i < nr_units; i++)
		if (units[i]->unit->base == unit->base && !units[i]->refused)
			return units[i];
	return NULL;
}

bool vtd_wait_status(const struct vtd *u, uint32_t mask, uint32_t want)
{
	uint64_t end = clock_ns() + SECOND_NS;
	uint32_t status;

	/* All ones is what nobody answers: reserved bits are among them. */
	while ((status = vtd_read32(u, VTD_GSTS)) == UINT32_MAX || (status & mask) != want)
		if (clock_ns() > end)
			return false;
	return true;
}

/* ---- memory that the unit reads ------------------------------------------------------------ */

static uint64_t *table_at(uint64_t frame)
{
	return phys_to_virt(frame);
}

static uint64_t new_table(void)
{
	uint64_t frame = frame_alloc_zero();

	if (frame)
		frames_lasting_add(1);
	return frame;
}

static void free_table(uint64_t frame)
{
	frames_lasting_add(-1);
	frame_free(frame, 0);
}

const struct slpt_ground vtd_snooped = {new_table, free_table, table_at, NULL, NULL};
const struct slpt_ground vtd_unsnooped = {new_table, free_table, table_at, cache_writeback,
					  store_fence};

int vtd_set_context(struct vtd *u, uint16_t requester, uint16_t id, const struct slpt *t)
{
	uint64_t *root = &u->root[(requester >> 8) * 2];
	uint64_t *entry;

	if (!*root) {
		uint64_t frame = frame_alloc_zero();

		if (!frame)
			return -ENOMEM;
		vtd_written(u, phys_to_virt(frame), PAGE_SIZE);
		store_fence();
		*root = frame | CONTEXT_PRESENT;
		vtd_written(u, root, sizeof(*root));
	}
	entry = (uint64_t *)phys_to_virt(*root & ~4095ull) + (requester & 0xff) * 2;
	if (t) {
		/* The width and the id before the entry becomes present. */
		entry[1] = (t->levels - 2) | (uint64_t)id << 8;
		vtd_written(u, &entry[1], sizeof(entry[1]));
		store_fence();
		__atomic_store_n(&entry[0], t->root | CONTEXT_PRESENT, __ATOMIC_RELEASE);
	} else {
		__atomic_store_n(&entry[0], 0, __ATOMIC_RELEASE);
	}
	vtd_written(u, &entry[0], sizeof(entry[0]));
	vtd_forget_all(u);
	return 0;
}

/* ---- faults -------------------------------------------------------------------------------- */

static uint32_t log_read(void *ctx, unsigned off)
{
	return vtd_read32(ctx, off);
}

static void log_write(void *ctx, unsigned off, uint32_t v)
{
	vtd_write32(ctx, off, v);
}

void vtd_take_faults(struct vtd *u)
{
	const struct vtd_regs regs = {log_read, log_write, u};
	uint64_t flags = spin_lock_irqsave(&u->lock);

	vtd_fault_take(&regs, (unsigned)(u->cap >> 24 & 0x3ff) * 16,
		       (unsigned)(u->cap >> 40 & 0xff) + 1, clock_ns(), &u->log);
	spin_unlock_irqrestore(&u->lock, flags);
}

static void interrupt(void *arg)
{
	vtd_take_faults(arg);
	shell_wake();
}

static void end_fault_interrupt(struct vtd *u)
{
	vtd_write32(u, VTD_FECTL, FECTL_MASKED);
	irq_free_vector(u->vector);
}

static const char *start_fault_interrupt(struct vtd *u)
{
	const uint32_t to = FEE_BASE | cpu_by_id(0)->apic_id << 12;

	u->vector = irq_alloc_vector(interrupt, u, u->name);
	if (u->vector < 0)
		return "no interrupt vector is left";
	vtd_write32(u, VTD_FEDATA, (uint32_t)u->vector);
	vtd_write32(u, VTD_FEADDR, to);
	vtd_write32(u, VTD_FEUADDR, 0);
	/* Before it may interrupt: another vector would be another driver's. */
	if (vtd_read32(u, VTD_FEDATA) == (uint32_t)u->vector && vtd_read32(u, VTD_FEADDR) == to) {
		vtd_write32(u, VTD_FECTL, 0);
		if (!(vtd_read32(u, VTD_FECTL) & FECTL_MASKED))
			return NULL;
	}
	end_fault_interrupt(u);
	return "it does not take the place of its fault interrupt";
}

uint64_t iommu_faults(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < nr_units; i++) {
		if (!units[i]->refused)
			vtd_take_faults(units[i]);
		sum += units[i]->log.seen;
	}
	return sum;
}

/* ---- start --------------------------------------------------------------------------------- */

/* The most levels of those that the unit offers and this driver knows; 0: none of them. */
static unsigned offered_levels(uint64_t cap)
{
	return cap >> 10 & 1 ? 4 : cap >> 9 & 1 ? 3 : cap >> 11 & 1 ? 5 : 0;
}

/* What an earlier system left on goes off. */
static const char *come_to_rest(struct vtd *u)
{
	u->state = 0;
	if (vtd_read32(u, VTD_GSTS) & (VTD_TE | VTD_QIE))
		vtd_write32(u, VTD_GCMD, 0);
	if (!vtd_wait_status(u, VTD_TE, 0))
		return "translation of an earlier system cannot be turned off";
	if (!vtd_wait_status(u, VTD_QIE, 0))
		return "the queue of an earlier system cannot be turned off";
	return NULL;
}

/* Registers and their promises. A sentence, or NULL: it can be used. */
static const char *look_at(struct vtd *u)
{
	u->regs = map_mmio(u->unit->base, u->unit->size);
	if (!u->regs)
		return "no memory for tables to map its registers";
	u->cap = vtd_read64(u, VTD_CAP);
	u->ecap = vtd_read64(u, VTD_ECAP);
	if (!vtd_read32(u, VTD_VER) || vtd_read32(u, VTD_VER) == UINT32_MAX)
		return "no unit answers at its registers";
	if ((u->cap >> 24 & 0x3ff) * 16 + ((u->cap >> 40 & 0xff) + 1) * 16 > u->unit->size ||
	    (u->ecap >> 8 & 0x3ff) * 16 + 16 > u->unit->size)
		return "its registers lie outside of what the DMAR says";
	u->levels = offered_levels(u->cap);
	u->width = MIN((unsigned)(u->cap >> 16 & 0x3f) + 1, 12 + 9 * u->levels);
	u->large = u->cap >> 34 & 3;
	u->caching = u->cap >> 7 & 1;
	u->holds_back = u->odd = u->cap >> 4 & 1;
	u->drains = (u->cap >> 54 & 3) == 3;
	u->most_order = u->cap >> 39 & 1 ? (int)(u->cap >> 48 & 0x3f) : -1;
	u->next_domain = 1; /* 0 is what a caching unit files absent entries under */
	if (u->levels && u->width < 32)
		return "its bus addresses have less than 32 bits";
	return u->levels ? NULL : "it has page tables of 3, 4 or 5 levels in none of its widths";
}

static const char *set_root(struct vtd *u)
{
	uint64_t frame = frame_alloc_zero();

	if (!frame)
		return "no memory for its root table";
	u->root = phys_to_virt(frame);
	vtd_written(u, u->root, PAGE_SIZE);
	store_fence();
	vtd_write64(u, VTD_RTADDR, frame);
	if (vtd_read64(u, VTD_RTADDR) == frame) {
		vtd_write32(u, VTD_GCMD, u->state | VTD_SRTP);
		if (vtd_wait_status(u, VTD_SRTP, VTD_SRTP))
			return NULL;
	}
	return "it does not take its root table";
}

static const char *translate(struct vtd *u)
{
	u->state |= VTD_TE;
	vtd_write32(u, VTD_GCMD, u->state);
	if (vtd_wait_status(u, VTD_TE, VTD_TE))
		return NULL;
	end_fault_interrupt(u);
	return "translation cannot be turned on";
}

static const char *turn_on(struct vtd *u, bool use_queue)
{
	const char *why = come_to_rest(u);

	if (!why)
		why = set_root(u);
	if (why)
		return why;
	u->queued = use_queue && u->ecap >> 1 & 1 && vtd_queue_start(u);
	vtd_forget_all(u);
	if (u->dead)
		return u->dead;
	vtd_take_faults(u);
	u->log = (struct vtd_fault_log){0}; /* an earlier system's */
	return start_fault_interrupt(u) ?: translate(u);
}

/* Whatever it was told, it is told to do nothing: a command that it takes up late would stop
 * devices that go on with physical addresses. Its root table and queue stay where they are. */
static void leave_alone(struct vtd *u)
{
	u->state = 0;
	vtd_write32(u, VTD_GCMD, 0);
}

static void start(const struct dmar_unit *unit, bool use_queue)
{
	struct vtd *u = malloc(sizeof(*u));

	if (!u) {
		kprintf("iommu: the unit at 0x%lx is not used: no memory\n", unit->base);
		return;
	}
	*u = (struct vtd){.unit = unit, .lock = SPINLOCK_INIT("VT-d unit")};
	snprintf(u->name, sizeof(u->name), "iommu%u", nr_units);
	units[nr_units++] = u;
	u->refused = look_at(u);
	if (!u->refused) {
		u->refused = turn_on(u, use_queue);
		if (u->refused)
			leave_alone(u);
	}
	if (u->refused) {
		kprintf("%s at 0x%lx is not used: %s\n", u->name, unit->base, u->refused);
		return;
	}
	kprintf("%s: VT-d at 0x%lx translates\n", u->name, unit->base); /* the rest: `iommu` */
}

static int vtd_init(const struct boot_info *bi)
{
	const struct dmar *d = dmar_get();
	char mode[16] = "";

	(void)bi;
	cmdline_get("iommu", mode, sizeof(mode));
	if (!d || d->verdict != DMAR_ACCEPTED)
		return 0;
	if (!strcmp(mode, "off")) {
		kprintf("iommu: off, by the command line; devices reach all memory\n");
		return 0;
	}
	for (unsigned i = 0; i < d->nr_units; i++)
		if (d->unit[i].verdict == DMAR_ACCEPTED)
			start(&d->unit[i], strcmp(mode, "registers") != 0);
		else
			kprintf("iommu: the unit at 0x%lx is not used: %s\n", d->unit[i].base,
				d->unit[i].reason);
	return 0;
}
/* After the table's stage, before any driver's. */
INITCALL(INIT_BUS + 2, vtd, "VT-d", vtd_init);

/* ---- telling ------------------------------------------------------------------------------- */

static bool something_to_tell(void)
{
	for (unsigned i = 0; i < nr_units; i++)
		if (__atomic_load_n(&units[i]->log.seen, __ATOMIC_ACQUIRE) != units[i]->told ||
		    __atomic_load_n(&units[i]->log.overflows, __ATOMIC_ACQUIRE) !=
			    units[i]->told_overflows ||
		    (units[i]->dead && !units[i]->dead_told && !units[i]->refused))
			return true;
	return false;
}

static void tell(void)
{
	char line[200];

	for (unsigned i = 0; i < nr_units; i++) {
		if (units[i]->dead && !units[i]->dead_told && !units[i]->refused)
			kprintf("%s is of no use any more: %s. The devices behind it were "
				"stopped\n",
				units[i]->name, units[i]->dead);
		units[i]->dead_told = units[i]->dead != NULL;
		while (vtd_fault_next(&units[i]->log, &units[i]->told, &units[i]->told_overflows,
				      iommu_source_name, line, sizeof(line)))
			kprintf("%s: %s\n", units[i]->name, line);
	}
}

static int vtd_late(const struct boot_info *bi)
{
	(void)bi;
	shell_at_prompt(something_to_tell, tell);
	return 0;
}
INITCALL(INIT_LATE, vtd_late, "faults are told", vtd_late);

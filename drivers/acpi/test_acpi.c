/* SPDX-License-Identifier: MIT */
/* Self-tests of the ACPI provider: this machine's tables, and the power-off path up to the write.
 */
#include "drivers/acpi/acpi.h"
#include "mm/mm.h"

#define PM_MASK	 0xffffffu /* of a timer that may have 24 bits only */
#define PM_LOOKS 1000000u  /* in which a timer must have moved */
#define PM_PAIRS 100u	   /* of looks, of which one must be near enough */

SELFTEST(acpi_checksums, "acpi.checksums",
	 "every table with verdict ok sums to 0 over its length, read again from memory")
{
	const struct acpi_tables *a = &acpi_get()->tables;
	unsigned ok = 0;

	for (unsigned i = 0; i < a->nr; i++) {
		const struct acpi_table *e = &a->table[i];
		const uint8_t *b = acpi_map(NULL, e->phys, e->length);

		if (e->verdict != ACPI_OK)
			continue;
		EXPECT(b, "%s at 0x%lx can be mapped", e->signature, e->phys);
		EXPECT(byte_sum(b, e->length) == 0, "%s sums to 0x%02x", e->signature,
		       byte_sum(b, e->length));
		ok++;
	}
	EXPECT(ok >= 3, "a root table, FADT and MADT at least, found %u good tables", ok);
}

SELFTEST(acpi_rsdp, "acpi.rsdp-again", "walking from the RSDP a second time finds the same tables")
{
	const struct acpi_tables *a = &acpi_get()->tables;
	struct acpi_tables *again = malloc(sizeof(*again));
	int err;

	EXPECT(again, "memory for a second walk");
	err = acpi_walk(again, a->rsdp.phys, acpi_map, NULL);
	EXPECT_OR(out, !err, "error %d", err);
	EXPECT_OR(out, again->nr == a->nr, "%u tables, before %u", again->nr, a->nr);
	for (unsigned i = 0; i < a->nr; i++)
		EXPECT_OR(out,
			  again->table[i].phys == a->table[i].phys &&
				  again->table[i].sum == a->table[i].sum,
			  "table %u: 0x%lx sum 0x%02x, before 0x%lx sum 0x%02x", i,
			  again->table[i].phys, again->table[i].sum, a->table[i].phys,
			  a->table[i].sum);
out:
	free(again);
}

SELFTEST(acpi_madt, "acpi.madt-lists-running-cpus",
	 "every running CPU is an enabled entry of the MADT, and there is an I/O APIC")
{
	const struct acpi *a = acpi_get();

	EXPECT(a->has_madt, "a MADT");
	EXPECT(a->madt.nr_ioapics > 0, "one I/O APIC or more");
	for (unsigned c = 0; c < nr_cpus; c++) {
		bool listed = false;

		for (unsigned i = 0; i < a->madt.nr_cpus; i++)
			listed |= a->madt.cpu[i].enabled &&
				  a->madt.cpu[i].apic_id == cpu_by_id(c)->apic_id;
		EXPECT(listed, "CPU %u with APIC id %u in the MADT", c, cpu_by_id(c)->apic_id);
	}
}

static bool cpu_runs(uint32_t apic_id)
{
	for (unsigned c = 0; c < nr_cpus; c++) {
		if (cpu_by_id(c)->apic_id == apic_id)
			return true;
	}
	return false;
}

/* Reads the raw bytes, so that an entry our decoder overlooked is noticed. */
SELFTEST(acpi_all_cpus, "acpi.every-enabled-cpu-runs",
	 "every enabled local APIC entry in the bytes of the MADT is a running CPU, up to MAX_CPUS")
{
	const struct acpi_table *m = acpi_find(&acpi_get()->tables, "APIC");
	unsigned enabled = 0;

	if (!m)
		SKIP("no MADT");
	for (uint32_t at = 44; at + 8 <= m->length && m->bytes[at + 1]; at += m->bytes[at + 1]) {
		const uint8_t *rec = m->bytes + at;

		if (rec[0] != 0 || !(le32(rec + 4) & 1))
			continue;
		enabled++;
		EXPECT(cpu_runs(rec[3]) || nr_cpus == MAX_CPUS, "CPU with APIC id %u", rec[3]);
	}
	EXPECT(nr_cpus == MIN(enabled, (unsigned)MAX_CPUS), "%u CPUs run, %u are enabled", nr_cpus,
	       enabled);
}

SELFTEST(acpi_lapic, "acpi.lapic-address",
	 "the MADT's local APIC address is the one the CPU reports in its APIC base register")
{
	uint64_t base = rdmsr(0x1b) & 0xffffff000ull;

	if (!acpi_get()->has_madt)
		SKIP("no MADT");
	EXPECT(acpi_get()->madt.lapic == base, "0x%lx, the CPU says 0x%lx", acpi_get()->madt.lapic,
	       base);
}

SELFTEST(acpi_power, "acpi.power-off-known",
	 "FADT and _S5_ give a port and a value for power-off, and the machine is not asleep")
{
	const struct acpi *a = acpi_get();

	if (!a->has_fadt)
		SKIP("no FADT");
	EXPECT(a->has_s5, "a _S5_ package of constants in the DSDT");
	EXPECT(a->fadt.pm1a_cnt && a->fadt.pm1a_cnt <= 0xffff, "a port, found 0x%x",
	       a->fadt.pm1a_cnt);
	EXPECT(acpi_sleep_value(a->slp_typ_a) & 0x2000, "SLP_EN in 0x%x",
	       acpi_sleep_value(a->slp_typ_a));
	EXPECT(!(in16((uint16_t)a->fadt.pm1a_cnt) & 0x2000), "SLP_EN reads as 0");
}

/* One look at the PM timer, and the clock before and after it. */
struct pm_look {
	uint64_t before, after;
	uint32_t ticks;
};

static struct pm_look pm_look(uint16_t port)
{
	struct pm_look look = {.before = clock_ns()};

	look.ticks = in32(port) & PM_MASK;
	look.after = clock_ns();
	return look;
}

static uint64_t pm_ticks(uint64_t ns)
{
	return ns * 3579545 / 1000000000;
}

/* Two looks, 20 ms apart or more, and less than the four seconds after which 24 bits may have
 * wrapped around: a host that stole the CPU for so long spoils the pair, and the next one counts.
 */
static bool pm_pair(uint16_t port, struct pm_look *a, struct pm_look *b)
{
	for (unsigned i = 0; i < PM_PAIRS; i++) {
		*a = pm_look(port);
		delay_us(20000);
		*b = pm_look(port);
		if (b->after - a->before < 4000000000ull)
			return true;
	}
	return false;
}

SELFTEST(acpi_pm_timer, "acpi.pm-timer-runs",
	 "the PM timer of the FADT moves, and counts at 3.58 MHz by our own clock, within a tenth")
{
	uint16_t port = (uint16_t)acpi_get()->fadt.pm_timer;
	struct pm_look a, b;
	uint64_t ticks, least, most;
	unsigned same = 0;

	if (!port)
		SKIP("the FADT names no PM timer");
	a = pm_look(port);
	while (pm_look(port).ticks == a.ticks && same < PM_LOOKS)
		same++;
	EXPECT(same < PM_LOOKS, "it stands at %u in %u looks", a.ticks, same);
	EXPECT(pm_pair(port, &a, &b), "%u pairs of looks were four seconds apart", PM_PAIRS);
	/* Whatever time passes inside a look: what the timer counted lies between the inner and the
	 * outer distance of the two. */
	ticks = (b.ticks - a.ticks) & PM_MASK;
	least = pm_ticks(b.before - a.after);
	most = pm_ticks(b.after - a.before);
	EXPECT(ticks > least * 9 / 10 && ticks < most * 11 / 10 + 1, "%lu ticks, not %lu to %lu",
	       ticks, least, most);
}

SELFTEST(acpi_refuses, "acpi.refuses-damaged-table",
	 "one flipped bit in a copy of a good table gives the verdict 'bad checksum', none gives "
	 "'ok'")
{
	const struct acpi_table *good = acpi_find(&acpi_get()->tables, "FACP");
	struct acpi_table again;
	uint64_t frame = frame_alloc_zero();
	uint8_t *copy = phys_to_virt(frame);

	EXPECT(frame, "a frame");
	EXPECT_OR(out, good && good->length <= PAGE_SIZE, "a FADT of a page at most");
	memcpy(copy, good->bytes, good->length);
	acpi_read_table(&again, frame, "FACP", acpi_map, NULL);
	EXPECT_OR(out, again.verdict == ACPI_OK, "%s", acpi_verdict_name(again.verdict));
	copy[good->length - 1] ^= 0x20;
	acpi_read_table(&again, frame, "FACP", acpi_map, NULL);
	EXPECT_OR(out, again.verdict == ACPI_BAD_CHECKSUM, "%s", acpi_verdict_name(again.verdict));
	acpi_read_table(&again, frame, "APIC", acpi_map, NULL);
	EXPECT_OR(out, again.verdict == ACPI_BAD_SIGNATURE, "%s", acpi_verdict_name(again.verdict));
out:
	frame_free(frame, 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * Faults, as the unit records them, and in words.
 *
 * A device does not learn that its access led nowhere: it finishes as if all had been well. The
 * unit keeps what happened in a few records of 128 bits, used in turn, each owned by the unit until
 * its bit F is set, and by us until we clear it. With no free record left the unit notes an
 * overflow and records nothing more, also when records become free, until the overflow was cleared.
 * So records are cleared first and the overflow last, and an overflow is counted: some faults have
 * left no trace.
 *
 * Source: Intel VT-d, 7.2 and 11.4.14 (fault recording registers).
 */
#include <inttypes.h>
#include <stdio.h>

#include "drivers/iommu/internal.h"

#define RECORD	       16u	   /* bytes */
#define RECORD_F       0x80000000u /* of its last 32 bits */
#define RECORD_READ    0x40000000u
#define FSTS_NEXT(v)   ((v) >> 8 & 0xff)
#define FSTS_ALL_FAULT (VTD_FSTS_PFO | VTD_FSTS_PPF)

static struct vtd_fault decode(uint64_t low, uint64_t high)
{
	/* Only 8 bits are the reason: what stands above it reads as ones on some units, although it
	 * is about a PASID that nobody used. */
	return (struct vtd_fault){.address = low & ~4095ull,
				  .source = (uint16_t)high,
				  .reason = (uint8_t)(high >> 32),
				  .read = high >> 62 & 1};
}

static uint64_t read64(const struct vtd_regs *regs, unsigned off)
{
	return regs->read32(regs->ctx, off) | (uint64_t)regs->read32(regs->ctx, off + 4) << 32;
}

static void keep(struct vtd_fault_log *log, struct vtd_fault f, uint64_t now)
{
	f.at_ns = now;
	log->last[log->seen++ % VTD_FAULT_LOG] = f;
}

unsigned vtd_fault_take(const struct vtd_regs *regs, unsigned at, unsigned nr, uint64_t now,
			struct vtd_fault_log *log)
{
	uint32_t status = regs->read32(regs->ctx, VTD_FSTS);
	unsigned taken = 0, i;

	if (!(status & FSTS_ALL_FAULT) || !nr || status == UINT32_MAX) /* nobody answers */
		return 0;
	/* The oldest record first; each at most once, whatever the unit says meanwhile. */
	for (i = FSTS_NEXT(status) % nr; taken < nr; i = (i + 1) % nr) {
		unsigned off = at + RECORD * i;
		uint64_t high = read64(regs, off + 8);

		if (!(high >> 32 & RECORD_F))
			break;
		keep(log, decode(read64(regs, off), high), now);
		regs->write32(regs->ctx, off + 12, RECORD_F);
		taken++;
	}
	log->overflows += status & VTD_FSTS_PFO ? 1 : 0;
	/* Records before the overflow, else the unit overflows again at once. */
	regs->write32(regs->ctx, VTD_FSTS, status & FSTS_ALL_FAULT);
	return taken;
}

static const char *reason_text(const struct vtd_fault *f)
{
	static const char *const text[] = {
		[0x01] = "no table for its bus",
		[0x02] = "the device has no domain",
		[0x03] = "the device's entry holds what cannot be",
		[0x04] = "the address is beyond the width of the domain",
		[0x05] = "no mapping lets it write there",
		[0x06] = "no mapping lets it read there",
		[0x07] = "a page table lies where the unit cannot read",
		[0x08] = "the root table lies where the unit cannot read",
		[0x09] = "the device's table lies where the unit cannot read",
		[0x0a] = "reserved bits are set in the root table",
		[0x0b] = "reserved bits are set in the device's entry",
		[0x0c] = "reserved bits are set in a page table",
		[0x0d] = "the device asked for a translation, which it may not",
	};

	return f->reason < ARRAY_SIZE(text) && text[f->reason] ? text[f->reason]
							       : "a reason that has no name here";
}

void vtd_fault_text(const struct vtd_fault *f, char *buf, size_t size)
{
	snprintf(buf, size, "%s 0x%" PRIx64 ": %s (reason %u)", f->read ? "read of" : "write to",
		 f->address, reason_text(f), f->reason);
}

bool vtd_fault_next(const struct vtd_fault_log *log, uint64_t *told, uint64_t *told_overflows,
		    void (*name)(uint16_t source, char *buf, size_t size), char *line, size_t size)
{
	uint64_t kept = MIN(log->seen, (uint64_t)VTD_FAULT_LOG), gone = log->seen - kept;
	char text[120], who[40];

	if (*told < gone) {
		snprintf(line, size, "%" PRIu64 " fault(s) before these are not kept",
			 gone - *told);
		*told = gone;
		return true;
	}
	if (*told < log->seen) {
		const struct vtd_fault *f = &log->last[(*told)++ % VTD_FAULT_LOG];

		vtd_fault_text(f, text, sizeof(text));
		name(f->source, who, sizeof(who));
		snprintf(line, size, "fault: %s, %s", who, text);
		return true;
	}
	if (*told_overflows < log->overflows) {
		snprintf(line, size,
			 "%" PRIu64 " time(s) there was no record left: some faults left no trace",
			 log->overflows - *told_overflows);
		*told_overflows = log->overflows;
		return true;
	}
	return false;
}

/* The reason for index 0 names the number only. "the reason says that range index 0 is reserved" */
/* REGION usable */
static bool refuse_addresses(struct nfit_spa *p, unsigned int phys_bits)
{
	uint64_t last = p->base + (p->length - 1);

	if (p->index == 0) {
		reject(p, "range index 0");
		return true;
	}
	if (p->length == 0) {
		reject(p, "length 0");
		return true;
	}
	if (last < p->base) {
		reject(p, "base 0x%" PRIx64 " + length 0x%" PRIx64 " wraps around", p->base, p->length);
		return true;
	}
	if (last >> phys_bits) {
		reject(p, "ends at 0x%" PRIx64 ", beyond the %u address bits of this CPU", last, phys_bits);
		return true;
	}
	return false;
}

static bool trim(struct nfit_spa *p)
{
	uint64_t first = (p->base + NFIT_ALIGN - 1) / NFIT_ALIGN * NFIT_ALIGN;
	uint64_t end = (p->base + p->length) / NFIT_ALIGN * NFIT_ALIGN;

	if (p->length < NFIT_ALIGN) {
		reject(p, "it has %" PRIu64 " bytes; 2 MiB or more would do", p->length);
		return true;
	}
	if (end <= first) {
		reject(p, "no 2 MiB-aligned 2 MiB within 0x%" PRIx64 "-0x%" PRIx64 "; align=2M would pass",
		       p->base, p->base + (p->length - 1));
		return true;
	}
	p->usable_base = first;
	p->usable_length = end - first;
	p->lost_start = first - p->base;
	p->lost_end = p->base + p->length - end;
	if (p->lost_start || p->lost_end)
		snprintf(p->reason, sizeof(p->reason),
			 "trimmed to 2 MiB borders: %" PRIu64 " pages lost (%" PRIu64
			 " bytes at the start, %" PRIu64 " at the end); fix: align=2M",
			 nfit_pages_lost(p), p->lost_start, p->lost_end);
	return false;
}

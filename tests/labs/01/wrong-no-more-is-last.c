/* The largest number means that there is no further cut. "must not be one that a range can end at" */
/* REGION ranges */
/* The next border behind `at`; UINT64_MAX: there is none. */
static uint64_t next_border(const struct boot_info *bi, uint64_t at)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t r = 0; r < bi->nr_ranges; r++) {
		uint64_t base = bi->ranges[r].base, end = base + bi->ranges[r].len;

		if (base > at && base < next)
			next = base;
		if (end > at && end < next)
			next = end;
	}
	return next;
}

static uint32_t type_at(const struct boot_info *bi, uint64_t at)
{
	uint32_t best = 0;

	for (uint32_t r = 0; r < bi->nr_ranges; r++) {
		const struct boot_range *range = &bi->ranges[r];

		if (at >= range->base && at - range->base < range->len &&
		    (!best || restriction(range->type) > restriction(best)))
			best = range->type;
	}
	return best;
}

void boot_normalise_ranges(struct boot_info *bi)
{
	static struct boot_info out;

	out.nr_ranges = 0;
	out.ranges_dropped = bi->ranges_dropped;
	for (uint64_t at = 0, next; (next = next_border(bi, at)) != UINT64_MAX; at = next)
		if (type_at(bi, at))
			boot_add_range(&out, at, next - at, type_at(bi, at));
	for (uint32_t i = 0; i < out.nr_ranges; i++)
		bi->ranges[i] = out.ranges[i];
	bi->nr_ranges = out.nr_ranges;
	bi->ranges_dropped = out.ranges_dropped;
}

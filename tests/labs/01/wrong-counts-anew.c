/* Ranges that were dropped before are forgotten. "a count that begins at zero forgets it", hidden "hidden-room" */
/* REGION ranges */
static uint32_t collect_cuts(const struct boot_info *bi, uint64_t *cuts)
{
	uint32_t n = 0;

	for (uint32_t r = 0; r < 2 * bi->nr_ranges; r++) {
		const struct boot_range *range = &bi->ranges[r / 2];
		uint64_t cut = r % 2 ? range->base + range->len : range->base;
		uint32_t at = n++;

		for (; at > 0 && cuts[at - 1] > cut; at--)
			cuts[at] = cuts[at - 1];
		cuts[at] = cut;
	}
	return n;
}

/* The type of [from, to), a gap between two cuts; 0: no range covers it. */
static uint32_t type_between(const struct boot_info *bi, uint64_t from, uint64_t to)
{
	uint32_t best = 0;

	for (uint32_t r = 0; r < bi->nr_ranges; r++) {
		const struct boot_range *range = &bi->ranges[r];

		if (range->base <= from && to <= range->base + range->len &&
		    (!best || restriction(range->type) > restriction(best)))
			best = range->type;
	}
	return best;
}

void boot_normalise_ranges(struct boot_info *bi)
{
	static uint64_t cuts[2 * BOOT_MAX_RANGES];
	static struct boot_info out;
	uint32_t n = collect_cuts(bi, cuts);

	out.nr_ranges = 0;
	out.ranges_dropped = 0;
	for (uint32_t i = 1; i < n; i++) {
		uint32_t type = type_between(bi, cuts[i - 1], cuts[i]);

		if (type)
			boot_add_range(&out, cuts[i - 1], cuts[i] - cuts[i - 1], type);
	}
	for (uint32_t i = 0; i < out.nr_ranges; i++)
		bi->ranges[i] = out.ranges[i];
	bi->nr_ranges = out.nr_ranges;
	bi->ranges_dropped = out.ranges_dropped;
}

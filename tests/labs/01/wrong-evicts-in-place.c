/* What is too much goes to where the last RAM range stood. "stands where that one stood" */
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

static uint32_t type_between(const struct boot_info *bi, uint64_t from, uint64_t to)
{
	uint32_t best = 0;

	for (uint32_t r = bi->nr_ranges; r--;) {
		const struct boot_range *range = &bi->ranges[r];

		if (range->base <= from && to <= range->base + range->len && (!best || restriction(range->type) > restriction(best)))
			best = range->type;
	}
	return best;
}

static void put_behind(struct boot_info *out, struct boot_range r)
{
	struct boot_range *last = out->nr_ranges ? &out->ranges[out->nr_ranges - 1] : NULL;

	if (last && last->type == r.type && last->base + last->len == r.base) {
		last->len += r.len;
		return;
	}
	if (out->nr_ranges < BOOT_MAX_RANGES) {
		out->ranges[out->nr_ranges++] = r;
		return;
	}
	out->ranges_dropped++;
	for (uint32_t i = BOOT_MAX_RANGES; r.type != BOOT_RAM && i--;)
		if (out->ranges[i].type == BOOT_RAM) {
			out->ranges[i] = r;
			return;
		}
}

void boot_normalise_ranges(struct boot_info *bi)
{
	static uint64_t cuts[2 * BOOT_MAX_RANGES];
	static struct boot_info out;
	uint32_t n = collect_cuts(bi, cuts);

	out.nr_ranges = 0;
	out.ranges_dropped = bi->ranges_dropped;
	for (uint32_t i = 1; i < n; i++) {
		uint32_t type = type_between(bi, cuts[i - 1], cuts[i]);

		if (type)
			put_behind(&out, (struct boot_range){cuts[i - 1], cuts[i] - cuts[i - 1], type, 0});
	}
	for (uint32_t i = 0; i < out.nr_ranges; i++)
		bi->ranges[i] = out.ranges[i];
	bi->nr_ranges = out.nr_ranges;
	bi->ranges_dropped = out.ranges_dropped;
}

/* The same cuts, and which type holds between them is asked of the list from its end; other words for the other two. */
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
			boot_add_range(&out, cuts[i - 1], cuts[i] - cuts[i - 1], type);
	}
	for (uint32_t i = 0; i < out.nr_ranges; i++)
		bi->ranges[i] = out.ranges[i];
	bi->nr_ranges = out.nr_ranges;
	bi->ranges_dropped = out.ranges_dropped;
}
/* REGION decode */
static void decode_spa(struct nfit *n, const uint8_t *s)
{
	struct nfit_spa *p = &n->spas[n->nr_spas++];

	p->table = n;
	p->index = le16(s + 4);
	p->flags = le16(s + 6);
	p->has_proximity = p->flags & 2;
	p->has_location = p->flags & 4;
	p->proximity = le32(s + 12);
	memcpy(p->guid, s + 16, 16);
	p->kind = kind_of(p->guid);
	p->base = le64(s + 32);
	p->length = le64(s + 40);
	p->attributes = le64(s + 48);
	p->location = p->has_location ? le64(s + 56) : 0;
}

static void decode_memdev(struct nfit *n, const uint8_t *s)
{
	struct nfit_memdev *m = &n->memdevs[n->nr_memdevs++];

	m->handle = le32(s + 4);
	m->physical_id = le16(s + 8);
	m->region_id = le16(s + 10);
	m->range_index = le16(s + 12);
	m->dcr_index = le16(s + 14);
	m->region_size = le64(s + 16);
	m->region_offset = le64(s + 24);
	m->dpa = le64(s + 32);
	m->interleave_index = le16(s + 40);
	m->ways = le16(s + 42);
	m->flags = le16(s + 44);
}
/* REGION usable */
static const uint64_t mask = NFIT_ALIGN - 1;

static bool refuse_addresses(struct nfit_spa *p, unsigned int phys_bits)
{
	const uint64_t end_of_cpu = 1ull << phys_bits;

	if (p->index && p->length && p->base < end_of_cpu && p->length <= end_of_cpu - p->base)
		return false;
	if (!p->index)
		reject(p, "range index 0 is reserved (expected 1 or more)");
	else if (!p->length)
		reject(p, "length 0");
	else if (p->length - 1 > UINT64_MAX - p->base)
		reject(p, "base 0x%" PRIx64 " + length 0x%" PRIx64 " wraps around", p->base, p->length);
	else
		reject(p, "ends at 0x%" PRIx64 ", beyond the %u address bits of this CPU",
		       p->base + (p->length - 1), phys_bits);
	return true;
}

static bool trim(struct nfit_spa *p)
{
	p->lost_start = (NFIT_ALIGN - (p->base & mask)) & mask;
	p->lost_end = (p->base + p->length) & mask;
	if (p->length >= NFIT_ALIGN && p->length >= p->lost_start + p->lost_end + NFIT_ALIGN) {
		p->usable_base = p->base + p->lost_start;
		p->usable_length = p->length - p->lost_start - p->lost_end;
		if (p->lost_start | p->lost_end)
			snprintf(p->reason, sizeof(p->reason),
				 "trimmed to 2 MiB borders: %" PRIu64 " pages lost (%" PRIu64
				 " bytes at the start, %" PRIu64 " at the end); fix: align=2M",
				 nfit_pages_lost(p), p->lost_start, p->lost_end);
		return false;
	}
	p->lost_start = p->lost_end = 0;
	if (p->length < NFIT_ALIGN)
		reject(p, "it has %" PRIu64 " bytes; 2 MiB or more would do", p->length);
	else
		reject(p, "no 2 MiB-aligned 2 MiB within 0x%" PRIx64 "-0x%" PRIx64 "; align=2M would pass",
		       p->base, p->base + (p->length - 1));
	return true;
}

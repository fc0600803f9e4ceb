/* Ranges are put into a new list one by one, the most restrictive ones first; fields are read by a cursor; ends are compared, not lengths. */
/* REGION ranges */
/* The part of [*at, end) that no range of the list has yet; false: there is none. */
static bool free_part(const struct boot_info *list, uint64_t *at, uint64_t end, uint64_t *to)
{
	bool again;

	do {
		again = false;
		*to = end;
		for (uint32_t i = 0; i < list->nr_ranges; i++) {
			const struct boot_range *r = &list->ranges[i];

			if (r->base <= *at && *at < r->base + r->len) {
				*at = r->base + r->len;
				again = true;
			} else if (r->base > *at && r->base < *to) {
				*to = r->base;
			}
		}
	} while (again && *at < end);
	return *at < end;
}

static void swap_down(struct boot_range *r, uint32_t i)
{
	for (; i && r[i - 1].base > r[i].base; i--) {
		struct boot_range t = r[i];

		r[i] = r[i - 1];
		r[i - 1] = t;
	}
}

/* Puts what is left of one range into the list, in pieces. */
static void put_range(struct boot_info *out, const struct boot_range *r)
{
	const uint64_t end = r->base + r->len;
	static struct boot_range pieces[BOOT_MAX_RANGES];
	uint32_t nr = 0;

	for (uint64_t at = r->base, to = 0; nr < BOOT_MAX_RANGES && free_part(out, &at, end, &to); at = to)
		pieces[nr++] = (struct boot_range){.base = at, .len = to - at, .type = r->type};
	for (uint32_t i = 0; i < nr; i++) {
		if (out->nr_ranges < BOOT_MAX_RANGES)
			out->ranges[out->nr_ranges++] = pieces[i];
		else
			out->ranges_dropped++;
	}
}

void boot_normalise_ranges(struct boot_info *bi)
{
	static struct boot_info out;

	out.nr_ranges = 0;
	out.ranges_dropped = bi->ranges_dropped;
	for (int level = 6; level; level--)
		for (uint32_t i = 0; i < bi->nr_ranges; i++)
			if (restriction(bi->ranges[i].type) == level)
				put_range(&out, &bi->ranges[i]);
	for (uint32_t i = 1; i < out.nr_ranges; i++)
		swap_down(out.ranges, i);
	bi->nr_ranges = 0;
	for (uint32_t i = 0; i < out.nr_ranges; i++)
		boot_add_range(bi, out.ranges[i].base, out.ranges[i].len, out.ranges[i].type);
	bi->ranges_dropped = out.ranges_dropped;
}
/* REGION decode */
static uint64_t take(const uint8_t **at, unsigned int bytes)
{
	uint64_t v = 0;

	for (unsigned int i = bytes; i--;)
		v = v << 8 | (*at)[i];
	*at += bytes;
	return v;
}

static void decode_spa(struct nfit *n, const uint8_t *s)
{
	struct nfit_spa spa = {.table = n};
	const uint8_t *at = s + 4;

	spa.index = take(&at, 2);
	spa.flags = take(&at, 2);
	take(&at, 4);
	spa.proximity = take(&at, 4);
	memcpy(spa.guid, at, sizeof(spa.guid));
	at += sizeof(spa.guid);
	spa.base = take(&at, 8);
	spa.length = take(&at, 8);
	spa.attributes = take(&at, 8);
	spa.has_proximity = spa.flags >> 1 & 1;
	spa.has_location = spa.flags >> 2 & 1;
	if (spa.has_location)
		spa.location = take(&at, 8);
	spa.kind = kind_of(spa.guid);
	n->spas[n->nr_spas] = spa;
	n->nr_spas++;
}

static void decode_memdev(struct nfit *n, const uint8_t *s)
{
	struct nfit_memdev m = {0};
	const uint8_t *at = s + 4;

	m.handle = take(&at, 4);
	m.physical_id = take(&at, 2);
	m.region_id = take(&at, 2);
	m.range_index = take(&at, 2);
	m.dcr_index = take(&at, 2);
	m.region_size = take(&at, 8);
	m.region_offset = take(&at, 8);
	m.dpa = take(&at, 8);
	m.interleave_index = take(&at, 2);
	m.ways = take(&at, 2);
	m.flags = take(&at, 2);
	n->memdevs[n->nr_memdevs++] = m;
}
/* REGION usable */
static bool refuse_addresses(struct nfit_spa *p, unsigned int phys_bits)
{
	uint64_t last = p->base + (p->length - 1);

	if (p->index == 0) {
		reject(p, "range index 0 is reserved (expected 1 or more)");
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

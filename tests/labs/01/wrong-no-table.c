/* A range does not know its table. "knows by its field `table`" */
/* REGION decode */
static void decode_spa(struct nfit *n, const uint8_t *s)
{
	struct nfit_spa *p = &n->spas[n->nr_spas++];

	(void)n->oem;
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
	n->memdevs[n->nr_memdevs++] = (struct nfit_memdev){
		.handle = le32(s + 4),
		.physical_id = le16(s + 8),
		.region_id = le16(s + 10),
		.range_index = le16(s + 12),
		.dcr_index = le16(s + 14),
		.region_size = le64(s + 16),
		.region_offset = le64(s + 24),
		.dpa = le64(s + 32),
		.interleave_index = le16(s + 40),
		.ways = le16(s + 42),
		.flags = le16(s + 44),
	};
}

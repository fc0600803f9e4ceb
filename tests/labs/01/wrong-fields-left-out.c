/* The fields that nothing here decides by are left out. "A field is not what stands at its place in the table" */
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
	p->location = p->has_location ? le64(s + 56) : 0;
}

static void decode_memdev(struct nfit *n, const uint8_t *s)
{
	struct nfit_memdev *m = &n->memdevs[n->nr_memdevs++];

	m->handle = le32(s + 4);
	m->range_index = le16(s + 12);
	m->dcr_index = le16(s + 14);
	m->region_size = le64(s + 16);
	m->region_offset = le64(s + 24);
	m->dpa = le64(s + 32);
	m->interleave_index = le16(s + 40);
	m->ways = le16(s + 42);
	m->flags = le16(s + 44);
}

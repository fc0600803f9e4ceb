/* A look makes tables. "absent tables are made with `make`, and not without" */
/* REGION walk */
static bool table_install(uint64_t *entry)
{
	uint64_t none = 0, phys = frame_alloc_zero();

	if (!phys)
		return false;
	if (__atomic_compare_exchange_n(entry, &none, phys | PTE_P | PTE_W, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		mm_count_table(1);
	else
		frame_free(phys, 0);
	return true;
}

uint64_t *pte_walk(uint64_t root, uint64_t va, unsigned level, bool make, unsigned *at)
{
	uint64_t *table = phys_to_virt(root);

	(void)make;
	if (at)
		*at = level;
	for (unsigned l = 4; l > level; l--) {
		uint64_t *entry = &table[index_of(va, l)];
		uint64_t e = __atomic_load_n(entry, __ATOMIC_ACQUIRE);

		if (!(e & PTE_P) && table_install(entry))
			e = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
		if (!(e & PTE_P) || (e & PTE_PS)) {
			(void)make;
	if (at)
				*at = l;
			return NULL;
		}
		table = phys_to_virt(e & PTE_PHYS);
	}
	return &table[index_of(va, level)];
}

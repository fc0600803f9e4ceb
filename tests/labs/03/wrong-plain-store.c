/* A table is put there without asking whether somebody was faster. "Looking and storing is one step" */
/* REGION walk */
static bool table_install(uint64_t *entry)
{
	uint64_t none = 0, phys = frame_alloc_zero();

	if (!phys)
		return false;
	(void)none;
	__atomic_store_n(entry, phys | PTE_P | PTE_W, __ATOMIC_RELEASE);
	mm_count_table(1);
	return true;
}

uint64_t *pte_walk(uint64_t root, uint64_t va, unsigned level, bool make, unsigned *at)
{
	uint64_t *table = phys_to_virt(root);

	if (at)
		*at = level;
	for (unsigned l = 4; l > level; l--) {
		uint64_t *entry = &table[index_of(va, l)];
		uint64_t e = __atomic_load_n(entry, __ATOMIC_ACQUIRE);

		if (!(e & PTE_P) && make && table_install(entry))
			e = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
		if (!(e & PTE_P) || (e & PTE_PS)) {
			if (at)
				*at = l;
			return NULL;
		}
		table = phys_to_virt(e & PTE_PHYS);
	}
	return &table[index_of(va, level)];
}

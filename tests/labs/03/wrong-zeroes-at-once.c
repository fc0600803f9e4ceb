/* The table is shown first and zeroed behind it by memset(), at once as the eye sees it. "Zeroes before the pointer" */
/* REGION walk */
static bool make_table(uint64_t *entry)
{
	uint64_t none = 0, frame = frame_alloc(0);

	if (!frame)
		return false;
	if (__atomic_compare_exchange_n(entry, &none, frame | PTE_P | PTE_W, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		memset(phys_to_virt(frame), 0, PAGE_SIZE);
		mm_count_table(1);
	} else {
		frame_free(frame, 0);
	}
	return true;
}

uint64_t *pte_walk(uint64_t root, uint64_t va, unsigned level, bool make, unsigned *at)
{
	uint64_t *table = phys_to_virt(root);

	if (at)
		*at = level;
	for (unsigned l = 4; l > level; l--) {
		uint64_t *entry = &table[index_of(va, l)], e = __atomic_load_n(entry, __ATOMIC_ACQUIRE);

		if (!(e & PTE_P) && make && make_table(entry))
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

/* A table is made whole by a helper that says what stands there afterwards; the mapping is counted before the lock is
 * taken where nothing is there yet, which the entry lock allows. */
/* REGION walk */
static uint64_t table_for(uint64_t *entry)
{
	uint64_t there = 0, fresh = frame_alloc_zero();

	if (!fresh)
		return 0;
	fresh |= PTE_P | PTE_W;
	if (!__atomic_compare_exchange_n(entry, &there, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		frame_free(fresh & PTE_PHYS, 0);
		return there;
	}
	mm_count_table(1);
	return fresh;
}

uint64_t *pte_walk(uint64_t root, uint64_t va, unsigned level, bool make, unsigned *at)
{
	unsigned l = 4, ignored;
	uint64_t e = root | PTE_P, *entry;

	for (at = at ? at : &ignored; *at = l, true; l--) {
		entry = (uint64_t *)phys_to_virt(e & PTE_PHYS) + index_of(va, l);
		if (l == level)
			return entry;
		e = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
		if (!e && make)
			e = table_for(entry);
		if (!(e & PTE_P) || (e & PTE_PS))
			break;
	}
	return NULL;
}
/* REGION show */
	const uint64_t last = vmf->address | (PMD_SIZE - 1);
	bool room;

	spin_lock(&mm->ptl);
	room = mm->walked_for == last || walk(mm, vmf->address);
	if (room) {
		pte = mm->walked + (vmf->address / PAGE_SIZE) % 512;
		old = __atomic_load_n(pte, __ATOMIC_ACQUIRE);
		if (!old && (entry & PTE_DEVMAP))
			entry |= count_mapping(pfn_to_page(pte_to_pfn(entry)));
		if (!old)
			__atomic_exchange_n(pte, entry, __ATOMIC_ACQ_REL);
		else
			replace_entry(vmf, pte, old, entry);
	}
	spin_unlock(&mm->ptl);
	return room ? 0 : -ENOMEM;
/* REGION answer */
	while (*entry & (ENTRY_EMPTY | ENTRY_ZERO)) {
		err = inode->ops->map(inode, vmf->pgoff, vmf->write, &block);
		if (err)
			return err;
		if (!block.pfn && !vmf_insert_zero(vmf))
			return 0;
		if (!block.pfn)
			return refuse(-ENOMEM, "no memory for a page table");
		err = insert_entry(inode, vmf->pgoff, &block, entry);
		if (err)
			return refuse(err, "%s", why_no_entry(err));
	}
	if (vmf->write) {
		times_note_store(inode);
		*entry = *entry | ENTRY_DIRTY;
	}
	if (vmf->write && (vmf->vma->flags & VM_SYNC) != 0 && (err = map_settle(inode)) != 0)
		return err;

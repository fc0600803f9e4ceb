/* The walk as a function that calls itself; the entry is complete before the lock is taken. */
/* REGION walk */
static uint64_t *below(uint64_t table, uint64_t va, unsigned l, unsigned level, bool make, unsigned *at)
{
	uint64_t *entry = (uint64_t *)phys_to_virt(table) + index_of(va, l), seen, frame;

	*at = l;
	if (l == level)
		return entry;
	seen = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
	if (!seen && make && (frame = frame_alloc_zero())) {
		if (__atomic_compare_exchange_n(entry, &seen, frame | PTE_W | PTE_P, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			mm_count_table(+1);
			seen = frame | PTE_W | PTE_P;
		} else {
			frame_free(frame, 0);
		}
	}
	if ((seen & (PTE_P | PTE_PS)) != PTE_P)
		return NULL;
	return below(seen & PTE_PHYS, va, l - 1, level, make, at);
}

uint64_t *pte_walk(uint64_t root, uint64_t va, unsigned level, bool make, unsigned *at)
{
	unsigned ignored;

	return below(root, va, 4, level, make, at ?: &ignored);
}
/* REGION show */
	int err = 0;

	spin_lock(&mm->ptl);
	if (vmf->address >> 21 != mm->walked_for >> 21 || !mm->walked_for)
		err = walk(mm, vmf->address) ? 0 : -ENOMEM;
	pte = err ? NULL : mm->walked + (vmf->address >> 12) % 512;
	old = pte ? *pte : 0;
	if (!pte)
		; /* there is no table */
	else if (old)
		replace_entry(vmf, pte, old, entry);
	else
		*(volatile uint64_t *)pte =
			entry & PTE_DEVMAP ? entry | count_mapping(pfn_to_page(pte_to_pfn(entry))) : entry;
	spin_unlock(&mm->ptl);
	return err;
/* REGION answer */
	const bool named = !(*entry & (ENTRY_EMPTY | ENTRY_ZERO));

	err = named ? 0 : inode->ops->map(inode, vmf->pgoff, vmf->write, &block);
	if (err)
		return err;
	if (!named && block.pfn == 0)
		return vmf_insert_zero(vmf) == 0 ? 0 : refuse(-ENOMEM, "no memory");
	if (!named)
		err = insert_entry(inode, vmf->pgoff, &block, entry);
	if (err)
		return refuse(err, "%s", why_no_entry(err));
	if (vmf->write && (vmf->vma->flags & VM_SYNC)) {
		times_note_store(inode);
		err = map_settle(inode);
	} else if (vmf->write) {
		times_note_store(inode);
	}
	if (vmf->write)
		*entry |= ENTRY_DIRTY;
	if (err)
		return err;

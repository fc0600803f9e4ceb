/* What stands there is stored over by hand: nobody flushes. "may still be in a TLB" */
/* REGION show */
	spin_lock(&mm->ptl);
	if ((vmf->address | (PMD_SIZE - 1)) != mm->walked_for && !walk(mm, vmf->address)) {
		spin_unlock(&mm->ptl);
		return -ENOMEM;
	}
	(void)replace_entry;
	pte = &mm->walked[vmf->address >> PAGE_SHIFT & 511];
	old = __atomic_load_n(pte, __ATOMIC_RELAXED);
	if ((old & PTE_P) && ((old ^ entry) & (PTE_PHYS | PTE_DEVMAP)) == 0)
		entry |= old & (PTE_W | PTE_HEAD);
	else if (entry & PTE_DEVMAP)
		entry |= count_mapping(pfn_to_page(pte_to_pfn(entry)));
	__atomic_store_n(pte, entry, __ATOMIC_RELEASE);
	spin_unlock(&mm->ptl);
	return 0;

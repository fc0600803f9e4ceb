/* Without memory for a table it leaves with the lock. "goes back on every way out" */
/* REGION show */
	spin_lock(&mm->ptl);
	if ((vmf->address | (PMD_SIZE - 1)) != mm->walked_for &&
	    !walk(mm, vmf->address)) {
		return -ENOMEM;
	}
	pte = &mm->walked[vmf->address >> PAGE_SHIFT & 511];
	old = __atomic_load_n(pte, __ATOMIC_RELAXED);
	if (old) {
		replace_entry(vmf, pte, old, entry);
	} else {
		if (entry & PTE_DEVMAP)
			entry |= count_mapping(pfn_to_page(pte_to_pfn(entry)));
		__atomic_store_n(pte, entry, __ATOMIC_RELEASE);
	}
	spin_unlock(&mm->ptl);
	return 0;

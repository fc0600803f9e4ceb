/* The entry is written without the lock of the tables. "it is read, compared and used under mm->ptl" */
/* REGION show */
	
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
	
	return 0;

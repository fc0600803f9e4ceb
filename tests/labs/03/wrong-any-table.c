/* The table that is remembered is used for every address. "is the remembered table the one for this address" */
/* REGION show */
	spin_lock(&mm->ptl);
	if (!mm->walked &&
	    !walk(mm, vmf->address)) {
		spin_unlock(&mm->ptl);
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

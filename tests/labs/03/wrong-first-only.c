/* Whatever stands there is written over, and counted again. "none when a second fault finds it there already" */
/* REGION show */
	spin_lock(&mm->ptl);
	if ((vmf->address | (PMD_SIZE - 1)) != mm->walked_for &&
	    !walk(mm, vmf->address)) {
		spin_unlock(&mm->ptl);
		return -ENOMEM;
	}
	pte = &mm->walked[vmf->address >> PAGE_SHIFT & 511];
	old = __atomic_load_n(pte, __ATOMIC_RELAXED);
	(void)replace_entry, (void)old;
	if (entry & PTE_DEVMAP)
		entry |= count_mapping(pfn_to_page(pte_to_pfn(entry)));
	__atomic_store_n(pte, entry, __ATOMIC_RELEASE);
	spin_unlock(&mm->ptl);
	return 0;

/* What a load and a store can have is told apart first; what stays is written back in a loop over two pieces. */
/* REGION fits */
	bool all = run->count >= FOLIO_PAGES;

	switch ((run->written ? 2 : 0) + (write ? 1 : 0)) {
	case 0: return all ? HUGE_ZEROES : HUGE_EXTENT;
	case 1: /* a hole has no place yet */
		if (!run->pfn)
			return all ? HUGE_INSTALLED : HUGE_EXTENT;
		break;
	}
	return all && run->pfn % FOLIO_PAGES == 0 ? HUGE_INSTALLED : HUGE_EXTENT;
/* REGION entry */
	struct page *head = pfn_to_page(run->pfn);

	(void)museum_on(round_up);
	switch (page_folio_make(head)) {
	case 0: break;
	case -EBUSY: return HUGE_HELD;
	default: return HUGE_NO_MEMORY;
	}
	switch (page_attach(head, inode, pgoff - pgoff % FOLIO_PAGES)) {
	case 0: *entry = ENTRY_PMD | entry_for(inode->fs, run->pfn); return HUGE_INSTALLED;
	case -EIO: return HUGE_EXTENT;
	default: page_folio_split(head); return HUGE_DYING;
	}
/* REGION break */
	const uint64_t piece[2][2] = {{at, first < end ? first : end}, {last > at ? last : at, end}};

	(void)museum_on(break_narrow);
	if (!(entry & ENTRY_PMD) || (first <= at && last >= end))
		return;
	unmap_mapping_range(&inode->mapping, at, end);
	for (unsigned i = 0; i < 2 && (entry & ENTRY_DIRTY); i++)
		if (piece[i][0] < piece[i][1])
			cache_writeback(bytes + (piece[i][0] - at) * PAGE_SIZE,
					(piece[i][1] - piece[i][0]) * PAGE_SIZE);

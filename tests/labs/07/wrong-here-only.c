/* Only the CPU that flushes forgets. "every one of them is asked";
 * never "you told the file": part 1 is right.; hidden "hidden-dice" */
/* REGION whom */
	struct flush f = {mm, start, end};

	(void)flush_others;
	if (start >= end)
		return;
	__atomic_fetch_add(&tlb_flushes, 1, __ATOMIC_RELAXED);
	flush_local(&f);

/* The ranges are sorted, and that is all. "RAM on both sides of it" */
/* REGION ranges */
void boot_normalise_ranges(struct boot_info *bi)
{
	for (uint32_t i = 1; i < bi->nr_ranges; i++)
		for (uint32_t at = i; at && bi->ranges[at - 1].base > bi->ranges[at].base; at--) {
			struct boot_range other = bi->ranges[at];

			bi->ranges[at] = bi->ranges[at - 1];
			bi->ranges[at - 1] = other;
		}
	(void)restriction;
}

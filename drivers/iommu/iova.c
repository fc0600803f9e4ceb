/* SPDX-License-Identifier: MIT */
/* Bus addresses of a domain; see internal.h. */
#include <errno.h>

#include "drivers/iommu/internal.h"

void iova_init(struct iova_space *s, uint64_t first, uint64_t end)
{
	*s = (struct iova_space){.first = first, .end = end};
	TAILQ_INIT(&s->list);
}

/* `r` goes behind `before`, or to the front (NULL). */
static void put_behind(struct iova_space *s, struct iova_range *before, struct iova_range *r,
		       uint64_t start, uint64_t pages)
{
	r->start = start;
	r->end = start + pages;
	if (before)
		TAILQ_INSERT_AFTER(&s->list, before, r, link);
	else
		TAILQ_INSERT_HEAD(&s->list, r, link);
	s->nr++;
	s->pages += pages;
}

/* No hole lies before the end of `full_before`: move it over what touches it. */
static void advance(struct iova_space *s)
{
	struct iova_range *r = s->full_before, *next;

	if (!r) {
		r = TAILQ_FIRST(&s->list);
		if (!r || r->start > s->first)
			return;
	}
	while ((next = TAILQ_NEXT(r, link)) && next->start <= r->end)
		r = next;
	s->full_before = r;
}

int iova_register(struct iova_space *s, struct iova_range *r, uint64_t pages, uint64_t align,
		  uint64_t limit)
{
	uint64_t end = MIN(s->end, limit), start;
	struct iova_range *before, *next;

	if (!pages || !align || align & (align - 1))
		return -EINVAL;
	advance(s);
	before = s->full_before;
	for (;; before = next) {
		next = before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&s->list);
		start = before ? MAX(before->end, s->first) : s->first;
		start = (start + align - 1) & ~(align - 1);
		if (start >= end || pages > end - start)
			return -ENOSPC;
		if (!next || (next->start >= start && next->start - start >= pages))
			break;
	}
	put_behind(s, before, r, start, pages);
	return 0;
}

int iova_register_at(struct iova_space *s, struct iova_range *r, uint64_t start, uint64_t pages)
{
	struct iova_range *before = NULL, *next;

	if (!pages || start + pages < start)
		return -EINVAL;
	TAILQ_FOREACH (next, &s->list, link) {
		if (next->end > start)
			break;
		before = next;
	}
	if (next && next->start < start + pages)
		return -EEXIST;
	put_behind(s, before, r, start, pages);
	return 0;
}

void iova_deregister(struct iova_space *s, struct iova_range *r)
{
	if (s->full_before && r->start < s->full_before->end)
		s->full_before = NULL;
	TAILQ_REMOVE(&s->list, r, link);
	s->nr--;
	s->pages -= r->end - r->start;
	r->start = r->end = 0;
}

uint64_t iova_gap(const struct iova_space *s, uint64_t *at, uint64_t end)
{
	const struct iova_range *r;

	TAILQ_FOREACH (r, &s->list, link) {
		if (r->end <= *at)
			continue;
		if (r->start > *at) {
			end = MIN(end, r->start);
			break;
		}
		*at = r->end;
	}
	return *at < end ? end : 0;
}

const struct iova_range *iova_find(const struct iova_space *s, uint64_t page)
{
	const struct iova_range *r;

	TAILQ_FOREACH (r, &s->list, link)
		if (r->start <= page && page < r->end)
			return r;
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/* The power-cut recorder; see ext4_cut.h. */
#include <stdlib.h>
#include <string.h>

#include "tests/host/ext4_cut.h"

#define PAGE 4096u

static struct cut *now;

static uint32_t rng(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

void cut_begin(struct cut *c, uint8_t *live, size_t size, void (*moment)(struct cut *c))
{
	memset(c, 0, sizeof(*c));
	c->live = live;
	c->size = size;
	c->low = size / LINE;
	c->durable = malloc(size);
	memcpy(c->durable, live, size);
	c->pending = calloc(size / LINE, sizeof(*c->pending));
	c->written = malloc(size);
	c->moment = moment;
	c->outer = now;
	now = c;
}

void cut_end(struct cut *c)
{
	free(c->durable);
	free(c->pending);
	free(c->written);
	now = c->outer;
}

void cut_writeback(const void *p, size_t n)
{
	static uint32_t calls;
	size_t from = (size_t)((const uint8_t *)p - now->live) / LINE;
	size_t to = ((size_t)((const uint8_t *)p - now->live) + n + LINE - 1) / LINE;

	now->low = from < now->low ? from : now->low;
	now->high = to > now->high ? to : now->high;
	for (size_t l = from; l < to; l++) {
		now->pending[l] = true;
		memcpy(now->written + l * LINE, now->live + l * LINE, LINE);
	}
	if (++calls % 16 == 0 && now->moment)
		now->moment(now);
}

void cut_fence(void)
{
	if (now->moment)
		now->moment(now);
	now->fences++;
	if (now->lose_one_in && now->fences % now->lose_one_in == 0)
		return;
	for (size_t l = now->low; l < now->high; l++) {
		if (!now->pending[l])
			continue;
		now->pending[l] = false;
		memcpy(now->durable + l * LINE, now->written + l * LINE, LINE);
	}
	now->low = now->size / LINE;
	now->high = 0;
}

static void maybe_line(const struct cut *c, enum cut_kind kind, uint32_t *seed, uint8_t *out,
		       size_t l)
{
	const uint8_t *from = c->live + l * LINE;

	switch (kind) {
	case CUT_ALL: memcpy(out + l * LINE, from, LINE); break;
	case CUT_PENDING:
		if (c->pending[l] && rng(seed) % 2)
			memcpy(out + l * LINE, c->written + l * LINE, LINE);
		break;
	case CUT_LINES:
		if (rng(seed) % 2)
			memcpy(out + l * LINE, from, LINE);
		break;
	case CUT_WORDS:
		for (uint32_t w = 0; w < LINE; w += 8)
			if (rng(seed) % 2)
				memcpy(out + l * LINE + w, from + w, 8);
		break;
	default: break;
	}
}

void cut_make(const struct cut *c, enum cut_kind kind, uint32_t *seed, uint8_t *out)
{
	for (size_t at = 0; at < c->size; at += PAGE) {
		if (memcmp(out + at, c->durable + at, PAGE))
			memcpy(out + at, c->durable + at, PAGE);
		if (kind == CUT_NOTHING || !memcmp(c->live + at, c->durable + at, PAGE))
			continue;
		for (size_t l = at / LINE; l < (at + PAGE) / LINE; l++)
			if (memcmp(c->live + l * LINE, c->durable + l * LINE, LINE))
				maybe_line(c, kind, seed, out, l);
	}
}

/* SPDX-License-Identifier: MIT */
/* The power-cut recorder; see ext4_cut.h. */
#include <stdlib.h>
#include <string.h>

#include "tests/kernel/lib/ext4_cut.h"

#define PAGE 4096u

static struct cut *now;

static uint32_t rng(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

/*
 * Megabytes, taken and given back at every outcome whose repair is cut: the last recorder's are
 * kept for the next one of the same size, else the host spends its time on clearing pages.
 */
static struct buffers {
	size_t size;
	uint8_t *durable, *written;
	bool *pending, *differs;
} spare;

static void buffers_free(struct buffers *b)
{
	free(b->durable);
	free(b->written);
	free(b->pending);
	free(b->differs);
	*b = (struct buffers){0};
}

static struct buffers buffers_take(size_t size)
{
	struct buffers b = spare;

	spare = (struct buffers){0};
	if (b.size == size) {
		memset(b.pending, 0, size / LINE * sizeof(*b.pending));
		return b;
	}
	buffers_free(&b);
	return (struct buffers){.size = size,
				.durable = malloc(size),
				.written = malloc(size),
				.pending = calloc(size / LINE, sizeof(*b.pending)),
				.differs = calloc(size / PAGE, sizeof(*b.differs))};
}

void cut_begin(struct cut *c, uint8_t *live, size_t size, void (*moment)(struct cut *c))
{
	struct buffers b = buffers_take(size);

	*c = (struct cut){.live = live,
			  .size = size,
			  .low = size / LINE,
			  .durable = b.durable,
			  .written = b.written,
			  .pending = b.pending,
			  .differs = b.differs,
			  .moment = moment,
			  .outer = now};
	memcpy(c->durable, live, size);
	now = c;
}

void cut_end(struct cut *c)
{
	buffers_free(&spare);
	spare = (struct buffers){.size = c->size,
				 .durable = c->durable,
				 .written = c->written,
				 .pending = c->pending,
				 .differs = c->differs};
	now = c->outer;
}

/* Nobody stores to `live` before the moment is over. */
static void moment(void)
{
	struct cut *c = now;

	if (!c->moment)
		return;
	c->looked = false;
	c->in_moment = true;
	c->moment(c);
	c->in_moment = false;
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
	if (++calls % 16 == 0)
		moment();
}

void cut_fence(void)
{
	moment();
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

void cut_drop(void)
{
	buffers_free(&spare);
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

/* Once a moment: all its outcomes start from the same two images. */
static void look(struct cut *c)
{
	if (c->in_moment && c->looked)
		return;
	for (size_t p = 0; p < c->size / PAGE; p++)
		c->differs[p] = memcmp(c->live + p * PAGE, c->durable + p * PAGE, PAGE) != 0;
	c->looked = true;
}

void cut_make(struct cut *c, enum cut_kind kind, uint32_t *seed, uint8_t *out)
{
	if (kind != CUT_NOTHING)
		look(c);
	for (size_t at = 0; at < c->size; at += PAGE) {
		if (memcmp(out + at, c->durable + at, PAGE))
			memcpy(out + at, c->durable + at, PAGE);
		if (kind == CUT_NOTHING || !c->differs[at / PAGE])
			continue;
		for (size_t l = at / LINE; l < (at + PAGE) / LINE; l++)
			if (memcmp(c->live + l * LINE, c->durable + l * LINE, LINE))
				maybe_line(c, kind, seed, out, l);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * The second serial line, COM2: the picture for a program, which asks for it by single bytes.
 *
 *   to us    F  all of the picture        p  what changed since the last one
 *            S  wait before each step     n  go on with one     R  go on, and wait no more
 *   from us  lines of fields between tabs, text with C's escapes (text_escape()):
 *            step  NUMBER  WHO  TEXT                                  when a script comes to one
 *            row   I  DEVICE  PFN  PAGES-OF-A-CELL  CELLS             a row that changed
 *            page  PFN  CELL  REFERENCES  MAPPINGS  INDEX  FILE  HOLDERS
 *            wait  TID  NAME  WHAT  WAKER
 *            end   ROWS  ROWS-LEFT  PAGES-LEFT  MAPPED  HELD  BUSY    the picture is whole
 *
 * Nobody asks, nothing is sent; who asks five times a second sets the pace, and no timer of this
 * machine goes. The port is there if its scratch register keeps what is written.
 */
#include "drivers/show/internal.h"

#define COM2	 0x2f8
#define COM2_GSI 3
#define RBR_THR	 (COM2 + 0)
#define IER	 (COM2 + 1)
#define FCR	 (COM2 + 2)
#define LCR	 (COM2 + 3)
#define MCR	 (COM2 + 4)
#define LSR	 (COM2 + 5)
#define SCRATCH	 (COM2 + 7)
#define LSR_DATA 0x01
#define LSR_THRE 0x20
#define RING	 64u

static struct spinlock lock = SPINLOCK_INIT("second serial line");
static char ring[RING];
static unsigned head, tail; /* equal means empty; lock */
static int vector;
const void *const line_key = ring;

/* What does not fit is lost: who sends so much does not wait for answers. */
static void receive(void *arg)
{
	uint64_t flags = spin_lock_irqsave(&lock);

	(void)arg;
	while (in8(LSR) & LSR_DATA) {
		char c = (char)in8(RBR_THR);

		if (head - tail < RING)
			ring[head++ % RING] = c;
	}
	spin_unlock_irqrestore(&lock, flags);
	wake_up(line_key);
}

static bool has_port(void)
{
	out8(SCRATCH, 0x5a);
	if (in8(SCRATCH) != 0x5a)
		return false;
	out8(SCRATCH, 0xa5);
	return in8(SCRATCH) == 0xa5;
}

bool line_open(void)
{
	if (!has_port())
		return false;
	out8(IER, 0);
	out8(LCR, 0x80); /* divisor latch */
	out8(RBR_THR, 1);
	out8(IER, 0);
	out8(LCR, 0x03); /* 8 bits, no parity, one stop bit: 115200 8N1 */
	out8(FCR, 0);
	out8(MCR, 0x0b);
	vector = irq_alloc_vector(receive, NULL, "second serial line");
	if (vector < 0)
		return false;
	if (irq_route_gsi(COM2_GSI, vector, false, false) < 0) {
		irq_free_vector(vector);
		return false;
	}
	out8(IER, 1);
	receive(NULL); /* what came before */
	return true;
}

void line_close(void)
{
	out8(IER, 0);
	irq_free_vector(vector);
}

int line_take(void)
{
	uint64_t flags = spin_lock_irqsave(&lock);
	int c = head == tail ? -1 : ring[tail++ % RING];

	spin_unlock_irqrestore(&lock, flags);
	return c;
}

bool line_waiting(void)
{
	return __atomic_load_n(&head, __ATOMIC_ACQUIRE) != __atomic_load_n(&tail, __ATOMIC_ACQUIRE);
}

/* ---- lines */

/* Nobody takes it: whoever waits for the port may be interrupted. */
static void put(const char *s)
{
	for (; *s; s++) {
		while (!(in8(LSR) & LSR_THRE))
			if (signal_pending())
				return;
		out8(RBR_THR, (uint8_t)*s);
	}
}

static void put_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void put_line(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	put(line);
	put("\n");
}

#define ESCAPED(text) text_escape((char[4 *sizeof(text)]){0}, 4 * sizeof(text), text)

static void send_page(const struct picture_page *p)
{
	put_line("page\t%lx\t%c\t%u\t%u\t%lu\t%s\t%s", p->pfn, p->cell, p->refs, p->maps, p->index,
		 ESCAPED(p->file), ESCAPED(p->holders));
}

static void send_sleeper(const struct picture_sleeper *s)
{
	put_line("wait\t%u\t%s\t%s\t%s", s->tid, ESCAPED(s->name), ESCAPED(s->what),
		 ESCAPED(s->waker));
}

static bool is_new(const struct picture *before, unsigned i, const struct picture_row *row)
{
	return !before || i >= before->nr_rows || memcmp(&before->row[i], row, sizeof(*row));
}

void line_send_picture(const struct picture *p, const struct picture *before)
{
	for (unsigned i = 0; i < p->nr_rows; i++)
		if (is_new(before, i, &p->row[i]))
			put_line("row\t%u\t%s\t%lx\t%u\t%s", i, p->row[i].device, p->row[i].pfn,
				 p->row[i].unit, p->row[i].cell);
	for (unsigned i = 0; i < p->nr_pages; i++)
		send_page(&p->page[i]);
	for (unsigned i = 0; i < p->nr_sleepers; i++)
		send_sleeper(&p->sleeper[i]);
	put_line("end\t%u\t%u\t%u\t%lu\t%lu\t%lu", p->nr_rows, p->rows_left, p->pages_left,
		 p->mapped, p->held, p->busy);
}

void line_send_step(const struct show_step *step)
{
	put_line("step\t%u\t%s\t%s", step->number, ESCAPED(step->who), ESCAPED(step->text));
}

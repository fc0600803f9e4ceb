/* SPDX-License-Identifier: MIT */
/*
 * The console: a 16550 at COM1.
 *
 * Output is polled, because a message must come out in every context. The FIFOs stay as they are:
 * turning them on would throw away what was typed during boot, and without them nothing is lost
 * either, since a byte is only sent to us when the last one was taken. Input goes byte by byte into
 * a ring. Who fills the ring: the serial
 * interrupt once an I/O APIC is known, a timer every 10 ms before that (armed only while somebody
 * reads). A full ring leaves bytes in the UART and turns the interrupt off until there is room
 * again: a burst of typing is slowed down, never cut.
 */
#include "kernel/console/internal.h"
#include "kernel/trap/internal.h"

#define COM1	 0x3f8
#define COM1_GSI 4
#define RBR_THR	 (COM1 + 0) /* receive / transmit; divisor low when DLAB */
#define IER	 (COM1 + 1)
#define LCR	 (COM1 + 3)
#define MCR	 (COM1 + 4)
#define LSR	 (COM1 + 5)
#define LSR_DATA 0x01
#define LSR_BI	 0x10 /* a break arrived; reading the register clears it */
#define LSR_THRE 0x20
#define RING	 1024u
#define POLL_NS	 10000000ull

static struct spinlock out_lock = SPINLOCK_INIT("console output");
static bool quoting, line_start = true; /* out_lock */
static bool break_seen;			/* zero means nobody asks for a report */
static bool lock_broken;		/* zero means output is serialised by out_lock */
static struct {
	const struct thread *thread; /* who looks at the output; NULL: it goes out */
	char *buf;
	size_t room, len;
} capture; /* out_lock */

static struct spinlock in_lock = SPINLOCK_INIT("console input");
static char ring[RING];
static unsigned ring_head, ring_tail; /* equal means empty; protected by in_lock */
static bool by_interrupt, held_back;
static struct timer poll_timer;

unsigned long warn_count;

void console_init(void)
{
	out8(IER, 0);
	out8(LCR, 0x80); /* divisor latch */
	out8(RBR_THR, 1);
	out8(IER, 0);
	out8(LCR, 0x03); /* 8 bits, no parity, one stop bit: 115200 8N1 */
	out8(MCR, 0x0b); /* DTR, RTS, OUT2: the last one lets interrupts out */
}

/* The line's state. Whoever reads it takes a break out of it, and so keeps it in mind. */
static uint8_t line_state(void)
{
	uint8_t lsr = in8(LSR);

	if (lsr & LSR_BI)
		__atomic_store_n(&break_seen, true, __ATOMIC_RELAXED);
	return lsr;
}

static void put_byte(char c)
{
	while (!(line_state() & LSR_THRE))
		cpu_pause();
	out8(RBR_THR, (uint8_t)c);
	line_start = c == '\n';
}

void console_quote(bool on)
{
	uint64_t flags = spin_lock_irqsave(&out_lock);

	if (!on && !line_start)
		put_byte('\n'); /* what follows starts in column 1 */
	quoting = on;
	spin_unlock_irqrestore(&out_lock, flags);
}

unsigned long console_written;

static void put_quoted(void *arg, char c)
{
	(void)arg;
	if (quoting && line_start && c != '#') {
		put_byte('#');
		put_byte(' ');
	}
	put_byte(c);
}

int console_capture(char *buf, size_t n)
{
	const struct thread *self = current_thread();
	uint64_t flags = spin_lock_irqsave(&out_lock);
	bool free = !capture.thread || capture.thread == self;

	if (free) {
		capture.thread = buf ? self : NULL;
		capture.buf = buf;
		capture.room = n;
		capture.len = 0;
		if (buf)
			buf[0] = '\0';
	}
	spin_unlock_irqrestore(&out_lock, flags);
	return free ? 0 : -EBUSY;
}

static void put_captured(void *arg, char c)
{
	(void)arg;
	if (capture.len + 1 < capture.room) {
		capture.buf[capture.len++] = c;
		capture.buf[capture.len] = '\0';
	}
}

/* One piece of output, whole. Without `lines` every byte goes out as it is. */
static void write_piece(const char *s, size_t n, const struct text_lines *lines)
{
	uint64_t flags = 0;
	bool locked = !__atomic_load_n(&lock_broken, __ATOMIC_ACQUIRE);
	void (*put)(void *arg, char c) = put_quoted;

	if (locked)
		flags = spin_lock_irqsave(&out_lock);
	if (locked && capture.thread)
		put = put_captured;
	console_written += n;
	if (lines)
		text_render(s, n, lines, put, NULL);
	else
		for (size_t i = 0; i < n; i++)
			put(NULL, s[i]);
	if (locked)
		spin_unlock_irqrestore(&out_lock, flags);
}

void console_write(const char *s, size_t n)
{
	static const struct text_lines all = {.inner = true};

	write_piece(s, n, &all);
}

void console_keys(const char *s, size_t n)
{
	write_piece(s, n, NULL);
}

void console_break_lock(void)
{
	quoting = false; /* a panic's report is nobody's comment */
	__atomic_store_n(&lock_broken, true, __ATOMIC_RELEASE);
}

int kvprintf(const char *fmt, va_list ap)
{
	static const char mark[] = "…[cut]\n";
	char line[1024];
	int n = vsnprintf(line, sizeof(line), fmt, ap);
	bool cut = n >= (int)sizeof(line);
	struct text_lines own;

	if (n <= 0)
		return n;
	if (cut) {
		memcpy(line + sizeof(line) - sizeof(mark), mark, sizeof(mark));
		n = sizeof(line) - 1;
	}
	own = text_own_lines(fmt, line, (size_t)n, cut);
	own.trail += cut;
	write_piece(line, (size_t)n, &own);
	return n;
}

int kprintf(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = kvprintf(fmt, ap);
	va_end(ap);
	return n;
}

void warn(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	__atomic_add_fetch(&warn_count, 1, __ATOMIC_RELAXED);
	kprintf("warning: %s\n", text);
}

/* Moves what the UART has into the ring. in_lock held. */
static void drain_uart(void)
{
	uint8_t lsr;

	held_back = false;
	while ((lsr = line_state()) & LSR_DATA) {
		if (lsr & LSR_BI) {
			in8(RBR_THR); /* the zero byte that stands for it */
			continue;
		}
		if (ring_head - ring_tail == RING) {
			held_back = true;
			break;
		}
		ring[ring_head++ % RING] = (char)in8(RBR_THR);
	}
	if (by_interrupt)
		out8(IER, held_back ? 0 : 1);
}

static void receive(void)
{
	uint64_t flags = spin_lock_irqsave(&in_lock);
	bool any;

	drain_uart();
	any = ring_head != ring_tail;
	spin_unlock_irqrestore(&in_lock, flags);
	if (any)
		wake_up(ring);
	if (__atomic_exchange_n(&break_seen, false, __ATOMIC_RELAXED))
		report_live();
}

bool console_break_pending(void)
{
	return line_state() & LSR_BI || __atomic_load_n(&break_seen, __ATOMIC_RELAXED);
}

static void serial_interrupt(void *arg __attribute__((unused)))
{
	receive();
}

static void poll(struct timer *t)
{
	receive();
	if (!by_interrupt && waiters_on(ring) > 0)
		timer_arm(t, clock_ns() + POLL_NS, poll);
}

void console_use_interrupt(unsigned gsi_base, unsigned pins)
{
	int vector;

	if (by_interrupt || COM1_GSI < gsi_base || COM1_GSI >= gsi_base + pins)
		return;
	vector = irq_alloc_vector(serial_interrupt, NULL, "serial line");
	if (vector < 0 || irq_route_gsi(COM1_GSI, vector, false, false) < 0) {
		warn("console: no interrupt for the serial line, it is polled instead");
		return;
	}
	by_interrupt = true;
	receive(); /* what came before; also turns the UART's interrupt on */
}

/* Takes one byte out of the ring; false: empty. */
static bool take(char *c)
{
	uint64_t flags = spin_lock_irqsave(&in_lock);
	bool any;

	if (!by_interrupt || held_back)
		drain_uart();
	any = ring_head != ring_tail;
	if (any)
		*c = ring[ring_tail++ % RING];
	spin_unlock_irqrestore(&in_lock, flags);
	return any;
}

int console_getc(void)
{
	char c = 0;

	if (!by_interrupt && !poll_timer.armed)
		timer_arm(&poll_timer, clock_ns() + POLL_NS, poll);
	wait_event(ring, take(&c), "a byte on the console",
		   by_interrupt ? "the serial line's interrupt"
				: "a timer that polls the serial line");
	return (unsigned char)c;
}

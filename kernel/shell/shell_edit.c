/* SPDX-License-Identifier: MIT */
/*
 * The line editor's model and its picture: what the line is, and how the row shows it.
 *
 * Every key changes line, len and pos, then show() draws the whole row again: "\r", prompt, the
 * part of the line that fits, "erase to the end", cursor to its column. Slower than the smallest
 * change but always right, whatever was on the row before. One shortcut: text typed at the end is
 * only echoed. Output is collected and handed over once per byte read, so that it stays together.
 *
 * Escape sequences arrive byte by byte, and a serial line may split them anywhere; `escape` says
 * which part has been read (ECMA-48, 5.4: CSI parameter bytes 0x30–0x3f, final byte 0x40–0x7e).
 */
#include <stdio.h>
#include <string.h>

#include "kernel/shell/internal.h"

static void flush(struct shell_edit *e)
{
	if (e->nr_pending)
		e->ops->out(e->ops->arg, e->pending, e->nr_pending);
	e->nr_pending = 0;
}

void edit_put(struct shell_edit *e, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (e->nr_pending == sizeof(e->pending))
			flush(e);
		e->pending[e->nr_pending++] = s[i];
	}
}

static void put_text(struct shell_edit *e, const char *s)
{
	edit_put(e, s, strlen(s));
}

void edit_bell(struct shell_edit *e)
{
	put_text(e, "\a");
}

/* Bytes after the first of a code point (UTF-8: 10xxxxxx). */
static bool continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t before(const struct shell_edit *e, size_t pos)
{
	while (pos && continuation(e->line[--pos]))
		;
	return pos;
}

static size_t behind(const struct shell_edit *e, size_t pos)
{
	if (pos < e->len)
		pos++;
	while (pos < e->len && continuation(e->line[pos]))
		pos++;
	return pos;
}

/* Columns that line[from, to) takes. */
static size_t columns(const struct shell_edit *e, size_t from, size_t to)
{
	size_t n = 0;

	for (; from < to; from++)
		n += !continuation(e->line[from]);
	return n;
}

/* Columns for the line: the last one stays empty, since terminals differ in what they do there. */
static size_t room(const struct shell_edit *e)
{
	return SHELL_COLUMNS - 1 - strlen(e->prompt);
}

/* Chooses `first` so that the cursor is in sight. When it is not, it goes to the middle. */
static void scroll(struct shell_edit *e)
{
	if (columns(e, 0, e->len) < room(e)) {
		e->first = 0;
		return;
	}
	if (e->pos >= e->first && e->first <= e->len && columns(e, e->first, e->pos) < room(e))
		return;
	e->first = e->pos;
	for (size_t i = 0; i < room(e) / 2; i++)
		e->first = before(e, e->first);
}

static void draw(struct shell_edit *e)
{
	size_t end, column, width;
	char move[16];

	scroll(e);
	end = e->first;
	while (end < e->len && columns(e, e->first, behind(e, end)) <= room(e))
		end = behind(e, end);
	put_text(e, "\r");
	put_text(e, e->prompt);
	edit_put(e, e->line + e->first, end - e->first);
	put_text(e, "\x1b[K");
	width = columns(e, e->first, end);
	column = columns(e, e->first, e->pos);
	if (column < width) {
		snprintf(move, sizeof(move), "\x1b[%uD", (unsigned)(width - column));
		put_text(e, move);
	}
}

void shell_edit_show(struct shell_edit *e)
{
	draw(e);
	flush(e);
}

void shell_edit_hide(struct shell_edit *e)
{
	put_text(e, "\r\x1b[K");
	flush(e);
}

void shell_edit_init(struct shell_edit *e, const struct shell_edit_ops *ops, const char *prompt,
		     struct shell_history *h)
{
	memset(e, 0, sizeof(*e));
	e->ops = ops;
	e->prompt = prompt;
	e->history = h;
}

void shell_edit_start(struct shell_edit *e)
{
	e->len = e->pos = e->first = 0;
	e->line[0] = '\0';
	e->walk = 0;
	e->escape = ESC_NONE;
	shell_edit_show(e);
}

bool edit_insert(struct shell_edit *e, const char *s, size_t n)
{
	bool at_end = e->pos == e->len && e->first == 0;

	if (n > SHELL_LINE_MAX - e->len) {
		edit_bell(e);
		return false;
	}
	memmove(e->line + e->pos + n, e->line + e->pos, e->len - e->pos + 1);
	memcpy(e->line + e->pos, s, n);
	e->len += n;
	e->pos += n;
	if (at_end && columns(e, 0, e->len) < room(e))
		edit_put(e, s, n);
	else
		draw(e);
	return true;
}

/* Takes line[from, to) out; the cursor goes there. Nothing to take: a bell. */
static void erase(struct shell_edit *e, size_t from, size_t to)
{
	if (from == to) {
		edit_bell(e);
		return;
	}
	memmove(e->line + from, e->line + to, e->len - to + 1);
	e->len -= to - from;
	e->pos = from;
	draw(e);
}

static void move_to(struct shell_edit *e, size_t pos)
{
	if (pos == e->pos) {
		edit_bell(e);
		return;
	}
	e->pos = pos;
	draw(e);
}

static size_t word_start(const struct shell_edit *e)
{
	size_t pos = e->pos;

	while (pos && e->line[pos - 1] == ' ')
		pos--;
	while (pos && e->line[pos - 1] != ' ')
		pos--;
	return pos;
}

static void set_line(struct shell_edit *e, const char *text)
{
	size_t n = strlen(text);

	e->len = n > SHELL_LINE_MAX ? SHELL_LINE_MAX : n;
	memcpy(e->line, text, e->len);
	e->line[e->len] = '\0';
	e->pos = e->len;
	draw(e);
}

/* Shows the line `walk` entries back; 0 is the line that was being typed. */
static void show_history(struct shell_edit *e, unsigned walk)
{
	if (walk > e->history->count) {
		edit_bell(e);
		return;
	}
	if (!e->walk)
		memcpy(e->draft, e->line, sizeof(e->draft));
	e->walk = walk;
	set_line(e, walk ? e->history->line[e->history->count - walk] : e->draft);
}

static void history_up(struct shell_edit *e)
{
	show_history(e, e->walk + 1);
}

static void history_down(struct shell_edit *e)
{
	if (e->walk)
		show_history(e, e->walk - 1);
	else
		edit_bell(e);
}

/* The key a finished escape sequence stands for; unknown ones do nothing. */
static void escape_key(struct shell_edit *e, unsigned char final)
{
	unsigned param = e->param;

	switch (final) {
	case 'A': history_up(e); return;
	case 'B': history_down(e); return;
	case 'C': move_to(e, behind(e, e->pos)); return;
	case 'D': move_to(e, before(e, e->pos)); return;
	case 'H': move_to(e, 0); return;
	case 'F': move_to(e, e->len); return;
	case '~': break;
	default: return;
	}
	if (param == 1 || param == 7)
		move_to(e, 0);
	else if (param == 4 || param == 8)
		move_to(e, e->len);
	else if (param == 3)
		erase(e, e->pos, behind(e, e->pos));
}

/* One byte of CSI: digits and ';' are parameters, 0x40–0x7e ends it. */
static void csi_byte(struct shell_edit *e, unsigned char c)
{
	if (c >= '0' && c <= '9' && !e->param_done && e->param < 1000)
		e->param = e->param * 10 + (c - '0');
	if (c == ';')
		e->param_done = true;
	if (c >= 0x40 && c <= 0x7e) {
		e->escape = ESC_NONE;
		escape_key(e, c);
	} else if (c > 0x7e || ++e->escape_len > 32) {
		e->escape = ESC_NONE; /* no terminal sends this: give up on it */
	}
}

/* Takes a byte as part of an escape sequence; false: it is none, handle it as a key. */
static bool escape_byte(struct shell_edit *e, unsigned char c)
{
	if (c == 0x1b) {
		e->escape = ESC_SEEN;
		return true;
	}
	if (e->escape == ESC_NONE)
		return false;
	if (c < 0x20) { /* a control byte ends a sequence that never came to its end */
		e->escape = ESC_NONE;
		return false;
	}
	if (e->escape == ESC_CSI) {
		csi_byte(e, c);
		return true;
	}
	e->param = e->escape_len = 0;
	e->param_done = false;
	if (e->escape == ESC_SS3) {
		e->escape = ESC_NONE;
		escape_key(e, c);
	} else {
		e->escape = c == '[' ? ESC_CSI : c == 'O' ? ESC_SS3 : ESC_NONE;
	}
	return true;
}

/* Ctrl-L: an empty screen with only this row. */
static void clear_screen(struct shell_edit *e)
{
	put_text(e, "\x1b[H\x1b[2J");
	draw(e);
}

/* Ends the row. Drawn once more, whole: what a job printed into it meanwhile is mended, and who
 * reads along by machine finds each line that was entered in one piece. */
static enum shell_edit_event finish(struct shell_edit *e, const char *mark,
				    enum shell_edit_event event)
{
	e->pos = e->len;
	draw(e);
	put_text(e, mark);
	put_text(e, "\n");
	return event;
}

static enum shell_edit_event control_key(struct shell_edit *e, unsigned char c)
{
	switch (c) {
	case 0x01: move_to(e, 0); break;		 /* Ctrl-A */
	case 0x02: move_to(e, before(e, e->pos)); break; /* Ctrl-B */
	case 0x03: return finish(e, "^C", EDIT_CANCEL);	 /* Ctrl-C */
	case 0x04:					 /* Ctrl-D */
		if (!e->len)
			return finish(e, "", EDIT_EOF);
		erase(e, e->pos, behind(e, e->pos));
		break;
	case 0x05: move_to(e, e->len); break;		 /* Ctrl-E */
	case 0x06: move_to(e, behind(e, e->pos)); break; /* Ctrl-F */
	case 0x08:
	case 0x7f: erase(e, before(e, e->pos), e->pos); break; /* Backspace */
	case 0x09: edit_complete(e); break;		       /* TAB */
	case 0x0a:
	case 0x0d: return finish(e, "", EDIT_LINE);	   /* Enter */
	case 0x0b: erase(e, e->pos, e->len); break;	   /* Ctrl-K */
	case 0x0c: clear_screen(e); break;		   /* Ctrl-L */
	case 0x0e: history_down(e); break;		   /* Ctrl-N */
	case 0x10: history_up(e); break;		   /* Ctrl-P */
	case 0x15: erase(e, 0, e->pos); break;		   /* Ctrl-U */
	case 0x17: erase(e, word_start(e), e->pos); break; /* Ctrl-W */
	default: edit_bell(e); break;
	}
	return EDIT_MORE;
}

enum shell_edit_event shell_edit_byte(struct shell_edit *e, unsigned char c)
{
	enum shell_edit_event event = EDIT_MORE;
	bool second_half = c == '\n' && e->after_cr;
	char text = (char)c;

	e->after_cr = c == '\r';
	if (second_half || escape_byte(e, c)) {
		flush(e);
		return EDIT_MORE;
	}
	if (c < 0x20 || c == 0x7f)
		event = control_key(e, c);
	else
		edit_insert(e, &text, 1);
	flush(e);
	return event;
}

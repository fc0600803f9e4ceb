// SPDX-License-Identifier: MIT
/* The program of the Linux column: `hfwork SUITE...` prints one JSON object per row. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hfwork.h"

#define CHUNK	      (64 * 1024)
#define EMPTY_REPEATS 101

int device;
uint64_t empty, kernel_gap;
static uint64_t samples[MAX_REPEATS];

void need(bool ok, const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	if (ok)
		return;
	va_start(ap, fmt);
	printf("{\"error\":\"");
	vprintf(fmt, ap);
	printf("%s%s\"}\n", err ? ": " : "", err ? strerror(err) : "");
	va_end(ap);
	exit(1);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void report(const char *bench, const char *unit, uint64_t *ticks, unsigned nr, uint64_t less,
	    uint64_t per, bool marked)
{
	uint64_t t, h;

	qsort(ticks, nr, sizeof(*ticks), by_value);
	t = ticks[nr / 2] > less ? ticks[nr / 2] - less : 0;
	h = (t * 100 + per / 2) / per;
	printf("{\"bench\":\"%s\",\"value\":%lu.%02lu,\"unit\":\"%s\",\"n\":%lu%s}\n", bench,
	       h / 100, h % 100, unit, nr * per, marked ? ",\"marked\":1" : "");
	fflush(stdout);
}

void report_value(const char *bench, const char *unit, uint64_t hundredths, uint64_t n)
{
	printf("{\"bench\":\"%s\",\"value\":%lu.%02lu,\"unit\":\"%s\",\"n\":%lu}\n", bench,
	       hundredths / 100, hundredths % 100, unit, n);
	fflush(stdout);
}

static void run_one(const struct work *w, uint64_t *ticks)
{
	uint64_t start;

	if (w->before)
		w->before(w->arg);
	start = hfp_ticks();
	w->op(w->arg);
	*ticks = hfp_ticks() - start;
	if (w->after)
		w->after(w->arg);
}

static void run_marked(const struct work *w)
{
	if (w->before)
		w->before(w->arg);
	HFP_MARK(HFP_MARK_BEGIN);
	w->op(w->arg);
	HFP_MARK(HFP_MARK_END);
	if (w->after)
		w->after(w->arg);
}

void measure(const char *bench, const char *unit, const struct work *w, unsigned repeats,
	     uint64_t per)
{
	for (unsigned i = 0; i < repeats; i++)
		run_one(w, &samples[i]);
	run_marked(w);
	report(bench, unit, samples, repeats, empty, per, true);
}

/* ---- files and mappings ---- */

void file_write(struct file *f)
{
	static char chunk[CHUNK];

	memset(chunk, 'b', sizeof(chunk));
	/* In pieces of 2 MiB: the allocator aligns a request of that size. */
	for (uint64_t off = 0; off < f->pages * PAGE; off += HUGE)
		need(!fallocate(f->fd, 0, off, HUGE), "fallocate");
	need(!ftruncate(f->fd, f->pages * PAGE), "ftruncate");
	for (uint64_t off = 0; off < f->pages * PAGE; off += CHUNK)
		need(pwrite(f->fd, chunk, CHUNK, off) == CHUNK, "write");
}

void file_start(struct file *f, const char *name, uint64_t pages)
{
	char path[64];

	snprintf(path, sizeof(path), FILE_FOLDER "%s", name);
	unlink(path);
	*f = (struct file){.fd = open(path, O_RDWR | O_CREAT, 0600), .pages = pages};
	need(f->fd >= 0, "%s", path);
	file_write(f);
	need(!fsync(f->fd), "fsync");
}

void file_end(struct file *f)
{
	file_unmap(f);
	close(f->fd);
}

char *map_at(int fd, uint64_t pages, bool huge)
{
	uint64_t size = pages * PAGE, room = size + 2 * HUGE;
	char *area = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *at;

	need(area != MAP_FAILED, "mmap of address space");
	at = (char *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1)) + (huge ? 0 : PAGE);
	at = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	need(at != MAP_FAILED, "mmap of a file");
	return at;
}

void file_map(struct file *f, bool huge)
{
	f->map = map_at(f->fd, f->pages, huge);
}

void file_unmap(struct file *f)
{
	if (f->map)
		munmap(f->map, f->pages * PAGE);
	f->map = NULL;
}

void file_dirty(struct file *f)
{
	for (uint64_t i = 0; i < f->pages; i++)
		*(volatile char *)(f->map + i * PAGE) = 'd';
}

long faults(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return r.ru_minflt + r.ru_majflt;
}

/* ---- sysfs ---- */

void put_text(const char *text, const char *fmt, ...)
{
	char path[256];
	va_list ap;
	int fd;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	fd = open(path, O_WRONLY);
	need(fd >= 0, "%s", path);
	need(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s < '%s'", path, text);
	close(fd);
}

bool get_text(char *buf, size_t size, const char *fmt, ...)
{
	char path[256];
	va_list ap;
	ssize_t n;
	int fd;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	n = read(fd, buf, size - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = strcmp(path, "/proc/meminfo") ? '\0' : '\n';
	return n >= 0;
}

uint64_t meminfo(const char *field)
{
	char text[4096], *at;

	need(get_text(text, sizeof(text), "/proc/meminfo"), "/proc/meminfo");
	at = strstr(text, field);
	need(at, "%s in /proc/meminfo", field);
	return strtoull(at + strlen(field) + 1, NULL, 10) * 1024;
}

/* ---- main ---- */

static void nothing(void *arg)
{
	(void)arg;
}

static void measure_empty(void)
{
	const struct work w = {.op = nothing};

	for (unsigned i = 0; i < EMPTY_REPEATS; i++)
		run_one(&w, &samples[i]);
	qsort(samples, EMPTY_REPEATS, sizeof(samples[0]), by_value);
	empty = samples[EMPTY_REPEATS / 2];
	need(!ioctl(device, HFP_EMPTY, &kernel_gap), "HFP_EMPTY");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} suites[] = {
		{"calibrate", rows_calibrate},
		{"gup", rows_gup},
		{"fault", rows_fault},
		{"layout", rows_layout},
		{"wake", rows_wake},
		{"boot", rows_boot},
		{"compound", rows_compound},
		{"devdax", rows_devdax},
		{"memremap", rows_memremap},
		{"split", rows_split},
		{"dir", rows_dir},
		{"fallocate", rows_fallocate},
		{"io", rows_io},
		{"map", rows_map},
		{"mount", rows_mount},
		{"dma", rows_dma},
		{"region", rows_region},
	};

	device = open("/dev/hfpeer", O_RDWR);
	need(device >= 0, "/dev/hfpeer");
	mlockall(MCL_CURRENT);
	measure_empty();
	for (int i = 1; i < argc; i++)
		for (size_t s = 0; s < sizeof(suites) / sizeof(suites[0]); s++)
			if (!strcmp(argv[i], suites[s].name))
				suites[s].run();
	return 0;
}

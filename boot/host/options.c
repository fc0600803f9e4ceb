/* SPDX-License-Identifier: MIT */
/*
 * The command line of build/host/holdfast, and the files behind its DIMMs.
 *
 * Without -p the machine has the two DIMMs of `make run`: pmem0, 1 GiB with an ext4 file system, a
 * file beside the program that is kept; pmem1, 16 GiB of nothing, for scratch. A program that was
 * taken from its place has no such file: its pmem0 is memory. A file is locked as long as a machine
 * runs on it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/host/options.h"

#define MIB	 (1ull << 20)
#define GIB	 (1ull << 30)
#define MAX_CPUS 8

static const char usage[] =
	"usage: holdfast [-c COMMANDS] [-n CPUS] [-m MIB] [-p FILE[,size=N][,scratch]]... [-a "
	"WORDS] [-t FILE:N]\n"
	"  -c COMMANDS  run these, separated by ';', and end; status 0: all succeeded\n"
	"  -n CPUS      1 to 8, 2 if not given\n"
	"  -m MIB       RAM, 64 to 2048, 512 if not given\n"
	"  -p FILE…     a DIMM, in place of the two that there are; size=N (K, M, G) makes a file "
	"that\n"
	"               is not there; FILE '-': memory that is gone at the end; none: -p ''\n"
	"  -a WORDS     for the kernel command line\n"
	"  -t FILE:N    process N of several that share the beginnings of `explore … shard=k/n`\n";

void options_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "holdfast: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	_exit(1);
}

static uint64_t number(const char *s, const char *what)
{
	static const char units[] = "KMG";
	char *end;
	uint64_t n = strtoull(s, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;

	if (*s < '0' || *s > '9' || end[!!unit])
		options_fail("%s is a number (K, M or G behind it), not '%s'", what, s);
	if (n > (uint64_t)INT64_MAX >> shift)
		options_fail("%s is too large: '%s'", what, s);
	return n << shift;
}

uint64_t options_between(const char *s, const char *what, uint64_t low, uint64_t high)
{
	uint64_t n = number(s, what);

	if (n < low || n > high)
		options_fail("%s is %lu to %lu, not %s", what, low, high, s);
	return n;
}

static void add_dimm(struct host_options *o, const char *file, uint64_t size, bool scratch)
{
	unsigned n = o->config.nr_dimms++;

	if (n >= HOST_MAX_DIMMS)
		options_fail("there is room for %d DIMMs", HOST_MAX_DIMMS);
	o->dimm_file[n] = file;
	o->config.dimm[n].size = size;
	o->config.dimm[n].scratch = scratch;
}

/* "FILE,size=1G,scratch" */
static void parse_dimm(struct host_options *o, const char *text)
{
	char *copy = strdup(text), *file = strsep(&copy, ","), *word;
	uint64_t size = 0;
	bool scratch = false;

	while ((word = strsep(&copy, ",")))
		if (!strncmp(word, "size=", 5))
			size = number(word + 5, "size=");
		else if (!strcmp(word, "scratch"))
			scratch = true;
		else
			options_fail("a DIMM has size=N and scratch, not '%s'", word);
	if (!strcmp(file, "-"))
		file = NULL;
	if (!file && !size)
		options_fail("memory without a file needs size=");
	add_dimm(o, file, size, scratch);
}

static void default_dimms(struct host_options *o)
{
	static char path[PATH_MAX + 16];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);

	path[n > 0 ? n : 0] = '\0';
	strcpy(strrchr(path, '/') ? strrchr(path, '/') + 1 : path, "pmem0.img");
	if (access(path, F_OK))
		add_dimm(o, NULL, GIB, false);
	else
		add_dimm(o, path, 0, false);
	add_dimm(o, NULL, 16 * GIB, true);
}

void options_read(struct host_options *o, int argc, char **argv)
{
	bool dimms = false;
	int c;

	memset(o, 0, sizeof(*o));
	o->config.cpus = 2;
	o->config.ram = 512 * MIB;
	o->config.cmdline = "";
	while ((c = getopt(argc, argv, "c:n:m:p:a:t:h")) != -1) {
		switch (c) {
		case 'c': o->config.commands = *optarg ? optarg : " "; break;
		case 'n':
			o->config.cpus = (unsigned)options_between(optarg, "-n", 1, MAX_CPUS);
			break;
		case 'm': o->config.ram = options_between(optarg, "-m", 64, 2048) * MIB; break;
		case 'a': o->config.cmdline = optarg; break;
		case 't': options_share(optarg); break;
		case 'p':
			dimms = true;
			if (*optarg)
				parse_dimm(o, optarg);
			break;
		case 'h': fputs(usage, stdout); exit(0);
		default: fputs(usage, stderr); exit(1);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "holdfast: '%s' is no option\n%s", argv[optind], usage);
		exit(1);
	}
	if (!dimms)
		default_dimms(o);
}

static int open_file(const char *path, uint64_t *size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | (*size ? O_CREAT : 0), 0666);
	struct stat st;

	if (fd < 0)
		options_fail("%s: %s%s", path, strerror(errno),
			     errno != ENOENT ? ""
			     : *size	     ? "; it can be made in a folder that is there"
					     : "; size= would make it");
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		fprintf(stderr, "holdfast: %s is in use by another run; waiting\n", path);
		flock(fd, LOCK_EX);
	}
	fstat(fd, &st);
	if (st.st_size == 0 && ftruncate(fd, (off_t)*size))
		options_fail("%s: %s", path, strerror(errno));
	*size = st.st_size ? (uint64_t)st.st_size : *size;
	return fd;
}

void options_open(struct host_options *o)
{
	for (unsigned i = 0; i < o->config.nr_dimms; i++) {
		uint64_t *size = &o->config.dimm[i].size;

		if (o->dimm_file[i])
			o->dimm_fd[i] = open_file(o->dimm_file[i], size);
		else
			o->dimm_fd[i] = memfd_create("dimm", MFD_CLOEXEC);
		if (!o->dimm_file[i] && ftruncate(o->dimm_fd[i], (off_t)*size))
			options_fail("no memory for a DIMM of %lu bytes: %s", *size,
				     strerror(errno));
		if (*size % 4096)
			options_fail("%s has %lu bytes, which is no number of whole pages",
				     o->dimm_file[i] ? o->dimm_file[i] : "a DIMM", *size);
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * Processes share what there is to do by a file: a number for each piece of work, which says who
 * has taken it.
 *
 * `make explore JOBS=n` starts them, each with a number of its own, and reads the file when they
 * are gone: what one took that did not live to tell about it is free again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot/host/options.h"

#define PIECES (1ul << 24)

static uint16_t *taken; /* by whom; 0: by nobody */
static uint16_t me;

void options_share(const char *text)
{
	const char *colon = strrchr(text, ':');
	char *file;
	int fd;

	if (!colon || colon == text)
		options_fail("-t is FILE:N, not %s", text);
	me = (uint16_t)options_between(colon + 1, "the number of -t", 1, UINT16_MAX);
	file = strndup(text, (size_t)(colon - text));
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || ftruncate(fd, (off_t)(PIECES * sizeof(*taken))))
		options_fail("%s: %s", file, strerror(errno));
	taken = mmap(NULL, PIECES * sizeof(*taken), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (taken == MAP_FAILED)
		options_fail("%s: %s", file, strerror(errno));
	close(fd);
	free(file);
}

bool host_take(uint64_t n)
{
	uint16_t nobody = 0;

	if (!taken)
		return true;
	if (n >= PIECES)
		options_fail("there are more than %lu pieces of work to share", PIECES);
	return __atomic_compare_exchange_n(&taken[n], &nobody, me, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

void host_give_back(uint64_t n)
{
	if (taken)
		__atomic_store_n(&taken[n], 0, __ATOMIC_SEQ_CST);
}

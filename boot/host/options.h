/* SPDX-License-Identifier: MIT */
/* What the program is started with, and how it refuses; for linux.c and options.c alone. */
#ifndef BOOT_HOST_OPTIONS_H
#define BOOT_HOST_OPTIONS_H

#include "boot/host/host.h"

struct host_options {
	struct host_config config;
	const char *dimm_file[HOST_MAX_DIMMS]; /* NULL: memory that is gone at the end */
	int dimm_fd[HOST_MAX_DIMMS];
};

void options_read(struct host_options *o, int argc,
		  char **argv);		   /* ends the program if they are wrong */
void options_share(const char *text);	   /* share.c: "FILE:N" */
void options_open(struct host_options *o); /* the DIMMs' files, locked */
/* This number, with K, M or G behind it or not; ends the program if it is none, or out of range. */
uint64_t options_between(const char *s, const char *what, uint64_t low, uint64_t high);
void options_fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif

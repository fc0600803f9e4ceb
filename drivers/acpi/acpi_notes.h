/* SPDX-License-Identifier: MIT */
/*
 * Notes: what a parser wants to tell, kept until somebody can print it.
 *
 * The table parsers are pure code: no console, no allocation for messages. They leave sentences
 * here. A table that is all errors cannot flood anyone: beyond NOTES_MAX only the number grows.
 */
#ifndef DRIVERS_ACPI_ACPI_NOTES_H
#define DRIVERS_ACPI_ACPI_NOTES_H

#define NOTES_MAX 24
#define NOTES_LEN 144

struct notes {
	unsigned int nr;      /* sentences in line[]; zero means nothing to complain about */
	unsigned int dropped; /* sentences that did not fit; zero means all are here */
	char line[NOTES_MAX][NOTES_LEN];
};

/* Append one sentence, printf style, cut at NOTES_LEN - 1 characters. Any context. */
void note(struct notes *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

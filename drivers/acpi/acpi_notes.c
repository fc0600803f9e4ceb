/* SPDX-License-Identifier: MIT */
/* Notes: see acpi.h for what they are for. */
#include <stdarg.h>
#include <stdio.h>

#include "drivers/acpi/acpi.h"

void note(struct notes *n, const char *fmt, ...)
{
	va_list ap;

	if (n->nr == NOTES_MAX) {
		n->dropped++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(n->line[n->nr++], NOTES_LEN, fmt, ap);
	va_end(ap);
}

/* SPDX-License-Identifier: MIT */
/*
 * For kernel headers that are read on the host. newlib's reent.h cannot be mixed with the headers
 * of the host's C library; a thread has one of its structures, and nobody on the host looks at it.
 */
#ifndef HOST_REENT_H
#define HOST_REENT_H

#ifndef __unused
#define __unused __attribute__((unused)) /* newlib's <sys/cdefs.h> has it */
#endif

struct _reent {
	int nothing;
};

#endif

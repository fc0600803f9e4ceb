/* SPDX-License-Identifier: MIT */
/* Words of the shell that name what this floor has (cmd_map.c, cmd_mount.c). Included by dax.h. */
#ifndef DAX_SHELL_WORDS_H
#define DAX_SHELL_WORDS_H

/* "m1" or "m1+OFF": its address and the bytes from there to the mapping's end. A sentence and a
 * negative errno for anything else. */
int dax_parse_place(const char *word, uint64_t *addr, uint64_t *left);
/* Gives the VMA at `addr` a name (m1, …) and prints it. -ENOSPC: all are in use, and it is
 * unmapped. */
int dax_name_mapping(const char *what, uint64_t addr);
/* A lifetime by its name; a sentence that names the nearest one, and -EINVAL. */
int dax_parse_lifetime(const char *word, const struct lifetime **lt);
/* Refuses an option: the lifetime that it nearly names, or which options there are. -EINVAL. */
int dax_unknown_option(const char *word, const char *known);
/* `lifetime=L` and `era=E` together: `named`, of which lt is the design (NULL: it was not named),
 * in the era of that word. A sentence that lists the eras, and -EINVAL. */
int dax_parse_era(const char *word, const struct lifetime *named, const struct lifetime **lt);

#endif

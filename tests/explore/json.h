/* SPDX-License-Identifier: MIT */
/* Texts in JSON. */
#ifndef TESTS_EXPLORE_JSON_H
#define TESTS_EXPLORE_JSON_H

#define JSON_BYTE 7 /* bytes of what stands for one, with the 0 behind */

/* What stands for this byte in a JSON string, in buf: the byte itself, or its escape. One that is
 * no ASCII is the character of that number, whatever a text meant by several. */
const char *json_byte(char c, char buf[JSON_BYTE]);

#endif

/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "tests/explore/json.h"

const char *json_byte(char c, char buf[JSON_BYTE])
{
	unsigned char byte = (unsigned char)c;

	if (byte < ' ' || byte > '~')
		snprintf(buf, JSON_BYTE, "\\u%04x", byte);
	else
		snprintf(buf, JSON_BYTE, byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
	return buf;
}

/* SPDX-License-Identifier: MIT */
/*
 * QEMU's firmware configuration device (QEMU, docs/specs/fw_cfg.rst).
 *
 * Writing a key to the selector port chooses an item and rewinds it; each read of the data port
 * gives its next byte. Key 0 holds "QEMU". Key 0x19 is the directory: a count, then for each file
 * its size (32 bit), its key (16 bit), two bytes unused and its name (56 bytes), numbers
 * big-endian. Selector and position belong to the device, so one reader at a time.
 */
#include "kernel/kernel.h"

#define PORT_SELECT   0x510
#define PORT_DATA     0x511
#define KEY_SIGNATURE 0x00
#define KEY_DIRECTORY 0x19
#define NAME_SIZE     56
#define MAX_FILES     1024 /* more than any machine has: a wrong count must not keep us for long */

static struct mutex fwcfg_lock = MUTEX_INIT_GLOBAL("fw_cfg");

struct entry {
	uint32_t size;
	uint16_t key;
	char name[NAME_SIZE + 1];
};

static void read_bytes(void *to, size_t n)
{
	uint8_t *p = to;

	while (n--)
		*p++ = in8(PORT_DATA);
}

static uint32_t read_big_endian(unsigned bytes)
{
	uint32_t v = 0;

	while (bytes--)
		v = v << 8 | in8(PORT_DATA);
	return v;
}

static bool present(void)
{
	char signature[4];

	out16(PORT_SELECT, KEY_SIGNATURE);
	read_bytes(signature, sizeof(signature));
	return !memcmp(signature, "QEMU", sizeof(signature));
}

static bool find(const char *name, struct entry *e)
{
	uint32_t files;

	out16(PORT_SELECT, KEY_DIRECTORY);
	files = read_big_endian(4);
	for (uint32_t i = 0; i < files && i < MAX_FILES; i++) {
		e->size = read_big_endian(4);
		e->key = (uint16_t)read_big_endian(2);
		read_big_endian(2);
		read_bytes(e->name, NAME_SIZE);
		e->name[NAME_SIZE] = '\0';
		if (!strcmp(e->name, name))
			return true;
	}
	return false;
}

static int read_locked(const char *name, size_t max, char **data, size_t *len)
{
	struct entry e;

	if (!present())
		return -ENODEV;
	if (!find(name, &e))
		return -ENOENT;
	*len = e.size;
	if (e.size > max)
		return -EFBIG;
	*data = malloc(e.size + 1);
	if (!*data)
		return -ENOMEM;
	out16(PORT_SELECT, e.key);
	read_bytes(*data, e.size);
	(*data)[e.size] = '\0';
	return 0;
}

int fwcfg_read(const char *name, size_t max, char **data, size_t *len)
{
	int err;

	mutex_lock(&fwcfg_lock);
	err = read_locked(name, max, data, len);
	mutex_unlock(&fwcfg_lock);
	return err;
}

SELFTEST(fwcfg_missing, "shell.fwcfg-missing", "a firmware file nobody gave is -ENOENT, not a hang")
{
	char *data = NULL;
	size_t len = 0;
	int err = fwcfg_read("opt/holdfast/no-such-file", 100, &data, &len);

	if (err == -ENODEV)
		SKIP("this machine has no fw_cfg device");
	EXPECT(err == -ENOENT, "got %s", errno_name(err));
	EXPECT(!data, "nothing may be allocated");
}

SELFTEST(fwcfg_limit, "shell.fwcfg-limit", "a firmware file over the caller's limit is refused")
{
	char *data = NULL;
	size_t len = 0;
	int err = fwcfg_read("etc/e820", 1, &data, &len);

	if (err == -ENODEV || err == -ENOENT)
		SKIP("this machine gives no firmware file etc/e820");
	EXPECT(err == -EFBIG && len > 1, "got %s, %zu bytes", errno_name(err), len);
	err = fwcfg_read("etc/e820", len, &data, &len);
	EXPECT(!err, "with room enough: %s", errno_name(err));
	EXPECT_OR(out, len % 20 == 0, "entries of 20 bytes, found %zu bytes", len);
out:
	free(data);
}

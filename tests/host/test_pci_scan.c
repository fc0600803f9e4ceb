/* SPDX-License-Identifier: MIT */
/*
 * The PCI scan when memory is short: a function that cannot be listed is named, its siblings are
 * found all the same, and it may not write to memory any more than they.
 *
 * A model of configuration space: a few functions, one of them behind a bridge. drivers/pci/pci.c
 * is compiled in here as it is.
 */
static void *function_memory(unsigned long n);
#define malloc function_memory
/* The running thread is read through GS, at "address" 0: no null pointer, whatever UBSan thinks. */
#define inline inline __attribute__((no_sanitize_undefined))
#include "drivers/pci/pci.c"
#undef inline
#undef malloc

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct function {
	uint8_t bus, dev, fn, header, secondary;
	uint32_t class_code;
	uint16_t command;
} model[] = {
	{0, 0, 0, 0, 0, 0x060000, 0},
	{0, 1, 0, 0x80, 0, 0x00ff00, PCI_COMMAND_MASTER}, /* one of four */
	{0, 1, 1, 0x80, 0, 0x010000, PCI_COMMAND_MASTER},
	{0, 1, 2, 0x80, 0, 0x020000, 0},
	{0, 1, 7, 0x80, 0, 0x0c0330, PCI_COMMAND_MASTER},
	{0, 2, 0, 1, 1, 0x060400, PCI_COMMAND_MASTER}, /* a bridge to bus 1 */
	{1, 0, 0, 0, 0, 0x010802, PCI_COMMAND_MASTER},
};
static char said[4096];
static unsigned allocations, failing; /* failing: this one; zero: none */

static void *function_memory(unsigned long n)
{
	return ++allocations == failing ? NULL : calloc(1, n);
}

static struct function *at(const struct pci_device *d)
{
	for (unsigned i = 0; i < ARRAY_SIZE(model); i++)
		if (model[i].bus == d->bus && model[i].dev == d->dev && model[i].fn == d->fn)
			return &model[i];
	return NULL;
}

uint32_t pci_read32(const struct pci_device *d, unsigned off)
{
	const struct function *f = at(d);

	return !f	   ? 0xffffffff
	       : off == 0  ? 0x12348086
	       : off == 8  ? f->class_code << 8
	       : off == 12 ? (uint32_t)f->header << 16
	       : off == 24 ? (uint32_t)f->secondary << 8
			   : 0;
}
uint16_t pci_read16(const struct pci_device *d, unsigned off)
{
	return off == PCI_COMMAND ? at(d)->command
				  : (uint16_t)(pci_read32(d, off & ~3u) >> off % 4 * 8);
}
uint8_t pci_read8(const struct pci_device *d, unsigned off)
{
	return (uint8_t)(pci_read32(d, off & ~3u) >> off % 4 * 8);
}
void pci_write16(const struct pci_device *d, unsigned off, uint16_t v)
{
	if (off == PCI_COMMAND)
		at(d)->command = v;
}
void pci_write32(const struct pci_device *d __unused, unsigned off __unused, uint32_t v __unused)
{
}
void pci_map_bus(uint8_t bus __unused)
{
}
const char *pci_access_name(void)
{
	return "a model";
}
void *map_mmio(uint64_t phys __unused, uint64_t len __unused)
{
	return NULL;
}
uint64_t spin_lock_irqsave(struct spinlock *l __unused)
{
	return 0;
}
void spin_unlock_irqrestore(struct spinlock *l __unused, uint64_t flags __unused)
{
}

static int add_said(const char *fmt, va_list ap)
{
	size_t len = strlen(said);

	return vsnprintf(said + len, sizeof(said) - len, fmt, ap);
}
int kprintf(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = add_said(fmt, ap);
	va_end(ap);
	return n;
}
void warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_said(fmt, ap);
	va_end(ap);
}
void assert_failed(const char *file __unused, int line __unused, const char *cond __unused,
		   const char *fmt __unused, ...)
{
	abort();
}

/* The n-th allocation fails; zero: none. */
static void scan(unsigned n)
{
	static struct function before[ARRAY_SIZE(model)];
	static bool kept;

	if (!kept)
		memcpy(before, model, sizeof(model));
	kept = true;
	memcpy(model, before, sizeof(model));
	while (nr_functions)
		free(functions[--nr_functions]);
	said[0] = 0;
	allocations = 0;
	failing = n;
	scan_all();
}

static bool is_listed(const struct function *f)
{
	for (unsigned i = 0; i < nr_functions; i++)
		if (at(functions[i]) == f)
			return true;
	return false;
}

static void all_are_found(void **state __unused)
{
	scan(0);
	assert_int_equal(nr_functions, ARRAY_SIZE(model));
	assert_string_equal(said, "");
}

/* In the order of the scan the n-th function is the n-th of the model. */
static void one_is_left_out(void **state __unused)
{
	for (unsigned n = 1; n <= ARRAY_SIZE(model); n++) {
		const struct function *lost = &model[n - 1];
		char name[64];

		scan(n);
		snprintf(name, sizeof(name), "PCI function %02x:%02x.%x ignored: no memory",
			 lost->bus, lost->dev, lost->fn);
		assert_non_null(strstr(said, name));
		for (unsigned i = 0; i < ARRAY_SIZE(model); i++) {
			bool bridge = model[i].header == 1 || model[i].class_code >> 16 == 6;
			bool behind = lost->secondary && model[i].bus == lost->secondary;

			if (is_listed(&model[i]) != (&model[i] != lost && !behind))
				fail_msg("without %u: function %u", n, i);
			if (!bridge && !behind && model[i].command & PCI_COMMAND_MASTER)
				fail_msg("without %u: function %u may write to memory", n, i);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_found),
		cmocka_unit_test(one_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The command `soak`: a soak of whatever length, and its result in a line. */
#include "tests/kernel/lib/soak.h"

static int report(const struct lifetime *lt, const struct soak_result *r)
{
	if (r->skip) {
		kprintf("soak 503 lifetime=%s: skip %s\n", lt->name, r->skip);
		return r->err ? r->err : -ENODEV;
	}
	kprintf("  %u transfers (%u failed, %u refused), %u jobs of an edu, %u rounds, %u layout "
		"changes, of which %u waited; %u rounds with every completion held back\n",
		r->transfers, r->failed, r->refused, r->dmas, r->rounds, r->changes, r->waits,
		r->windows);
	if (r->foreign)
		kprintf("soak 503 lifetime=%s: BROKEN I1 %u bytes were another file's, first %s\n",
			lt->name, r->foreign, r->text);
	else if (r->violations || r->failed)
		kprintf("soak 503 lifetime=%s: FAILED %u invariants violated, %u disk errors\n",
			lt->name, r->violations, r->failed);
	else
		kprintf("soak 503 lifetime=%s: %s\n", lt->name,
			batch_stopped() ? "interrupted" : "safe");
	return r->foreign || r->violations || r->failed ? -EIO : 0;
}

static int cmd_soak(int argc, char **argv)
{
	const struct lifetime *lt = LIFETIME_DEFAULT;
	static const char *const names[] = {"503"};
	struct soak_result r = {.tells = true};
	uint64_t ops = 200;
	int err = 0;

	if (argc < 2 || argc > 4)
		return shell_usage();
	if (strcmp(argv[1], "503"))
		return shell_unknown("soak", argv[1], names, 1);
	for (int i = 2; i < argc && !err; i++)
		err = strncmp(argv[i], "lifetime=", 9) ? shell_number("OPS", argv[i], &ops)
						       : dax_parse_lifetime(argv[i] + 9, &lt);
	if (err)
		return err;
	if (!ops || ops > 1000000)
		return shell_fail(-EINVAL, "OPS must be 1 to 1000000 transfers");
	soak_503(lt, (unsigned)ops, false, &r);
	return report(lt, &r);
}
SHELL_COMMAND(
	soak, cmd_soak, "soak 503 [OPS] [lifetime=L]",
	"direct I/O and DMA into a mapped file against truncate and punch, every byte checked\n"
	"Runs on the scratch device until OPS transfers (200) are done; the disk does 16 a "
	"second.\n"
	"Status 0: no file ever held another's bytes, and the invariants hold.",
	true);

/* SPDX-License-Identifier: MIT */
/*
 * Rows about the machine as a whole: the boot, the memory in use at the prompt.
 */
#include "tests/kernel/bench/bench.h"

static uint64_t prompt_tsc, prompt_bytes;

/* The last stage of all (the link puts tests/ behind everybody): after it only the prompt comes. */
static int note_prompt(const struct boot_info *bi)
{
	struct frame_stats s = frame_stats();

	(void)bi;
	prompt_bytes = (s.total - s.free) * PAGE_SIZE;
	prompt_tsc = rdtsc();
	return 0;
}
INITCALL(INIT_LATE, bench_note, "figures for bench", note_prompt);

/* From the first instructions of the image (boot/entry.asm, when it is known that the CPU has a
 * TSC) until the last stage of the boot is over. Firmware is outside. One sample. */
static void boot(struct bench_run *b)
{
	uint64_t ticks = prompt_tsc - boot_info()->entry_tsc;

	bench_samples(b, BENCH_INSNS, &ticks, 1, 1);
}
BENCH(boot, "boot", boot);

static void boot_wall(struct bench_run *b)
{
	bench_skip(b, "wall time is measured by whoever starts QEMU");
}
BENCH(boot_wall, "boot.wall", boot_wall);

/* Every frame of RAM that is not free when the boot is over: image, boot data, the lowest 64 KiB,
 * frame maps, page tables, heap, stacks; with every DIMM bound. */
static void memory_prompt(struct bench_run *b)
{
	bench_bytes(b, prompt_bytes, 1);
}
BENCH(memory_prompt, "memory.prompt", memory_prompt);

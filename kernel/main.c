/* SPDX-License-Identifier: MIT */
/*
 * From the boot floor's hand-over to the prompt.
 *
 * First by hand what everything else needs: per-CPU data (so that locks work), console, CPU check,
 * exceptions, clock, the first thread. Then the stages that the other floors registered, in the
 * order of enum init_level. The first of them brings memory; right after it this thread moves to a
 * stack with a guard page, interrupts go on, and threads may sleep. Each stage prints its name
 * before it starts: a hang names its stage.
 */
#include "kernel/cpu/internal.h"
#include "kernel/sched/internal.h"

extern const struct initcall __start_hf_initcalls[], __stop_hf_initcalls[];

static const struct boot_info *info; /* NULL means before kernel_main() */
static unsigned stages_failed;	     /* zero: every stage of the boot did its work */
static uint8_t early_stack[THREAD_STACK_SIZE / 2] __attribute__((aligned(16)));

const struct boot_info *boot_info(void)
{
	return info;
}

unsigned boot_stages_failed(void)
{
	return stages_failed;
}

bool cmdline_get(const char *name, char *buf, unsigned n)
{
	const char *p = info ? info->cmdline : "";
	size_t len = strlen(name), size;

	for (; *p; p += strcspn(p, " ")) {
		p += strspn(p, " ");
		if (strncmp(p, name, len) != 0 || (p[len] && !strchr(" =", p[len])))
			continue;
		p += len + (p[len] == '=');
		size = strcspn(p, " ");
		if (n > 0) {
			size = MIN(size, (size_t)n - 1);
			memcpy(buf, p, size);
			buf[size] = '\0';
		}
		return true;
	}
	return false;
}

/* A stage above INIT_GROUND may fail: the device or table it was about is then missing, and what
 * needs it says so, and a list of commands from outside fails (boot_stages_failed()). Without
 * memory there is no going on. */
static void run_stage(const struct initcall *ic)
{
	int err;

	kprintf("boot: stage %s\n", ic->name);
	err = ic->fn(info);
	if (err == 0)
		return;
	if (ic->level <= INIT_GROUND)
		panic("boot stage '%s' failed with error %d, and nothing works without it",
		      ic->name, err);
	stages_failed++;
	warn("boot stage '%s' failed with error %d; what needs it will say so", ic->name, err);
}

/* Stages with low < level <= high, lowest level first, link order within one. */
static void run_stages(int low, int high)
{
	for (int level = low + 1; level <= high; level++) {
		for (const struct initcall *ic = __start_hf_initcalls; ic < __stop_hf_initcalls;
		     ic++)
			if (ic->level == level)
				run_stage(ic);
	}
}

/* The rest of the boot, on a guarded stack, with threads and interrupts. */
static void __noreturn go_on(void)
{
	irq_disable();
	apic_init_cpu();
	sched_start();
	irq_enable();
	run_stages(INIT_GROUND, INIT_LATE);
	kprintf("boot: done after %lu us, %u CPU%s\n", clock_ns() / 1000, nr_cpus,
		nr_cpus == 1 ? "" : "s");
	shell_main();
}

static void __noreturn leave_early_stack(void)
{
	struct thread *t = current_thread();

	t->stack = thread_stack_alloc();
	if (!t->stack || !cpu_arch_guard_stacks(cpus[0].arch))
		panic("expected memory for the stacks of the first CPU, found none");
	threads_start();
	stack_call((char *)t->stack + THREAD_STACK_SIZE, go_on);
}

static void __noreturn bring_up(void)
{
	cpus[0].self = &cpus[0];
	cpus[0].arch = cpu_arch_of_boot_cpu();
	gdt_load(&cpus[0]); /* first: every lock counts in per-CPU data, and printing takes one */
	cpus[0].online = true;
	console_init();
	kprintf("boot: stage kernel, by way of %s\n", info->path);
	kprintf("boot: stage CPU features\n");
	cpu_features_init();
	kprintf("boot: stage exceptions\n");
	traps_init();
	cpu_protections_enable();
	kprintf("boot: stage clock\n");
	time_init();
	kprintf("boot: stage threads\n");
	threads_init();
	run_stages(0, INIT_GROUND);
	leave_early_stack();
}

/* Boot's own stack lies in boot's part of the image, which the final page tables do not map. */
void kernel_main(const struct boot_info *bi)
{
	info = bi;
	stack_call(early_stack + sizeof(early_stack), bring_up);
}

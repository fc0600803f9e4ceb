/* SPDX-License-Identifier: MIT */
/*
 * What the code under test says: nothing is printed while it is explored, and a panic is a finding.
 */
#include "tests/explore/internal.h"
#include "kernel/trap/internal.h"

void __real_panic(const char *fmt, ...) __noreturn __printf(1, 2);
void __wrap_panic(const char *fmt, ...) __noreturn __printf(1, 2);
void __real_panic_frame(const struct trap_frame *tf, const char *fmt, ...) __noreturn
	__printf(2, 3);
void __wrap_panic_frame(const struct trap_frame *tf, const char *fmt, ...) __noreturn
	__printf(2, 3);
void __real_panic_address(const struct trap_frame *tf, const char *what, uint64_t va) __noreturn;
void __wrap_panic_address(const struct trap_frame *tf, const char *what, uint64_t va) __noreturn;
void __real_assert_failed(const char *file, int line, const char *cond, const char *fmt,
			  ...) __noreturn __printf(4, 5);
void __wrap_assert_failed(const char *file, int line, const char *cond, const char *fmt,
			  ...) __noreturn __printf(4, 5);
int __real_kvprintf(const char *fmt, va_list ap) __printf(1, 0);
int __wrap_kvprintf(const char *fmt, va_list ap) __printf(1, 0);
int __wrap_kprintf(const char *fmt, ...) __printf(1, 2);
void __wrap_warn(const char *fmt, ...) __printf(1, 2);
void __real_notice_post(unsigned tid, const char *fmt, ...) __printf(2, 3);
void __wrap_notice_post(unsigned tid, const char *fmt, ...) __printf(2, 3);

static bool cpu_is_logical(void)
{
	return (uintptr_t)machine_cpu() - (uintptr_t)x_cpu < sizeof(x_cpu);
}

/* Does this CPU explore, in the code under test or in the explorer itself? */
static bool exploring(void)
{
	return x.me && cpu_is_logical();
}

static void found(const char *rule, const char *fmt, va_list ap) __noreturn __printf(2, 0);
static void found(const char *rule, const char *fmt, va_list ap)
{
	x_live = false;
	snprintf(x.rule, sizeof(x.rule), "%s", rule);
	vsnprintf(x.text, sizeof(x.text), fmt, ap);
	x_leave(X_BROKEN);
}

/* "…, where the rule is I4": an assertion's sentence often names its invariant. */
static const char *rule_in(const char *text)
{
	static char rule[4];
	const char *at = strstr(text, "(I");

	if (!at)
		at = strstr(text, "invariant I");
	if (!at)
		return "panic";
	at = strchr(at, 'I');
	snprintf(rule, sizeof(rule), "%.2s", at);
	return rule;
}

void __wrap_panic(const char *fmt, ...)
{
	char text[X_TEXT];
	va_list ap;

	va_start(ap, fmt);
	if (exploring())
		found(rule_in(fmt), fmt, ap);
	x_live = false;
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	__real_panic("%s", text);
}

void __wrap_panic_frame(const struct trap_frame *tf, const char *fmt, ...)
{
	char text[X_TEXT];
	va_list ap;

	va_start(ap, fmt);
	if (exploring())
		found("panic", fmt, ap);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	__real_panic_frame(tf, "%s", text);
}

void __wrap_panic_address(const struct trap_frame *tf, const char *what, uint64_t va)
{
	if (exploring())
		x_stop("panic", "%s 0x%lx", what, (unsigned long)va);
	__real_panic_address(tf, what, va);
}

void __wrap_assert_failed(const char *file, int line, const char *cond, const char *fmt, ...)
{
	char text[X_TEXT];
	va_list ap;

	va_start(ap, fmt);
	if (exploring())
		found(rule_in(fmt), fmt, ap);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	__real_assert_failed(file, line, cond, "%s", text);
}

int __wrap_kvprintf(const char *fmt, va_list ap)
{
	return x_on() ? 0 : __real_kvprintf(fmt, ap);
}

int __wrap_kprintf(const char *fmt, ...)
{
	va_list ap;
	int n;

	if (x_on())
		return 0;
	va_start(ap, fmt);
	n = __real_kvprintf(fmt, ap);
	va_end(ap);
	return n;
}

void __wrap_notice_post(unsigned tid, const char *fmt, ...)
{
	char text[NOTICE_TEXT];
	va_list ap;

	if (x_on())
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	__real_notice_post(tid, "%s", text);
}

void __real_warn(const char *fmt, ...) __printf(1, 2);
/* Something that should not happen did. */
void __wrap_warn(const char *fmt, ...)
{
	char text[X_TEXT];
	va_list ap;

	va_start(ap, fmt);
	if (exploring())
		found("warning", fmt, ap);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	__real_warn("%s", text);
}

/*
 * An NMI comes to the CPU that the explorer runs on, whichever one the code under test is on: a
 * watchdog that had to wait asks what that does. If it goes on, so does the exploration, none the
 * wiser; if not, the panic is the machine's.
 */
bool __real_report_nmi(const struct trap_frame *tf), __wrap_report_nmi(const struct trap_frame *tf);
bool __wrap_report_nmi(const struct trap_frame *tf)
{
	struct cpu *cpu = machine_cpu();
	uint8_t live = x_live;
	bool known;

	if (!cpu_is_logical())
		return __real_report_nmi(tf);
	x_live = false;
	machine_set_cpu(x.outside);
	known = __real_report_nmi(tf);
	if (!known)
		return false;
	machine_set_cpu(cpu);
	x_live = live;
	return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * What code compiled with -fsanitize=undefined calls where it is about to do what C does not
 * define: the place and the operands are told, and that is the end.
 *
 * Every handler's first argument begins with the place; the operands are values, since no type here
 * is wider than a register.
 */
#include "kernel/kernel.h"

struct place {
	const char *file;
	uint32_t line, column;
};

/* What the handler of a pointer is told of it. */
struct pointer_use {
	struct place place;
	const void *type;
	uint8_t log_align, kind;
};

static void undefined(const struct place *at, const char *what, uint64_t a, uint64_t b)
{
	static bool telling; /* one CPU runs at a time */
	char text[200];
	struct mem_report r = {.fault = MEM_UNDEFINED, .what = text, .addr = a, .size = b};

	if (telling)
		return;
	telling = true;
	snprintf(text, sizeof(text), "%s:%u:%u: %s", at->file, at->line, at->column, what);
	mem_fault(&r);
	telling = false;
}

#define HANDLER(name, what)                                                                        \
	void __ubsan_handle_##name(const struct place *at, uint64_t a, uint64_t b);                \
	void __ubsan_handle_##name(const struct place *at, uint64_t a, uint64_t b)                 \
	{                                                                                          \
		undefined(at, what, a, b);                                                         \
	}
HANDLER(add_overflow, "a signed sum overflows")
HANDLER(sub_overflow, "a signed difference overflows")
HANDLER(mul_overflow, "a signed product overflows")
HANDLER(divrem_overflow, "a division by zero, or one that overflows")
HANDLER(shift_out_of_bounds, "a shift by too much, or of a negative value")
HANDLER(pointer_overflow, "pointer arithmetic overflows, or begins at null")

#define HANDLER_OF_ONE(name, what)                                                                 \
	void __ubsan_handle_##name(const struct place *at, uint64_t a);                            \
	void __ubsan_handle_##name(const struct place *at, uint64_t a)                             \
	{                                                                                          \
		undefined(at, what, a, 0);                                                         \
	}
HANDLER_OF_ONE(negate_overflow, "the negative of the lowest value overflows")
HANDLER_OF_ONE(out_of_bounds, "an index beyond the array")
HANDLER_OF_ONE(load_invalid_value, "a value that its type has not")
HANDLER_OF_ONE(vla_bound_not_positive, "an array of no length")

#define HANDLER_OF_NONE(name, what)                                                                \
	void __ubsan_handle_##name(const struct place *at);                                        \
	void __ubsan_handle_##name(const struct place *at)                                         \
	{                                                                                          \
		undefined(at, what, 0, 0);                                                         \
	}
HANDLER_OF_NONE(nonnull_arg, "null for an argument that may not be")
HANDLER_OF_NONE(invalid_builtin, "a builtin's argument that may not be zero")

void __ubsan_handle_nonnull_return_v1(const void *data, const struct place *at);
void __ubsan_handle_nonnull_return_v1(const void *data, const struct place *at)
{
	(void)data;
	undefined(at, "null is returned where it may not be", 0, 0);
}

void __ubsan_handle_builtin_unreachable(const struct place *at);
void __ubsan_handle_builtin_unreachable(const struct place *at)
{
	undefined(at, "code that cannot be reached is", 0, 0);
	panic("there is no way on from here");
}

void __ubsan_handle_type_mismatch_v1(const struct pointer_use *use, uint64_t pointer);
void __ubsan_handle_type_mismatch_v1(const struct pointer_use *use, uint64_t pointer)
{
	/* Per-CPU data begins at gs:0, which looks like null; null itself is a page fault. */
	if (!pointer)
		return;
	undefined(&use->place,
		  pointer & ((1ull << use->log_align) - 1)
			  ? "a pointer is not aligned as its type wants"
			  : "an object is too small for the type that it is used as",
		  pointer, 1ull << use->log_align);
}

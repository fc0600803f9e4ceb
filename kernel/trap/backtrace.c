/* SPDX-License-Identifier: MIT */
/*
 * Call chains: collected from a frame pointer, printed with names and lines.
 *
 * Every function keeps its frame pointer, so the chain of frames is a list on the stack: [rbp] is
 * the caller's frame, [rbp + 8] the return address. A frame pointer is followed only while the list
 * climbs, inside one stack's size and in the kernel's half: a smashed stack ends the list, it does
 * not start another disaster. Reads use load_checked(), which recovers by itself.
 */
#include "kernel/trap/internal.h"

#define MAX_FRAMES 32

/* A walk up the chain. */
struct chain {
	uint64_t first, rbp;
	uint64_t last; /* return address that came last; zero: none did */
	uint64_t leaf; /* comes next; zero: what the frame says does */
};

/* Is the caller of the frame that returns to `ret` a call, or was it interrupted? */
static bool calls(uint64_t ret)
{
	return ret <= (uintptr_t)trap_common || ret > (uintptr_t)trap_entries_end;
}

/* Code was interrupted at `rip`. Where its function returns to, if that is not in the frame: the
 * function has none (it does not begin with push rbp), has not made it yet, or has left it. */
static uint64_t leaf_return(uint64_t rip, uint64_t rsp)
{
	uint64_t offset, ret = 0;
	const uint8_t *at = (const uint8_t *)rip;

	if (!ksym_lookup(rip, &offset))
		return 0;
	if (at[-(int64_t)offset] != 0x55 || offset == 0 || *at == 0xc3)
		(void)load_checked((const uint64_t *)rsp, &ret);
	else if (offset == 1)
		(void)load_checked((const uint64_t *)rsp + 1, &ret);
	return ksym_lookup(ret, NULL) ? ret : 0;
}

/* One step up the chain of frames; false: it ends here. */
static bool climb(struct chain *c, uint64_t *ret)
{
	uint64_t next;

	if (!IN_KERNEL_HALF(c->rbp) || c->rbp % 8 || c->rbp - c->first >= THREAD_STACK_SIZE)
		return false;
	if (load_checked((uint64_t *)c->rbp, &next) || load_checked((uint64_t *)c->rbp + 1, ret))
		return false;
	/* Equal is the end too: then this frame is the last one we believe. */
	c->rbp = next > c->rbp ? next : 0;
	return *ret != 0;
}

static bool chain_next(struct chain *c, uint64_t *ret)
{
	/* Above such a frame lies what the entry saved (entry.asm). */
	const struct trap_frame *tf = (const struct trap_frame *)(c->rbp + 16);
	bool interrupted = !calls(c->last);

	if (c->leaf) {
		*ret = c->leaf;
		c->leaf = 0;
	} else if (!climb(c, ret)) {
		return false;
	} else if (interrupted) {
		c->leaf = leaf_return(*ret, tf->rsp);
	}
	c->last = *ret;
	return true;
}

static struct chain chain_from(uint64_t rbp)
{
	return (struct chain){.first = rbp, .rbp = rbp};
}

static void print_symbol(unsigned n, uint64_t addr, bool is_return)
{
	char where[160];

	kprintf("  #%-2u 0x%016lx %s\n", n, addr,
		ksym_describe(addr, is_return, where, sizeof(where)));
}

/* Prints the chain, numbered from n; a function that calls itself appears once. */
static void walk(unsigned n, struct chain c)
{
	uint64_t ret, last = 0, again = 0;

	for (; n < MAX_FRAMES && chain_next(&c, &ret); last = ret) {
		if (ret == last) {
			again++;
			continue;
		}
		if (again)
			kprintf("      … %lu more of this one\n", again);
		again = 0;
		print_symbol(n++, ret, calls(last));
	}
	if (again)
		kprintf("      … %lu more of this one\n", again);
}

void backtrace(uint64_t rbp)
{
	walk(0, chain_from(rbp ? rbp : (uintptr_t)__builtin_frame_address(0)));
}

static struct chain chain_of_frame(const struct trap_frame *tf)
{
	struct chain c = chain_from(tf->rbp);

	c.leaf = leaf_return(tf->rip, tf->rsp);
	return c;
}

void backtrace_frame(const struct trap_frame *tf)
{
	print_symbol(0, tf->rip, false);
	walk(1, chain_of_frame(tf));
}

static unsigned collect(struct chain c, uint64_t *pc, unsigned room)
{
	unsigned n = 0;

	while (n < room && chain_next(&c, &pc[n]))
		n++;
	return n;
}

unsigned backtrace_collect(uint64_t rbp, uint64_t *pc, unsigned room)
{
	return collect(chain_from(rbp), pc, room);
}

unsigned backtrace_collect_frame(const struct trap_frame *tf, uint64_t *pc, unsigned room)
{
	pc[0] = tf->rip;
	return 1 + collect(chain_of_frame(tf), pc + 1, room - 1);
}

void backtrace_print(const uint64_t *pc, unsigned n, bool first_is_return)
{
	for (unsigned i = 0; i < n; i++)
		print_symbol(i, pc[i], i ? calls(pc[i - 1]) : first_is_return);
}

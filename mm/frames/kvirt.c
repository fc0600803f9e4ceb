/* SPDX-License-Identifier: MIT */
/*
 * Kernel virtual memory that is not the direct map: thread stacks, device registers, the C heap.
 *
 * Addresses are handed out upwards and never come back; there are 512 GiB of them. A stack is four
 * pages above one that is never mapped, so an overflow is a double fault that names the guard page
 * and not a silent write into the neighbour. Stacks are kept for the next thread, still mapped.
 */
#include "mm/frames/internal.h"

#define STACK_SLOT  (THREAD_STACK_SIZE + PAGE_SIZE)
#define STACK_FIRST (KVIRT_BASE + HEAP_SIZE)
#define MMIO_FIRST  (STACK_FIRST + 64 * GIB)

static struct spinlock kvirt_lock = SPINLOCK_INIT("kvirt");
static uint64_t heap_end = KVIRT_BASE; /* first unmapped byte of the heap */
static uint64_t heap_brk = KVIRT_BASE;
static uint64_t next_stack = STACK_FIRST, next_range = MMIO_FIRST;
static void *spare_stacks;    /* chain through the first word of each */
static struct span mmio[512]; /* physical ranges mapped uncached */
static unsigned nr_mmio;

bool mmio_overlaps(uint64_t start, uint64_t end)
{
	uint64_t flags = spin_lock_irqsave(&kvirt_lock);
	bool yes = false;

	for (unsigned i = 0; i < nr_mmio && !yes; i++)
		yes = mmio[i].start < end && start < mmio[i].end;
	spin_unlock_irqrestore(&kvirt_lock, flags);
	return yes;
}

/* Makes the tables that 4K entries of [va, va + len) stand in. They stay, for whoever comes next.
 */
static int make_tables(uint64_t va, uint64_t len)
{
	for (uint64_t at = va; at < va + len; at = ALIGN_DOWN(at, PMD_SIZE) + PMD_SIZE)
		if (!pte_walk(kernel_root, at, 1, true, NULL))
			return -ENOMEM;
	return 0;
}

/* The next addresses for `bytes` of registers at `first`, once there are tables for them and room
 * for the note, so that mapping them cannot fail. 0: no memory or no room; the addresses are still
 * the next ones, and nothing is noted, which would keep the range from being memory for ever. */
static uint64_t mmio_slot(uint64_t first, uint64_t bytes)
{
	uint64_t flags = spin_lock_irqsave(&kvirt_lock);
	uint64_t va = next_range;

	if (nr_mmio == ARRAY_SIZE(mmio) || make_tables(va, bytes)) {
		va = 0;
	} else {
		/* So that nobody maps it as memory under another name. */
		mmio[nr_mmio++] = (struct span){first, first + bytes};
		next_range += bytes + PAGE_SIZE; /* an absent page after each */
	}
	spin_unlock_irqrestore(&kvirt_lock, flags);
	return va;
}

void *map_mmio(uint64_t phys, uint64_t len)
{
	uint64_t first = ALIGN_DOWN(phys, PAGE_SIZE);
	uint64_t bytes = ALIGN_UP(phys + len, PAGE_SIZE) - first;
	uint64_t va = mmio_slot(first, bytes);

	if (!va)
		return NULL;
	kernel_map(va, first, bytes, PTE_W | PTE_NX | PTE_PCD | PTE_G, 1);
	return (void *)(va + (phys - first));
}

uint64_t mmio_next(void)
{
	uint64_t flags = spin_lock_irqsave(&kvirt_lock);
	uint64_t va = next_range;

	spin_unlock_irqrestore(&kvirt_lock, flags);
	return va;
}

/* A frame for the page at va. */
static int back_with_frame(uint64_t va)
{
	uint64_t phys = frame_alloc_zero();

	if (!phys)
		return -ENOMEM;
	if (kernel_map(va, phys, PAGE_SIZE, PTE_W | PTE_NX | PTE_G, 1)) {
		frame_free(phys, 0);
		return -ENOMEM;
	}
	return 0;
}

#define STACK_PAGES (THREAD_STACK_SIZE / PAGE_SIZE)

/* All frames of a stack, or none. */
static bool stack_frames(uint64_t frame[STACK_PAGES])
{
	for (unsigned i = 0; i < STACK_PAGES; i++) {
		frame[i] = frame_alloc_zero();
		if (frame[i])
			continue;
		while (i-- > 0)
			frame_free(frame[i], 0);
		return false;
	}
	return true;
}

/* The next slot, once there are tables for it, so that mapping it cannot fail; its lowest address
 * above the guard page. 0: no memory, and the slot is still the next one. */
static uint64_t stack_slot(void)
{
	uint64_t flags = spin_lock_irqsave(&kvirt_lock);
	uint64_t va = next_stack + PAGE_SIZE;

	if (make_tables(va, THREAD_STACK_SIZE))
		va = 0;
	else
		next_stack += STACK_SLOT;
	spin_unlock_irqrestore(&kvirt_lock, flags);
	return va;
}

void *stack_make(void)
{
	uint64_t frame[STACK_PAGES], va;

	if (!stack_frames(frame))
		return NULL;
	va = stack_slot();
	for (unsigned i = 0; i < STACK_PAGES; i++)
		if (va)
			kernel_map(va + i * PAGE_SIZE, frame[i], PAGE_SIZE, PTE_W | PTE_NX | PTE_G,
				   1);
		else
			frame_free(frame[i], 0);
	return (void *)va;
}

void *stack_alloc(void)
{
	uint64_t flags = spin_lock_irqsave(&kvirt_lock);
	void **stack = spare_stacks;

	if (stack)
		spare_stacks = *stack;
	spin_unlock_irqrestore(&kvirt_lock, flags);
	if (stack)
		mem_open(stack, THREAD_STACK_SIZE);
	return stack ? stack : stack_make();
}

uint64_t stacks_made(void)
{
	return (next_stack - STACK_FIRST) / STACK_SLOT;
}

void stack_free(void *stack)
{
	uint64_t flags = spin_lock_irqsave(&kvirt_lock);

	*(void **)stack = spare_stacks;
	spare_stacks = stack;
	mem_close((char *)stack + 8, THREAD_STACK_SIZE - 8, MEM_POISON);
	spin_unlock_irqrestore(&kvirt_lock, flags);
}

uint64_t stack_ram(void)
{
	uint64_t flags = spin_lock_irqsave(&kvirt_lock);
	uint64_t slots = (next_stack - STACK_FIRST) / STACK_SLOT;

	spin_unlock_irqrestore(&kvirt_lock, flags);
	return slots * (THREAD_STACK_SIZE / PAGE_SIZE);
}

uint64_t heap_frames(void)
{
	return (heap_end - KVIRT_BASE) >> PAGE_SHIFT;
}

/* newlib's malloc asks here for heap. Only growth: what malloc frees it keeps for itself. */
void *sbrk(ptrdiff_t bytes);
void *sbrk(ptrdiff_t bytes)
{
	uint64_t old = heap_brk, brk = old + bytes;

	/* Called under malloc's own lock: one caller at a time. */
	if (bytes < 0) /* a trim, from free(): refused, and errno stays the caller's */
		return (void *)-1;
	if (brk > KVIRT_BASE + HEAP_SIZE) {
		errno = ENOMEM;
		return (void *)-1;
	}
	while (heap_end < brk) {
		if (back_with_frame(heap_end)) {
			errno = ENOMEM;
			return (void *)-1;
		}
		heap_end += PAGE_SIZE;
	}
	heap_brk = brk;
	return (void *)old;
}

const char *kernel_address_name(uint64_t va)
{
	if (va < USER_END)
		return "the low half (the thread's address space)";
	if (va >= STACK_FIRST && va < next_stack)
		return (va - STACK_FIRST) % STACK_SLOT < PAGE_SIZE ? "the guard page of a stack"
								   : "a thread's stack";
	if (va >= KVIRT_BASE && va < KVIRT_BASE + HEAP_SIZE)
		return va < heap_end ? "the heap" : "beyond the end of the heap";
	if (va >= RECORD_BASE && va < COMPOUND_END)
		return "the page-record window (a record that was never populated)";
	if (va >= DIRECT_BASE && va < RECORD_BASE)
		return "the direct map (physical memory that is not mapped)";
	if (va >= KERNEL_BASE)
		return "the kernel image";
	return NULL;
}

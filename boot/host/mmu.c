/* SPDX-License-Identifier: MIT */
/*
 * Translation: the process's own mappings are the TLB.
 *
 * The kernel's pointers are used as they are. Where nothing is mapped Linux sends a signal, and the
 * walk that a CPU would make in hardware is made here, in the kernel's own tables: what it finds is
 * mapped there, with the entry's rights, and its accessed and dirty bits are set as the manual says
 * (Intel SDM vol. 3, 4.8). If it finds nothing that allows the access, the kernel gets a page
 * fault, on the stack of the code that caused it. INVLPG and a load of CR3 take mappings away
 * again.
 *
 * As in a TLB an entry that was changed and not flushed goes on being used. Of user addresses each
 * CPU remembers what it was filled with: when it runs again it is shown that, and no other CPU's
 * flush takes it away. Kernel addresses are in one TLB for all.
 */
#include "boot/host/machine.h"
#include "mm/frames/frames.h"

#define PTE_P	  1ull
#define PTE_W	  2ull
#define PTE_A	  0x20ull
#define PTE_D	  0x40ull
#define PTE_PS	  0x80ull
#define PTE_G	  0x100ull
#define PTE_NX	  (1ull << 63)
#define PHYS_MASK 0x000ffffffffff000ull
#define PAGE	  4096ull

#define BOOT_END    (4 * GIB) /* boot's own map, one to one */
#define OTHERS	    (64 * GIB)
#define OTHERS_END  (1024 * GIB)
#define MAX_LARGE   64 /* mappings of more than a page, of which a flush of one page takes all */
#define MAX_RECENT  64
#define TLB_ENTRIES 64
#define MAX_ENTRIES 30000 /* Linux lets a process have 65530 mappings */

#define RFLAGS_TF (1ull << 8)
#define RFLAGS_DF (1ull << 10)
#define RFLAGS_RF (1ull << 16)

static struct span {
	uint64_t va, len;
	uint64_t entry; /* that it was made from, but for its accessed and dirty bits */
} large[MAX_LARGE];
static unsigned nr_large, nr_low, nr_entries; /* zero: none since the last flush */
/* Each CPU's, of user addresses. What was pushed out may still be shown, until somebody else runs.
 */
static struct tlb {
	struct translation {
		uint64_t va, size; /* size zero: free */
		uint64_t entry;
		bool writable;
	} e[TLB_ENTRIES];
	unsigned next;
} tlbs[MAX_CPUS];
/* Where something was shown since it was taken away: no more is unmapped, since under valgrind the
 * program's libraries lie low, and its memory checker looks at every page; and one munmap() takes
 * no more than an area has, since what valgrind and the first stack lie in (OTHERS) may be between
 * two pages of a process: it refuses all of that, and the pages stay shown. */
static const struct {
	uint64_t low, high; /* of all that may ever be shown there */
} areas[] = {
	{0, BOOT_END},
	{BOOT_END, OTHERS},
	{OTHERS, OTHERS_END},
	{OTHERS_END, USER_END},
	{DIRECT_BASE, RECORD_BASE},
	{RECORD_BASE, KVIRT_BASE},
	{KVIRT_BASE, KVIRT_BASE + HEAP_SIZE},
	{KVIRT_BASE + HEAP_SIZE, KERNEL_BASE},
};
static struct {
	uint64_t start, end; /* equal: nothing */
} shown[ARRAY_SIZE(areas)];
static struct span recent[MAX_RECENT]; /* of a page, made since mmu_settle(true) */
static unsigned nr_recent;	       /* more than there is room for: not all were kept */
static uint8_t last_stack[64 * 1024] __attribute__((aligned(16))); /* of a double fault */

struct leaf {
	uint64_t *entry, size;
	bool writable;
};

void *mmu_ram(uint64_t phys)
{
	return phys < machine.ram ? host_ram() + phys : NULL;
}

static bool walk(uint64_t va, struct leaf *leaf)
{
	uint64_t table = lcpu->cr3 & PHYS_MASK;

	leaf->writable = true;
	for (unsigned shift = 39;; shift -= 9) {
		uint64_t *entries = mmu_ram(table);
		uint64_t e;

		if (!entries)
			return false;
		leaf->entry = &entries[va >> shift & 511];
		e = *leaf->entry;
		leaf->writable &= !!(e & PTE_W);
		leaf->size = 1ull << shift;
		if (!(e & PTE_P))
			return false;
		if (shift == 12 || (shift < 39 && (e & PTE_PS)))
			return true;
		*leaf->entry |= PTE_A;
		table = e & PHYS_MASK;
	}
}

static void note_shown(uint64_t va, uint64_t len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(areas); i++) {
		if (va < areas[i].low || va >= areas[i].high)
			continue;
		shown[i].start = shown[i].start == shown[i].end ? va : MIN(shown[i].start, va);
		shown[i].end = MAX(shown[i].end, va + len);
	}
}

/* The C heap, which never shrinks, under valgrind (valgrind.c). */
static bool stays(uint64_t va)
{
	return va - KVIRT_BASE < HEAP_SIZE && valgrind_is_here();
}

/* [from, to) is shown no more. */
static void hide(uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < ARRAY_SIZE(areas); i++) {
		uint64_t start = MAX(from, shown[i].start), end = MIN(to, shown[i].end);

		if (stays(areas[i].low))
			continue;
		if (start < end)
			host_unmap(start, end - start);
		if (from <= shown[i].start && to >= shown[i].end)
			shown[i].start = shown[i].end = 0;
	}
}

static void remember(uint64_t va, uint64_t len, uint64_t entry)
{
	if (++nr_entries > MAX_ENTRIES || (len > PAGE && nr_large == MAX_LARGE)) {
		nr_large = 0;
		mmu_flush_all();
	}
	entry &= ~(PTE_A | PTE_D);
	if (len > PAGE)
		large[nr_large++] = (struct span){va, len, entry};
	else if (nr_recent++ < MAX_RECENT)
		recent[nr_recent - 1] = (struct span){va, len, entry};
	nr_low += va < USER_END;
	note_shown(va, len);
}

/* Maps all of the page that is memory. False: there is none where `va` leads to. */
static bool show(uint64_t va, const struct translation *t)
{
	uint64_t e = t->entry, phys = e & PHYS_MASK & ~(t->size - 1), start, end, lo, hi;
	uint64_t at = va & ~(t->size - 1);
	unsigned memory;

	if (!firmware_memory(phys + (va - at), &memory, &start, &end))
		return false;
	lo = MAX(phys, start);
	hi = MIN(phys + t->size, end);
	if (at < BOOT_END && t->size > PAGE) { /* no more than is asked for */
		lo = phys + (ALIGN_DOWN(va, PAGE) - at);
		hi = lo + PAGE;
	}
	remember(at + (lo - phys), hi - lo, e);
	host_map(at + (lo - phys), memory, lo - start, hi - lo,
		 HOST_READ | (t->writable && (e & PTE_D) ? HOST_WRITE : 0));
	return true;
}

/* What this CPU has for va; NULL: nothing. */
static struct translation *tlb_find(uint64_t va)
{
	for (struct translation *t = tlbs[lcpu->id].e; t < tlbs[lcpu->id].e + TLB_ENTRIES; t++)
		if (va - t->va < t->size)
			return t;
	return NULL;
}

static void tlb_drop(uint64_t va)
{
	struct translation *t;

	while ((t = tlb_find(va)))
		t->size = 0;
}

static void tlb_add(const struct translation *t)
{
	struct tlb *tlb = &tlbs[lcpu->id];

	tlb->e[tlb->next++ % TLB_ENTRIES] = *t;
}

/* From the TLB, as it is by now. False: it has nothing that allows the access. */
static bool show_again(uint64_t va, uint64_t error)
{
	const struct translation *t = tlb_find(va);

	if (!t || ((error & PF_WRITE) && (!t->writable || !(t->entry & PTE_D))))
		return false;
	return show(va, t);
}

static struct translation translation_of(uint64_t va, const struct leaf *leaf)
{
	return (struct translation){va & ~(leaf->size - 1), leaf->size, *leaf->entry,
				    leaf->writable};
}

/* The pages below one in kernel space are shown with it, down to the first that is not there: a
 * stack is all shown or not at all. A CPU may load entries ahead, and valgrind (3.19) does not make
 * a call or a push again whose store faulted: its stack pointer has moved by then. */
static void show_below(uint64_t va)
{
	const char *name = kernel_address_name(va);
	uint64_t end = va + PAGE;
	struct translation t;
	struct leaf leaf;

	while ((va -= PAGE) >= KVIRT_BASE && walk(va, &leaf) && leaf.size == PAGE &&
	       leaf.writable && (*leaf.entry & PTE_G)) {
		*leaf.entry |= PTE_A | PTE_D;
		t = translation_of(va, &leaf);
		if (!show(va, &t))
			return;
	}
	if (name && !strcmp(name, "a thread's stack"))
		valgrind_stack(va + PAGE, end);
}

/* Nothing is shown that allows the access. False: a page fault. */
static bool fill(uint64_t va, uint64_t error)
{
	struct translation t;
	struct leaf leaf;

	if (va < USER_END && !(error & PF_FETCH) && show_again(va, error))
		return true;
	tlb_drop(va); /* as a page fault does, too (4.10.4.1) */
	if (va >= KERNEL_BASE || (error & PF_FETCH) || !walk(va, &leaf) ||
	    ((error & PF_WRITE) && !leaf.writable))
		return false;
	*leaf.entry |= PTE_A;
	if ((error & PF_WRITE) || ((*leaf.entry & PTE_G) && leaf.writable))
		*leaf.entry |= PTE_D;
	t = translation_of(va, &leaf);
	if (va < USER_END)
		tlb_add(&t);
	if (!show(va, &t))
		return false;
	if (va >= KVIRT_BASE && leaf.size == PAGE)
		show_below(ALIGN_DOWN(va, PAGE));
	return true;
}

void mmu_flush_page(uint64_t va)
{
	va &= ~(PAGE - 1);
	tlb_drop(va);
	for (unsigned i = 0; i < nr_large; i++) {
		if (va - large[i].va >= large[i].len)
			continue;
		host_unmap(large[i].va, large[i].len);
		large[i--] = large[--nr_large];
	}
	if (!stays(va))
		host_unmap(va, PAGE);
}

void mmu_hide_low(void)
{
	if (!nr_low)
		return;
	nr_low = 0;
	for (unsigned i = 0; i < nr_large; i++)
		if (large[i].va < USER_END)
			large[i--] = large[--nr_large];
	hide(0, USER_END);
}

void mmu_flush_low(void)
{
	memset(&tlbs[lcpu->id], 0, sizeof(tlbs[0]));
	mmu_hide_low();
}

/* Would a walk find the same again? */
static bool stands(const struct span *s)
{
	struct leaf leaf;

	return walk(s->va, &leaf) && (leaf.size > PAGE) == (s->len > PAGE) &&
	       (*leaf.entry & ~(PTE_A | PTE_D)) == s->entry;
}

static void drop_large(unsigned i)
{
	host_unmap(large[i].va, large[i].len);
	large[i] = large[--nr_large];
}

void mmu_settle(bool for_good)
{
	unsigned kept = 0;

	memset(tlbs, 0, sizeof(tlbs));
	if (nr_recent > MAX_RECENT) {
		mmu_flush_all();
		nr_recent = 0;
	}
	for (unsigned i = 0; i < nr_recent; i++)
		if (!stands(&recent[i]))
			host_unmap(recent[i].va, PAGE);
		else if (!for_good)
			recent[kept++] = recent[i];
	for (unsigned i = nr_large; i-- > 0;)
		if (!stands(&large[i]))
			drop_large(i);
	nr_recent = kept;
}

/* The first large mapping at or above va; NULL: none. */
static const struct span *large_from(uint64_t va)
{
	const struct span *first = NULL;

	for (unsigned i = 0; i < nr_large; i++)
		if (large[i].va >= va && (!first || large[i].va < first->va))
			first = &large[i];
	return first;
}

/* A large mapping that the next access would bring back as it is stays: the direct map of RAM is
 * one, and costs Linux a page fault for each of its pages. */
void mmu_flush_all(void)
{
	const struct span *s;
	uint64_t at = USER_END;

	mmu_flush_low();
	for (unsigned i = 0; i < nr_large; i++)
		if (!stands(&large[i]))
			large[i--] = large[--nr_large];
	nr_entries = nr_large;
	for (; (s = large_from(at)); at = s->va + s->len)
		if (s->va > at)
			hide(at, s->va);
	hide(at, KERNEL_BASE);
}

/* Can a frame be put there? */
static bool stack_is_there(uint64_t sp)
{
	struct leaf leaf;

	return sp >= KERNEL_BASE || (IN_KERNEL_HALF(sp) && walk(sp, &leaf) && leaf.writable);
}

/* The code that `f` describes goes on in `entry`, with a trap frame on its own stack. */
static void deliver(struct host_frame *f, void (*entry)(void), uint64_t addr)
{
	struct trap_frame *tf = (struct trap_frame *)(f->rsp & ~15ull) - 1;

	_Static_assert(sizeof(*tf) == sizeof(*f) && sizeof(*f) % 16 == 0, "one layout, aligned");
	if (!stack_is_there((uintptr_t)tf)) {
		lcpu->cr2 = addr;
		f->vector = VEC_DOUBLE_FAULT;
		tf = (struct trap_frame *)(last_stack + sizeof(last_stack)) - 1;
		entry = host_exception_entry;
	}
	valgrind_defined(tf, sizeof(*tf) + (f->rsp & 15));
	memcpy(tf, f, sizeof(*tf));
	tf->rflags = (f->rflags & ~RFLAGS_IF) | (lcpu->irq_on ? RFLAGS_IF : 0);
	f->rsp = f->rdi = (uintptr_t)tf;
	f->rsi = addr;
	f->rip = (uintptr_t)entry;
	f->rflags &= ~(RFLAGS_TF | RFLAGS_DF | RFLAGS_RF);
}

void mmu_deliver(struct host_frame *f)
{
	deliver(f, host_exception_entry, 0);
}

void machine_exception(struct host_frame *f, uint64_t addr)
{
	uint64_t flags = f->rflags;
	struct leaf leaf;

	valgrind_fault(f);
	if (f->vector == VEC_PAGE_FAULT) {
		if (fill(addr, f->error))
			return;
		if (walk(addr, &leaf) &&
		    pci_access(f, (*leaf.entry & PHYS_MASK) + (addr & (leaf.size - 1)))) {
			if (f->rflags != flags)
				deliver(f, host_resume_entry, addr);
			return;
		}
		/* What the walk finds decides, not how Linux has it mapped. */
		f->error &= PF_WRITE | PF_FETCH;
		f->error |= walk(addr, &leaf) ? PF_PRESENT : 0;
		lcpu->cr2 = addr;
		deliver(f, host_page_fault_entry, addr);
	} else if (breakpoint_trap(f)) {
		deliver(f, host_exception_entry, addr);
	}
}

/* Boot's tables: the low 4 GiB one to one, in pages of 1 GiB. */
void mmu_init(void)
{
	uint64_t *top = mmu_ram(0x1000), *next = mmu_ram(0x2000);

	top[0] = 0x2000 | PTE_P | PTE_W;
	for (uint64_t i = 0; i < 4; i++)
		next[i] = i << 30 | PTE_P | PTE_W | PTE_PS;
	lcpus[0].cr3 = 0x1000;
}

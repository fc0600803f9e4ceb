/* SPDX-License-Identifier: MIT */
/* Objects of each kind, and what is said of them; see kinds.h. */
#include "tests/kernel/lib/kinds.h"

const char *const kind_name[KINDS] = {"a file on DAX", "device-dax", "a plain file",
				      "a plain device", "anonymous memory"};
const char *const says_name[SAYS] = {"S_DAX", "IS_FSDAX", "IS_DEVDAX", "vma_is_dax",
				     "vma_is_fsdax"};

/* ---- objects ------------------------------------------------------------------------------ */

/* Private, and in RAM: each mapping has a copy. */
static int file_fault(struct vm_fault *vmf)
{
	const struct kind_object *o = vmf->vma->private;

	return vmf_insert_anon(vmf, vmf_entry(vmf), o->bytes);
}
static const struct vma_ops file_ops = {.fault = file_fault};

static int device_fault(struct vm_fault *vmf)
{
	const struct kind_object *o = vmf->vma->private;

	return vmf_insert_special(vmf, o->frame >> PAGE_SHIFT, vmf->write);
}
static const struct vma_ops device_ops = {.fault = device_fault};

static int map_plain(struct kind_object *o)
{
	const bool file = o->kind == KIND_FILE;

	mapping_init(&o->plain, (file ? MODE_FILE : MODE_CHAR) | 0600, 0);
	if (file)
		memset(o->bytes, 'p', sizeof(o->bytes));
	else
		o->frame = frame_alloc_zero();
	if (!file && !o->frame)
		return -ENOMEM;
	return mm_map(current_mm(), &o->va, PAGE_SIZE,
		      VM_READ | VM_WRITE | VM_MAYWRITE |
			      (file ? VM_PRIVATE : VM_SHARED | VM_LIMITED),
		      file ? &file_ops : &device_ops, o, &o->plain, 0);
}

static const char *map_file(struct kind_object *o)
{
	const char *why = NULL;

	if (!scratch_region(&why))
		return why;
	if (fixture_start(&o->fx, LIFETIME_DEFAULT))
		return o->fx.why;
	o->mounted = true;
	o->va = fx_map(&o->fx, "f", 1, 'f');
	return NULL;
}

static const char *map_device(struct kind_object *o)
{
	const char *why = NULL;
	struct pmem_region *r = scratch_region(&why);

	if (r && devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, VM_READ | VM_WRITE | VM_SHARED,
			     &o->va))
		why = refusal();
	return why;
}

const char *kind_start(struct kind_object *o, enum kind kind)
{
	const char *why = NULL;
	int err = 0;

	*o = (struct kind_object){.kind = kind};
	switch (kind) {
	case KIND_FSDAX: why = map_file(o); break;
	case KIND_DEVDAX: why = map_device(o); break;
	case KIND_ANON: err = mm_map_anon(current_mm(), &o->va, PAGE_SIZE, true); break;
	default: err = map_plain(o);
	}
	if (!why && (err || !o->va))
		why = "no memory for a mapping";
	return why;
}

void kind_end(struct kind_object *o)
{
	if (o->mounted)
		fixture_end(&o->fx);
	else if (o->va)
		mm_unmap(current_mm(), o->va, o->kind == KIND_DEVDAX ? PMD_SIZE : PAGE_SIZE);
	if (o->frame)
		frame_free(o->frame, 0);
}

/* ---- what is said of them ----------------------------------------------------------------- */

/* The predicates are macros, so each of the four functions is what they are in its build. */
#define ANSWERS(vma)                                                                               \
	(((vma)->mapping && ((vma)->mapping->i_flags & S_DAX) ? SAYS_S_DAX : 0) |                  \
	 ((vma)->mapping && IS_FSDAX((vma)->mapping) ? SAYS_IS_FSDAX : 0) |                        \
	 ((vma)->mapping && IS_DEVDAX((vma)->mapping) ? SAYS_IS_DEVDAX : 0) |                      \
	 (vma_is_dax(vma) ? SAYS_VMA_IS_DAX : 0) | (vma_is_fsdax(vma) ? SAYS_VMA_IS_FSDAX : 0))

static unsigned both(const struct vma *vma)
{
	return ANSWERS(vma);
}

#undef DEVICE_DAX
#define DEVICE_DAX 0
static unsigned files(const struct vma *vma)
{
	return ANSWERS(vma);
}

#undef FS_DAX
#define FS_DAX 0
static unsigned neither(const struct vma *vma)
{
	return ANSWERS(vma);
}

#undef DEVICE_DAX
#define DEVICE_DAX 1
static unsigned devices(const struct vma *vma)
{
	return ANSWERS(vma);
}

unsigned kind_says(uint64_t va, enum kind_build build)
{
	static unsigned (*const in[BUILDS])(const struct vma *) = {both, files, devices, neither};
	struct mm *mm = current_mm();
	const struct vma *vma;
	unsigned says;

	down_read(&mm->mmap_lock);
	vma = mm_find_vma(mm, va);
	says = vma ? in[build](vma) : ~0u;
	up_read(&mm->mmap_lock);
	return says;
}

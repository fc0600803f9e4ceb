/* SPDX-License-Identifier: MIT */
/*
 * What newlib asks of its host (newlib's reent.h, lock.h and "System Calls" chapter).
 *
 * Three things: memory (sbrk, given by the mm floor), a reentrancy structure per thread, and locks.
 * The locks are recursive spinlocks that keep interrupts out, so malloc() works in every context.
 * The system calls below belong to the FILE machinery that snprintf drags in; nothing in the kernel
 * opens a FILE, so they refuse, and say so by errno.
 */
#include "kernel/cpu/internal.h"
#include <sys/lock.h>
#include <sys/stat.h>

struct __lock {
	struct spinlock spin;
	uint32_t depth; /* zero means free; written by the holder only */
	uint64_t flags; /* interrupt flag to restore at depth zero */
};

/* newlib names each of them, and all must be here: they share one object file there. */
#define LIBC_LOCK(name) struct __lock __lock___##name = {.spin = SPINLOCK_INIT("libc " #name)}
LIBC_LOCK(sinit_recursive_mutex);
LIBC_LOCK(sfp_recursive_mutex);
LIBC_LOCK(atexit_recursive_mutex);
LIBC_LOCK(at_quick_exit_mutex);
LIBC_LOCK(malloc_recursive_mutex);
LIBC_LOCK(env_recursive_mutex);
LIBC_LOCK(tz_mutex);
LIBC_LOCK(dd_hash_mutex);
LIBC_LOCK(arc4random_mutex);
static struct __lock file_lock = {.spin = SPINLOCK_INIT("libc FILE")};

void __retarget_lock_acquire_recursive(_LOCK_T l)
{
	uint64_t flags = irq_save();

	if (spin_held(&l->spin)) {
		l->depth++; /* interrupts are off since depth one */
		return;
	}
	spin_lock(&l->spin);
	l->depth = 1;
	l->flags = flags;
}

int __retarget_lock_try_acquire_recursive(_LOCK_T l)
{
	uint64_t flags = irq_save();

	if (spin_held(&l->spin)) {
		l->depth++;
		return 1;
	}
	if (!spin_trylock(&l->spin)) {
		irq_restore(flags);
		return 0;
	}
	l->depth = 1;
	l->flags = flags;
	return 1;
}

void __retarget_lock_release_recursive(_LOCK_T l)
{
	if (--l->depth == 0)
		spin_unlock_irqrestore(&l->spin, l->flags);
}

/* A FILE made at run time would want a lock of its own; they all share one. */
void __retarget_lock_init_recursive(_LOCK_T *l)
{
	*l = &file_lock;
}

void __retarget_lock_close_recursive(_LOCK_T l __attribute__((unused)))
{
}

void __retarget_lock_init(_LOCK_T *l)
{
	__retarget_lock_init_recursive(l);
}

void __retarget_lock_close(_LOCK_T l)
{
	__retarget_lock_close_recursive(l);
}

void __retarget_lock_acquire(_LOCK_T l)
{
	__retarget_lock_acquire_recursive(l);
}

int __retarget_lock_try_acquire(_LOCK_T l)
{
	return __retarget_lock_try_acquire_recursive(l);
}

void __retarget_lock_release(_LOCK_T l)
{
	__retarget_lock_release_recursive(l);
}

/* errno and friends of the running thread; of nobody in particular before there are threads. */
struct _reent *__getreent(void)
{
	static struct _reent early = _REENT_INIT(early);
	struct thread *t = cpus[0].online ? current_thread() : NULL;

	return t ? &t->reent : &early;
}

#define REFUSE(err)                                                                                \
	do {                                                                                       \
		errno = (err);                                                                     \
		return -1;                                                                         \
	} while (0)

int read(int fd, void *buf, size_t n);
int write(int fd, const void *buf, size_t n);
int close(int fd);
long lseek(int fd, long off, int whence);
int isatty(int fd);
int kill(int pid, int sig);
int getpid(void);
void _exit(int status) __noreturn;

int read(int fd __attribute__((unused)), void *buf __attribute__((unused)),
	 size_t n __attribute__((unused)))
{
	REFUSE(EBADF);
}

int write(int fd, const void *buf, size_t n)
{
	if (fd != 1 && fd != 2)
		REFUSE(EBADF);
	console_write(buf, n);
	return (int)n;
}

int close(int fd __attribute__((unused)))
{
	REFUSE(EBADF);
}

long lseek(int fd __attribute__((unused)), long off __attribute__((unused)),
	   int whence __attribute__((unused)))
{
	REFUSE(ESPIPE);
}

int fstat(int fd __attribute__((unused)), struct stat *st __attribute__((unused)))
{
	REFUSE(EBADF);
}

int isatty(int fd __attribute__((unused)))
{
	return 0;
}

int kill(int pid __attribute__((unused)), int sig)
{
	panic("abort() or raise(%d) was called inside libc", sig);
}

int getpid(void)
{
	return 1;
}

void _exit(int status)
{
	panic("exit(%d) was called: a kernel has nothing to exit to", status);
}

/* SPDX-License-Identifier: MIT */
/*
 * Names and sentences of the errno values used in Holdfast. The numbers come from the C library's
 * <errno.h>, so they agree with what commands return whatever library that is. Pure code.
 */
#include <errno.h>
#include <stddef.h>

#include "kernel/console/console.h"

static const struct {
	int err;
	const char *name, *text;
} errors[] = {
	{0, "OK", "success"},
	{EPERM, "EPERM", "not permitted"},
	{ENOENT, "ENOENT", "no such thing"},
	{ESRCH, "ESRCH", "no such job or thread"},
	{EINTR, "EINTR", "interrupted by a signal"},
	{EIO, "EIO", "failed: what was read or found is not what must be there"},
	{ENXIO, "ENXIO", "no such device or address"},
	{E2BIG, "E2BIG", "argument list too long"},
	{EBADF, "EBADF", "not an open file"},
	{EAGAIN, "EAGAIN", "not now: try again"},
	{ENOMEM, "ENOMEM", "out of memory"},
	{EACCES, "EACCES", "access denied"},
	{EFAULT, "EFAULT", "bad address"},
	{EBUSY, "EBUSY", "busy: somebody still uses it"},
	{EEXIST, "EEXIST", "exists already"},
	{EXDEV, "EXDEV", "crosses file systems"},
	{ENODEV, "ENODEV", "no such device"},
	{ENOTDIR, "ENOTDIR", "not a directory"},
	{EISDIR, "EISDIR", "is a directory"},
	{EINVAL, "EINVAL", "invalid argument"},
	{ENFILE, "ENFILE", "too many open files in the system"},
	{EMFILE, "EMFILE", "too many open files"},
	{ENOTTY, "ENOTTY", "not that kind of device"},
	{EFBIG, "EFBIG", "file too large"},
	{ENOSPC, "ENOSPC", "no space left"},
	{ESPIPE, "ESPIPE", "cannot seek"},
	{EROFS, "EROFS", "read-only"},
	{EMLINK, "EMLINK", "too many links"},
	{EDOM, "EDOM", "outside the domain of the function"},
	{ERANGE, "ERANGE", "number out of range"},
	{EDEADLK, "EDEADLK", "would deadlock"},
	{ENOLCK, "ENOLCK", "no locks available"},
	{ENOSYS, "ENOSYS", "not implemented"},
	{ENOTEMPTY, "ENOTEMPTY", "directory not empty"},
	{ENAMETOOLONG, "ENAMETOOLONG", "name too long"},
	{ELOOP, "ELOOP", "too many links in a path"},
	{EOPNOTSUPP, "EOPNOTSUPP", "not supported"},
	{ENODATA, "ENODATA", "no data"},
	{ETIME, "ETIME", "timer expired"},
	{EPROTO, "EPROTO", "protocol error"},
	{EBADMSG, "EBADMSG", "bad message: a checksum or layout is wrong"},
	{EOVERFLOW, "EOVERFLOW", "value too large for its type"},
	{EILSEQ, "EILSEQ", "illegal byte sequence"},
	{ETIMEDOUT, "ETIMEDOUT", "timed out"},
	{EALREADY, "EALREADY", "already under way"},
	{ESTALE, "ESTALE", "stale reference"},
	{ECANCELED, "ECANCELED", "cancelled"},
	{EADDRINUSE, "EADDRINUSE", "address in use"},
	{ENOBUFS, "ENOBUFS", "no buffer space"},
};

/* Index in errors[] of either sign of err, or -1. */
static int find(int err)
{
	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].err == err || -errors[i].err == err)
			return (int)i;
	return -1;
}

const char *errno_name(int err)
{
	int i = find(err);

	return i < 0 ? "E?" : errors[i].name;
}

const char *errno_text(int err)
{
	int i = find(err);

	return i < 0 ? "an error without a name" : errors[i].text;
}

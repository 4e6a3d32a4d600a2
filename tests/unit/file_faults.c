/* file_faults.c - see file_faults.h. */
#include "file_faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "file_io.h"

file_faults faults;

static bool fault(const char *call)
{
    if (++faults.calls != faults.fail_at)
        return false;
    faults.failed = call;
    errno = faults.error;
    return true;
}

static int faulty_open(const char *path, int flags, mode_t mode)
{
    if (fault("open"))
        return -1;
    const int fd = open(path, flags, mode);
    faults.open_files += fd >= 0;
    return fd;
}

static int faulty_fstat(int fd, struct stat *out)
{
    return fault("fstat") ? -1 : fstat(fd, out);
}

/* Whether a crumb is interrupted, which happens every other time. */
static bool interrupted(void)
{
    faults.interrupt = faults.crumbs && !faults.interrupt;
    if (faults.interrupt)
        errno = EINTR;
    return faults.interrupt;
}

static ssize_t faulty_read(int fd, void *to, size_t bytes)
{
    if (fault("read") || interrupted())
        return -1;
    return read(fd, to, faults.crumbs && bytes > 3 ? 3 : bytes);
}

static ssize_t faulty_write(int fd, const void *from, size_t bytes)
{
    if (fault("write") || interrupted())
        return -1;
    return write(fd, from, faults.crumbs && bytes > 3 ? 3 : bytes);
}

/* Tests outlive no power cut, and hundreds of flushes would take their time. */
static int faulty_fsync(int fd)
{
    (void)fd;
    faults.syncs++;
    return fault(faults.syncs == 1 ? "fsync" : "fsync of the folder") ? -1 : 0;
}

/* A close that fails has closed all the same, as Linux does it. */
static int faulty_close(int fd)
{
    const bool fails = fault("close");
    const int error = errno;
    faults.open_files--;
    close(fd);
    errno = error;
    return fails ? -1 : 0;
}

static int faulty_rename(const char *from, const char *to)
{
    return fault("rename") ? -1 : rename(from, to);
}

static const gg_file_calls faulty_calls = {
    faulty_open, stat, faulty_fstat, faulty_read, faulty_write, faulty_fsync, faulty_close, faulty_rename, unlink,
};

void fail_call(long number, int error)
{
    faults = (file_faults){.fail_at = number, .error = error, .failed = ""};
    gg_files = &faulty_calls;
}

void no_call_fails(void)
{
    gg_files = &gg_system_file_calls;
}

/* file_io.c - reading regular files; replacing a file in one go: temporary file beside it, flush, rename, flush. */
#include "file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gemmgrad/memory.h>

enum {
    LARGEST_PIECE = 1 << 30, /* bytes for one read or write: macOS refuses more than INT_MAX, Linux cuts there */
    NAME_TRIES = 1000,       /* temporary names already taken by others before giving up */
    NAME_ROOM = 64           /* bytes of "/.gemmgrad-save-PID-NUMBER" */
};

static int system_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

const gg_file_calls gg_system_file_calls = {system_open, stat, fstat, read, write, fsync, close, rename, unlink};
const gg_file_calls *gg_files = &gg_system_file_calls;

static gg_status fail_with(const char *call, const char *action, const char *path, int error)
{
    char words[128] = "unknown error";
    (void)strerror_r(error, words, sizeof words);
    return gg_fail(GG_ERR_IO, "%s: cannot %s '%.300s': %s", call, action, path, words);
}

static gg_status fail_system(const char *call, const char *action, const char *path)
{
    return fail_with(call, action, path, errno);
}

static gg_status check_kind(const char *call, const char *action, const char *path, mode_t mode)
{
    if (S_ISDIR(mode))
        return fail_with(call, action, path, EISDIR);
    if (!S_ISREG(mode))
        return gg_fail(GG_ERR_IO, "%s: cannot %s '%.300s': not a regular file", call, action, path);
    return GG_OK;
}

/* ---- reading ---- */

gg_status gg_input_open(gg_input_file *file, const char *call, const char *path)
{
    /* O_NONBLOCK: opening a pipe without a writer would wait for ever; regular files ignore it */
    const int fd = gg_files->open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0)
        return fail_system(call, "open", path);
    struct stat about;
    gg_status status = GG_OK;
    if (gg_files->fstat(fd, &about) != 0)
        status = fail_system(call, "look at", path);
    else
        status = check_kind(call, "read", path, about.st_mode);
    if (status != GG_OK) {
        (void)gg_files->close(fd);
        return status;
    }
    *file = (gg_input_file){call, path, fd, (int64_t)about.st_size};
    return GG_OK;
}

gg_status gg_input_read(gg_input_file *file, void *to, int64_t bytes)
{
    char *at = to;
    while (bytes > 0) {
        const size_t piece = bytes < LARGEST_PIECE ? (size_t)bytes : LARGEST_PIECE;
        const ssize_t got = gg_files->read(file->fd, at, piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_system(file->call, "read", file->path);
        if (got == 0)
            return gg_fail(GG_ERR_IO, "%s: cannot read '%.300s': the file became shorter meanwhile", file->call,
                           file->path);
        at += got;
        bytes -= got;
    }
    return GG_OK;
}

void gg_input_close(gg_input_file *file)
{
    (void)gg_files->close(file->fd);
}

/* ---- writing ---- */

/* Where the name of the file begins: before it stands its folder with the slash, or nothing for the current folder. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? (size_t)(slash - path) + 1 : 0;
}

static gg_status open_folder(gg_output_file *file, const char *name)
{
    file->folder = gg_files->open(name[0] != '\0' ? name : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (file->folder < 0 && errno != EACCES) /* a folder may be writable and not readable: then it goes unflushed */
        return fail_system(file->call, "open the folder of", file->path);
    return GG_OK;
}

/* A new file beside path, under a name nobody has: the process and a number, one further as long as it is taken. */
static gg_status open_temporary(gg_output_file *file, mode_t mode)
{
    static _Atomic unsigned number;
    const size_t folder = folder_length(file->path);
    void *name = NULL;
    gg_status status = gg_alloc(&name, folder + NAME_ROOM);
    if (status != GG_OK)
        return status;
    file->temporary = name;
    memcpy(name, file->path, folder);
    file->temporary[folder] = '\0';
    status = open_folder(file, name);
    for (int i = 0; status == GG_OK && file->fd < 0; i++) {
        (void)snprintf(file->temporary + folder, NAME_ROOM, ".gemmgrad-save-%ld-%u", (long)getpid(),
                       atomic_fetch_add(&number, 1));
        file->fd = gg_files->open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (file->fd < 0 && (errno != EEXIST || i == NAME_TRIES))
            status = fail_system(file->call, "create a file beside", file->path);
    }
    return status;
}

static void close_descriptor(int *fd)
{
    if (*fd >= 0)
        (void)gg_files->close(*fd);
    *fd = -1;
}

static void release(gg_output_file *file)
{
    close_descriptor(&file->fd);
    close_descriptor(&file->folder);
    gg_free(file->temporary);
    file->temporary = NULL;
}

gg_status gg_output_open(gg_output_file *file, const char *call, const char *path)
{
    *file = (gg_output_file){call, path, NULL, -1, -1};
    struct stat old;
    mode_t mode = 0666; /* what the umask leaves of it; never more than an old file allowed */
    if (gg_files->stat(path, &old) == 0) {
        if (S_ISCHR(old.st_mode)) { /* /dev/null, /dev/full: renaming over them would destroy the device */
            file->fd = gg_files->open(path, O_WRONLY | O_CLOEXEC, 0);
            return file->fd < 0 ? fail_system(call, "open", path) : GG_OK;
        }
        const gg_status status = check_kind(call, "write", path, old.st_mode);
        if (status != GG_OK)
            return status;
        mode = old.st_mode & 0777;
    }
    const gg_status status = open_temporary(file, mode);
    if (status != GG_OK)
        release(file);
    return status;
}

gg_status gg_output_append(gg_output_file *file, const void *from, int64_t bytes)
{
    const char *at = from;
    while (bytes > 0) {
        const size_t piece = bytes < LARGEST_PIECE ? (size_t)bytes : LARGEST_PIECE;
        const ssize_t put = gg_files->write(file->fd, at, piece);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return fail_with(file->call, "write", file->path, put < 0 ? errno : EIO);
        at += put;
        bytes -= put;
    }
    return GG_OK;
}

void gg_output_discard(gg_output_file *file)
{
    if (file->temporary != NULL)
        (void)gg_files->unlink(file->temporary);
    release(file);
}

/* Everything up to the rename: while this fails, path is as it was. */
static gg_status put_in_place(gg_output_file *file)
{
    if (file->temporary != NULL && gg_files->fsync(file->fd) != 0)
        return fail_system(file->call, "flush", file->path);
    const int fd = file->fd;
    file->fd = -1; /* whatever close says, the descriptor is gone */
    if (gg_files->close(fd) != 0)
        return fail_system(file->call, "close", file->path);
    if (file->temporary != NULL && gg_files->rename(file->temporary, file->path) != 0)
        return fail_system(file->call, "replace", file->path);
    return GG_OK;
}

gg_status gg_output_commit(gg_output_file *file)
{
    gg_status status = put_in_place(file);
    if (status != GG_OK) {
        gg_output_discard(file);
        return status;
    }
    /* EINVAL: a file system whose folders cannot be flushed has nothing to flush */
    if (file->folder >= 0 && gg_files->fsync(file->folder) != 0 && errno != EINVAL)
        status = fail_system(file->call, "flush the folder (the new file is in place) of", file->path);
    release(file);
    return status;
}

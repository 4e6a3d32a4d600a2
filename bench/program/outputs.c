/* outputs.c - results go to a temporary file beside their place, to the disk, and then to their name. */
#include "outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_device(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode);
}

static gg_status write_all(int file, const char *bytes, size_t size, const char *path)
{
    while (size > 0) {
        const ssize_t written = write(file, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return gg_fail(GG_ERR_IO, "cannot write '%.300s': %s", path, strerror(errno));
        bytes += written;
        size -= (size_t)written;
    }
    return GG_OK;
}

int gg_output_temporary(char temporary[GG_PATH_BYTES], const char *path)
{
    const char *slash = strrchr(path, '/');
    const int folder = slash != NULL ? (int)(slash + 1 - path) : 0;
    const int length = snprintf(temporary, GG_PATH_BYTES, "%.*s.gemmgrad-XXXXXX", folder, path);
    if (length < 0 || length >= GG_PATH_BYTES) {
        gg_fail(GG_ERR_ARGUMENT, "the path '%.100s...' is too long", path);
        return -1;
    }
    const int file = mkstemp(temporary);
    if (file < 0) {
        gg_fail(GG_ERR_IO, "cannot write in the folder of '%.300s': %s", path, strerror(errno));
        return -1;
    }
    /* mkstemp gives 0600; the result shall have the permissions of any other new file. */
    const mode_t mask = umask(0);
    umask(mask);
    (void)fchmod(file, 0666 & ~mask);
    return file;
}

gg_status gg_output_replace(const char *temporary, const char *path)
{
    if (rename(temporary, path) == 0)
        return GG_OK;
    const gg_status status = gg_fail(GG_ERR_IO, "cannot create '%.300s': %s", path, strerror(errno));
    unlink(temporary);
    return status;
}

static gg_status try_blocks(const char *path)
{
    static const char blocks[4 * 4096];
    char temporary[GG_PATH_BYTES];
    const int file = gg_output_temporary(temporary, path);
    if (file < 0)
        return GG_ERR_IO;
    gg_status status = write_all(file, blocks, sizeof blocks, path);
    if (status == GG_OK && fsync(file) != 0)
        status = gg_fail(GG_ERR_IO, "cannot write '%.300s': %s", path, strerror(errno));
    close(file);
    unlink(temporary);
    return status;
}

static gg_status check(const char *path, bool devices)
{
    struct stat about;
    if (path[0] == '\0')
        return gg_fail(GG_ERR_ARGUMENT, "the file name is empty");
    if (strlen(path) >= GG_PATH_BYTES - 32)
        return gg_fail(GG_ERR_ARGUMENT, "the path '%.100s...' is too long", path);
    const bool exists = stat(path, &about) == 0;
    if (!exists && path[strlen(path) - 1] != '/')
        return try_blocks(path);
    if (!exists || S_ISDIR(about.st_mode))
        return gg_fail(GG_ERR_ARGUMENT, "'%.300s' is a folder, expected a file", path);
    if (S_ISREG(about.st_mode))
        return try_blocks(path);
    return devices ? GG_OK : gg_fail(GG_ERR_ARGUMENT, "'%.300s' is not a regular file", path);
}

gg_status gg_output_check(const char *option, const char *path, bool devices)
{
    char reason[512];
    const gg_status status = check(path, devices);
    if (status == GG_OK)
        return GG_OK;
    snprintf(reason, sizeof reason, "%s", gg_error_message());
    return gg_fail(status, "%s: %s", option, reason);
}

static gg_status write_stream(const char *text, size_t size)
{
    if (fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0 && !ferror(stdout))
        return GG_OK;
    return gg_fail(GG_ERR_IO, "cannot write to standard output: %s", strerror(errno));
}

static gg_status write_device(const char *path, const char *text, size_t size)
{
    const int file = open(path, O_WRONLY);
    if (file < 0)
        return gg_fail(GG_ERR_IO, "cannot open '%.300s': %s", path, strerror(errno));
    const gg_status status = write_all(file, text, size, path);
    if (close(file) != 0 && status == GG_OK)
        return gg_fail(GG_ERR_IO, "cannot write '%.300s': %s", path, strerror(errno));
    return status;
}

static gg_status write_file(const char *path, const char *text, size_t size)
{
    char temporary[GG_PATH_BYTES];
    const int file = gg_output_temporary(temporary, path);
    if (file < 0)
        return GG_ERR_IO;
    gg_status status = write_all(file, text, size, path);
    if (status == GG_OK && fsync(file) != 0)
        status = gg_fail(GG_ERR_IO, "cannot write '%.300s': %s", path, strerror(errno));
    if (close(file) != 0 && status == GG_OK)
        status = gg_fail(GG_ERR_IO, "cannot write '%.300s': %s", path, strerror(errno));
    if (status == GG_OK)
        return gg_output_replace(temporary, path);
    unlink(temporary);
    return status;
}

gg_status gg_output_bytes(const char *path, const char *text, size_t size)
{
    if (strcmp(path, "-") == 0)
        return write_stream(text, size);
    return is_device(path) ? write_device(path, text, size) : write_file(path, text, size);
}

gg_status gg_output_json(const char *path, json_t *json)
{
    /* Six digits are more than any of the figures holds, and spare the reader 0.10000000000000001. */
    const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(6);
    const size_t size = json != NULL ? json_dumpb(json, NULL, 0, flags) : 0;
    void *text = NULL;
    gg_status status = GG_OK;
    if (size == 0 || gg_alloc(&text, size + 1) != GG_OK || text == NULL
        || json_dumpb(json, text, size, flags) != size) {
        status = gg_fail(GG_ERR_MEMORY, "no memory for the JSON of '%.300s'", path);
    } else {
        ((char *)text)[size] = '\n';
        status = gg_output_bytes(path, text, size + 1);
    }
    gg_free(text);
    json_decref(json);
    return status;
}

/* Closes the stream. synced: wait for the disk. */
static gg_status finish_stream(FILE *out, const char *path, bool synced)
{
    const bool failed = fflush(out) != 0 || ferror(out) || (synced && fsync(fileno(out)) != 0);
    gg_status status = failed ? gg_fail(GG_ERR_IO, "cannot write '%.300s': %s", path, strerror(errno)) : GG_OK;
    if (fclose(out) != 0 && status == GG_OK)
        status = gg_fail(GG_ERR_IO, "cannot write '%.300s': %s", path, strerror(errno));
    return status;
}

static gg_status print_device(const char *path, void (*print)(FILE *out, const void *what), const void *what)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return gg_fail(GG_ERR_IO, "cannot open '%.300s': %s", path, strerror(errno));
    print(out, what);
    return finish_stream(out, path, false);
}

static gg_status print_file(const char *path, void (*print)(FILE *out, const void *what), const void *what)
{
    char temporary[GG_PATH_BYTES];
    const int file = gg_output_temporary(temporary, path);
    if (file < 0)
        return GG_ERR_IO;
    FILE *out = fdopen(file, "w");
    gg_status status;
    if (out != NULL) {
        print(out, what);
        status = finish_stream(out, path, true);
    } else {
        status = gg_fail(GG_ERR_IO, "cannot write '%.300s': %s", path, strerror(errno));
        close(file);
    }
    if (status == GG_OK)
        return gg_output_replace(temporary, path);
    unlink(temporary);
    return status;
}

gg_status gg_output_text(const char *path, void (*print)(FILE *out, const void *what), const void *what)
{
    if (strcmp(path, "-") != 0)
        return is_device(path) ? print_device(path, print, what) : print_file(path, print, what);
    print(stdout, what);
    return write_stream("", 0);
}

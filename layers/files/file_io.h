/* file_io.h - files read once and replaced whole, through a table of system calls that tests can make fail. */
#ifndef GEMMGRAD_FILE_IO_H
#define GEMMGRAD_FILE_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <gemmgrad/status.h>

typedef struct gg_file_calls {
    int (*open)(const char *path, int flags, mode_t mode);
    int (*stat)(const char *path, struct stat *out);
    int (*fstat)(int fd, struct stat *out);
    ssize_t (*read)(int fd, void *to, size_t bytes);
    ssize_t (*write)(int fd, const void *from, size_t bytes);
    int (*fsync)(int fd);
    int (*close)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
} gg_file_calls;

extern const gg_file_calls gg_system_file_calls;

/* The calls in use. Tests point it at a table whose Nth call fails; nothing else changes it. */
extern const gg_file_calls *gg_files;

/* ---- reading ---- */

typedef struct gg_input_file {
    const char *call, *path; /* for messages */
    int fd;
    int64_t size;
} gg_input_file;

/* Open a regular file; a folder, pipe or device is GG_ERR_IO. */
gg_status gg_input_open(gg_input_file *file, const char *call, const char *path);

/* The next `bytes` bytes; GG_ERR_IO also when the file ends before. */
gg_status gg_input_read(gg_input_file *file, void *to, int64_t bytes);
void gg_input_close(gg_input_file *file);

/* ---- writing ---- */

/* A file on its way to replace `path`: open, append as often as needed, then commit or discard. */
typedef struct gg_output_file {
    const char *call, *path; /* for messages */
    char *temporary; /* name of the file being written, beside path; NULL for a device, which is written directly */
    int fd;
    int folder; /* descriptor of path's folder, or -1 */
} gg_output_file;

/* On failure nothing is left to discard. */
gg_status gg_output_open(gg_output_file *file, const char *call, const char *path);
gg_status gg_output_append(gg_output_file *file, const void *from, int64_t bytes);

/* Flush, close, rename over path, flush the folder. On failure the temporary file is gone and path is as it was, but
 * for one case: when flushing the folder fails, the new file is in place and complete, yet may not outlive a power cut;
 * the message says so. */
gg_status gg_output_commit(gg_output_file *file);
void gg_output_discard(gg_output_file *file);

#endif

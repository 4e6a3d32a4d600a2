/* outputs.h - files of results: whole or not at all. */
#ifndef GEMMGRAD_BENCH_OUTPUTS_H
#define GEMMGRAD_BENCH_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include <gemmgrad/blas_backend.h>

enum { GG_PATH_BYTES = 4096 };

/* Whether a file can be written there, found out before hours of work: a few blocks are written beside it and removed
 * again. `option` ("--json") opens the message. devices: also accept what is no regular file (a terminal, a pipe,
 * /dev/null). Errors: GG_ERR_ARGUMENT, GG_ERR_IO. */
gg_status gg_output_check(const char *option, const char *path, bool devices);

/* A temporary file beside `path`, to be filled and then renamed or removed. Its name goes to temporary; returns an open
 * descriptor or -1 (message set). */
int gg_output_temporary(char temporary[GG_PATH_BYTES], const char *path);

/* temporary becomes path; on failure temporary is removed. */
gg_status gg_output_replace(const char *temporary, const char *path);

/* Write the text: "-" is stdout, a regular file is replaced at once by temporary file and rename, anything else (a
 * pipe, a device) is written to. Errors: GG_ERR_IO, GG_ERR_ARGUMENT. */
gg_status gg_output_bytes(const char *path, const char *text, size_t size);

/* Write the object, indented, with a newline, as gg_output_bytes does. Takes ownership of json; NULL reports that
 * there is no memory. */
gg_status gg_output_json(const char *path, json_t *json);

/* Write what print(out, what) prints, to the same places in the same way. */
gg_status gg_output_text(const char *path, void (*print)(FILE *out, const void *what), const void *what);

#endif

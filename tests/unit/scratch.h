/* scratch.h - for tests: a folder of their own, whole files, an allocator that counts and fails. */
#ifndef GEMMGRAD_TESTS_SCRATCH_H
#define GEMMGRAD_TESTS_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

/* ---- a folder ---- */

enum { SCRATCH_PATH = 4096 };

extern char scratch_folder[SCRATCH_PATH];

void scratch_make_folder(void);

/* Removes it with what lies in it, folders only when they are empty. */
void scratch_remove_folder(void);

/* The path of a file in it. Lives until the fourth call from now. */
const char *scratch_path(const char *name);

/* Files and folders in it. */
int scratch_count(void);

/* A whole file, ended by a NUL that does not count; to be freed. */
char *scratch_read(const char *path, size_t *size);
void scratch_write(const char *path, const void *bytes, size_t size);

/* ---- allocations ---- */

typedef struct scratch_allocations {
    long budget, live; /* allocations that succeed until one fails (negative: none does); allocations not yet freed */
    size_t largest;
} scratch_allocations;

extern scratch_allocations scratch_memory;

/* The library allocates through a counting allocator, from before its first allocation in a test to after its last. */
void scratch_count_allocations(void);

/* Fails unless all is freed. */
void scratch_stop_counting(void);

#endif

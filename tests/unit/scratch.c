/* scratch.c - see scratch.h. */
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>
#include <gemmgrad/memory.h>

/* ---- a folder ---- */

char scratch_folder[SCRATCH_PATH];

/* In memory where that is offered: a disk takes its time over a file that is overwritten thousands of times. */
void scratch_make_folder(void)
{
    const char *given = getenv("TMPDIR"), *root = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(scratch_folder, sizeof scratch_folder, "%s/gemmgrad-XXXXXX", given != NULL ? given : root);
    ck_assert_ptr_nonnull(mkdtemp(scratch_folder));
}

const char *scratch_path(const char *name)
{
    static char paths[4][2 * SCRATCH_PATH];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", scratch_folder, name);
    return path;
}

static int visit(bool empty_it)
{
    int count = 0;
    DIR *entries = opendir(scratch_folder);
    ck_assert_ptr_nonnull(entries);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (empty_it && unlink(scratch_path(entry->d_name)) != 0)
            ck_assert_int_eq(rmdir(scratch_path(entry->d_name)), 0);
    }
    closedir(entries);
    return count;
}

int scratch_count(void)
{
    return visit(false);
}

void scratch_remove_folder(void)
{
    visit(true);
    ck_assert_int_eq(rmdir(scratch_folder), 0);
}

char *scratch_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size + 1);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(fread(bytes, 1, *size, file), *size);
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

void scratch_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* ---- allocations ---- */

scratch_allocations scratch_memory = {-1, 0, 0};

static void *counting_allocate(void *context, size_t bytes)
{
    (void)context;
    if (scratch_memory.budget-- == 0)
        return NULL;
    scratch_memory.live++;
    if (bytes > scratch_memory.largest)
        scratch_memory.largest = bytes;
    return aligned_alloc(GG_ALIGNMENT, (bytes + GG_ALIGNMENT - 1) / GG_ALIGNMENT * GG_ALIGNMENT);
}

static void counting_release(void *context, void *pointer)
{
    (void)context;
    scratch_memory.live--;
    free(pointer);
}

void scratch_count_allocations(void)
{
    static const gg_allocator counting = {counting_allocate, counting_release, NULL};
    scratch_memory = (scratch_allocations){-1, 0, 0};
    ck_assert_int_eq(gg_set_allocator(&counting), GG_OK);
}

void scratch_stop_counting(void)
{
    ck_assert_int_eq(scratch_memory.live, 0);
    ck_assert_int_eq(gg_set_allocator(NULL), GG_OK);
}

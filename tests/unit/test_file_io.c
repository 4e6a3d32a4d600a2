/* test_file_io.c - a file is replaced whole or not at all, whichever system call fails; seen through
 * gg_safetensors_write. */
#include <gemmgrad/safetensors.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>

#include "file_faults.h"
#include "file_io.h"
#include "scratch.h"
#include "support.h"

static void setup(void)
{
    scratch_make_folder();
    scratch_count_allocations();
}

static void teardown(void)
{
    no_call_fails();
    scratch_stop_counting();
    scratch_remove_folder();
}

static gg_safetensors *const untouched = (gg_safetensors *)(uintptr_t)64;

enum { TENSORS = 3, WRITES = 1 + TENSORS }; /* the header is one write */

static const float values[TENSORS][5] = {{1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}, {11, 12, 13, 14, 15}};

static gg_status write_all(const char *path)
{
    static const gg_tensor tensors[TENSORS] = {
        {"a", GG_F32, 1, {5}, values[0]}, {"b", GG_F32, 1, {5}, values[1]}, {"c", GG_F32, 1, {5}, values[2]}};
    return gg_safetensors_write(path, tensors, TENSORS, NULL, 0);
}

static void expect_all(const gg_safetensors *file)
{
    gg_tensor tensor;
    ck_assert_int_eq(gg_safetensors_count(file), TENSORS);
    for (int i = 0; i < TENSORS; i++) {
        ck_assert_int_eq(gg_safetensors_tensor(file, i, &tensor), GG_OK);
        ck_assert_mem_eq(tensor.data, values[i], sizeof values[i]);
    }
}

static void expect_old_file(const char *old, size_t old_size)
{
    size_t size;
    char *bytes = scratch_read(scratch_path("a"), &size);
    ck_assert_uint_eq(size, old_size);
    ck_assert_mem_eq(bytes, old, size);
    free(bytes);
    ck_assert_int_eq(scratch_count(), 1);
}

/* Each system call of a write fails in turn: the old file is as it was, or, when only flushing the folder was left to
 * do, the new one is there. No descriptor stays open and no temporary file behind. */
START_TEST(every_call_of_a_write_can_fail)
{
    gg_safetensors *file = NULL;
    const char *path = scratch_path("a");
    scratch_write(path, "old", 3);
    long number = 1;
    for (;; number++) {
        fail_call(number, number % 2 == 0 ? ENOSPC : EIO);
        const gg_status status = write_all(path);
        ck_assert_int_eq(faults.open_files, 0);
        if (status == GG_OK)
            break;
        ck_assert_int_eq(status, GG_ERR_IO);
        ck_assert_msg(strstr(gg_error_message(), strerror(faults.error)) != NULL, "%s", gg_error_message());
        ck_assert_ptr_nonnull(strstr(gg_error_message(), path));
        if (strcmp(faults.failed, "fsync of the folder") == 0)
            break;
        expect_old_file("old", 3);
    }
    no_call_fails();
    ck_assert_int_ge(number, 2 + WRITES + 4);
    ck_assert_ptr_nonnull(strstr(gg_error_message(), "the new file is in place"));
    ck_assert_int_eq(gg_safetensors_read(&file, path), GG_OK);
    expect_all(file);
    gg_safetensors_free(file);
    ck_assert_int_eq(scratch_count(), 1);
}
END_TEST

START_TEST(some_failures_are_none)
{
    gg_safetensors *file = NULL;
    fail_call(1, EACCES); /* a folder that may be written and not read goes unflushed */
    ck_assert_int_eq(write_all(scratch_path("a")), GG_OK);
    ck_assert_str_eq(faults.failed, "open");
    ck_assert_int_eq(faults.syncs, 1);
    fail_call(2, EEXIST); /* a temporary name already taken */
    ck_assert_int_eq(write_all(scratch_path("a")), GG_OK);
    ck_assert_str_eq(faults.failed, "open");
    long calls = faults.calls;
    while (true) { /* a file system whose folders cannot be flushed */
        fail_call(calls, EINVAL);
        if (write_all(scratch_path("a")) == GG_OK && strcmp(faults.failed, "fsync of the folder") == 0)
            break;
        ck_assert_int_ge(--calls, 1);
    }
    fail_call(0, 0);
    faults.crumbs = true; /* short and interrupted writes and reads */
    ck_assert_int_eq(write_all(scratch_path("a")), GG_OK);
    ck_assert_int_eq(gg_safetensors_read(&file, scratch_path("a")), GG_OK);
    ck_assert_int_eq(faults.open_files, 0);
    expect_all(file);
    gg_safetensors_free(file);
    ck_assert_int_eq(scratch_count(), 1);
}
END_TEST

START_TEST(every_call_of_a_read_can_fail)
{
    gg_safetensors *file = untouched;
    long number = 1;
    ck_assert_int_eq(write_all(scratch_path("a")), GG_OK);
    for (;; number++) {
        fail_call(number, EIO);
        const gg_status status = gg_safetensors_read(&file, scratch_path("a"));
        ck_assert_int_eq(faults.open_files, 0);
        if (status == GG_OK)
            break;
        ck_assert_int_eq(status, GG_ERR_IO);
        ck_assert_ptr_eq(file, untouched);
        ck_assert_int_eq(scratch_memory.live, 0);
    }
    ck_assert_str_eq(faults.failed, "close"); /* which does not matter after reading */
    ck_assert_int_ge(number, 2 + 2 + TENSORS + 1);
    gg_safetensors_free(file);
}
END_TEST

static ssize_t read_nothing(int fd, void *to, size_t bytes)
{
    (void)fd, (void)to, (void)bytes;
    return 0;
}

static ssize_t write_nothing(int fd, const void *from, size_t bytes)
{
    (void)fd, (void)from, (void)bytes;
    return 0;
}

static int always_there(const char *path, int flags, mode_t mode)
{
    if ((flags & O_CREAT) == 0)
        return open(path, flags, mode);
    errno = EEXIST;
    return -1;
}

/* Calls that neither fail nor get on must not keep the library for ever. */
START_TEST(calls_that_do_nothing)
{
    gg_safetensors *file = untouched;
    gg_file_calls idle = gg_system_file_calls;
    ck_assert_int_eq(write_all(scratch_path("a")), GG_OK);
    idle.read = read_nothing;
    idle.write = write_nothing;
    gg_files = &idle;
    ck_assert_int_eq(gg_safetensors_read(&file, scratch_path("a")), GG_ERR_IO);
    ck_assert_ptr_nonnull(strstr(gg_error_message(), "became shorter"));
    ck_assert_int_eq(write_all(scratch_path("a")), GG_ERR_IO);
    idle = gg_system_file_calls;
    idle.open = always_there;
    ck_assert_int_eq(write_all(scratch_path("a")), GG_ERR_IO);
    ck_assert_int_eq(scratch_count(), 1);
}
END_TEST

static void expect_io_error(gg_status status, const char *words)
{
    ck_assert_int_eq(status, GG_ERR_IO);
    ck_assert_msg(strstr(gg_error_message(), words) != NULL, "%s", gg_error_message());
}

START_TEST(places_that_are_no_file)
{
    gg_safetensors *file = untouched;
    ck_assert_int_eq(mkdir(scratch_path("folder"), 0777), 0);
    ck_assert_int_eq(mkfifo(scratch_path("pipe"), 0666), 0);
    expect_io_error(write_all(scratch_path("folder")), strerror(EISDIR));
    expect_io_error(write_all(scratch_path("folder/")), strerror(EISDIR));
    expect_io_error(write_all(scratch_path("pipe")), "not a regular file");
    expect_io_error(write_all(scratch_path("none/a")), strerror(ENOENT));
    expect_io_error(write_all(scratch_path("pipe/a")), strerror(ENOTDIR));
    expect_io_error(gg_safetensors_read(&file, scratch_path("folder")), strerror(EISDIR));
    expect_io_error(gg_safetensors_read(&file, scratch_path("pipe")), "not a regular file");
    expect_io_error(gg_safetensors_read(&file, scratch_path("none")), strerror(ENOENT));
    expect_io_error(gg_safetensors_read(&file, ""), strerror(ENOENT));
    ck_assert_ptr_eq(file, untouched);
    ck_assert_int_eq(scratch_count(), 2);
}
END_TEST

/* Devices are written directly: a file must not take their place. */
START_TEST(devices_stay)
{
    struct stat about;
    if (access("/dev/full", W_OK) == 0) {
        expect_io_error(write_all("/dev/full"), strerror(ENOSPC));
        ck_assert(stat("/dev/full", &about) == 0 && S_ISCHR(about.st_mode));
    }
    ck_assert_int_eq(write_all("/dev/null"), GG_OK);
    ck_assert(stat("/dev/null", &about) == 0 && S_ISCHR(about.st_mode));
}
END_TEST

/* root may write anywhere, so there is nothing to see for it. */
START_TEST(read_only_folder)
{
    if (geteuid() == 0)
        return;
    scratch_write(scratch_path("a"), "old", 3);
    ck_assert_int_eq(chmod(scratch_folder, 0500), 0);
    expect_io_error(write_all(scratch_path("a")), strerror(EACCES));
    expect_old_file("old", 3);
    ck_assert_int_eq(chmod(scratch_folder, 0700), 0);
}
END_TEST

START_TEST(permissions_stay)
{
    struct stat about;
    scratch_write(scratch_path("a"), "old", 3);
    ck_assert_int_eq(chmod(scratch_path("a"), 0600), 0);
    ck_assert_int_eq(write_all(scratch_path("a")), GG_OK);
    ck_assert_int_eq(stat(scratch_path("a"), &about), 0);
    ck_assert_int_eq(about.st_mode & 0777, 0600);
    const mode_t mask = umask(027);
    ck_assert_int_eq(write_all(scratch_path("b")), GG_OK);
    umask(mask);
    ck_assert_int_eq(stat(scratch_path("b"), &about), 0);
    ck_assert_int_eq(about.st_mode & 0777, 0640);
}
END_TEST

/* A path without a folder, and a name as long as the file system allows, which a longer temporary name would not be. */
START_TEST(unusual_paths)
{
    char before[SCRATCH_PATH], name[256];
    ck_assert_ptr_nonnull(getcwd(before, sizeof before));
    ck_assert_int_eq(chdir(scratch_folder), 0);
    ck_assert_int_eq(write_all("a"), GG_OK);
    ck_assert_int_eq(chdir(before), 0);
    memset(name, 'n', 255);
    name[255] = '\0';
    ck_assert_int_eq(write_all(scratch_path(name)), GG_OK);
    ck_assert_int_eq(scratch_count(), 2);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_call_of_a_write_can_fail);
    tcase_add_test(tests, some_failures_are_none);
    tcase_add_test(tests, every_call_of_a_read_can_fail);
    tcase_add_test(tests, calls_that_do_nothing);
    tcase_add_test(tests, places_that_are_no_file);
    tcase_add_test(tests, devices_stay);
    tcase_add_test(tests, read_only_folder);
    tcase_add_test(tests, permissions_stay);
    tcase_add_test(tests, unusual_paths);
}

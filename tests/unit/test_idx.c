/* test_idx.c - IDX files: right ones, hostile ones (tests/corpus/idx), and whole sets of four, made here and real.
 *
 * Reads the corpus from the folder GEMMGRAD_CORPUS, and the real MNIST from GEMMGRAD_DATA/mnist where that is set. */
#include <gemmgrad/idx.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <check.h>
#include <zlib.h>

#include <gemmgrad/memory.h>
#include <gemmgrad/random.h>

#include "scratch.h"
#include "support.h"

/* The number that the next file opened will get: the same again unless one was left open. */
static int next_file(void)
{
    const int file = dup(0);
    ck_assert_int_ge(file, 0);
    close(file);
    return file;
}

static int first_file;

static void setup(void)
{
    scratch_make_folder();
    first_file = next_file();
    scratch_count_allocations();
}

static void teardown(void)
{
    scratch_stop_counting();
    ck_assert_int_eq(next_file(), first_file);
    scratch_remove_folder();
}

/* Outputs that no reader would leave behind. */
typedef struct outputs {
    float *images;
    int32_t *labels;
    int64_t count, height, width;
} outputs;

static float some_float;
static int32_t some_label;
static const outputs untouched = {&some_float, &some_label, -7, -8, -9};

static gg_status read_images(outputs *out, const char *path)
{
    *out = untouched;
    return gg_idx_read_images(&out->images, &out->count, &out->height, &out->width, path);
}

static gg_status read_labels(outputs *out, const char *path)
{
    *out = untouched;
    return gg_idx_read_labels(&out->labels, &out->count, path);
}

static void expect_failure(const outputs *out, gg_status status, gg_status wanted, const char *word)
{
    ck_assert_msg(status == wanted, "%s instead of %s: %s", gg_status_string(status), gg_status_string(wanted),
                  gg_error_message());
    ck_assert_msg(strstr(gg_error_message(), word) != NULL, "no '%s' in: %s", word, gg_error_message());
    ck_assert_mem_eq(out, &untouched, sizeof *out);
    ck_assert_int_eq(scratch_memory.live, 0);
}

static void write_file(const char *name, const void *bytes, size_t length, bool zip)
{
    gzFile file = gzopen(scratch_path(name), zip ? "wb" : "wbT");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(gzwrite(file, bytes, (unsigned)length), (int)length);
    ck_assert_int_eq(gzclose(file), Z_OK);
}

static size_t put_number(unsigned char *bytes, size_t at, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        bytes[at + (size_t)i] = (unsigned char)(number >> (24 - 8 * i));
    return at + 4;
}

static unsigned char file_bytes[100000];

/* `count` images of height x width; byte i of the data is (37 i + first) mod 256. */
static void write_images(const char *name, uint32_t count, uint32_t height, uint32_t width, bool zip)
{
    size_t at = put_number(file_bytes, 0, 0x803);
    at = put_number(file_bytes, at, count);
    at = put_number(file_bytes, at, height);
    at = put_number(file_bytes, at, width);
    for (uint32_t i = 0; i < count * height * width; i++)
        file_bytes[at++] = (unsigned char)(37 * i);
    write_file(name, file_bytes, at, zip);
}

/* `count` labels 0, 1, 2 .. modulo `classes`. */
static void write_labels(const char *name, uint32_t count, uint32_t classes, bool zip)
{
    size_t at = put_number(file_bytes, 0, 0x801);
    at = put_number(file_bytes, at, count);
    for (uint32_t i = 0; i < count; i++)
        file_bytes[at++] = (unsigned char)(i % classes);
    write_file(name, file_bytes, at, zip);
}

/* Sizes around the 16,384 bytes that are read at a time, plain and gzipped. 37 i runs through all bytes in turn. */
START_TEST(right_files)
{
    static const uint32_t shapes[][3] = {{1, 1, 1},     {2, 3, 4},     {9, 5, 3},    {1, 128, 128},
                                         {1, 16383, 1}, {5, 16385, 1}, {100, 28, 28}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int zip = 0; zip < 2; zip++) {
            const uint32_t *shape = shapes[s];
            outputs out;
            write_images("images", shape[0], shape[1], shape[2], zip != 0);
            ck_assert_int_eq(read_images(&out, scratch_path("images")), GG_OK);
            ck_assert_int_eq(out.count, shape[0]);
            ck_assert_int_eq(out.height, shape[1]);
            ck_assert_int_eq(out.width, shape[2]);
            int wrong = 0;
            for (uint32_t i = 0; i < shape[0] * shape[1] * shape[2]; i++)
                wrong += out.images[i] != (float)(unsigned char)(37 * i) / 255.0f;
            ck_assert_int_eq(wrong, 0);
            gg_free(out.images);
        }
}
END_TEST

START_TEST(right_labels)
{
    static const uint32_t counts[] = {1, 2, 3, 5, 9, 16383, 16384, 16385, 70000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (int zip = 0; zip < 2; zip++) {
            outputs out;
            write_labels("labels", counts[c], 256, zip != 0);
            ck_assert_int_eq(read_labels(&out, scratch_path("labels")), GG_OK);
            ck_assert_int_eq(out.count, counts[c]);
            int wrong = 0;
            for (uint32_t i = 0; i < counts[c]; i++)
                wrong += out.labels[i] != (int)(i % 256);
            ck_assert_int_eq(wrong, 0);
            gg_free(out.labels);
        }
}
END_TEST

/* Zeros shrink a thousand times: the array has to grow from what is usual, and the result is the same. */
START_TEST(array_grows)
{
    outputs out;
    size_t at = put_number(file_bytes, 0, 0x803);
    at = put_number(file_bytes, at, 99);
    at = put_number(file_bytes, at, 1000);
    at = put_number(file_bytes, at, 1);
    memset(file_bytes + at, 0, 99000);
    file_bytes[at + 98999] = 255;
    write_file("zeros", file_bytes, at + 99000, true);
    ck_assert_int_eq(read_images(&out, scratch_path("zeros")), GG_OK);
    int wrong = 0;
    for (int i = 0; i < 98999; i++)
        wrong += out.images[i] != 0.0f;
    ck_assert_int_eq(wrong, 0);
    ck_assert_float_eq(out.images[98999], 1.0f);
    gg_free(out.images);
    ck_assert_int_eq(scratch_memory.live, 0);
}
END_TEST

/* "images-format-..." -> whether it begins so. */
static bool named(const char *name, const char *kind, const char *status)
{
    char start[64];
    snprintf(start, sizeof start, "%s-%s-", kind, status);
    return strncmp(name, start, strlen(start)) == 0;
}

static void read_corpus_file(const char *path, const char *name)
{
    outputs out;
    const bool images = strncmp(name, "images-", 7) == 0;
    const char *kind = images ? "images" : "labels";
    gg_status status = images ? read_images(&out, path) : read_labels(&out, path);
    if (named(name, kind, "ok")) {
        ck_assert_msg(status == GG_OK, "%s: %s", name, gg_error_message());
        gg_free(images ? (void *)out.images : (void *)out.labels);
    } else {
        ck_assert_msg(named(name, kind, "format") || named(name, kind, "overflow"), "%s promises nothing", name);
        expect_failure(&out, status, named(name, kind, "format") ? GG_ERR_FORMAT : GG_ERR_OVERFLOW, name);
    }
    status = images ? read_labels(&out, path) : read_images(&out, path);
    expect_failure(&out, status, GG_ERR_FORMAT, name);
    ck_assert_int_eq(scratch_memory.live, 0);
    ck_assert_msg(scratch_memory.largest <= 1000000, "%s: %zu bytes at once", name, scratch_memory.largest);
}

START_TEST(hostile_corpus)
{
    const char *corpus = getenv("GEMMGRAD_CORPUS");
    char path[SCRATCH_PATH];
    int files = 0;
    ck_assert_msg(corpus != NULL, "GEMMGRAD_CORPUS must name the folder tests/corpus");
    snprintf(path, sizeof path, "%s/idx", corpus);
    DIR *entries = opendir(path);
    ck_assert_msg(entries != NULL, "no folder %s", path);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        const char *ending = strrchr(entry->d_name, '.');
        if (ending == NULL || strcmp(ending, ".idx") != 0)
            continue;
        snprintf(path, sizeof path, "%s/idx/%s", corpus, entry->d_name);
        read_corpus_file(path, entry->d_name);
        files++;
    }
    closedir(entries);
    ck_assert_int_ge(files, 40);
}
END_TEST

/* Headers that promise a gigabyte, before data enough that reading would begin: refused with nothing allocated. */
START_TEST(lies_cost_no_memory)
{
    outputs out;
    size_t at = put_number(file_bytes, 0, 0x803);
    for (int i = 0; i < 3; i++)
        at = put_number(file_bytes, at, 1000);
    memset(file_bytes + at, 0, 50000);
    write_file("plain", file_bytes, 50000, false);
    expect_failure(&out, read_images(&out, scratch_path("plain")), GG_ERR_FORMAT,
                   "is truncated: its header promises 1000000000 bytes of data, 49984 follow");
    write_file("zipped", file_bytes, 50000, true);
    expect_failure(&out, read_images(&out, scratch_path("zipped")), GG_ERR_FORMAT,
                   "lies: its header promises 1000000000 bytes of data, too many for ");
    ck_assert_uint_eq(scratch_memory.largest, 0);
}
END_TEST

/* 60,000 bytes that do not shrink could be followed by 60 million zeros, so a header of 50 million is believed, but
 * not before its data come: the array gets 8 times the file at first. */
START_TEST(likely_lies_cost_little_memory)
{
    outputs out;
    gg_random random = gg_random_make(1, 0);
    size_t at = put_number(file_bytes, 0, 0x801);
    at = put_number(file_bytes, at, 50000000);
    while (at < 60000)
        file_bytes[at++] = (unsigned char)gg_random_u32(&random);
    write_file("zipped", file_bytes, at, true);
    expect_failure(&out, read_labels(&out, scratch_path("zipped")), GG_ERR_FORMAT,
                   "promises 50000000 bytes of data, 59992 follow");
    ck_assert_uint_le(scratch_memory.largest, 4 * (8 * 61000 + 16384));
}
END_TEST

/* Every shorter copy of a right file, and every copy with one bit changed, plain and gzipped: refused, or read as
 * some other right file, never a crash. A plain file that is cut is always refused. */
START_TEST(every_cut_and_every_flip)
{
    outputs out;
    for (int zip = 0; zip < 2; zip++) {
        write_images("right", 2, 3, 4, zip != 0);
        size_t length = 0;
        char *bytes = scratch_read(scratch_path("right"), &length);
        for (size_t cut = 0; cut < length; cut++) {
            unlink(scratch_path("cut")); /* writing over a file makes some file systems wait for the disk */
            scratch_write(scratch_path("cut"), bytes, cut);
            expect_failure(&out, read_images(&out, scratch_path("cut")), GG_ERR_FORMAT, "cut");
        }
        for (size_t bit = 0; bit < 8 * length; bit++) {
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
            unlink(scratch_path("flip"));
            scratch_write(scratch_path("flip"), bytes, length);
            if (read_images(&out, scratch_path("flip")) == GG_OK)
                gg_free(out.images);
            else
                ck_assert_mem_eq(&out, &untouched, sizeof out);
            ck_assert_int_eq(scratch_memory.live, 0);
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        }
        free(bytes);
    }
}
END_TEST

/* The gzipped file `name` with so many of the bytes behind it, the same over and over. */
static void append(const char *name, const char *bytes, size_t length, size_t copies)
{
    FILE *file = fopen(scratch_path(name), "ab");
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < copies; i++)
        ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
}

/* What follows the gzip data is refused wherever the reading of the file happens to be cut: padding, other data, one
 * byte, the start of another member; and however little of the file is left when the last element is there. */
START_TEST(bytes_behind_gzip_data)
{
    static const struct {
        const char *bytes;
        size_t length, copies;
        const char *words;
    } tails[] = {
        {"\0", 1, 1, "is too long: something that is not gzip follows"},
        {"\0", 1, 512, "is too long"},
        {"garbage", 7, 1, "is too long"},
        {"garbage", 7, 10000, "is too long"},
        {"\x1f", 1, 1, "is truncated: its gzip data break off"},
        {"\x1f\x8b", 2, 1, "is truncated: its gzip data break off"},
        {"\x1fgarbage", 8, 3, "is damaged: incorrect header check"},
    };
    for (size_t t = 0; t < sizeof tails / sizeof *tails; t++)
        for (uint32_t count = 1; count < 70000; count = 3 * count + 7) {
            outputs out;
            write_labels("labels", count, 256, true);
            append("labels", tails[t].bytes, tails[t].length, tails[t].copies);
            expect_failure(&out, read_labels(&out, scratch_path("labels")), GG_ERR_FORMAT, tails[t].words);
        }
}
END_TEST

/* Bytes that do not shrink fill more than one buffer of gzipped data, so that members end anywhere in one; members of
 * no bytes at all between them change nothing. */
START_TEST(many_members)
{
    outputs out;
    gg_random random = gg_random_make(2, 0);
    const size_t length = 60000;
    size_t at = put_number(file_bytes, put_number(file_bytes, 0, 0x801), (uint32_t)length - 8);
    while (at < length)
        file_bytes[at++] = (unsigned char)gg_random_u32(&random);
    for (size_t done = 0; done < length; done += 1237) {
        const size_t part = length - done < 1237 ? length - done : 1237;
        gzFile file = gzopen(scratch_path("members"), "ab");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(gzwrite(file, file_bytes + done, (unsigned)part), (int)part);
        ck_assert_int_eq(gzclose(file), Z_OK);
        ck_assert_int_eq(gzclose(gzopen(scratch_path("members"), "ab")), Z_OK);
    }
    ck_assert_int_eq(read_labels(&out, scratch_path("members")), GG_OK);
    ck_assert_int_eq(out.count, (int64_t)length - 8);
    for (int64_t i = 0; i < out.count; i++)
        ck_assert_int_eq(out.labels[i], file_bytes[8 + i]);
    gg_free(out.labels);
}
END_TEST

START_TEST(no_regular_file)
{
    outputs out;
    expect_failure(&out, read_images(&out, scratch_path("missing")), GG_ERR_IO,
                   "missing' cannot be opened: No such file");
    expect_failure(&out, read_labels(&out, scratch_path("missing")), GG_ERR_IO, "gg_idx_read_labels: '");
    expect_failure(&out, read_images(&out, ""), GG_ERR_IO, "''");
    expect_failure(&out, read_images(&out, scratch_folder), GG_ERR_IO, "Is a directory");
    ck_assert_int_eq(mkfifo(scratch_path("pipe"), 0600), 0);
    expect_failure(&out, read_images(&out, scratch_path("pipe")), GG_ERR_IO, "is no regular file");
    write_images("secret", 1, 1, 1, false);
    ck_assert_int_eq(chmod(scratch_path("secret"), 0), 0);
    if (geteuid() != 0) /* root may read anything */
        expect_failure(&out, read_images(&out, scratch_path("secret")), GG_ERR_IO, "Permission denied");
}
END_TEST

/* No file can be opened when the process may have no more of them. */
START_TEST(too_many_open_files)
{
    outputs out;
    struct rlimit limit;
    write_images("images", 1, 1, 1, false);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {0, limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    const gg_status status = read_images(&out, scratch_path("images"));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect_failure(&out, status, GG_ERR_IO, "cannot be opened: Too many open files");
}
END_TEST

/* Linux shows the memory of a process as a regular file; its first page is never there to read. */
START_TEST(read_error)
{
    outputs out;
    if (access("/proc/self/mem", R_OK) == 0)
        expect_failure(&out, read_images(&out, "/proc/self/mem"), GG_ERR_IO, "cannot be read: Input/output error");
}
END_TEST

START_TEST(messages_say_what_was_found)
{
    outputs out;
    write_images("images", 2, 3, 4, false);
    write_labels("labels", 5, 10, false);
    expect_failure(&out, read_images(&out, scratch_path("labels")), GG_ERR_FORMAT,
                   "/labels' is no IDX file of images: it begins with 0x00000801, not 0x00000803");
    expect_failure(&out, read_labels(&out, scratch_path("images")), GG_ERR_FORMAT,
                   "/images' is no IDX file of labels: it begins with 0x00000803, not 0x00000801");
    ck_assert_int_eq(truncate(scratch_path("images"), 30), 0);
    expect_failure(&out, read_images(&out, scratch_path("images")), GG_ERR_FORMAT,
                   "is truncated: its header promises 24 bytes of data, 14 follow");
    ck_assert_int_eq(truncate(scratch_path("labels"), 7), 0);
    expect_failure(&out, read_labels(&out, scratch_path("labels")), GG_ERR_FORMAT,
                   "is truncated: 7 bytes where the header alone takes 8");
    char long_path[1000];
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    expect_failure(&out, read_images(&out, long_path), GG_ERR_IO, "xxx' cannot be opened: File name too long");
}
END_TEST

START_TEST(wrong_arguments)
{
    outputs out = untouched;
    static const char f[] = "gg_idx_read_";
    expect_failure(&out, gg_idx_read_images(NULL, &out.count, &out.height, &out.width, "x"), GG_ERR_ARGUMENT, f);
    expect_failure(&out, gg_idx_read_images(&out.images, NULL, &out.height, &out.width, "x"), GG_ERR_ARGUMENT, f);
    expect_failure(&out, gg_idx_read_images(&out.images, &out.count, NULL, &out.width, "x"), GG_ERR_ARGUMENT, f);
    expect_failure(&out, gg_idx_read_images(&out.images, &out.count, &out.height, NULL, "x"), GG_ERR_ARGUMENT, f);
    expect_failure(&out, read_images(&out, NULL), GG_ERR_ARGUMENT, f);
    expect_failure(&out, gg_idx_read_labels(NULL, &out.count, "x"), GG_ERR_ARGUMENT, f);
    expect_failure(&out, gg_idx_read_labels(&out.labels, NULL, "x"), GG_ERR_ARGUMENT, f);
    expect_failure(&out, read_labels(&out, NULL), GG_ERR_ARGUMENT, f);
    ck_assert_int_eq(gg_mnist_load(NULL, "x"), GG_ERR_ARGUMENT);
    gg_mnist set;
    ck_assert_int_eq(gg_mnist_load(&set, NULL), GG_ERR_ARGUMENT);
    gg_mnist_free(NULL);
}
END_TEST

static const char *const train_images = "train-images-idx3-ubyte", *const train_labels = "train-labels-idx1-ubyte";
static const char *const test_images = "t10k-images-idx3-ubyte", *const test_labels = "t10k-labels-idx1-ubyte";

static void write_set(void)
{
    write_images(train_images, 30, 4, 5, false);
    write_images("t10k-images-idx3-ubyte.gz", 12, 4, 5, true);
    write_labels("train-labels-idx1-ubyte.gz", 30, 10, true);
    write_labels(test_labels, 12, 3, false);
}

START_TEST(set_of_four_files)
{
    gg_mnist set;
    write_set();
    ck_assert_int_eq(gg_mnist_load(&set, scratch_folder), GG_OK);
    ck_assert_int_eq(set.height, 4);
    ck_assert_int_eq(set.width, 5);
    ck_assert_int_eq(set.train_count, 30);
    ck_assert_int_eq(set.test_count, 12);
    ck_assert_float_eq(set.train_images[599], (float)(unsigned char)(37 * 599) / 255.0f);
    ck_assert_float_eq(set.test_images[239], (float)(unsigned char)(37 * 239) / 255.0f);
    ck_assert_int_eq(set.train_labels[29], 9);
    ck_assert_int_eq(set.test_labels[11], 2);
    gg_mnist_free(&set);
    ck_assert_ptr_null(set.train_images);
    ck_assert_int_eq(set.train_count, 0);
    gg_mnist_free(&set);
}
END_TEST

static void expect_bad_set(gg_status wanted, const char *word)
{
    gg_mnist set, before;
    memset(&set, 0x5a, sizeof set);
    memcpy(&before, &set, sizeof set);
    const gg_status status = gg_mnist_load(&set, scratch_folder);
    ck_assert_msg(status == wanted, "%s: %s", gg_status_string(status), gg_error_message());
    ck_assert_msg(strstr(gg_error_message(), word) != NULL, "no '%s' in: %s", word, gg_error_message());
    ck_assert_mem_eq(&set, &before, sizeof set);
    ck_assert_int_eq(scratch_memory.live, 0);
}

START_TEST(sets_that_do_not_fit)
{
    write_set();
    write_labels(train_labels, 29, 10, false); /* found before the gzipped one */
    expect_bad_set(GG_ERR_FORMAT, "train-labels-idx1-ubyte' has 29 labels for 30 images");
    write_labels(train_labels, 30, 11, false);
    expect_bad_set(GG_ERR_FORMAT, "label 10 is 10, expected 0 to 9");
    write_set();
    unlink(scratch_path(train_labels));
    write_images(test_images, 12, 5, 4, false);
    expect_bad_set(GG_ERR_FORMAT, "training images are 4 x 5, tests 5 x 4");
    write_images(test_images, 12, 4, 6, false);
    expect_bad_set(GG_ERR_FORMAT, "training images are 4 x 5, tests 4 x 6");
    write_images(test_images, 0, 4, 5, false);
    write_labels(test_labels, 0, 1, false);
    expect_bad_set(GG_ERR_FORMAT, "has no labels");
    unlink(scratch_path(test_labels));
    expect_bad_set(GG_ERR_IO, "neither t10k-labels-idx1-ubyte nor t10k-labels-idx1-ubyte.gz in '");
    unlink(scratch_path(train_images));
    expect_bad_set(GG_ERR_IO, "neither train-images-idx3-ubyte nor");
    char long_folder[5000];
    memset(long_folder, 'x', sizeof long_folder);
    long_folder[sizeof long_folder - 1] = '\0';
    gg_mnist set;
    ck_assert_int_eq(gg_mnist_load(&set, long_folder), GG_ERR_ARGUMENT);
}
END_TEST

/* Each allocation of a load refused in turn: an error, nothing left, the output untouched. */
START_TEST(every_allocation_can_fail)
{
    gg_mnist set;
    long budget = 0;
    write_set();
    for (;; budget++) {
        scratch_count_allocations();
        scratch_memory.budget = budget;
        memset(&set, 0x5a, sizeof set);
        const gg_mnist before = set;
        const gg_status status = gg_mnist_load(&set, scratch_folder);
        if (status == GG_OK)
            break;
        ck_assert_int_eq(status, GG_ERR_MEMORY);
        ck_assert_ptr_nonnull(strstr(gg_error_message(), "needs more memory than there is"));
        ck_assert_mem_eq(&set, &before, sizeof set);
        ck_assert_int_eq(scratch_memory.live, 0);
    }
    ck_assert_int_ge(budget, 4);
    gg_mnist_free(&set);
}
END_TEST

/* Means of the pixels as torchvision's documentation gives them: 0.1307 and, for the test set, 0.1325. */
START_TEST(real_mnist)
{
    const char *data = getenv("GEMMGRAD_DATA");
    char path[SCRATCH_PATH];
    gg_mnist set;
    if (data == NULL)
        return;
    snprintf(path, sizeof path, "%s/mnist", data);
    ck_assert_msg(gg_mnist_load(&set, path) == GG_OK, "%s", gg_error_message());
    ck_assert_int_eq(set.train_count, 60000);
    ck_assert_int_eq(set.test_count, 10000);
    ck_assert(set.height == 28 && set.width == 28);
    static const int32_t first_train[5] = {5, 0, 4, 1, 9}, first_test[5] = {7, 2, 1, 0, 4};
    ck_assert_mem_eq(set.train_labels, first_train, sizeof first_train);
    ck_assert_mem_eq(set.test_labels, first_test, sizeof first_test);
    double train = 0.0, test = 0.0;
    for (int64_t i = 0; i < 60000 * 784; i++)
        train += (double)set.train_images[i];
    for (int64_t i = 0; i < 10000 * 784; i++)
        test += (double)set.test_images[i];
    ck_assert_double_eq_tol(train / (60000 * 784), 0.1307, 5e-5);
    ck_assert_double_eq_tol(test / (10000 * 784), 0.1325, 5e-5);
    gg_mnist_free(&set);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, right_files);
    tcase_add_test(tests, right_labels);
    tcase_add_test(tests, array_grows);
    tcase_add_test(tests, hostile_corpus);
    tcase_add_test(tests, lies_cost_no_memory);
    tcase_add_test(tests, likely_lies_cost_little_memory);
    tcase_add_test(tests, every_cut_and_every_flip);
    tcase_add_test(tests, bytes_behind_gzip_data);
    tcase_add_test(tests, many_members);
    tcase_add_test(tests, no_regular_file);
    tcase_add_test(tests, too_many_open_files);
    tcase_add_test(tests, read_error);
    tcase_add_test(tests, messages_say_what_was_found);
    tcase_add_test(tests, wrong_arguments);
    tcase_add_test(tests, set_of_four_files);
    tcase_add_test(tests, sets_that_do_not_fit);
    tcase_add_test(tests, every_allocation_can_fail);
    tcase_add_test(tests, real_mnist);
}

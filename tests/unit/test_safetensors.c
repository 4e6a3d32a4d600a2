/* test_safetensors.c - what is written is read back; nothing that lies is read; no failure leaves anything behind. */
#include <gemmgrad/safetensors.h>

#include <dirent.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <gemmgrad/memory.h>

#include "json_text.h"
#include "scratch.h"
#include "support.h"

static void setup(void)
{
    scratch_make_folder();
    scratch_count_allocations();
}

static void teardown(void)
{
    scratch_stop_counting();
    scratch_remove_folder();
}

/* ---- round trips ---- */

static const float f32[6] = {1.5f, -0.0f, INFINITY, FLT_MIN, -3e38f, 1e-45f};
static const double f64[2] = {0.1, -1e300};
static const int32_t i32[3] = {INT32_MIN, 0, INT32_MAX};
static const int64_t i64[1] = {INT64_MIN};
static const unsigned char u8[5] = {0, 1, 2, 254, 255};

enum { TENSORS = 8, METADATA = 3 };

static const gg_tensor tensors[TENSORS] = {
    {"bytes", GG_U8, 1, {5}, u8},
    {"affine1.W", GG_F32, 2, {2, 3}, f32},
    {"a \"quoted\\name\"\n\t\x01 gewicht-\xc3\xa9-\xe2\x82\xac-\xf0\x9f\x98\x80", GG_F64, 1, {2}, f64},
    {"nothing", GG_F32, 3, {4, 0, 7}, NULL},
    {"signed", GG_I32, 2, {3, 1}, i32},
    {"scalar", GG_I64, 0, {0}, i64},
    {"deep", GG_F32, 8, {1, 1, 2, 1, 1, 3, 1, 1}, f32},
    {"also nothing", GG_I64, 1, {0}, NULL},
};
static const gg_metadata metadata[METADATA] = {{"task", "digits"}, {"", "an \"empty\" key"}, {"a", ""}};

static gg_status write_all(const char *path)
{
    return gg_safetensors_write(path, tensors, TENSORS, metadata, METADATA);
}

static size_t size_of(gg_dtype dtype)
{
    return dtype == GG_U8 ? 1 : dtype == GG_F64 || dtype == GG_I64 ? 8 : 4;
}

static void expect_tensor(const gg_tensor *got, const gg_tensor *wanted)
{
    size_t bytes = size_of(wanted->dtype);
    ck_assert_str_eq(got->name, wanted->name);
    ck_assert_int_eq(got->dtype, wanted->dtype);
    ck_assert_int_eq(got->rank, wanted->rank);
    for (int i = 0; i < wanted->rank; i++) {
        ck_assert_int_eq(got->shape[i], wanted->shape[i]);
        bytes *= (size_t)wanted->shape[i];
    }
    if (bytes > 0) {
        ck_assert_mem_eq(got->data, wanted->data, bytes);
        ck_assert_uint_eq((uintptr_t)got->data % GG_ALIGNMENT, 0);
    }
}

static void expect_all(const gg_safetensors *file)
{
    gg_tensor tensor;
    ck_assert_int_eq(gg_safetensors_count(file), TENSORS);
    for (int i = 0; i < TENSORS; i++) {
        ck_assert_int_eq(gg_safetensors_find(file, tensors[i].name, &tensor), GG_OK);
        expect_tensor(&tensor, &tensors[i]);
    }
    for (int i = 0; i < METADATA; i++)
        ck_assert_str_eq(gg_safetensors_metadata(file, metadata[i].key), metadata[i].value);
    ck_assert_ptr_null(gg_safetensors_metadata(file, "none"));
}

START_TEST(what_is_written_is_read)
{
    gg_safetensors *file = NULL, *copy = NULL;
    gg_tensor tensor;
    size_t size;
    ck_assert_msg(write_all(scratch_path("a")) == GG_OK, "%s", gg_error_message());
    ck_assert_msg(gg_safetensors_read(&file, scratch_path("a")) == GG_OK, "%s", gg_error_message());
    expect_all(file);
    ck_assert_int_eq(gg_safetensors_tensor(file, 0, &tensor), GG_OK);
    expect_tensor(&tensor, &tensors[0]);
    char *bytes = scratch_read(scratch_path("a"), &size);
    ck_assert_int_eq(gg_safetensors_parse(&copy, bytes, (int64_t)size), GG_OK);
    free(bytes);
    expect_all(copy);
    gg_safetensors_free(file);
    gg_safetensors_free(copy);
    gg_safetensors_free(NULL);
    ck_assert_int_eq(scratch_count(), 1);
}
END_TEST

/* As save_file of the Python package writes them, apart from the order of tensors, which here is the caller's. */
START_TEST(bytes_of_a_small_file)
{
    static const char wanted[] = "\x90\0\0\0\0\0\0\0"
                                 "{\"__metadata__\":{\"a\":\"1\",\"b\":\"2\"},"
                                 "\"x\":{\"dtype\":\"I32\",\"shape\":[3],\"data_offsets\":[0,12]},"
                                 "\"y\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[12,13]}}   "
                                 "\0\0\0\x80\0\0\0\0\xff\xff\xff\x7f\7";
    static const unsigned char seven = 7;
    const gg_tensor two[2] = {{"x", GG_I32, 1, {3}, i32}, {"y", GG_U8, 0, {0}, &seven}};
    const gg_metadata ordered[2] = {{"a", "1"}, {"b", "2"}}, reversed[2] = {{"b", "2"}, {"a", "1"}};
    size_t size;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), two, 2, i == 0 ? ordered : reversed, 2), GG_OK);
        char *bytes = scratch_read(scratch_path("a"), &size);
        ck_assert_uint_eq(size, sizeof wanted - 1);
        ck_assert_mem_eq(bytes, wanted, size);
        free(bytes);
    }
}
END_TEST

START_TEST(nothing_can_be_written)
{
    gg_safetensors *file = NULL;
    gg_tensor tensor;
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), NULL, 0, NULL, 0), GG_OK);
    ck_assert_int_eq(gg_safetensors_read(&file, scratch_path("a")), GG_OK);
    ck_assert_int_eq(gg_safetensors_count(file), 0);
    ck_assert_int_eq(gg_safetensors_find(file, "a", &tensor), GG_ERR_FORMAT);
    gg_safetensors_free(file);
}
END_TEST

/* More tensors and metadata than the arrays of the reader first hold, in an order that is none. */
START_TEST(many_tensors)
{
    enum { MANY = 1000 };
    static gg_tensor many[MANY];
    static gg_metadata words[MANY];
    static char names[MANY][8];
    static int32_t values[MANY];
    gg_safetensors *file = NULL;
    gg_tensor tensor;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i * 7919 % MANY);
        values[i] = i;
        many[i] = (gg_tensor){names[i], GG_I32, i % 3, {1, 1}, &values[i]};
        words[i] = (gg_metadata){names[i], names[i]};
    }
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), many, MANY, words, MANY), GG_OK);
    ck_assert_int_eq(gg_safetensors_read(&file, scratch_path("a")), GG_OK);
    ck_assert_int_eq(gg_safetensors_count(file), MANY);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(gg_safetensors_find(file, names[i], &tensor), GG_OK);
        expect_tensor(&tensor, &many[i]);
        ck_assert_int_eq(gg_safetensors_tensor(file, i, &tensor), GG_OK);
        expect_tensor(&tensor, &many[i]);
        ck_assert_str_eq(gg_safetensors_metadata(file, names[i]), names[i]);
    }
    gg_safetensors_free(file);
}
END_TEST

/* ---- files that lie ---- */

/* What a reader must not touch when it fails. */
static gg_safetensors *const untouched = (gg_safetensors *)(uintptr_t)64;

static gg_status promised(const char *name)
{
    if (strncmp(name, "ok-", 3) == 0)
        return GG_OK;
    if (strncmp(name, "format-", 7) == 0)
        return GG_ERR_FORMAT;
    ck_assert_msg(strncmp(name, "unsupported-", 12) == 0, "%s promises nothing", name);
    return GG_ERR_UNSUPPORTED;
}

static void expect_status(gg_status status, gg_status wanted, const gg_safetensors *file, const char *name)
{
    ck_assert_msg(status == wanted, "%s: %s (%s)", name, gg_status_string(status), gg_error_message());
    if (status != GG_OK) {
        ck_assert_ptr_eq(file, untouched);
        ck_assert_ptr_nonnull(strstr(gg_error_message(), "gg_safetensors_"));
    }
}

static void read_corpus_file(const char *path, const char *name)
{
    gg_safetensors *file = untouched;
    size_t size;
    char *bytes = scratch_read(path, &size);
    scratch_memory.largest = 0;
    expect_status(gg_safetensors_read(&file, path), promised(name), file, name);
    if (file != untouched)
        gg_safetensors_free(file);
    file = untouched;
    expect_status(gg_safetensors_parse(&file, bytes, (int64_t)size), promised(name), file, name);
    if (file != untouched)
        gg_safetensors_free(file);
    free(bytes);
    ck_assert_int_eq(scratch_memory.live, 0);
    ck_assert_msg(scratch_memory.largest <= 4096, "%s: %zu bytes at once", name, scratch_memory.largest);
}

START_TEST(hostile_corpus)
{
    const char *corpus = getenv("GEMMGRAD_CORPUS");
    char path[SCRATCH_PATH];
    int files = 0;
    ck_assert_msg(corpus != NULL, "GEMMGRAD_CORPUS must name the folder tests/corpus");
    snprintf(path, sizeof path, "%s/safetensors", corpus);
    DIR *entries = opendir(path);
    ck_assert_msg(entries != NULL, "no folder %s", path);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        const char *ending = strrchr(entry->d_name, '.');
        if (ending == NULL || strcmp(ending, ".safetensors") != 0)
            continue;
        snprintf(path, sizeof path, "%s/safetensors/%s", corpus, entry->d_name);
        read_corpus_file(path, entry->d_name);
        files++;
    }
    closedir(entries);
    ck_assert_int_ge(files, 110);
}
END_TEST

/* Every shorter copy is refused, every copy with one bit changed is refused or read as some other right file. */
START_TEST(every_cut_and_every_flip)
{
    gg_safetensors *file;
    size_t size;
    ck_assert_int_eq(write_all(scratch_path("a")), GG_OK);
    char *bytes = scratch_read(scratch_path("a"), &size);
    for (size_t cut = 0; cut < size; cut++) {
        char *copy = malloc(cut + 1); /* of its own, so that reading beyond is noticed */
        memcpy(copy, bytes, cut);
        file = untouched;
        expect_status(gg_safetensors_parse(&file, copy, (int64_t)cut), GG_ERR_FORMAT, file, "cut");
        free(copy);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        file = untouched;
        const gg_status status = gg_safetensors_parse(&file, bytes, (int64_t)size);
        ck_assert_msg(status == GG_OK || status == GG_ERR_FORMAT || status == GG_ERR_UNSUPPORTED, "bit %zu", bit);
        if (status == GG_OK)
            gg_safetensors_free(file);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(bytes);
}
END_TEST

/* 100 MB of header that says nothing: no more memory than the header itself, and quickly. */
START_TEST(large_header)
{
    enum { HEADER = 100000000 };
    gg_safetensors *file = untouched;
    char *bytes = malloc(8 + HEADER);
    ck_assert_ptr_nonnull(bytes);
    memset(bytes, ' ', 8 + HEADER);
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)((uint64_t)HEADER >> (8 * i) & 0xFF);
    memcpy(bytes + 8, "{}", 2);
    ck_assert_int_eq(gg_safetensors_parse(&file, bytes, 8 + HEADER), GG_OK);
    gg_safetensors_free(file);
    file = untouched;
    memset(bytes + 8, '[', HEADER);
    expect_status(gg_safetensors_parse(&file, bytes, 8 + HEADER), GG_ERR_FORMAT, file, "brackets");
    memset(bytes + 9, '"', HEADER - 1);
    bytes[8] = '{';
    expect_status(gg_safetensors_parse(&file, bytes, 8 + HEADER), GG_ERR_FORMAT, file, "quotes");
    free(bytes);
    ck_assert_uint_le(scratch_memory.largest, HEADER);
}
END_TEST

START_TEST(utf8_is_rfc_3629)
{
    static const struct {
        const char *bytes;
        size_t length; /* 0: none */
    } cases[] = {
        {"\x7f", 1},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\x80", 0},
        {"\xbf", 0},
        {"\xc0\x80", 0},
        {"\xc1\xbf", 0},
        {"\xe0\x9f\xbf", 0},
        {"\xed\xa0\x80", 0},
        {"\xed\xbf\xbf", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf4\x90\x80\x80", 0},
        {"\xf8\x88\x80\x80\x80", 0},
        {"\xff", 0},
        {"\xe2\x82", 0},
        {"\xc3(", 0},
        {"\xe2(\xa1", 0},
        {"\xe2\x82(", 0},
        {"\xf0\x90\x80(", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(gg_utf8_character(cases[i].bytes, strlen(cases[i].bytes)) == cases[i].length, "case %zu", i);
}
END_TEST

START_TEST(messages_say_what_was_found)
{
    static const struct {
        const char *header, *words;
    } cases[] = {
        {"{\"a\":{\"dtype\":\"BF16\"", "tensor 'a': dtype 'BF16' is none of F32"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1]", "byte 29 of the header: a natural number expected"},
        {"{\"a\\u001b\":{\"x\":1}}", "tensor 'a?': a key that is none of dtype, shape, data_offsets"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", "goes beyond the end of the file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char bytes[128] = {0};
        gg_safetensors *file = untouched;
        const size_t length = strlen(cases[i].header);
        bytes[0] = (char)length;
        memcpy(bytes + 8, cases[i].header, length);
        ck_assert_int_ne(gg_safetensors_parse(&file, bytes, (int64_t)length + 8), GG_OK);
        ck_assert_msg(strstr(gg_error_message(), cases[i].words) != NULL, "%s", gg_error_message());
    }
}
END_TEST

/* ---- wrong arguments ---- */

START_TEST(wrong_tensors)
{
    static const char bad_utf8[] = "a\xff";
    const gg_tensor right = {"a", GG_F32, 1, {6}, f32};
    gg_tensor wrong[12];
    for (int i = 0; i < 12; i++)
        wrong[i] = right;
    wrong[0].name = NULL;
    wrong[1].name = "";
    wrong[2].name = "__metadata__";
    wrong[3].name = bad_utf8;
    wrong[4].dtype = GG_DTYPE_COUNT;
    wrong[5].dtype = (gg_dtype)-1;
    wrong[6].rank = -1;
    wrong[7].rank = GG_TENSOR_MAX_RANK + 1;
    wrong[8].shape[0] = -6;
    wrong[9].rank = 2;
    wrong[9].shape[0] = wrong[9].shape[1] = INT64_C(1) << 32;
    wrong[10].shape[0] = INT64_MAX;
    wrong[11].data = NULL;
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), &wrong[i], 1, NULL, 0), GG_ERR_ARGUMENT);
        ck_assert_msg(strstr(gg_error_message(), "tensors[0]") != NULL, "%d: %s", i, gg_error_message());
    }
    const gg_tensor twice[2] = {right, right};
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), twice, 2, NULL, 0), GG_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(gg_error_message(), "two tensors are named 'a'"));
    gg_tensor huge[2] = {right, right};
    huge[0].shape[0] = huge[1].shape[0] = INT64_C(1) << 60;
    huge[1].name = "b";
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), huge, 2, NULL, 0), GG_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(gg_error_message(), "larger than a file can be"));
    ck_assert_int_eq(scratch_count(), 0);
}
END_TEST

START_TEST(wrong_metadata)
{
    const gg_metadata wrong[4] = {{NULL, "a"}, {"a", NULL}, {"\x80", "a"}, {"a", "\xc3"}},
                      twice[2] = {{"k", "a"}, {"k", "b"}};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), NULL, 0, &wrong[i], 1), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), NULL, 0, twice, 2), GG_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(gg_error_message(), "two metadata keys are 'k'"));
    char *huge = malloc(100000002);
    memset(huge, 'x', 100000001);
    huge[100000001] = '\0';
    const gg_metadata long_value = {"a", huge};
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), NULL, 0, &long_value, 1), GG_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(gg_error_message(), "the format allows 100000000"));
    free(huge);
    ck_assert_int_eq(scratch_count(), 0);
}
END_TEST

START_TEST(wrong_arguments)
{
    gg_safetensors *file = untouched;
    gg_tensor tensor;
    ck_assert_int_eq(gg_safetensors_write(NULL, NULL, 0, NULL, 0), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_write("", NULL, 0, NULL, 0), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), NULL, 1, NULL, 0), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), NULL, 0, NULL, 1), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), tensors, -1, NULL, 0), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), NULL, 0, metadata, -1), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_read(NULL, "a"), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_read(&file, NULL), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_parse(NULL, "a", 1), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_parse(&file, NULL, 1), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_parse(&file, "a", -1), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_parse(&file, NULL, 0), GG_ERR_FORMAT);
    ck_assert_ptr_eq(file, untouched);
    ck_assert_int_eq(gg_safetensors_parse(&file, "\2\0\0\0\0\0\0\0{}", 10), GG_OK);
    ck_assert_int_eq(gg_safetensors_tensor(file, 0, &tensor), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_tensor(file, -1, &tensor), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_tensor(NULL, 0, &tensor), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_tensor(file, 0, NULL), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_find(NULL, "a", &tensor), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_find(file, NULL, &tensor), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_safetensors_find(file, "a", NULL), GG_ERR_ARGUMENT);
    ck_assert_ptr_null(gg_safetensors_metadata(NULL, "a"));
    ck_assert_ptr_null(gg_safetensors_metadata(file, NULL));
    ck_assert_int_eq(gg_safetensors_count(NULL), 0);
    gg_safetensors_free(file);
}
END_TEST

/* ---- no memory ---- */

START_TEST(every_allocation_can_fail)
{
    gg_safetensors *file = untouched;
    long budget = 0;
    scratch_write(scratch_path("a"), "old", 3);
    for (; (scratch_memory.budget = budget, write_all(scratch_path("a"))) != GG_OK; budget++) {
        ck_assert_ptr_nonnull(strstr(gg_error_message(), "no memory"));
        ck_assert_int_eq(scratch_memory.live, 0);
        ck_assert_int_eq(scratch_count(), 1);
    }
    ck_assert_int_ge(budget, 3);
    budget = 0;
    for (; (scratch_memory.budget = budget, gg_safetensors_read(&file, scratch_path("a"))) != GG_OK; budget++) {
        ck_assert_ptr_nonnull(strstr(gg_error_message(), "no memory"));
        ck_assert_ptr_eq(file, untouched);
        ck_assert_int_eq(scratch_memory.live, 0);
    }
    ck_assert_int_ge(budget, 5);
    scratch_memory.budget = -1;
    expect_all(file);
    gg_safetensors_free(file);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_is_written_is_read);
    tcase_add_test(tests, bytes_of_a_small_file);
    tcase_add_test(tests, nothing_can_be_written);
    tcase_add_test(tests, many_tensors);
    tcase_add_test(tests, hostile_corpus);
    tcase_add_test(tests, every_cut_and_every_flip);
    tcase_add_test(tests, large_header);
    tcase_add_test(tests, utf8_is_rfc_3629);
    tcase_add_test(tests, messages_say_what_was_found);
    tcase_add_test(tests, wrong_tensors);
    tcase_add_test(tests, wrong_metadata);
    tcase_add_test(tests, wrong_arguments);
    tcase_add_test(tests, every_allocation_can_fail);
}

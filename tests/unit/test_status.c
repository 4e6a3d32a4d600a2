/* test_status.c - names of the codes, and the message that a failed call leaves to its own thread. */
#include <gemmgrad/status.h>

#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <check.h>

#include <gemmgrad/gemm.h>

#include "support.h"

START_TEST(every_code_has_its_name)
{
    const char *unknown = gg_status_string((gg_status)(GG_ERR_INTERNAL + 1));
    ck_assert_str_eq(unknown, "unknown status");
    ck_assert_str_eq(gg_status_string((gg_status)-1), unknown);
    ck_assert_str_eq(gg_status_string((gg_status)INT_MAX), unknown);
    ck_assert_str_eq(gg_status_string(GG_ERR_SHAPE), "shape mismatch");
    ck_assert_int_eq(GG_OK, 0);
    for (gg_status a = GG_OK; a <= GG_ERR_INTERNAL; a++) {
        ck_assert_str_ne(gg_status_string(a), unknown);
        for (gg_status b = GG_OK; b < a; b++)
            ck_assert_str_ne(gg_status_string(a), gg_status_string(b));
    }
}
END_TEST

/* gg_fail hands back the status and formats as printf does. */
START_TEST(message_is_kept)
{
    ck_assert_int_eq(gg_fail(GG_ERR_IO, "%s: %d of %lld", "file", 3, 1LL << 40), GG_ERR_IO);
    ck_assert_str_eq(gg_error_message(), "file: 3 of 1099511627776");
    ck_assert_int_eq(gg_gemm(NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1, 0), GG_OK);
    ck_assert_str_eq(gg_error_message(), "file: 3 of 1099511627776");
    ck_assert_int_eq(gg_fail(GG_ERR_STATE, "%s", ""), GG_ERR_STATE);
    ck_assert_str_eq(gg_error_message(), "");
}
END_TEST

/* A message may be made from the one before it: context added on the way up. */
START_TEST(message_may_quote_itself)
{
    gg_fail(GG_ERR_IO, "disk full");
    ck_assert_int_eq(gg_fail(GG_ERR_IO, "saving: %s", gg_error_message()), GG_ERR_IO);
    ck_assert_str_eq(gg_error_message(), "saving: disk full");
}
END_TEST

START_TEST(long_message_is_cut_at_511_bytes)
{
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(gg_fail(GG_ERR_FORMAT, "%s", text), GG_ERR_FORMAT);
    ck_assert_uint_eq(strlen(gg_error_message()), 511);
    ck_assert_mem_eq(gg_error_message(), text, 511);
}
END_TEST

static void *fail_elsewhere(void *seen)
{
    *(int *)seen = strcmp(gg_error_message(), "") == 0;
    gg_fail(GG_ERR_IO, "elsewhere");
    *(int *)seen += strcmp(gg_error_message(), "elsewhere") == 0;
    return NULL;
}

/* A new thread has no message, and its failures do not reach this one. */
START_TEST(message_belongs_to_its_thread)
{
    pthread_t thread;
    int seen = 0;
    gg_fail(GG_ERR_IO, "here");
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, &seen), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(seen, 2);
    ck_assert_str_eq(gg_error_message(), "here");
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, every_code_has_its_name);
    tcase_add_test(tests, message_is_kept);
    tcase_add_test(tests, message_may_quote_itself);
    tcase_add_test(tests, long_message_is_cut_at_511_bytes);
    tcase_add_test(tests, message_belongs_to_its_thread);
}

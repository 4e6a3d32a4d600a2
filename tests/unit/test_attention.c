/* test_attention.c - attention in tiles against plain loops in double, on every instruction set, for all layouts and
 * masks; what must hold bit for bit; rows that see nothing; NaN; nothing to do; wrong arguments. */
#include <math.h>
#include <string.h>

#include "attention_case.h"
#include "isa.h"
#include "support.h"

#define SHAPE(n, h, q, k, w, g)                                                      \
    {                                                                                \
        .samples = n, .heads = h, .queries = q, .keys = k, .width = w, .kv_heads = g \
    }

/* samples, heads, queries, keys, width, kv_heads: single steps, sizes around tiles of 64 and 128 and panels of 16 and
 * 64, groups of heads. */
static const gg_attention_shape shapes[] = {
    SHAPE(1, 1, 1, 1, 1, 0),    SHAPE(2, 3, 1, 70, 5, 0),    SHAPE(1, 2, 17, 3, 16, 1),    SHAPE(2, 2, 64, 64, 64, 0),
    SHAPE(1, 4, 65, 65, 33, 2), SHAPE(3, 1, 127, 63, 8, 0),  SHAPE(1, 2, 129, 129, 64, 0), SHAPE(1, 1, 200, 300, 80, 0),
    SHAPE(1, 6, 20, 150, 9, 3), SHAPE(1, 1, 3, 260, 130, 0),
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

START_TEST(against_reference)
{
    for (int i = 0; use_isa(_i) && i < SHAPES; i++)
        for (int causal = 0; causal < 2; causal++)
            for (int layout = ATTENTION_DENSE; layout <= ATTENTION_FUSED; layout++) {
                if (layout == ATTENTION_FUSED && shapes[i].queries != shapes[i].keys)
                    continue;
                ck_assert_int_eq(gg_set_threads(1 + (i + layout) % 3), GG_OK);
                support_misalign((i * 5 + layout) % 16);
                const attention_case c = attention_case_make(&shapes[i], &(gg_attention_options){.causal = causal},
                                                             (attention_layout)layout, (uint64_t)(i * 10));
                attention_case_check(&c);
                support_release();
            }
}
END_TEST

/* A bias for each sample and head, or shared, a position behind cached keys, another scale, lengths that end anywhere:
 * also with no key at all. */
START_TEST(masks)
{
    static const int32_t lengths[] = {0, 1, 64, 100, 131};
    const gg_attention_shape shape = SHAPE(5, 2, 90, 131, 12, 0);
    const float *bias = support_uniform(5 * 2 * 90 * 131, -3.0, 3.0, 9);
    const gg_attention_options options[] = {
        {.key_lengths = lengths},
        {.causal = true, .first_query = 41},
        {.causal = true, .first_query = 1000},
        {.causal = true, .key_lengths = lengths, .scale = 1.5f},
        {.bias = bias, .bias_query = 131, .scale = -0.5f},
        {.bias = bias, .bias_sample = 2 * 90 * 131, .bias_head = 90 * 131, .bias_query = 131, .causal = true},
        {.bias = bias, .bias_head = 131, .key_lengths = lengths},
    };
    for (int i = 0; use_isa(_i) && i < (int)(sizeof options / sizeof *options); i++) {
        const attention_case c =
            attention_case_make(&shape, &options[i], i % 2 == 0 ? ATTENTION_DENSE : ATTENTION_STEPS_FIRST, 20);
        attention_case_check(&c);
    }
}
END_TEST

/* Scores of some hundreds: e^s alone would overflow, and the running maximum moves from tile to tile. */
START_TEST(large_scores)
{
    for (int i = 0; use_isa(_i) && i < 2; i++) {
        const attention_case c = attention_case_make(
            &(gg_attention_shape)SHAPE(1, 2, 70, 300, 16, 0),
            &(gg_attention_options){.scale = 40.0f, .causal = i == 1, .first_query = 200}, ATTENTION_DENSE, 30);
        for (int64_t j = 0; j < c.k_floats; j++) /* later keys are larger */
            c.k[j] *= (float)(j / 32) / 300.0f;
        attention_case_check(&c);
    }
}
END_TEST

/* Other keys and values behind a query change nothing in its row, not a bit, nor its gradient. */
START_TEST(causal_rows_never_see_the_future)
{
    static const int64_t moments[] = {0, 1, 62, 63, 64, 100, 127, 128, 197};
    const gg_attention_shape shape = SHAPE(1, 2, 200, 200, 24, 0);
    const int64_t row = shape.heads * shape.width;
    const attention_case before =
        attention_case_make(&shape, &(gg_attention_options){.causal = true}, ATTENTION_DENSE, 40);
    ck_assert_int_eq(attention_case_forward(&before), GG_OK);
    ck_assert_int_eq(attention_case_backward(&before), GG_OK);
    for (int i = 0; i < 9; i++) {
        attention_case after = attention_case_make(&shape, &before.options, ATTENTION_DENSE, 40);
        const int64_t seen = (moments[i] + 1) * row;
        support_fill(after.k + seen, after.k_floats - seen, -9.0, 9.0, 50);
        support_fill(after.v + seen, after.v_floats - seen, -9.0, 9.0, 51);
        support_fill(after.q + seen, after.q_floats - seen, -9.0, 9.0, 52);
        ck_assert_int_eq(attention_case_forward(&after), GG_OK);
        ck_assert_int_eq(attention_case_backward(&after), GG_OK);
        ck_assert_mem_eq(after.o, before.o, (size_t)seen * sizeof *after.o);
        ck_assert_mem_eq(after.dq, before.dq, (size_t)seen * sizeof *after.dq);
        ck_assert(memcmp(after.o + seen, before.o + seen, (size_t)row * sizeof *after.o) != 0);
    }
}
END_TEST

/* Beyond a sample's length nothing is read, not even NaN, and gradients are zeros there. */
START_TEST(padding_is_not_read)
{
    static const int32_t lengths[] = {0, 5, 64, 77};
    const gg_attention_shape shape = SHAPE(4, 2, 33, 90, 8, 1);
    attention_case c =
        attention_case_make(&shape, &(gg_attention_options){.key_lengths = lengths}, ATTENTION_DENSE, 60);
    const int64_t row = shape.kv_heads * shape.width;
    for (int64_t i = 0; i < c.k_floats; i++)
        if (i / row % shape.keys >= lengths[i / row / shape.keys])
            c.k[i] = c.v[i] = NAN;
    ck_assert_int_eq(attention_case_forward(&c), GG_OK);
    ck_assert_int_eq(attention_case_backward(&c), GG_OK);
    for (int64_t i = 0; i < c.o_floats; i++)
        ck_assert(i < 33 * 16 ? c.o[i] == 0.0f && c.dq[i] == 0.0f : isfinite(c.o[i]) && isfinite(c.dq[i]));
    for (int64_t i = 0; i < c.k_floats; i++)
        if (i / row % shape.keys >= lengths[i / row / shape.keys])
            ck_assert(c.dk[i] == 0.0f && c.dv[i] == 0.0f);
        else
            ck_assert(isfinite(c.dk[i]) && isfinite(c.dv[i]));
}
END_TEST

/* A bias of -infinity hides: a row without anything left gives zeros, not NaN; its gradients are zeros. */
START_TEST(hidden_rows_give_zeros)
{
    enum { QUERIES = 70, KEYS = 140, WIDTH = 8 };
    const gg_attention_shape shape = SHAPE(1, 1, QUERIES, KEYS, WIDTH, 0);
    float *bias = support_uniform(QUERIES * KEYS, -1.0, 1.0, 70);
    for (int i = 0; use_isa(_i) && i < QUERIES * KEYS; i++)
        if (i / KEYS % 3 == 0 || i % 5 == 0 || (i / KEYS % 3 == 1 && i % KEYS < 100))
            bias[i] = -INFINITY;
    for (int causal = 0; causal < 2; causal++) { /* what the bias leaves of some rows lies in the future */
        const gg_attention_options o = {.bias = bias, .bias_query = KEYS, .causal = causal != 0};
        const attention_case c = attention_case_make(&shape, &o, ATTENTION_DENSE, 71);
        attention_case_check(&c);
        for (int64_t i = 0; i < c.o_floats; i++)
            if (i / WIDTH % 3 == 0 || (causal != 0 && i / WIDTH % 3 == 1))
                ck_assert(c.o[i] == 0.0f && c.dq[i] == 0.0f);
        ck_assert(c.lse[0] == -INFINITY && isfinite(c.lse[2]) && (isfinite(c.lse[1]) != 0) == (causal == 0));
    }
}
END_TEST

/* A NaN spoils its query's row, and no other. */
START_TEST(nan_stays_in_its_row)
{
    const attention_case c = attention_case_make(&(gg_attention_shape)SHAPE(1, 1, 80, 90, 16, 0),
                                                 &(gg_attention_options){0}, ATTENTION_DENSE, 80);
    c.q[3 * 16 + 5] = NAN;
    for (int i = 0; use_isa(_i) && i < 1; i++) {
        ck_assert_int_eq(attention_case_forward(&c), GG_OK);
        for (int64_t j = 0; j < c.o_floats; j++)
            ck_assert_int_eq(!!isnan(c.o[j]), j / 16 == 3);
    }
}
END_TEST

/* Forward: the same bits for any number of threads. Backward: for the same number, whatever was in the workspace; heads
 * are cut where there are fewer of them than threads. */
START_TEST(any_number_of_threads)
{
    static const int32_t lengths[] = {300, 11};
    const gg_attention_shape cut[] = {SHAPE(2, 1, 400, 300, 16, 0), SHAPE(1, 2, 333, 333, 8, 1),
                                      SHAPE(2, 3, 10, 300, 8, 0)};
    for (int i = 0; i < 3; i++) {
        attention_case first = {0};
        for (int threads = 1; threads <= 4; threads++) {
            ck_assert_int_eq(gg_set_threads(threads), GG_OK);
            const attention_case c = attention_case_make(
                &cut[i], &(gg_attention_options){.causal = i == 1, .key_lengths = i == 0 ? lengths : NULL},
                ATTENTION_DENSE, 90);
            attention_case_check(&c);
            if (threads == 1)
                first = c;
            ck_assert_mem_eq(c.o, first.o, (size_t)c.o_floats * sizeof *c.o);
            ck_assert_mem_eq(c.dq, first.dq, (size_t)c.q_floats * sizeof *c.dq);
            const float *dk = support_copy(c.dk, c.k_floats), *dv = support_copy(c.dv, c.v_floats);
            support_fill(c.workspace, c.backward_floats, -1.0, 1.0, 91);
            ck_assert_int_eq(attention_case_backward(&c), GG_OK);
            ck_assert_mem_eq(c.dk, dk, (size_t)c.k_floats * sizeof *dk);
            ck_assert_mem_eq(c.dv, dv, (size_t)c.v_floats * sizeof *dv);
        }
        support_release();
    }
}
END_TEST

/* A gradient that is not wanted changes no other, cut heads or not. */
START_TEST(some_gradients)
{
    const gg_attention_shape shape = SHAPE(1, 2, 130, 90, 8, 1);
    const attention_case c = attention_case_make(&shape, &(gg_attention_options){.causal = true}, ATTENTION_DENSE, 120);
    ck_assert_int_eq(gg_set_threads(3), GG_OK);
    ck_assert_int_eq(attention_case_forward(&c), GG_OK);
    ck_assert_int_eq(attention_case_backward(&c), GG_OK);
    for (int wanted = 0; wanted < 8; wanted++) {
        attention_case some = c;
        some.dq = (wanted & 1) != 0 ? support_floats(c.q_floats) : NULL;
        some.dk = (wanted & 2) != 0 ? support_floats(c.k_floats) : NULL;
        some.dv = (wanted & 4) != 0 ? support_floats(c.v_floats) : NULL;
        ck_assert_int_eq(attention_case_backward(&some), GG_OK);
        if (some.dq != NULL)
            ck_assert_mem_eq(some.dq, c.dq, (size_t)c.q_floats * sizeof *c.dq);
        if (some.dk != NULL)
            ck_assert_mem_eq(some.dk, c.dk, (size_t)c.k_floats * sizeof *c.dk);
        if (some.dv != NULL)
            ck_assert_mem_eq(some.dv, c.dv, (size_t)c.v_floats * sizeof *c.dv);
    }
}
END_TEST

/* No samples or queries: nothing; without keys every row is empty, without queries gradients of keys are zeros. */
START_TEST(nothing_to_do)
{
    static const gg_attention_shape empty[] = {SHAPE(0, 2, 3, 4, 5, 0), SHAPE(2, 2, 0, 4, 5, 0),
                                               SHAPE(2, 2, 3, 0, 5, 0)};
    for (int i = 0; i < 3; i++) {
        const attention_case c = attention_case_make(&empty[i], &(gg_attention_options){0}, ATTENTION_DENSE, 100);
        ck_assert_int_eq(attention_case_forward(&c), GG_OK);
        ck_assert_int_eq(attention_case_backward(&c), GG_OK);
        for (int64_t j = 0; j < c.o_floats; j++)
            ck_assert(c.o[j] == 0.0f && c.dq[j] == 0.0f);
        for (int64_t j = 0; j < c.lse_floats; j++)
            ck_assert(c.lse[j] == -INFINITY);
        for (int64_t j = 0; j < c.k_floats; j++)
            ck_assert(c.dk[j] == 0.0f && c.dv[j] == 0.0f);
        ck_assert_int_eq(gg_attention_forward(c.o, NULL, c.q, c.k, c.v, &c.shape, NULL, c.workspace, c.forward_floats),
                         GG_OK);
    }
}
END_TEST

/* Enough for every smaller call with the same width. */
START_TEST(workspace_covers_smaller_shapes)
{
    int64_t forward, backward, smaller_forward, smaller_backward;
    ck_assert_int_eq(gg_set_threads(3), GG_OK);
    gg_attention_shape shape = SHAPE(4, 6, 200, 300, 17, 3);
    ck_assert_int_eq(gg_attention_workspace(&forward, &backward, &shape), GG_OK);
    static const gg_attention_shape smaller[] = {SHAPE(1, 6, 200, 300, 17, 3), SHAPE(4, 1, 1, 300, 17, 1),
                                                 SHAPE(9, 6, 200, 7, 17, 6)};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(gg_attention_workspace(&smaller_forward, &smaller_backward, &smaller[i]), GG_OK);
        ck_assert(smaller_forward <= forward && smaller_backward <= backward);
    }
    support_assert_fails(gg_attention_workspace(&forward, NULL, NULL), GG_ERR_ARGUMENT, "gg_attention_workspace",
                         "shape is NULL");
    shape.keys = INT32_MAX;
    shape.width = INT32_MAX / 6;
    support_assert_fails(gg_attention_workspace(&forward, NULL, &shape), GG_ERR_OVERFLOW, "gg_attention_workspace",
                         "too many");
}
END_TEST

START_TEST(wrong_arguments)
{
    static const int32_t lengths[] = {3, 8};
    const attention_case right = attention_case_make(&(gg_attention_shape)SHAPE(2, 4, 5, 7, 6, 2),
                                                     &(gg_attention_options){0}, ATTENTION_DENSE, 110);
    attention_case c;
#define BOTH_FAIL(change, status, text)                                                           \
    do {                                                                                          \
        c = right;                                                                                \
        change;                                                                                   \
        support_assert_fails(attention_case_forward(&c), status, "gg_attention_forward", text);   \
        support_assert_fails(attention_case_backward(&c), status, "gg_attention_backward", text); \
    } while (0)
    BOTH_FAIL(c.q = NULL, GG_ERR_ARGUMENT, "q is NULL");
    BOTH_FAIL(c.k = NULL, GG_ERR_ARGUMENT, "k is NULL");
    BOTH_FAIL(c.v = NULL, GG_ERR_ARGUMENT, "v is NULL");
    BOTH_FAIL(c.o = NULL, GG_ERR_ARGUMENT, "o is NULL");
    BOTH_FAIL(c.workspace = NULL, GG_ERR_ARGUMENT, "workspace is NULL");
    BOTH_FAIL((c.forward_floats--, c.backward_floats--), GG_ERR_ARGUMENT, "workspace has");
    BOTH_FAIL(c.shape.samples = -1, GG_ERR_ARGUMENT, "-1 samples");
    BOTH_FAIL(c.shape.queries = -2, GG_ERR_ARGUMENT, "-2 queries");
    BOTH_FAIL(c.shape.keys = -3, GG_ERR_ARGUMENT, "-3 keys");
    BOTH_FAIL(c.shape.heads = 0, GG_ERR_ARGUMENT, "0 heads");
    BOTH_FAIL(c.shape.width = 0, GG_ERR_ARGUMENT, "width 0");
    BOTH_FAIL(c.shape.kv_heads = -1, GG_ERR_ARGUMENT, "-1 heads of keys");
    BOTH_FAIL(c.shape.kv_heads = 3, GG_ERR_SHAPE, "no multiple");
    BOTH_FAIL(c.shape.keys = INT64_MAX, GG_ERR_OVERFLOW, "9223372036854775807 keys");
    BOTH_FAIL(c.shape.samples = INT64_MAX, GG_ERR_OVERFLOW, "9223372036854775807 samples");
    BOTH_FAIL(c.shape.k.step = 11, GG_ERR_SHAPE, "k has strides");
    BOTH_FAIL(c.shape.v.step = (int64_t)INT32_MAX + 1, GG_ERR_OVERFLOW, "v of 2 samples");
    BOTH_FAIL((c.shape.q.step = 24, c.shape.q.sample = -1), GG_ERR_ARGUMENT, "q has strides of -1");
    BOTH_FAIL((c.shape.q.step = 24, c.shape.q.sample = INT64_MAX), GG_ERR_OVERFLOW, "q of 2 samples");
    BOTH_FAIL(c.options.scale = NAN, GG_ERR_ARGUMENT, "scale is");
    BOTH_FAIL(c.options.first_query = -1, GG_ERR_ARGUMENT, "first_query -1");
    BOTH_FAIL(c.options.key_lengths = lengths, GG_ERR_ARGUMENT, "key_lengths[1] is 8");
    BOTH_FAIL((c.options.bias = c.q, c.options.bias_head = -1), GG_ERR_ARGUMENT, "bias_head -1");
    BOTH_FAIL((c.options.bias = c.q, c.options.bias_query = INT64_MAX), GG_ERR_OVERFLOW, "bias_query");
    c = right; /* samples side by side that are wider than the distance between steps */
    c.shape.o = (gg_attention_strides){24, 30};
    support_assert_fails(attention_case_forward(&c), GG_ERR_SHAPE, "gg_attention_forward", "overlap");
    c = right;
    c.shape.q = (gg_attention_strides){100, 24};
    support_assert_fails(attention_case_backward(&c), GG_ERR_SHAPE, "gg_attention_backward", "overlap");
#define BACKWARD_FAILS(change, text)                                                                       \
    do {                                                                                                   \
        c = right;                                                                                         \
        change;                                                                                            \
        support_assert_fails(attention_case_backward(&c), GG_ERR_ARGUMENT, "gg_attention_backward", text); \
    } while (0)
    BACKWARD_FAILS(c.d_o = NULL, "d_o is NULL");
    BACKWARD_FAILS(c.lse = NULL, "lse is NULL");
    ck_assert(support_untouched(right.o, right.o_floats) && support_untouched(right.dq, right.q_floats));
    ck_assert(support_untouched(right.dk, right.k_floats) && support_untouched(right.lse, right.lse_floats));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, against_reference, 0, ISA_COUNT);
    tcase_add_loop_test(tests, masks, 0, ISA_COUNT);
    tcase_add_loop_test(tests, large_scores, 0, ISA_COUNT);
    tcase_add_test(tests, causal_rows_never_see_the_future);
    tcase_add_test(tests, padding_is_not_read);
    tcase_add_loop_test(tests, hidden_rows_give_zeros, 0, ISA_COUNT);
    tcase_add_loop_test(tests, nan_stays_in_its_row, 0, ISA_COUNT);
    tcase_add_test(tests, any_number_of_threads);
    tcase_add_test(tests, some_gradients);
    tcase_add_test(tests, nothing_to_do);
    tcase_add_test(tests, workspace_covers_smaller_shapes);
    tcase_add_test(tests, wrong_arguments);
}

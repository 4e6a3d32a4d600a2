/* test_bench_check.c - the data of a case; what the checks of a training step and of a factorisation refuse. */
#include "bench_check_step.h"

#include <math.h>
#include <string.h>

#include <check.h>

#include "bench_check.h"
#include "bench_lapack.h"
#include "reference_layers.h"
#include "support.h"

enum { BATCH = 12, IN = 6, OUT = 5, PART = 4 };

/* ---- a case: x W + b, softmax, and what this file does to the reference's gradients ---- */

static int parts_spoilt;   /* the first so many */
static double spoilt_by;   /* times the largest of W, added to one element of it */
static double scaled_by;   /* times all gradients */
static double loss_off_by; /* added */
static int64_t references; /* asked for so far */
static bool between_samples;

static bench_reference reference;
static const bench_step step = {.sample = IN, .part = PART, .reference = reference};

static gg_status open_affine(bench_work *work)
{
    work->x = bench_take_data(work, BATCH * IN);
    work->labels = bench_take_labels(work, BATCH, OUT);
    ck_assert_int_eq(work->status, GG_OK);
    ck_assert_int_eq(gg_model_new(&work->model, 1), GG_OK);
    work->input = gg_input(work->model, "x", 2, (int64_t[]){GG_BATCH, IN});
    work->targets = gg_input_labels(work->model, "t", 1, (int64_t[]){GG_BATCH});
    gg_value x = gg_affine(work->model, work->input, OUT, NULL);
    if (between_samples)
        x = gg_batch_normalization(work->model, x, NULL);
    work->loss = gg_softmax_with_loss(work->model, x, work->targets);
    ck_assert_int_eq(gg_model_plan(work->model, work->loss, BATCH), GG_OK);
    return bench_step_take(work, &step, 0, BATCH);
}

static void close_affine(bench_work *work)
{
    gg_model_free(work->model);
}

static gg_status run_nothing(bench_work *work)
{
    (void)work;
    return GG_OK;
}

static gg_status check_affine(bench_work *work, int variant)
{
    (void)variant;
    return bench_check_step(work, &step);
}

static const bench_kind affine = {
    .name = "affine",
    .variants = {{"", run_nothing}},
    .open = open_affine,
    .check = check_affine,
    .close = close_affine,
};

static const bench_case cases[] = {{"tests", "group", &affine, 0, {BATCH}}, {"tests", "group", &affine, 0, {BATCH, 1}}};

static void spoil(double *dw)
{
    double largest = 0.0;
    for (int i = 0; i < IN * OUT; i++)
        largest = fmax(largest, fabs(dw[i]));
    dw[7] += spoilt_by * largest;
}

static void run_reference(bench_work *work, int64_t first, int64_t count, double *loss, double *gradients)
{
    gg_parameter w, b;
    ck_assert_int_eq(gg_model_parameter(work->model, 0, &w), GG_OK);
    ck_assert_int_eq(gg_model_parameter(work->model, 1, &b), GG_OK);
    double y[PART * OUT], dy[PART * OUT], dx[PART * IN], one = 1.0;
    reference_pass product = {.rows = count, .columns = IN, .out = OUT, .y = y, .dy = dy, .dx = {dx}};
    product.x[0] = bench_check_doubles(work, work->x + first * IN, count * IN);
    product.w = bench_check_doubles(work, gg_model_parameters(work->model) + w.offset, w.size);
    product.b = bench_check_doubles(work, gg_model_parameters(work->model) + b.offset, b.size);
    product.dw = gradients + w.offset;
    product.db = gradients + b.offset;
    reference_pass end = {.rows = count, .columns = OUT, .x = {y}, .dx = {dy}, .y = loss, .dy = &one};
    end.labels = work->labels + first;
    reference_affine.forward(&product);
    reference_softmax_with_loss.forward(&end);
    reference_softmax_with_loss.backward(&end);
    reference_affine.backward(&product);
    if (references++ < parts_spoilt)
        spoil(product.dw);
    for (int64_t i = 0; i < w.size; i++)
        product.dw[i] *= scaled_by;
}

static gg_status reference(bench_work *work, int64_t first, int64_t count, double *loss, double *gradients)
{
    ck_assert_int_le(count, PART);
    if (!between_samples)
        run_reference(work, first, count, loss, gradients);
    *loss += loss_off_by;
    return work->status;
}

/* ---- tests ---- */

static void setup(void)
{
    parts_spoilt = 0;
    spoilt_by = loss_off_by = 0.0;
    scaled_by = 1.0;
    references = 0;
    between_samples = false;
}

static gg_status check_result(void)
{
    bench_work work;
    references = 0;
    ck_assert_int_eq(bench_work_open(&work, &cases[0]), GG_OK);
    const int kept = work.buffer_count;
    const gg_status status = bench_check(&work, 0);
    ck_assert_int_eq(work.buffer_count, kept);
    bench_work_close(&work);
    return status;
}

static void assert_refused(const char *words)
{
    ck_assert_int_eq(check_result(), GG_ERR_NUMERIC);
    ck_assert_msg(strstr(gg_error_message(), words) != NULL, "'%s' not in: %s", words, gg_error_message());
}

START_TEST(what_is_right_passes_at_its_first_part)
{
    ck_assert_msg(check_result() == GG_OK, "%s", gg_error_message());
    ck_assert_int_eq(references, 1);
}
END_TEST

START_TEST(a_flip_in_some_parts_passes)
{
    spoilt_by = 0.1;
    for (parts_spoilt = 1; parts_spoilt < BATCH / PART; parts_spoilt++) {
        ck_assert_msg(check_result() == GG_OK, "%s", gg_error_message());
        ck_assert_int_eq(references, parts_spoilt + 1);
    }
}
END_TEST

START_TEST(a_mistake_in_all_parts_is_found)
{
    parts_spoilt = BATCH / PART;
    spoilt_by = 0.001;
    assert_refused("the reference in double has");
    spoilt_by = 0.0;
    scaled_by = 1.0005;
    assert_refused("off by 0.0005 of the largest, allowed 0.0001");
    scaled_by = (double)NAN;
    assert_refused("nan");
}
END_TEST

START_TEST(more_than_a_flip_is_found_in_one_part)
{
    parts_spoilt = 1;
    spoilt_by = 2.0;
    assert_refused("of its norm away from the reference");
    spoilt_by = (double)NAN;
    assert_refused("nan");
}
END_TEST

START_TEST(a_wrong_loss_is_found)
{
    loss_off_by = 1e-3;
    assert_refused("loss[0]");
}
END_TEST

/* Normalisation over the batch: parts have other statistics, and the batch's gradient is not the mean of theirs. */
START_TEST(a_batch_that_is_not_its_parts_is_found)
{
    bench_work work;
    between_samples = true;
    ck_assert_int_eq(bench_work_open(&work, &cases[0]), GG_OK);
    ck_assert_int_eq(bench_check_whole(&work, &step), GG_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(gg_error_message(), "the mean of the batch's parts"));
    bench_work_close(&work);
    between_samples = false;
    ck_assert_int_eq(bench_work_open(&work, &cases[0]), GG_OK);
    ck_assert_int_eq(bench_check_whole(&work, &step), GG_OK);
    bench_work_close(&work);
}
END_TEST

START_TEST(data_hang_on_the_case_alone)
{
    bench_work alone, other, again;
    ck_assert_int_eq(bench_work_open(&alone, &cases[0]), GG_OK);
    ck_assert_int_eq(bench_work_open(&other, &cases[1]), GG_OK);
    ck_assert_int_eq(bench_work_open(&again, &cases[0]), GG_OK);
    ck_assert_mem_eq(again.x, alone.x, BATCH * IN * sizeof *alone.x);
    ck_assert_mem_eq(again.labels, alone.labels, BATCH * sizeof *alone.labels);
    ck_assert_mem_ne(other.x, alone.x, BATCH * IN * sizeof *alone.x);
    const float *second = bench_take_data(&again, BATCH * IN);
    ck_assert_mem_ne(second, again.x, BATCH * IN * sizeof *second);
    bench_work_close(&alone);
    bench_work_close(&other);
    bench_work_close(&again);
}
END_TEST

/* A factor that lacks one element: only one row of the product tells. */
START_TEST(one_element_that_is_not_written_is_found)
{
    bench_work work = {.line = &cases[0]};
    float whole[] = {1.0f, 0.0f, 0.0f, 1.0f}, missing[] = {NAN, 0.0f, 0.0f, 1.0f};
    work.x = whole;
    ck_assert_int_eq(bench_lapack_check_factors(&work, whole, NULL, whole, false, 2, 2, 2), GG_OK);
    ck_assert_int_eq(bench_lapack_check_factors(&work, missing, NULL, whole, false, 2, 2, 2), GG_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(gg_error_message(), "nan"));
    bench_release(&work, 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, one_element_that_is_not_written_is_found);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, what_is_right_passes_at_its_first_part);
    tcase_add_test(tests, a_flip_in_some_parts_passes);
    tcase_add_test(tests, a_mistake_in_all_parts_is_found);
    tcase_add_test(tests, more_than_a_flip_is_found_in_one_part);
    tcase_add_test(tests, a_wrong_loss_is_found);
    tcase_add_test(tests, a_batch_that_is_not_its_parts_is_found);
    tcase_add_test(tests, data_hang_on_the_case_alone);
}

/* test_text.c - texts as bytes and numbers; windows of parallel streams; training that carries states and is resumed in
 * the midst of an epoch. */
#include <gemmgrad/text.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/sequence.h>
#include <gemmgrad/softmax.h>
#include <gemmgrad/tales.h>
#include <gemmgrad/trainer.h>

#include "node.h"
#include "scratch.h"
#include "support.h"

static void setup(void)
{
    scratch_make_folder();
}

static void teardown(void)
{
    scratch_remove_folder();
}

/* ---- files ---- */

START_TEST(any_bytes_are_a_text)
{
    const char bytes[] = "a\0b\r\n\xff";
    char *text = NULL;
    int64_t size = 0;
    scratch_write(scratch_path("t"), bytes, sizeof bytes - 1);
    ck_assert_int_eq(gg_text_read(&text, &size, scratch_path("t")), GG_OK);
    ck_assert_int_eq(size, sizeof bytes - 1);
    ck_assert_mem_eq(text, bytes, sizeof bytes); /* and the zero behind */
    gg_free(text);
}
END_TEST

START_TEST(files_that_are_none)
{
    char *text = NULL;
    int64_t size = 7;
    scratch_write(scratch_path("t"), "", 0);
    support_assert_fails(gg_text_read(&text, &size, scratch_path("t")), GG_ERR_FORMAT, "gg_text_read", "is empty");
    support_assert_fails(gg_text_read(&text, &size, scratch_path("none")), GG_ERR_IO, "none", strerror(ENOENT));
    support_assert_fails(gg_text_read(&text, &size, scratch_path(".")), GG_ERR_IO, "gg_text_read", strerror(EISDIR));
    support_assert_fails(gg_text_read(NULL, &size, "x"), GG_ERR_ARGUMENT, "gg_text_read", "text");
    support_assert_fails(gg_text_read(&text, NULL, "x"), GG_ERR_ARGUMENT, "gg_text_read", "size");
    support_assert_fails(gg_text_read(&text, &size, NULL), GG_ERR_ARGUMENT, "gg_text_read", "path");
    ck_assert(text == NULL && size == 7);
}
END_TEST

/* ---- characters ---- */

START_TEST(characters_are_sorted)
{
    gg_characters c = {.count = 0}, again;
    char saved[GG_CHARACTERS_TEXT];
    int32_t numbers[5];
    ck_assert_int_eq(gg_characters_add(&c, "cab", 3), GG_OK);
    ck_assert_int_eq(gg_characters_add(&c, "b\0\xff", 3), GG_OK);
    ck_assert_int_eq(c.count, 5);
    ck_assert_mem_eq(c.bytes, "\0abc\xff", 5);
    ck_assert_int_eq(gg_characters_encode(numbers, "c\xff\0a", 4, &c), GG_OK);
    ck_assert(numbers[0] == 3 && numbers[1] == 4 && numbers[2] == 0 && numbers[3] == 1);
    gg_characters_save(saved, &c);
    ck_assert_str_eq(saved, "00616263ff");
    ck_assert_int_eq(gg_characters_load(&again, saved), GG_OK);
    ck_assert_mem_eq(&again, &c, sizeof c);
    support_assert_fails(gg_characters_encode(numbers, "abx", 3, &c), GG_ERR_ARGUMENT, "gg_characters_encode",
                         "character 2, 'x' (byte 120)");
    support_assert_fails(gg_characters_encode(numbers, "a", 1, &(gg_characters){.count = 0}), GG_ERR_ARGUMENT,
                         "gg_characters_encode", "none of the 0");
    support_assert_fails(gg_characters_add(&c, NULL, 1), GG_ERR_ARGUMENT, "gg_characters_add", "no text");
}
END_TEST

START_TEST(all_bytes_have_a_number)
{
    gg_characters c = {.count = 0}, again;
    char all[256], saved[GG_CHARACTERS_TEXT];
    for (int b = 0; b < 256; b++)
        all[b] = (char)b;
    ck_assert_int_eq(gg_characters_add(&c, all, 256), GG_OK);
    ck_assert_int_eq(c.count, 256);
    gg_characters_save(saved, &c);
    ck_assert_int_eq(gg_characters_load(&again, saved), GG_OK);
    ck_assert_mem_eq(&again, &c, sizeof c);
}
END_TEST

START_TEST(bad_lists_of_characters)
{
    static const char *const bad[] = {"6", "616", "6g", "G1", "6161", "6261", "61 62", "A1"};
    gg_characters c = {.count = 3};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(gg_characters_load(&c, bad[i]), GG_ERR_FORMAT);
    ck_assert_int_eq(c.count, 3);
    ck_assert_int_eq(gg_characters_load(&c, ""), GG_OK);
    ck_assert_int_eq(c.count, 0);
}
END_TEST

/* ---- tales ---- */

START_TEST(tales_are_told_the_same)
{
    char text[5000], shorter[777], other[5000];
    ck_assert_int_eq(gg_tales_write(text, 5000, 1), GG_OK);
    ck_assert_int_eq(gg_tales_write(shorter, 777, 1), GG_OK);
    ck_assert_int_eq(gg_tales_write(other, 5000, 2), GG_OK);
    ck_assert_mem_eq(text, shorter, 777);
    ck_assert_int_ne(memcmp(text, other, 5000), 0);
    for (int i = 0; i < 5000; i++)
        ck_assert((text[i] >= ' ' && text[i] < 127 && text[i] != '{' && text[i] != '}' && text[i] != '+')
                  || text[i] == '\n');
    ck_assert_int_eq(gg_tales_write(NULL, 0, 1), GG_OK);
    support_assert_fails(gg_tales_write(NULL, 1, 1), GG_ERR_ARGUMENT, "gg_tales_write", "text");
    support_assert_fails(gg_tales_write(text, -1, 1), GG_ERR_ARGUMENT, "gg_tales_write", "size");
}
END_TEST

/* ---- a model and its windows ---- */

enum { CLASSES = 5, TEXT = 230, TRAIN = 200, MOST_STREAMS = 8, MOST_WINDOW = 64 };

static int32_t text[TEXT];

typedef struct reader {
    gg_model *model;
    gg_windows *windows;
    gg_optimizer *optimizer;
    gg_trainer *trainer;
    gg_windows_options options;
} reader;

/* text[i] follows from the two before it, with some noise. */
static void make_text(void)
{
    uint64_t state = 1;
    for (int i = 0; i < TEXT; i++)
        text[i] = i < 2 ? i : (int32_t)((text[i - 1] + 2 * text[i - 2] + (support_random(&state) % 8 == 0)) % CLASSES);
}

static reader open_reader(int64_t streams, int64_t window, bool keeps_scores)
{
    reader r = {.options = {.text = text, .train_count = TRAIN, .test_count = TEXT - TRAIN, .seed = 4}};
    const int64_t dims[] = {GG_TIME, GG_BATCH};
    make_text();
    ck_assert_int_eq(gg_model_new(&r.model, 3), GG_OK);
    r.options.streams = streams;
    r.options.window = window;
    r.options.input = gg_input_labels(r.model, "x", 2, dims);
    r.options.labels = gg_input_labels(r.model, "t", 2, dims);
    gg_value h = gg_embedding(r.model, r.options.input, CLASSES, 6, NULL);
    h = gg_lstm(r.model, h, 7, &(gg_recurrent_options){.stateful = true}, NULL);
    r.options.scores = gg_affine(r.model, h, CLASSES, NULL);
    r.options.loss = gg_softmax_with_loss(r.model, r.options.scores, r.options.labels);
    if (keeps_scores)
        ck_assert_int_eq(gg_model_keep(r.model, r.options.scores, false), GG_OK);
    ck_assert_int_eq(gg_model_set_largest(r.model, GG_TIME, window), GG_OK);
    ck_assert_msg(gg_model_plan(r.model, r.options.loss, streams) == GG_OK, "%s", gg_error_message());
    ck_assert_msg(gg_windows_new(&r.windows, &r.options) == GG_OK, "%s", gg_error_message());
    ck_assert_int_eq(gg_optimizer_new(&r.optimizer, r.model, &(gg_optimizer_options){.kind = GG_ADAM}), GG_OK);
    ck_assert_int_eq(gg_trainer_new(&r.trainer, &(gg_trainer_options){.model = r.model,
                                                                      .loss = r.options.loss,
                                                                      .optimizer = r.optimizer,
                                                                      .schedule = {.rate = 0.01f},
                                                                      .source = gg_windows_source(r.windows)}),
                     GG_OK);
    return r;
}

static void close_reader(reader *r)
{
    gg_trainer_free(r->trainer);
    gg_optimizer_free(r->optimizer);
    gg_model_free(r->model);
    gg_windows_free(r->windows);
}

static void steps(reader *r, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(gg_trainer_step(r->trainer) == GG_OK, "%s", gg_error_message());
}

static const int64_t cuts[][2] = {{1, 1}, {1, 10}, {3, 7}, {4, 50}, {7, 16}, {8, 64}, {2, 64}};
enum { CUTS = sizeof cuts / sizeof *cuts };

/* What is bound to an input now. */
static const int32_t *bound(const reader *r, gg_value input)
{
    return r->model->values[input.id].labels;
}

/* Each pair of neighbours of the ring but one is met once an epoch; the windows of a stream follow one another. */
START_TEST(every_character_counts_once)
{
    const int64_t streams = cuts[_i][0], window = cuts[_i][1];
    reader r = open_reader(streams, window, true);
    const gg_source *source = gg_windows_source(r.windows);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        int32_t follows[MOST_STREAMS];
        int64_t missing[CLASSES][CLASSES] = {{0}}, all = 0, left = 0;
        for (int64_t i = 0; i < TRAIN; i++)
            missing[text[i]][text[(i + 1) % TRAIN]]++;
        for (int64_t step = 0; step < source->steps; step++) {
            int64_t counted = -1, labels = 0;
            ck_assert_int_eq(source->bind(source->context, r.model, epoch, step, &counted), GG_OK);
            const int32_t *x = bound(&r, r.options.input), *t = bound(&r, r.options.labels);
            const int64_t rows = gg_model_size(r.model, r.options.labels);
            ck_assert(rows % streams == 0 && rows <= streams * window);
            for (int64_t i = 0; i < rows; i++) {
                if (t[i] == GG_IGNORE_LABEL)
                    continue;
                ck_assert(i < streams ? step == 0 || x[i] == follows[i] : x[i] == t[i - streams]);
                missing[x[i]][t[i]]--;
                labels++;
            }
            for (int64_t i = 0; i < streams; i++)
                follows[i] = t[rows - streams + i];
            ck_assert_int_eq(labels, counted);
            all += counted;
        }
        ck_assert_int_eq(all, TRAIN - 1);
        for (int i = 0; i < CLASSES * CLASSES; i++) {
            ck_assert_int_ge(missing[i / CLASSES][i % CLASSES], 0);
            left += missing[i / CLASSES][i % CLASSES];
        }
        ck_assert_int_eq(left, 1);
    }
    close_reader(&r);
}
END_TEST

/* Another place in the text is where an epoch starts, the same one for the same seed and epoch. */
START_TEST(epochs_start_anywhere)
{
    enum { EPOCHS = 8, SEEN = 30 };
    reader r = open_reader(1, SEEN, true), again = open_reader(1, SEEN, true);
    int32_t first[EPOCHS][SEEN];
    int others = 0;
    for (int64_t epoch = 0; epoch < EPOCHS; epoch++) {
        const gg_source *source = gg_windows_source(r.windows), *same = gg_windows_source(again.windows);
        int64_t counted;
        ck_assert_int_eq(source->bind(source->context, r.model, epoch, 0, &counted), GG_OK);
        ck_assert_int_eq(same->bind(same->context, again.model, epoch, 0, &counted), GG_OK);
        memcpy(first[epoch], bound(&r, r.options.input), sizeof first[epoch]);
        ck_assert_mem_eq(first[epoch], bound(&again, again.options.input), sizeof first[epoch]);
        others += memcmp(first[epoch], first[0], sizeof first[0]) != 0;
    }
    ck_assert_int_ge(others, EPOCHS - 2); /* of 200 places, hardly the same twice */
    close_reader(&r);
    close_reader(&again);
}
END_TEST

/* The same loss however the test text is cut: states are carried from window to window. With one stream it is that of
 * the whole text in one run. */
START_TEST(evaluation_carries_the_state)
{
    reader whole = open_reader(1, 64, true), cut = open_reader(1, 5, true), blind = open_reader(1, 5, false);
    steps(&whole, gg_windows_source(whole.windows)->steps);
    const gg_source *source = gg_windows_source(cut.windows);
    gg_evaluation found = {NAN, NAN}, unseen = {NAN, NAN}, expected = {NAN, NAN};
    const size_t bytes = (size_t)gg_model_parameter_floats(whole.model) * sizeof(float);
    memcpy(gg_model_parameters(cut.model), gg_model_parameters(whole.model), bytes);
    memcpy(gg_model_parameters(blind.model), gg_model_parameters(whole.model), bytes);
    ck_assert_int_eq(source->evaluate(source->context, cut.model, 0, &found), GG_OK);
    source = gg_windows_source(blind.windows);
    ck_assert_int_eq(source->evaluate(source->context, blind.model, 0, &unseen), GG_OK);
    source = gg_windows_source(whole.windows);
    ck_assert_int_eq(source->evaluate(source->context, whole.model, 0, &expected), GG_OK);
    ck_assert_msg(fabs(found.loss - expected.loss) < 1e-5, "%g, expected %g", found.loss, expected.loss);
    ck_assert_double_eq(found.loss, unseen.loss);
    ck_assert_double_eq(found.accuracy, expected.accuracy);
    ck_assert(found.accuracy > 0.0 && found.accuracy <= 1.0);
    ck_assert(isnan(unseen.accuracy)); /* the scores were not kept */
    close_reader(&whole);
    close_reader(&cut);
    close_reader(&blind);
}
END_TEST

/* ---- training ---- */

static void expect_same_files(const char *a, const char *b)
{
    size_t size, other_size;
    char *bytes = scratch_read(scratch_path(a), &size), *others = scratch_read(scratch_path(b), &other_size);
    ck_assert_uint_eq(size, other_size);
    ck_assert_mem_eq(bytes, others, size);
    free(bytes);
    free(others);
}

/* Stopped at any step, with the state that is carried there: as if it had never stopped. */
START_TEST(resumed_in_the_midst)
{
    enum { ALL = 31 };
    for (int64_t stop = 0; stop < ALL; stop += 3) {
        reader whole = open_reader(3, 7, true), first = open_reader(3, 7, true), second = open_reader(3, 7, true);
        steps(&whole, ALL);
        steps(&first, stop);
        ck_assert_int_eq(gg_trainer_save(first.trainer, scratch_path("part"), "text"), GG_OK);
        steps(&second, 5); /* something else before */
        ck_assert_msg(gg_trainer_load(second.trainer, scratch_path("part"), "text") == GG_OK, "%s", gg_error_message());
        steps(&second, ALL - stop);
        ck_assert_int_eq(gg_trainer_save(whole.trainer, scratch_path("whole"), "text"), GG_OK);
        ck_assert_int_eq(gg_trainer_save(second.trainer, scratch_path("resumed"), "text"), GG_OK);
        expect_same_files("whole", "resumed");
        close_reader(&whole);
        close_reader(&first);
        close_reader(&second);
    }
}
END_TEST

START_TEST(losses_are_means_over_characters)
{
    reader r = open_reader(4, 9, true);
    const int64_t in_epoch = gg_windows_source(r.windows)->steps;
    double sum = 0.0;
    int64_t samples = 0;
    for (int64_t i = 0; i < in_epoch; i++) {
        steps(&r, 1);
        const gg_trainer_progress now = gg_trainer_where(r.trainer);
        sum += now.loss * (double)(now.samples - samples);
        samples = now.samples;
    }
    const gg_epoch_result *history = gg_trainer_history(r.trainer, NULL);
    ck_assert_int_eq(samples, TRAIN - 1);
    ck_assert(fabs(history[0].train_loss - sum / (TRAIN - 1)) < 1e-12);
    ck_assert(history[0].test_loss > 0.0 && history[0].test_accuracy >= 0.0);
    steps(&r, 9 * in_epoch);
    history = gg_trainer_history(r.trainer, NULL);
    ck_assert_double_lt(history[9].train_loss, history[0].train_loss);
    close_reader(&r);
}
END_TEST

/* An evaluation moves the carried states, and the trainer puts them back. */
START_TEST(evaluation_leaves_the_states)
{
    reader r = open_reader(2, 16, true), other = open_reader(2, 16, true);
    const int64_t floats = gg_model_state_floats(r.model), in_epoch = gg_windows_source(r.windows)->steps;
    gg_source silent = *gg_windows_source(other.windows);
    silent.evaluate = NULL;
    gg_trainer_free(other.trainer);
    ck_assert_int_eq(gg_trainer_new(&other.trainer, &(gg_trainer_options){.model = other.model,
                                                                          .loss = other.options.loss,
                                                                          .optimizer = other.optimizer,
                                                                          .schedule = {.rate = 0.01f},
                                                                          .source = &silent}),
                     GG_OK);
    steps(&r, in_epoch);
    steps(&other, in_epoch);
    ck_assert_int_gt(floats, 0);
    ck_assert_mem_eq(gg_model_states(r.model), gg_model_states(other.model), (size_t)floats * sizeof(float));
    ck_assert(isnan(gg_trainer_history(other.trainer, NULL)[0].test_loss));
    close_reader(&r);
    close_reader(&other);
}
END_TEST

/* A refused step leaves the states of the last one. */
START_TEST(refused_steps_leave_the_states)
{
    reader r = open_reader(2, 16, true);
    steps(&r, 2);
    const int64_t floats = gg_model_state_floats(r.model);
    float *states = support_copy(gg_model_states(r.model), floats), *weight = gg_model_parameters(r.model);
    const float right = weight[0];
    for (int64_t i = 0; i < 6 * CLASSES; i++)
        weight[i] = NAN;
    ck_assert_int_eq(gg_trainer_step(r.trainer), GG_ERR_NUMERIC);
    ck_assert_mem_eq(gg_model_states(r.model), states, (size_t)floats * sizeof *states);
    for (int64_t i = 0; i < 6 * CLASSES; i++)
        weight[i] = right;
    steps(&r, 1);
    close_reader(&r);
}
END_TEST

/* ---- wrong arguments ---- */

START_TEST(wrong_windows)
{
    reader r = open_reader(2, 4, true), other = open_reader(2, 5, true);
    gg_windows *none = NULL;
    gg_windows_options o[7];
    for (int i = 0; i < 7; i++)
        o[i] = r.options;
    o[0].text = NULL;
    o[1].train_count = 1;
    o[2].test_count = 1;
    o[3].test_count = -1;
    o[4].streams = 0;
    o[5].window = 0;
    o[6].streams = o[6].window = INT64_MAX / 2;
    for (int i = 0; i < 7; i++)
        ck_assert_int_eq(gg_windows_new(&none, &o[i]), i < 6 ? GG_ERR_ARGUMENT : GG_ERR_OVERFLOW);
    support_assert_fails(gg_windows_new(NULL, &r.options), GG_ERR_ARGUMENT, "gg_windows_new", "out");
    support_assert_fails(gg_windows_new(&none, NULL), GG_ERR_ARGUMENT, "gg_windows_new", "options");
    ck_assert_ptr_null(none);
    ck_assert_ptr_null(gg_windows_source(NULL));
    gg_windows_free(NULL);
    ck_assert_int_eq(gg_trainer_save(r.trainer, scratch_path("t"), "text"), GG_OK);
    support_assert_fails(gg_trainer_load(other.trainer, scratch_path("t"), "text"), GG_ERR_SHAPE, "gg_trainer_load",
                         "was saved with window 4, this trainer has 5");
    const gg_dataset set = {.count = 0};
    double accuracy = 0.0;
    support_assert_fails(gg_trainer_evaluate(r.trainer, &set, &accuracy), GG_ERR_STATE, "gg_trainer_evaluate",
                         "source");
    close_reader(&r);
    close_reader(&other);
}
END_TEST

START_TEST(wrong_sources)
{
    reader r = open_reader(2, 4, true);
    gg_trainer *none = NULL;
    gg_source s[4];
    for (int i = 0; i < 4; i++)
        s[i] = *gg_windows_source(r.windows);
    s[0].bind = NULL;
    s[1].steps = 0;
    s[2].fact_count = -1;
    s[3].facts = NULL;
    for (int i = 0; i < 4; i++) {
        const gg_trainer_options o = {
            .model = r.model, .loss = r.options.loss, .optimizer = r.optimizer, .source = &s[i]};
        support_assert_fails(gg_trainer_new(&none, &o), GG_ERR_ARGUMENT, "gg_trainer_new", "options->source");
    }
    ck_assert_ptr_null(none);
    close_reader(&r);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, any_bytes_are_a_text);
    tcase_add_test(tests, files_that_are_none);
    tcase_add_test(tests, characters_are_sorted);
    tcase_add_test(tests, all_bytes_have_a_number);
    tcase_add_test(tests, bad_lists_of_characters);
    tcase_add_test(tests, tales_are_told_the_same);
    tcase_add_loop_test(tests, every_character_counts_once, 0, CUTS);
    tcase_add_test(tests, epochs_start_anywhere);
    tcase_add_test(tests, evaluation_carries_the_state);
    tcase_add_test(tests, resumed_in_the_midst);
    tcase_add_test(tests, losses_are_means_over_characters);
    tcase_add_test(tests, evaluation_leaves_the_states);
    tcase_add_test(tests, refused_steps_leave_the_states);
    tcase_add_test(tests, wrong_windows);
    tcase_add_test(tests, wrong_sources);
}

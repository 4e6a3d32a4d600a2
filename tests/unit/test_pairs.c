/* test_pairs.c - questions and answers: files, also hostile ones; sums and dates made up; batches, and whether a model
 * answers them. */
#include <gemmgrad/pairs.h>

#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <check.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/sequence.h>
#include <gemmgrad/trainer.h>

#include "node.h"
#include "scratch.h"
#include "support.h"

/* ---- parsing ---- */

static gg_status parse(gg_pairs *out, const char *text)
{
    return gg_pairs_parse(out, text, (int64_t)strlen(text), "sums.txt");
}

/* Pair i as "question|answer". */
static const char *spell(const gg_pairs *p, int64_t i)
{
    static char line[2 * GG_PAIRS_LONGEST];
    int64_t n = 0;
    for (int64_t c = 0; c < p->question_length; c++)
        line[n++] = (char)p->characters.bytes[p->questions[i * p->question_length + c]];
    line[n++] = '|';
    for (int64_t c = 0; c < p->answer_length; c++)
        line[n++] = (char)p->characters.bytes[p->answers[i * p->answer_length + c]];
    line[n] = '\0';
    return line;
}

START_TEST(lines_are_read)
{
    static const char *const texts[] = {"1+2 _3 \n10+5_15\n", "1+2_3\n10+5_15", "1+2_3\r\n10+5_15\r\n",
                                        "\n1+2_3\n\n\n10+5_15\r"};
    for (int i = 0; i < 4; i++) {
        gg_pairs p;
        ck_assert_msg(parse(&p, texts[i]) == GG_OK, "%s", gg_error_message());
        ck_assert(p.count == 2 && p.question_length == 4 && p.answer_length == 3);
        ck_assert_str_eq(spell(&p, 0), "1+2 |_3 ");
        ck_assert_str_eq(spell(&p, 1), "10+5|_15");
        ck_assert_int_eq(p.characters.count, 8); /* blank + 0 1 2 3 5 _ */
        gg_pairs_free(&p);
        ck_assert(p.questions == NULL && p.count == 0);
    }
}
END_TEST

START_TEST(lines_that_are_no_pairs)
{
    static const struct {
        const char *text, *words;
    } bad[] = {{"", "'sums.txt' has no line of text"}, {"\n\r\n\n", "has no line of text"},
               {"1+2_3\n4+5\n", "line 2: no '_'"},     {"1+2_3\n\n4_5_6\n", "line 3: a second '_'"},
               {"_3\n", "line 1: no question before"}, {"   _3\n", "line 1: no question before"},
               {"1+2_\n", "line 1: no answer behind"}, {"1+2_  \r\n", "line 1: no answer behind"},
               {"_", "line 1: no question"},           {"x", "line 1: no '_'"}};
    gg_pairs p = {.count = 77};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        support_assert_fails(parse(&p, bad[i].text), GG_ERR_FORMAT, "gg_pairs_read", bad[i].words);
    support_assert_fails(gg_pairs_parse(&p, "1+\0_3\n", 6, "f"), GG_ERR_FORMAT, "'f', line 1", "a zero byte");
    ck_assert_int_eq(p.count, 77);
}
END_TEST

START_TEST(long_lines)
{
    char line[2 * GG_PAIRS_LONGEST];
    gg_pairs p;
    memset(line, 'x', sizeof line);
    line[GG_PAIRS_LONGEST - 2] = '_';
    ck_assert_int_eq(gg_pairs_parse(&p, line, GG_PAIRS_LONGEST, "f"), GG_OK);
    ck_assert(p.question_length == GG_PAIRS_LONGEST - 2 && p.answer_length == 2);
    gg_pairs_free(&p);
    support_assert_fails(gg_pairs_parse(&p, line, GG_PAIRS_LONGEST + 1, "f"), GG_ERR_FORMAT, "'f', line 1",
                         "1025 characters");
}
END_TEST

START_TEST(files)
{
    gg_pairs p = {.count = 77};
    scratch_make_folder();
    scratch_write(scratch_path("a"), "1+1_2\n", 6);
    ck_assert_int_eq(gg_pairs_read(&p, scratch_path("a")), GG_OK);
    ck_assert_int_eq(p.count, 1);
    gg_pairs_free(&p);
    scratch_write(scratch_path("a"), "1+1 2\n", 6);
    ck_assert_int_eq(gg_pairs_read(&p, scratch_path("a")), GG_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(gg_error_message(), "/a', line 1"));
    ck_assert_int_eq(gg_pairs_read(&p, scratch_path("none")), GG_ERR_IO);
    support_assert_fails(gg_pairs_read(NULL, "x"), GG_ERR_ARGUMENT, "gg_pairs_read", "out");
    support_assert_fails(gg_pairs_read(&p, NULL), GG_ERR_ARGUMENT, "gg_pairs_read", "path");
    scratch_remove_folder();
}
END_TEST

/* ---- made up ---- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

START_TEST(sums_are_right)
{
    enum { COUNT = 3000, WIDTH = 16 };
    gg_pairs p, again;
    char(*seen)[WIDTH] = malloc(sizeof(char[COUNT][WIDTH]));
    ck_assert_int_eq(gg_pairs_make_sums(&p, COUNT, 5), GG_OK);
    ck_assert(p.count == COUNT && p.question_length == 7 && p.answer_length == 5);
    for (int i = 0; i < COUNT; i++) {
        int a, b, sum;
        ck_assert_int_eq(sscanf(spell(&p, i), "%d+%d |_%d", &a, &b, &sum), 3);
        ck_assert(a >= 0 && a < 1000 && b >= 0 && b < 1000 && a + b == sum);
        snprintf(seen[i], WIDTH, "%d+%d", a < b ? a : b, a < b ? b : a);
    }
    qsort(seen, COUNT, WIDTH, compare_texts);
    for (int i = 1; i < COUNT; i++)
        ck_assert_str_ne(seen[i - 1], seen[i]);
    ck_assert_int_eq(gg_pairs_make_sums(&again, COUNT / 2, 5), GG_OK);
    ck_assert_mem_eq(p.questions, again.questions, (size_t)(COUNT / 2 * 7) * sizeof(int32_t));
    gg_pairs_free(&p);
    gg_pairs_free(&again);
    free(seen);
}
END_TEST

START_TEST(all_sums_there_are)
{
    gg_pairs p = {.count = 77};
    support_assert_fails(gg_pairs_make_sums(&p, 500501, 1), GG_ERR_ARGUMENT, "gg_pairs_make_sums", "500500");
    support_assert_fails(gg_pairs_make_sums(&p, 0, 1), GG_ERR_ARGUMENT, "gg_pairs_make_sums", "count is 0");
    support_assert_fails(gg_pairs_make_sums(NULL, 1, 1), GG_ERR_ARGUMENT, "gg_pairs_make_sums", "out");
    ck_assert_int_eq(p.count, 77);
}
END_TEST

/* Zeller's congruence, not the way the library counts: 0 is Saturday. */
static int weekday(int year, int month, int day)
{
    const int m = month < 3 ? month + 12 : month, y = month < 3 ? year - 1 : year;
    return (day + 13 * (m + 1) / 5 + y + y / 4 - y / 100 + y / 400) % 7;
}

static const char *const names[] = {"saturday", "sunday", "monday", "tuesday", "wednesday", "thursday", "friday"};
static const char *const months = "janfebmaraprmayjunjulaugsepoctnovdec";

/* Which of the four forms it is, all of whose parts must agree. */
static int check_date(char *question, int year, int month, int day)
{
    char word[32], rest[32], name[32];
    int a, b, c;
    for (char *q = question; *q != '\0'; q++)
        *q = *q >= 'A' && *q <= 'Z' ? (char)(*q | 0x20) : *q;
    if (sscanf(question, "%d/%d/%d", &a, &b, &c) == 3) {
        ck_assert(a == month && b == day && c == year % 100);
        return 0;
    }
    const bool long_form = sscanf(question, "%31[a-z], %31[a-z] %d, %d", name, word, &b, &c) == 4;
    if (long_form)
        ck_assert_str_eq(name, names[weekday(year, month, day)]);
    else
        ck_assert_int_eq(sscanf(question, "%31[a-z] %d, %d%31s", word, &b, &c, rest), 3);
    ck_assert(b == day && c == year && strncmp(word, months + 3 * (month - 1), 3) == 0);
    return long_form ? 3 : strlen(word) == 3 ? 1 : 2;
}

START_TEST(dates_are_right)
{
    enum { COUNT = 2000 };
    gg_pairs p;
    int forms[4] = {0};
    ck_assert_int_eq(gg_pairs_make_dates(&p, COUNT, 5), GG_OK);
    ck_assert(p.question_length == 29 && p.answer_length == 11);
    for (int i = 0; i < COUNT; i++) {
        char line[64];
        int year, month, day;
        snprintf(line, sizeof line, "%.63s", spell(&p, i));
        char *answer = strchr(line, '|');
        *answer = '\0';
        ck_assert_int_eq(sscanf(answer + 1, "_%4d-%2d-%2d", &year, &month, &day), 3);
        ck_assert(year >= 1970 && year <= 2016 && month >= 1 && month <= 12 && day >= 1 && day <= 31);
        forms[check_date(line, year, month, day)]++;
    }
    for (int f = 0; f < 4; f++)
        ck_assert_int_gt(forms[f], COUNT / 6);
    gg_pairs_free(&p);
    support_assert_fails(gg_pairs_make_dates(&p, -1, 1), GG_ERR_ARGUMENT, "gg_pairs_make_dates", "count is -1");
    support_assert_fails(gg_pairs_make_dates(NULL, 1, 1), GG_ERR_ARGUMENT, "gg_pairs_make_dates", "out");
}
END_TEST

/* ---- batches ---- */

enum { PAIRS = 203, BATCH = 16 };

typedef struct network {
    gg_pairs pairs;
    gg_model *model;
    gg_pairs_batches *batches;
    gg_optimizer *optimizer;
    gg_trainer *trainer;
    gg_pairs_options options;
} network;

static void open_network(network *n, bool reversed)
{
    *n = (network){.options = {.batch = BATCH, .reversed = reversed, .seed = 2}};
    gg_recurrent_outputs last;
    ck_assert_int_eq(gg_pairs_make_sums(&n->pairs, PAIRS, 9), GG_OK);
    ck_assert_int_eq(gg_model_new(&n->model, 1), GG_OK);
    n->options.pairs = &n->pairs;
    n->options.question = gg_input_labels(n->model, "q", 2, (int64_t[]){GG_TIME, GG_BATCH});
    n->options.given = gg_input_labels(n->model, "g", 2, (int64_t[]){GG_TIME_2, GG_BATCH});
    n->options.labels = gg_input_labels(n->model, "a", 2, (int64_t[]){GG_TIME_2, GG_BATCH});
    const int64_t characters = n->pairs.characters.count;
    gg_lstm(n->model, gg_embedding(n->model, n->options.question, characters, 5, NULL), 24, NULL, &last);
    gg_value y = gg_embedding(n->model, n->options.given, characters, 5, NULL);
    y = gg_lstm(n->model, y, 24, &(gg_recurrent_options){.h0 = &last.h_last}, NULL);
    n->options.scores = gg_affine(n->model, y, characters, NULL);
    n->options.loss = gg_softmax_with_loss(n->model, n->options.scores, n->options.labels);
    ck_assert_int_eq(gg_model_keep(n->model, n->options.scores, false), GG_OK);
    ck_assert_int_eq(gg_model_set_largest(n->model, GG_TIME, n->pairs.question_length), GG_OK);
    ck_assert_int_eq(gg_model_set_largest(n->model, GG_TIME_2, n->pairs.answer_length - 1), GG_OK);
    ck_assert_msg(gg_model_plan(n->model, n->options.loss, BATCH) == GG_OK, "%s", gg_error_message());
    ck_assert_int_eq(gg_pairs_batches_new(&n->batches, &n->options), GG_OK);
    ck_assert_int_eq(gg_optimizer_new(&n->optimizer, n->model, &(gg_optimizer_options){.kind = GG_ADAM}), GG_OK);
    ck_assert_int_eq(gg_trainer_new(&n->trainer, &(gg_trainer_options){.model = n->model,
                                                                       .loss = n->options.loss,
                                                                       .optimizer = n->optimizer,
                                                                       .schedule = {.rate = 0.01f},
                                                                       .source = gg_pairs_source(n->batches)}),
                     GG_OK);
}

static void close_network(network *n)
{
    gg_trainer_free(n->trainer);
    gg_optimizer_free(n->optimizer);
    gg_pairs_batches_free(n->batches);
    gg_model_free(n->model);
    gg_pairs_free(&n->pairs);
}

static const int32_t *bound(const network *n, gg_value input)
{
    return n->model->values[input.id].labels;
}

/* The pair whose question and answer stand in column r of what is bound. */
static int64_t find_pair(const network *n, int64_t r, int64_t rows)
{
    const gg_pairs *p = &n->pairs;
    const int32_t *question = bound(n, n->options.question);
    for (int64_t i = 0; i < p->count; i++) {
        bool same = true;
        for (int64_t t = 0; t < p->question_length && same; t++) {
            const int64_t at = n->options.reversed ? p->question_length - 1 - t : t;
            same = question[t * rows + r] == p->questions[i * p->question_length + at];
        }
        if (same)
            return i;
    }
    ck_abort_msg("no such question");
    return -1;
}

/* Every pair is either of the test or met once an epoch, in an order of the epoch's own, with its answer. */
START_TEST(every_pair_once)
{
    network n;
    open_network(&n, _i == 1);
    const gg_source *source = gg_pairs_source(n.batches);
    const int64_t steps = n.pairs.answer_length - 1, test = gg_pairs_test_count(n.batches);
    ck_assert_int_eq(test, (PAIRS + 9) / 10);
    int64_t first[2] = {0};
    for (int64_t epoch = 0; epoch < 2; epoch++) {
        int met[PAIRS] = {0};
        for (int64_t i = 0; i < test; i++)
            met[gg_pairs_test_pair(n.batches, i)]++;
        for (int64_t step = 0; step < source->steps; step++) {
            int64_t elements = 0;
            ck_assert_int_eq(source->bind(source->context, n.model, epoch, step, &elements), GG_OK);
            const int64_t rows = elements / steps;
            const int32_t *given = bound(&n, n.options.given), *labels = bound(&n, n.options.labels);
            for (int64_t r = 0; r < rows; r++) {
                const int64_t pair = find_pair(&n, r, rows);
                met[pair]++;
                first[epoch] += step == 0 ? pair * (r + 1) : 0;
                for (int64_t t = 0; t < steps; t++) {
                    const int32_t *answer = n.pairs.answers + pair * n.pairs.answer_length;
                    ck_assert(given[t * rows + r] == answer[t] && labels[t * rows + r] == answer[t + 1]);
                }
            }
        }
        for (int i = 0; i < PAIRS; i++)
            ck_assert_int_eq(met[i], 1);
    }
    ck_assert_int_ne(first[0], first[1]);
    close_network(&n);
}
END_TEST

/* Answers of the test that decoding step by step gives exactly. */
static int64_t decode_all(const network *n)
{
    int64_t right = 0;
    for (int64_t i = 0; i < gg_pairs_test_count(n->batches); i++) {
        int32_t answer[16];
        ck_assert_int_eq(gg_pairs_answer(answer, n->batches, n->model, i), GG_OK);
        const int64_t pair = gg_pairs_test_pair(n->batches, i), length = n->pairs.answer_length;
        right += memcmp(answer, n->pairs.answers + pair * length, (size_t)length * sizeof *answer) == 0;
    }
    return right;
}

/* The share of exact answers is that of decoding them step by step, from the first step on until some are right; when
 * that is, roundings decide. */
START_TEST(exact_answers_are_those_of_greedy_decoding)
{
    enum { ROUNDS = 40, EPOCHS = 30 };
    network n;
    open_network(&n, true);
    const gg_source *source = gg_pairs_source(n.batches);
    const int64_t count = gg_pairs_test_count(n.batches);
    int64_t right = 0, wrong = 0;
    for (int round = 0; round < ROUNDS && (right == 0 || wrong == 0); round++) {
        gg_evaluation found;
        const int64_t exact = decode_all(&n);
        ck_assert_int_eq(source->evaluate(source->context, n.model, 0, &found), GG_OK);
        ck_assert_double_eq(found.accuracy, (double)exact / (double)count);
        right += exact;
        wrong += count - exact;
        for (int64_t i = 0; i < EPOCHS * source->steps; i++)
            ck_assert_msg(gg_trainer_step(n.trainer) == GG_OK, "%s", gg_error_message());
    }
    ck_assert_int_gt(right, 0);
    ck_assert_int_gt(wrong, 0);
    int64_t epochs;
    const gg_epoch_result *history = gg_trainer_history(n.trainer, &epochs);
    ck_assert_double_lt(history[epochs - 1].train_loss, 0.3 * history[0].train_loss);
    close_network(&n);
}
END_TEST

START_TEST(wrong_arguments)
{
    network n;
    open_network(&n, false);
    gg_pairs_batches *none = NULL;
    gg_pairs empty = {.count = 0};
    int32_t answer[16];
    gg_pairs_options o[4];
    for (int i = 0; i < 4; i++)
        o[i] = n.options;
    o[0].pairs = NULL;
    o[1].pairs = &empty;
    o[2].batch = 0;
    o[3].batch = -1;
    for (int i = 0; i < 4; i++)
        support_assert_fails(gg_pairs_batches_new(&none, &o[i]), GG_ERR_ARGUMENT, "gg_pairs_batches_new", "");
    support_assert_fails(gg_pairs_batches_new(NULL, o), GG_ERR_ARGUMENT, "gg_pairs_batches_new", "out");
    support_assert_fails(gg_pairs_batches_new(&none, NULL), GG_ERR_ARGUMENT, "gg_pairs_batches_new", "options");
    support_assert_fails(gg_pairs_answer(answer, n.batches, n.model, -1), GG_ERR_ARGUMENT, "gg_pairs_answer", "i");
    support_assert_fails(gg_pairs_answer(NULL, n.batches, n.model, 0), GG_ERR_ARGUMENT, "gg_pairs_answer", "NULL");
    ck_assert(none == NULL && gg_pairs_source(NULL) == NULL && gg_pairs_test_count(NULL) == 0);
    ck_assert_int_eq(gg_pairs_test_pair(n.batches, 1000), -1);
    gg_pairs_batches_free(NULL);
    gg_pairs_free(NULL);
    close_network(&n);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, lines_are_read);
    tcase_add_test(tests, lines_that_are_no_pairs);
    tcase_add_test(tests, long_lines);
    tcase_add_test(tests, files);
    tcase_add_test(tests, sums_are_right);
    tcase_add_test(tests, all_sums_there_are);
    tcase_add_test(tests, dates_are_right);
    tcase_add_loop_test(tests, every_pair_once, 0, 2);
    tcase_add_test(tests, exact_answers_are_those_of_greedy_decoding);
    tcase_add_test(tests, wrong_arguments);
}

/* test_allocation_texts.c - texts, pairs, words and their sources when memory runs out: an error, and nothing lost or
 * left behind. */
#include <gemmgrad/layers.h>

#include <string.h>

#include <check.h>

#include <gemmgrad/blas_backend.h>

#include "../unit/scratch.h"
#include "support.h"
#include "trial.h"

static const char lines[] = "1+2_3\n10+5_15\n7+7_14\n";
static const char prose[] = "the cat sat on the mat and the dog sat on the cat and that was that for the cat";

static void texts(trial *t)
{
    static const int32_t numbers[] = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0};
    char *text = NULL;
    int64_t size = 0;
    gg_windows *windows = NULL;
    const gg_windows_options options = {.text = numbers, .train_count = 7, .test_count = 3, .streams = 2, .window = 2};
    if (trial_ok(t, gg_text_read(&text, &size, scratch_path("lines"))))
        trial_check(t, size == sizeof lines - 1, "another size");
    else
        trial_check(t, text == NULL && size == 0, "gg_text_read touched its outputs");
    if (!trial_ok(t, gg_windows_new(&windows, &options)))
        trial_check(t, windows == NULL, "gg_windows_new touched its output");
    gg_windows_free(windows);
    gg_free(text);
}

static void batches(trial *t, const gg_pairs *pairs)
{
    gg_pairs_batches *set = NULL;
    if (!trial_ok(t, gg_pairs_batches_new(&set, &(gg_pairs_options){.pairs = pairs, .batch = 2})))
        trial_check(t, set == NULL, "gg_pairs_batches_new touched its output");
    gg_pairs_batches_free(set);
}

static void pairs(trial *t)
{
    gg_pairs made[4] = {{.count = 0}};
    const gg_status statuses[] = {gg_pairs_parse(&made[0], lines, sizeof lines - 1, "lines"),
                                  gg_pairs_read(&made[1], scratch_path("lines")), gg_pairs_make_sums(&made[2], 5, 1),
                                  gg_pairs_make_dates(&made[3], 5, 1)};
    for (int i = 0; i < 4; i++) {
        if (trial_ok(t, statuses[i]))
            batches(t, &made[i]);
        else
            trial_check(t, made[i].questions == NULL && made[i].count == 0, "pairs touched their output");
        gg_pairs_free(&made[i]);
    }
}

static void words(trial *t)
{
    gg_corpus corpus = {.words = 0};
    gg_word_batches *set = NULL;
    gg_alias alias = {.count = 0};
    if (!trial_ok(t, gg_corpus_parse(&corpus, prose, sizeof prose - 1, 1, "prose"))) {
        trial_check(t, corpus.memory == NULL, "gg_corpus_parse touched its output");
        return;
    }
    for (int model = 0; model < 2; model++) {
        const gg_word_options options = {.corpus = &corpus,
                                         .model = (gg_word_model)model,
                                         .batch = 4,
                                         .window = 2,
                                         .negatives = 2 * model,
                                         .subsample = 0.1 * model};
        set = NULL;
        if (!trial_ok(t, gg_word_batches_new(&set, &options)))
            trial_check(t, set == NULL, "gg_word_batches_new touched its output");
        gg_word_batches_free(set);
    }
    if (!trial_ok(t, gg_alias_make(&alias, (const double[]){1, 2, 3}, 3)))
        trial_check(t, alias.keep == NULL, "gg_alias_make touched its output");
    gg_alias_free(&alias);
    gg_corpus_free(&corpus);
}

static void questions(trial *t)
{
    static const float rows[] = {1, 0, 0, 1, 1, 1, -1, 0};
    gg_neighbour near[2] = {{77, 0.0f}};
    int64_t found = 77;
    if (!trial_ok(t, gg_most_similar(near, &found, 2, rows, rows, NULL, 0, 4, 2)))
        trial_check(t, near[0].word == 77 && found == 77, "gg_most_similar touched its outputs");
    near[0].word = found = 77;
    if (!trial_ok(t, gg_analogy(near, &found, 1, rows, 0, 1, 2, 4, 2)))
        trial_check(t, near[0].word == 77 && found == 77, "gg_analogy touched its outputs");
}

static void make_files(void)
{
    scratch_make_folder();
    scratch_write(scratch_path("lines"), lines, sizeof lines - 1);
    ck_assert_int_eq(gg_set_threads(1), GG_OK);
}

static const struct {
    const char *name;
    scenario *run;
    int least; /* allocations that a scenario must have to be worth its name */
} scenarios[] = {
    {"texts", texts, 3},
    {"pairs", pairs, 14},
    {"words", words, 13},
    {"questions", questions, 3},
};

START_TEST(every_allocation_refused)
{
    const int fresh = trial_sweep(scenarios[_i].name, scenarios[_i].run, TRIAL_FRESH);
    const int later = trial_sweep(scenarios[_i].name, scenarios[_i].run, TRIAL_MAIN);
    ck_assert_msg(later >= scenarios[_i].least && fresh >= later && fresh <= later + 1, "%s: %d and %d allocations",
                  scenarios[_i].name, fresh, later);
}
END_TEST

static void add_tests(TCase *tests)
{
    trial_install();
    tcase_add_checked_fixture(tests, make_files, scratch_remove_folder);
    tcase_add_loop_test(tests, every_allocation_refused, 0, (int)(sizeof scenarios / sizeof *scenarios));
}

/* test_words.c - texts as words; draws by weight; batches of words and neighbours; vectors asked for meaning; word
 * vectors that learn. */
#include <gemmgrad/words.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/sequence.h>
#include <gemmgrad/softmax.h>
#include <gemmgrad/tales.h>
#include <gemmgrad/trainer.h>

#include "node.h"
#include "scratch.h"
#include "support.h"

/* ---- the text ---- */

static gg_corpus parse(const char *text, int64_t least)
{
    gg_corpus corpus;
    ck_assert_msg(gg_corpus_parse(&corpus, text, (int64_t)strlen(text), least, "t") == GG_OK, "%s", gg_error_message());
    return corpus;
}

START_TEST(words_are_numbered_by_count)
{
    gg_corpus c = parse("The cat, the DOG; a cat -- don't!\nthe 12 dogs", 1);
    static const char *const words[] = {"the", "cat", "12", "a", "dog", "dogs", "don't"};
    static const int64_t counts[] = {3, 2, 1, 1, 1, 1, 1};
    static const int32_t tokens[] = {0, 1, 0, 4, 3, 1, 6, 0, 2, 5};
    ck_assert(c.words == 7 && c.tokens == 10);
    for (int i = 0; i < 7; i++) {
        ck_assert_str_eq(c.word[i], words[i]);
        ck_assert_int_eq(c.counts[i], counts[i]);
        ck_assert_int_eq(gg_corpus_find(&c, words[i]), i);
    }
    ck_assert_mem_eq(c.token, tokens, sizeof tokens);
    ck_assert_int_eq(gg_corpus_find(&c, "The"), -1);
    gg_corpus_free(&c);
    ck_assert(c.words == 0 && c.memory == NULL);
}
END_TEST

START_TEST(rare_words_are_left_out)
{
    gg_corpus c = parse("a b a c a b d", 2);
    ck_assert(c.words == 2 && c.tokens == 5);
    ck_assert_mem_eq(c.token, ((const int32_t[]){0, 1, 0, 0, 1}), 5 * sizeof(int32_t));
    gg_corpus_free(&c);
    c = parse("\xc3\xa9t\xc3\xa9 \xc3\xa9t\xc3\xa9", 1); /* bytes above 127 are letters */
    ck_assert(c.words == 1 && c.tokens == 2);
    gg_corpus_free(&c);
}
END_TEST

/* Many different words: the table grows. */
START_TEST(many_words)
{
    enum { WORDS = 5000, EACH = 6 };
    char *text = malloc(WORDS * EACH * 2 + 1), *at = text;
    for (int i = 0; i < 2 * WORDS; i++)
        at += sprintf(at, "%05d ", (i * 7) % WORDS);
    gg_corpus c = parse(text, 2);
    ck_assert(c.words == WORDS && c.tokens == 2 * WORDS);
    for (int i = 0; i < WORDS; i++)
        ck_assert(c.counts[i] == 2 && atoi(c.word[i]) == i);
    for (int i = 0; i < 2 * WORDS; i++)
        ck_assert_int_eq(c.token[i], (i * 7) % WORDS);
    gg_corpus_free(&c);
    free(text);
}
END_TEST

START_TEST(texts_without_words)
{
    gg_corpus c = {.words = 77};
    scratch_make_folder();
    support_assert_fails(gg_corpus_parse(&c, " .,;\n\0-", 7, 1, "t"), GG_ERR_FORMAT, "gg_corpus_read",
                         "'t' has no words");
    support_assert_fails(gg_corpus_parse(&c, "a b c", 5, 2, "t"), GG_ERR_FORMAT, "gg_corpus_read", "occurs 2 times");
    support_assert_fails(gg_corpus_parse(&c, "a", 1, 0, "t"), GG_ERR_ARGUMENT, "gg_corpus_parse", "least_count");
    support_assert_fails(gg_corpus_parse(&c, NULL, 1, 1, "t"), GG_ERR_ARGUMENT, "gg_corpus_parse", "NULL");
    scratch_write(scratch_path("t"), "", 0);
    support_assert_fails(gg_corpus_read(&c, scratch_path("t"), 1), GG_ERR_FORMAT, "/t'", "is empty");
    scratch_write(scratch_path("t"), "one two one", 11);
    support_assert_fails(gg_corpus_read(&c, NULL, 1), GG_ERR_ARGUMENT, "gg_corpus_read", "path");
    ck_assert_int_eq(c.words, 77);
    ck_assert_int_eq(gg_corpus_read(&c, scratch_path("t"), 1), GG_OK);
    ck_assert(c.words == 2 && c.tokens == 3);
    gg_corpus_free(&c);
    scratch_remove_folder();
}
END_TEST

/* ---- draws ---- */

static void check_alias(const double *weights, int64_t count)
{
    gg_alias alias;
    double *share = support_doubles(count), sum = 0.0;
    ck_assert_int_eq(gg_alias_make(&alias, weights, count), GG_OK);
    for (int64_t i = 0; i < count; i++) { /* what the table says, without drawing */
        ck_assert(alias.keep[i] >= 0.0f && alias.keep[i] <= 1.0f && alias.other[i] >= 0 && alias.other[i] < count);
        share[i] += (double)alias.keep[i] / (double)count;
        share[alias.other[i]] += (1.0 - (double)alias.keep[i]) / (double)count;
        sum += weights[i];
    }
    for (int64_t i = 0; i < count; i++)
        ck_assert_msg(fabs(share[i] - weights[i] / sum) < 1e-6, "%lld of %lld: %g, expected %g", (long long)i,
                      (long long)count, share[i], weights[i] / sum);
    gg_alias_free(&alias);
    support_release();
}

START_TEST(tables_hold_the_weights)
{
    static const double few[][4] = {{1, 1, 1, 1}, {0, 0, 5, 0}, {1, 2, 3, 4}, {1e-9, 1, 1e-9, 1}, {1e300, 1e300, 0, 1}};
    check_alias((const double[]){3.0}, 1);
    for (int i = 0; i < 5; i++)
        check_alias(few[i], 4);
    for (int64_t n = 2; n < 300; n += 37) {
        double weights[300];
        for (int64_t i = 0; i < n; i++)
            weights[i] = pow((double)(1 + (i * i) % 91), 0.75);
        check_alias(weights, n);
    }
}
END_TEST

START_TEST(draws_follow_the_table)
{
    enum { DRAWS = 200000 };
    const double weights[] = {1, 0, 3, 6};
    int64_t found[4] = {0};
    gg_alias alias;
    gg_random random = gg_random_make(1, 2), again = random;
    ck_assert_int_eq(gg_alias_make(&alias, weights, 4), GG_OK);
    for (int i = 0; i < DRAWS; i++)
        found[gg_alias_draw(&alias, &random)]++;
    for (int i = 0; i < 4; i++) { /* five standard deviations */
        const double p = weights[i] / 10.0;
        ck_assert(fabs((double)found[i] - p * DRAWS) <= 5.0 * sqrt(p * (1.0 - p) * DRAWS));
    }
    ck_assert_int_eq(gg_alias_draw(&alias, &again), gg_alias_draw(&alias, &(gg_random){1, 2, 0}));
    gg_alias_free(&alias);
}
END_TEST

START_TEST(weights_that_are_none)
{
    gg_alias alias = {.count = 77};
    static const double bad[][2] = {{1, -1}, {NAN, 1}, {INFINITY, 1}, {0, 0}};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(gg_alias_make(&alias, bad[i], 2), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_alias_make(&alias, bad[0], 0), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_alias_make(&alias, NULL, 1), GG_ERR_ARGUMENT);
    ck_assert_int_eq(gg_alias_make(NULL, bad[0], 1), GG_ERR_ARGUMENT);
    ck_assert_int_eq(alias.count, 77);
    gg_alias_free(NULL);
}
END_TEST

/* ---- batches ---- */

enum { FEATURES = 8 };

typedef struct network {
    gg_model *model;
    gg_word_batches *batches;
    gg_word_options options;
    gg_value loss;
} network;

static void open_network(network *n, const gg_corpus *corpus, gg_word_model model, int64_t window, int64_t negatives,
                         double subsample, int64_t batch)
{
    const int64_t sets = model == GG_CBOW ? 1 : 2 * window, words = corpus->words;
    *n = (network){.options = {corpus, model, batch, window, negatives, subsample, .seed = 3}};
    gg_word_options *o = &n->options;
    ck_assert_int_eq(gg_model_new(&n->model, 1), GG_OK);
    o->input = gg_input_labels(n->model, "x", model == GG_CBOW ? 2 : 1, (int64_t[]){GG_BATCH, 2 * window});
    gg_value h = gg_embedding(n->model, o->input, words, FEATURES, &(gg_embedding_options){.sparse = true});
    if (model == GG_CBOW)
        h = gg_mean_rows(n->model, h);
    if (negatives > 0) {
        const int64_t dims[] = {GG_BATCH, sets * (1 + negatives)};
        o->targets = gg_input_labels(n->model, "t", 2, dims);
        o->labels = gg_input_labels(n->model, "l", 2, dims);
        const gg_value e = gg_embedding(n->model, o->targets, words, FEATURES, &(gg_embedding_options){.sparse = true});
        n->loss = gg_negative_sampling_loss(n->model, h, e, o->labels);
    } else {
        o->targets = model == GG_CBOW ? gg_input_labels(n->model, "t", 1, (int64_t[]){GG_BATCH})
                                      : gg_input(n->model, "t", 2, (int64_t[]){GG_BATCH, words});
        n->loss = gg_softmax_with_loss(n->model, gg_matmul(n->model, h, words, NULL), o->targets);
    }
    ck_assert_msg(gg_model_plan(n->model, n->loss, batch) == GG_OK, "%s", gg_error_message());
    ck_assert_msg(gg_word_batches_new(&n->batches, o) == GG_OK, "%s", gg_error_message());
}

static void close_network(network *n)
{
    gg_word_batches_free(n->batches);
    gg_model_free(n->model);
}

static const int32_t *bound(const network *n, gg_value input)
{
    return n->model->values[input.id].labels;
}

static int64_t bind(const network *n, int64_t epoch, int64_t step)
{
    const gg_source *source = gg_word_source(n->batches);
    int64_t rows = -1;
    ck_assert_int_eq(source->bind(source->context, n->model, epoch, step, &rows), GG_OK);
    return rows;
}

/* A text whose word p is p: every word says where it stands. */
static gg_corpus count_up(int32_t words)
{
    gg_corpus c = {.words = words, .tokens = words};
    ck_assert_int_eq(gg_alloc(&c.memory, (size_t)words * (sizeof(int64_t) + sizeof(int32_t))), GG_OK);
    c.counts = c.memory;
    c.token = (int32_t *)(void *)(c.counts + words);
    for (int32_t i = 0; i < words; i++) {
        c.counts[i] = 1;
        c.token[i] = i;
    }
    return c;
}

static const int64_t batch_sizes[] = {1, 7, 16, 94, 200};

START_TEST(every_word_in_the_middle_once)
{
    enum { WORDS = 100, WINDOW = 3, CONTEXTS = 2 * WINDOW };
    gg_corpus c = count_up(WORDS);
    for (int model = 0; model < 2; model++)
        for (int64_t negatives = 0; negatives < 3; negatives += 2) {
            network n;
            int met[WORDS] = {0};
            open_network(&n, &c, (gg_word_model)model, WINDOW, negatives, 0.0, batch_sizes[_i]);
            for (int64_t step = 0; step < gg_word_source(n.batches)->steps; step++) {
                const int64_t rows = bind(&n, 0, step), each = 1 + negatives;
                const int32_t *x = bound(&n, n.options.input), *t = bound(&n, n.options.targets);
                ck_assert(rows >= 1 && rows <= batch_sizes[_i]);
                for (int64_t r = 0; r < rows; r++) {
                    const int32_t middle = model == GG_CBOW ? t[r * each] : x[r];
                    met[middle]++;
                    for (int i = 0; i < CONTEXTS; i++) {
                        const int32_t neighbour = middle - WINDOW + i + (i >= WINDOW);
                        if (model == GG_CBOW)
                            ck_assert_int_eq(x[r * CONTEXTS + i], neighbour);
                        else if (negatives > 0)
                            ck_assert_int_eq(t[(r * CONTEXTS + i) * each], neighbour);
                        else
                            ck_assert(n.model->values[n.options.targets.id].data[r * WORDS + neighbour]
                                      == 1.0f / CONTEXTS);
                    }
                }
            }
            for (int i = 0; i < WORDS; i++)
                ck_assert_int_eq(met[i], i >= WINDOW && i < WORDS - WINDOW);
            close_network(&n);
        }
    gg_corpus_free(&c);
}
END_TEST

/* Of full softmax, a word that is a neighbour twice has two shares. */
START_TEST(neighbours_met_twice_count_twice)
{
    enum { WORDS = 20, WINDOW = 3, CONTEXTS = 2 * WINDOW };
    gg_corpus c = count_up(WORDS);
    for (int32_t i = 0; i < WORDS; i++)
        c.token[i] = i % 2;
    network n;
    open_network(&n, &c, GG_SKIP_GRAM, WINDOW, 0, 0.0, WORDS);
    const int64_t rows = bind(&n, 0, 0);
    ck_assert_int_eq(rows, WORDS - CONTEXTS);
    const float *shares = n.model->values[n.options.targets.id].data;
    for (int64_t r = 0; r < rows; r++) {
        const int32_t middle = bound(&n, n.options.input)[r];
        ck_assert_float_eq_tol(shares[r * WORDS + middle], 2.0f / CONTEXTS, 1e-6f);
        ck_assert_float_eq_tol(shares[r * WORDS + 1 - middle], 4.0f / CONTEXTS, 1e-6f);
    }
    close_network(&n);
    gg_corpus_free(&c);
}
END_TEST

START_TEST(negatives_are_wrong_words)
{
    enum { NEGATIVES = 5 };
    gg_corpus c = parse("a a a a a a b b b c c d e f a b a c a d a b a c b", 1);
    network n;
    int64_t drawn[8] = {0}, all = 0;
    open_network(&n, &c, GG_CBOW, 2, NEGATIVES, 0.0, 8);
    for (int64_t epoch = 0; epoch < 1500; epoch++)
        for (int64_t step = 0; step < gg_word_source(n.batches)->steps; step++) {
            const int64_t rows = bind(&n, epoch, step);
            const int32_t *t = bound(&n, n.options.targets), *labels = bound(&n, n.options.labels);
            for (int64_t i = 0; i < rows * (1 + NEGATIVES); i++) {
                const int32_t right = t[i / (1 + NEGATIVES) * (1 + NEGATIVES)];
                ck_assert_int_eq(labels[i], i % (1 + NEGATIVES) == 0);
                ck_assert(i % (1 + NEGATIVES) == 0 || t[i] != right);
                if (i % (1 + NEGATIVES) != 0 && right == 5) { /* of one word, the last: the others in proportion */
                    drawn[t[i]]++;
                    all++;
                }
            }
        }
    double sum = 0.0;
    for (int w = 0; w < 5; w++)
        sum += pow((double)c.counts[w], 0.75);
    for (int w = 0; w < 5; w++) {
        const double p = pow((double)c.counts[w], 0.75) / sum;
        ck_assert(fabs((double)drawn[w] - p * (double)all) <= 5.0 * sqrt(p * (1.0 - p) * (double)all));
    }
    close_network(&n);
    gg_corpus_free(&c);
}
END_TEST

/* With one word there is no wrong one: nothing is drawn, and nothing counts but the right. */
START_TEST(one_word_alone)
{
    gg_corpus c = parse("a a a a a a a a", 1);
    network n;
    open_network(&n, &c, GG_SKIP_GRAM, 2, 3, 0.0, 4);
    const int64_t rows = bind(&n, 0, 0);
    const int32_t *labels = bound(&n, n.options.labels);
    for (int64_t i = 0; i < rows * 16; i++)
        ck_assert_int_eq(labels[i], i % 4 == 0 ? 1 : GG_IGNORE_LABEL);
    ck_assert_int_eq(gg_model_forward(n.model, n.loss, GG_TRAIN), GG_OK);
    ck_assert_int_eq(gg_model_backward(n.model), GG_OK);
    close_network(&n);
    gg_corpus_free(&c);
}
END_TEST

/* The same batch whenever it is asked for; others in other epochs; frequent words stay out the oftener. */
START_TEST(subsampling_is_decided_by_the_epoch)
{
    enum { SIZE = 60000 };
    char *text = malloc(SIZE);
    gg_corpus c;
    network n, again;
    ck_assert_int_eq(gg_tales_write(text, SIZE, 1), GG_OK);
    ck_assert_int_eq(gg_corpus_parse(&c, text, SIZE, 1, "tales"), GG_OK);
    open_network(&n, &c, GG_CBOW, 2, 2, 1e-3, 64);
    open_network(&again, &c, GG_CBOW, 2, 2, 1e-3, 64);
    int64_t met = 0, seen = 0;
    for (int64_t step = 0; step < gg_word_source(n.batches)->steps; step++) {
        const int64_t rows = bind(&n, 1, step);
        seen += rows;
        for (int64_t r = 0; r < rows; r++)
            met += bound(&n, n.options.targets)[r * 3] == 0;
    }
    const double f = (double)c.counts[0] / (double)c.tokens, keep = sqrt(1e-3 / f) + 1e-3 / f;
    ck_assert(fabs((double)met - keep * (double)c.counts[0]) <= 5.0 * sqrt(keep * (double)c.counts[0]) + 1.0);
    ck_assert_int_lt(seen, c.tokens);
    bind(&again, 0, 0);
    const int64_t rows = bind(&n, 1, 5);
    ck_assert_int_eq(bind(&again, 1, 5), rows);
    ck_assert_mem_eq(bound(&n, n.options.input), bound(&again, again.options.input),
                     (size_t)(4 * rows) * sizeof(int32_t));
    ck_assert_mem_eq(bound(&n, n.options.targets), bound(&again, again.options.targets),
                     (size_t)(3 * rows) * sizeof(int32_t));
    close_network(&n);
    close_network(&again);
    gg_corpus_free(&c);
    free(text);
}
END_TEST

START_TEST(wrong_batches)
{
    gg_corpus c = parse("a b c d e", 1);
    gg_word_batches *none = NULL;
    const gg_word_options right = {.corpus = &c, .batch = 2, .window = 1};
    gg_word_options o[6];
    for (int i = 0; i < 6; i++)
        o[i] = right;
    o[0].corpus = NULL;
    o[1].batch = 0;
    o[2].window = 0;
    o[3].negatives = -1;
    o[4].subsample = (double)NAN;
    o[5].window = 3;
    for (int i = 0; i < 6; i++)
        support_assert_fails(gg_word_batches_new(&none, &o[i]), GG_ERR_ARGUMENT, "gg_word_batches_new", "");
    support_assert_fails(gg_word_batches_new(&none, NULL), GG_ERR_ARGUMENT, "gg_word_batches_new", "options");
    support_assert_fails(gg_word_batches_new(NULL, &right), GG_ERR_ARGUMENT, "gg_word_batches_new", "out");
    ck_assert(none == NULL && gg_word_source(NULL) == NULL);
    gg_word_batches_free(NULL);
    gg_corpus_free(&c);
}
END_TEST

/* ---- learning ---- */

/* Words that stand in the same places become alike: x and y between 1 and 2, u and v between 3 and 4. */
START_TEST(words_in_like_places_become_alike)
{
    enum { TIMES = 600 };
    static const char *const ways[] = {"1 x 2 ", "1 y 2 ", "3 u 4 ", "3 v 4 "};
    char *text = malloc(TIMES * 8 + 1), *at = text;
    uint64_t state = 1;
    for (int i = 0; i < TIMES; i++)
        at += sprintf(at, "%s", ways[support_random(&state) % 4]);
    gg_corpus c = parse(text, 1);
    network n;
    gg_optimizer *optimizer;
    gg_trainer *trainer;
    open_network(&n, &c, (gg_word_model)(_i % 2), 1, _i / 2 == 0 ? 3 : 0, 0.0, 32);
    ck_assert_int_eq(gg_optimizer_new(&optimizer, n.model, &(gg_optimizer_options){.kind = GG_ADAM}), GG_OK);
    ck_assert_int_eq(gg_trainer_new(&trainer, &(gg_trainer_options){.model = n.model,
                                                                    .loss = n.loss,
                                                                    .optimizer = optimizer,
                                                                    .schedule = {.rate = 0.01f},
                                                                    .source = gg_word_source(n.batches)}),
                     GG_OK);
    while (gg_trainer_where(trainer).epoch < 12)
        ck_assert_msg(gg_trainer_step(trainer) == GG_OK, "%s", gg_error_message());
    gg_parameter vectors;
    ck_assert_int_eq(gg_model_parameter(n.model, 0, &vectors), GG_OK);
    const float *rows = gg_model_parameters(n.model) + vectors.offset;
    static const char *const alike[][2] = {{"x", "y"}, {"u", "v"}};
    for (int i = 0; i < 2 && _i % 2 == 1; i++) { /* of CBOW the inputs are the neighbours' vectors */
        gg_neighbour near;
        int64_t found, word = gg_corpus_find(&c, alike[i][0]);
        ck_assert_int_eq(gg_most_similar(&near, &found, 1, rows, rows + word * FEATURES, &word, 1, c.words, FEATURES),
                         GG_OK);
        ck_assert_str_eq(c.word[near.word], alike[i][1]);
    }
    int64_t epochs;
    const gg_epoch_result *history = gg_trainer_history(trainer, &epochs);
    ck_assert_double_lt(history[11].train_loss, 0.75 * history[0].train_loss);
    gg_trainer_free(trainer);
    gg_optimizer_free(optimizer);
    close_network(&n);
    gg_corpus_free(&c);
    free(text);
}
END_TEST

/* ---- meaning ---- */

START_TEST(most_similar_first)
{
    const float rows[] = {1, 0, 0, 2, -3, 0, 1, 1, 0, 0, 2, 2};
    gg_neighbour near[6];
    int64_t found = 0, except = 3;
    ck_assert_int_eq(gg_most_similar(near, &found, 6, rows, (const float[]){1, 1}, &except, 1, 6, 2), GG_OK);
    ck_assert_int_eq(found, 5);
    static const int64_t order[] = {5, 0, 1, 4, 2};
    static const float expected[] = {1.0f, 0.70710678f, 0.70710678f, 0.0f, -0.70710678f};
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(near[i].word, order[i]);
        ck_assert(fabsf(near[i].similarity - expected[i]) < 1e-6f);
    }
    ck_assert_int_eq(gg_most_similar(near, &found, 2, rows, (const float[]){0, -1}, NULL, 0, 6, 2), GG_OK);
    ck_assert(found == 2 && near[0].word == 0 && near[1].word == 2 && near[0].similarity == 0.0f);
    ck_assert_int_eq(gg_most_similar(near, &found, 0, rows, rows, NULL, 0, 6, 2), GG_OK);
    ck_assert_int_eq(found, 0);
    ck_assert_int_eq(gg_most_similar(near, &found, 3, NULL, NULL, NULL, 0, 0, 0), GG_OK);
    ck_assert_int_eq(found, 0);
}
END_TEST

/* king - man + woman, whatever the lengths of the vectors. */
START_TEST(analogies)
{
    const float rows[] = {1,
                          0,
                          0,
                          /* man */ 2,
                          0,
                          2,
                          /* king */ 0,
                          3,
                          0,
                          /* woman */ 0,
                          1,
                          0.9f, /* queen */
                          0,
                          0,
                          1,
                          /* crown */ -1,
                          -1,
                          0,
                          0,
                          0,
                          0};
    gg_neighbour near[3];
    int64_t found = 0;
    ck_assert_int_eq(gg_analogy(near, &found, 3, rows, 0, 1, 2, 6, 3), GG_OK);
    ck_assert(found == 3 && near[0].word == 3 && near[1].word == 4 && near[2].word == 5);
    ck_assert_int_eq(gg_analogy(near, &found, 2, rows, 6, 1, 2, 7, 3), GG_OK); /* from a word that never learned */
    ck_assert(found == 2 && near[0].word == 3);
}
END_TEST

START_TEST(wrong_questions)
{
    const float rows[] = {1, 2, NAN, 4};
    gg_neighbour near[2] = {{77, 0.0f}};
    int64_t found = 77, except = 0;
    support_assert_fails(gg_most_similar(near, &found, 2, rows, rows, NULL, 0, 2, 2), GG_ERR_NUMERIC, "gg_most_similar",
                         "NaN");
    support_assert_fails(gg_most_similar(NULL, &found, 2, rows, rows, NULL, 0, 1, 2), GG_ERR_ARGUMENT,
                         "gg_most_similar", "out");
    support_assert_fails(gg_most_similar(near, NULL, 2, rows, rows, NULL, 0, 1, 2), GG_ERR_ARGUMENT, "gg_most_similar",
                         "found");
    support_assert_fails(gg_most_similar(near, &found, 2, NULL, rows, NULL, 0, 1, 2), GG_ERR_ARGUMENT,
                         "gg_most_similar", "vectors");
    support_assert_fails(gg_most_similar(near, &found, 2, rows, NULL, NULL, 0, 1, 2), GG_ERR_ARGUMENT,
                         "gg_most_similar", "query");
    support_assert_fails(gg_most_similar(near, &found, 2, rows, rows, NULL, 1, 1, 2), GG_ERR_ARGUMENT,
                         "gg_most_similar", "except");
    support_assert_fails(gg_most_similar(near, &found, -1, rows, rows, &except, 1, 1, 2), GG_ERR_ARGUMENT,
                         "gg_most_similar", "top is -1");
    support_assert_fails(gg_analogy(near, &found, 2, rows, 0, 1, 2, 2, 2), GG_ERR_ARGUMENT, "gg_analogy", "c is 2");
    support_assert_fails(gg_analogy(near, &found, 2, rows, -1, 1, 0, 2, 2), GG_ERR_ARGUMENT, "gg_analogy", "a is -1");
    ck_assert(found == 77 && near[0].word == 77);
}
END_TEST

/* ---- layers ---- */

START_TEST(wrong_layers)
{
    static const struct {
        int h_rank, e_rank, l_rank;
        int64_t count, features;
    } shapes[] = {{2, 3, 2, 4, 5}, {2, 2, 2, 3, 5}, {2, 3, 1, 3, 5}, {1, 3, 2, 3, 5}, {2, 3, 2, 3, 6}};
    for (int i = 0; i < 5; i++) {
        gg_model *model;
        ck_assert_int_eq(gg_model_new(&model, 1), GG_OK);
        const gg_value h = gg_input(model, "h", shapes[i].h_rank, (int64_t[]){GG_BATCH, 5});
        const gg_value e = gg_input(model, "e", shapes[i].e_rank, (int64_t[]){GG_BATCH, 3, shapes[i].features});
        const gg_value l = gg_input_labels(model, "l", shapes[i].l_rank, (int64_t[]){GG_BATCH, shapes[i].count});
        ck_assert_int_lt(gg_negative_sampling_loss(model, h, e, l).id, 0);
        ck_assert_int_eq(gg_model_plan(model, GG_NO_VALUE, 2), GG_ERR_SHAPE);
        gg_model_free(model);
    }
    gg_model *model;
    ck_assert_int_eq(gg_model_new(&model, 1), GG_OK);
    const gg_value x = gg_input(model, "x", 2, (int64_t[]){GG_BATCH, 5});
    ck_assert_int_lt(gg_mean_rows(model, x).id, 0);
    support_assert_fails(gg_model_plan(model, GG_NO_VALUE, 2), GG_ERR_SHAPE, "gg_mean_rows", "[batch, 5]");
    gg_model_free(model);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, words_are_numbered_by_count);
    tcase_add_test(tests, rare_words_are_left_out);
    tcase_add_test(tests, many_words);
    tcase_add_test(tests, texts_without_words);
    tcase_add_test(tests, tables_hold_the_weights);
    tcase_add_test(tests, draws_follow_the_table);
    tcase_add_test(tests, weights_that_are_none);
    tcase_add_loop_test(tests, every_word_in_the_middle_once, 0, 5);
    tcase_add_test(tests, neighbours_met_twice_count_twice);
    tcase_add_test(tests, negatives_are_wrong_words);
    tcase_add_test(tests, one_word_alone);
    tcase_add_test(tests, subsampling_is_decided_by_the_epoch);
    tcase_add_test(tests, wrong_batches);
    tcase_add_loop_test(tests, words_in_like_places_become_alike, 0, 4);
    tcase_add_test(tests, most_similar_first);
    tcase_add_test(tests, analogies);
    tcase_add_test(tests, wrong_questions);
    tcase_add_test(tests, wrong_layers);
}

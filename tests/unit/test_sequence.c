/* test_sequence.c - tokens, sparse gradients through the optimisers, shapes of sequences: what the registry's networks
 * do not show. */
#include <math.h>
#include <string.h>

#include <gemmgrad/layer.h>
#include <gemmgrad/optimizer.h>
#include <gemmgrad/sequence.h>
#include <gemmgrad/softmax.h>

#include "support.h"

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

static gg_model *new_model(void)
{
    gg_model *model;
    must(gg_model_new(&model, 3));
    return model;
}

/* ---- tokens in, an embedding, an affine layer, a loss ---- */

enum { VOCABULARY = 8, FEATURES = 16, PLACES = 11, CLASSES = 5 };

typedef struct network {
    gg_model *model;
    gg_value tokens, words, loss;
    gg_optimizer *optimizer;
    int32_t numbers[PLACES], labels[PLACES];
} network;

static void make(network *n, bool sparse, const gg_optimizer_options *o)
{
    n->model = new_model();
    n->tokens = gg_input_labels(n->model, "tokens", 1, (int64_t[]){GG_BATCH});
    const gg_value labels = gg_input_labels(n->model, "labels", 1, (int64_t[]){GG_BATCH});
    n->words = gg_embedding(n->model, n->tokens, VOCABULARY, FEATURES, &(gg_embedding_options){.sparse = sparse});
    n->loss = gg_softmax_with_loss(n->model, gg_affine(n->model, n->words, CLASSES, NULL), labels);
    must(gg_model_plan(n->model, n->loss, PLACES));
    must(gg_optimizer_new(&n->optimizer, n->model, o));
    for (int i = 0; i < PLACES; i++) {
        n->numbers[i] = (int32_t)(i * 5 % VOCABULARY);
        n->labels[i] = (int32_t)(i % CLASSES);
    }
    must(gg_model_bind_labels(n->model, n->tokens, n->numbers));
    must(gg_model_bind_labels(n->model, labels, n->labels));
}

static void drop(network *n)
{
    gg_optimizer_free(n->optimizer);
    gg_model_free(n->model);
}

static void train(network *n)
{
    must(gg_model_forward(n->model, n->loss, GG_TRAIN));
    must(gg_model_backward(n->model));
    must(gg_optimizer_step(n->optimizer, 0.125f));
}

static gg_parameter table_of(const network *n)
{
    gg_parameter p;
    must(gg_model_parameter(n->model, 0, &p));
    ck_assert_str_eq(p.name, "embedding1.W");
    return p;
}

static gg_optimizer_options options_of(int kind)
{
    return (gg_optimizer_options){.kind = (gg_optimizer_kind)kind, .weight_decay = 0.0625f, .clip_norm = 100.0f};
}

/* While every step names every token, the sparse embedding learns as the dense one, to the bit; its table lies behind
 * the dense parameters. */
START_TEST(sparse_equals_dense_when_all_rows_are_named)
{
    if (_i == GG_MUON || _i == GG_SHAMPOO
        || _i == GG_SOAP) /* a dense table is a matrix to them, a sparse one AdamW's */
        return;
    const gg_optimizer_options o = options_of(_i);
    network dense, sparse;
    make(&dense, false, &o);
    make(&sparse, true, &o);
    ck_assert_int_eq(table_of(&dense).offset, 0);
    ck_assert_int_eq(table_of(&sparse).offset + VOCABULARY * FEATURES, gg_model_parameter_floats(sparse.model));
    for (int step = 0; step < 6; step++) {
        train(&dense);
        train(&sparse);
        ck_assert_double_eq_tol(gg_optimizer_gradient_norm(sparse.optimizer),
                                gg_optimizer_gradient_norm(dense.optimizer), 1e-12);
        for (int i = 0; i < gg_model_parameter_count(dense.model); i++) {
            gg_parameter d, s;
            must(gg_model_parameter(dense.model, i, &d));
            must(gg_model_parameter(sparse.model, i, &s));
            ck_assert_mem_eq(gg_model_parameters(sparse.model) + s.offset, gg_model_parameters(dense.model) + d.offset,
                             (size_t)d.size * sizeof(float));
        }
    }
    drop(&dense);
    drop(&sparse);
}
END_TEST

/* Rows that no token names stay as they are, with their states; their gradient is 0 though the step before left some.
 */
START_TEST(rows_not_named_stand_still)
{
    const gg_optimizer_options o = options_of(_i);
    network n;
    make(&n, true, &o);
    train(&n); /* names all */
    const int64_t at = table_of(&n).offset, floats = VOCABULARY * FEATURES;
    const float *w = gg_model_parameters(n.model) + at, *g = gg_model_gradients(n.model) + at;
    const float *before = support_copy(w, floats), *states[2] = {NULL, NULL};
    for (int s = 0; s < gg_optimizer_state_count(n.optimizer); s++)
        states[s] = support_copy(gg_optimizer_state(n.optimizer, s) + at, floats);
    for (int i = 0; i < PLACES; i++)
        n.numbers[i] = i % 4 == 3 ? GG_IGNORE_LABEL : i % 2 == 0 ? 6 : 1;
    train(&n);
    for (int64_t i = 0; i < floats; i++) {
        const bool named = i / FEATURES == 6 || i / FEATURES == 1;
        ck_assert(named == (w[i] != before[i]) && (named || g[i] == 0.0f));
        for (int s = 0; s < gg_optimizer_state_count(n.optimizer); s++)
            ck_assert(named == (gg_optimizer_state(n.optimizer, s)[at + i] != states[s][i]));
    }
    for (int64_t i = 0; i < PLACES; i++)
        n.numbers[i] = GG_IGNORE_LABEL;
    const float *then = support_copy(w, floats);
    train(&n);
    ck_assert_mem_eq(w, then, (size_t)floats * sizeof *w);
    for (int64_t i = 0; i < floats; i++)
        ck_assert(g[i] == 0.0f);
    drop(&n);
}
END_TEST

/* Clipping counts the touched rows. */
START_TEST(norm_of_sparse_gradients)
{
    network n;
    make(&n, true, &(gg_optimizer_options){.kind = GG_SGD, .clip_norm = 1e-3f});
    for (int i = 0; i < PLACES; i++)
        n.numbers[i] = i % 4 == 0 ? GG_IGNORE_LABEL : 2 + i % 3; /* a place without a token touches no row */
    train(&n);
    double squares = 0.0;
    for (int64_t i = 0; i < gg_model_parameter_floats(n.model); i++)
        squares += (double)gg_model_gradients(n.model)[i] * (double)gg_model_gradients(n.model)[i];
    ck_assert_double_eq_tol(gg_optimizer_gradient_norm(n.optimizer), sqrt(squares), 1e-7 * sqrt(squares));
    drop(&n);
}
END_TEST

/* A plan for another loss, or another batch, begins with gradients of 0 and nothing touched. */
START_TEST(a_new_plan_touches_nothing)
{
    network n;
    make(&n, true, &(gg_optimizer_options){.kind = GG_SGD});
    train(&n);
    must(gg_model_plan(n.model, GG_NO_VALUE, PLACES));
    must(gg_model_plan(n.model, n.loss, 2 * PLACES));
    for (int64_t i = 0; i < gg_model_parameter_floats(n.model); i++)
        ck_assert(gg_model_gradients(n.model)[i] == 0.0f);
    const float *w = support_copy(gg_model_parameters(n.model), gg_model_parameter_floats(n.model));
    must(gg_optimizer_step(n.optimizer, 1.0f));
    ck_assert_mem_eq(gg_model_parameters(n.model), w, (size_t)gg_model_parameter_floats(n.model) * sizeof *w);
    must(gg_model_set_extent(n.model, GG_BATCH, PLACES));
    train(&n);
    drop(&n);
}
END_TEST

START_TEST(a_token_out_of_range_is_named)
{
    network n;
    make(&n, _i == 1, &(gg_optimizer_options){.kind = GG_SGD});
    n.numbers[7] = VOCABULARY;
    support_assert_fails(gg_model_forward(n.model, n.loss, GG_TRAIN), GG_ERR_ARGUMENT, "index[7] is 8",
                         "expected -1 or 0 to 7");
    n.numbers[7] = -2;
    support_assert_fails(gg_model_forward(n.model, n.words, GG_INFER), GG_ERR_ARGUMENT, "index[7] is -2", "0 to 7");
    n.numbers[7] = VOCABULARY - 1;
    train(&n);
    drop(&n);
}
END_TEST

/* ---- no steps ---- */

START_TEST(sequences_without_steps)
{
    gg_model *model = new_model();
    const gg_value x = gg_input(model, "x", 3, (int64_t[]){GG_TIME, GG_BATCH, 3});
    const gg_value first = gg_first_step(model, x), last = gg_last_step(model, gg_variational_dropout(model, x, 0.5f));
    const gg_value many = gg_repeat_time(model, gg_affine(model, gg_node_add(model, first, last), 2, NULL), GG_TIME);
    gg_value sum = many;
    for (int i = 0; i < 3; i++)
        sum = gg_node_sum(model, sum);
    const gg_value loss = gg_node_add(model, sum, gg_node_sum(model, gg_node_sum(model, gg_node_sum(model, last))));
    must(gg_model_keep(model, first, true));
    must(gg_model_keep(model, last, true));
    must(gg_model_set_largest(model, GG_TIME, 4));
    must(gg_model_plan(model, loss, 5));
    float data[60];
    for (int i = 0; i < 60; i++)
        data[i] = (float)i;
    must(gg_model_bind(model, x, data));
    must(gg_model_forward(model, loss, GG_TRAIN));
    must(gg_model_backward(model));
    ck_assert(gg_model_data(model, first)[14] == 14.0f);
    must(gg_model_set_extent(model, GG_TIME, 0));
    must(gg_model_forward(model, loss, GG_TRAIN));
    must(gg_model_backward(model));
    for (int i = 0; i < 15; i++)
        ck_assert(gg_model_data(model, first)[i] == 0.0f && gg_model_data(model, last)[i] == 0.0f);
    for (int64_t i = 0; i < gg_model_parameter_floats(model); i++)
        ck_assert(gg_model_gradients(model)[i] == 0.0f);
    gg_model_free(model);
}
END_TEST

/* Outside training nothing is dropped. */
START_TEST(variational_dropout_rests)
{
    gg_model *model = new_model();
    const gg_value x = gg_input(model, "x", 3, (int64_t[]){GG_TIME, GG_BATCH, 3});
    const gg_value y = gg_variational_dropout(model, x, 0.5f);
    must(gg_model_set_largest(model, GG_TIME, 4));
    must(gg_model_plan(model, GG_NO_VALUE, 5));
    const float *data = support_uniform(60, -1, 1, 1);
    must(gg_model_bind(model, x, data));
    must(gg_model_forward(model, y, GG_INFER));
    ck_assert_mem_eq(gg_model_data(model, y), data, 60 * sizeof *data);
    must(gg_model_forward(model, y, GG_CONTINUE));
    ck_assert_mem_eq(gg_model_data(model, y), data, 60 * sizeof *data);
    gg_model_free(model);
}
END_TEST

/* ---- wrong arguments ---- */

static gg_model *wrong;
static gg_value floats, labels;

static void start_wrong(void)
{
    wrong = new_model();
    floats = gg_input(wrong, "floats", 2, (int64_t[]){GG_BATCH, 6});
    labels = gg_input_labels(wrong, "labels", 1, (int64_t[]){GG_BATCH});
}

static void expect(gg_value given, gg_status status, const char *layer, const char *fragment)
{
    ck_assert_int_lt(given.id, 0);
    support_assert_fails(gg_model_plan(wrong, GG_NO_VALUE, 4), status, layer, fragment);
    gg_model_free(wrong);
    start_wrong();
}

static gg_value words(bool sparse)
{
    return gg_embedding(wrong, labels, 9, 6, &(gg_embedding_options){.sparse = sparse});
}

START_TEST(wrong_tokens)
{
    static const char f[] = "gg_embedding";
    start_wrong();
    expect(gg_embedding(wrong, floats, 9, 6, NULL), GG_ERR_ARGUMENT, f, "tokens are floats");
    expect(gg_embedding(wrong, GG_NO_VALUE, 9, 6, NULL), GG_ERR_ARGUMENT, f, "tokens is not a value");
    expect(gg_embedding(wrong, labels, 0, 6, NULL), GG_ERR_ARGUMENT, f, "vocabulary is 0");
    expect(gg_embedding(wrong, labels, (int64_t)1 << 31, 6, NULL), GG_ERR_ARGUMENT, f, "vocabulary is 2147483648");
    expect(gg_embedding(wrong, labels, 9, 0, NULL), GG_ERR_ARGUMENT, f, "features is 0");
    expect(gg_embedding(wrong, labels, 9, 6, &(gg_embedding_options){.init = GG_INIT_ORTHOGONAL}), GG_ERR_ARGUMENT, f,
           "orthogonal");
    expect(gg_embedding(wrong, labels, 9, 6, &(gg_embedding_options){.init = (gg_initializer)99}), GG_ERR_ARGUMENT, f,
           "init is 99");
    const gg_value many = gg_input_labels(wrong, "many", 4, (int64_t[]){GG_BATCH, 2, 2, 2});
    expect(gg_embedding(wrong, many, 9, 6, NULL), GG_ERR_SHAPE, f, "[batch, 2, 2, 2]");
    ck_assert_int_lt(gg_embedding(NULL, labels, 9, 6, NULL).id, 0);
    gg_model_free(wrong);
}
END_TEST

START_TEST(wrong_ties)
{
    start_wrong();
    expect(gg_affine(wrong, floats, 9, &(gg_affine_options){.tied_to = &floats}), GG_ERR_ARGUMENT, "affine",
           "tied_to is not the output of gg_embedding");
    const gg_value none = GG_NO_VALUE;
    expect(gg_affine(wrong, floats, 9, &(gg_affine_options){.tied_to = &none}), GG_ERR_ARGUMENT, "affine",
           "tied_to is not a value");
    gg_value table = words(true);
    expect(gg_affine(wrong, floats, 9, &(gg_affine_options){.tied_to = &table}), GG_ERR_ARGUMENT, "affine",
           "sparse embedding");
    table = words(false);
    expect(gg_affine(wrong, floats, 8, &(gg_affine_options){.tied_to = &table}), GG_ERR_SHAPE, "gg_affine",
           "9 tokens and 6 features, x has 6 features, out is 8");
    table = words(false);
    const gg_value narrow = gg_affine(wrong, floats, 5, NULL);
    expect(gg_matmul(wrong, narrow, 9, &(gg_affine_options){.tied_to = &table}), GG_ERR_SHAPE, "gg_matmul",
           "x has 5 features");
    gg_model_free(wrong);
}
END_TEST

START_TEST(wrong_shapes)
{
    static const char concatenate[] = "gg_concatenate";
    start_wrong();
    const gg_value flat = gg_input(wrong, "flat", 1, (int64_t[]){GG_BATCH});
    expect(gg_first_step(wrong, flat), GG_ERR_SHAPE, "gg_first_step", "[batch]");
    expect(gg_last_step(wrong, gg_input(wrong, "flat", 1, (int64_t[]){3})), GG_ERR_SHAPE, "gg_last_step", "[3]");
    expect(gg_variational_dropout(wrong, gg_input(wrong, "flat", 1, (int64_t[]){3}), 0.5f), GG_ERR_SHAPE,
           "gg_variational_dropout", "[3]");
    expect(gg_variational_dropout(wrong, floats, 1.0f), GG_ERR_ARGUMENT, "gg_variational_dropout", "ratio is 1");
    expect(gg_last_step(wrong, labels), GG_ERR_ARGUMENT, "last_step", "labels");
    expect(gg_repeat_time(wrong, floats, 0), GG_ERR_ARGUMENT, "gg_repeat_time", "time is 0");
    expect(gg_repeat_time(wrong, floats, -4), GG_ERR_ARGUMENT, "gg_repeat_time", "time is -4");
    expect(gg_repeat_time(wrong, gg_input(wrong, "deep", 4, (int64_t[]){2, 2, 2, 2}), 3), GG_ERR_ARGUMENT,
           "gg_repeat_time", "[2, 2, 2, 2]");
    expect(gg_concatenate(wrong, NULL, 2), GG_ERR_ARGUMENT, concatenate, "values is NULL");
    expect(gg_concatenate(wrong, &floats, 0), GG_ERR_ARGUMENT, concatenate, "count is 0");
    expect(gg_concatenate(wrong, &floats, 9), GG_ERR_ARGUMENT, concatenate, "count is 9");
    const gg_value other = gg_input(wrong, "other", 2, (int64_t[]){GG_TIME, 6});
    expect(gg_concatenate(wrong, (gg_value[]){floats, other}, 2), GG_ERR_SHAPE, concatenate, "values[1] is [time, 6]");
    expect(gg_concatenate(wrong, (gg_value[]){floats, labels}, 2), GG_ERR_ARGUMENT, concatenate, "labels");
    expect(gg_concatenate(wrong, (gg_value[]){floats, {99}}, 2), GG_ERR_ARGUMENT, concatenate, "values[1] is not");
    ck_assert_int_lt(gg_concatenate(NULL, &floats, 1).id, 0);
    gg_model_free(wrong);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, sparse_equals_dense_when_all_rows_are_named, 0, GG_OPTIMIZER_COUNT);
    tcase_add_loop_test(tests, rows_not_named_stand_still, 0, GG_OPTIMIZER_COUNT);
    tcase_add_test(tests, norm_of_sparse_gradients);
    tcase_add_test(tests, a_new_plan_touches_nothing);
    tcase_add_loop_test(tests, a_token_out_of_range_is_named, 0, 2);
    tcase_add_test(tests, sequences_without_steps);
    tcase_add_test(tests, variational_dropout_rests);
    tcase_add_test(tests, wrong_tokens);
    tcase_add_test(tests, wrong_ties);
    tcase_add_test(tests, wrong_shapes);
}

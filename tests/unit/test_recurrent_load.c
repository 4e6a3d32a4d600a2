/* test_recurrent_load.c - models filled with the state_dict of torch.nn's modules compute what those compute
 * (generate.py); files that do not suit change nothing. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/sequence.h>

#include "scratch.h"
#include "support.h"

enum { STEPS = 6, BATCH = 3, IN = 5, HIDDEN = 4, MOST_LAYERS = 2 };

/* The largest difference from PyTorch's double, in units of FLT_EPSILON: all numbers are below 1, and two layers of six
 * steps add up some roundings. */
static const double TOLERANCE = 16.0;

static gg_safetensors *file;

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

static void open_file(void)
{
    char path[4096];
    const char *folder = getenv("GEMMGRAD_GOLDEN");
    ck_assert_msg(folder != NULL, "GEMMGRAD_GOLDEN names no folder");
    snprintf(path, sizeof path, "%s/torch.safetensors", folder);
    must(gg_safetensors_read(&file, path));
}

static void close_file(void)
{
    gg_safetensors_free(file);
    file = NULL;
}

typedef gg_value stack_function(gg_model *model, gg_value x, int64_t hidden, const gg_stack *stack,
                                const gg_recurrent_options *options, gg_recurrent_outputs *outputs);

static const struct module {
    const char *name;
    stack_function *add;
    int layers;
    bool both;
} modules[] = {
    {"rnn", gg_rnn_stack, 1, false},
    {"lstm", gg_lstm_stack, 2, true},
    {"gru", gg_gru_stack, 2, false},
    {"plain", gg_gru_stack, 1, false},
};

typedef struct network {
    gg_model *model;
    gg_value x;
    gg_recurrent_outputs outputs[MOST_LAYERS];
} network;

static network make(const struct module *m)
{
    network n;
    must(gg_model_new(&n.model, 1));
    n.x = gg_input(n.model, "x", 3, (int64_t[]){GG_TIME, GG_BATCH, IN});
    gg_model_name_next(n.model, "layer");
    m->add(n.model, n.x, HIDDEN, &(gg_stack){.layers = m->layers}, &(gg_recurrent_options){.bidirectional = m->both},
           n.outputs);
    for (int i = 0; i < m->layers; i++) {
        must(gg_model_keep(n.model, n.outputs[i].h_last, false));
        if (n.outputs[i].c_last.id >= 0)
            must(gg_model_keep(n.model, n.outputs[i].c_last, false));
    }
    must(gg_model_set_largest(n.model, GG_TIME, STEPS));
    must(gg_model_plan(n.model, GG_NO_VALUE, BATCH));
    return n;
}

static gg_status load_all(const network *n, const struct module *m)
{
    char prefix[16], layer[16];
    gg_status status = GG_OK;
    snprintf(prefix, sizeof prefix, "%s.", m->name);
    for (int i = 0; i < m->layers && status == GG_OK; i++) {
        snprintf(layer, sizeof layer, "layer%d", i + 1);
        status = gg_recurrent_load(n->model, layer, file, prefix, i);
    }
    return status;
}

static const double *doubles(const char *module, const char *name, int64_t size)
{
    char full[64];
    gg_tensor t;
    int64_t count = 1;
    snprintf(full, sizeof full, "%s.%s", module, name);
    must(gg_safetensors_find(file, full, &t));
    for (int i = 0; i < t.rank; i++)
        count *= t.shape[i];
    ck_assert_int_eq(count, size);
    return memcpy(support_doubles(size), t.data, (size_t)size * sizeof(double));
}

/* PyTorch's [layers * directions, batch, hidden] against each layer's [batch, directions * hidden]. */
static void compare_states(const network *n, const struct module *m, bool cells)
{
    const int directions = m->both ? 2 : 1;
    const double *expected = doubles(m->name, cells ? "c" : "h", (int64_t)m->layers * directions * BATCH * HIDDEN);
    for (int layer = 0; layer < m->layers; layer++) {
        const gg_recurrent_outputs *o = &n->outputs[layer];
        const float *actual = gg_model_data(n->model, cells ? o->c_last : o->h_last);
        for (int d = 0; d < directions; d++)
            for (int s = 0; s < BATCH; s++)
                for (int j = 0; j < HIDDEN; j++)
                    ck_assert_double_eq_tol((double)actual[(s * directions + d) * HIDDEN + j],
                                            expected[((layer * directions + d) * BATCH + s) * HIDDEN + j],
                                            TOLERANCE * (double)FLT_EPSILON);
    }
}

START_TEST(modules_compute_what_pytorch_computes)
{
    const struct module *m = &modules[_i];
    const network n = make(m);
    must(load_all(&n, m));
    const double *numbers = doubles(m->name, "x", (int64_t)STEPS * BATCH * IN);
    float *x = support_floats((int64_t)STEPS * BATCH * IN);
    for (int i = 0; i < STEPS * BATCH * IN; i++)
        x[i] = (float)numbers[i];
    must(gg_model_bind(n.model, n.x, x));
    const gg_value y = n.outputs[m->layers - 1].y;
    must(gg_model_forward(n.model, y, GG_INFER));
    const int64_t size = gg_model_size(n.model, y);
    const double *expected = doubles(m->name, "y", size);
    for (int64_t i = 0; i < size; i++)
        ck_assert_double_eq_tol((double)gg_model_data(n.model, y)[i], expected[i], TOLERANCE * (double)FLT_EPSILON);
    compare_states(&n, m, false);
    if (n.outputs[0].c_last.id >= 0)
        compare_states(&n, m, true);
    gg_model_free(n.model);
}
END_TEST

/* ---- what does not suit ---- */

static void expect_untouched(const network *n, gg_status status, gg_status expected, const char *fragment,
                             const float *before)
{
    support_assert_fails(status, expected, "gg_recurrent_load", fragment);
    ck_assert_mem_eq(gg_model_parameters(n->model), before,
                     (size_t)gg_model_parameter_floats(n->model) * sizeof *before);
}

START_TEST(wrong_arguments)
{
    const network n = make(&modules[1]);
    const float *before = support_copy(gg_model_parameters(n.model), gg_model_parameter_floats(n.model));
    gg_model *const model = n.model;
    support_assert_fails(gg_recurrent_load(NULL, "layer1", file, "lstm.", 0), GG_ERR_ARGUMENT, "gg_recurrent_load",
                         "model is NULL");
    expect_untouched(&n, gg_recurrent_load(model, NULL, file, "lstm.", 0), GG_ERR_ARGUMENT, "layer is NULL", before);
    expect_untouched(&n, gg_recurrent_load(model, "layer1", NULL, "lstm.", 0), GG_ERR_ARGUMENT, "file is NULL", before);
    expect_untouched(&n, gg_recurrent_load(model, "layer1", file, NULL, 0), GG_ERR_ARGUMENT, "prefix is NULL", before);
    expect_untouched(&n, gg_recurrent_load(model, "layer1", file, "lstm.", -1), GG_ERR_ARGUMENT, "number is -1",
                     before);
    expect_untouched(&n, gg_recurrent_load(model, "layer3", file, "lstm.", 0), GG_ERR_ARGUMENT,
                     "no recurrent layer \"layer3\"", before);
    char *prefix = memset(support_floats(160), 'a', 640);
    prefix[639] = '\0';
    expect_untouched(&n, gg_recurrent_load(model, "layer1", file, prefix, 0), GG_ERR_ARGUMENT, "prefix is longer",
                     before);
    gg_model_free(model);
}
END_TEST

/* Layers of other sizes, other directions, tensors that are not there. */
START_TEST(wrong_files)
{
    const network n = make(&modules[1]), gru = make(&modules[2]);
    const float *before = support_copy(gg_model_parameters(n.model), gg_model_parameter_floats(n.model));
    expect_untouched(&n, gg_recurrent_load(n.model, "layer1", file, "lost.", 0), GG_ERR_FORMAT,
                     "no tensor 'lost.weight_ih_l0'", before);
    expect_untouched(&n, gg_recurrent_load(n.model, "layer1", file, "lstm.", 2), GG_ERR_FORMAT, "weight_ih_l2", before);
    expect_untouched(&n, gg_recurrent_load(n.model, "layer1", file, "lstm.", 1), GG_ERR_SHAPE, "weight_ih_l1", before);
    expect_untouched(&n, gg_recurrent_load(n.model, "layer1", file, "gru.", 0), GG_ERR_SHAPE, "gru.weight_ih_l0",
                     before);
    const float *of_gru = support_copy(gg_model_parameters(gru.model), gg_model_parameter_floats(gru.model));
    expect_untouched(&gru, gg_recurrent_load(gru.model, "layer1", file, "rnn.", 0), GG_ERR_SHAPE, "rnn.weight_ih_l0",
                     of_gru);
    gg_model_free(n.model);
    gg_model_free(gru.model);
}
END_TEST

/* A file made here: integers, a bias of the wrong size, one direction of two. */
START_TEST(tensors_that_do_not_suit)
{
    static const float zeros[64];
    gg_tensor t[5] = {{"weight_ih_l0", GG_F32, 2, {4, 5}, zeros},
                      {"weight_hh_l0", GG_F32, 2, {4, 4}, zeros},
                      {"bias_ih_l0", GG_F32, 1, {4}, zeros},
                      {"bias_hh_l0", GG_F32, 1, {4}, zeros},
                      {"other", GG_I32, 1, {4}, zeros}};
    static const struct spoiled {
        int tensor, rank;
        gg_dtype dtype;
        int64_t rows;
        gg_status status;
    } cases[] = {{1, 2, GG_I32, 4, GG_ERR_FORMAT}, {3, 1, GG_F32, 3, GG_ERR_SHAPE}, {2, 0, GG_F32, 4, GG_ERR_SHAPE},
                 {0, 1, GG_F32, 4, GG_ERR_SHAPE},  {0, 3, GG_F32, 4, GG_ERR_SHAPE}, {4, 1, GG_I32, 4, GG_OK}};
    scratch_make_folder();
    const char *path = scratch_path("weights.safetensors");
    const network n = make(&modules[0]);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gg_tensor spoiled[5];
        gg_safetensors *here;
        memcpy(spoiled, t, sizeof t);
        gg_tensor *s = &spoiled[cases[i].tensor];
        s->rank = cases[i].rank;
        s->dtype = cases[i].dtype;
        s->shape[0] = cases[i].rows;
        s->shape[2] = 1;
        must(gg_safetensors_write(path, spoiled, 5, NULL, 0));
        must(gg_safetensors_read(&here, path));
        const float *before = support_copy(gg_model_parameters(n.model), gg_model_parameter_floats(n.model));
        const gg_status status = gg_recurrent_load(n.model, "layer1", here, "", 0);
        if (cases[i].status != GG_OK)
            expect_untouched(&n, status, cases[i].status, s->name, before);
        else
            must(status);
        gg_safetensors_free(here);
    }
    scratch_remove_folder();
    for (int64_t i = 0; i < gg_model_parameter_floats(n.model); i++)
        ck_assert(gg_model_parameters(n.model)[i] == 0.0f);
    gg_model_free(n.model);
}
END_TEST

START_TEST(layers_that_pytorch_does_not_have)
{
    gg_model *model;
    must(gg_model_new(&model, 1));
    const gg_value x = gg_input(model, "x", 3, (int64_t[]){GG_TIME, GG_BATCH, IN});
    gg_gru(model, x, HIDDEN, &(gg_recurrent_options){.reset_before = true}, NULL);
    gg_gru(model, x, HIDDEN, NULL, NULL);
    gg_affine(model, x, 3, NULL);
    support_assert_fails(gg_recurrent_load(model, "gru1", file, "gru.", 0), GG_ERR_ARGUMENT, "gg_recurrent_load",
                         "resets before");
    support_assert_fails(gg_recurrent_load(model, "gru2", file, "gru.", 0), GG_ERR_STATE, "gg_recurrent_load",
                         "not planned");
    support_assert_fails(gg_recurrent_load(model, "affine1", file, "gru.", 0), GG_ERR_ARGUMENT, "gg_recurrent_load",
                         "no recurrent layer");
    gg_model_free(model);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, open_file, close_file);
    tcase_add_loop_test(tests, modules_compute_what_pytorch_computes, 0, sizeof modules / sizeof *modules);
    tcase_add_test(tests, wrong_arguments);
    tcase_add_test(tests, wrong_files);
    tcase_add_test(tests, tensors_that_do_not_suit);
    tcase_add_test(tests, layers_that_pytorch_does_not_have);
}

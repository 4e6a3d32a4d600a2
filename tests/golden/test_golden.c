/* test_golden.c - the library and the reference against numbers that PyTorch computed in double (generate.py).
 *
 * The reference agrees to 1e-12 of a tensor's largest number, the library to float rounding. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/optimizer.h>
#include <gemmgrad/safetensors.h>

#include "reference_update.h"
#include "registry.h"
#include "support.h"

static const double REFERENCE_TOLERANCE = 1e-12;

/* Units of the last place of a tensor's largest number. Networks of up to ten layers and a few steps of an optimiser
 * add up some roundings; measured: 5.5 at most. */
static const double LIBRARY_TOLERANCE = 32.0 * (double)FLT_EPSILON;

/* As in generate.py. */
static const registry_sizes GOLDEN_SIZES = {3, 2, 3, 4, 3};
enum { MODEL_SEED = 1 };

/* ---- files ---- */

static gg_safetensors *file;

static void open_file(const char *name)
{
    char path[4096];
    const char *folder = getenv("GEMMGRAD_GOLDEN");
    ck_assert_msg(folder != NULL, "GEMMGRAD_GOLDEN names no folder");
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
    ck_assert_msg(gg_safetensors_read(&file, path) == GG_OK, "%s", gg_error_message());
}

static void open_layers(void)
{
    open_file("layers");
}

static void close_file(void)
{
    gg_safetensors_free(file);
    file = NULL;
}

static const void *tensor(gg_dtype dtype, int64_t size, const char *name)
{
    gg_tensor found;
    int64_t count = 1;
    ck_assert_msg(gg_safetensors_find(file, name, &found) == GG_OK, "%s", gg_error_message());
    for (int i = 0; i < found.rank; i++)
        count *= found.shape[i];
    ck_assert_msg(found.dtype == dtype && count == size, "%s has type %d and %lld elements", name, (int)found.dtype,
                  (long long)count);
    return found.data;
}

static const double *doubles(int64_t size, const char *case_name, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s.%s", case_name, name);
    return tensor(GG_F64, size, full);
}

/* The largest magnitude; 1 for a tensor that is 0 but for rounding, as the gradient of the bias of keys is, which
 * softmax does not see. */
static double largest(const double *x, int64_t n)
{
    double most = 0.0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(x[i]));
    return most > REFERENCE_TOLERANCE ? most : 1.0;
}

static void compare(const double *actual, const double *expected, int64_t n, double tolerance, const char *what)
{
    const double allowed = tolerance * largest(expected, n);
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs(actual[i] - expected[i]) <= allowed,
                      "%s: element %lld is %.17g, PyTorch %.17g, %.3g of allowed", what, (long long)i, actual[i],
                      expected[i], fabs(actual[i] - expected[i]) / allowed);
}

/* ---- layers ---- */

static void narrow(float *to, const double *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)from[i];
}

static gg_parameter parameter(const gg_model *model, int i)
{
    gg_parameter p;
    ck_assert_int_eq(gg_model_parameter(model, i, &p), GG_OK);
    return p;
}

static void load(twin *t, const char *name)
{
    char label[32];
    for (int v = 0; v < t->count; v++) {
        twin_value *value = &t->values[v];
        if (twin_is_labels(t, v)) {
            char full[128];
            snprintf(full, sizeof full, "%s.%s", name, value->name);
            memcpy(value->labels, tensor(GG_I32, twin_size(t, v), full), (size_t)twin_size(t, v) * sizeof(int32_t));
        } else if (value->layer == NULL) {
            narrow(value->data, doubles(twin_size(t, v), name, value->name), twin_size(t, v));
        }
    }
    for (int i = 0; i < t->parameters; i++) {
        const gg_parameter p = parameter(t->model, i);
        snprintf(label, sizeof label, "p%d", i);
        narrow(gg_model_parameters(t->model) + p.offset, doubles(p.size, name, label), p.size);
    }
}

/* One tensor of the library and of the reference. */
static void compare_both(const float *library, const double *reference, int64_t n, const char *case_name,
                         const char *name)
{
    char what[160];
    const double *expected = doubles(n, case_name, name);
    snprintf(what, sizeof what, "reference, %s.%s", case_name, name);
    compare(reference, expected, n, REFERENCE_TOLERANCE, what);
    snprintf(what, sizeof what, "library, %s.%s", case_name, name);
    compare(support_widen(library, n), expected, n, LIBRARY_TOLERANCE, what);
}

static void compare_gradients(const twin *t, const twin_numbers *n, const char *name)
{
    char label[64];
    for (int v = 0; v < t->count; v++)
        if (t->values[v].layer == NULL && !twin_is_labels(t, v)) {
            snprintf(label, sizeof label, "grad.%s", t->values[v].name);
            compare_both(gg_model_gradient(t->model, t->values[v].value), n->gradient[v], twin_size(t, v), name, label);
        }
    for (int i = 0; i < t->parameters; i++) {
        const gg_parameter p = parameter(t->model, i);
        snprintf(label, sizeof label, "grad.p%d", i);
        compare_both(gg_model_gradients(t->model) + p.offset, n->weight_gradient[i], p.size, name, label);
    }
}

START_TEST(layers_equal_pytorch)
{
    const registry_entry *entry = &registry[_i];
    twin t;
    registry_start(&t, entry, &GOLDEN_SIZES, MODEL_SEED);
    load(&t, entry->name);
    twin_numbers *n = twin_numbers_new(&t);
    twin_take_inputs(&t, n);
    twin_compute(&t, n);
    twin_compute_gradients(&t, n);
    twin_step(&t);
    const twin_value *loss = &t.values[t.loss];
    const bool added =
        strcmp(t.values[loss->inputs[1]].name != NULL ? t.values[loss->inputs[1]].name : "", "target") == 0;
    const int y = added ? loss->inputs[0] : t.loss;
    compare_both(gg_model_data(t.model, t.values[y].value), n->value[y], twin_size(&t, y), entry->name, "y");
    compare_both(gg_model_data(t.model, loss->value), n->value[t.loss], 1, entry->name, "loss");
    compare_gradients(&t, n, entry->name);
    twin_free(&t);
}
END_TEST

/* No case is left over: a tensor's name begins with that of an entry. */
START_TEST(every_case_has_an_entry)
{
    for (int64_t i = 0; i < gg_safetensors_count(file); i++) {
        gg_tensor found;
        bool known = false;
        ck_assert_int_eq(gg_safetensors_tensor(file, i, &found), GG_OK);
        const size_t length = strcspn(found.name, ".");
        for (int e = 0; e < registry_count && !known; e++)
            known = strlen(registry[e].name) == length && strncmp(registry[e].name, found.name, length) == 0;
        ck_assert_msg(known, "%s belongs to no entry of the registry", found.name);
    }
}
END_TEST

/* ---- optimisers ---- */

enum { STEPS = 12, WEIGHTS = 15, VARIANTS = 3 };
static const double RATE = 0.0625, CLIP = 0.75;
static const struct variant {
    const char *name;
    double decay;
    bool clips;
} variants[VARIANTS] = {{"plain", 0.0, false}, {"decay", 0.125, false}, {"decay_clip", 0.125, true}};

/* 4 x 3 weights and 3 biases: parameters with padding between them. */
static gg_model *model_with_15_weights(void)
{
    gg_model *model;
    ck_assert_int_eq(gg_model_new(&model, 1), GG_OK);
    const gg_value x = gg_input(model, "x", 2, (int64_t[]){GG_BATCH, 4}),
                   t = gg_input(model, "t", 2, (int64_t[]){GG_BATCH, 3});
    const gg_value loss = gg_mean_squared_error(model, gg_affine(model, x, 3, NULL), t);
    ck_assert_msg(gg_model_plan(model, loss, 1) == GG_OK, "%s", gg_error_message());
    return model;
}

/* Number i of the 15 in an array of the model's layout. */
static float *weight(const gg_model *model, float *arena, int i)
{
    return arena + (i < 12 ? parameter(model, 0).offset + i : parameter(model, 1).offset + i - 12);
}

typedef struct reference_state {
    double w[WEIGHTS], first[WEIGHTS], second[WEIGHTS];
} reference_state;

static void reference_step(reference_state *s, gg_optimizer_kind kind, const double *g, const struct variant *v,
                           int step)
{
    double scale[WEIGHTS], squares = 0.0;
    for (int i = 0; i < WEIGHTS; i++)
        squares += g[i] * g[i];
    const double d = v->decay, clip = v->clips ? fmin(1.0, CLIP / (sqrt(squares) + 1e-6)) : 1.0;
    switch (kind) {
    case GG_SGD: reference_sgd(s->w, scale, g, WEIGHTS, RATE, d, clip); break;
    case GG_MOMENTUM:
    case GG_NESTEROV:
        reference_momentum(s->w, s->first, scale, g, WEIGHTS, RATE, 0.9, d, clip, kind == GG_NESTEROV);
        break;
    case GG_ADAGRAD: reference_adagrad(s->w, s->first, scale, g, WEIGHTS, RATE, 1e-10, d, clip); break;
    case GG_RMSPROP: reference_rmsprop(s->w, s->first, scale, g, WEIGHTS, RATE, 0.99, 1e-8, d, clip); break;
    default:
        reference_adam(s->w, s->first, s->second, scale, g, WEIGHTS, RATE, 0.9, 0.999, 1e-8, d, clip, step,
                       kind == GG_ADAMW);
    }
}

static void library_step(gg_model *model, gg_optimizer *optimizer, const double *g, double w[WEIGHTS])
{
    for (int i = 0; i < WEIGHTS; i++)
        *weight(model, gg_model_gradients(model), i) = (float)g[i];
    ck_assert_int_eq(gg_optimizer_step(optimizer, (float)RATE), GG_OK);
    for (int i = 0; i < WEIGHTS; i++)
        w[i] = (double)*weight(model, gg_model_parameters(model), i);
}

START_TEST(optimizers_equal_pytorch)
{
    const gg_optimizer_kind kind = (gg_optimizer_kind)(_i / VARIANTS);
    const struct variant *v = &variants[_i % VARIANTS];
    const double *start = tensor(GG_F64, WEIGHTS, "start"), *g = tensor(GG_F64, STEPS * WEIGHTS, "gradients");
    const double *expected = doubles(STEPS * WEIGHTS, gg_optimizer_name(kind), v->name);
    const gg_optimizer_options options = {.kind = kind,
                                          .weight_decay = v->decay > 0.0 ? (float)v->decay : -1.0f,
                                          .clip_norm = v->clips ? (float)CLIP : 0.0f};
    gg_model *model = model_with_15_weights();
    gg_optimizer *optimizer = NULL;
    ck_assert_int_eq(gg_optimizer_new(&optimizer, model, &options), GG_OK);
    reference_state s = {.w = {0.0}};
    for (int i = 0; i < WEIGHTS; i++)
        *weight(model, gg_model_parameters(model), i) = (float)(s.w[i] = start[i]);
    for (int step = 0; step < STEPS; step++) {
        char what[96];
        double w[WEIGHTS];
        reference_step(&s, kind, g + step * WEIGHTS, v, step + 1);
        library_step(model, optimizer, g + step * WEIGHTS, w);
        snprintf(what, sizeof what, "%s.%s after step %d", gg_optimizer_name(kind), v->name, step + 1);
        compare(s.w, expected + step * WEIGHTS, WEIGHTS, REFERENCE_TOLERANCE, what);
        compare(w, expected + step * WEIGHTS, WEIGHTS, LIBRARY_TOLERANCE, what);
    }
    gg_optimizer_free(optimizer);
    gg_model_free(model);
}
END_TEST

static void open_optimizers(void)
{
    open_file("optimizers");
}

/* ---- a whole training ---- */

enum { SAMPLES = 12, BATCH = 5, TRAINING_STEPS = 20 };

static int two_layers(twin *t)
{
    twin_new(t, MODEL_SEED);
    const int x = twin_input(t, "x", 2, (int64_t[]){GG_BATCH, 2}, TWIN_UNIFORM, 0.0, 1.0);
    const int labels = twin_input(t, "labels", 1, (int64_t[]){GG_BATCH}, TWIN_LABELS, 0.0, 3.0);
    const int hidden = twin_affine(t, x, 10, GG_SIGMOID, 0.0f);
    return twin_softmax_with_loss(t, twin_affine(t, hidden, 3, GG_IDENTITY, 0.0f), labels);
}

/* Rows of the batches: 5, 5, 2, 5, 5, 2, ... */
static void bind_batch(twin *t, twin_numbers *n, int step)
{
    const double *x = tensor(GG_F64, 2 * SAMPLES, "x");
    const int32_t *labels = tensor(GG_I32, SAMPLES, "labels");
    const int first = step % 3 * BATCH, rows = first + BATCH < SAMPLES ? BATCH : SAMPLES - first;
    twin_set_batch(t, rows);
    narrow(t->values[0].data, x + 2 * first, 2 * rows);
    memcpy(n->value[0], x + 2 * first, 2 * (size_t)rows * sizeof *x);
    memcpy(t->values[1].labels, labels + first, (size_t)rows * sizeof *labels);
}

static void reference_training_step(const twin *t, twin_numbers *n)
{
    for (int v = 0; v < t->count; v++)
        for (int64_t i = 0; i < twin_size(t, v) && n->gradient[v] != NULL; i++)
            n->gradient[v][i] = 0.0;
    for (int p = 0; p < t->parameters; p++)
        memset(n->weight_gradient[p], 0, (size_t)twin_parameter_size(t, p) * sizeof(double));
    twin_compute_gradients(t, n);
    for (int p = 0; p < t->parameters; p++)
        for (int64_t i = 0; i < twin_parameter_size(t, p); i++)
            n->weight[p][i] -= 0.5 * n->weight_gradient[p][i];
}

START_TEST(training_equals_pytorch)
{
    twin t;
    gg_optimizer *optimizer = NULL;
    const int loss = two_layers(&t);
    twin_plan(&t, loss, BATCH, 1);
    ck_assert_int_eq(gg_optimizer_new(&optimizer, t.model, &(gg_optimizer_options){.kind = GG_SGD}), GG_OK);
    twin_numbers *n = twin_numbers_new(&t);
    for (int i = 0; i < t.parameters; i++) {
        char label[16];
        const gg_parameter p = parameter(t.model, i);
        snprintf(label, sizeof label, "p%d", i);
        narrow(gg_model_parameters(t.model) + p.offset, doubles(p.size, "start", label), p.size);
        memcpy(n->weight[i], doubles(p.size, "start", label), (size_t)p.size * sizeof(double));
    }
    const double *losses = tensor(GG_F64, TRAINING_STEPS, "losses");
    for (int step = 0; step < TRAINING_STEPS; step++) {
        bind_batch(&t, n, step);
        const double reference = twin_compute(&t, n), library = (twin_step(&t), gg_model_loss(t.model));
        compare(&reference, losses + step, 1, REFERENCE_TOLERANCE, "reference, loss");
        compare(&library, losses + step, 1, LIBRARY_TOLERANCE, "library, loss");
        reference_training_step(&t, n);
        ck_assert_int_eq(gg_optimizer_step(optimizer, 0.5f), GG_OK);
    }
    for (int i = 0; i < t.parameters; i++) {
        char label[16];
        const gg_parameter p = parameter(t.model, i);
        snprintf(label, sizeof label, "p%d", i);
        compare_both(gg_model_parameters(t.model) + p.offset, n->weight[i], p.size, "end", label);
    }
    gg_optimizer_free(optimizer);
    twin_free(&t);
}
END_TEST

static void open_training(void)
{
    open_file("training");
}

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, open_layers, close_file);
    tcase_add_loop_test(tests, layers_equal_pytorch, 0, registry_count);
    tcase_add_test(tests, every_case_has_an_entry);

    TCase *others = support_case("optimizers");
    tcase_add_checked_fixture(others, open_optimizers, close_file);
    tcase_add_loop_test(others, optimizers_equal_pytorch, 0, (GG_ADAMW + 1) * VARIANTS);

    TCase *whole = support_case("training");
    tcase_add_checked_fixture(whole, open_training, close_file);
    tcase_add_test(whole, training_equals_pytorch);
}

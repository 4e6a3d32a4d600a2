/* whitening.c - PCA and ZCA whitening, and the way back.
 *
 * Shapes: x [rows, D], mean [D], W [D, k], inverse [k, D], y [rows, k]. With the covariance C = V diag(v) V^T of the
 * data, v descending, u_i = v_i + epsilon v_1:
 *     PCA   W = V_k diag(u^(-1/2))          inverse = diag(u^(1/2)) V_k^T
 *     ZCA   W = V diag(u^(-1/2)) V^T        inverse = V diag(u^(1/2)) V^T
 *     y = x W - mean W                      x = y inverse + mean
 * Backward: dX = dY W^T, or dY inverse^T. The four are states: the loss does not reach them.
 *
 * Source: Kessy, Lewin, Strimmer, "Optimal whitening and decorrelation", 2018. */
#include <gemmgrad/fit.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/gemm.h>
#include <gemmgrad/lapack.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/matmul.h>
#include <gemmgrad/memory.h>

#include "node.h"

typedef struct options {
    gg_whitening kind;
    int64_t d, k;
} options;

enum { MEAN, WEIGHT, INVERSE, FITTED }; /* states */
enum { SHIFT };                         /* buffer: - mean W */

/* ---- the layers ---- */

/* The first k of d features, or d from k with zeros behind. */
static void hand_on(float *to, int64_t to_columns, const float *from, int64_t from_columns, int64_t rows, bool add)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < to_columns; c++) {
            const float value = c < from_columns ? from[r * from_columns + c] : 0.0f;
            to[r * to_columns + c] = add ? to[r * to_columns + c] + value : value;
        }
}

static gg_status forward(const gg_pass *pass)
{
    const options *o = pass->options;
    if (*pass->state[FITTED] == 0.0f) {
        hand_on(pass->y[0], o->k, pass->x[0], o->d, pass->rows, false);
        return GG_OK;
    }
    const gg_status status = gg_gemm(pass->buffer[SHIFT], o->k, pass->state[MEAN], o->d, pass->state[WEIGHT], o->k, 1,
                                     o->k, o->d, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, -1.0f, 0.0f);
    return status == GG_OK ? gg_matmul_forward(pass->y[0], o->k, pass->x[0], o->d, pass->state[WEIGHT], o->k,
                                               pass->buffer[SHIFT], pass->rows, o->d, o->k, NULL)
                           : status;
}

static gg_status backward(const gg_pass *pass)
{
    const options *o = pass->options;
    if (*pass->state[FITTED] == 0.0f) {
        hand_on(pass->dx[0], o->d, pass->dy[0], o->k, pass->rows, pass->add_dx[0]);
        return GG_OK;
    }
    return gg_matmul_backward(pass->dx[0], o->d, NULL, o->k, NULL, pass->dy[0], o->k, NULL, o->d, pass->state[WEIGHT],
                              o->k, pass->rows, o->d, o->k, &(gg_matmul_options){.accumulate_dx = pass->add_dx[0]});
}

static gg_status inverse_forward(const gg_pass *pass)
{
    const options *o = pass->options;
    if (*pass->state[FITTED] == 0.0f) {
        hand_on(pass->y[0], o->d, pass->x[0], o->k, pass->rows, false);
        return GG_OK;
    }
    return gg_matmul_forward(pass->y[0], o->d, pass->x[0], o->k, pass->state[INVERSE], o->d, pass->state[MEAN],
                             pass->rows, o->k, o->d, NULL);
}

static gg_status inverse_backward(const gg_pass *pass)
{
    const options *o = pass->options;
    if (*pass->state[FITTED] == 0.0f) {
        hand_on(pass->dx[0], o->k, pass->dy[0], o->d, pass->rows, pass->add_dx[0]);
        return GG_OK;
    }
    return gg_matmul_backward(pass->dx[0], o->k, NULL, o->d, NULL, pass->dy[0], o->d, NULL, o->k, pass->state[INVERSE],
                              o->d, pass->rows, o->k, o->d, &(gg_matmul_options){.accumulate_dx = pass->add_dx[0]});
}

static const gg_layer_class whiten_class = {
    .kind = "whiten", .forward = forward, .backward = backward, .adds_gradients = true};
static const gg_layer_class inverse_class = {
    .kind = "whiten_inverse", .forward = inverse_forward, .backward = inverse_backward, .adds_gradients = true};

gg_value gg_whiten(gg_model *model, gg_value x, gg_whitening kind, int64_t k)
{
    const int64_t d = gg_value_features(model, x, "gg_whiten", "x");
    if (d == 0)
        return GG_NO_VALUE;
    if (kind != GG_WHITEN_PCA && kind != GG_WHITEN_ZCA)
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_whiten: kind is %d, not one of gg_whitening", (int)kind);
    if (k < 0 || k > d || (kind == GG_WHITEN_ZCA && k != 0 && k != d))
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_whiten: k is %lld of %lld features%s", (long long)k,
                              (long long)d, kind == GG_WHITEN_ZCA ? ", and ZCA keeps all" : "");
    const options o = {kind, d, k > 0 ? k : d};
    gg_shape shape = *gg_value_shape(model, x, "gg_whiten", "x", false);
    shape.dims[shape.rank - 1] = o.k;
    gg_node *node = gg_node_begin(model, &whiten_class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, false);
    gg_node_state(model, node, "mean", &(gg_shape){1, {d}}, 0.0f);
    gg_node_state(model, node, "W", &(gg_shape){2, {d, o.k}}, 0.0f);
    gg_node_state(model, node, "inverse", &(gg_shape){2, {o.k, d}}, 0.0f);
    gg_node_state(model, node, "fitted", &(gg_shape){1, {1}}, 0.0f);
    gg_node_buffer(node, &(gg_shape){1, {o.k}}, GG_BUFFER_FORWARD);
    return gg_node_output(model, node, &shape);
}

/* The node that made it, or NULL. */
static gg_node *whitener(const gg_model *model, gg_value whitened)
{
    if (!gg_model_owns(model, whitened) || model->values[whitened.id].producer < 0)
        return NULL;
    gg_node *node = &model->nodes[model->values[whitened.id].producer];
    return node->layer_class == &whiten_class ? node : NULL;
}

gg_value gg_whiten_inverse(gg_model *model, gg_value y, gg_value whitened)
{
    const int64_t k = gg_value_features(model, y, "gg_whiten_inverse", "y");
    if (k == 0)
        return GG_NO_VALUE;
    const gg_node *of = whitener(model, whitened);
    if (of == NULL)
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_whiten_inverse: whitened is not the output of gg_whiten");
    options o;
    int32_t states[GG_NODE_STATES];
    memcpy(&o, of->options, sizeof o);
    memcpy(states, of->states, sizeof states);
    if (o.k != k)
        return gg_model_error(model, GG_ERR_SHAPE, "gg_whiten_inverse: y has %lld features, the whitened one %lld",
                              (long long)k, (long long)o.k);
    gg_shape shape = *gg_value_shape(model, y, "gg_whiten_inverse", "y", false);
    shape.dims[shape.rank - 1] = o.d;
    gg_node *node = gg_node_begin(model, &inverse_class, &o, sizeof o); /* may move the other node */
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, y, false);
    memcpy(node->states, states, sizeof states); /* the very same */
    node->state_count = FITTED + 1;
    return gg_node_output(model, node, &shape);
}

/* ---- the fit ---- */

/* All memory of one fit. */
typedef struct fit {
    int64_t d, k, rows;
    const float *x;
    float *mean, *covariance, *values, *vectors, *scaled, *chunk;
    float *weight, *inverse;
    void *space;
    int64_t bytes;
} fit;

enum { CHUNK = 512 }; /* rows centred at a time: they stay in cache */

static gg_status take(float **out, int64_t rows, int64_t columns)
{
    int64_t floats = 0, bytes = 0;
    void *memory = NULL;
    gg_status status = gg_checked_multiply(&floats, rows, columns);
    if (status == GG_OK)
        status = gg_checked_multiply(&bytes, floats, (int64_t)sizeof(float));
    if (status == GG_OK)
        status = gg_alloc_zero(&memory, (size_t)bytes);
    *out = memory;
    return status;
}

static gg_status take_all(fit *f)
{
    void *space = NULL;
    const struct {
        float **place;
        int64_t rows, columns;
    } wanted[] = {{&f->mean, 1, f->d},       {&f->covariance, f->d, f->d}, {&f->values, 2, f->d},
                  {&f->vectors, f->d, f->d}, {&f->scaled, f->d, f->k},     {&f->chunk, CHUNK, f->d},
                  {&f->weight, f->d, f->k},  {&f->inverse, f->k, f->d}};
    gg_status status = gg_lapack_workspace(&f->bytes, GG_LAPACK_SYMMETRIC_EIGEN, f->d, f->d, 0);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && status == GG_OK; i++)
        status = take(wanted[i].place, wanted[i].rows, wanted[i].columns);
    if (status == GG_OK)
        status = gg_alloc(&space, (size_t)f->bytes);
    f->space = space;
    return status;
}

static void free_all(const fit *f)
{
    float *const parts[] = {f->mean, f->covariance, f->values, f->vectors, f->scaled, f->chunk, f->weight, f->inverse};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        gg_free(parts[i]);
    gg_free(f->space);
}

static int64_t chunk_at(const fit *f, int64_t first)
{
    return f->rows - first < CHUNK ? f->rows - first : CHUNK;
}

/* Sums in double over chunks: a float would stop counting at 2^24 rows. */
static void find_mean(const fit *f)
{
    for (int64_t c = 0; c < f->d; c++) {
        double sum = 0.0;
        for (int64_t r = 0; r < f->rows; r++)
            sum += (double)f->x[r * f->d + c];
        f->mean[c] = (float)(sum / (double)f->rows);
    }
}

static gg_status find_covariance(const fit *f)
{
    gg_status status = GG_OK;
    for (int64_t first = 0; first < f->rows && status == GG_OK; first += CHUNK) {
        const int64_t count = chunk_at(f, first);
        for (int64_t r = 0; r < count; r++)
            for (int64_t c = 0; c < f->d; c++)
                f->chunk[r * f->d + c] = f->x[(first + r) * f->d + c] - f->mean[c];
        status = gg_gemm(f->covariance, f->d, f->chunk, f->d, f->chunk, f->d, f->d, f->d, count, GG_TRANSPOSE,
                         GG_NO_TRANSPOSE, (float)(1.0 / (double)f->rows), 1.0f);
    }
    return status;
}

/* scaled = V_k diag(u^power), the columns in descending order, with the first k of V in `columns`. */
static void scale_columns(const fit *f, float *columns, double epsilon, double power)
{
    const double largest = (double)f->values[f->d - 1];
    for (int64_t j = 0; j < f->k; j++) {
        const int64_t from = f->d - 1 - j; /* LAPACK's values ascend */
        const double u = fmax((double)f->values[from], 0.0) + epsilon * largest;
        for (int64_t i = 0; i < f->d; i++) {
            columns[i * f->k + j] = f->vectors[i * f->d + from];
            f->scaled[i * f->k + j] = (float)((double)f->vectors[i * f->d + from] * pow(u, power));
        }
    }
}

/* out = scaled, or scaled columns^T; transposed where it is the inverse. */
static gg_status compose(const fit *f, float *out, const float *columns, gg_whitening kind, bool transposed)
{
    if (kind == GG_WHITEN_ZCA)
        return gg_gemm(out, f->d, f->scaled, f->k, columns, f->k, f->d, f->d, f->k, GG_NO_TRANSPOSE, GG_TRANSPOSE, 1.0f,
                       0.0f);
    for (int64_t i = 0; i < f->d; i++)
        for (int64_t j = 0; j < f->k; j++)
            out[transposed ? j * f->d + i : i * f->k + j] = f->scaled[i * f->k + j];
    return GG_OK;
}

static gg_status find_turns(const fit *f, gg_whitening kind, double epsilon)
{
    float *columns = f->covariance; /* no longer needed */
    gg_status status = gg_symmetric_eigen(f->values, f->vectors, f->d, f->covariance, f->d, f->d, f->space, f->bytes);
    if (status != GG_OK)
        return status;
    const double largest = (double)f->values[f->d - 1], last = fmax((double)f->values[f->d - f->k], 0.0);
    if (!(last + epsilon * largest > (double)f->d * (double)FLT_EPSILON * largest) || !(largest > 0.0))
        return gg_fail(GG_ERR_SINGULAR,
                       "gg_whiten_fit: component %lld of %lld has variance %g, the first %g: take fewer, or an epsilon",
                       (long long)f->k, (long long)f->d, last, largest);
    scale_columns(f, columns, epsilon, -0.5);
    status = compose(f, f->weight, columns, kind, false);
    scale_columns(f, columns, epsilon, 0.5);
    return status == GG_OK ? compose(f, f->inverse, columns, kind, true) : status;
}

static gg_status compute(fit *f, gg_whitening kind, float epsilon)
{
    bool finite = true;
    gg_status status = gg_all_finite(&finite, f->x, f->rows * f->d);
    if (status == GG_OK && !finite)
        status = gg_fail(GG_ERR_NUMERIC, "gg_whiten_fit: x holds NaN or infinity");
    if (status == GG_OK)
        status = take_all(f);
    if (status != GG_OK)
        return status;
    find_mean(f);
    status = find_covariance(f);
    return status == GG_OK ? find_turns(f, kind, (double)epsilon) : status;
}

static void put(const gg_model *model, const gg_node *node, int state, const float *from)
{
    const gg_state_info *info = &model->states[node->states[state]];
    memcpy(model->carried + info->offset, from, (size_t)info->size * sizeof *from);
}

gg_status gg_whiten_fit(gg_model *model, gg_value whitened, const float *x, int64_t rows, float epsilon)
{
    static const char call[] = "gg_whiten_fit";
    if (model == NULL || x == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL", call, model == NULL ? "model" : "x");
    const gg_node *node = whitener(model, whitened);
    if (node == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: whitened is not the output of gg_whiten", call);
    if (!model->planned)
        return gg_fail(GG_ERR_STATE, "%s: the model is not planned", call);
    if (rows < 1 || !(epsilon >= 0.0f && epsilon <= 1.0f))
        return gg_fail(GG_ERR_ARGUMENT, "%s: rows is %lld, epsilon %g; expected 1 or more, and 0 to 1", call,
                       (long long)rows, (double)epsilon);
    const options *o = (const options *)(const void *)node->options;
    fit f = {.d = o->d, .k = o->k, .rows = rows, .x = x};
    const gg_status status = compute(&f, o->kind, epsilon);
    if (status == GG_OK) {
        put(model, node, MEAN, f.mean);
        put(model, node, WEIGHT, f.weight);
        put(model, node, INVERSE, f.inverse);
        put(model, node, FITTED, &(float){1.0f});
    }
    free_all(&f);
    return status;
}

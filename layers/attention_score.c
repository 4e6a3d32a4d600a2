/* attention_score.c - scores of queries and keys, the means of values under weights, and both put together.
 *
 * Shapes: query [Tq, N, Dq], key [Tk, N, Dk], value [Tk, N, Dv] (samples first as well), S and A [N, Tq, Tk]. For each
 * sample n:
 *
 *   dot       S = s Q K^T                        dQ = s dS K              dK = s dS^T Q
 *   additive  S_tj = v . z_tj,                   dA = dS_tj v (1 - z^2) summed over j for q_t, over t for k_j
 *             z_tj = tanh(q_t + k_j)             dv = sum of dS_tj z_tj
 *   location  S_tj = l_tj                        dl_tj = dS_tj, 0 in columns beyond the keys
 *   context   C = A V                            dA = dC V^T              dV = A^T dC
 *
 * The scores with weights of their own are these behind products: general is dot of q W and k, since q^T W k =
 * (W^T q) . k; additive takes Wq q and Wk k + b; location takes q W.
 *
 * Sources: Bahdanau et al. 2015; Luong et al. 2015; Deep Learning from Scratch 2, chapter 8. */
#include <math.h>

#include <gemmgrad/attend.h>
#include <gemmgrad/elementwise.h>
#include <gemmgrad/gemm.h>
#include <gemmgrad/rows.h>

#include "sequence_value.h"

typedef struct options {
    gg_sequence_value query, key; /* of context: the result and the value */
    float scale;
} options;

/* What a pass's sizes and strides are. */
typedef struct sizes {
    int64_t batch, queries, keys;
    int64_t q_sample, q_step, k_sample, k_step;
} sizes;

static sizes sizes_of(const gg_pass *pass, const options *o)
{
    const int64_t *e = pass->extents;
    return (sizes){e[0],
                   gg_sequence_steps(&o->query, e),
                   gg_sequence_steps(&o->key, e),
                   gg_sequence_sample(&o->query, e),
                   gg_sequence_step(&o->query, e),
                   gg_sequence_sample(&o->key, e),
                   gg_sequence_step(&o->key, e)};
}

/* A matrix of each sample: its rows, and the samples. */
typedef struct samples {
    const float *data;
    int64_t step, sample;
} samples;

/* C = scale op(A) op(B) of each sample. */
static gg_status multiply(float *c, int64_t step, int64_t sample, const samples *a, gg_transpose turn_a,
                          const samples *b, gg_transpose turn_b, int64_t batch, int64_t m, int64_t n, int64_t k,
                          float scale)
{
    return gg_gemm_batch(c, step, sample, a->data, a->step, a->sample, b->data, b->step, b->sample, batch, m, n, k,
                         turn_a, turn_b, scale, 0.0f);
}

/* ---- dot ---- */

static gg_status dot_forward(const gg_pass *pass)
{
    const options *o = pass->options;
    const sizes s = sizes_of(pass, o);
    return multiply(pass->y[0], s.keys, s.queries * s.keys, &(samples){pass->x[0], s.q_step, s.q_sample},
                    GG_NO_TRANSPOSE, &(samples){pass->x[1], s.k_step, s.k_sample}, GG_TRANSPOSE, s.batch, s.queries,
                    s.keys, o->query.features, o->scale);
}

static gg_status dot_backward(const gg_pass *pass)
{
    const options *o = pass->options;
    const sizes s = sizes_of(pass, o);
    const samples ds = {pass->dy[0], s.keys, s.queries * s.keys};
    const samples q = {pass->x[0], s.q_step, s.q_sample}, k = {pass->x[1], s.k_step, s.k_sample};
    gg_status status = GG_OK;
    if (pass->dx[0] != NULL)
        status = multiply(pass->dx[0], s.q_step, s.q_sample, &ds, GG_NO_TRANSPOSE, &k, GG_NO_TRANSPOSE, s.batch,
                          s.queries, o->query.features, s.keys, o->scale);
    if (pass->dx[1] != NULL && status == GG_OK)
        status = multiply(pass->dx[1], s.k_step, s.k_sample, &ds, GG_TRANSPOSE, &q, GG_NO_TRANSPOSE, s.batch, s.keys,
                          o->query.features, s.queries, o->scale);
    return status;
}

static const gg_layer_class dot_class = {.kind = "attention_dot", .forward = dot_forward, .backward = dot_backward};

/* Scores of query and key; the model is in error unless their features agree. */
static gg_value add_scores(gg_model *model, const gg_layer_class *layer_class, gg_value query, gg_value key,
                           const options *o, bool read_key)
{
    const gg_shape shape = {3, {GG_BATCH, o->query.steps, o->key.steps}};
    gg_node *node = gg_node_begin(model, layer_class, o, sizeof *o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, query, read_key);
    gg_node_input(model, node, key, read_key);
    return gg_node_output(model, node, &shape);
}

static bool see_both(options *o, gg_model *model, gg_value query, gg_value key, const char *layer, const char *first)
{
    return gg_sequence_see(&o->query, model, query, layer, first) && gg_sequence_see(&o->key, model, key, layer, "key");
}

static bool features_agree(gg_model *model, const options *o, const char *layer)
{
    if (o->query.features == o->key.features)
        return true;
    gg_model_error(model, GG_ERR_SHAPE, "%s: query has %lld features, key has %lld", layer,
                   (long long)o->query.features, (long long)o->key.features);
    return false;
}

gg_value gg_attention_dot(gg_model *model, gg_value query, gg_value key, float scale)
{
    static const char layer[] = "gg_attention_dot";
    options o = {.scale = scale == 0.0f ? 1.0f : scale};
    if (!see_both(&o, model, query, key, layer, "query") || !features_agree(model, &o, layer))
        return GG_NO_VALUE;
    if (scale - scale != 0.0f) /* NaN or infinite */
        return gg_model_error(model, GG_ERR_ARGUMENT, "%s: scale is %g", layer, (double)scale);
    return add_scores(model, &dot_class, query, key, &o, true);
}

/* ---- additive: one query's z [keys, features] after the other ---- */

/* Buffers: z, of both passes; the gradients of a sample's keys, close together; dz. */
enum { Z_FORWARD, DK, Z, DZ };

static gg_status hidden(float *z, const gg_pass *pass, const options *o, const sizes *s, int64_t n, int64_t t)
{
    return gg_add_bias(z, o->key.features, pass->x[1] + n * s->k_sample, s->k_step,
                       pass->x[0] + n * s->q_sample + t * s->q_step, s->keys, o->key.features, GG_TANH, 0.0f);
}

static gg_status additive_forward(const gg_pass *pass)
{
    const options *o = pass->options;
    const sizes s = sizes_of(pass, o);
    const int64_t features = o->key.features;
    gg_status status = GG_OK;
    for (int64_t row = 0; row < s.batch * s.queries && status == GG_OK; row++) {
        status = hidden(pass->buffer[Z_FORWARD], pass, o, &s, row / s.queries, row % s.queries);
        if (status == GG_OK)
            status = gg_gemm(pass->y[0] + row * s.keys, 1, pass->buffer[Z_FORWARD], features, pass->w[0], 1, s.keys, 1,
                             features, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1.0f, 0.0f);
    }
    return status;
}

/* What query t of sample n sends back: to v, to its own q, and added to the keys of the sample. */
static gg_status additive_row(const gg_pass *pass, const options *o, const sizes *s, int64_t n, int64_t t)
{
    const int64_t features = o->key.features, size = s->keys * features;
    const float *ds = pass->dy[0] + (n * s->queries + t) * s->keys;
    float *z = pass->buffer[Z], *dz = pass->buffer[DZ];
    gg_status status = hidden(z, pass, o, s, n, t);
    if (status == GG_OK)
        status = gg_gemm(pass->dw[0], 1, z, features, ds, 1, features, 1, s->keys, GG_TRANSPOSE, GG_NO_TRANSPOSE, 1.0f,
                         1.0f);
    if (status == GG_OK)
        status = gg_gemm(dz, features, ds, 1, pass->w[0], features, s->keys, features, 1, GG_NO_TRANSPOSE,
                         GG_NO_TRANSPOSE, 1.0f, 0.0f);
    if (status == GG_OK)
        status = gg_activation_backward(dz, dz, z, size, GG_TANH, 0.0f, false);
    if (status == GG_OK && pass->dx[0] != NULL)
        status = gg_sum_rows(pass->dx[0] + n * s->q_sample + t * s->q_step, dz, features, s->keys, features, false);
    if (status == GG_OK)
        status = gg_axpy(pass->buffer[DK], dz, size, 1.0f);
    return status;
}

static gg_status additive_backward(const gg_pass *pass)
{
    const options *o = pass->options;
    const sizes s = sizes_of(pass, o);
    const int64_t features = o->key.features;
    gg_status status = pass->add_dw[0] ? GG_OK : gg_fill(pass->dw[0], features, 0.0f);
    for (int64_t n = 0; n < s.batch && status == GG_OK; n++) {
        status = gg_fill(pass->buffer[DK], s.keys * features, 0.0f);
        for (int64_t t = 0; t < s.queries && status == GG_OK; t++)
            status = additive_row(pass, o, &s, n, t);
        if (pass->dx[1] != NULL && status == GG_OK)
            status = gg_copy_rows(pass->dx[1] + n * s.k_sample, s.k_step, pass->buffer[DK], features, s.keys, features);
    }
    return status;
}

static const gg_layer_class additive_class = {
    .kind = "attention_additive", .forward = additive_forward, .backward = additive_backward};

gg_value gg_attention_additive(gg_model *model, gg_value query, gg_value key)
{
    static const char layer[] = "gg_attention_additive";
    options o = {.scale = 1.0f};
    if (!see_both(&o, model, query, key, layer, "query") || !features_agree(model, &o, layer))
        return GG_NO_VALUE;
    const gg_shape shape = {3, {GG_BATCH, o.query.steps, o.key.steps}}, z = {2, {o.key.steps, o.key.features}};
    gg_node *node = gg_node_begin(model, &additive_class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, query, true);
    gg_node_input(model, node, key, true);
    gg_node_parameter(model, node, "v", &(gg_shape){1, {o.key.features}},
                      gg_initial_deviation(GG_INIT_XAVIER, GG_IDENTITY, o.key.features, 1, 0.0f));
    gg_node_buffer(node, &z, GG_BUFFER_FORWARD);
    for (int i = 0; i < 3; i++)
        gg_node_buffer(node, &z, GG_BUFFER_BACKWARD);
    return gg_node_output(model, node, &shape);
}

/* ---- location ---- */

static gg_status copy_location(float *to, int64_t to_step, int64_t to_sample, const float *from, int64_t from_step,
                               int64_t from_sample, const sizes *s)
{
    gg_status status = GG_OK;
    for (int64_t n = 0; n < s->batch && status == GG_OK; n++)
        status = gg_copy_rows(to + n * to_sample, to_step, from + n * from_sample, from_step, s->queries, s->keys);
    return status;
}

static gg_status location_forward(const gg_pass *pass)
{
    const options *o = pass->options;
    const sizes s = sizes_of(pass, o);
    if (s.keys > o->query.features)
        return gg_fail(GG_ERR_SHAPE, "gg_attention_location: there are %lld keys, and scores for %lld",
                       (long long)s.keys, (long long)o->query.features);
    return copy_location(pass->y[0], s.keys, s.queries * s.keys, pass->x[0], s.q_step, s.q_sample, &s);
}

static gg_status location_backward(const gg_pass *pass)
{
    const options *o = pass->options;
    const sizes s = sizes_of(pass, o);
    gg_status status = GG_OK;
    if (pass->dx[1] != NULL) /* the keys' numbers play no part */
        status = gg_fill(pass->dx[1], s.batch * s.keys * o->key.features, 0.0f);
    if (pass->dx[0] == NULL || status != GG_OK)
        return status;
    status = gg_fill(pass->dx[0], s.batch * s.queries * o->query.features, 0.0f);
    return status != GG_OK
               ? status
               : copy_location(pass->dx[0], s.q_step, s.q_sample, pass->dy[0], s.keys, s.queries * s.keys, &s);
}

static const gg_layer_class location_class = {
    .kind = "attention_location", .forward = location_forward, .backward = location_backward};

gg_value gg_attention_location(gg_model *model, gg_value location, gg_value key)
{
    options o = {.scale = 1.0f};
    return see_both(&o, model, location, key, "gg_attention_location", "location")
               ? add_scores(model, &location_class, location, key, &o, false)
               : GG_NO_VALUE;
}

/* ---- context ---- */

static gg_status context_forward(const gg_pass *pass)
{
    const options *o = pass->options;
    const sizes s = sizes_of(pass, o);
    return multiply(pass->y[0], s.q_step, s.q_sample, &(samples){pass->x[0], s.keys, s.queries * s.keys},
                    GG_NO_TRANSPOSE, &(samples){pass->x[1], s.k_step, s.k_sample}, GG_NO_TRANSPOSE, s.batch, s.queries,
                    o->key.features, s.keys, 1.0f);
}

static gg_status context_backward(const gg_pass *pass)
{
    const options *o = pass->options;
    const sizes s = sizes_of(pass, o);
    const samples dc = {pass->dy[0], s.q_step, s.q_sample}, v = {pass->x[1], s.k_step, s.k_sample};
    const samples a = {pass->x[0], s.keys, s.queries * s.keys};
    gg_status status = GG_OK;
    if (pass->dx[0] != NULL)
        status = multiply(pass->dx[0], s.keys, s.queries * s.keys, &dc, GG_NO_TRANSPOSE, &v, GG_TRANSPOSE, s.batch,
                          s.queries, s.keys, o->key.features, 1.0f);
    if (pass->dx[1] != NULL && status == GG_OK)
        status = multiply(pass->dx[1], s.k_step, s.k_sample, &a, GG_TRANSPOSE, &dc, GG_NO_TRANSPOSE, s.batch, s.keys,
                          o->key.features, s.queries, 1.0f);
    return status;
}

static const gg_layer_class context_class = {
    .kind = "attention_context", .forward = context_forward, .backward = context_backward};

gg_value gg_attention_context(gg_model *model, gg_value weights, gg_value value)
{
    static const char layer[] = "gg_attention_context";
    const gg_shape *a = gg_value_shape(model, weights, layer, "weights", false);
    char text[96];
    options o = {.scale = 1.0f};
    if (a == NULL || !gg_sequence_see(&o.key, model, value, layer, "value"))
        return GG_NO_VALUE;
    if (a->rank != 3 || a->dims[0] != GG_BATCH || a->dims[1] == GG_BATCH || a->dims[2] != o.key.steps)
        return gg_model_error(model, GG_ERR_SHAPE, "%s: weights are %s, expected [batch, queries, steps of value]",
                              layer, gg_shape_text(a, text));
    o.query = (gg_sequence_value){o.key.batch_first, a->dims[1], o.key.features};
    const gg_shape shape = gg_sequence_shape(&o.query);
    gg_node *node = gg_node_begin(model, &context_class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, weights, true);
    gg_node_input(model, node, value, true);
    return gg_node_output(model, node, &shape);
}

/* ---- together ---- */

static gg_value score(gg_model *model, gg_value query, gg_value key, const options *o, const gg_score_options *given)
{
    const int64_t units = given->units > 0 ? given->units : o->key.features;
    switch (given->score) {
    case GG_SCORE_DOT: return gg_attention_dot(model, query, key, 1.0f);
    case GG_SCORE_SCALED: return gg_attention_dot(model, query, key, 1.0f / sqrtf((float)o->key.features));
    case GG_SCORE_GENERAL: return gg_attention_dot(model, gg_matmul(model, query, o->key.features, NULL), key, 1.0f);
    case GG_SCORE_ADDITIVE: {
        const gg_value q = gg_matmul(model, query, units, NULL);
        return gg_attention_additive(model, q, gg_affine(model, key, units, NULL));
    }
    case GG_SCORE_LOCATION: return gg_attention_location(model, gg_matmul(model, query, given->most_keys, NULL), key);
    default: return gg_model_error(model, GG_ERR_ARGUMENT, "gg_score_attention: score is %d", (int)given->score);
    }
}

/* p / S of the predictive window. */
static gg_value center_of(gg_model *model, gg_value query, const options *o, const gg_score_options *given)
{
    const int64_t units = given->units > 0 ? given->units : o->query.features;
    const gg_value h = gg_tanh(model, gg_matmul(model, query, units, NULL));
    return gg_sigmoid(model, gg_matmul(model, h, 1, NULL));
}

gg_value gg_score_attention(gg_model *model, gg_value query, gg_value key, gg_value value,
                            const gg_score_options *options_given, gg_value *weights)
{
    const gg_score_options given = options_given != NULL ? *options_given : (gg_score_options){0};
    options o = {0};
    if (weights != NULL)
        *weights = GG_NO_VALUE;
    if (!see_both(&o, model, query, key, "gg_score_attention", "query"))
        return GG_NO_VALUE;
    if (given.units < 0)
        return gg_model_error(model, GG_ERR_ARGUMENT, "gg_score_attention: units is %lld", (long long)given.units);
    const bool predictive = given.window == GG_WINDOW_PREDICTIVE;
    const gg_value center = predictive ? center_of(model, query, &o, &given) : GG_NO_VALUE;
    const gg_value scores = score(model, query, key, &o, &given);
    const gg_value a = gg_attention_weights(model, scores, predictive ? &center : NULL, &given);
    if (weights != NULL)
        *weights = a;
    return gg_attention_context(model, a, value);
}

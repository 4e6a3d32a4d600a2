/* attention_weights.c - scores to weights: what a query may not look at is hidden, softmax makes weights of the rest,
 * and a predictive window favours its center.
 *
 * Shapes: S, A [N, Tq, Tk]; center c [Tq, N, 1] (samples first as well). For a row, with S keys that count, p = S c:
 *
 *     P_j = e^(S_j) / sum over visible l of e^(S_l), 0 where hidden
 *     A_j = P_j                                    or, predictive, P_j g_j with g_j = e^(-(j - p)^2 / (2 s^2)), s = D /
 * 2
 *
 * Derivation of backward: dP_j = dA_j g_j, then dS_j = P_j (dP_j - sum over l of P_l dP_l) as softmax.c derives;
 * dg_j / dp = g_j (j - p) / s^2, so that dc = S sum over j of dA_j A_j (j - p) / s^2. Which keys are visible is taken
 * as given: the window's edges send nothing back.
 *
 * Source: Luong et al. 2015, section 3.2. */
#include <math.h>
#include <string.h>

#include <gemmgrad/attend.h>
#include <gemmgrad/elementwise.h>
#include <gemmgrad/softmax.h>

#include "sequence_value.h"

typedef struct options {
    int64_t queries, keys; /* numbers or axes */
    gg_sequence_value center;
    gg_window window;
    float half_width;
    bool causal;
    int lengths, center_input; /* inputs; 0: none */
} options;

enum { P, DP }; /* buffers, of the predictive window only */

/* One row on its way: query t of a sample with so many keys that count. */
typedef struct row {
    int64_t first, end; /* visible keys; none when end <= first */
    int64_t counted;
    float p; /* the center, in keys */
} row;

static int64_t extent(const gg_pass *pass, int64_t dimension)
{
    return dimension < 0 ? pass->extents[-1 - dimension] : dimension;
}

/* Where row (n, t) finds its center. */
static int64_t center_at(const gg_pass *pass, const options *o, int64_t n, int64_t t)
{
    return n * gg_sequence_sample(&o->center, pass->extents) + t * gg_sequence_step(&o->center, pass->extents);
}

static row row_of(const gg_pass *pass, const options *o, int64_t n, int64_t t)
{
    const int64_t keys = extent(pass, o->keys);
    row r = {.counted = o->lengths > 0 ? pass->labels[o->lengths][n] : keys};
    r.end = o->causal && t + 1 < r.counted ? t + 1 : r.counted;
    r.p = o->window == GG_WINDOW_PREDICTIVE ? (float)r.counted * pass->x[o->center_input][center_at(pass, o, n, t)]
                                            : (float)t;
    if (o->window == GG_WINDOW_NONE)
        return r;
    const float low = ceilf(r.p - o->half_width), high = floorf(r.p + o->half_width);
    r.first = low > 0.0f ? (low < (float)r.end ? (int64_t)low : r.end) : 0;
    if (high < (float)r.end) /* a NaN hides nothing, and spoils the row */
        r.end = high >= 0.0f ? (int64_t)high + 1 : 0;
    return r;
}

static float gauss(const options *o, const row *r, int64_t j)
{
    const float distance = ((float)j - r->p) / (0.5f * o->half_width);
    return expf(-0.5f * distance * distance);
}

static gg_status check_lengths(const gg_pass *pass, const options *o, int64_t batch, int64_t keys)
{
    for (int64_t n = 0; o->lengths > 0 && n < batch; n++)
        if (pass->labels[o->lengths][n] < 0 || pass->labels[o->lengths][n] > keys)
            return gg_fail(GG_ERR_ARGUMENT, "gg_attention_weights: key_lengths[%lld] is %d, expected 0 to %lld keys",
                           (long long)n, (int)pass->labels[o->lengths][n], (long long)keys);
    return GG_OK;
}

static gg_status forward(const gg_pass *pass)
{
    const options *o = pass->options;
    const int64_t batch = pass->extents[0], queries = extent(pass, o->queries), keys = extent(pass, o->keys);
    const bool predictive = o->window == GG_WINDOW_PREDICTIVE;
    float *p = predictive ? pass->buffer[P] : pass->y[0];
    gg_status status = check_lengths(pass, o, batch, keys);
    if (status != GG_OK)
        return status;
    for (int64_t i = 0; i < batch * queries; i++) {
        const row r = row_of(pass, o, i / queries, i % queries);
        for (int64_t j = 0; j < keys; j++)
            p[i * keys + j] = j >= r.first && j < r.end ? pass->x[0][i * keys + j] : -INFINITY;
    }
    status = gg_softmax_forward(p, p, batch * queries, keys);
    for (int64_t i = 0; i < batch * queries && predictive; i++) {
        const row r = row_of(pass, o, i / queries, i % queries);
        for (int64_t j = 0; j < keys; j++)
            pass->y[0][i * keys + j] = j >= r.first && j < r.end ? p[i * keys + j] * gauss(o, &r, j) : 0.0f;
    }
    return status;
}

/* dP = dA g, and what the center gets. */
static void through_window(const gg_pass *pass, const options *o, int64_t i, int64_t queries, int64_t keys)
{
    const row r = row_of(pass, o, i / queries, i % queries);
    const float *da = pass->dy[0] + i * keys, *p = pass->buffer[P] + i * keys;
    float *dp = pass->buffer[DP] + i * keys;
    const double width = 0.5 * (double)o->half_width;
    double sum = 0.0;
    memset(dp, 0, (size_t)keys * sizeof *dp);
    for (int64_t j = r.first; j < r.end; j++) {
        dp[j] = da[j] * gauss(o, &r, j);
        sum += (double)dp[j] * (double)p[j] * ((double)j - (double)r.p);
    }
    float *dc = pass->dx[o->center_input];
    if (dc != NULL)
        dc[center_at(pass, o, i / queries, i % queries)] = (float)((double)r.counted * sum / (width * width));
}

static gg_status backward(const gg_pass *pass)
{
    const options *o = pass->options;
    const int64_t batch = pass->extents[0], queries = extent(pass, o->queries), keys = extent(pass, o->keys);
    const float *p = pass->y[0], *dp = pass->dy[0];
    if (o->window == GG_WINDOW_PREDICTIVE) {
        p = pass->buffer[P];
        dp = pass->buffer[DP];
        for (int64_t i = 0; i < batch * queries; i++)
            through_window(pass, o, i, queries, keys);
    }
    return pass->dx[0] != NULL ? gg_softmax_backward(pass->dx[0], dp, p, batch * queries, keys) : GG_OK;
}

static const gg_layer_class weights_class = {.kind = "attention_weights", .forward = forward, .backward = backward};

static bool options_fit(options *o, gg_model *model, const gg_shape *scores, const gg_value *center,
                        const gg_score_options *given)
{
    static const char layer[] = "gg_attention_weights";
    char text[96];
    const bool predictive = given->window == GG_WINDOW_PREDICTIVE;
    if (scores->rank != 3 || scores->dims[0] != GG_BATCH || scores->dims[1] == GG_BATCH || scores->dims[2] == GG_BATCH)
        gg_model_error(model, GG_ERR_SHAPE, "%s: scores are %s, expected [batch, queries, keys]", layer,
                       gg_shape_text(scores, text));
    else if ((unsigned)given->window > GG_WINDOW_PREDICTIVE
             || (given->window != GG_WINDOW_NONE && !(given->half_width > 0.0f && given->half_width < INFINITY)))
        gg_model_error(model, GG_ERR_ARGUMENT, "%s: window is %d, half_width is %g, expected above 0", layer,
                       (int)given->window, (double)given->half_width);
    else if (predictive != (center != NULL))
        gg_model_error(model, GG_ERR_ARGUMENT, "%s: center is %s", layer,
                       center != NULL ? "given, and the window is not predictive"
                                      : "NULL, and the window is predictive");
    if (model->error != GG_OK || (center != NULL && !gg_sequence_see(&o->center, model, *center, layer, "center")))
        return false;
    if (center != NULL && (o->center.features != 1 || o->center.steps != scores->dims[1]))
        gg_model_error(model, GG_ERR_SHAPE, "%s: center has other steps than the queries, or %lld features", layer,
                       (long long)o->center.features);
    return model->error == GG_OK && (given->key_lengths == NULL || gg_lengths_fit(model, *given->key_lengths, layer));
}

gg_value gg_attention_weights(gg_model *model, gg_value scores, const gg_value *center,
                              const gg_score_options *options_given)
{
    const gg_score_options given = options_given != NULL ? *options_given : (gg_score_options){0};
    const gg_shape *seen = gg_value_shape(model, scores, "gg_attention_weights", "scores", false);
    options o = {.window = given.window, .half_width = given.half_width, .causal = given.causal};
    if (seen == NULL || !options_fit(&o, model, seen, center, &given))
        return GG_NO_VALUE;
    const gg_shape shape = *seen;
    o.queries = shape.dims[1];
    o.keys = shape.dims[2];
    o.center_input = center != NULL ? 1 : 0;
    o.lengths = given.key_lengths != NULL ? 1 + o.center_input : 0;
    gg_node *node = gg_node_begin(model, &weights_class, &o, sizeof o);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, scores, false);
    if (center != NULL)
        gg_node_input(model, node, *center, true);
    if (given.key_lengths != NULL)
        gg_node_input(model, node, *given.key_lengths, true);
    node->reads_output = center == NULL;
    if (center != NULL) {
        gg_node_buffer(node, &shape, GG_BUFFER_CACHE);
        gg_node_buffer(node, &shape, GG_BUFFER_BACKWARD);
    }
    return gg_node_output(model, node, &shape);
}

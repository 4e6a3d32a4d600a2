/* readout.c - the closed-form fit of a linear layer on a model's features.
 *
 * With H = (h, 1), one row a sample, and X = (W; b), the sum |H X - T|^2 + lambda count |W|^2 is least where
 *     (H^T H + lambda count D) X = H^T T,     D the identity without the 1 of the bias
 * The products are summed batch by batch; lambda = 0 takes all of H to LAPACK's sgelsd instead, whose error grows with
 * the condition of H and not with its square. */
#include <gemmgrad/fit.h>

#include <float.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/gemm.h>
#include <gemmgrad/lapack.h>
#include <gemmgrad/memory.h>

#include "node.h"

typedef struct readout {
    gg_model *model;
    gg_value input, features;
    const gg_dataset *data;
    const float *targets;
    const gg_node *node;
    int64_t in, side, out, batch; /* side: in, and 1 with a bias */
    float *rows, *wanted;         /* H and T: of a batch, or of all samples */
    float *gram, *right;          /* side x side, side x out; X at the end */
    void *space;
    int64_t bytes;
} readout;

/* ---- checks ---- */

static gg_status find_layer(readout *r, gg_value value)
{
    static const char call[] = "gg_fit_readout";
    gg_model *model = r->model;
    if (!gg_model_owns(model, value) || model->values[value.id].producer < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: readout is no layer's output", call);
    r->node = &model->nodes[model->values[value.id].producer];
    const gg_shape *shape = &model->values[r->node->first_input].shape;
    if (!r->node->layer_class->gives_moments || r->node->reads_output || r->node->buffer_count > 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is neither gg_matmul nor gg_affine without activation", call,
                       r->node->name);
    if (r->node->spectral >= 0 || gg_parameter_is_shared(model, r->node->parameters[0]))
        return gg_fail(GG_ERR_ARGUMENT, "%s: the weight of %s is normalised or shared", call, r->node->name);
    if (shape->rank != 2 || shape->dims[0] != GG_BATCH)
        return gg_fail(GG_ERR_SHAPE, "%s: the features are not of shape [batch, D]", call);
    r->features = (gg_value){r->node->first_input};
    r->in = shape->dims[1];
    r->side = r->in + (r->node->parameter_count > 1 ? 1 : 0);
    r->out = model->values[value.id].shape.dims[1];
    r->batch = model->planned_for[-1 - GG_BATCH];
    return GG_OK;
}

static gg_status check_data(const readout *r, float lambda)
{
    static const char call[] = "gg_fit_readout";
    const gg_dataset *d = r->data;
    int64_t dims[GG_MAX_RANK], features = 1;
    const int rank = gg_model_shape(r->model, r->input, dims);
    if (!(lambda >= 0.0f && lambda <= FLT_MAX))
        return gg_fail(GG_ERR_ARGUMENT, "%s: lambda is %g, expected 0 or more", call, (double)lambda);
    if (d->count < 1 || d->x == NULL || (r->targets == NULL && d->labels == NULL))
        return gg_fail(GG_ERR_ARGUMENT, "%s: data has %lld samples, x or labels missing", call, (long long)d->count);
    for (int i = 1; i < rank; i++)
        if (dims[i] < 0 || gg_checked_multiply(&features, features, dims[i]) != GG_OK)
            features = -1;
    if (rank < 1 || dims[0] != GG_BATCH || features != d->features)
        return gg_fail(GG_ERR_SHAPE, "%s: input is not of shape [batch, ..] with the %lld features of data", call,
                       (long long)d->features);
    for (int64_t i = 0; r->targets == NULL && i < d->count; i++)
        if (d->labels[i] < 0 || d->labels[i] >= r->out)
            return gg_fail(GG_ERR_ARGUMENT, "%s: label %lld is %d, expected 0 to %lld", call, (long long)i,
                           (int)d->labels[i], (long long)(r->out - 1));
    if (r->batch < 1)
        return gg_fail(GG_ERR_STATE, "%s: the model is planned for a batch of 0", call);
    return GG_OK;
}

/* ---- memory ---- */

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

static gg_status take_all(readout *r, int64_t samples, gg_lapack_call call, int64_t m)
{
    void *space = NULL;
    gg_status status = take(&r->rows, samples, r->side);
    if (status == GG_OK)
        status = take(&r->wanted, samples, r->out);
    if (status == GG_OK)
        status = take(&r->gram, r->side, r->side);
    if (status == GG_OK)
        status = take(&r->right, r->side, r->out);
    if (status == GG_OK)
        status = gg_lapack_workspace(&r->bytes, call, m, r->side, r->out);
    if (status == GG_OK)
        status = gg_alloc(&space, (size_t)r->bytes);
    r->space = space;
    return status;
}

/* ---- features ---- */

/* Rows of H and T for the samples from `first` on. */
static gg_status features_of(const readout *r, float *rows, float *wanted, int64_t first, int64_t count)
{
    const gg_dataset *d = r->data;
    const bool raw = r->model->values[r->features.id].producer < 0; /* the input itself */
    gg_status status = gg_model_set_extent(r->model, GG_BATCH, count);
    if (status == GG_OK)
        status = gg_model_bind(r->model, r->input, d->x + first * d->features);
    if (status == GG_OK && !raw)
        status = gg_model_forward(r->model, r->features, GG_INFER);
    if (status != GG_OK)
        return status;
    const float *h = gg_model_data(r->model, r->features);
    for (int64_t i = 0; i < count; i++) {
        memcpy(rows + i * r->side, h + i * r->in, (size_t)r->in * sizeof *rows);
        if (r->side > r->in)
            rows[i * r->side + r->in] = 1.0f;
        for (int64_t j = 0; j < r->out; j++)
            wanted[i * r->out + j] = r->targets != NULL          ? r->targets[(first + i) * r->out + j]
                                     : d->labels[first + i] == j ? 1.0f
                                                                 : 0.0f;
    }
    return GG_OK;
}

static int64_t part(const readout *r, int64_t first)
{
    const int64_t left = r->data->count - first;
    return left < r->batch ? left : r->batch;
}

/* ---- the two ways ---- */

static gg_status by_normal_equations(readout *r, float lambda)
{
    const int64_t side = r->side, out = r->out;
    gg_status status = take_all(r, r->batch, GG_LAPACK_CHOLESKY_SOLVE, side);
    for (int64_t first = 0; first < r->data->count && status == GG_OK; first += r->batch) {
        const int64_t count = part(r, first);
        status = features_of(r, r->rows, r->wanted, first, count);
        if (status == GG_OK)
            status = gg_gemm(r->gram, side, r->rows, side, r->rows, side, side, side, count, GG_TRANSPOSE,
                             GG_NO_TRANSPOSE, 1.0f, 1.0f);
        if (status == GG_OK)
            status = gg_gemm(r->right, out, r->rows, side, r->wanted, out, side, out, count, GG_TRANSPOSE,
                             GG_NO_TRANSPOSE, 1.0f, 1.0f);
    }
    for (int64_t i = 0; i < r->in && status == GG_OK; i++)
        r->gram[i * side + i] += (float)((double)lambda * (double)r->data->count);
    return status == GG_OK
               ? gg_cholesky_solve(r->right, out, NULL, r->gram, side, r->right, out, side, out, r->space, r->bytes)
               : status;
}

static gg_status by_least_squares(readout *r)
{
    const int64_t count = r->data->count;
    gg_status status = take_all(r, count, GG_LAPACK_LEAST_SQUARES_SVD, count);
    for (int64_t first = 0; first < count && status == GG_OK; first += r->batch)
        status = features_of(r, r->rows + first * r->side, r->wanted + first * r->out, first, part(r, first));
    return status == GG_OK ? gg_least_squares_svd(r->right, r->out, NULL, NULL, r->rows, r->side, r->wanted, r->out,
                                                  count, r->side, r->out, -1.0f, r->space, r->bytes)
                           : status;
}

static void write_parameters(const readout *r)
{
    gg_model *model = r->model;
    const gg_parameter_info *w = &model->parameters[r->node->parameters[0]];
    memcpy(model->weights + w->offset, r->right, (size_t)w->size * sizeof(float));
    if (r->side > r->in)
        memcpy(model->weights + model->parameters[r->node->parameters[1]].offset, r->right + w->size,
               (size_t)r->out * sizeof(float));
}

gg_status gg_fit_readout(gg_model *model, gg_value input, gg_value value, const gg_dataset *data, const float *targets,
                         float lambda)
{
    if (model == NULL || data == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_fit_readout: %s is NULL", model == NULL ? "model" : "data");
    if (!model->planned)
        return gg_fail(GG_ERR_STATE, "gg_fit_readout: the model is not planned");
    readout r = {.model = model, .input = input, .data = data, .targets = targets};
    gg_status status = find_layer(&r, value);
    if (status == GG_OK)
        status = check_data(&r, lambda);
    if (status == GG_OK)
        status = lambda > 0.0f ? by_normal_equations(&r, lambda) : by_least_squares(&r);
    if (status == GG_OK)
        write_parameters(&r);
    gg_free(r.rows);
    gg_free(r.wanted);
    gg_free(r.gram);
    gg_free(r.right);
    gg_free(r.space);
    return status;
}

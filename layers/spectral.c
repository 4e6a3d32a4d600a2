/* spectral.c - the largest singular value of a weight, and weights that are divided by it.
 *
 * A layer whose weight W (rows x columns) is normalised works with V = W / s, where s is W's largest singular value,
 * u and v its unit vectors. Each run improves them by one round of the power method from the u of the last training
 * step, a state of the model:
 *     v = W^T u / |W^T u|      u = W v / |W v|      s = u^T W v = |W v|
 * W moves little in a step, so one round, two products of a matrix and a vector, keeps up with it, where an SVD of W
 * would cost more than the whole step of a wide layer; s is never above the true value and meets it as training slows.
 * The first round starts from numbers between 1 and 2 in no order, and is repeated FIRST times; ones would be lost on
 * a W whose columns sum to 0.
 *
 * Derivation of backward. ds/dW = u v^T, so with G = dL/dV
 *     dL/dW = G / s - (sum G * W) / s^2 u v^T = (G - (sum G * V) u v^T) / s
 * The layer itself sees V as its weight and leaves G where dL/dW goes.
 *
 * Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018. */
#include <gemmgrad/fit.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/gemm.h>
#include <gemmgrad/lapack.h>
#include <gemmgrad/memory.h>

#include "node.h"

enum { FIRST = 30 };

/* ---- building ---- */

void gg_model_spectral_next(gg_model *model)
{
    if (model != NULL && model->error == GG_OK)
        model->spectral_next = true;
}

void gg_spectral_begin(gg_model *model, gg_node *node, const char *suffix, const gg_shape *shape)
{
    if (!model->spectral_next || shape->rank < 2 || model->error != GG_OK)
        return;
    char name[GG_NAME_BYTES];
    (void)snprintf(name, sizeof name, "%.20s_direction", suffix);
    model->spectral_next = false;
    node->spectral = node->parameter_count - 1;
    node->spectral_state = gg_model_add_state(model, node, name, &(gg_shape){1, {shape->dims[0]}}, 0.0f);
}

/* ---- the place of V, u and v: [V | u | v], from forward to backward ---- */

typedef struct matrices {
    const float *w;
    float *state; /* u of the last training step */
    float *normal, *u, *v;
    int64_t rows, columns;
} matrices;

static matrices of(const gg_model *model, const gg_node *node)
{
    const gg_parameter_info *p = &model->parameters[node->parameters[node->spectral]];
    float *place = model->workspace + node->spectral_offset;
    const int64_t rows = p->shape.dims[0];
    return (matrices){.w = model->weights + p->offset,
                      .state = model->carried + model->states[node->spectral_state].offset,
                      .normal = place,
                      .u = place + p->size,
                      .v = place + p->size + rows,
                      .rows = rows,
                      .columns = p->size / rows};
}

int64_t gg_spectral_floats(const gg_model *model, const gg_node *node)
{
    const gg_parameter_info *p = &model->parameters[node->parameters[node->spectral]];
    return p->size + p->shape.dims[0] + p->size / p->shape.dims[0];
}

gg_status gg_spectral_check(const gg_model *model, const gg_node *node)
{
    const int32_t p = node->parameters[node->spectral];
    if (!model->parameters[p].sparse && !gg_parameter_is_shared(model, p))
        return GG_OK;
    return gg_fail(GG_ERR_UNSUPPORTED, "gg_model_plan: \"%s\" is sparse or shared and cannot be normalised",
                   model->parameters[p].name);
}

/* ---- forward ---- */

/* x / |x|; a vector of zeros stays. Returns |x| in *length. */
static gg_status to_unit(double *length, float *x, int64_t n)
{
    double squares = 0.0;
    const gg_status status = gg_sum_squares(&squares, x, n);
    *length = sqrt(squares);
    return status == GG_OK && *length > 0.0 ? gg_scale(x, n, (float)(1.0 / *length)) : status;
}

static gg_status one_round(const matrices *m, double *s)
{
    gg_status status = gg_gemm(m->v, m->columns, m->u, m->rows, m->w, m->columns, 1, m->columns, m->rows,
                               GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1.0f, 0.0f);
    if (status == GG_OK)
        status = to_unit(s, m->v, m->columns);
    if (status == GG_OK)
        status = gg_gemm(m->u, 1, m->w, m->columns, m->v, 1, m->rows, 1, m->columns, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE,
                         1.0f, 0.0f);
    return status == GG_OK ? to_unit(s, m->u, m->rows) : status;
}

gg_status gg_spectral_forward(const gg_model *model, gg_node *node)
{
    const matrices m = of(model, node);
    double s = 0.0, started = 0.0;
    memcpy(m.u, m.state, (size_t)m.rows * sizeof *m.u);
    gg_status status = gg_sum_squares(&started, m.u, m.rows);
    for (int64_t i = 0; i < m.rows && started == 0.0; i++)
        m.u[i] = 1.0f + (float)fmod((double)i * 0.6180339887498949, 1.0); /* the golden ratio spreads them evenly */
    for (int round = 0; round < (started == 0.0 ? FIRST : 1) && status == GG_OK; round++)
        status = one_round(&m, &s);
    if (status != GG_OK)
        return status;
    node->spectral_norm = s > 0.0 ? s : 1.0; /* W = 0: V = W */
    if (node->pass.updates_state)
        memcpy(m.state, m.u, (size_t)m.rows * sizeof *m.u);
    memcpy(m.normal, m.w, (size_t)(m.rows * m.columns) * sizeof *m.normal);
    return gg_scale(m.normal, m.rows * m.columns, (float)(1.0 / node->spectral_norm));
}

gg_status gg_spectral_backward(const gg_model *model, const gg_node *node)
{
    const matrices m = of(model, node);
    float *g = node->pass.dw[node->spectral];
    const int64_t n = m.rows * m.columns;
    double sum = 0.0;
    if (g == NULL)
        return GG_OK;
    gg_status status = gg_multiply(m.normal, m.normal, g, n); /* the layer is done with V */
    if (status == GG_OK)
        status = gg_sum(&sum, m.normal, n);
    if (status == GG_OK)
        status = gg_gemm(g, m.columns, m.u, 1, m.v, m.columns, m.rows, m.columns, 1, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE,
                         (float)-sum, 1.0f);
    return status == GG_OK ? gg_scale(g, n, (float)(1.0 / node->spectral_norm)) : status;
}

/* ---- the exact one ---- */

static gg_status largest_singular_value(double *norm, const float *w, int64_t rows, int64_t columns)
{
    const int64_t k = rows < columns ? rows : columns;
    int64_t bytes = 0;
    void *values = NULL, *space = NULL;
    gg_status status = gg_lapack_workspace(&bytes, GG_LAPACK_SINGULAR_VALUES, rows, columns, 0);
    if (status == GG_OK)
        status = gg_alloc(&values, (size_t)k * sizeof(float));
    if (status == GG_OK)
        status = gg_alloc(&space, (size_t)bytes);
    if (status == GG_OK)
        status = gg_singular_values(values, w, columns, rows, columns, space, bytes);
    if (status == GG_OK)
        *norm = (double)*(const float *)values;
    gg_free(values);
    gg_free(space);
    return status;
}

gg_status gg_model_spectral_norm(const gg_model *model, int i, double *norm)
{
    gg_parameter p;
    if (norm == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_model_spectral_norm: norm is NULL");
    const gg_status status = gg_model_parameter(model, i, &p);
    if (status != GG_OK)
        return status;
    if (model->weights == NULL)
        return gg_fail(GG_ERR_STATE, "gg_model_spectral_norm: the model is not planned");
    const int64_t rows = p.rank > 1 ? p.dims[0] : 1;
    return largest_singular_value(norm, model->weights + p.offset, rows, p.size / rows);
}

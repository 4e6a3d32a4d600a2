/* matmul.c - the product of a layer and its gradients.
 *
 *   Y  = f(X W + b)      y_rj  = f(sum_i x_ri w_ij + b_j)
 *   dX = dY W^T          dL/dx_ri = sum_j dL/dy_rj w_ij
 *   dW = X^T dY          dL/dw_ij = sum_r x_ri dL/dy_rj
 *   db = sum_r dY        dL/db_j  = sum_r dL/dy_rj
 *
 * A weight stored out x in is the same matrix transposed: X op(W), and dW^T = dY^T X. */
#include <gemmgrad/matmul.h>

#include "matrix_check.h"
#include "kernels/kernels.h"
#include "parallel.h"
#include "product.h"

static const gg_matmul_options defaults;

static void run(const gg_product *p)
{
    if (p->m > 0 && p->n > 0)
        gg_product_run(p);
}

static gg_status check_options(const char *function, const gg_matmul_options *o)
{
    if (o->layout != GG_IN_OUT && o->layout != GG_OUT_IN)
        return gg_fail(GG_ERR_ARGUMENT, "%s: layout is %d, expected GG_IN_OUT or GG_OUT_IN", function, (int)o->layout);
    if ((int)o->activation < 0 || o->activation >= GG_ACTIVATION_COUNT)
        return gg_fail(GG_ERR_ARGUMENT, "%s: activation is %d, not one of gg_activation", function, (int)o->activation);
    return GG_OK;
}

static gg_matrix_argument weight(const char *name, const void *w, int64_t ldw, int64_t in, int64_t out,
                                 gg_weight_layout layout)
{
    return layout == GG_IN_OUT ? (gg_matrix_argument){name, w, in, out, ldw}
                               : (gg_matrix_argument){name, w, out, in, ldw};
}

static gg_status check_all(const char *function, const gg_matrix_argument *matrices, int count)
{
    gg_status status = GG_OK;
    for (int i = 0; status == GG_OK && i < count; i++)
        status = gg_check_matrix(function, &matrices[i]);
    return status;
}

/* in = 0: the product is zero, what is left is f(b) or f(Y + b). */
static void forward_without_product(const gg_product *p)
{
    const gg_epilogue *e = p->epilogue;
    const gg_kernel_table *kernels = gg_kernels();
    for (int64_t r = 0; r < p->m; r++) {
        float *row = p->c + r * p->ldc;
        if (p->beta == 0.0f)
            kernels->fill(row, p->n, 0.0f);
        if (e == NULL)
            continue;
        kernels->add_bias(row, p->n, row, p->n, e->bias, 1, p->n, GG_IDENTITY, 0.0f);
        if (e->preactivation != NULL)
            kernels->copy_rows(e->preactivation + r * p->n, p->n, row, p->n, 1, p->n);
        kernels->add_bias(row, p->n, row, p->n, NULL, 1, p->n, e->activation, e->alpha);
    }
}

gg_status gg_matmul_forward(float *y, int64_t ldy, const float *x, int64_t ldx, const float *w, int64_t ldw,
                            const float *bias, int64_t rows, int64_t in, int64_t out, const gg_matmul_options *options)
{
    static const char name[] = "gg_matmul_forward";
    const gg_matmul_options *o = options != NULL ? options : &defaults;
    gg_status status = gg_check_sizes(name, "rows, in, out", rows, in, out);
    if (status == GG_OK)
        status = check_options(name, o);
    if (status == GG_OK)
        status =
            check_all(name,
                      (gg_matrix_argument[]){
                          {"y", y, rows, out, ldy}, {"x", x, rows, in, ldx}, weight("w", w, ldw, in, out, o->layout)},
                      3);
    if (status != GG_OK || rows == 0 || out == 0)
        return status;
    const gg_epilogue epilogue = {bias, NULL, o->activation, o->alpha, o->preactivation};
    const bool plain = bias == NULL && o->activation == GG_IDENTITY && o->preactivation == NULL;
    const gg_product p = {.c = y,
                          .ldc = ldy,
                          .a = x,
                          .lda = ldx,
                          .b = w,
                          .ldb = ldw,
                          .m = rows,
                          .n = out,
                          .k = in,
                          .transpose_b = o->layout == GG_OUT_IN,
                          .alpha = 1.0f,
                          .beta = o->accumulate_y ? 1.0f : 0.0f,
                          .epilogue = plain ? NULL : &epilogue};
    if (in == 0)
        forward_without_product(&p);
    else
        run(&p);
    return GG_OK;
}

/* No rows: nothing flows back, so that gradients are zero (or stay as they are). */
static void zero(float *matrix, int64_t rows, int64_t columns, int64_t ld, bool accumulate)
{
    if (matrix != NULL && !accumulate)
        for (int64_t r = 0; r < rows; r++)
            gg_kernels()->fill(matrix + r * ld, columns, 0.0f);
}

static void run_dx(float *dx, int64_t lddx, const float *dy, int64_t lddy, const float *w, int64_t ldw, int64_t rows,
                   int64_t in, int64_t out, const gg_matmul_options *o)
{
    if (out == 0) {
        zero(dx, rows, in, lddx, o->accumulate_dx);
        return;
    }
    run(&(gg_product){.c = dx,
                      .ldc = lddx,
                      .a = dy,
                      .lda = lddy,
                      .b = w,
                      .ldb = ldw,
                      .m = rows,
                      .n = in,
                      .k = out,
                      .transpose_b = o->layout == GG_IN_OUT,
                      .alpha = 1.0f,
                      .beta = o->accumulate_dx ? 1.0f : 0.0f});
}

static void run_dw(float *dw, int64_t lddw, const float *dy, int64_t lddy, const float *x, int64_t ldx, int64_t rows,
                   int64_t in, int64_t out, const gg_matmul_options *o)
{
    const float beta = o->accumulate_dw ? 1.0f : 0.0f;
    const bool in_out = o->layout == GG_IN_OUT;
    const int64_t stored_rows = in_out ? in : out, stored_columns = in_out ? out : in;
    if (rows == 0) {
        zero(dw, stored_rows, stored_columns, lddw, o->accumulate_dw);
        return;
    }
    run(&(gg_product){.c = dw,
                      .ldc = lddw,
                      .a = in_out ? x : dy,
                      .lda = in_out ? ldx : lddy,
                      .b = in_out ? dy : x,
                      .ldb = in_out ? lddy : ldx,
                      .m = stored_rows,
                      .n = stored_columns,
                      .k = rows,
                      .transpose_a = true,
                      .alpha = 1.0f,
                      .beta = beta});
}

gg_status gg_matmul_backward(float *dx, int64_t lddx, float *dw, int64_t lddw, float *db, const float *dy, int64_t lddy,
                             const float *x, int64_t ldx, const float *w, int64_t ldw, int64_t rows, int64_t in,
                             int64_t out, const gg_matmul_options *options)
{
    static const char name[] = "gg_matmul_backward";
    const gg_matmul_options *o = options != NULL ? options : &defaults;
    gg_status status = gg_check_sizes(name, "rows, in, out", rows, in, out);
    if (status == GG_OK)
        status = check_options(name, o);
    if (status == GG_OK)
        status = check_all(name, (gg_matrix_argument[]){{"dy", dy, rows, out, lddy}}, 1);
    if (status == GG_OK && dx != NULL)
        status = check_all(
            name, (gg_matrix_argument[]){{"dx", dx, rows, in, lddx}, weight("w", w, ldw, in, out, o->layout)}, 2);
    if (status == GG_OK && dw != NULL)
        status = check_all(
            name, (gg_matrix_argument[]){weight("dw", dw, lddw, in, out, o->layout), {"x", x, rows, in, ldx}}, 2);
    if (status != GG_OK)
        return status;
    if (db != NULL && out > 0)
        status =
            gg_sum_rows(db, dy, rows > 0 ? lddy : out, rows, out, o->accumulate_dw); /* without rows any lddy will do */
    if (status == GG_OK && dw != NULL)
        run_dw(dw, lddw, dy, lddy, x, ldx, rows, in, out, o);
    if (status == GG_OK && dx != NULL)
        run_dx(dx, lddx, dy, lddy, w, ldw, rows, in, out, o);
    return status;
}

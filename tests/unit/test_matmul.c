/* test_matmul.c - the product of a layer and its gradients:
 *     Y = f(X W + b),  dX = dY W^T,  dW = X^T dY,  db = sum of dY over its rows. */
#include <gemmgrad/matmul.h>

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include <check.h>

#include <gemmgrad/backend.h>

#include "product_case.h"
#include "reference_gemm.h"
#include "support.h"

enum { FEWEST_THREADS = 1, BEYOND_THREADS = 4 };

static void use_threads(int threads)
{
    ck_assert_int_eq(gg_set_threads(threads), GG_OK);
}

/* ---- matrices with a row distance of their own ---- */

/* A float matrix that ends before an unreadable page, canaries between its rows, and the same dense in double. */
typedef struct matrix {
    paged array;
    float *data;
    int64_t rows, columns, ld;
    double *wide;
} matrix;

static matrix matrix_new(int64_t rows, int64_t columns, int64_t gap, uint64_t seed)
{
    matrix x = {.rows = rows, .columns = columns, .ld = columns + gap};
    const int64_t elements = rows * columns;
    x.array = paged_new(elements > 0 ? (rows - 1) * x.ld + columns : 0);
    x.data = x.array.data;
    float *dense = support_uniform(elements, -1.0, 1.0, seed);
    x.wide = support_widen(dense, elements);
    for (int64_t i = 0; i < rows; i++)
        memcpy(x.data + i * x.ld, dense + i * columns, (size_t)columns * sizeof(float));
    return x;
}

static void matrix_free(matrix *x)
{
    paged_free(&x->array);
}

/* The gaps between the rows must be canaries still; x must be `expected` to 16 eps `scale`. */
static void matrix_check(const matrix *x, const double *expected, const double *scale, const char *what)
{
    float *dense = support_floats(x->rows * x->columns);
    for (int64_t i = 0; i < x->rows; i++) {
        memcpy(dense + i * x->columns, x->data + i * x->ld, (size_t)x->columns * sizeof(float));
        for (int64_t j = x->columns; j < x->ld && i + 1 < x->rows && x->columns > 0; j++)
            if (!is_canary(x->data[i * x->ld + j]))
                ck_abort_msg("%s: row %lld was written beyond its end", what, (long long)i);
    }
    support_assert_close(dense, expected, scale, x->rows * x->columns, 8.0, "%s %lld x %lld", what, (long long)x->rows,
                         (long long)x->columns); /* 8 FLT_EPSILON are 16 roundings */
}

static double *magnitudes(const double *x, int64_t n)
{
    double *result = support_doubles(n);
    for (int64_t i = 0; i < n; i++)
        result[i] = fabs(x[i]);
    return result;
}

static double *copy(const double *x, int64_t n)
{
    double *result = support_doubles(n);
    memcpy(result, x, (size_t)n * sizeof *x);
    return result;
}

/* ---- forward ---- */

typedef struct layer {
    int64_t rows, in, out;
    gg_weight_layout layout;
    matrix x, w, y;
    matrix bias; /* one row */
} layer;

static layer layer_new(int64_t rows, int64_t in, int64_t out, gg_weight_layout layout, int64_t gap)
{
    const bool in_out = layout == GG_IN_OUT;
    return (layer){rows,
                   in,
                   out,
                   layout,
                   matrix_new(rows, in, gap, 1),
                   matrix_new(in_out ? in : out, in_out ? out : in, 2 * gap, 2),
                   matrix_new(rows, out, 3 * gap, 3),
                   matrix_new(1, out, 0, 4)};
}

static void layer_free(layer *l)
{
    matrix_free(&l->x);
    matrix_free(&l->w);
    matrix_free(&l->y);
    matrix_free(&l->bias);
    support_release();
}

static gg_status forward(layer *l, bool bias, gg_matmul_options options)
{
    options.layout = l->layout;
    return gg_matmul_forward(l->y.data, l->y.ld, l->x.data, l->x.ld, l->w.data, l->w.ld, bias ? l->bias.data : NULL,
                             l->rows, l->in, l->out, &options);
}

/* Y = X W + b or Y += X W + b, to rounding. */
static void check_linear(int64_t rows, int64_t in, int64_t out, int kind)
{
    const bool bias = (kind & 1) != 0, accumulate = (kind & 2) != 0;
    layer l = layer_new(rows, in, out, (kind & 4) != 0 ? GG_OUT_IN : GG_IN_OUT, kind % 3);
    double *y = copy(l.y.wide, rows * out), *scale = magnitudes(l.y.wide, rows * out);
    reference_matmul_forward(y, l.x.wide, l.w.wide, bias ? l.bias.wide : NULL, rows, in, out, l.layout == GG_OUT_IN,
                             accumulate);
    reference_matmul_forward(scale, magnitudes(l.x.wide, rows * in), magnitudes(l.w.wide, in * out),
                             bias ? magnitudes(l.bias.wide, out) : NULL, rows, in, out, l.layout == GG_OUT_IN,
                             accumulate);
    ck_assert_int_eq(forward(&l, bias, (gg_matmul_options){.accumulate_y = accumulate}), GG_OK);
    matrix_check(&l.y, y, scale, accumulate ? "Y += X W + b" : "Y = X W + b");
    layer_free(&l);
}

static const int larger[][3] = {{1, 64, 64},   {15, 17, 33},   {16, 127, 65},   {33, 129, 63},
                                {65, 512, 31}, {128, 65, 129}, {100, 100, 101}, {7, 2049, 65},
                                {1, 300, 517}, {259, 1, 70},   {70, 300, 1},    {130, 140, 150}};
enum { LARGER = sizeof larger / sizeof *larger };

START_TEST(forward_small_sizes)
{
    static const int sizes[] = {0, 1, 2, 3, 5, 9};
    use_threads(1);
    for (int i = 0; i < 216 * 8; i++)
        check_linear(sizes[i / 8 / 36], sizes[i / 8 / 6 % 6], sizes[i / 8 % 6], i % 8);
}
END_TEST

START_TEST(forward_larger_sizes)
{
    use_threads(_i);
    for (int i = 0; i < LARGER * 8; i++)
        check_linear(larger[i / 8][0], larger[i / 8][1], larger[i / 8][2], i % 8);
}
END_TEST

static bool same(float a, float b)
{
    return a == b || (isnan(a) && isnan(b));
}

static float y_at(const layer *l, int64_t i)
{
    return l->y.data[i / l->out * l->y.ld + i % l->out];
}

static void restore_y(layer *l)
{
    for (int64_t i = 0; i < l->rows * l->out; i++)
        l->y.data[i / l->out * l->y.ld + i % l->out] = (float)l->y.wide[i];
}

/* With Z what the same call gives without f: preactivation = Z and Y = gg_activation_forward(Z), bit for bit, whether
 * or not the preactivation is asked for. */
static void check_fused(int64_t rows, int64_t in, int64_t out, gg_activation f, int kind)
{
    const int64_t n = rows * out;
    const bool bias = (kind & 1) != 0, accumulate = (kind & 2) != 0;
    layer l = layer_new(rows, in, out, (kind & 4) != 0 ? GG_OUT_IN : GG_IN_OUT, kind % 2);
    float *z = support_floats(n), *y = support_floats(n), *pre = support_floats(n);
    ck_assert_int_eq(forward(&l, bias, (gg_matmul_options){.accumulate_y = accumulate}), GG_OK);
    for (int64_t i = 0; i < n; i++)
        z[i] = y_at(&l, i);
    ck_assert_int_eq(gg_activation_forward(y, z, n, f, 0.3f), GG_OK);
    for (int keep = 0; keep < 2; keep++) {
        restore_y(&l);
        ck_assert_int_eq(forward(&l, bias,
                                 (gg_matmul_options){.accumulate_y = accumulate,
                                                     .activation = f,
                                                     .alpha = 0.3f,
                                                     .preactivation = keep ? pre : NULL}),
                         GG_OK);
        for (int64_t i = 0; i < n; i++)
            if (!same(y_at(&l, i), y[i]) || (keep && !same(pre[i], z[i])))
                ck_abort_msg("%s, %lld x %lld x %lld, kind %d: y %g for %g, z %g for %g", gg_activation_name(f),
                             (long long)rows, (long long)in, (long long)out, kind, (double)y_at(&l, i), (double)y[i],
                             (double)pre[i], (double)z[i]);
    }
    layer_free(&l);
}

START_TEST(fused_activations)
{
    static const int sizes[][3] = {{1, 1, 1}, {2, 0, 5}, {3, 9, 5}, {17, 33, 31}, {33, 520, 67}, {130, 60, 129}};
    use_threads(_i);
    for (int i = 0; i < 6 * 8; i++)
        for (gg_activation f = GG_IDENTITY; f < GG_ACTIVATION_COUNT; f++)
            check_fused(sizes[i / 8][0], sizes[i / 8][1], sizes[i / 8][2], f, i % 8);
}
END_TEST

/* Overwriting does not read Y; NaN in a row of X stays in that row; a NaN bias takes its column. */
START_TEST(nan_stays_where_it_belongs)
{
    for (int threads = 1; threads < 3; threads++)
        for (int kind = 0; kind < 2; kind++) {
            layer l = layer_new(40, 70, 90, kind == 0 ? GG_IN_OUT : GG_OUT_IN, 1);
            for (int64_t i = 0; i < 40 * 90; i++)
                l.y.data[i / 90 * l.y.ld + i % 90] = NAN;
            l.x.data[7 * l.x.ld + 69] = NAN;
            l.bias.data[64] = NAN;
            use_threads(threads);
            ck_assert_int_eq(forward(&l, true, (gg_matmul_options){.activation = GG_RELU}), GG_OK);
            for (int64_t i = 0; i < 40 * 90; i++)
                if ((isnan(y_at(&l, i)) != 0) != (i / 90 == 7 || i % 90 == 64))
                    ck_abort_msg("Y[%lld][%lld] is %g", (long long)(i / 90), (long long)(i % 90), (double)y_at(&l, i));
            layer_free(&l);
        }
}
END_TEST

/* ---- backward ---- */

typedef struct gradients {
    layer l;
    matrix dx, dw, dy, db;
} gradients;

static gradients gradients_new(int64_t rows, int64_t in, int64_t out, gg_weight_layout layout, int64_t gap)
{
    gradients g = {.l = layer_new(rows, in, out, layout, gap)};
    g.dx = matrix_new(rows, in, gap, 5);
    g.dw = matrix_new(g.l.w.rows, g.l.w.columns, 4 * gap, 6);
    g.dy = matrix_new(rows, out, gap, 7);
    g.db = matrix_new(1, out, 0, 8);
    return g;
}

static void gradients_free(gradients *g)
{
    matrix_free(&g->dx);
    matrix_free(&g->dw);
    matrix_free(&g->dy);
    matrix_free(&g->db);
    layer_free(&g->l);
}

enum { WANT_DX = 1, WANT_DW = 2, WANT_DB = 4, ADD_DX = 8, ADD_DW = 16, OUT_IN = 32, KINDS = 64 };

static gg_status backward(gradients *g, int kind)
{
    const gg_matmul_options options = {
        .layout = g->l.layout, .accumulate_dx = (kind & ADD_DX) != 0, .accumulate_dw = (kind & ADD_DW) != 0};
    const bool dx = (kind & WANT_DX) != 0, dw = (kind & WANT_DW) != 0; /* what is not needed may be NULL */
    return gg_matmul_backward(dx ? g->dx.data : NULL, g->dx.ld, dw ? g->dw.data : NULL, g->dw.ld,
                              (kind & WANT_DB) != 0 ? g->db.data : NULL, g->dy.data, g->dy.ld, dw ? g->l.x.data : NULL,
                              g->l.x.ld, dx ? g->l.w.data : NULL, g->l.w.ld, g->l.rows, g->l.in, g->l.out, &options);
}

typedef struct expected {
    double *dx, *dw, *db;
} expected;

/* What must come out; the inputs are X, W, dY or their magnitudes. What is not wanted stays. */
static expected expect(const gradients *g, bool magnitude, int kind)
{
    const int64_t nx = g->l.rows * g->l.in, nw = g->l.in * g->l.out, ny = g->l.rows * g->l.out, nb = g->l.out;
    double *(*take)(const double *x, int64_t n) = magnitude ? magnitudes : copy;
    const expected e = {take(g->dx.wide, nx), take(g->dw.wide, nw), take(g->db.wide, nb)};
    reference_matmul_backward((kind & WANT_DX) != 0 ? e.dx : NULL, (kind & WANT_DW) != 0 ? e.dw : NULL,
                              (kind & WANT_DB) != 0 ? e.db : NULL, take(g->dy.wide, ny), take(g->l.x.wide, nx),
                              take(g->l.w.wide, nw), g->l.rows, g->l.in, g->l.out, (kind & OUT_IN) != 0,
                              (kind & ADD_DX) != 0, (kind & ADD_DW) != 0);
    return e;
}

static void check_backward(int64_t rows, int64_t in, int64_t out, int kind)
{
    gradients g = gradients_new(rows, in, out, (kind & OUT_IN) != 0 ? GG_OUT_IN : GG_IN_OUT, kind % 3);
    const expected value = expect(&g, false, kind), scale = expect(&g, true, kind);
    ck_assert_msg(backward(&g, kind) == GG_OK, "%s", gg_error_message());
    matrix_check(&g.dx, value.dx, scale.dx, "dX = dY W^T");
    matrix_check(&g.dw, value.dw, scale.dw, "dW = X^T dY");
    matrix_check(&g.db, value.db, scale.db, "db = sum of dY");
    gradients_free(&g);
}

START_TEST(backward_small_sizes)
{
    static const int sizes[] = {0, 1, 2, 3, 5, 9};
    use_threads(1);
    for (int i = 0; i < 216; i++)
        for (int kind = i % 5; kind < KINDS; kind += 5)
            check_backward(sizes[i / 36], sizes[i / 6 % 6], sizes[i % 6], kind);
}
END_TEST

START_TEST(backward_larger_sizes)
{
    use_threads(_i);
    for (int i = 0; i < LARGER; i++)
        for (int kind = i % 7; kind < KINDS; kind += 7)
            check_backward(larger[i][0], larger[i][1], larger[i][2], kind);
}
END_TEST

/* The reference's backward is the derivative of its forward: L = sum of g_rj y_rj is linear in X, in W and in b, so
 * that the difference quotient with step 1 is the derivative but for rounding. */
static double loss(const double *x, const double *w, const double *b, const double *g, bool out_in)
{
    double y[12], sum = 0.0;
    reference_matmul_forward(y, x, w, b, 3, 5, 4, out_in, false);
    for (int i = 0; i < 12; i++)
        sum += y[i] * g[i];
    return sum;
}

static void check_derivative(double *input, int n, const double *gradient, const double *const all[4], bool out_in)
{
    for (int i = 0; i < n; i++) {
        const double before = loss(all[0], all[1], all[2], all[3], out_in);
        input[i] += 1.0;
        const double after = loss(all[0], all[1], all[2], all[3], out_in);
        input[i] -= 1.0;
        ck_assert_double_eq_tol(after - before, gradient[i], 1e-12);
    }
}

START_TEST(reference_is_its_own_derivative)
{
    double *x = support_widen(support_uniform(15, -1, 1, 1), 15), *w = support_widen(support_uniform(20, -1, 1, 2), 20);
    double *b = support_widen(support_uniform(4, -1, 1, 3), 4), *g = support_widen(support_uniform(12, -1, 1, 4), 12);
    const double *const all[4] = {x, w, b, g};
    double dx[15], dw[20], db[4];
    for (int out_in = 0; out_in < 2; out_in++) {
        reference_matmul_backward(dx, dw, db, g, x, w, 3, 5, 4, out_in != 0, false, false);
        check_derivative(x, 15, dx, all, out_in != 0);
        check_derivative(w, 20, dw, all, out_in != 0);
        check_derivative(b, 4, db, all, out_in != 0);
    }
}
END_TEST

/* ---- defaults, empty and wrong arguments ---- */

/* No options: in x out, overwrite, no activation. */
START_TEST(options_may_be_null)
{
    const float x[2] = {1, 2}, w[4] = {1, 2, 3, 4}, b[2] = {10, 20}, dy[2] = {1, -1};
    float y[2] = {NAN, NAN}, dx[2] = {NAN, NAN}, dw[4] = {NAN, NAN, NAN, NAN}, db[2] = {NAN, NAN};
    ck_assert_int_eq(gg_matmul_forward(y, 2, x, 2, w, 2, b, 1, 2, 2, NULL), GG_OK);
    ck_assert(y[0] == 17.0f && y[1] == 30.0f);
    ck_assert_int_eq(gg_matmul_backward(dx, 2, dw, 2, db, dy, 2, x, 2, w, 2, 1, 2, 2, NULL), GG_OK);
    ck_assert(dx[0] == -1.0f && dx[1] == -1.0f && db[0] == 1.0f && db[1] == -1.0f);
    ck_assert(dw[0] == 1.0f && dw[1] == -1.0f && dw[2] == 2.0f && dw[3] == -2.0f);
}
END_TEST

/* Matrices without elements may be NULL with leading dimension 0. in = 0: Y = f(b); rows = 0: dW = 0, db = 0; out = 0:
 * dX = 0. */
START_TEST(empty_matrices)
{
    const float b[2] = {1, -2};
    float y[2] = {NAN, NAN}, dw[4] = {NAN, NAN, NAN, NAN}, db[2] = {NAN, NAN}, dx[2] = {NAN, NAN};
    const gg_matmul_options relu = {.activation = GG_RELU}, add = {.accumulate_dx = true, .accumulate_dw = true};
    ck_assert_int_eq(gg_matmul_forward(y, 2, NULL, 0, NULL, 2, b, 1, 0, 2, &relu), GG_OK);
    ck_assert(y[0] == 1.0f && y[1] == 0.0f);
    ck_assert_int_eq(gg_matmul_forward(NULL, 0, NULL, 0, b, 2, b, 0, 1, 2, NULL), GG_OK);
    ck_assert_int_eq(gg_matmul_forward(NULL, 0, b, 2, NULL, 0, NULL, 1, 2, 0, NULL), GG_OK);
    ck_assert_msg(gg_matmul_backward(NULL, 0, dw, 2, db, NULL, 0, NULL, 0, NULL, 0, 0, 2, 2, NULL) == GG_OK, "%s",
                  gg_error_message());
    ck_assert(dw[0] == 0.0f && dw[1] == 0.0f && dw[2] == 0.0f && dw[3] == 0.0f && db[0] == 0.0f && db[1] == 0.0f);
    ck_assert_int_eq(gg_matmul_backward(dx, 2, NULL, 0, NULL, NULL, 0, NULL, 0, NULL, 0, 1, 2, 0, NULL), GG_OK);
    ck_assert(dx[0] == 0.0f && dx[1] == 0.0f);
    dx[0] = dw[0] = db[0] = 7.0f;
    ck_assert_int_eq(gg_matmul_backward(NULL, 0, dw, 2, db, NULL, 0, NULL, 0, NULL, 0, 0, 2, 2, &add), GG_OK);
    ck_assert_int_eq(gg_matmul_backward(dx, 2, NULL, 0, NULL, NULL, 0, NULL, 0, NULL, 0, 1, 2, 0, &add), GG_OK);
    ck_assert(dx[0] == 7.0f && dw[0] == 7.0f && db[0] == 7.0f);
    ck_assert_int_eq(gg_matmul_backward(NULL, 0, NULL, 0, NULL, NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, NULL), GG_OK);
}
END_TEST

static const char forward_name[] = "gg_matmul_forward: ", backward_name[] = "gg_matmul_backward: ";

START_TEST(wrong_forward)
{
    enum { E = 20 };
    const gg_matmul_options layout = {.layout = (gg_weight_layout)2}, f = {.activation = GG_ACTIVATION_COUNT};
    const gg_matmul_options negative = {.activation = (gg_activation)-1}, out_in = {.layout = GG_OUT_IN};
    const float x[E] = {0}, w[E] = {0};
    float *y = support_floats(E);
    const struct {
        float *y;
        int64_t ldy;
        const float *x;
        int64_t ldx;
        const float *w;
        int64_t ldw, rows, in, out;
        const gg_matmul_options *options;
        gg_status status;
        const char *words;
    } calls[] = {
        {NULL, 3, x, 4, w, 3, 2, 4, 3, NULL, GG_ERR_ARGUMENT, "y is NULL, expected 2 x 3"},
        {y, 3, NULL, 4, w, 3, 2, 4, 3, NULL, GG_ERR_ARGUMENT, "x is NULL, expected 2 x 4"},
        {y, 3, x, 4, NULL, 3, 2, 4, 3, NULL, GG_ERR_ARGUMENT, "w is NULL, expected 4 x 3"},
        {y, 3, x, 4, NULL, 4, 2, 4, 3, &out_in, GG_ERR_ARGUMENT, "w is NULL, expected 3 x 4"},
        {y, 2, x, 4, w, 3, 2, 4, 3, NULL, GG_ERR_SHAPE, "y is 2"},
        {y, 3, x, 3, w, 3, 2, 4, 3, NULL, GG_ERR_SHAPE, "x is 3"},
        {y, 3, x, 4, w, 2, 2, 4, 3, NULL, GG_ERR_SHAPE, "w is 2"},
        {y, 3, x, 4, w, 3, 2, 4, 3, &out_in, GG_ERR_SHAPE, "w is 3, its rows have 4 floats (3 x 4)"},
        {y, 3, x, 4, w, 3, -2, 4, 3, NULL, GG_ERR_ARGUMENT, "(-2, 4, 3)"},
        {y, 3, x, 4, w, 3, 2, -4, 3, NULL, GG_ERR_ARGUMENT, "(2, -4, 3)"},
        {y, 3, x, 4, w, 3, 2, 4, -3, NULL, GG_ERR_ARGUMENT, "(2, 4, -3)"},
        {y, 3, x, 4, w, 3, (int64_t)1 << 40, 4, 3, NULL, GG_ERR_OVERFLOW, "(1099511627776, 4, 3)"},
        {y, INT_MAX, x, 4, w, 3, INT_MAX, 4, 3, NULL, GG_ERR_OVERFLOW, "y of 2147483647 rows"},
        {y, 3, x, 4, w, 3, 2, 4, 3, &layout, GG_ERR_ARGUMENT, "layout is 2"},
        {y, 3, x, 4, w, 3, 2, 4, 3, &f, GG_ERR_ARGUMENT, "activation is 11"},
        {y, 3, x, 4, w, 3, 2, 4, 3, &negative, GG_ERR_ARGUMENT, "activation is -1"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        support_assert_fails(gg_matmul_forward(calls[i].y, calls[i].ldy, calls[i].x, calls[i].ldx, calls[i].w,
                                               calls[i].ldw, NULL, calls[i].rows, calls[i].in, calls[i].out,
                                               calls[i].options),
                             calls[i].status, forward_name, calls[i].words);
    ck_assert(support_untouched(y, E));
}
END_TEST

START_TEST(wrong_backward)
{
    enum { E = 20 };
    const gg_matmul_options out_in = {.layout = GG_OUT_IN}, layout = {.layout = (gg_weight_layout)-1};
    const float x[E] = {0}, w[E] = {0}, dy[E] = {0};
    float *dx = support_floats(E), *dw = support_floats(E), *db = support_floats(E);
    const struct {
        int64_t lddx, lddw;
        const float *dy;
        int64_t lddy;
        const float *x;
        int64_t ldx;
        const float *w;
        int64_t ldw, rows, in, out;
        const gg_matmul_options *options;
        gg_status status;
        const char *words;
    } calls[] = {
        {4, 3, NULL, 3, x, 4, w, 3, 2, 4, 3, NULL, GG_ERR_ARGUMENT, "dy is NULL, expected 2 x 3"},
        {4, 3, dy, 3, NULL, 4, w, 3, 2, 4, 3, NULL, GG_ERR_ARGUMENT, "x is NULL, expected 2 x 4"},
        {4, 3, dy, 3, x, 4, NULL, 3, 2, 4, 3, NULL, GG_ERR_ARGUMENT, "w is NULL, expected 4 x 3"},
        {3, 3, dy, 3, x, 4, w, 3, 2, 4, 3, NULL, GG_ERR_SHAPE, "dx is 3"},
        {4, 2, dy, 3, x, 4, w, 3, 2, 4, 3, NULL, GG_ERR_SHAPE, "dw is 2"},
        {4, 3, dy, 3, x, 4, w, 4, 2, 4, 3, &out_in, GG_ERR_SHAPE, "dw is 3, its rows have 4 floats (3 x 4)"},
        {4, 3, dy, 2, x, 4, w, 3, 2, 4, 3, NULL, GG_ERR_SHAPE, "dy is 2"},
        {4, 3, dy, 3, x, 3, w, 3, 2, 4, 3, NULL, GG_ERR_SHAPE, "x is 3"},
        {4, 3, dy, 3, x, 4, w, 2, 2, 4, 3, NULL, GG_ERR_SHAPE, "w is 2"},
        {4, 3, dy, 3, x, 4, w, 3, -2, 4, 3, NULL, GG_ERR_ARGUMENT, "(-2, 4, 3)"},
        {4, 3, dy, 3, x, 4, w, 3, 2, (int64_t)1 << 40, 3, NULL, GG_ERR_OVERFLOW, "(2, 1099511627776, 3)"},
        {4, 3, dy, INT_MAX, x, 4, w, 3, INT_MAX, 4, 3, NULL, GG_ERR_OVERFLOW, "dy of 2147483647 rows"},
        {4, 3, dy, 3, x, 4, w, 3, 2, 4, 3, &layout, GG_ERR_ARGUMENT, "layout is -1"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        support_assert_fails(gg_matmul_backward(dx, calls[i].lddx, dw, calls[i].lddw, db, calls[i].dy, calls[i].lddy,
                                                calls[i].x, calls[i].ldx, calls[i].w, calls[i].ldw, calls[i].rows,
                                                calls[i].in, calls[i].out, calls[i].options),
                             calls[i].status, backward_name, calls[i].words);
    ck_assert(support_untouched(dx, E) && support_untouched(dw, E) && support_untouched(db, E));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, forward_small_sizes);
    tcase_add_loop_test(tests, forward_larger_sizes, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_loop_test(tests, fused_activations, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_test(tests, nan_stays_where_it_belongs);
    tcase_add_test(tests, backward_small_sizes);
    tcase_add_loop_test(tests, backward_larger_sizes, FEWEST_THREADS, BEYOND_THREADS);
    tcase_add_test(tests, reference_is_its_own_derivative);
    tcase_add_test(tests, options_may_be_null);
    tcase_add_test(tests, empty_matrices);
    tcase_add_test(tests, wrong_forward);
    tcase_add_test(tests, wrong_backward);
}

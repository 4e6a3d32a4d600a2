/* loops.c - see loops.h. */
#define SUPPORT_NO_MAIN
#include "loops.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "support.h"

/* ---- products ---- */

/* Where element (row, column) of a stored matrix lies. */
static int64_t place(const loops_product *p, int64_t row, int64_t column, int64_t ld)
{
    return p->column_major ? column * ld + row : row * ld + column;
}

static int64_t place_a(const loops_product *p, int64_t i, int64_t l)
{
    return p->transpose_a ? place(p, l, i, p->lda) : place(p, i, l, p->lda);
}

static int64_t place_b(const loops_product *p, int64_t l, int64_t j)
{
    return p->transpose_b ? place(p, j, l, p->ldb) : place(p, l, j, p->ldb);
}

/* Floats of a matrix stored with these many rows and columns. */
static int64_t stored(const loops_product *p, int64_t rows, int64_t columns, int64_t ld)
{
    const int64_t lines = p->column_major ? columns : rows, length = p->column_major ? rows : columns;
    return lines == 0 || length == 0 ? 0 : (lines - 1) * ld + length;
}

static int64_t line_length(const loops_product *p, int64_t rows, int64_t columns)
{
    return (p->column_major ? rows : columns) + p->gap;
}

void loops_product_new(loops_product *p, bool nan_c)
{
    const int64_t rows_a = p->transpose_a ? p->k : p->m, columns_a = p->transpose_a ? p->m : p->k;
    const int64_t rows_b = p->transpose_b ? p->n : p->k, columns_b = p->transpose_b ? p->k : p->n;
    p->lda = line_length(p, rows_a, columns_a);
    p->ldb = line_length(p, rows_b, columns_b);
    p->ldc = line_length(p, p->m, p->n);
    p->a = support_floats(stored(p, rows_a, columns_a, p->lda));
    p->b = support_floats(stored(p, rows_b, columns_b, p->ldb));
    p->c = support_floats(stored(p, p->m, p->n, p->ldc));
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t l = 0; l < p->k; l++)
            support_fill(&p->a[place_a(p, i, l)], 1, -1.0, 1.0, (uint64_t)(i * p->k + l));
    for (int64_t l = 0; l < p->k; l++)
        for (int64_t j = 0; j < p->n; j++)
            support_fill(&p->b[place_b(p, l, j)], 1, -1.0, 1.0, (uint64_t)(7777 + l * p->n + j));
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++)
            if (nan_c)
                p->c[place(p, i, j, p->ldc)] = NAN;
            else
                support_fill(&p->c[place(p, i, j, p->ldc)], 1, -1.0, 1.0, (uint64_t)(555555 + i * p->n + j));
    p->before = support_copy(p->c, stored(p, p->m, p->n, p->ldc));
}

void loops_product_check(const loops_product *p, float alpha, float beta, const char *what)
{
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++) {
            const int64_t at = place(p, i, j, p->ldc);
            double sum = beta == 0.0f ? 0.0 : (double)beta * p->before[at], magnitude = fabs(sum);
            for (int64_t l = 0; l < p->k; l++) {
                const double term = (double)alpha * p->a[place_a(p, i, l)] * p->b[place_b(p, l, j)];
                sum += term;
                magnitude += fabs(term);
            }
            ck_assert_msg(fabs(p->c[at] - sum) <= 16.0 * FLT_EPSILON * magnitude,
                          "%s, %d x %d x %d: element (%d, %d) is %g, not %g", what, (int)p->m, (int)p->n, (int)p->k,
                          (int)i, (int)j, (double)p->c[at], sum);
            p->before[at] = p->c[at]; /* then what differs is a gap */
        }
    const int64_t floats = stored(p, p->m, p->n, p->ldc);
    ck_assert_msg(floats == 0 || memcmp(p->c, p->before, (size_t)floats * sizeof *p->c) == 0,
                  "%s wrote between the rows of C", what);
}

/* ---- columns ---- */

static int out_size(int size, int kernel, int pad, int stride, int dilation)
{
    return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
}

int64_t loops_image_floats(const loops_window *w)
{
    return (int64_t)w->channels * w->height * w->width;
}

int64_t loops_column_floats(const loops_window *w)
{
    const int64_t pixels = (int64_t)out_size(w->height, w->kernel_h, w->pad_h, w->stride_h, w->dilation_h)
                           * out_size(w->width, w->kernel_w, w->pad_w, w->stride_w, w->dilation_w);
    return (int64_t)w->channels * w->kernel_h * w->kernel_w * pixels;
}

/* Calls `visit` for every float of the columns with the pixel that it comes from, or -1 for padding. */
static void walk(const loops_window *w, void (*visit)(double *, const float *, int64_t col, int64_t pixel), double *out,
                 const float *in)
{
    const int out_h = out_size(w->height, w->kernel_h, w->pad_h, w->stride_h, w->dilation_h);
    const int out_w = out_size(w->width, w->kernel_w, w->pad_w, w->stride_w, w->dilation_w);
    int64_t col = 0;
    for (int c = 0; c < w->channels; c++)
        for (int tap = 0; tap < w->kernel_h * w->kernel_w; tap++)
            for (int y = 0; y < out_h; y++)
                for (int x = 0; x < out_w; x++) {
                    const int row = y * w->stride_h - w->pad_h + tap / w->kernel_w * w->dilation_h;
                    const int column = x * w->stride_w - w->pad_w + tap % w->kernel_w * w->dilation_w;
                    const bool inside = row >= 0 && row < w->height && column >= 0 && column < w->width;
                    visit(out, in, col++, inside ? ((int64_t)c * w->height + row) * w->width + column : -1);
                }
}

static void take_pixel(double *out, const float *in, int64_t col, int64_t pixel)
{
    out[col] = pixel < 0 ? 0.0 : in[pixel];
}

static void give_pixel(double *out, const float *in, int64_t col, int64_t pixel)
{
    if (pixel >= 0)
        out[pixel] += in[col];
}

void loops_im2col(double *col, const float *image, const loops_window *w)
{
    walk(w, take_pixel, col, image);
}

void loops_col2im(double *image, const float *col, const loops_window *w)
{
    walk(w, give_pixel, image, col);
}

int loops_windows(const loops_window **windows, bool square)
{
    enum { SQUARE = 7 };
    static const loops_window all[] = {
        /* channels, image, kernel, padding, stride, dilation */
        {1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1},  {3, 7, 9, 3, 3, 1, 1, 1, 1, 1, 1},   {2, 8, 5, 3, 3, 0, 0, 2, 2, 1, 1},
        {5, 6, 6, 1, 1, 0, 0, 1, 1, 1, 1},  {1, 11, 13, 5, 5, 2, 2, 3, 3, 1, 1}, {4, 4, 4, 2, 2, 1, 1, 2, 2, 1, 1},
        {2, 5, 5, 5, 5, 0, 0, 1, 1, 1, 1},  {3, 9, 8, 3, 2, 1, 0, 2, 1, 1, 1},   {2, 10, 9, 3, 3, 2, 2, 1, 1, 2, 2},
        {1, 12, 7, 2, 3, 0, 3, 3, 2, 3, 2}, {2, 1, 15, 1, 4, 0, 2, 1, 2, 1, 3}};
    *windows = all;
    return square ? SQUARE : (int)(sizeof all / sizeof *all);
}

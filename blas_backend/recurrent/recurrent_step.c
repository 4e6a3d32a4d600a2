/* recurrent_step.c - small products with panels of the recurrent weights, or products with the weights in place. */
#include "recurrent_step.h"

#include "blas.h"
#include "kernels/kernels.h"
#include "product.h"

enum {
    STEP_DEPTH = 512,    /* rows of a panel multiplied at once */
    GROUP_FLOATS = 65536 /* of a group's product, that it may stay in cache beside the weights */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A whole panel for each gate, where the product of so many units stays in the second-level cache: the cells' kernels
 * then write 256 bytes side by side, which memory takes faster than 64. Else as few as fill panels: four gates of 16
 * units one, two of 32 one, three of 64 three. */
int64_t gg_step_group(const gg_step_weights *weights, int64_t own)
{
    if (weights->packed == NULL)
        return own;
    if (weights->rows * weights->gates <= GROUP_FLOATS / GG_PANEL)
        return GG_PANEL;
    return weights->gates == 4 ? GG_PANEL / 4 : weights->gates == 2 ? GG_PANEL / 2 : GG_PANEL;
}

static float *group_at(const gg_step_weights *weights, int64_t unit)
{
    return weights->packed + unit * weights->gates * weights->depth;
}

/* Columns [begin, end) of gate `gate`'s part of a panel `width` wide. */
static void pack_gate(float *panel, int64_t width, const gg_step_weights *weights, int gate, int64_t begin, int64_t end)
{
    if (weights->transposed)
        gg_kernels()->transpose(panel, width, weights->w + begin * weights->ldw, weights->ldw, end - begin,
                                weights->depth);
    else
        gg_kernels()->copy_rows(panel, width, weights->w + gate * weights->units + begin, weights->ldw, weights->depth,
                                end - begin);
}

/* A panel from column `first` of the group on: pieces of the gates that it meets. */
static void pack_panel(float *panel, int64_t width, const gg_step_weights *weights, int64_t unit, int64_t count,
                       int64_t first)
{
    for (int64_t column = first; column < first + width;) {
        const int64_t gate = column / count, begin = column % count;
        const int64_t end = least(count, begin + first + width - column);
        pack_gate(panel + (column - first), width, weights, (int)gate, unit + begin, unit + end);
        column += end - begin;
    }
}

void gg_step_pack(const gg_step_weights *weights, int64_t begin, int64_t end)
{
    if (weights->packed == NULL)
        return;
    const int64_t group = gg_step_group(weights, 0);
    for (int64_t unit = begin; unit < end; unit += group) {
        const int64_t count = least(group, end - unit), columns = count * weights->gates;
        for (int64_t first = 0; first < columns; first += GG_PANEL)
            pack_panel(group_at(weights, unit) + first * weights->depth, least(GG_PANEL, columns - first), weights,
                       unit, count, first);
    }
}

static void multiply_panel(float *c, int64_t ldc, const float *panel, int64_t width, const gg_step_part *part,
                           int64_t rows)
{
    const int64_t blocks = (part->depth + STEP_DEPTH - 1) / STEP_DEPTH;
    const int64_t depth = (part->depth + blocks - 1) / blocks;
    const int64_t height = gg_product_row_block(rows, GG_SMALL_PRODUCT / (width * depth));
    for (int64_t k = 0; k < part->depth; k += depth)
        for (int64_t row = 0; row < rows; row += height)
            gg_blas_sgemm(c + row * ldc, ldc, part->a + row * part->lda + k, part->lda, panel + k * width, width,
                          least(height, rows - row), width, least(depth, part->depth - k), false, false, 1.0f,
                          k > 0 || part->add ? 1.0f : 0.0f);
}

/* Columns [column, column + count) of the weights where they lie; transposed: those rows. */
static void multiply_in_place(float *c, int64_t ldc, const gg_step_weights *weights, const gg_step_part *part,
                              int64_t rows, int64_t column, int64_t count)
{
    const int64_t ldw = weights->ldw;
    gg_product_run_serial(&(gg_product){.c = c,
                                        .ldc = ldc,
                                        .a = part->a,
                                        .lda = part->lda,
                                        .b = weights->transposed ? weights->w + column * ldw + part->first
                                                                 : weights->w + part->first * ldw + column,
                                        .ldb = ldw,
                                        .m = rows,
                                        .n = count,
                                        .k = part->depth,
                                        .transpose_b = weights->transposed,
                                        .alpha = 1.0f,
                                        .beta = part->add ? 1.0f : 0.0f});
}

void gg_step_multiply(float *c, const gg_step_weights *weights, const gg_step_part *part, int64_t rows, int64_t unit,
                      int64_t count)
{
    const int64_t columns = count * weights->gates;
    if (weights->packed != NULL) {
        for (int64_t first = 0; first < columns; first += GG_PANEL) {
            const int64_t width = least(GG_PANEL, columns - first);
            const float *panel = group_at(weights, unit) + first * weights->depth + part->first * width;
            multiply_panel(c + first, columns, panel, width, part, rows);
        }
    } else if (count == weights->units) {
        multiply_in_place(c, columns, weights, part, rows, 0, columns);
    } else {
        for (int gate = 0; gate < weights->gates; gate++)
            multiply_in_place(c + gate * count, columns, weights, part, rows, gate * weights->units + unit, count);
    }
}

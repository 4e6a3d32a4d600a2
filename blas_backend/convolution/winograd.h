/* winograd.h - convolution by minimal filtering: one pass laid out, and the pieces that its orders are made of.
 *
 * The image is cut into tiles of T x T results, T = 2 or 4. Along each direction T results and a filter of 3 taps are
 * replaced by values at "points" (kernels/winograd.c), where convolution is multiplication: T + 2 of them with steps of
 * one. So for each of the pairs of values there is one product of matrices:
 *     M [tiles][filters] = V [tiles][channels] . U [channels][filters]
 * with V from the pixels, U from the filters, Y from M. The gradient of the data is the same with filters turned round
 * and their two sides exchanged; the gradient of the filters is dU = V^T . dM, with dM from dY.
 *
 * With steps of two there are values of the even and of the odd pixels, 5 and 4 along each direction for 4 results: 81
 * matrices V and U, each for a product. Those at the same points are added up in one M, of which there are 25. In the
 * gradient of the data it is the other way round: 25 V of dY, each for one to four of the products, whose 81 M are even
 * and odd pixels of dX.
 *
 * Layouts, all in whole cache lines; the matrices lie an odd number of lines apart, for powers of two would
 * meet in the same few sets of the caches:
 *     V  [value][tile][channel, in whole groups of 16]
 *     U  [panel of 64 filters][value][channel][filter of the panel, in whole groups of 16]; dU the same
 *     M  [panel][value][tile][filter of the panel]
 * A panel is what small products of OpenBLAS read best (product.h); a group is what the transforms work on at once.
 * Rows of tiles are counted through all images. */
#ifndef GG_WINOGRAD_H
#define GG_WINOGRAD_H

#include "conv_method.h"
#include "kernels/kernels.h"
#include "product.h"

/* Channels and filters that the transforms take side by side; products added up at once in an element of M: with 64
 * filters 32 KiB of U, which stay in the first level. */
enum { GG_GROUP = 16, GG_WINOGRAD_SUM = 128 };

/* An array in the workspace: where it begins for the first thread, and how far on for the next (0: shared by all). */
typedef struct gg_winograd_area {
    int64_t offset, step;
} gg_winograd_area;

typedef struct gg_winograd {
    gg_winograd_form form;
    gg_winograd_sizes n;
    int v_values, u_values, m_values; /* in the plane: matrices V, U (and products), M */
    bool turned;                      /* filters turned round and their sides exchanged: the gradient of the data */
    int64_t batch, channels, height, width, pad_top, pad_left; /* what is convolved; negative pads cut it */
    int64_t filters, out_height, out_width;                    /* what comes out */
    int64_t skipped_rows, skipped_columns;                     /* of the first results of an image, which lie outside */
    int64_t image_rows, row_tiles;                             /* rows of tiles of an image, tiles of a row */
    int64_t rows;                                              /* rows of tiles of all images */

    bool deep;                            /* the order: see conv_winograd.c and conv_winograd_weights.c */
    int parts;                            /* threads that take part */
    int64_t block_rows;                   /* rows of tiles at most that go through all steps together */
    int64_t u_channels;                   /* channels at most whose U or dU lies there at once */
    int64_t band_rows;                    /* rows of tiles at most that are transformed together */
    int64_t v_row;                        /* floats from tile to tile of V */
    int64_t v_stride, u_stride, m_stride; /* floats from value to value */
    gg_winograd_area v, u, m, pixels, taps;
    int64_t total; /* floats of workspace */
} gg_winograd;

/* A range of rows of tiles, of groups, of channels. */
typedef struct gg_winograd_range {
    int64_t begin, end;
} gg_winograd_range;

/* Lay out a pass with up to that many threads. No size of it falls when the batch grows. `form`: of the forward pass.
 */
gg_winograd gg_winograd_plan(const gg_conv_geometry *g, gg_conv_pass pass, gg_winograd_form form, int threads);

/* One of the products: U's value, in both directions; those of V and M that belong to it; whether it is the first that
 * ends in that M. */
typedef struct gg_winograd_product {
    int y, x;
    int64_t u, v, m;
    bool first;
} gg_winograd_product;

gg_winograd_product gg_winograd_first_product(const gg_winograd *p);

/* False behind the last one. Those that share a V or an M come one after the other. */
bool gg_winograd_next_product(const gg_winograd *p, gg_winograd_product *product);

static inline float *gg_winograd_at(float *workspace, gg_winograd_area area, int part)
{
    return workspace + area.offset + part * area.step;
}

/* Part `part` of [begin, end) in as many nearly equal pieces as there are parts. */
gg_winograd_range gg_winograd_share(int64_t begin, int64_t end, int part, int parts);

/* Rows of one group: groups times rows, one group after the other, are what threads share out. */
typedef struct gg_winograd_piece {
    int64_t group;
    gg_winograd_range rows;
} gg_winograd_piece;

/* The piece from item i on that ends with its group or before item `end`; `rows`: those of every group. */
static inline gg_winograd_piece gg_winograd_piece_at(gg_winograd_range rows, int64_t i, int64_t end)
{
    const int64_t n = rows.end - rows.begin, group = i / n, row = rows.begin + i % n;
    const int64_t last = end < (group + 1) * n ? end : (group + 1) * n;
    return (gg_winograd_piece){group, {row, row + last - i}};
}

static inline int64_t gg_winograd_groups(int64_t n)
{
    return (n + GG_GROUP - 1) / GG_GROUP;
}

/* Filters of a panel, in whole groups. */
static inline int64_t gg_winograd_panel_width(const gg_winograd *p, int64_t panel)
{
    const int64_t rest = gg_winograd_groups(p->filters) * GG_GROUP - panel * GG_PANEL;
    return rest < GG_PANEL ? rest : GG_PANEL;
}

static inline int64_t gg_winograd_panels(const gg_winograd *p)
{
    return (p->filters + GG_PANEL - 1) / GG_PANEL;
}

/* Pieces of at most `most`, as even as can be, that n is cut into. */
static inline int gg_winograd_pieces(int64_t n, int64_t most)
{
    return (int)((n + most - 1) / most);
}

/* The thread's own arrays for transforms. */
typedef struct gg_winograd_scratch {
    float *pixels; /* [row][pixel][16] of a band */
    float *taps;   /* [channel][9][16] of a few channels */
} gg_winograd_scratch;

gg_winograd_scratch gg_winograd_own(const gg_winograd *p, float *workspace, int part);

/* Rows of tiles of one group of 16 channels of x to v, where the first of those rows begins (its first value). */
void gg_winograd_input(const gg_winograd *p, float *v, const float *x, int64_t group, gg_winograd_range rows,
                       const gg_winograd_scratch *own);

/* The same for dY, tiles without overlap; ld floats from tile to tile of m. */
void gg_winograd_gradient(const gg_winograd *p, float *m, int64_t ld, const float *dy, int64_t group,
                          gg_winograd_range rows, const gg_winograd_scratch *own);

/* Rows of tiles of one group of 16 filters from m to the call's Y (finished) or dX. */
void gg_winograd_output(const gg_winograd *p, const gg_conv_call *call, const float *m, int64_t ld, int64_t group,
                        gg_winograd_range rows, const gg_winograd_scratch *own);

/* Some channels of one group of 16 filters to u, where the first of them begins; ld floats from channel to channel. */
void gg_winograd_filters(const gg_winograd *p, float *u, int64_t ld, const float *w, int64_t group,
                         gg_winograd_range channels, const gg_winograd_scratch *own);

/* Some channels of one group of 16 filters from du, where the first of them begins, to dw = or, with beta 1, +=. */
void gg_winograd_filter_gradient(const gg_winograd *p, float *dw, float beta, const float *du, int64_t ld,
                                 int64_t group, gg_winograd_range channels, const gg_winograd_scratch *own);

/* dW: conv_winograd_weights.c. */
void gg_winograd_weights(const gg_conv_call *call, gg_winograd_form form);

#endif

/* recurrent_gradients.c - gradients of weights, bias and x over all steps at once, of cells whose gates all read the
 * same x and state.
 *
 *   dwx = sum_t x_t^T dG_t,  dwh = sum_t h_(t-1)^T dG_t,  db = sum_t dG_t,  dx_t = dG_t wx^T
 *
 * The first three read dG [steps batch][columns], the largest matrix here, together: [x h] is transposed once, by
 * blocks of rows; a thread takes columns of dG, copies a block's part of them into panels and multiplies it while
 * these, and the part of dwx and dwh that they are added to, are in its second-level cache. Sums run over blocks in the
 * order of time whatever the number of threads. */
#include "recurrent.h"

#include <stdatomic.h>

#include "backend.h"
#include "blas.h"
#include "product.h"
#include "thread.h"

enum {
    DEPTH = 128,     /* rows of dG in a block, at most */
    EVEN = 8,        /* of which that is a multiple */
    BLOCKS = 16,     /* transposed at once */
    GROUP = 4,       /* panels of dG multiplied together: a kilobyte of each row is copied at a time */
    TARGET = 512,    /* rows of dwx and dwh beside them */
    COPY_ROWS = 8,   /* rows of all panels of a group that are copied before the next ones */
    DX_ROWS = 128,   /* rows of dx computed at once */
    DX_DEPTH = 1024, /* and multiply-adds of one of its elements between two visits */
};

/* Below, the products are better off one by one: with little work, with few rows for weights that have to be turned and
 * added up all the same, with fewer panels than threads could share. */
static const double LEAST_WORK = 16777216.0;
enum { LEAST_ROWS = 512, LEAST_COLUMNS = 4 * GG_PANEL };

bool gg_recurrent_joins_gradients(const gg_recurrent_shape *s, int64_t columns)
{
    const bool plain = s->cell == GG_CELL_LSTM || s->cell == GG_CELL_RNN_TANH || s->cell == GG_CELL_RNN_RELU;
    const int64_t rows = s->steps * s->batch;
    return plain && rows >= LEAST_ROWS && columns >= LEAST_COLUMNS
           && (double)rows * (double)(s->in + s->hidden) * (double)columns >= LEAST_WORK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t gg_recurrent_turned_floats(const gg_recurrent_shape *s)
{
    return least(DEPTH * BLOCKS, s->steps * s->batch + EVEN * BLOCKS) * (s->in + s->hidden);
}

typedef struct job {
    const gg_recurrent_run *r;
    int64_t rows, depth;    /* all rows of dG; those of a block */
    int64_t x_rows, h_rows; /* of the gradients that are wanted */
    const float *states;
    gg_step_weights wx;     /* transposed */
    _Atomic bool no_memory; /* for some thread's panels */
    gg_barrier barrier;
} job;

/* [x h] transposed of the blocks from row `first` on: a part's blocks. */
static void turn(const job *j, int64_t first, int part, int parts)
{
    const gg_recurrent_run *r = j->r;
    for (int64_t b = part; b < BLOCKS && first + b * j->depth < j->rows; b += parts) {
        const int64_t row = first + b * j->depth, depth = least(j->depth, j->rows - row);
        float *target = r->turned + b * j->depth * (j->x_rows + j->h_rows);
        if (j->x_rows > 0)
            gg_kernels()->transpose(target, depth, r->inputs->x + row * r->in, r->in, depth, r->in);
        if (j->h_rows > 0)
            gg_kernels()->transpose(target + j->x_rows * depth, depth, j->states + row * r->hidden, r->hidden, depth,
                                    r->hidden);
    }
}

/* The part of a block of dG that a group of columns has, as panels one behind the other. */
static void copy_panels(float *to, const job *j, int64_t row, int64_t depth, int64_t column, int64_t columns)
{
    const float *from = j->r->gates + row * j->r->kept + column;
    for (int64_t first = 0; first < depth; first += COPY_ROWS)
        for (int64_t c = 0; c < columns; c += GG_PANEL) {
            const int64_t width = least(GG_PANEL, columns - c);
            gg_kernels()->copy_rows(to + c * depth + first * width, width, from + first * j->r->kept + c, j->r->kept,
                                    least(COPY_ROWS, depth - first), width);
        }
}

/* c = or += a times b: dense panels, `rows` rows of a. */
static void multiply(float *c, const float *a, const float *b, int64_t rows, int64_t width, int64_t depth, bool add)
{
    const int64_t height = gg_product_row_block(rows, GG_SMALL_PRODUCT / (width * depth));
    for (int64_t row = 0; row < rows; row += height)
        gg_blas_sgemm(c + row * width, width, a + row * depth, depth, b, width, least(height, rows - row), width, depth,
                      false, false, 1.0f, add ? 1.0f : 0.0f);
}

/* A panel of sums to where they belong. */
static void hand_over(float *w, int64_t ldw, const float *sums, int64_t rows, int64_t width, bool add)
{
    if (!add)
        gg_kernels()->copy_rows(w, ldw, sums, width, rows, width);
    else
        for (int64_t row = 0; row < rows; row++)
            gg_kernels()->axpy(w + row * ldw, sums + row * width, width, 1.0f);
}

/* Rows [begin, end) of dwx and, behind them, dwh, of a group of columns: the sums over blocks from row `first` on. They
 * are added up in panels: rows of dwx and dwh, often a power of two apart, would push one another out of the cache. */
static void add_target(const job *j, gg_thread *own, int64_t first, int64_t column, int64_t columns, int64_t begin,
                       int64_t end)
{
    const gg_recurrent_run *r = j->r;
    const gg_recurrent_gradients *g = r->gradients;
    const int64_t all = j->x_rows + j->h_rows, last = least(j->rows, first + BLOCKS * j->depth), rows = end - begin;
    for (int64_t row = first; row < last; row += j->depth) {
        const int64_t depth = least(j->depth, j->rows - row);
        const float *turned = r->turned + (row - first) * all + begin * depth;
        copy_panels(own->block, j, row, depth, column, columns);
        for (int64_t c = 0; c < columns; c += GG_PANEL) {
            const int64_t width = least(GG_PANEL, columns - c);
            const float *panel = own->block + c * depth;
            if (begin == 0 && g->dbias != NULL)
                gg_kernels()->sum_rows(g->dbias + column + c, panel, width, depth, width, row > 0 || g->accumulate_dw);
            multiply(own->panel + c * rows, turned, panel, rows, width, depth, row > first);
        }
    }
    const int64_t middle = begin >= j->x_rows ? begin : least(end, j->x_rows);
    const bool add = first > 0 || g->accumulate_dw;
    for (int64_t c = 0; c < columns; c += GG_PANEL) {
        const int64_t width = least(GG_PANEL, columns - c);
        const float *sums = own->panel + c * rows;
        if (begin < middle)
            hand_over(g->dwx + begin * r->columns + column + c, r->columns, sums, middle - begin, width, add);
        if (middle < end)
            hand_over(g->dwh + (middle - j->x_rows) * r->columns + column + c, r->columns,
                      sums + (middle - begin) * width, end - middle, width, add);
    }
}

/* The blocks from row `first` on, for one group of columns. */
static void add_blocks(const job *j, gg_thread *own, int64_t first, int64_t column, int64_t columns)
{
    const int64_t all = j->x_rows + j->h_rows, count = (all + TARGET - 1) / TARGET;
    const int64_t height = count > 0 ? (all + count - 1) / count : 1;
    int64_t target = 0;
    do { /* once without any rows as well, for the bias */
        add_target(j, own, first, column, columns, target, least(all, target + height));
        target += height;
    } while (target < all);
}

static void weights_part(job *j, gg_thread *own, int part, int parts)
{
    const int64_t columns = j->r->columns, count = (columns + GG_PANEL - 1) / GG_PANEL;
    const int64_t begin = count * part / parts * GG_PANEL, end = least(columns, count * (part + 1) / parts * GG_PANEL);
    for (int64_t first = 0; first < j->rows; first += BLOCKS * j->depth) {
        if (first > 0)
            gg_barrier_wait(&j->barrier, parts); /* nobody reads the last ones any more */
        turn(j, first, part, parts);
        gg_barrier_wait(&j->barrier, parts);
        if (atomic_load(&j->no_memory))
            return;
        for (int64_t column = begin; column < end; column += GROUP * GG_PANEL)
            add_blocks(j, own, first, column, least(GROUP * GG_PANEL, end - column));
    }
}

/* Rows of dx, a few at a time: those of dG then stay in the cache for all columns of wx transposed. */
static void dx_part(const job *j, int part, int parts)
{
    const gg_recurrent_run *r = j->r;
    const int64_t tiles = (j->rows + GG_ROW_TILE - 1) / GG_ROW_TILE, end = tiles * (part + 1) / parts * GG_ROW_TILE;
    const gg_product_plan plan = {GG_STRATEGY_PACKED, 1, 1, DX_DEPTH};
    for (int64_t row = tiles * part / parts * GG_ROW_TILE; row < least(end, j->rows); row += DX_ROWS) {
        const gg_product p = {.c = r->gradients->dx + row * r->in,
                              .ldc = r->in,
                              .a = r->gates + row * r->kept,
                              .lda = r->kept,
                              .b = j->wx.packed,
                              .ldb = r->in,
                              .m = least(DX_ROWS, least(end, j->rows) - row),
                              .n = r->in,
                              .k = r->columns,
                              .packed_b = true,
                              .alpha = 1.0f,
                              .beta = r->gradients->accumulate_dx ? 1.0f : 0.0f};
        gg_product_run_planned(&p, &plan);
    }
}

static void run_part(void *context, int part, int parts)
{
    job *j = context;
    gg_thread *own = gg_thread_own();
    if (own == NULL)
        atomic_store(&j->no_memory, true);
    const int64_t in = j->r->in, count = (in + GG_PANEL - 1) / GG_PANEL;
    if (j->r->gradients->dx != NULL) /* the barriers of the weights come before it is read */
        gg_step_pack(&j->wx, count * part / parts * GG_PANEL, least(in, count * (part + 1) / parts * GG_PANEL));
    weights_part(j, own, part, parts);
    if (j->r->gradients->dx != NULL && !atomic_load(&j->no_memory))
        dx_part(j, part, parts);
}

bool gg_recurrent_joined_gradients(const gg_recurrent_run *r)
{
    const gg_recurrent_gradients *g = r->gradients;
    const int64_t rows = r->steps * r->batch, blocks = (rows + DEPTH - 1) / DEPTH;
    const float *first = r->reverse ? r->states + r->batch * r->hidden : r->states;
    job j = {.r = r,
             .rows = rows,
             .depth = ((rows + blocks - 1) / blocks + EVEN - 1) / EVEN * EVEN,
             .x_rows = g->dwx != NULL ? r->in : 0,
             .h_rows = g->dwh != NULL ? r->hidden : 0,
             .states = r->masked != NULL ? r->masked : first,
             .wx = {r->inputs->wx, r->columns, r->turned_wx, r->in, r->columns, r->batch, 1, true}};
    gg_parallel_team(gg_policy_threads(), run_part, &j);
    return !atomic_load(&j.no_memory);
}

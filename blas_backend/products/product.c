/* product.c - the strategies: how one product becomes serial cblas_sgemm calls.
 *
 * OpenBLAS's AVX-512 kernels multiply "small" matrices (m n k <= 10^6) straight from where they lie, at 0.9 of the FMA
 * peak and without its lock, when the row-major B has rows of 64 contiguous floats. So a large product is cut into such
 * small ones, and what lies badly is copied first (docs/decisions/0005-small-products.md holds the measurements). */
#include "product.h"

#include "backend.h"
#include "blas.h"
#include "clock.h"
#include "kernels/kernels.h"
#include "parallel.h"
#include "thread.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The size of equal blocks that cut n into pieces of at most `most`. */
static int64_t even_block(int64_t n, int64_t most)
{
    const int64_t bound = most < 1 ? 1 : most;
    const int64_t blocks = (n + bound - 1) / bound;
    return blocks > 0 ? (n + blocks - 1) / blocks : 1;
}

/* A rest of one to three rows takes the kernels as long as a whole tile or longer. */
int64_t gg_product_row_block(int64_t rows, int64_t most)
{
    const int64_t tiles = most / GG_ROW_TILE;
    return tiles < 1 ? even_block(rows, most) : GG_ROW_TILE * even_block((rows + GG_ROW_TILE - 1) / GG_ROW_TILE, tiles);
}

static const float *at(const float *matrix, int64_t ld, bool transposed, int64_t row, int64_t column)
{
    return transposed ? matrix + column * ld + row : matrix + row * ld + column;
}

/* Rows [r0, r1) and columns [c0, c1) of C: one thread's part. */
typedef struct part {
    const gg_product *p;
    int64_t r0, r1, c0, c1, k_block;
} part;

/* Rows and columns of C from (row, column) on, which lie at `block` with rows ld apart. */
typedef struct piece {
    float *block;
    int64_t ld, row, column, rows, columns;
} piece;

/* Bias and activation on a finished piece of C. */
static void finish(const gg_product *p, const piece *c)
{
    const gg_epilogue *e = p->epilogue;
    if (e == NULL)
        return;
    const gg_kernel_table *kernels = gg_kernels();
    const float *bias = e->bias != NULL ? e->bias + c->column : NULL;
    if (e->row_bias != NULL)
        kernels->add_to_rows(c->block, c->ld, e->row_bias + c->row, c->rows, c->columns);
    if (e->preactivation == NULL) {
        kernels->add_bias(c->block, c->ld, c->block, c->ld, bias, c->rows, c->columns, e->activation, e->alpha);
        return;
    }
    float *pre = e->preactivation + c->row * p->n + c->column;
    kernels->add_bias(pre, p->n, c->block, c->ld, bias, c->rows, c->columns, GG_IDENTITY, 0.0f);
    kernels->add_bias(c->block, c->ld, pre, p->n, NULL, c->rows, c->columns, e->activation, e->alpha);
}

static void finish_in_place(const gg_product *p, int64_t row, int64_t column, int64_t rows, int64_t columns)
{
    finish(p, &(piece){p->c + row * p->ldc + column, p->ldc, row, column, rows, columns});
}

static void run_whole(const part *t)
{
    const gg_product *p = t->p;
    gg_blas_sgemm(p->c + t->r0 * p->ldc + t->c0, p->ldc, at(p->a, p->lda, p->transpose_a, t->r0, 0), p->lda,
                  at(p->b, p->ldb, p->transpose_b, 0, t->c0), p->ldb, t->r1 - t->r0, t->c1 - t->c0, p->k,
                  p->transpose_a, p->transpose_b, p->alpha, p->beta);
    finish_in_place(p, t->r0, t->c0, t->r1 - t->r0, t->c1 - t->c0);
}

/* The block of B that will be copied next, and how much of it has been asked for. */
typedef struct ahead {
    const float *b;
    int64_t ldb, rows, asked;
} ahead;

/* While a B from memory is multiplied, the next block is asked for in between, a few rows of C at a time: 64 x 4096 x
 * 4096 rose from 329 to 361 GFLOP/s. With many rows of C a panel's copy is a small part, and short calls would cost
 * more. */
enum { FLOATS_PER_LINE = 16, ROWS_A_REQUEST = 16, MOST_ROWS_AHEAD = 96, FLOATS_IN_CACHE = 6000000 };

static bool comes_from_memory(const part *t)
{
    const gg_product *p = t->p;
    return !p->packed_b && !p->transpose_b && t->r1 - t->r0 <= MOST_ROWS_AHEAD && p->k > FLOATS_IN_CACHE / p->n;
}

/* The next block in the order of run_packed: further down the panel, or at the top of the next one. None: rows = 0. */
static ahead next_block(const part *t, int64_t column, int64_t p0, int64_t depth)
{
    const gg_product *p = t->p;
    if (p0 + depth < p->k)
        return (ahead){p->b + (p0 + depth) * p->ldb + column, p->ldb, least(depth, p->k - p0 - depth), 0};
    if (column + 2 * GG_PANEL <= t->c1)
        return (ahead){p->b + column + GG_PANEL, p->ldb, depth, 0};
    return (ahead){NULL, 0, 0, 0};
}

static void ask(ahead *next, int64_t rows)
{
    const int64_t end = least(next->rows, next->asked + rows);
    for (; next->asked < end; next->asked++)
        for (int64_t i = 0; i < GG_PANEL; i += FLOATS_PER_LINE)
            __builtin_prefetch(next->b + next->asked * next->ldb + i, 0, 2);
}

/* Rows of C times one panel of B (depth x width at b, row length ldb), k from p0 on; `next` NULL: nothing to ask for.
 */
static void multiply_panel(const part *t, const float *b, int64_t ldb, int64_t column, int64_t width, int64_t p0,
                           int64_t depth, ahead *next)
{
    const gg_product *p = t->p;
    const int64_t most = GG_SMALL_PRODUCT / (width * depth);
    const int64_t rows = gg_product_row_block(t->r1 - t->r0, next != NULL ? least(most, ROWS_A_REQUEST) : most);
    const float beta = p0 == 0 ? p->beta : 1.0f;
    for (int64_t row = t->r0; row < t->r1; row += rows) {
        const int64_t height = least(rows, t->r1 - row);
        if (next != NULL)
            ask(next, (next->rows * height + t->r1 - t->r0 - 1) / (t->r1 - t->r0));
        gg_blas_sgemm(p->c + row * p->ldc + column, p->ldc, at(p->a, p->lda, p->transpose_a, row, p0), p->lda, b, ldb,
                      height, width, depth, p->transpose_a, false, p->alpha, beta);
        if (p0 + depth == p->k)
            finish_in_place(p, row, column, height, width);
    }
}

/* Copy depth x width of op(B) to contiguous rows. */
static void copy_panel(float *panel, const float *b, int64_t ldb, bool transpose_b, int64_t depth, int64_t width)
{
    if (transpose_b)
        gg_kernels()->transpose(panel, width, b, ldb, width, depth);
    else
        gg_kernels()->copy_rows(panel, width, b, ldb, depth, width);
}

static void run_direct(const part *t)
{
    const gg_product *p = t->p;
    const int64_t depth = even_block(p->k, t->k_block);
    for (int64_t column = t->c0; column < t->c1; column += GG_PANEL)
        for (int64_t p0 = 0; p0 < p->k; p0 += depth)
            multiply_panel(t, p->b + p0 * p->ldb + column, p->ldb, column, least(GG_PANEL, t->c1 - column), p0,
                           least(depth, p->k - p0), NULL);
}

static void run_packed(const part *t, gg_thread *own)
{
    const gg_product *p = t->p;
    const int64_t depth = even_block(p->k, least(t->k_block, GG_DEEPEST_PANEL));
    const bool from_memory = comes_from_memory(t);
    for (int64_t column = t->c0; column < t->c1; column += GG_PANEL) {
        const int64_t width = least(GG_PANEL, t->c1 - column);
        for (int64_t p0 = 0; p0 < p->k; p0 += depth) {
            const int64_t height = least(depth, p->k - p0);
            const float *panel = own != NULL ? own->panel : NULL;
            if (p->packed_b) /* whole panels lie before this one; c0 is a multiple of the panel */
                panel = p->b + column * p->k + p0 * width;
            else
                copy_panel(own->panel, at(p->b, p->ldb, p->transpose_b, p0, column), p->ldb, p->transpose_b, height,
                           width);
            ahead next = from_memory ? next_block(t, column, p0, height) : (ahead){NULL, 0, 0, 0};
            multiply_panel(t, panel, width, column, width, p0, height,
                           next.rows > 0 && width == GG_PANEL ? &next : NULL);
        }
    }
}

/* C^T by blocks of `rows` of its rows (columns of C) and one panel of its columns (rows of C): rows x width into a
 * tile, which is then written to C transposed. `panel` is op(A)^T, p->k x width with row length ld. */
static void multiply_transposed(const part *t, const float *panel, int64_t ld, int64_t row, int64_t width, int64_t p0,
                                int64_t depth, float *tile)
{
    const gg_product *p = t->p;
    const int64_t step = even_block(depth, t->k_block);
    const int64_t rows =
        gg_product_row_block(t->c1 - t->c0, least(GG_SCRATCH_TILE / GG_PANEL, GG_SMALL_PRODUCT / (width * step)));
    for (int64_t column = t->c0; column < t->c1; column += rows) {
        const int64_t height = least(rows, t->c1 - column);
        for (int64_t q = 0; q < depth; q += step)
            gg_blas_sgemm(tile, width, at(p->b, p->ldb, p->transpose_b, p0 + q, column), p->ldb, panel + q * ld, ld,
                          height, width, least(step, depth - q), !p->transpose_b, false, p->alpha,
                          q == 0 ? 0.0f : 1.0f);
        gg_kernels()->transpose_add(p->c + row * p->ldc + column, p->ldc, tile, width, height, width,
                                    p0 == 0 ? p->beta : 1.0f);
        if (p0 + depth == p->k)
            finish_in_place(p, row, column, width, height);
    }
}

/* Rows [row, row + height) of C by the panels of B, k from p0 on, with that block of A at `a` (row length depth). */
static void multiply_block(const part *t, gg_thread *own, const float *a, int64_t row, int64_t height, int64_t p0,
                           int64_t depth)
{
    const gg_product *p = t->p;
    for (int64_t column = t->c0; column < t->c1; column += GG_PANEL) {
        const int64_t width = least(GG_PANEL, t->c1 - column);
        const float *panel = own->panel;
        if (p->packed_b)
            panel = p->b + column * p->k + p0 * width;
        else
            copy_panel(own->panel, at(p->b, p->ldb, p->transpose_b, p0, column), p->ldb, p->transpose_b, depth, width);
        const int64_t rows = gg_product_row_block(height, GG_SMALL_PRODUCT / (width * depth));
        for (int64_t r = 0; r < height; r += rows) {
            const int64_t some = least(rows, height - r);
            gg_blas_sgemm(p->c + (row + r) * p->ldc + column, p->ldc, a + r * depth, depth, panel, width, some, width,
                          depth, false, false, p->alpha, p0 == 0 ? p->beta : 1.0f);
            if (p0 + depth == p->k)
                finish_in_place(p, row + r, column, some, width);
        }
    }
}

static void run_blocked(const part *t, gg_thread *own)
{
    const gg_product *p = t->p;
    const int64_t depth = even_block(p->k, t->k_block < GG_BLOCKED_DEPTH ? t->k_block : GG_BLOCKED_DEPTH);
    const int64_t rows = gg_product_row_block(t->r1 - t->r0, GG_SCRATCH_BLOCK / depth);
    for (int64_t p0 = 0; p0 < p->k; p0 += depth)
        for (int64_t row = t->r0; row < t->r1; row += rows) {
            const int64_t height = least(rows, t->r1 - row), some = least(depth, p->k - p0);
            copy_panel(own->block, at(p->a, p->lda, p->transpose_a, row, p0), p->lda, p->transpose_a, height, some);
            multiply_block(t, own, own->block, row, height, p0, some);
        }
}

static void run_transposed(const part *t, gg_thread *own)
{
    const gg_product *p = t->p;
    const int64_t depth = even_block(p->k, GG_DEEPEST_PANEL);
    for (int64_t row = t->r0; row < t->r1; row += GG_PANEL) {
        const int64_t width = least(GG_PANEL, t->r1 - row);
        for (int64_t p0 = 0; p0 < p->k; p0 += depth) {
            const int64_t height = least(depth, p->k - p0);
            copy_panel(own->panel, at(p->a, p->lda, p->transpose_a, row, p0), p->lda, !p->transpose_a, height, width);
            multiply_transposed(t, own->panel, width, row, width, p0, height, own->tile);
        }
    }
}

static void run_crossed(const part *t, gg_thread *own)
{
    for (int64_t row = t->r0; row < t->r1; row += GG_PANEL)
        multiply_transposed(t, t->p->a + row, t->p->lda, row, least(GG_PANEL, t->r1 - row), 0, t->p->k, own->tile);
}

typedef struct job {
    const gg_product *product;
    const gg_product_plan *plan;
} job;

int64_t gg_product_row_unit(gg_strategy strategy)
{
    return strategy == GG_STRATEGY_WHOLE ? 1 : strategy >= GG_STRATEGY_TRANSPOSED ? GG_REGISTER : GG_ROW_TILE;
}

int64_t gg_product_column_unit(const gg_product *product)
{
    return product->packed_b ? GG_PANEL : GG_REGISTER;
}

/* Borders of part i of `parts`. */
static int64_t border(int64_t n, int64_t unit, int i, int parts)
{
    const int64_t units = (n + unit - 1) / unit;
    return least(n, units * i / parts * unit);
}

/* Without memory for the copies the BLAS does it all: a product never fails for want of memory. */
static void run_strategy(const part *t, gg_strategy strategy)
{
    const bool copies = strategy == GG_STRATEGY_BLOCKED || (strategy > GG_STRATEGY_DIRECT && !t->p->packed_b);
    gg_thread *own = copies ? gg_thread_own() : NULL;
    if (strategy == GG_STRATEGY_WHOLE || (copies && own == NULL))
        run_whole(t);
    else if (strategy == GG_STRATEGY_DIRECT)
        run_direct(t);
    else if (strategy == GG_STRATEGY_PACKED)
        run_packed(t, own);
    else if (strategy == GG_STRATEGY_BLOCKED)
        run_blocked(t, own);
    else if (strategy == GG_STRATEGY_TRANSPOSED)
        run_transposed(t, own);
    else
        run_crossed(t, own);
}

static void run_part(void *context, int index, int parts)
{
    (void)parts;
    const job *j = context;
    const gg_product *p = j->product;
    const gg_product_plan *plan = j->plan;
    const int i = index / plan->column_parts, l = index % plan->column_parts;
    const int64_t row_unit = gg_product_row_unit(plan->strategy);
    const int64_t column_unit = gg_product_column_unit(p);
    const part t = {
        .p = p,
        .r0 = border(p->m, row_unit, i, plan->row_parts),
        .r1 = border(p->m, row_unit, i + 1, plan->row_parts),
        .c0 = border(p->n, column_unit, l, plan->column_parts),
        .c1 = border(p->n, column_unit, l + 1, plan->column_parts),
        .k_block = plan->k_block,
    };
    if (t.r0 == t.r1 || t.c0 == t.c1)
        return;
    run_strategy(&t, plan->strategy);
}

void gg_product_run_planned(const gg_product *product, const gg_product_plan *plan)
{
    if (plan->row_parts * plan->column_parts == 1) {
        run_strategy(&(part){product, 0, product->m, 0, product->n, plan->k_block}, plan->strategy);
        return;
    }
    job j = {product, plan};
    gg_parallel_run(plan->row_parts * plan->column_parts, run_part, &j);
}

static gg_product_plan plan_for(const gg_product *p, int threads)
{
    const bool small = gg_policy_small_products();
    gg_thread *own = gg_thread_own();
    if (own == NULL)
        return gg_product_choose(p, threads, small, gg_policy_cpu_family());
    const int32_t kind = (p->transpose_a ? 1 : 0) | (p->transpose_b ? 2 : 0) | (p->packed_b ? 4 : 0);
    const uint64_t mixed = ((uint64_t)p->m * 0x9e3779b97f4a7c15u) ^ ((uint64_t)p->n * 0xc2b2ae3d27d4eb4fu)
                           ^ ((uint64_t)(p->k * 8 + kind) * 0x165667b19e3779f9u);
    gg_known_plan *known = &own->plans[(mixed >> 40) % GG_KNOWN_PLANS];
    if (known->m != p->m || known->n != p->n || known->k != p->k || known->kind != kind || known->threads != threads)
        *known = (gg_known_plan){p->m, p->n,    p->k,
                                 kind, threads, gg_product_choose(p, threads, small, gg_policy_cpu_family())};
    return known->plan;
}

static void run_with(const gg_product *product, int threads)
{
    const gg_product_plan plan = plan_for(product, threads);
    gg_product_run_planned(product, &plan);
}

void gg_product_run(const gg_product *product)
{
    if (!gg_clock_on()) {
        run_with(product, gg_policy_threads());
        return;
    }
    const double start = gg_clock_start();
    run_with(product, gg_policy_threads());
    gg_clock_stop(start);
}

void gg_product_run_serial(const gg_product *product)
{
    run_with(product, 1);
}

/* ---- B and C as streams ---- */

/* Rows of C a call, between which B's next panel is asked for, and k of a visit. A panel of 128 rows stays in the first
 * level; where C does not come back from memory, fewer visits and shorter calls were faster. */
enum { STREAM_ROWS = 32, STREAM_DEPTH = 128, PAST_ROWS = 16, PAST_DEPTH = 256 };

/* Whether the block's rows are whole cache lines, and nothing in them is to be read first. */
static bool passes_caches(const gg_product *p, const gg_product_block *block)
{
    return block->past_caches && p->beta == 0.0f && (uintptr_t)p->c % (GG_LINE * sizeof *p->c) == 0
           && (p->ldc | block->column | block->columns) % GG_LINE == 0;
}

/* Rows of C in one panel; with a tile they pass the caches from there. */
static void stream_panel(const gg_product *p, const gg_product_block *c, float *tile)
{
    const int64_t depth = even_block(p->k, tile != NULL ? PAST_DEPTH : STREAM_DEPTH);
    const int64_t most = least(tile != NULL ? PAST_ROWS : STREAM_ROWS, GG_SMALL_PRODUCT / (c->columns * depth));
    const int64_t height = gg_product_row_block(c->rows, most);
    for (int64_t p0 = 0; p0 < p->k; p0 += depth) {
        const float *b = p->b + p0 * p->ldb + c->column;
        const int64_t some = least(depth, p->k - p0);
        ahead next = {b + GG_PANEL, p->ldb, c->column + 2 * GG_PANEL <= p->n ? some : 0, 0};
        for (int64_t r = 0; r < c->rows; r += height) {
            const int64_t rows = least(height, c->rows - r), row = c->row + r;
            float *const out = p->c + row * p->ldc + c->column;
            const piece at = {tile != NULL ? tile + r * c->columns : out,
                              tile != NULL ? c->columns : p->ldc,
                              row,
                              c->column,
                              rows,
                              c->columns};
            ask(&next, (next.rows * rows + c->rows - 1) / c->rows);
            gg_blas_sgemm(at.block, at.ld, p->a + row * p->lda + p0, p->lda, b, p->ldb, rows, c->columns, some, false,
                          false, p->alpha, p0 == 0 ? p->beta : 1.0f);
            if (p0 + some < p->k)
                continue;
            finish(p, &at);
            if (tile != NULL)
                gg_kernels()->stream_rows(out, p->ldc, at.block, at.ld, rows, c->columns);
        }
    }
}

void gg_product_run_streamed(const gg_product *p, const gg_product_block *c)
{
    if (!gg_policy_small_products()) {
        run_whole(&(part){p, c->row, c->row + c->rows, c->column, c->column + c->columns, p->k});
        return;
    }
    gg_thread *own = passes_caches(p, c) ? gg_thread_own() : NULL;
    const int64_t rows = gg_product_row_block(c->rows, own != NULL ? GG_SCRATCH_TILE / GG_PANEL : c->rows);
    for (int64_t column = 0; column < c->columns; column += GG_PANEL)
        for (int64_t row = 0; row < c->rows; row += rows) {
            const gg_product_block some = {c->row + row, least(rows, c->rows - row), c->column + column,
                                           least(GG_PANEL, c->columns - column), c->past_caches};
            stream_panel(p, &some, own != NULL ? own->tile : NULL);
        }
    if (own != NULL)
        gg_kernels()->end_streams();
}

int64_t gg_product_packed_floats(int64_t k, int64_t n)
{
    return k * n;
}

typedef struct pack_job {
    float *packed;
    const float *b;
    int64_t ldb, k, n;
    bool transpose_b;
} pack_job;

static void pack_columns(void *context, int64_t begin, int64_t end)
{
    const pack_job *j = context;
    for (int64_t column = begin; column < end; column += GG_PANEL)
        copy_panel(j->packed + column * j->k, at(j->b, j->ldb, j->transpose_b, 0, column), j->ldb, j->transpose_b, j->k,
                   least(GG_PANEL, end - column));
}

void gg_product_pack(float *packed, const float *b, int64_t ldb, int64_t k, int64_t n, bool transpose_b)
{
    pack_job j = {packed, b, ldb, k, n, transpose_b};
    /* 2^15 floats copied take about as long as waking a second thread. */
    const int64_t grain = (1 << 15) / (k > 0 ? k : 1) + GG_PANEL;
    if (gg_policy_small_products())
        gg_parallel_for(n, grain, GG_PANEL, pack_columns, &j);
    else
        copy_panel(packed, b, ldb, transpose_b, k, n);
}

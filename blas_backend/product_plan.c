/* product_plan.c - which strategy for which shape: the cheapest by a model of the cost.
 *
 * The model adds up, for the largest part of C and one thread, in nanoseconds: calls, multiply-adds at the rate of the
 * small-matrix kernels (which work on 16, 32, 48 or 64 columns at once), first reading of the operands from the level
 * of memory they fit in, copies, and visits to C. Its constants were fitted to 1,000 measured shapes
 * (docs/decisions/0005-small-products.md); the benchmark's gemm rows show where it is wrong. Only the order of the
 * costs matters, not their size. */
#include "product.h"

#include "blas.h"

typedef struct cost_model {
    double call;                         /* ns for one cblas_sgemm call */
    double region;                       /* ns for waking and joining the other threads */
    double rate;                         /* multiply-adds per ns at full width, memory aside */
    double width_16, width_32, width_48; /* share of that rate at narrower widths */
    double extra_rows;                   /* rows' worth of time lost for each block of rows */
    double copy, transpose;              /* floats per ns copied to a panel, plainly and transposed */
    double visit;                        /* floats of C per ns for each further visit */
    double deep;           /* share of the rate left when a panel's block is more than the first level holds */
    double l2, l3, memory; /* floats per ns of a stream from there: A, and B into a panel */
    double direct_l3, direct_memory; /* the same where B is read in place, row by row */
    double across_l3, across_memory; /* the same where B plays the part of A (transposed, crossed), in long runs */
    double short_runs;               /* factor on that for runs of 128 floats */
    double stride, stride_again;     /* ns for each 16 floats of B in place: first pass, later passes */
    double conflict;                 /* factor on small products in place when B's rows collide in the first level */
    double whole_start, whole_rate, whole_pack, whole_rows; /* a product that the BLAS packs itself */
} cost_model;

/* OpenBLAS SkylakeX and Cooperlake kernels, fitted on Zen 5. `region` is what it costs between other work, not in a
 * tight loop. */
static const cost_model model = {
    .call = 27.4,
    .region = 1700,
    .rate = 199,
    .width_16 = 0.85,
    .width_32 = 0.74,
    .width_48 = 0.77,
    .extra_rows = 0.71,
    .copy = 22.4,
    .transpose = 7.7,
    .visit = 100,
    .deep = 0.97,
    .l2 = 27.9,
    .l3 = 21.7,
    .memory = 5.9,
    .direct_l3 = 21.7,
    .direct_memory = 4.7,
    .across_l3 = 13.2,
    .across_memory = 4.7,
    .short_runs = 1.25,
    .stride = 0.11,
    .stride_again = 3.03,
    .conflict = 1.15,
    .whole_start = 780,
    .whole_rate = 119,
    .whole_pack = 6.9,
    .whole_rows = 2,
};

static double least(double a, double b)
{
    return a < b ? a : b;
}

static double most(double a, double b)
{
    return a > b ? a : b;
}

static double blocks(double n, double block)
{
    return (double)(((int64_t)n + (int64_t)block - 1) / (int64_t)block);
}

/* Bytes that stay in the first, second and third level of cache. */
static const double first_level = 40e3, second_level = 900e3, third_level = 24e6;

/* ns per float of a stream over a working set of that many floats. */
static double reading(double floats, double l3, double memory)
{
    const double bytes = 4 * floats;
    return bytes <= first_level    ? 0.0
           : bytes <= second_level ? 1 / model.l2
           : bytes <= third_level  ? 1 / l3
                                   : 1 / memory;
}

/* Columns as the kernels see them: whole panels, and a rest at a lower rate. */
static double effective_columns(double columns)
{
    const double full = (double)((int64_t)columns / GG_PANEL * GG_PANEL), rest = columns - full;
    if (rest == 0)
        return full;
    return full
           + (rest <= 16   ? 16 / model.width_16
              : rest <= 32 ? 32 / model.width_32
              : rest <= 48 ? 48 / model.width_48
                           : 64);
}

/* Small products over rows x columns x k with k cut into blocks; `in_place`: B's rows are not contiguous. */
static double small_products(double rows, double columns, double k, double k_block, bool in_place)
{
    const double visits = blocks(k, k_block), depth = k / visits, width = least(columns, GG_PANEL);
    const double row_block = most(1, least(rows, (double)(int64_t)(GG_SMALL_PRODUCT / (width * depth))));
    const double row_blocks = blocks(rows, row_block), panels = blocks(columns, GG_PANEL);
    double cost = panels * visits * row_blocks * model.call;
    const double rate = model.rate * (4 * width * depth > first_level ? model.deep : 1.0);
    cost += (rows + model.extra_rows * row_blocks) * effective_columns(columns) * k / rate;
    cost += rows * columns * (2 * visits - 1) / model.visit;
    if (in_place && columns > GG_PANEL)
        cost += model.stride_again * k * columns / 16 * (row_blocks - 1);
    return cost;
}

/* Does the BLAS take a product of this part as one small product? NT only while C is small. */
static bool is_small(const gg_product *p, double rows, double columns)
{
    const double k = (double)p->k;
    return rows * columns * k <= GG_SMALL_PRODUCT
           && (!p->transpose_b || (!p->transpose_a && rows * columns <= 1200 && k >= 32));
}

static double cost_whole(const gg_product *p, double rows, double columns)
{
    const double m = (double)p->m, n = (double)p->n, k = (double)p->k;
    if (is_small(p, rows, columns))
        return model.call + (rows + model.extra_rows) * effective_columns(columns) * k / model.rate
               + k * columns * reading(k * n, model.direct_l3, model.direct_memory)
               + rows * k * reading(m * k, model.l3, model.memory) + model.stride * k * columns / 16;
    return model.whole_start + most(rows, model.whole_rows) * most(columns, model.whole_rows) * k / model.whole_rate
           + (k * columns + rows * k) / model.whole_pack + k * columns * reading(k * n, model.l3, model.memory);
}

/* One thread's cost for a part of rows x columns of C. */
static double cost_part(const gg_product *p, gg_strategy strategy, double rows, double columns, double k_block)
{
    const double m = (double)p->m, n = (double)p->n, k = (double)p->k;
    const double read_a = rows * k * reading(m * k, model.l3, model.memory);
    const double row_panels = blocks(rows, GG_PANEL);
    const double across = k * columns * row_panels * reading(k * n, model.across_l3, model.across_memory)
                          * (k_block < 512 ? model.short_runs : 1.0);
    const double write_back = rows * columns / model.transpose;
    switch (strategy) {
    case GG_STRATEGY_DIRECT:
        /* Rows of B a multiple of 2 KiB apart fall into few sets of the first level: each visit reads them anew. */
        return small_products(rows, columns, k, k_block, true) * (p->n % 512 == 0 && rows > 16 ? model.conflict : 1.0)
               + read_a + model.stride * k * columns / 16
               + k * columns * reading(k * n, model.direct_l3, model.direct_memory);
    case GG_STRATEGY_PACKED: {
        const double copy = p->packed_b ? 0.0 : k * columns / (p->transpose_b ? model.transpose : model.copy);
        return small_products(rows, columns, k, k_block, false) + read_a + copy
               + k * columns * reading(k * n, model.l3, model.memory);
    }
    case GG_STRATEGY_TRANSPOSED:
        return small_products(columns, rows, k, k_block, false) + read_a + across + write_back
               + rows * k / (p->transpose_a ? model.copy : model.transpose);
    case GG_STRATEGY_CROSSED:
        return small_products(columns, rows, k, k_block, true) + read_a + across + write_back
               + model.stride * k * rows / 16;
    default: return cost_whole(p, rows, columns);
    }
}

static bool possible(const gg_product *p, gg_strategy strategy)
{
    if (p->packed_b)
        return strategy == GG_STRATEGY_PACKED;
    if (strategy == GG_STRATEGY_DIRECT)
        return !p->transpose_b;
    return strategy != GG_STRATEGY_CROSSED || p->transpose_a;
}

static double part_columns(const gg_product *p, gg_strategy strategy, int parts)
{
    const double unit = p->packed_b && strategy == GG_STRATEGY_PACKED ? GG_PANEL : 16;
    return least((double)p->n, blocks(blocks((double)p->n, unit), parts) * unit);
}

typedef struct choice {
    gg_product_plan plan;
    double cost;
} choice;

/* Try every strategy and depth on one grid. */
static void consider(choice *best, const gg_product *p, int row_parts, int column_parts)
{
    static const int64_t depths[] = {128, 512};
    for (gg_strategy strategy = GG_STRATEGY_WHOLE; strategy < GG_STRATEGY_COUNT; strategy++) {
        if (!possible(p, strategy))
            continue;
        const double rows = blocks((double)p->m, row_parts), columns = part_columns(p, strategy, column_parts);
        const int count = strategy == GG_STRATEGY_WHOLE || p->k <= depths[0] ? 1 : 2;
        for (int i = 0; i < count; i++) {
            const double cost = cost_part(p, strategy, rows, columns, (double)depths[i])
                                + (row_parts * column_parts > 1 ? model.region : 0.0);
            if (cost < best->cost)
                *best = (choice){{strategy, row_parts, column_parts, depths[i]}, cost};
        }
    }
}

/* Without small products the BLAS does the blocking; we only share out the longer side of C. Below 2^17 multiply-adds a
 * second thread costs more than it brings. */
static gg_product_plan share_out(const gg_product *p, int threads)
{
    const double multiply_adds = (double)p->m * (double)p->n * (double)p->k;
    const int parts = multiply_adds < 131072.0 ? 1 : threads;
    return p->m >= p->n ? (gg_product_plan){GG_STRATEGY_WHOLE, parts, 1, p->k}
                        : (gg_product_plan){GG_STRATEGY_WHOLE, 1, parts, p->k};
}

gg_product_plan gg_product_choose(const gg_product *p, int threads, bool small)
{
    if (!small)
        return share_out(p, threads);
    choice best = {{GG_STRATEGY_WHOLE, 1, 1, p->k}, 1e300};
    consider(&best, p, 1, 1);
    if (threads == 1)
        return best.plan;
    for (int row_parts = 1; row_parts <= threads; row_parts++)
        if (threads % row_parts == 0)
            consider(&best, p, row_parts, threads / row_parts);
    return best.plan;
}

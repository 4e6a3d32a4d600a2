/* product_plan.c - which strategy for which shape: the cheapest by a model of the cost.
 *
 * The model adds up, for the largest part of C and one thread, in nanoseconds: calls, multiply-adds at the rate of the
 * small-matrix kernels (which work on 16, 32, 48 or 64 columns at once), first reading of the operands from the level
 * of memory they fit in, copies, and visits to C. Its constants were fitted to some thousand measured shapes for each
 * family of CPUs (docs/decisions/0005-small-products.md); the benchmark's gemm rows show where it is wrong. Only the
 * order of the costs matters, not their size. */
#include "product.h"

#include "blas.h"
#include "thread.h"

typedef struct cost_model {
    double call;                         /* ns for one cblas_sgemm call */
    double region;                       /* ns for waking and joining the other threads */
    double rate;                         /* multiply-adds per ns at full width, memory aside */
    double width_16, width_32, width_48; /* share of that rate at narrower widths */
    double rest[GG_ROW_TILE];            /* rows' worth of time for a rest of 1, 2, 3 rows */
    double extra_rows;                   /* rows' worth of time lost for each block of rows */
    double copy, transpose;              /* floats of B per ns copied to a panel, plainly and transposed */
    double copy_a, transpose_a;          /* floats of A per ns copied to a block */
    double visit;                        /* floats of C per ns for each further visit */
    double deep, deep_in_place; /* share of the rate left when a panel's block is more than the first level holds */
    double l2, l3, memory;      /* floats per ns of a stream from there: A, and B into a panel */
    double run_l2, run_l3;      /* ns for each float of A and panel, when it comes in runs of 128 floats */
    double strided_l2, strided_l3,
        strided_memory;              /* floats per ns of a transposed A in place, for each panel, on top */
    double direct_l3, direct_memory; /* B read in place, row by row */
    double across_l3, across_memory; /* the same where B plays the part of A (transposed, crossed), in long runs */
    double short_l3, short_memory;   /* how much longer that takes, as a share of it, in runs of 128 floats */
    double stride, stride_again;     /* ns for each 16 floats of B in place: first pass, later passes */
    double conflict;                 /* factor on small products in place when B's rows collide in the first level */
    double split;      /* ns for each row of C and visit whose columns are shared out: both threads' prefetchers meet */
    double misaligned; /* ns for each 16 floats of C and visit whose rows start anywhere */
    double whole_start, whole_rate, whole_pack, whole_rows; /* a product that the BLAS packs itself */
    double second_level, third_level, a_level;              /* bytes that stay there */
    int64_t depths[6];                                      /* worth trying; the first 0 ends the list */
    bool blocked;                                           /* whether that strategy was measured */
    int64_t deep_rows; /* rows of a part from which on panels are as deep as they can be, */
    int64_t deep_k;    /* if k is that large, too; 0: never */
} cost_model;

/* Nothing to pay: a rate without end. */
#define FREE 1e30

/* OpenBLAS's SkylakeX and Cooperlake kernels on Zen 5. `region` is what it costs between other work, not in a tight
 * loop. */
static const cost_model zen = {
    .call = 27.4,
    .region = 1700,
    .rate = 199,
    .width_16 = 0.85,
    .width_32 = 0.74,
    .width_48 = 0.77,
    .rest = {0, 1, 2, 3},
    .extra_rows = 0.71,
    .copy = 22.4,
    .transpose = 7.7,
    .copy_a = 22.4,
    .transpose_a = 7.7,
    .visit = 100,
    .deep = 0.97,
    .deep_in_place = 0.97,
    .l2 = 27.9,
    .l3 = 21.7,
    .memory = 5.9,
    .strided_l2 = FREE,
    .strided_l3 = FREE,
    .strided_memory = FREE,
    .direct_l3 = 21.7,
    .direct_memory = 4.7,
    .across_l3 = 13.2,
    .across_memory = 4.7,
    .short_l3 = 0.25,
    .short_memory = 0.25,
    .stride = 0.11,
    .stride_again = 3.03,
    .conflict = 1.15,
    .whole_start = 780,
    .whole_rate = 119,
    .whole_pack = 6.9,
    .whole_rows = 2,
    .second_level = 900e3,
    .third_level = 24e6,
    .depths = {128, 512},
};

/* The same kernels on Intel's Sapphire and Emerald Rapids, a stream from whose third level is slow. */
static const cost_model intel = {
    .call = 2.62,
    .region = 1500,
    .rate = 154,
    .width_16 = 0.814,
    .width_32 = 0.78,
    .width_48 = 0.829,
    .rest = {0, 2.73, 0.0466, 1.92},
    .extra_rows = 0.151,
    .copy = 49.2,
    .transpose = 6.15,
    .copy_a = 2.89,
    .transpose_a = 3.26,
    .visit = 100,
    .deep = 0.726,
    .deep_in_place = 0.649,
    .l2 = 24.3,
    .l3 = 13.4,
    .memory = 6.33,
    .run_l2 = 0.0109,
    .run_l3 = 0.367,
    .strided_l2 = 47.4,
    .strided_l3 = 19.5,
    .strided_memory = 0.833,
    .direct_l3 = 13,
    .direct_memory = 15.7,
    .across_l3 = 12.1,
    .across_memory = 30,
    .short_l3 = 0.567,
    .short_memory = 13,
    .stride = 0.288,
    .stride_again = 1.39,
    .conflict = 1.36,
    .split = 10.3,
    .misaligned = 0.0648,
    .whole_start = 43,
    .whole_rate = 54.6,
    .whole_pack = 15.4,
    .whole_rows = 9.41,
    .second_level = 276e3,
    .third_level = 24e6,
    .a_level = 1686e3,
    .depths = {64, 128, 256, 512, 1024},
    .blocked = true,
    .deep_rows = 256,
    .deep_k = 720,
};

static const cost_model *model_of(gg_cpu_family family)
{
    return family == GG_CPU_INTEL ? &intel : &zen;
}

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

/* Bytes that stay in the first level of cache. */
static const double first_level = 40e3;

/* ns per float of a stream over a working set of that many floats, at so many floats per ns from each level. */
static double reading(const cost_model *cpu, double floats, double l2, double l3, double memory)
{
    const double bytes = 4 * floats;
    return bytes <= first_level         ? 0.0
           : bytes <= cpu->second_level ? 1 / l2
           : bytes <= cpu->third_level  ? 1 / l3
                                        : 1 / memory;
}

/* Columns as the kernels see them: whole panels, and a rest at a lower rate. */
static double effective_columns(const cost_model *cpu, double columns)
{
    const double full = (double)((int64_t)columns / GG_PANEL * GG_PANEL), rest = columns - full;
    if (rest == 0)
        return full;
    return full
           + (rest <= 16   ? 16 / cpu->width_16
              : rest <= 32 ? 32 / cpu->width_32
              : rest <= 48 ? 48 / cpu->width_48
                           : 64);
}

/* Rows likewise: whole tiles, and a rest. */
static double effective_rows(const cost_model *cpu, double rows)
{
    const int64_t rest = (int64_t)rows % GG_ROW_TILE;
    return rows - (double)rest + cpu->rest[rest];
}

/* Small products over rows x columns x k with k cut into blocks; `in_place`: B's rows are not contiguous. */
static double small_products(const cost_model *cpu, double rows, double columns, double k, double k_block,
                             bool in_place)
{
    const double visits = blocks(k, k_block), depth = k / visits, width = least(columns, GG_PANEL);
    const double row_block = (double)gg_product_row_block((int64_t)rows, (int64_t)(GG_SMALL_PRODUCT / (width * depth)));
    const double row_blocks = blocks(rows, row_block), panels = blocks(columns, GG_PANEL);
    const double last = rows - (row_blocks - 1) * row_block;
    const double time_rows = (row_blocks - 1) * effective_rows(cpu, row_block) + effective_rows(cpu, last);
    double cost = panels * visits * row_blocks * cpu->call;
    const bool scattered = in_place && columns > GG_PANEL;
    const double deep = scattered ? cpu->deep_in_place : cpu->deep;
    const double rate = cpu->rate * (4 * width * depth > first_level ? deep : 1.0);
    cost += (time_rows + cpu->extra_rows * row_blocks) * effective_columns(cpu, columns) * k / rate;
    cost += rows * columns * (2 * visits - 1) / cpu->visit;
    if (scattered)
        cost += cpu->stride_again * k * columns / 16 * (row_blocks - 1);
    return cost;
}

/* Does the BLAS take a product of this part as one small product? NT only while C is small. */
static bool is_small(const gg_product *p, double rows, double columns)
{
    const double k = (double)p->k;
    return rows * columns * k <= GG_SMALL_PRODUCT
           && (!p->transpose_b || (!p->transpose_a && rows * columns <= 1200 && k >= 32));
}

/* A stream of A or B from where it lies. */
static double read_once(const cost_model *cpu, double floats)
{
    return floats * reading(cpu, floats, cpu->l2, cpu->l3, cpu->memory);
}

/* B in the part of A, of which a thread reads so many floats. */
static double read_across(const cost_model *cpu, double floats, double all, double run)
{
    const double longer = 4 * all <= cpu->third_level ? cpu->short_l3 : cpu->short_memory;
    return floats * reading(cpu, all, cpu->l2, cpu->across_l3, cpu->across_memory) * (1 + longer * 128 / run);
}

/* A read in place for so many panels. */
static double read_a(const cost_model *cpu, const gg_product *p, double rows, double panels, double k_block)
{
    const double k = (double)p->k, floats = rows * k, bytes = 4 * floats;
    double cost = read_once(cpu, floats);
    if (bytes > first_level)
        cost += floats * panels * (bytes <= cpu->a_level ? cpu->run_l2 : cpu->run_l3) * 128 / least(k_block, k);
    if (p->transpose_a)
        cost += floats * panels * reading(cpu, floats, cpu->strided_l2, cpu->strided_l3, cpu->strided_memory);
    return cost;
}

static double cost_whole(const cost_model *cpu, const gg_product *p, double rows, double columns)
{
    const double n = (double)p->n, k = (double)p->k;
    if (is_small(p, rows, columns))
        return cpu->call
               + (effective_rows(cpu, rows) + cpu->extra_rows) * effective_columns(cpu, columns) * k / cpu->rate
               + k * columns * reading(cpu, k * n, cpu->l2, cpu->direct_l3, cpu->direct_memory)
               + read_a(cpu, p, rows, 1, k) + cpu->stride * k * columns / 16;
    return cpu->whole_start + most(rows, cpu->whole_rows) * most(columns, cpu->whole_rows) * k / cpu->whole_rate
           + (k * columns + rows * k) / cpu->whole_pack
           + k * columns * reading(cpu, k * n, cpu->l2, cpu->l3, cpu->memory);
}

/* Visits to C that more than one thread or rows that start anywhere make dear. */
static double visits_to_c(const cost_model *cpu, const gg_product *p, gg_strategy strategy, double rows, double columns,
                          double k_block)
{
    const double depth = strategy == GG_STRATEGY_BLOCKED ? least(k_block, GG_BLOCKED_DEPTH) : k_block;
    const bool once = strategy == GG_STRATEGY_WHOLE || strategy >= GG_STRATEGY_TRANSPOSED;
    const double visits = once ? 1 : blocks((double)p->k, depth);
    double cost = columns < (double)p->n ? cpu->split * rows * visits : 0.0;
    if (p->n % GG_REGISTER != 0 && strategy < GG_STRATEGY_TRANSPOSED)
        cost += cpu->misaligned * rows * columns / GG_REGISTER * visits;
    return cost;
}

/* One thread's cost for a part of rows x columns of C. */
static double cost_part(const cost_model *cpu, const gg_product *p, gg_strategy strategy, double rows, double columns,
                        double k_block)
{
    const double n = (double)p->n, k = (double)p->k;
    const double panels = blocks(columns, GG_PANEL), row_panels = blocks(rows, GG_PANEL);
    const double read_b = k * columns * reading(cpu, k * n, cpu->l2, cpu->l3, cpu->memory);
    const double copy_b = p->packed_b ? 0.0 : k * columns / (p->transpose_b ? cpu->transpose : cpu->copy);
    const double across = row_panels * read_across(cpu, k * columns, k * n, least(k_block, k));
    const double write_back = rows * columns / cpu->transpose;
    switch (strategy) {
    case GG_STRATEGY_DIRECT:
        /* Rows of B a multiple of 2 KiB apart fall into few sets of the first level: each visit reads them anew. */
        return small_products(cpu, rows, columns, k, k_block, true)
                   * (p->n % 512 == 0 && rows > 16 ? cpu->conflict : 1.0)
               + read_a(cpu, p, rows, panels, k_block) + cpu->stride * k * columns / 16
               + k * columns * reading(cpu, k * n, cpu->l2, cpu->direct_l3, cpu->direct_memory);
    case GG_STRATEGY_PACKED:
        return small_products(cpu, rows, columns, k, k_block, false) + read_a(cpu, p, rows, panels, k_block) + copy_b
               + read_b;
    case GG_STRATEGY_BLOCKED: {
        const double depth = least(k, least(k_block, GG_BLOCKED_DEPTH));
        const double chunks = blocks(rows, (double)(int64_t)(GG_SCRATCH_BLOCK / depth));
        return small_products(cpu, rows, columns, k, depth, false)
               + rows * k * reading(cpu, (double)p->m * k, cpu->l2, cpu->l3, cpu->memory)
               + rows * k / (p->transpose_a ? cpu->transpose_a : cpu->copy_a) + chunks * (copy_b + read_b);
    }
    case GG_STRATEGY_TRANSPOSED:
        return small_products(cpu, columns, rows, k, k_block, false) + read_once(cpu, rows * k) + across + write_back
               + rows * k / (p->transpose_a ? cpu->copy : cpu->transpose);
    case GG_STRATEGY_CROSSED:
        return small_products(cpu, columns, rows, k, k_block, true) + read_once(cpu, rows * k) + across + write_back
               + cpu->stride * k * rows / 16;
    default: return cost_whole(cpu, p, rows, columns);
    }
}

static bool possible(const cost_model *cpu, const gg_product *p, gg_strategy strategy)
{
    if (strategy == GG_STRATEGY_BLOCKED && !cpu->blocked)
        return false;
    if (p->packed_b)
        return strategy == GG_STRATEGY_PACKED || strategy == GG_STRATEGY_BLOCKED;
    if (strategy == GG_STRATEGY_DIRECT)
        return !p->transpose_b;
    return strategy != GG_STRATEGY_CROSSED || p->transpose_a;
}

/* The largest of `parts` parts of a side of n that is cut in multiples of `unit`. */
static double largest_part(int64_t n, int64_t unit, int parts)
{
    return least((double)n, blocks(blocks((double)n, (double)unit), parts) * (double)unit);
}

typedef struct choice {
    gg_product_plan plan;
    double cost;
} choice;

/* Try every strategy and depth on one grid. */
static void consider(choice *best, const cost_model *cpu, const gg_product *p, int row_parts, int column_parts)
{
    for (gg_strategy strategy = GG_STRATEGY_WHOLE; strategy < GG_STRATEGY_COUNT; strategy++) {
        if (!possible(cpu, p, strategy))
            continue;
        const double rows = largest_part(p->m, gg_product_row_unit(strategy), row_parts);
        const double columns = largest_part(p->n, gg_product_column_unit(p), column_parts);
        int64_t shallower = 0; /* a depth beyond k is the same as k */
        for (const int64_t *depth = cpu->depths; *depth > 0 && shallower < p->k; depth++) {
            const double cost = cost_part(cpu, p, strategy, rows, columns, (double)*depth)
                                + visits_to_c(cpu, p, strategy, rows, columns, (double)*depth)
                                + (row_parts * column_parts > 1 ? cpu->region : 0.0);
            if (cost < best->cost)
                *best = (choice){{strategy, row_parts, column_parts, *depth}, cost};
            shallower = strategy == GG_STRATEGY_WHOLE ? p->k : *depth;
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

/* Many rows, a deep k and A as it lies: with panels as deep as they can be A is read in long runs, and C is visited
 * once for every 2048 of k. The model prices depth by shapes of few rows and misses it. */
static bool wants_deep_panels(const cost_model *cpu, const gg_product *p, int threads)
{
    return cpu->deep_k > 0 && !p->transpose_a && p->k >= cpu->deep_k && p->n >= 2 * GG_PANEL
           && p->m >= threads * cpu->deep_rows;
}

/* Panels of a thread from which on it pays to share out columns: then no panel is copied twice, but each thread reads
 * all of A, of which the other threads' caches hold their part, as they made it. With fewer panels to read it for, rows
 * took 8 to 10 % less time in a step (1024 x 256 x 768, 2048 x 256 x 768). */
enum { PANELS_FOR_COLUMNS = 3 };

/* Columns are shared out only where the panels come out even. */
static gg_product_plan deep_panels(const gg_product *p, int threads)
{
    const bool even = p->n % (threads * GG_PANEL) == 0;
    const bool by_columns = even && p->n >= PANELS_FOR_COLUMNS * threads * GG_PANEL && !p->packed_b;
    return (gg_product_plan){GG_STRATEGY_PACKED, by_columns ? 1 : threads, by_columns ? threads : 1, GG_DEEPEST_PANEL};
}

gg_product_plan gg_product_choose(const gg_product *p, int threads, bool small, gg_cpu_family family)
{
    if (!small)
        return share_out(p, threads);
    const cost_model *cpu = model_of(family);
    if (wants_deep_panels(cpu, p, threads))
        return deep_panels(p, threads);
    choice best = {{GG_STRATEGY_WHOLE, 1, 1, p->k}, 1e300};
    consider(&best, cpu, p, 1, 1);
    if (threads == 1)
        return best.plan;
    for (int row_parts = 1; row_parts <= threads; row_parts++)
        if (threads % row_parts == 0)
            consider(&best, cpu, p, row_parts, threads / row_parts);
    return best.plan;
}

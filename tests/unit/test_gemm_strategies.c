/* test_gemm_strategies.c - every strategy of product.c computes C = f(alpha op(A) op(B) + beta C + bias), whatever
 * shape it would be chosen for, on every grid of threads. */
#include <gemmgrad/gemm.h>

#include <math.h>
#include <stdio.h>

#include <check.h>

#include <gemmgrad/backend.h>

#include "product.h"
#include "product_case.h"
#include "support.h"

static const int grids[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {3, 1}};
enum { GRIDS = sizeof grids / sizeof *grids };
static const char *const names[GG_STRATEGY_COUNT] = {"whole", "direct", "packed", "blocked", "transposed", "crossed"};

/* A strategy and a grid, and the next ones: every combination that suits the operands, one after the other; then by
 * streams. */
typedef struct way {
    gg_product_plan plan;
    bool streamed, past_caches;
    char text[64];
} way;

static bool suits(const product_case *t, gg_strategy strategy)
{
    if (strategy == GG_STRATEGY_DIRECT)
        return !t->shape.transpose_b;
    return strategy != GG_STRATEGY_CROSSED || t->shape.transpose_a;
}

static way way_of(gg_strategy strategy, int grid, int64_t k_block)
{
    way w = {.plan = {strategy, grids[grid][0], grids[grid][1], k_block}};
    snprintf(w.text, sizeof w.text, "%s %d x %d, k_block %lld", names[strategy], w.plan.row_parts, w.plan.column_parts,
             (long long)k_block);
    return w;
}

static way streamed_way(bool past_caches)
{
    way w = {.streamed = true, .past_caches = past_caches};
    snprintf(w.text, sizeof w.text, "streamed%s", past_caches ? " past the caches" : "");
    return w;
}

/* C in four blocks, whose inner borders are whole tiles and registers. */
static void stream(const gg_product *p, bool past_caches)
{
    const int64_t row = p->m / 2 / GG_ROW_TILE * GG_ROW_TILE, column = p->n / 2 / GG_REGISTER * GG_REGISTER;
    for (int i = 0; i < 4; i++) {
        const gg_product_block block = {i % 2 == 0 ? 0 : row, i % 2 == 0 ? row : p->m - row, i / 2 == 0 ? 0 : column,
                                        i / 2 == 0 ? column : p->n - column, past_caches};
        if (block.rows > 0 && block.columns > 0)
            gg_product_run_streamed(p, &block);
    }
}

static void multiply(product_case *t, const way *w, float alpha, float beta, const gg_epilogue *epilogue)
{
    const gg_product p = {.c = t->c,
                          .ldc = t->ldc,
                          .a = t->a.data,
                          .lda = t->lda,
                          .b = t->b.data,
                          .ldb = t->ldb,
                          .m = t->shape.m,
                          .n = t->shape.n,
                          .k = t->shape.k,
                          .transpose_a = t->shape.transpose_a,
                          .transpose_b = t->shape.transpose_b,
                          .alpha = alpha,
                          .beta = beta,
                          .epilogue = epilogue};
    product_case_reset(t);
    if (w->streamed)
        stream(&p, w->past_caches);
    else
        gg_product_run_planned(&p, &w->plan);
}

typedef void way_check(product_case *t, const way *w, int turn);

/* check(t, w, turn) for every way that suits t. */
static void for_each_way(product_case *t, int64_t k_block, way_check *check, int turn)
{
    for (gg_strategy strategy = GG_STRATEGY_WHOLE; strategy < GG_STRATEGY_COUNT; strategy++)
        for (int grid = 0; grid < GRIDS && suits(t, strategy); grid++) {
            const way w = way_of(strategy, grid, k_block);
            check(t, &w, turn++);
        }
    for (int past = 0; past < 2 && !t->shape.transpose_a && !t->shape.transpose_b; past++) {
        const way w = streamed_way(past != 0);
        check(t, &w, turn++);
    }
}

static void for_each_transposition(int64_t m, int64_t n, int64_t k, product_data data, int64_t k_block,
                                   way_check *check)
{
    for (int kind = 0; kind < 4; kind++) {
        product_case t;
        product_case_new(&t, &(product_shape){m, n, k, (kind & 1) != 0, (kind & 2) != 0, kind == 1 ? 0 : kind, data});
        for_each_way(&t, k_block, check, kind);
        product_case_free(&t);
    }
}

static const float alphas[] = {1.0f, 0.7f};
static const float betas[] = {0.0f, 1.0f, 1.3f};

static void check_all_factors(product_case *t, const way *w, int turn)
{
    (void)turn;
    for (int i = 0; i < 6; i++) {
        multiply(t, w, alphas[i / 3], betas[i % 3], NULL);
        product_case_check(t, alphas[i / 3], betas[i % 3], w->text);
    }
}

static void check_some_factors(product_case *t, const way *w, int turn)
{
    const float alpha = alphas[turn / 3 % 2], beta = betas[turn % 3];
    multiply(t, w, alpha, beta, NULL);
    product_case_check(t, alpha, beta, w->text);
}

START_TEST(small_sizes)
{
    static const int sizes[] = {1, 2, 3, 5, 9};
    for (int i = 0; i < 125; i++)
        for_each_transposition(sizes[i / 25], sizes[i / 5 % 5], sizes[i % 5], DATA_REAL, 128, check_all_factors);
}
END_TEST

/* Parts of one row or of less than a register; blocks of one element of k. */
START_TEST(sizes_around_registers)
{
    static const int sides[] = {1, 15, 16, 17, 33}, depths[] = {1, 7, 31};
    for (int i = 0; i < 75; i++)
        for_each_transposition(sides[i / 15], sides[i / 3 % 5], depths[i % 3], DATA_REAL, i % 2 == 0 ? 128 : 1,
                               check_some_factors);
}
END_TEST

START_TEST(sizes_around_panels_and_blocks)
{
    static const int sides[] = {63, 65, 129}, depths[] = {127, 128, 129, 511, 513};
    for (int i = 0; i < 45; i++)
        for_each_transposition(sides[i / 15], sides[i / 5 % 3], depths[i % 5], DATA_REAL, i % 2 == 0 ? 128 : 512,
                               check_some_factors);
}
END_TEST

/* The 10^6 multiply-adds of a small product, the 2048 rows of a thread's panel, the 512 of its tile, the 2^17 floats of
 * its block. */
START_TEST(sizes_around_limits)
{
    static const int sizes[][3] = {{100, 100, 101}, {127, 64, 123}, {65, 33, 2047},  {33, 65, 2049},
                                   {5, 66, 4099},   {66, 5, 4099},  {511, 65, 30},   {65, 513, 30},
                                   {1, 1030, 63},   {1030, 1, 63},  {250, 260, 140}, {300, 67, 600}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for_each_transposition(sizes[i][0], sizes[i][1], sizes[i][2], DATA_REAL, i % 2 == 0 ? 512 : 128,
                               check_some_factors);
}
END_TEST

/* Blocks deeper than any plan asks for, and than a small product may be. */
START_TEST(any_block_of_k)
{
    static const int blocks[] = {1, 2, 63, 300, 2048, 1000000};
    for (int i = 0; i < 6; i++)
        for_each_transposition(17, 67, 301, DATA_REAL, blocks[i], check_some_factors);
}
END_TEST

/* On Intel's caches; A transposed is read across its rows, and few rows do not repay the deep panel. */
START_TEST(many_rows_take_deep_panels)
{
    static const struct {
        int64_t m, n, k;
        bool transpose_a, packed_b, deep;
        int column_parts;
    } rows[] = {{2048, 384, 1536, false, false, true, 2},  {2048, 320, 1536, false, false, true, 1},
                {2048, 384, 1536, false, true, true, 1},   {2048, 384, 1536, true, false, false, 0},
                {128, 1024, 1024, false, false, false, 0}, {2048, 384, 384, false, false, false, 0},
                {1024, 256, 768, false, false, true, 1},   {2048, 512, 768, false, false, true, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const gg_product p = {.m = rows[i].m,
                              .n = rows[i].n,
                              .k = rows[i].k,
                              .transpose_a = rows[i].transpose_a,
                              .packed_b = rows[i].packed_b};
        const gg_product_plan plan = gg_product_choose(&p, 2, true, GG_CPU_INTEL);
        ck_assert_int_eq(plan.strategy == GG_STRATEGY_PACKED && plan.k_block == 2048, rows[i].deep);
        if (rows[i].deep)
            ck_assert_int_eq(plan.column_parts, rows[i].column_parts);
    }
}
END_TEST

static void check_integers(product_case *t, const way *w, int turn)
{
    static const float factors[][2] = {{1, 0}, {1, 1}, {-2, 3}, {4, -1}};
    multiply(t, w, factors[turn % 4][0], factors[turn % 4][1], NULL);
    product_case_check(t, factors[turn % 4][0], factors[turn % 4][1], w->text);
}

START_TEST(integers_are_exact)
{
    static const int sizes[][3] = {{3, 5, 9}, {17, 63, 33}, {65, 129, 129}, {33, 65, 2049}, {130, 131, 600}};
    for (int i = 0; i < 5; i++)
        for_each_transposition(sizes[i][0], sizes[i][1], sizes[i][2], DATA_INTEGER, 128, check_integers);
}
END_TEST

static const int nan_sizes[][3] = {{1, 1, 1}, {5, 9, 3}, {17, 19, 23}, {67, 66, 65}, {70, 133, 300}};

static void check_over_nan(product_case *t, const way *w, int turn)
{
    for (int64_t i = 0; i < t->shape.m * t->shape.n; i++)
        t->before[i] = turn % 2 == 0 ? NAN : INFINITY;
    multiply(t, w, 0.7f, 0.0f, NULL);
    product_case_check(t, 0.7f, 0.0f, w->text);
}

START_TEST(beta_zero_overwrites_nan)
{
    for (int i = 0; i < 5; i++)
        for_each_transposition(nan_sizes[i][0], nan_sizes[i][1], nan_sizes[i][2], DATA_REAL, 128, check_over_nan);
}
END_TEST

static void check_nan_inside(product_case *t, const way *w, int turn)
{
    static const float odd_numbers[] = {NAN, INFINITY, -INFINITY};
    const int64_t k = t->shape.k;
    float *a = product_case_a(t, t->shape.m - 1, k / 2), *b = product_case_b(t, k - 1, t->shape.n / 2);
    const float a_before = *a, b_before = *b;
    *a = odd_numbers[turn % 3];
    *b = odd_numbers[(turn + 1) % 3];
    product_case_expect(t);
    multiply(t, w, 1.0f, 1.3f, NULL);
    product_case_check(t, 1.0f, 1.3f, w->text);
    *a = a_before;
    *b = b_before;
}

START_TEST(nan_and_infinity_propagate)
{
    for (int i = 0; i < 5; i++)
        for_each_transposition(nan_sizes[i][0], nan_sizes[i][1], nan_sizes[i][2], DATA_REAL, 128, check_nan_inside);
}
END_TEST

/* ---- epilogue ---- */

static float bias_at(int64_t j)
{
    return (float)(j % 13) / 8.0f - 0.75f;
}

/* Z = alpha op(A) op(B) + beta C + bias: the bias counts as a part of what C was before. */
static void check_bias(product_case *t, const way *w, const float *bias)
{
    const int64_t elements = t->shape.m * t->shape.n;
    multiply(t, w, 0.7f, 1.0f, &(gg_epilogue){.bias = bias});
    for (int64_t i = 0; i < elements; i++) {
        t->before[i] += bias[i % t->shape.n]; /* exact: both are few bits long */
        t->magnitude[i] += 3.0;               /* 0.7 times that is more than both together before they cancel */
    }
    product_case_check(t, 0.7f, 1.0f, w->text);
    for (int64_t i = 0; i < elements; i++) {
        t->before[i] -= bias[i % t->shape.n];
        t->magnitude[i] -= 3.0;
    }
}

/* C = f(Z) and preactivation = Z, from the same Z bit for bit. */
static void check_epilogue(product_case *t, const way *w, int turn)
{
    const int64_t n = t->shape.n, elements = t->shape.m * n;
    paged bias = paged_new(n), z = paged_new(elements), linear = paged_new(elements);
    for (int64_t j = 0; j < n; j++)
        bias.data[j] = bias_at(j);
    check_bias(t, w, bias.data);
    for (int64_t i = 0; i < elements; i++)
        linear.data[i] = t->c[i / n * t->ldc + i % n];
    multiply(t, w, 0.7f, 1.0f, &(gg_epilogue){bias.data, NULL, GG_LEAKY_RELU, 0.25f, turn % 2 == 0 ? NULL : z.data});
    for (int64_t i = 0; i < elements; i++) {
        const float x = linear.data[i], found = t->c[i / n * t->ldc + i % n];
        if (found != (x > 0.0f ? x : 0.25f * x))
            ck_abort_msg("%s: C[%lld][%lld] is %g, f(%g) expected", w->text, (long long)(i / n), (long long)(i % n),
                         (double)found, (double)x);
        if (turn % 2 != 0 && z.data[i] != x)
            ck_abort_msg("%s: preactivation %lld is %g, not %g", w->text, (long long)i, (double)z.data[i], (double)x);
    }
    paged_free(&linear);
    paged_free(&bias);
    paged_free(&z);
}

static void coarsen(product_case *t)
{
    for (int64_t i = 0; i < t->shape.m * t->shape.n; i++)
        t->before[i] = (float)(i % 17) / 8.0f - 1.0f;
}

START_TEST(bias_and_activation)
{
    static const int sizes[][3] = {{1, 1, 1}, {3, 5, 9}, {17, 33, 31}, {65, 67, 129}, {34, 129, 520}, {33, 65, 2100}};
    for (int i = 0; i < 24; i++) {
        product_case t;
        const int *size = sizes[i / 4];
        product_case_new(&t, &(product_shape){size[0], size[1], size[2], (i & 1) != 0, (i & 2) != 0, 1, DATA_REAL});
        coarsen(&t);
        for_each_way(&t, 128, check_epilogue, i);
        product_case_free(&t);
    }
}
END_TEST

/* A bias for each row, by streams whose rows are whole cache lines: some in several blocks of rows and visits. */
static void check_row_bias(product_case *t, bool past_caches)
{
    const int64_t m = t->shape.m, n = t->shape.n;
    const way w = streamed_way(past_caches);
    paged bias = paged_new(m), linear = paged_new(m * n), z = paged_new(m * n);
    for (int64_t i = 0; i < m; i++)
        bias.data[i] = bias_at(i);
    multiply(t, &w, 1.0f, 0.0f, NULL);
    product_case_check(t, 1.0f, 0.0f, w.text);
    for (int64_t i = 0; i < m * n; i++)
        linear.data[i] = t->c[i / n * t->ldc + i % n] + bias.data[i / n];
    multiply(t, &w, 1.0f, 0.0f, &(gg_epilogue){NULL, bias.data, GG_RELU, 0.0f, z.data});
    for (int64_t i = 0; i < m * n; i++) {
        const float x = linear.data[i], found = t->c[i / n * t->ldc + i % n];
        if (found != (x > 0.0f ? x : 0.0f) || z.data[i] != x)
            ck_abort_msg("%s: C[%lld][%lld] is %g behind %g, not f(%g)", w.text, (long long)(i / n), (long long)(i % n),
                         (double)found, (double)z.data[i], (double)x);
    }
    paged_free(&bias);
    paged_free(&linear);
    paged_free(&z);
}

START_TEST(bias_of_rows)
{
    static const int sizes[][3] = {{1, 16, 1}, {3, 48, 9}, {70, 144, 300}, {600, 80, 257}, {520, 64, 513}};
    for (int i = 0; i < 10; i++) {
        product_case t;
        const int *size = sizes[i / 2];
        product_case_new(&t, &(product_shape){size[0], size[1], size[2], false, false, 16, DATA_REAL});
        check_row_bias(&t, i % 2 == 1);
        product_case_free(&t);
    }
}
END_TEST

/* ---- the plan ---- */

/* Whatever the shape and the threads, a plan is one that its operands allow, for exactly that many threads or one. */
static void check_plan(const gg_product *p, int threads, bool small, gg_cpu_family family)
{
    const gg_product_plan plan = gg_product_choose(p, threads, small, family);
    const int parts = plan.row_parts * plan.column_parts;
    ck_assert_int_ge(plan.row_parts, 1);
    ck_assert_int_ge(plan.column_parts, 1);
    ck_assert(parts == 1 || parts == threads);
    ck_assert_int_ge(plan.k_block, 1);
    ck_assert(plan.strategy >= GG_STRATEGY_WHOLE && plan.strategy < GG_STRATEGY_COUNT);
    ck_assert(plan.strategy != GG_STRATEGY_DIRECT || !p->transpose_b);
    ck_assert(plan.strategy != GG_STRATEGY_CROSSED || p->transpose_a);
    ck_assert(!p->packed_b || !small || plan.strategy == GG_STRATEGY_PACKED || plan.strategy == GG_STRATEGY_BLOCKED);
    ck_assert(small || plan.strategy == GG_STRATEGY_WHOLE);
}

START_TEST(plans_are_possible)
{
    static const int64_t sizes[] = {1, 3, 64, 1000, 4097, 100000, 2147483647};
    static const int threads[] = {1, 2, 3, 7, 64, 1024};
    for (int i = 0; i < 343; i++)
        for (int j = 0; j < 6; j++)
            for (int kind = 0; kind < 6; kind++) {
                const gg_product p = {.m = sizes[i / 49],
                                      .n = sizes[i / 7 % 7],
                                      .k = sizes[i % 7],
                                      .transpose_a = (kind & 1) != 0,
                                      .transpose_b = kind / 2 == 1,
                                      .packed_b = kind / 2 == 2};
                for (gg_cpu_family family = GG_CPU_OTHER; family < GG_CPU_FAMILY_COUNT; family++)
                    check_plan(&p, threads[j], true, family);
                check_plan(&p, threads[j], false, GG_CPU_OTHER);
            }
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, small_sizes);
    tcase_add_test(tests, sizes_around_registers);
    tcase_add_test(tests, sizes_around_panels_and_blocks);
    tcase_add_test(tests, sizes_around_limits);
    tcase_add_test(tests, any_block_of_k);
    tcase_add_test(tests, many_rows_take_deep_panels);
    tcase_add_test(tests, integers_are_exact);
    tcase_add_test(tests, beta_zero_overwrites_nan);
    tcase_add_test(tests, nan_and_infinity_propagate);
    tcase_add_test(tests, bias_and_activation);
    tcase_add_test(tests, bias_of_rows);
    tcase_add_test(tests, plans_are_possible);
}

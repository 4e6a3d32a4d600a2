/* test_random.c - Philox against Random123 and its known answers; fills against single numbers; distributions. */
#include <gemmgrad/random.h>

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <Random123/philox.h>

#include "random_kernels.h"
#include "support.h"

enum { MANY = 200000 };

static const uint64_t SEED = UINT64_C(0x0123456789abcdef), STREAM = UINT64_C(0xfedcba9876543210);

static const gg_random_kernels *kernels_here(gg_isa isa)
{
    return support_cpu_runs(isa) ? gg_random_kernels_for(isa) : NULL;
}

static philox4x32_ctr_t random123(uint64_t block, uint64_t seed, uint64_t stream)
{
    const philox4x32_ctr_t input = {
        {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}};
    const philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    return philox4x32(input, key);
}

/* The lines "philox4x32 10" of kat_vectors in Random123 1.14: the counter's four words, the key's two, the
 * answer's four. */
static const uint32_t known[3][10] = {
    {0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x00000000, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c,
     0x9b00dbd8},
    {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6,
     0x6d5451fd},
    {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420,
     0x24126ea1},
};

static uint64_t pair(const uint32_t *words)
{
    return (uint64_t)words[1] << 32 | words[0];
}

START_TEST(known_answers)
{
    const uint32_t *k = known[_i];
    const uint64_t block = pair(k), stream = pair(k + 2), seed = pair(k + 4);
    ck_assert_mem_eq(random123(block, seed, stream).v, k + 6, 16);
    for (gg_isa isa = GG_ISA_BASELINE; isa <= GG_ISA_AVX512; isa++) {
        const gg_random_kernels *kernels = kernels_here(isa);
        uint32_t words[4];
        if (kernels == NULL)
            continue;
        kernels->words(words, 1, block, seed, stream);
        ck_assert_mem_eq(words, k + 6, 16);
    }
}
END_TEST

/* Single words, which the first and the third line reach by a counter below 2^64, i.e. a block below 2^62. */
START_TEST(known_answers_through_the_public_function)
{
    gg_random random = {0, 0, 0};
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(gg_random_u32(&random), known[0][6 + i]);
    ck_assert_uint_eq(random.counter, 4);
}
END_TEST

/* Every length around the number of blocks that an instance draws at once, at counters where a 32-bit half carries. */
START_TEST(instances_equal_random123)
{
    const gg_random_kernels *kernels = kernels_here((gg_isa)_i);
    static const uint64_t firsts[] = {0, 1, 0xfffffff0, UINT64_MAX - 5};
    if (kernels == NULL)
        return;
    for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++)
        for (int64_t blocks = 0; blocks <= 70; blocks++) {
            uint32_t words[4 * 71];
            memset(words, 0x5a, sizeof words);
            kernels->words(words, blocks, firsts[f], SEED, STREAM);
            for (int64_t i = 0; i < blocks; i++)
                ck_assert_mem_eq(words + 4 * i, random123(firsts[f] + (uint64_t)i, SEED, STREAM).v, 16);
            ck_assert_uint_eq(words[4 * blocks], 0x5a5a5a5a);
        }
}
END_TEST

START_TEST(instances_agree_in_every_bit)
{
    const gg_random_kernels *kernels = kernels_here((gg_isa)_i), *base = gg_random_kernels_for(GG_ISA_BASELINE);
    enum { N = 4099 };
    static uint32_t words[N + 1];
    static float x[N + 1], y[N + 1];
    if (kernels == NULL)
        return;
    base->words(words, (N + 1) / 4, 77, SEED, STREAM);
    words[0] = 0; /* the ends of both maps */
    words[1] = 0;
    words[2] = UINT32_MAX;
    words[3] = UINT32_MAX;
    kernels->uniform(x, words, N, -0.3f, 1.7f, 1.4f);
    base->uniform(y, words, N, -0.3f, 1.7f, 1.4f);
    ck_assert_mem_eq(x, y, N * sizeof *x);
    kernels->normal(x, words, N / 2, 0.1f, 3.3f);
    base->normal(y, words, N / 2, 0.1f, 3.3f);
    ck_assert_mem_eq(x, y, N / 2 * 2 * sizeof *x);
}
END_TEST

START_TEST(no_instance_for_an_unknown_set)
{
    ck_assert_ptr_null(gg_random_kernels_for((gg_isa)99));
}
END_TEST

START_TEST(make_starts_a_stream)
{
    const gg_random random = gg_random_make(3, 4);
    ck_assert_uint_eq(random.seed, 3);
    ck_assert_uint_eq(random.stream, 4);
    ck_assert_uint_eq(random.counter, 0);
}
END_TEST

/* Fills of any length from any counter are the single numbers one after the other, and touch nothing behind. */
START_TEST(bits_are_the_single_words)
{
    static const int64_t lengths[] = {0, 1, 2, 3, 5, 9, 63, 64, 65, 1023, 1024, 1025, 4097};
    static uint32_t bits[4098];
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (uint64_t start = 0; start < 5; start++) {
            gg_random bulk = {SEED, STREAM, start}, single = bulk;
            memset(bits, 0x5a, sizeof bits);
            ck_assert_int_eq(gg_random_bits(bits, lengths[l], &bulk), GG_OK);
            for (int64_t i = 0; i < lengths[l]; i++)
                ck_assert_uint_eq(bits[i], gg_random_u32(&single));
            ck_assert_uint_eq(bits[lengths[l]], 0x5a5a5a5a);
            ck_assert_uint_eq(bulk.counter, single.counter);
            ck_assert_uint_eq(bulk.counter, start + (uint64_t)lengths[l]);
        }
}
END_TEST

START_TEST(counter_wraps)
{
    gg_random random = {SEED, STREAM, UINT64_MAX - 2};
    uint32_t bits[8];
    ck_assert_int_eq(gg_random_bits(bits, 8, &random), GG_OK);
    ck_assert_uint_eq(random.counter, 5);
    const philox4x32_ctr_t last = random123(UINT64_MAX / 4, SEED, STREAM), first = random123(0, SEED, STREAM);
    ck_assert_mem_eq(bits, last.v + 1, 12);
    ck_assert_mem_eq(bits + 3, first.v, 16);
}
END_TEST

START_TEST(streams_and_seeds_differ)
{
    gg_random a = gg_random_make(1, 0), b = gg_random_make(1, 1), c = gg_random_make(2, 0);
    int equal = 0;
    for (int i = 0; i < 1000; i++) {
        const uint32_t x = gg_random_u32(&a), y = gg_random_u32(&b), z = gg_random_u32(&c);
        equal += (x == y) + (y == z) + (x == z);
    }
    ck_assert_int_le(equal, 1); /* 3000 pairs of words, each equal once in 2^32 */
}
END_TEST

START_TEST(uniform_fill_is_the_formula)
{
    static const int64_t lengths[] = {0, 1, 2, 3, 5, 9, 1023, 1024, 1025, 2049};
    static float x[2050];
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        gg_random bulk = {SEED, 1, 3}, single = bulk;
        x[lengths[l]] = 7.0f;
        ck_assert_int_eq(gg_random_fill_uniform(x, lengths[l], -2.0f, 6.0f, &bulk), GG_OK);
        for (int64_t i = 0; i < lengths[l]; i++) {
            const float u = gg_random_uniform(&single);
            ck_assert(u >= 0.0f && u < 1.0f);
            ck_assert_float_eq(u * 0x1p24f, floorf(u * 0x1p24f));
            ck_assert_float_eq(x[i], -2.0f + 8.0f * u); /* exact: powers of two */
        }
        ck_assert_float_eq(x[lengths[l]], 7.0f);
        ck_assert_uint_eq(bulk.counter, single.counter);
    }
}
END_TEST

/* Between neighbouring floats every rounding would reach hi for half of the words. */
START_TEST(uniform_fill_never_gives_hi)
{
    static float x[1000];
    const float lo = 1.0f, hi = 1.0f + 2.0f * FLT_EPSILON;
    gg_random random = gg_random_make(5, 0);
    ck_assert_int_eq(gg_random_fill_uniform(x, 1000, lo, hi, &random), GG_OK);
    for (int i = 0; i < 1000; i++)
        ck_assert(x[i] >= lo && x[i] < hi);
    ck_assert_int_eq(gg_random_fill_uniform(x, 10, 2.5f, 2.5f, &random), GG_OK);
    for (int i = 0; i < 10; i++)
        ck_assert_float_eq(x[i], 2.5f);
}
END_TEST

/* Chi-square over 256 cells: mean 255, deviation 22.6; the bounds lie 5 deviations away. */
START_TEST(uniform_is_uniform)
{
    static float x[MANY];
    static int cells[256];
    gg_random random = gg_random_make(11, 0);
    ck_assert_int_eq(gg_random_fill_uniform(x, MANY, 0.0f, 256.0f, &random), GG_OK);
    double sum = 0.0, chi = 0.0;
    for (int i = 0; i < MANY; i++) {
        cells[(int)x[i]]++;
        sum += (double)x[i];
    }
    for (int i = 0; i < 256; i++) {
        const double expected = MANY / 256.0, apart = cells[i] - expected;
        chi += apart * apart / expected;
    }
    ck_assert_double_gt(chi, 255.0 - 5.0 * 22.6);
    ck_assert_double_lt(chi, 255.0 + 5.0 * 22.6);
    ck_assert_double_lt(fabs(sum / MANY - 128.0), 5.0 * 256.0 / sqrt(12.0 * MANY));
}
END_TEST

/* Box and Muller in double on the same words. */
START_TEST(normal_fill_is_the_formula)
{
    static float x[MANY];
    static uint32_t words[MANY];
    const double turn = 6.283185307179586;
    gg_random bulk = {SEED, 2, 1}, same = bulk;
    ck_assert_int_eq(gg_random_fill_normal(x, MANY, 0.0f, 1.0f, &bulk), GG_OK);
    ck_assert_int_eq(gg_random_bits(words, MANY, &same), GG_OK);
    double worst = 0.0;
    for (int i = 0; i < MANY; i += 2) {
        const double u = (double)((float)(words[i] >> 1) + 1.0f) / 2147483648.0;
        const double r = sqrt(-2.0 * log(u)), angle = (words[i + 1] / 4294967296.0 - 0.125) * turn;
        const double across = r * cos(angle), up = r * sin(angle);
        worst = fmax(worst, fabs((double)x[i] - across) / (1.0 + fabs(across)));
        worst = fmax(worst, fabs((double)x[i + 1] - up) / (1.0 + fabs(up)));
    }
    ck_assert_double_le(worst, 1e-6);
}
END_TEST

START_TEST(normal_of_extreme_words)
{
    const gg_random_kernels *kernels = gg_random_kernels_for(GG_ISA_BASELINE);
    const uint32_t words[4] = {0, 0x20000000, UINT32_MAX, 0x20000000}; /* an eighth of a turn on: the x axis */
    float x[4];
    kernels->normal(x, words, 2, 0.0f, 1.0f);
    ck_assert_float_eq_tol(x[0], (float)sqrt(2.0 * 31.0 * log(2.0)), 1e-5f);
    ck_assert_float_eq_tol(x[1], 0.0f, 1e-6f);
    ck_assert_float_eq(x[2], 0.0f);
    ck_assert_float_eq(x[3], 0.0f);
}
END_TEST

/* Odd lengths take the first of the last pair; lengths change no number before. */
START_TEST(normal_fill_of_any_length)
{
    static const int64_t lengths[] = {0, 1, 2, 3, 5, 9, 1023, 1024, 1025, 2047, 2049};
    static float all[2050], x[2050];
    gg_random start = {SEED, 3, 2}, random = start;
    ck_assert_int_eq(gg_random_fill_normal(all, 2050, 1.0f, 2.0f, &random), GG_OK);
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        random = start;
        x[lengths[l]] = 7.0f;
        ck_assert_int_eq(gg_random_fill_normal(x, lengths[l], 1.0f, 2.0f, &random), GG_OK);
        ck_assert_mem_eq(x, all, (size_t)lengths[l] * sizeof *x);
        ck_assert_float_eq(x[lengths[l]], 7.0f);
        ck_assert_uint_eq(random.counter, start.counter + (uint64_t)(lengths[l] + lengths[l] % 2));
    }
    random = start;
    ck_assert_float_eq(1.0f + 2.0f * gg_random_normal(&random), all[0]);
    ck_assert_uint_eq(random.counter, start.counter + 2);
}
END_TEST

/* Mean 0, variance 1, third moment 0, fourth 3; the deviations of these sums over N are sqrt of 1, 2, 15, 96 over N. */
START_TEST(normal_is_normal)
{
    static float x[MANY];
    gg_random random = gg_random_make(12, 0);
    double moment[5] = {0};
    int beyond = 0;
    ck_assert_int_eq(gg_random_fill_normal(x, MANY, 0.0f, 1.0f, &random), GG_OK);
    for (int i = 0; i < MANY; i++) {
        double power = 1.0;
        for (int m = 1; m <= 4; m++)
            moment[m] += (power *= (double)x[i]) / MANY;
        beyond += fabsf(x[i]) > 1.959964f;
    }
    ck_assert_double_lt(fabs(moment[1]), 5.0 * sqrt(1.0 / MANY));
    ck_assert_double_lt(fabs(moment[2] - 1.0), 5.0 * sqrt(2.0 / MANY));
    ck_assert_double_lt(fabs(moment[3]), 5.0 * sqrt(15.0 / MANY));
    ck_assert_double_lt(fabs(moment[4] - 3.0), 5.0 * sqrt(96.0 / MANY));
    ck_assert_double_lt(fabs(beyond / (double)MANY - 0.05), 5.0 * sqrt(0.05 * 0.95 / MANY));
}
END_TEST

/* The same on every machine: a checkpoint made elsewhere goes on with these. */
START_TEST(numbers_never_change)
{
    gg_random random = gg_random_make(42, 7);
    ck_assert_uint_eq(gg_random_u32(&random), 0x67ee6f2cu);
    float x[3];
    ck_assert_int_eq(gg_random_fill_normal(x, 3, 0.0f, 1.0f, &random), GG_OK);
    ck_assert_float_eq(x[0], -0x1.22078ap-3f);
    ck_assert_float_eq(x[1], 0x1.c9ef66p-2f);
    ck_assert_float_eq(x[2], 0x1.b358dep-3f);
    int64_t p[8];
    static const int64_t expected[8] = {4, 2, 5, 6, 0, 1, 7, 3};
    ck_assert_int_eq(gg_random_permutation(p, 8, &random), GG_OK);
    ck_assert_mem_eq(p, expected, sizeof p);
}
END_TEST

START_TEST(below_stays_below)
{
    static const uint64_t limits[] = {2,
                                      3,
                                      10,
                                      1000,
                                      UINT64_C(0xfffffffe),
                                      UINT32_MAX,
                                      UINT64_C(1) << 32,
                                      (UINT64_C(1) << 32) + 1,
                                      UINT64_C(1) << 40,
                                      (UINT64_C(1) << 63) + 1,
                                      UINT64_MAX};
    gg_random random = gg_random_make(13, 0);
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
        uint64_t greatest = 0;
        for (int i = 0; i < 2000; i++) {
            const uint64_t value = gg_random_below(&random, limits[l]);
            ck_assert_uint_lt(value, limits[l]);
            greatest = value > greatest ? value : greatest;
        }
        ck_assert_uint_ge(greatest, limits[l] - 1 - limits[l] / 100); /* misses once in 5e8 */
    }
    const uint64_t counter = random.counter;
    ck_assert_uint_eq(gg_random_below(&random, 0), 0);
    ck_assert_uint_eq(gg_random_below(&random, 1), 0);
    ck_assert_uint_eq(random.counter, counter);
    gg_random_below(&random, UINT64_C(1) << 32);
    ck_assert_uint_eq(random.counter, counter + 1);
}
END_TEST

/* With n = 3 * 2^30 a remainder would favour the lowest quarter of 2^32 twofold; each third must get a third. */
START_TEST(below_is_unbiased)
{
    gg_random random = gg_random_make(14, 0);
    const uint64_t n = UINT64_C(3) << 30;
    int thirds[3] = {0}, numbers = 30000;
    for (int i = 0; i < numbers; i++)
        thirds[gg_random_below(&random, n) >> 30]++;
    for (int i = 0; i < 3; i++)
        ck_assert_int_lt(abs(thirds[i] - numbers / 3), 5 * 82);   /* deviation sqrt(30000 * 1/3 * 2/3) = 82 */
    ck_assert_uint_gt(random.counter, (uint64_t)numbers * 5 / 4); /* a quarter of the words is refused: 4/3 a number */
}
END_TEST

START_TEST(permutation_is_the_shuffle_of_single_numbers)
{
    static const int64_t lengths[] = {0, 1, 2, 3, 5, 9, 100, 5000};
    static int64_t p[5000], expected[5000];
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        gg_random bulk = {SEED, 4, 1}, single = bulk;
        const int64_t n = lengths[l];
        ck_assert_int_eq(gg_random_permutation(p, n, &bulk), GG_OK);
        for (int64_t i = 0; i < n; i++)
            expected[i] = i;
        for (int64_t i = n - 1; i > 0; i--) {
            const uint64_t j = gg_random_below(&single, (uint64_t)i + 1);
            const int64_t held = expected[i];
            expected[i] = expected[j];
            expected[j] = held;
        }
        ck_assert_mem_eq(p, expected, (size_t)n * sizeof *p);
        ck_assert_uint_eq(bulk.counter, single.counter);
    }
}
END_TEST

START_TEST(permutations_are_equally_likely)
{
    gg_random random = gg_random_make(15, 0);
    int seen[3][3] = {{0}}, order[6] = {0};
    for (int i = 0; i < 6000; i++) {
        int64_t p[3];
        ck_assert_int_eq(gg_random_permutation(p, 3, &random), GG_OK);
        ck_assert_int_eq(p[0] + p[1] + p[2], 3);
        ck_assert(p[0] != p[1] && p[1] != p[2] && p[0] != p[2]);
        order[2 * p[0] + (p[1] > p[2])]++;
        for (int j = 0; j < 3; j++)
            seen[j][p[j]]++;
    }
    for (int i = 0; i < 6; i++)
        ck_assert_int_lt(abs(order[i] - 1000), 5 * 29); /* deviation sqrt(6000 * 1/6 * 5/6) = 29 */
    for (int i = 0; i < 9; i++)
        ck_assert_int_lt(abs(seen[i / 3][i % 3] - 2000), 5 * 37);
}
END_TEST

static void expect(gg_status status, const char *function, const char *argument)
{
    support_assert_fails(status, GG_ERR_ARGUMENT, function, argument);
}

START_TEST(wrong_arguments)
{
    gg_random random = gg_random_make(1, 2);
    float x[2] = {7.0f, 7.0f};
    uint32_t bits[2] = {7, 7};
    int64_t p[2] = {7, 7};
    expect(gg_random_bits(NULL, 2, &random), "gg_random_bits", "bits is NULL");
    expect(gg_random_bits(bits, -1, &random), "gg_random_bits", "n is -1");
    expect(gg_random_bits(bits, 2, NULL), "gg_random_bits", "random is NULL");
    expect(gg_random_fill_uniform(NULL, 2, 0.0f, 1.0f, &random), "gg_random_fill_uniform", "x is NULL");
    expect(gg_random_fill_uniform(x, INT64_MIN, 0.0f, 1.0f, &random), "gg_random_fill_uniform", "below 0");
    expect(gg_random_fill_uniform(x, 2, 1.0f, 0.0f, &random), "gg_random_fill_uniform", "[1, 0)");
    expect(gg_random_fill_uniform(x, 2, NAN, 0.0f, &random), "gg_random_fill_uniform", "nan");
    expect(gg_random_fill_uniform(x, 2, 0.0f, INFINITY, &random), "gg_random_fill_uniform", "inf");
    expect(gg_random_fill_uniform(x, 2, -FLT_MAX, FLT_MAX, &random), "gg_random_fill_uniform", "no finite interval");
    expect(gg_random_fill_normal(NULL, 2, 0.0f, 1.0f, &random), "gg_random_fill_normal", "x is NULL");
    expect(gg_random_fill_normal(x, 2, 0.0f, -1.0f, &random), "gg_random_fill_normal", "std -1");
    expect(gg_random_fill_normal(x, 2, NAN, 1.0f, &random), "gg_random_fill_normal", "mean nan");
    expect(gg_random_fill_normal(x, 2, 0.0f, INFINITY, &random), "gg_random_fill_normal", "std inf");
    expect(gg_random_permutation(NULL, 2, &random), "gg_random_permutation", "p is NULL");
    expect(gg_random_permutation(p, -7, &random), "gg_random_permutation", "n is -7");
    expect(gg_random_permutation(p, 2, NULL), "gg_random_permutation", "random is NULL");
    ck_assert_uint_eq(random.counter, 0);
    ck_assert(x[0] == 7.0f && x[1] == 7.0f && bits[0] == 7 && bits[1] == 7 && p[0] == 7 && p[1] == 7);
    ck_assert_int_eq(gg_random_bits(NULL, 0, &random), GG_OK);
    ck_assert_int_eq(gg_random_fill_uniform(NULL, 0, 0.0f, 1.0f, &random), GG_OK);
    ck_assert_int_eq(gg_random_fill_normal(NULL, 0, 0.0f, 1.0f, &random), GG_OK);
    ck_assert_int_eq(gg_random_permutation(NULL, 0, &random), GG_OK);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, known_answers, 0, 3);
    tcase_add_test(tests, known_answers_through_the_public_function);
    tcase_add_loop_test(tests, instances_equal_random123, GG_ISA_BASELINE, GG_ISA_AVX512 + 1);
    tcase_add_loop_test(tests, instances_agree_in_every_bit, GG_ISA_BASELINE, GG_ISA_AVX512 + 1);
    tcase_add_test(tests, no_instance_for_an_unknown_set);
    tcase_add_test(tests, make_starts_a_stream);
    tcase_add_test(tests, bits_are_the_single_words);
    tcase_add_test(tests, counter_wraps);
    tcase_add_test(tests, streams_and_seeds_differ);
    tcase_add_test(tests, uniform_fill_is_the_formula);
    tcase_add_test(tests, uniform_fill_never_gives_hi);
    tcase_add_test(tests, uniform_is_uniform);
    tcase_add_test(tests, normal_fill_is_the_formula);
    tcase_add_test(tests, normal_of_extreme_words);
    tcase_add_test(tests, normal_fill_of_any_length);
    tcase_add_test(tests, normal_is_normal);
    tcase_add_test(tests, numbers_never_change);
    tcase_add_test(tests, below_stays_below);
    tcase_add_test(tests, below_is_unbiased);
    tcase_add_test(tests, permutation_is_the_shuffle_of_single_numbers);
    tcase_add_test(tests, permutations_are_equally_likely);
    tcase_add_test(tests, wrong_arguments);
}

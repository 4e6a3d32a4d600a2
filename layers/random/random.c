/* random.c - Philox4x32-10 behind plain functions: single numbers, bulk fills, permutations. */
#include <gemmgrad/random.h>

#include <math.h>
#include <stddef.h>
#include <stdatomic.h>
#include <string.h>

#include <Random123/philox.h>

#include "random_kernels.h"

enum {
    BLOCK = 4,   /* words of one Philox block */
    CHUNK = 1024 /* words made at a time before they become floats: 4 KB, so that they stay in the first cache */
};

const gg_random_kernels *gg_random_kernels_for(gg_isa isa)
{
    switch (isa) {
    case GG_ISA_BASELINE: return &gg_random_kernels_baseline;
#ifdef __x86_64__
    case GG_ISA_AVX2: return &gg_random_kernels_avx2;
    case GG_ISA_AVX512: return &gg_random_kernels_avx512;
#endif
    default: return NULL;
    }
}

/* The instance for the instruction set that the backend chose. */
static const gg_random_kernels *choose_kernels(void)
{
    gg_backend_info info;
    if (gg_backend_describe(&info) != GG_OK)
        return &gg_random_kernels_baseline;
    const gg_isa isa = strcmp(info.vector_isa, "avx512") == 0 ? GG_ISA_AVX512
                       : strcmp(info.vector_isa, "avx2") == 0 ? GG_ISA_AVX2
                                                              : GG_ISA_BASELINE;
    const gg_random_kernels *chosen = gg_random_kernels_for(isa);
    return chosen != NULL ? chosen : &gg_random_kernels_baseline;
}

static const gg_random_kernels *kernels(void)
{
    static _Atomic(const gg_random_kernels *) chosen;
    const gg_random_kernels *known = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (known == NULL) { /* several threads may come here at once: they choose the same */
        known = choose_kernels();
        atomic_store_explicit(&chosen, known, memory_order_relaxed);
    }
    return known;
}

gg_random gg_random_make(uint64_t seed, uint64_t stream)
{
    return (gg_random){seed, stream, 0};
}

static philox4x32_ctr_t block_at(const gg_random *random, uint64_t counter)
{
    const uint64_t block = counter / BLOCK;
    const philox4x32_ctr_t input = {
        {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)random->stream, (uint32_t)(random->stream >> 32)}};
    const philox4x32_key_t key = {{(uint32_t)random->seed, (uint32_t)(random->seed >> 32)}};
    return philox4x32(input, key);
}

uint32_t gg_random_u32(gg_random *random)
{
    const uint64_t counter = random->counter++;
    return block_at(random, counter).v[counter % BLOCK];
}

float gg_random_uniform(gg_random *random)
{
    return (float)(gg_random_u32(random) >> 8) * 0x1p-24f;
}

float gg_random_normal(gg_random *random)
{
    const uint32_t first = gg_random_u32(random);
    const uint32_t words[2] = {first, gg_random_u32(random)};
    float pair[2];
    kernels()->normal(pair, words, 1, 0.0f, 1.0f);
    return pair[0];
}

/* words[0 .. n) = the words from the counter on; the counter moves by n. The first and the last may be parts of a
 * block. */
static void take_words(uint32_t *words, int64_t n, gg_random *random)
{
    while (n > 0 && random->counter % BLOCK != 0) {
        *words++ = gg_random_u32(random);
        n--;
    }
    const int64_t blocks = n / BLOCK;
    kernels()->words(words, blocks, random->counter / BLOCK, random->seed, random->stream);
    random->counter += (uint64_t)(blocks * BLOCK);
    for (int64_t i = blocks * BLOCK; i < n; i++)
        words[i] = gg_random_u32(random);
}

/* For n elements of `bytes` each. */
static gg_status check_fill(const char *function, const char *name, const void *output, int64_t n, size_t bytes,
                            const gg_random *random)
{
    if (n > (int64_t)(PTRDIFF_MAX / bytes))
        return gg_fail(GG_ERR_OVERFLOW, "%s: n is %lld, more than any memory holds", function, (long long)n);
    if (n < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: n is %lld, below 0", function, (long long)n);
    if (random == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: random is NULL", function);
    if (output == NULL && n > 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL with n = %lld", function, name, (long long)n);
    return GG_OK;
}

gg_status gg_random_bits(uint32_t *bits, int64_t n, gg_random *random)
{
    const gg_status status = check_fill("gg_random_bits", "bits", bits, n, sizeof *bits, random);
    if (status == GG_OK && n > 0)
        take_words(bits, n, random);
    return status;
}

gg_status gg_random_fill_uniform(float *x, int64_t n, float lo, float hi, gg_random *random)
{
    const gg_status status = check_fill("gg_random_fill_uniform", "x", x, n, sizeof *x, random);
    if (status != GG_OK)
        return status;
    const float width = hi - lo;
    if (!(lo <= hi) || !isfinite(width))
        return gg_fail(GG_ERR_ARGUMENT, "gg_random_fill_uniform: [lo, hi) = [%g, %g) is no finite interval", (double)lo,
                       (double)hi);
    const float greatest = lo < hi ? nextafterf(hi, lo) : lo;
    uint32_t words[CHUNK];
    for (int64_t i = 0; i < n; i += CHUNK) {
        const int64_t length = n - i < CHUNK ? n - i : CHUNK;
        take_words(words, length, random);
        kernels()->uniform(x + i, words, length, lo, width, greatest);
    }
    return GG_OK;
}

gg_status gg_random_fill_normal(float *x, int64_t n, float mean, float std, gg_random *random)
{
    const gg_status status = check_fill("gg_random_fill_normal", "x", x, n, sizeof *x, random);
    if (status != GG_OK)
        return status;
    if (!isfinite(mean) || !isfinite(std) || std < 0.0f)
        return gg_fail(GG_ERR_ARGUMENT, "gg_random_fill_normal: mean %g, std %g: both must be finite, std not negative",
                       (double)mean, (double)std);
    uint32_t words[CHUNK];
    const int64_t even = n - n % 2;
    for (int64_t i = 0; i < even; i += CHUNK) {
        const int64_t length = even - i < CHUNK ? even - i : CHUNK;
        take_words(words, length, random);
        kernels()->normal(x + i, words, length / 2, mean, std);
    }
    if (even < n) {
        float pair[2];
        take_words(words, 2, random);
        kernels()->normal(pair, words, 1, mean, std);
        x[even] = pair[0];
    }
    return GG_OK;
}

/* Words one after the other, made `step` at a time from the counter on. The counter moves only over those taken. */
typedef struct word_source {
    gg_random *random;
    int step, at, end;
    uint32_t words[CHUNK];
} word_source;

static uint32_t next_word(word_source *source)
{
    if (source->at == source->end) {
        gg_random ahead = *source->random;
        take_words(source->words, source->step, &ahead);
        source->at = 0;
        source->end = source->step;
    }
    source->random->counter++;
    return source->words[source->at++];
}

/* Lemire's method ("Fast random integer generation in an interval", 2019): word * n / 2^32, where the lowest 2^32 mod
 * n of the fractions are refused so that every result keeps equally many. Above 2^32: as many bits as n - 1 has,
 * until they are below n. */
static uint64_t below(word_source *source, uint64_t n)
{
    if (n <= 1)
        return 0;
    if (n <= UINT32_MAX) {
        const uint32_t range = (uint32_t)n;
        uint64_t product = (uint64_t)next_word(source) * range;
        if ((uint32_t)product < range)
            for (const uint32_t refused = (0u - range) % range; (uint32_t)product < refused;)
                product = (uint64_t)next_word(source) * range;
        return product >> 32;
    }
    if (n == (uint64_t)1 << 32)
        return next_word(source);
    uint64_t mask = n - 1;
    for (int shift = 1; shift < 64; shift *= 2)
        mask |= mask >> shift;
    uint64_t value;
    do {
        value = next_word(source);
        value = (value << 32 | next_word(source)) & mask;
    } while (value >= n);
    return value;
}

uint64_t gg_random_below(gg_random *random, uint64_t n)
{
    word_source source; /* its words stay uninitialised until they are drawn: they are 4 KB */
    source.random = random;
    source.step = 1;
    source.at = source.end = 0;
    return below(&source, n);
}

gg_status gg_random_permutation(int64_t *p, int64_t n, gg_random *random)
{
    const gg_status status = check_fill("gg_random_permutation", "p", p, n, sizeof *p, random);
    if (status != GG_OK)
        return status;
    word_source source;
    source.random = random;
    source.step = CHUNK;
    source.at = source.end = 0;
    for (int64_t i = 0; i < n; i++)
        p[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = (int64_t)below(&source, (uint64_t)i + 1);
        const int64_t held = p[i];
        p[i] = p[j];
        p[j] = held;
    }
    return GG_OK;
}

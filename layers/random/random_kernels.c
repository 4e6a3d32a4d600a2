/* random_kernels.c - Philox4x32-10 over many counters at once, and words made into floats.
 *
 * One round of Philox on the words (a, b, c, d) with key (k, l) is
 *     a' = high(M1 c) ^ b ^ k,  b' = low(M1 c),  c' = high(M0 a) ^ d ^ l,  d' = low(M0 a),
 * and each round adds (W0, W1) to the key. Here a lane is 64 bits wide and holds one word of one block, because the
 * vector multiplication of 32 by 32 bits gives 64 and reads only the lower half of its operands: what the upper half
 * of a lane holds need never be cleared.
 *
 * Compile without contraction (-ffp-contract=off): a fused multiply-add rounds otherwise, and the instances must
 * agree. */
#include "random_kernels.h"

#include <math.h>
#include <string.h>

#include <Random123/philox.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define JOIN_AGAIN(a, b) a##b
#define JOIN(a, b) JOIN_AGAIN(a, b)

static const uint32_t M0 = PHILOX_M4x32_0, M1 = PHILOX_M4x32_1, W0 = PHILOX_W32_0, W1 = PHILOX_W32_1;
enum { ROUNDS = 10 };

#if defined(__AVX512F__)
enum { LANES = 8 };
typedef __m512i lanes;

static inline lanes spread(uint64_t value)
{
    return _mm512_set1_epi64((long long)value);
}
static inline lanes count_from(uint64_t first)
{
    return _mm512_add_epi64(spread(first), _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline lanes multiply(lanes a, lanes b)
{
    return _mm512_mul_epu32(a, b);
}
static inline lanes high(lanes a)
{
    return _mm512_srli_epi64(a, 32);
}
static inline lanes xor3(lanes a, lanes b, lanes c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

/* Lane i of a, b, c, d becomes the words 4i .. 4i+3. */
static inline void store_words(uint32_t *words, lanes a, lanes b, lanes c, lanes d)
{
    const lanes ab = _mm512_mask_shuffle_epi32(a, 0xaaaa, b, _MM_PERM_CCAA);
    const lanes cd = _mm512_mask_shuffle_epi32(c, 0xaaaa, d, _MM_PERM_CCAA);
    const lanes front = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const lanes back = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    _mm512_storeu_si512(words, _mm512_permutex2var_epi64(ab, front, cd));
    _mm512_storeu_si512(words + 16, _mm512_permutex2var_epi64(ab, back, cd));
}

#elif defined(__AVX2__)
enum { LANES = 4 };
typedef __m256i lanes;

static inline lanes spread(uint64_t value)
{
    return _mm256_set1_epi64x((long long)value);
}
static inline lanes count_from(uint64_t first)
{
    return _mm256_add_epi64(spread(first), _mm256_setr_epi64x(0, 1, 2, 3));
}
static inline lanes multiply(lanes a, lanes b)
{
    return _mm256_mul_epu32(a, b);
}
static inline lanes high(lanes a)
{
    return _mm256_srli_epi64(a, 32);
}
static inline lanes xor3(lanes a, lanes b, lanes c)
{
    return _mm256_xor_si256(_mm256_xor_si256(a, b), c);
}

static inline void store_words(uint32_t *words, lanes a, lanes b, lanes c, lanes d)
{
    const lanes ab = _mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xaa);
    const lanes cd = _mm256_blend_epi32(c, _mm256_slli_epi64(d, 32), 0xaa);
    const lanes even = _mm256_unpacklo_epi64(ab, cd), odd = _mm256_unpackhi_epi64(ab, cd);
    _mm256_storeu_si256((lanes *)words, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256((lanes *)words + 1, _mm256_permute2x128_si256(even, odd, 0x31));
}

#elif defined(__SSE2__)
enum { LANES = 2 };
typedef __m128i lanes;

static inline lanes spread(uint64_t value)
{
    return _mm_set1_epi64x((long long)value);
}
static inline lanes count_from(uint64_t first)
{
    return _mm_add_epi64(spread(first), _mm_set_epi64x(1, 0));
}
static inline lanes multiply(lanes a, lanes b)
{
    return _mm_mul_epu32(a, b);
}
static inline lanes high(lanes a)
{
    return _mm_srli_epi64(a, 32);
}
static inline lanes xor3(lanes a, lanes b, lanes c)
{
    return _mm_xor_si128(_mm_xor_si128(a, b), c);
}

static inline void store_words(uint32_t *words, lanes a, lanes b, lanes c, lanes d)
{
    const lanes lower = _mm_set1_epi64x(0xffffffff);
    const lanes ab = _mm_or_si128(_mm_and_si128(a, lower), _mm_slli_epi64(b, 32));
    const lanes cd = _mm_or_si128(_mm_and_si128(c, lower), _mm_slli_epi64(d, 32));
    _mm_storeu_si128((lanes *)words, _mm_unpacklo_epi64(ab, cd));
    _mm_storeu_si128((lanes *)words + 1, _mm_unpackhi_epi64(ab, cd));
}

#else
enum { LANES = 1 };
typedef uint64_t lanes;

static inline lanes spread(uint64_t value)
{
    return value;
}
static inline lanes count_from(uint64_t first)
{
    return first;
}
static inline lanes multiply(lanes a, lanes b)
{
    return (a & 0xffffffff) * (b & 0xffffffff);
}
static inline lanes high(lanes a)
{
    return a >> 32;
}
static inline lanes xor3(lanes a, lanes b, lanes c)
{
    return a ^ b ^ c;
}

static inline void store_words(uint32_t *words, lanes a, lanes b, lanes c, lanes d)
{
    words[0] = (uint32_t)a;
    words[1] = (uint32_t)b;
    words[2] = (uint32_t)c;
    words[3] = (uint32_t)d;
}
#endif

/* Groups of lanes in flight: each round waits for a multiplication, and four independent ones fill that time. */
enum { GROUPS = 4, BLOCKS = GROUPS * LANES };

static inline void draw_blocks(uint32_t *words, uint64_t first, uint64_t seed, uint64_t stream)
{
    lanes a[GROUPS], b[GROUPS], c[GROUPS], d[GROUPS];
    for (int g = 0; g < GROUPS; g++) {
        a[g] = count_from(first + (uint64_t)(g * LANES));
        b[g] = high(a[g]);
        c[g] = spread(stream);
        d[g] = spread(stream >> 32);
    }
    uint32_t k = (uint32_t)seed, l = (uint32_t)(seed >> 32);
    for (int round = 0; round < ROUNDS; round++, k += W0, l += W1)
        for (int g = 0; g < GROUPS; g++) {
            const lanes from_a = multiply(a[g], spread(M0)), from_c = multiply(c[g], spread(M1));
            a[g] = xor3(high(from_c), b[g], spread(k));
            c[g] = xor3(high(from_a), d[g], spread(l));
            b[g] = from_c;
            d[g] = from_a;
        }
    for (int g = 0; g < GROUPS; g++)
        store_words(words + 4 * g * LANES, a[g], b[g], c[g], d[g]);
}

static void fill_words(uint32_t *words, int64_t blocks, uint64_t first, uint64_t seed, uint64_t stream)
{
    int64_t i = 0;
    for (; i + BLOCKS <= blocks; i += BLOCKS)
        draw_blocks(words + 4 * i, first + (uint64_t)i, seed, stream);
    if (i < blocks) {
        uint32_t last[4 * BLOCKS];
        draw_blocks(last, first + (uint64_t)i, seed, stream);
        memcpy(words + 4 * i, last, (size_t)(blocks - i) * 4 * sizeof *words);
    }
}

static void fill_uniform(float *x, const uint32_t *words, int64_t n, float lo, float width, float greatest)
{
    for (int64_t i = 0; i < n; i++) {
        const float u = (float)(int32_t)(words[i] >> 8) * 0x1p-24f; /* 24 bits: exact */
        const float offset = width * u;
        const float value = lo + offset;
        x[i] = value < greatest ? value : greatest; /* rounding may reach lo + width */
    }
}

static inline float float_of_bits(int32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline int32_t bits_of_float(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* log u for u in [2^-31, 1]. u = 2^e m with m in [sqrt(1/2), sqrt 2), and log m = f - f^2/2 + f^3 p(f), f = m - 1;
 * p, and log 2 in two parts, as in logf of Cephes (S. Moshier): error below 2e-7 of the value. */
static inline float log_of(float u)
{
    const int32_t root_half = 0x3f3504f3; /* the bits of sqrt(1/2) */
    const int32_t exponent = (bits_of_float(u) - root_half) >> 23;
    const float f = float_of_bits(bits_of_float(u) - exponent * (1 << 23)) - 1.0f;
    float p = 7.0376836292e-2f;
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    const float e = (float)exponent, square = f * f;
    const float tail = square * f * p - e * 2.12194440e-4f - 0.5f * square;
    return f + tail + e * 0.693359375f;
}

/* *c, *s = the point of the unit circle at an angle of `word` 2^32nds of a turn, counted from one eighth of a turn
 * before the x axis. The upper two bits choose the quarter, the others an angle y in [-pi/4, pi/4), where the
 * polynomials of Cephes hold. */
static inline void circle(float *c, float *s, uint32_t word)
{
    const float y = (float)(int32_t)((word << 2) - 0x80000000u) * (1.57079632679f * 0x1p-32f);
    const float z = y * y;
    float sine = -1.9515295891e-4f;
    sine = sine * z + 8.3321608736e-3f;
    sine = sine * z - 1.6666654611e-1f;
    sine = sine * z * y + y;
    float cosine = 2.443315711809948e-5f;
    cosine = cosine * z - 1.388731625493765e-3f;
    cosine = cosine * z + 4.166664568298827e-2f;
    cosine = cosine * z * z - 0.5f * z + 1.0f;
    const float across = word & 0x40000000u ? -sine : cosine; /* a quarter turn takes (c, s) to (-s, c) */
    const float up = word & 0x40000000u ? cosine : sine;
    *c = word & 0x80000000u ? -across : across;
    *s = word & 0x80000000u ? -up : up;
}

static void fill_normal(float *x, const uint32_t *words, int64_t pairs, float mean, float std)
{
    for (int64_t i = 0; i < pairs; i++) {
        const float u = ((float)(int32_t)(words[2 * i] >> 1) + 1.0f) * 0x1p-31f;
        const float r = std * sqrtf(-2.0f * log_of(u));
        float c, s;
        circle(&c, &s, words[2 * i + 1]);
        const float across = r * c, up = r * s;
        x[2 * i] = mean + across;
        x[2 * i + 1] = mean + up;
    }
}

const gg_random_kernels JOIN(gg_random_kernels_, GG_KERNEL_SET) = {fill_words, fill_uniform, fill_normal};

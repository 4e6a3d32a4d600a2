/* gemmgrad/random.h - counter-based random numbers: the number at (seed, stream, counter) is a pure function.
 *
 * The generator is Philox4x32-10 of Random123 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2,
 * 3", 2011). One block of it makes four 32-bit words; word `counter` of a stream is word counter % 4 of the block
 * with
 *     key = (low, high half of seed),  input = (low, high half of counter / 4, low, high half of stream).
 * There is no hidden state. A gg_random is 24 plain bytes owned by the caller: copy it to remember a place, write its
 * three numbers into a checkpoint to resume there, add to `counter` to skip words. To split a fill over threads, give
 * each a copy with the counter moved to its first element; the numbers are the same at any number of threads, on any
 * CPU, with any compiler. Streams never share a block: take one stream for each purpose (weights, shuffling, a
 * dropout layer). The counter wraps at 2^64.
 *
 * Words taken, which is how far each function moves the counter:
 *     gg_random_u32 1, gg_random_uniform 1, gg_random_normal 2, gg_random_bits n, gg_random_fill_uniform n,
 *     gg_random_fill_normal n rounded up to even; gg_random_below and gg_random_permutation as many as they say.
 *
 * `random` must not be NULL where the function returns a number; where it returns a gg_status NULL is
 * GG_ERR_ARGUMENT, as is a negative n; an n that no memory holds is GG_ERR_OVERFLOW. On failure the outputs and
 * *random are untouched. n = 0 does nothing. Thread-safe on different gg_random and different outputs. */
#ifndef GEMMGRAD_RANDOM_H
#define GEMMGRAD_RANDOM_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_random {
    uint64_t seed;
    uint64_t stream;
    uint64_t counter; /* words taken so far */
} gg_random;

/* The start of a stream: {seed, stream, 0}. */
GG_API gg_random gg_random_make(uint64_t seed, uint64_t stream);

/* The next word. */
GG_API uint32_t gg_random_u32(gg_random *random);

/* A number in [0, n), each equally likely: no bias by remainder. Takes 1 word for n up to 2^32 and 2 above, as often
 * as needed: more than once with probability n / 2^32, or below one half for n above 2^32. n = 0 or 1 gives 0 and
 * takes nothing. */
GG_API uint64_t gg_random_below(gg_random *random, uint64_t n);

/* A multiple of 2^-24 in [0, 1): the upper 24 bits of a word. */
GG_API float gg_random_uniform(gg_random *random);

/* A standard normal number, at most 6.6 in magnitude: the first of the pair that gg_random_fill_normal makes of
 * two words. */
GG_API float gg_random_normal(gg_random *random);

/* n words: bits[i] is the word at counter + i. */
GG_API gg_status gg_random_bits(uint32_t *bits, int64_t n, gg_random *random);

/* x[i] = lo + (hi - lo) u_i with u_i = gg_random_uniform at counter + i, and never hi unless lo = hi.
 * GG_ERR_ARGUMENT unless lo <= hi and hi - lo is finite. */
GG_API gg_status gg_random_fill_uniform(float *x, int64_t n, float lo, float hi, gg_random *random);

/* x[i] = mean + std z_i, where words 2j and 2j+1 from the counter on give
 *     z_2j = r cos a,  z_2j+1 = r sin a,  r = sqrt(-2 log u),  u = (1 + word_2j / 2) / 2^31 as floats,
 *     a = (word_2j+1 / 2^32 - 1/8) turns
 * (Box, Muller 1958), each within 1e-6 (1 + |z|) of its exact value, by arithmetic that is the same everywhere.
 * GG_ERR_ARGUMENT unless mean is finite and std is finite and not negative. */
GG_API gg_status gg_random_fill_normal(float *x, int64_t n, float mean, float std, gg_random *random);

/* p = a permutation of 0 .. n-1, each equally likely: Fisher and Yates's shuffle, for i = n-1 down to 1 exchanging
 * p[i] with p[gg_random_below(random, i + 1)]. Takes the words of those n-1 calls. */
GG_API gg_status gg_random_permutation(int64_t *p, int64_t n, gg_random *random);

#ifdef __cplusplus
}
#endif
#endif

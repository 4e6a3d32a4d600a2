/* kernels/kernel_set.h - what the kernel sources share: names by instruction set, the width of a register, loops
 * over blocks. */
#ifndef GG_KERNEL_SET_H
#define GG_KERNEL_SET_H

#include "kernels.h"

#define GG_PASTE_NAME(set, name) gg_kernel_##set##_##name
#define GG_PASTE(set, name) GG_PASTE_NAME(set, name)

/* gg_kernel_avx2_add and so on; GG_KERNEL_SET comes from the build. */
#define GG_KERNEL(name) GG_PASTE(GG_KERNEL_SET, name)

#define GG_INLINE static inline __attribute__((always_inline))

/* For a loop over an array within a loop over rows: GCC carries the masked-off lanes of the one from turn to turn of
 * the other, through memory, unless the inner one stands in a function of its own. */
#define GG_APART static __attribute__((noinline))

/* Floats in a vector register: the length of the inner loops, which then become straight vector code. */
#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

/* A loop over the lanes of one register or of a few, whose turns are independent: vector instructions. Clang would
 * rather unroll such short loops first, and then finds no loop left to vectorise. GG_UNROLL: unroll the next loop
 * wholly. */
#if defined(__clang__)
#define GG_SIMD _Pragma("clang loop vectorize(assume_safety) unroll(disable)")
#define GG_UNROLL _Pragma("clang loop unroll(full)")
#else
#define GG_SIMD _Pragma("omp simd")
#define GG_UNROLL _Pragma("GCC unroll 64")
#endif
#define GG_FOR_LANES(lane, count) GG_SIMD for (int lane = 0; lane < (count); lane++)

/* x[0] = join of all x[0 .. count-1], count a power of two: the upper half is joined to the lower until one is left. */
#define GG_FOLD(x, count, join)                                        \
    do {                                                               \
        GG_UNROLL for (int half_ = (count) / 2; half_ > 0; half_ /= 2) \
        {                                                              \
            GG_UNROLL for (int lane_ = 0; lane_ < half_; lane_++)      \
            {                                                          \
                (x)[lane_] = join((x)[lane_], (x)[lane_ + half_]);     \
            }                                                          \
        }                                                              \
    } while (0)
#define GG_SUM_OF(a, b) ((a) + (b))

/* element(lane, i, ...) for i = 0 .. n-1 in blocks of LANES, lane being i's place in its block. The last, shorter
 * block runs under a mask, so that no scalar remainder is left however short the array (where registers have no
 * masks: at most three elements). */
#define GG_OVER_LANES(n, element, ...)                           \
    do {                                                         \
        int64_t block_ = 0;                                      \
        for (; block_ + LANES <= (n); block_ += LANES)           \
            GG_FOR_LANES (lane_, LANES)                          \
                element(lane_, block_ + lane_, __VA_ARGS__);     \
        const int rest_ = (int)((n)-block_);                     \
        if (rest_ > 0)                                           \
            GG_FOR_LANES (lane_, LANES)                          \
                if (lane_ < rest_)                               \
                    element(lane_, block_ + lane_, __VA_ARGS__); \
    } while (0)

/* The same for elements that do not ask for their lane: element(i, ...). */
#define GG_OVER_ARRAY(n, element, ...) GG_OVER_LANES(n, GG_WITHOUT_LANE, element, __VA_ARGS__)
#define GG_WITHOUT_LANE(lane, i, element, ...) element(i, __VA_ARGS__)

/* The same in four registers at once, lane below GG_WIDE: sums in each of them need not wait for those in the others.
 * `before` stands before the block that begins at wide_. */
enum { GG_WIDE = 4 * LANES };
#define GG_OVER_WIDE(n, element, ...) GG_OVER_WIDE_BLOCKS(n, (void)0, element, __VA_ARGS__)
#define GG_OVER_WIDE_BLOCKS(n, before, element, ...)            \
    do {                                                        \
        int64_t wide_ = 0;                                      \
        for (; wide_ + GG_WIDE <= (n); wide_ += GG_WIDE) {      \
            before;                                             \
            GG_FOR_LANES (lane_, GG_WIDE)                       \
                element(lane_, wide_ + lane_, __VA_ARGS__);     \
        }                                                       \
        for (; wide_ + LANES <= (n); wide_ += LANES)            \
            GG_FOR_LANES (lane_, LANES)                         \
                element(lane_, wide_ + lane_, __VA_ARGS__);     \
        const int left_ = (int)((n)-wide_);                     \
        if (left_ > 0)                                          \
            GG_FOR_LANES (lane_, LANES)                         \
                if (lane_ < left_)                              \
                    element(lane_, wide_ + lane_, __VA_ARGS__); \
    } while (0)

#define GG_KERNEL_PROTOTYPE(result, name, arguments) result GG_KERNEL(name) arguments;
#define GG_ACTIVATION_PROTOTYPES(constant, name)  \
    gg_forward_kernel GG_KERNEL(name##_forward);  \
    gg_forward_kernel GG_KERNEL(name##_streamed); \
    gg_backward_kernel GG_KERNEL(name##_backward);

GG_KERNEL_LIST(GG_KERNEL_PROTOTYPE)
GG_ACTIVATION_LIST(GG_ACTIVATION_PROTOTYPES)

extern const gg_kernel_table GG_KERNEL(table);

#endif

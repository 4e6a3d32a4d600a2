/* thread.h - what each thread that multiplies keeps: a copied panel, an output tile (C transposed, or on its way past
 * the caches), a block of A, and the plans of its latest shapes. Recurrent layers have parts of dG in panel and block,
 * and sums of the weights' gradients; large depthwise results pass the caches from the tile. */
#ifndef GG_THREAD_H
#define GG_THREAD_H

#include <stdint.h>

#include "product.h"

enum {
    GG_DEEPEST_PANEL = 2048,
    GG_SCRATCH_PANEL = GG_PANEL * GG_DEEPEST_PANEL, /* floats: 512 KiB, half a second-level cache */
    GG_SCRATCH_TILE = GG_PANEL * 512,               /* floats: a block of C^T of 512 rows */
    GG_SCRATCH_BLOCK = 512 * 256,                   /* floats: a block of op(A), 512 KiB */
    GG_BLOCKED_DEPTH = 512,                         /* its depth at most */
    GG_KNOWN_PLANS = 64
};

typedef struct gg_known_plan {
    int64_t m, n, k;
    int32_t kind, threads; /* kind: transpositions and packing; threads 0: empty */
    gg_product_plan plan;
} gg_known_plan;

typedef struct gg_thread {
    gg_known_plan plans[GG_KNOWN_PLANS];
    _Alignas(64) float panel[GG_SCRATCH_PANEL];
    float tile[GG_SCRATCH_TILE];
    float block[GG_SCRATCH_BLOCK];
} gg_thread;

/* The calling thread's own, allocated at its first call and freed when the thread ends; NULL when there is no memory.
 */
gg_thread *gg_thread_own(void);

#endif

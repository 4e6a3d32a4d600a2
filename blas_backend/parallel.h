/* parallel.h - the one way to run on several threads; parallel.c alone opens OpenMP regions. */
#ifndef GG_PARALLEL_H
#define GG_PARALLEL_H

#include <stdatomic.h>
#include <stdint.h>

/* Called with part = 0 .. parts-1. */
typedef void (*gg_part_body)(void *context, int part, int parts);

/* Run body once for each part, parts <= threads in the policy; parts = 1 runs on the caller with no region.
 * Inside a region of ours or of the caller's OpenMP program everything runs on the calling thread, part by part. */
void gg_parallel_run(int parts, gg_part_body body, void *context);

/* Run body once for each part, all parts at the same time, so that they can wait for one another: on as many threads as
 * asked for or as OpenMP gives, which body is told. Inside a region, on one. */
void gg_parallel_team(int parts, gg_part_body body, void *context);

/* Where `members` threads of a team wait until all have come; zeros at first. */
typedef struct gg_barrier {
    _Alignas(64) _Atomic int waiting;
    _Alignas(64) _Atomic unsigned phase; /* apart, for those who wait look at it all the time */
} gg_barrier;

/* What a thread wrote before it came, all see afterwards. One member does not wait. */
void gg_barrier_wait(gg_barrier *barrier, int members);

/* Called with a range [begin, end). */
typedef void (*gg_range_body)(void *context, int64_t begin, int64_t end);

/* Split [0, n) into contiguous ranges whose inner borders are multiples of `align`, as many as there are threads but
 * none shorter than `grain`: grain is the number of items below which a second thread does not pay. */
void gg_parallel_for(int64_t n, int64_t grain, int64_t align, gg_range_body body, void *context);

/* Keep an OpenMP BLAS on the calling thread for one product; a result above 1 goes to the release. Inside a parallel
 * region there is nothing to do. */
int gg_parallel_hold_serial(void);
void gg_parallel_release_serial(int held);

/* Threads worth using for `work` units when each thread should have at least `grain` of them: 1 .. gg_threads(). */
int gg_parallel_parts(int64_t work, int64_t grain);

#endif

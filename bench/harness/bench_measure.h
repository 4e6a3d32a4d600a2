/* bench_measure.h - the harness: opens a case, checks it, warms it up, takes samples of its variants in random turns.
 *
 * A sample is the time of `iterations` repetitions in a row, divided by their number; all samples are kept. In every
 * round each variant, the raw calls among them, gives one sample, in an order drawn anew: whatever drifts hits all of
 * them alike, and the ratio of two samples of one round means something. A run visits all cases more than once, again
 * in random order. */
#ifndef GEMMGRAD_BENCH_MEASURE_H
#define GEMMGRAD_BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench_case.h"
#include "bench_ceilings.h"
#include "bench_peers.h"
#include "bench_random.h"

enum { BENCH_MOST_THREAD_COUNTS = 8, BENCH_MOST_SERIES = 2 * (BENCH_MOST_VARIANTS + 1) + BENCH_MOST_PEERS };

typedef struct bench_settings {
    int threads[BENCH_MOST_THREAD_COUNTS], thread_counts; /* each case is measured with each */
    int repetitions;                                      /* samples of a variant, over all visits together */
    int visits;                                           /* of a case */
    double case_seconds; /* a visit ends after these, once it has `fewest` samples of each; INFINITY: with the last */
    int fewest;
    double patience; /* seconds that the whole run may wait for threads that keep their CPUs */
    double min_time; /* seconds that these samples take together, at least */
    bool raw;        /* time the raw calls as well */
    bool cold;       /* and everything once more with its data out of the caches */
    bench_peer *peers;
    int peer_count;
} bench_settings;

/* Series that are no variants: the raw calls, the same work by somebody else. */
enum { BENCH_RAW = -1, BENCH_PEER = -2 };

/* The samples of one variant of a case, of its raw calls, or of a peer. */
typedef struct bench_series {
    char name[BENCH_NAME_BYTES]; /* of the case and the variant */
    int variant;                 /* its number in the kind; BENCH_RAW, BENCH_PEER */
    bench_peer *peer;            /* of a series of BENCH_PEER */
    char peer_case[BENCH_NAME_BYTES];
    bool cold;          /* data flushed from the caches before each sample, which is one repetition */
    double warm;        /* seconds of a repetition, before the first sample */
    double first_call;  /* seconds of the first call of all; NaN where it was not the first */
    double *real, *cpu; /* count samples each: seconds of a repetition, by the wall and of the whole process */
    int count;
    uint64_t allocations; /* during all samples */
} bench_series;

typedef struct bench_result {
    const bench_case *line;
    int threads;
    const bench_ceilings *ceilings; /* with these threads */
    bench_series series[BENCH_MOST_SERIES];
    int series_count;
    int64_t iterations;            /* repetitions in a sample; 0: not calibrated yet */
    int visits;                    /* made so far */
    char label[BENCH_LABEL_BYTES]; /* what the library chose; see bench_work */
    gg_status status;              /* of what went wrong; then there are no further samples */
    char message[512];
} bench_result;

/* Whether there is any sample of it. */
bool bench_result_measured(const bench_result *result);

/* The series of raw calls, from warm or from cold caches, or NULL without samples of them. */
const bench_series *bench_result_raw(const bench_result *result, bool cold);

/* raw / series, the median over rounds: above 1 the series is the faster one. NaN without raw samples. */
double bench_result_ratio(const bench_result *result, const bench_series *series);

/* The alternative to what the library chose that took least time: another variant of a kind that chooses. NULL: none
 * was measured. *ratio = alternative / first variant, the median over rounds: below 1 the choice was wrong. */
const bench_series *bench_result_alternative(double *ratio, const bench_result *result, bool cold);

/* peer / the first variant, median over rounds: above 1 we are faster. NaN without samples of that peer. */
double bench_result_peer_ratio(const bench_result *result, const bench_peer *peer);

/* Reserve room for the samples of a peer, if it has such a case. */
gg_status bench_result_add_peer(bench_result *result, bench_peer *peer, const bench_settings *settings);

/* Reserve room for the samples of a variant or of BENCH_RAW. */
gg_status bench_result_add(bench_result *result, int variant, bool cold, const bench_settings *settings);
void bench_result_free(bench_result *result);

/* Visit the case: its next share of samples. What goes wrong is noted in the result. */
void bench_visit(bench_result *result, const bench_settings *settings, bench_random *random);

#endif

/* ab_judge.h - from pairs of samples to a verdict.
 *
 * Two programs are started anew several times: generations. In each they and a second copy of the base take turns, and
 * every turn gives the logarithm of two ratios: new / base, and copy / base, which would be 0 on a quiet machine and in
 * a process whose memory lies as well as the other's. A generation counts by the median of its turns, a case by the
 * mean of its generations. The bootstrap draws generations anew, and turns anew within each: what a process was dealt
 * at its start does not average out within it. */
#ifndef GEMMGRAD_BENCH_AB_JUDGE_H
#define GEMMGRAD_BENCH_AB_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench_bootstrap.h"

enum {
    AB_TURNS = 10,
    AB_MOST_GENERATIONS = 16,
    AB_FEWEST_GENERATIONS = 4,
    AB_MOST_PAIRS = AB_TURNS * AB_MOST_GENERATIONS
};

typedef struct ab_pairs {
    int generations;                                    /* complete ones */
    double change[AB_MOST_PAIRS], noise[AB_MOST_PAIRS]; /* generation by generation, AB_TURNS each */
} ab_pairs;

typedef enum ab_verdict { AB_SAME, AB_FASTER, AB_SLOWER, AB_NOISY, AB_VERDICTS } ab_verdict;

typedef struct ab_judgement {
    ab_verdict verdict;
    double ratio;            /* new / base */
    bench_interval interval; /* of the ratio */
    double least_effect;     /* the change that this case shows without any reason, at least `floor`: 0.012 for 1.2 % */
} ab_judgement;

/* Mean over generations of the medians of their turns. */
double ab_center(const double *values, int generations);

/* Its interval, 0.99 for 99 %. */
bench_interval ab_interval(const double *values, int generations, double confidence, uint64_t seed);

/* slower or faster: the interval excludes 1, and the change is larger than the least effect. same: a change larger than
 * `precision` or the least effect, whichever is more, is excluded, and the least effect is at most 5 %. noisy: neither,
 * or fewer than AB_FEWEST_GENERATIONS. */
ab_judgement ab_judge(const ab_pairs *pairs, double floor, double precision);

/* Whether more pairs could still tell anything. */
bool ab_decided(const ab_judgement *judgement, int generations, double precision);

const char *ab_verdict_name(ab_verdict verdict);

#endif

/* ab_judge.h - from samples in turns to a verdict.
 *
 * Both programs run twice, and all four processes are started anew many times: generations. In each they take turns.
 * What a process is dealt at its start (where its memory lies) does not average out within it, so a generation is one
 * observation, and only their number makes an answer sure. It is the mean of four medians over its turns, of the
 * logarithms of new / base for each new with each base. Every one of these pairs is as likely to err upwards as
 * downwards, however skewed the noise: new against the mean of both bases would not be, and spikes would hide changes.
 *
 * The base against itself is the same with the roles dealt otherwise: the second processes of both programs against the
 * first ones. It has the noise of the change without the change.
 *
 * Generations are summed up by the mean without the fifth at either end: whole stretches of a shared machine belong to
 * others. Its interval is the symmetric bootstrap-t (Wilcox, Introduction to Robust Estimation and Hypothesis Testing,
 * 3rd edition 2012, section 4.4): generations are drawn anew, and each resample's distance to the center is divided by
 * its own standard error (Tukey and McLaughlin, Sankhya A 25, 1963). */
#ifndef GEMMGRAD_BENCH_AB_JUDGE_H
#define GEMMGRAD_BENCH_AB_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench_bootstrap.h"

enum {
    AB_TURNS = 5,
    AB_MOST_GENERATIONS = 256,
    AB_FEWEST_GENERATIONS = 12,
    AB_MOST_SAMPLES = AB_TURNS * AB_MOST_GENERATIONS
};

/* The second of each is started from the same file. */
typedef enum ab_process { AB_BASE, AB_BASE_2, AB_NEW, AB_NEW_2, AB_PROCESSES } ab_process;

typedef struct ab_samples {
    int generations;                                   /* complete ones */
    double log_seconds[AB_PROCESSES][AB_MOST_SAMPLES]; /* generation by generation, AB_TURNS each */
} ab_samples;

typedef enum ab_verdict { AB_SAME, AB_FASTER, AB_SLOWER, AB_NOISY, AB_VERDICTS } ab_verdict;

typedef struct ab_judgement {
    ab_verdict verdict;
    double ratio;            /* new / base */
    bench_interval interval; /* of the ratio */
    double least_effect;     /* what the measurement shows without any reason, at least `floor`: 0.012 for 1.2 % */
} ab_judgement;

/* What is to be judged. */
typedef struct ab_demands {
    double floor;     /* changes below this never count */
    double precision; /* half the width of an interval that is narrow enough: 0.01 for 1 % */
    int cases;        /* so many are judged at once: all their intervals together hold with 99 % */
} ab_demands;

typedef struct ab_estimate {
    double center;     /* of the medians of generations */
    double half_width; /* of its interval */
} ab_estimate;

/* Of AB_FEWEST_GENERATIONS observations or more; error: the chance to miss, 0.01 for 99 %, from 1e-5 to 0.05. */
ab_estimate ab_estimate_of(const double *generations, int count, double error, uint64_t seed);

/* slower or faster: the interval excludes 1, and the change is larger than the least effect: half the width of the 95 %
 * interval of the base against itself; where that excludes 1, the machine is not fair, and its far end counts. same: a
 * change larger than `precision` or the least effect, whichever is more, is excluded, and the least effect is at most
 * 5 %. noisy: neither, or fewer than AB_FEWEST_GENERATIONS. */
ab_judgement ab_judge(const ab_samples *samples, const ab_demands *demands);

/* Whether it is time to judge: seldom, as each look is another chance to be misled, and resampling takes time. */
bool ab_is_look(int generations);

/* Whether more samples could still tell anything. */
bool ab_decided(const ab_judgement *judgement, int generations, double precision);

const char *ab_verdict_name(ab_verdict verdict);

#endif

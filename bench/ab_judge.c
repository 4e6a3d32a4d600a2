/* ab_judge.c - see ab_judge.h. */
#include "ab_judge.h"

#include <math.h>

#include "bench_random.h"
#include "bench_stats.h"

enum { RESAMPLES = 1000 };

/* One case in a hundred would be called changed by chance alone, were there no least effect. */
static const double CONFIDENCE = 0.99;

/* Where the base differs from itself by more than a twentieth, "no larger change" is no reassurance. */
static const double TOO_NOISY = 0.05;

/* By insertion: for so few numbers ten times as fast as qsort, and resampling does nothing else. */
static double median_of_turns(const double *turns)
{
    double sorted[AB_TURNS];
    for (int i = 0; i < AB_TURNS; i++) {
        int at = i;
        for (; at > 0 && sorted[at - 1] > turns[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = turns[i];
    }
    return bench_sorted_quantile(sorted, AB_TURNS, 0.5);
}

double ab_center(const double *values, int generations)
{
    double sum = 0.0;
    for (int g = 0; g < generations; g++)
        sum += median_of_turns(values + g * AB_TURNS);
    return sum / generations;
}

static double resampled_center(const double *values, int generations, bench_random *random)
{
    double turns[AB_TURNS], sum = 0.0;
    for (int g = 0; g < generations; g++) {
        const double *chosen = values + bench_random_below(random, generations) * AB_TURNS;
        for (int i = 0; i < AB_TURNS; i++)
            turns[i] = chosen[bench_random_below(random, AB_TURNS)];
        sum += median_of_turns(turns);
    }
    return sum / generations;
}

bench_interval ab_interval(const double *values, int generations, double confidence, uint64_t seed)
{
    double centers[RESAMPLES];
    bench_random random = {.state = seed};
    for (int i = 0; i < RESAMPLES; i++)
        centers[i] = resampled_center(values, generations, &random);
    bench_sort(centers, RESAMPLES);
    const double tail = 0.5 * (1.0 - confidence);
    return (bench_interval){bench_sorted_quantile(centers, RESAMPLES, tail),
                            bench_sorted_quantile(centers, RESAMPLES, 1.0 - tail)};
}

ab_judgement ab_judge(const ab_pairs *pairs, double floor, double precision)
{
    ab_judgement judgement = {AB_NOISY, (double)NAN, {(double)NAN, (double)NAN}, (double)NAN};
    if (pairs->generations == 0)
        return judgement;
    const double change = ab_center(pairs->change, pairs->generations);
    const bench_interval interval = ab_interval(pairs->change, pairs->generations, CONFIDENCE, 1);
    const bench_interval noise = ab_interval(pairs->noise, pairs->generations, CONFIDENCE, 2);
    const double least = fmax(log1p(floor), fmax(fabs(noise.low), fabs(noise.high)));
    const double bound = fmax(least, log1p(precision));
    judgement.ratio = exp(change);
    judgement.interval = (bench_interval){exp(interval.low), exp(interval.high)};
    judgement.least_effect = expm1(least);
    if (pairs->generations < AB_FEWEST_GENERATIONS)
        return judgement;
    if (interval.low > 0.0 && change > least)
        judgement.verdict = AB_SLOWER;
    else if (interval.high < 0.0 && change < -least)
        judgement.verdict = AB_FASTER;
    else if (least <= TOO_NOISY && interval.low >= -bound && interval.high <= bound)
        judgement.verdict = AB_SAME;
    return judgement;
}

bool ab_decided(const ab_judgement *judgement, int generations, double precision)
{
    const double half_width = 0.5 * log(judgement->interval.high / judgement->interval.low);
    if (generations >= AB_MOST_GENERATIONS)
        return true;
    return generations >= AB_FEWEST_GENERATIONS && judgement->verdict != AB_NOISY && half_width <= precision
           && judgement->least_effect <= precision;
}

const char *ab_verdict_name(ab_verdict verdict)
{
    static const char *const names[AB_VERDICTS] = {"same", "faster", "slower", "too noisy"};
    return names[verdict];
}

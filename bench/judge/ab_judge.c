/* ab_judge.c - see ab_judge.h. */
#include "ab_judge.h"

#include <math.h>
#include <string.h>

#include "bench_random.h"
#include "bench_stats.h"

/* The chance that any case is called changed for nothing, were there no least effect. */
static const double ERROR = 0.01;

/* The base against itself is a second opinion on the noise, not a second test: it need not be as sure. */
static const double NOISE_ERROR = 0.05;

/* Where the base differs from itself by more than a twentieth, "no larger change" is no reassurance. */
static const double TOO_NOISY = 0.05;

/* ---- a generation ---- */

/* By insertion: for so few numbers many times as fast as qsort. */
static double median_of_turns(const double *a, const double *b)
{
    double sorted[AB_TURNS];
    for (int i = 0; i < AB_TURNS; i++) {
        const double difference = a[i] - b[i];
        int at = i;
        for (; at > 0 && sorted[at - 1] > difference; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = difference;
    }
    return bench_sorted_quantile(sorted, AB_TURNS, 0.5);
}

/* Log-ratio of the processes a and a_2 to b and b_2. */
static double compare(const ab_samples *s, int generation, const ab_process a[2], const ab_process b[2])
{
    const int from = generation * AB_TURNS;
    double sum = 0.0;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            sum += median_of_turns(s->log_seconds[a[i]] + from, s->log_seconds[b[j]] + from);
    return 0.25 * sum;
}

/* ---- the trimmed mean ---- */

typedef struct trimmed {
    double center, error; /* standard error */
} trimmed;

/* Tukey and McLaughlin: the variance is that of the numbers with both ends replaced by the last that is kept. */
static trimmed trimmed_mean(const double *sorted, int count)
{
    const int cut = count / 5, kept = count - 2 * cut;
    double sum = 0.0, squares = 0.0;
    for (int i = cut; i < count - cut; i++)
        sum += sorted[i];
    const double low = sorted[cut], high = sorted[count - 1 - cut];
    const double mean = (sum + cut * (low + high)) / count;
    for (int i = cut; i < count - cut; i++)
        squares += (sorted[i] - mean) * (sorted[i] - mean);
    squares += cut * ((low - mean) * (low - mean) + (high - mean) * (high - mean));
    return (trimmed){sum / kept, sqrt(squares / (count - 1) * count) / kept};
}

/* ---- the bootstrap ---- */

/* In [0, n) from 32 random bits; the bias is below n / 2^32. */
static int below(uint64_t bits, int n)
{
    return (int)((bits & UINT32_MAX) * (uint64_t)n >> 32);
}

/* Counts instead of sorting: the numbers are sorted already. */
static void resample(double *out, const double *sorted, int count, bench_random *random)
{
    int drawn[AB_MOST_GENERATIONS], filled = 0;
    memset(drawn, 0, (size_t)count * sizeof *drawn);
    for (int i = 0; i < count; i += 2) {
        const uint64_t bits = bench_random_next(random);
        drawn[below(bits, count)]++;
        if (i + 1 < count)
            drawn[below(bits >> 32, count)]++;
    }
    for (int i = 0; i < count; i++)
        for (int j = 0; j < drawn[i]; j++)
            out[filled++] = sorted[i];
}

/* In standard errors. Resamples of a few numbers many times over have none. */
static double distance_of(trimmed resampled, double center)
{
    const double distance = fabs(resampled.center - center);
    if (resampled.error > 0.0)
        return distance / resampled.error;
    return distance > 0.0 ? (double)INFINITY : 0.0;
}

/* The distance that resamples exceed with this chance. Only the largest ones are kept: ten at least, which leaves the
 * distance uncertain by a twentieth or so. */
static double critical_distance(const double *sorted, int count, double center, double error, uint64_t seed)
{
    enum { KEPT = 110 };
    double resampled[AB_MOST_GENERATIONS], largest[KEPT + 1] = {0.0};
    bench_random random = {.state = seed};
    const int resamples = (int)(10.0 / error) + 2000, rank = (int)(resamples * error);
    for (int i = 0; i < resamples; i++) {
        resample(resampled, sorted, count, &random);
        const double distance = distance_of(trimmed_mean(resampled, count), center);
        int at = rank;
        for (; at > 0 && largest[at - 1] < distance; at--)
            largest[at] = largest[at - 1];
        largest[at] = distance;
    }
    return largest[rank - 1];
}

ab_estimate ab_estimate_of(const double *generations, int count, double error, uint64_t seed)
{
    double sorted[AB_MOST_GENERATIONS];
    memcpy(sorted, generations, (size_t)count * sizeof *sorted);
    bench_sort(sorted, count);
    const trimmed all = trimmed_mean(sorted, count);
    if (!(all.error > 0.0))
        return (ab_estimate){all.center, 0.0};
    return (ab_estimate){all.center, all.error * critical_distance(sorted, count, all.center, error, seed)};
}

/* ---- verdicts ---- */

static double least_effect(ab_estimate noise)
{
    const double distance = fabs(noise.center);
    return distance > noise.half_width ? distance + noise.half_width : noise.half_width;
}

ab_judgement ab_judge(const ab_samples *samples, const ab_demands *demands)
{
    static const ab_process base[] = {AB_BASE, AB_BASE_2}, fresh[] = {AB_NEW, AB_NEW_2};
    static const ab_process first[] = {AB_BASE, AB_NEW}, second[] = {AB_BASE_2, AB_NEW_2};
    ab_judgement judgement = {AB_NOISY, (double)NAN, {(double)NAN, (double)NAN}, (double)NAN};
    double changes[AB_MOST_GENERATIONS], noises[AB_MOST_GENERATIONS];
    const int count = samples->generations;
    if (count < AB_FEWEST_GENERATIONS)
        return judgement;
    for (int g = 0; g < count; g++) {
        changes[g] = compare(samples, g, fresh, base);
        noises[g] = compare(samples, g, second, first);
    }
    const ab_estimate change = ab_estimate_of(changes, count, ERROR / demands->cases, 1);
    const double least = fmax(log1p(demands->floor), least_effect(ab_estimate_of(noises, count, NOISE_ERROR, 2)));
    const double bound = fmax(least, log1p(demands->precision)), distance = fabs(change.center);
    judgement.ratio = exp(change.center);
    judgement.interval =
        (bench_interval){exp(change.center - change.half_width), exp(change.center + change.half_width)};
    judgement.least_effect = expm1(least);
    if (distance > change.half_width && distance > least)
        judgement.verdict = change.center > 0.0 ? AB_SLOWER : AB_FASTER;
    else if (least <= TOO_NOISY && distance + change.half_width <= bound)
        judgement.verdict = AB_SAME;
    return judgement;
}

/* A third more each time. */
bool ab_is_look(int generations)
{
    int look = AB_FEWEST_GENERATIONS;
    while (look < generations)
        look += look / 3;
    return look == generations;
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

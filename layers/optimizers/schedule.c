/* schedule.c - learning rates as pure functions of the step.
 *
 *     warm-up:     rate (step + 1) / W                        while step < W = warmup_steps; then, with s = step - W,
 *     constant:    rate
 *     step decay:  rate decay_factor^floor(s / decay_steps)
 *     cosine:      final + (rate - final) (1 + cos(pi s / (total_steps - W))) / 2   until total_steps, then final
 *                  (Loshchilov and Hutter, SGDR, 2017, without restarts) */
#include <gemmgrad/optimizer.h>

#include <math.h>
#include <stddef.h>

static double step_decay(const gg_schedule *schedule, int64_t after)
{
    const int64_t times = schedule->decay_steps > 0 ? after / schedule->decay_steps : 0;
    return (double)schedule->rate * pow((double)schedule->decay_factor, (double)times);
}

static double cosine(const gg_schedule *schedule, int64_t after, int64_t warmup)
{
    const double pi = 3.14159265358979323846, final = (double)schedule->final_rate, rate = (double)schedule->rate;
    if (after >= schedule->total_steps - warmup)
        return final;
    const double share = (double)after / (double)(schedule->total_steps - warmup);
    return final + (rate - final) * 0.5 * (1.0 + cos(pi * share));
}

/* No status to return: without a schedule or for an unknown kind the rate is NaN, which gg_optimizer_step refuses. */
float gg_schedule_rate(const gg_schedule *schedule, int64_t step)
{
    if (schedule == NULL)
        return NAN;
    const double rate = (double)schedule->rate;
    const int64_t now = step > 0 ? step : 0, warmup = schedule->warmup_steps > 0 ? schedule->warmup_steps : 0;
    if (now < warmup)
        return (float)(rate * ((double)now + 1.0) / (double)warmup);
    const int64_t after = now - warmup;
    switch (schedule->kind) {
    case GG_CONSTANT: return schedule->rate;
    case GG_STEP_DECAY: return (float)step_decay(schedule, after);
    case GG_COSINE: return (float)cosine(schedule, after, warmup);
    }
    return NAN;
}

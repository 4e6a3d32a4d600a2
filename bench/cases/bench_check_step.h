/* bench_check_step.h - a training step against the same network in double.
 *
 * A batch is too long for plain loops in double. So parts of a few samples are held to them, and the gradient of the
 * whole batch to the mean of those of its parts, which the model finds itself.
 *
 * Float and double part company where a function has an edge: a sum next to 0 passes a ReLU in one and not in the
 * other, of two nearly equal pixels a pool takes either. Such a flip moves gradients by a finite amount, however exact
 * the program. But it is an accident of one sample, while a mistake is in all. */
#ifndef GEMMGRAD_BENCH_CHECK_STEP_H
#define GEMMGRAD_BENCH_CHECK_STEP_H

#include "bench_case.h"

/* The network on samples [first, first + count) in double: the loss, and every parameter's gradient at its offset of
 * gradients, which is zero before. Its scratch is of bench_take_zeros. */
typedef gg_status bench_reference(bench_work *work, int64_t first, int64_t count, double *loss, double *gradients);

typedef struct bench_step {
    int64_t sample; /* floats of one in work->x */
    int64_t part;   /* samples in a part, at most */
    bench_reference *reference;
} bench_step;

/* Bind samples [first, first + count) of work->x and work->labels to the model's inputs. */
gg_status bench_step_take(bench_work *work, const bench_step *step, int64_t first, int64_t count);

/* The gradient of the whole batch, which is bound afterwards, against the mean of its parts'. */
gg_status bench_check_whole(bench_work *work, const bench_step *step);

/* That, after the losses and gradients of some parts against the reference. */
gg_status bench_check_step(bench_work *work, const bench_step *step);

#endif

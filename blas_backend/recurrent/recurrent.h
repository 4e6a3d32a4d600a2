/* recurrent.h - a run of a recurrent layer in one direction, as recurrent.c lays it out and recurrent_forward.c and
 * recurrent_backward.c do it. */
#ifndef GG_RECURRENT_INTERNAL_H
#define GG_RECURRENT_INTERNAL_H

#include <stddef.h>

#include <gemmgrad/recurrent.h>

#include "kernels/kernels.h"
#include "parallel.h"
#include "recurrent_step.h"

/* Where the parts of a cache begin, in floats; each at a whole cache line. Of T steps:
 *   gates   [T][batch][kept hidden]   the input's part, then activated gates, then their gradients; GRU: m behind n
 *   states  [T + 1][batch][hidden]    in the order of time: reversed, the first state stands last
 *   cells   [T + 1][batch][hidden]    LSTM
 *   resets  [T][batch][hidden]        GRU_BEFORE: r * the (masked) state before the step
 *   masked  [T][batch][hidden]        with dropout: the state before step t times the mask */
typedef struct gg_recurrent_layout {
    int64_t states, cells, resets, masked, floats;
} gg_recurrent_layout;

typedef struct gg_recurrent_run {
    gg_cell cell;
    int64_t steps; /* until the longest sample ends */
    int64_t all_steps, batch, in, hidden;
    int64_t columns, kept; /* floats of a row of weights and of gates */
    bool reverse;
    const gg_recurrent_inputs *inputs;
    int64_t ld0, ldy, ld_last; /* with their defaults filled in */
    float *gates, *states, *cells, *resets, *masked;
    gg_step_weights weights;   /* forward: gates that the state is multiplied for; backward: wh transposed */
    gg_step_weights candidate; /* GRU_BEFORE forward: n */
    gg_step_weights input;     /* forward: wx, where a step multiplies its input, too; units 0: it does not */
    int64_t input_steps;       /* whose inputs are multiplied together then; above 1 only where units are shared out */
    const float *zeros;        /* in the bias's place then, if there is none */
    float *scratch;            /* of products */
    gg_barrier *barrier;
    /* forward */
    const gg_recurrent_results *results;
    /* backward */
    const gg_recurrent_given *given;
    const gg_recurrent_gradients *gradients;
    float *dh, *dc;
    int64_t ld_start;          /* of dh0 and dc0 */
    float *turned, *turned_wx; /* room of gg_recurrent_joined_gradients; NULL: the products come one by one */
} gg_recurrent_run;

/* What a cell does behind the products of a step; of GRU_BEFORE only what comes first, its reset forward and its gates
 * backward. */
typedef void gg_cell_forward_kernel(const gg_cell_forward *c);
typedef void gg_cell_backward_kernel(const gg_cell_backward *c);
typedef struct gg_recurrent_kernel_pair {
    gg_cell_forward_kernel *forward;
    gg_cell_backward_kernel *backward;
} gg_recurrent_kernel_pair;
gg_recurrent_kernel_pair gg_recurrent_kernels(gg_cell cell);

/* What one thread does. Threads share out the units of each step, or the rows of the batch: then a step needs no
 * barrier, but each thread reads all weights. */
typedef struct gg_recurrent_share {
    const gg_recurrent_run *run;
    int64_t begin, end;           /* units of a step */
    int64_t first_row, rows;      /* of the batch */
    int64_t part_begin, part_end; /* units that this thread packs weights and computes the input's part for */
    bool by_rows;
    int members;    /* threads that work on this run */
    bool alone;     /* no other thread works on anything: products may use them all */
    float *scratch; /* this thread's own */
} gg_recurrent_share;

/* All steps for the units of a share; every member of the team calls it. */
void gg_recurrent_forward_share(const gg_recurrent_share *share);
void gg_recurrent_backward_share(const gg_recurrent_share *share);

/* Between two parts of a step that read what the other threads have written in the first. */
static inline void gg_recurrent_meet(const gg_recurrent_share *s)
{
    if (!s->by_rows)
        gg_barrier_wait(s->run->barrier, s->members);
}

/* The share's units of its rows, from one matrix to another; `from` NULL: zeros. */
void gg_recurrent_take_over(const gg_recurrent_share *share, float *to, int64_t ld_to, const float *from,
                            int64_t ld_from);

/* What backward has left for the end: gradients of weights and of x, over all steps at once. */
gg_status gg_recurrent_backward_products(const gg_recurrent_run *run);

/* The same in one go, for shapes where that pays; it needs so many floats for x and states transposed, and as many as
 * wx has. */
bool gg_recurrent_joins_gradients(const gg_recurrent_shape *shape, int64_t columns);
int64_t gg_recurrent_turned_floats(const gg_recurrent_shape *shape);
bool gg_recurrent_joined_gradients(const gg_recurrent_run *run);

/* The step of time that comes s-th. */
static inline int64_t gg_recurrent_time(const gg_recurrent_run *run, int64_t s)
{
    return run->reverse ? run->steps - 1 - s : s;
}

/* The states (or cells) before and after step t. */
static inline float *gg_recurrent_before(const gg_recurrent_run *run, float *states, int64_t t)
{
    return states + (run->reverse ? t + 1 : t) * run->batch * run->hidden;
}

static inline float *gg_recurrent_after(const gg_recurrent_run *run, float *states, int64_t t)
{
    return states + (run->reverse ? t : t + 1) * run->batch * run->hidden;
}

/* What the recurrent weights multiply in step t. */
static inline float *gg_recurrent_operand(const gg_recurrent_run *run, int64_t t)
{
    return run->masked != NULL ? run->masked + t * run->batch * run->hidden : gg_recurrent_before(run, run->states, t);
}

#endif

/* recurrent_backward.c - backward through time, for the units of one thread, and what is left to do for all steps at
 * once.
 *
 * With dG_t the gradients of the gates' arguments in step t,
 *   dh_(t-1) = dG_t wh^T + what passes on beside the product (kernels/cells.c)
 *   dwh = sum_t h_(t-1)^T dG_t,  dwx = sum_t x_t^T dG_t,  dx_t = dG_t wx^T,  db = sum_t dG_t
 * so that only the first line goes step by step: the later step's gradients times the transposed recurrent weights, a
 * group of units at a time, and the cell's kernel behind it, which writes dG_t where the activated gates stood. For the
 * part inside a reset dG has columns of its own: GRU's m behind the other gates. */
#include "recurrent.h"

#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/matmul.h>

/* A kernel's view of step t without its units; product NULL: no later step has sent gradients. */
static gg_cell_backward step_of(const gg_recurrent_share *s, int64_t t, const float *product)
{
    const gg_recurrent_run *r = s->run;
    const int64_t row = t * r->batch + s->first_row, first = s->first_row * r->hidden;
    return (gg_cell_backward){
        .rows = s->rows,
        .step = t,
        .lengths = r->inputs->lengths != NULL ? r->inputs->lengths + s->first_row : NULL,
        .product = product,
        .dh = r->dh + first,
        .dc = r->dc != NULL ? r->dc + first : NULL,
        .dy = r->given->dy != NULL ? r->given->dy + row * r->ldy : NULL,
        .lddy = r->ldy,
        .gates = r->gates + row * r->kept,
        .gates_ld = r->kept,
        .gate_step = r->hidden,
        .before = gg_recurrent_before(r, r->states, t) + first,
        .after = gg_recurrent_after(r, r->states, t) + first,
        .cell_before = r->cells != NULL ? gg_recurrent_before(r, r->cells, t) + first : NULL,
        .cell_after = r->cells != NULL ? gg_recurrent_after(r, r->cells, t) + first : NULL,
        .ld = r->hidden,
        .drop = r->inputs->drop != NULL ? r->inputs->drop + first : NULL,
        .masked_now = gg_recurrent_operand(r, t) + first,
    };
}

static void run_cell(const gg_cell_backward *step, gg_cell_backward_kernel *kernel, int64_t unit, int64_t count)
{
    gg_cell_backward c = *step;
    c.units = count;
    c.dh += unit;
    c.gates += unit;
    c.before += unit;
    c.after += unit;
    c.masked_now += unit;
    if (c.dc != NULL) {
        c.dc += unit;
        c.cell_before += unit;
        c.cell_after += unit;
    }
    if (c.dy != NULL)
        c.dy += unit;
    if (c.drop != NULL)
        c.drop += unit;
    kernel(&c);
}

/* The gradients that wh received in step t, which its transpose multiplies: all that stand in front of the m of GRU,
 * whose columns of wh are n's, or of the n of GRU_BEFORE, which is not the state's product. Answers how many parts. */
static int parts_of(gg_step_part parts[2], const gg_recurrent_share *s, int64_t t)
{
    const gg_recurrent_run *r = s->run;
    const bool split = r->cell == GG_CELL_GRU || r->cell == GG_CELL_GRU_BEFORE;
    const float *gates = r->gates + (t * r->batch + s->first_row) * r->kept;
    parts[0] = (gg_step_part){.a = gates, .lda = r->kept, .depth = split ? 2 * r->hidden : r->columns};
    if (r->cell != GG_CELL_GRU)
        return 1;
    parts[1] = (gg_step_part){gates + 3 * r->hidden, r->kept, 2 * r->hidden, r->hidden, true};
    return 2;
}

/* A step's kernel, group by group, behind the products. */
static void run_groups(const gg_recurrent_share *s, const gg_cell_backward *step, const gg_step_part *parts, int count,
                       gg_cell_backward_kernel *kernel)
{
    const int64_t group = gg_step_group(&s->run->weights, s->end - s->begin);
    for (int64_t i = 0; i * group < s->end - s->begin; i++) {
        const gg_step_units own = gg_step_nth(i, step->step, group, s->begin, s->end);
        for (int part = 0; part < count; part++)
            gg_step_multiply(s->scratch, &s->run->weights, &parts[part], s->rows, own.begin, own.count);
        run_cell(step, kernel, own.begin, own.count);
    }
}

static void run_step(const gg_recurrent_share *s, int64_t step)
{
    const gg_recurrent_run *r = s->run;
    const bool first = step + 1 == r->steps;
    gg_step_part parts[2];
    const int count = first ? 0 : parts_of(parts, s, gg_recurrent_time(r, step + 1));
    gg_cell_backward c = step_of(s, gg_recurrent_time(r, step), first ? NULL : s->scratch);
    run_groups(s, &c, parts, count, gg_recurrent_kernels(r->cell).backward);
    gg_recurrent_meet(s);
    if (r->cell != GG_CELL_GRU_BEFORE)
        return;
    /* Its reset: the gradient of n times its part of wh, transposed. */
    parts[0] = (gg_step_part){c.gates + 2 * r->hidden, r->kept, 2 * r->hidden, r->hidden, false};
    c.product = s->scratch;
    run_groups(s, &c, parts, 1, gg_kernels()->gru_before_reset_backward);
    gg_recurrent_meet(s);
}

void gg_recurrent_backward_share(const gg_recurrent_share *s)
{
    const gg_recurrent_run *r = s->run;
    gg_recurrent_take_over(s, r->dh, r->hidden, r->given->dh_last, r->ld_last);
    if (r->dc != NULL)
        gg_recurrent_take_over(s, r->dc, r->hidden, r->given->dc_last, r->ld_last);
    gg_step_pack(&r->weights, s->part_begin, s->part_end);
    if (s->by_rows)
        gg_barrier_wait(r->barrier, s->members);
    for (int64_t step = r->steps - 1; step >= 0; step--)
        run_step(s, step);
    if (r->gradients->dh0 != NULL) {
        if (r->steps > 0) {
            gg_step_part parts[2];
            const int count = parts_of(parts, s, gg_recurrent_time(r, 0));
            const gg_cell_backward c = step_of(s, gg_recurrent_time(r, 0), s->scratch);
            run_groups(s, &c, parts, count, gg_kernels()->hidden_gradient);
        }
        gg_recurrent_take_over(s, r->gradients->dh0, r->ld_start, r->dh, r->hidden);
    }
    if (r->gradients->dc0 != NULL)
        gg_recurrent_take_over(s, r->gradients->dc0, r->ld_start, r->dc, r->hidden);
}

/* Columns [column, column + count) of dwh, from gradients that begin at column `source` of the gates. */
static gg_status recurrent_weights(const gg_recurrent_run *r, int64_t column, int64_t count, const float *states,
                                   int64_t source)
{
    const gg_matmul_options options = {.accumulate_dw = r->gradients->accumulate_dw};
    const int64_t rows = r->steps * r->batch;
    const float *gates = rows > 0 ? r->gates + source : NULL;
    return gg_matmul_backward(NULL, 0, r->gradients->dwh + column, r->columns, NULL, gates, r->kept, states, r->hidden,
                              NULL, 0, rows, r->hidden, count, &options);
}

static gg_status all_recurrent_weights(const gg_recurrent_run *r)
{
    const int64_t h = r->hidden;
    const float *first = r->reverse && r->batch > 0 ? r->states + r->batch * h : r->states;
    const float *states = r->masked != NULL ? r->masked : first;
    if (r->cell != GG_CELL_GRU && r->cell != GG_CELL_GRU_BEFORE)
        return recurrent_weights(r, 0, r->columns, states, 0);
    const gg_status status = recurrent_weights(r, 0, 2 * h, states, 0);
    if (status != GG_OK)
        return status;
    return r->cell == GG_CELL_GRU ? recurrent_weights(r, 2 * h, h, states, 3 * h)
                                  : recurrent_weights(r, 2 * h, h, r->resets, 2 * h);
}

/* dx of the steps that no sample reaches. */
static void no_input_gradient(const gg_recurrent_run *r)
{
    const int64_t counted = r->steps * r->batch * r->in, all = r->all_steps * r->batch * r->in;
    if (!r->gradients->accumulate_dx && all > counted)
        memset(r->gradients->dx + counted, 0, (size_t)(all - counted) * sizeof(float));
}

gg_status gg_recurrent_backward_products(const gg_recurrent_run *r)
{
    const gg_recurrent_gradients *g = r->gradients;
    const gg_matmul_options options = {.accumulate_dx = g->accumulate_dx, .accumulate_dw = g->accumulate_dw};
    const int64_t rows = r->steps * r->batch;
    if (r->turned != NULL && rows > 0 && gg_recurrent_joined_gradients(r)) {
        if (g->dx != NULL)
            no_input_gradient(r);
        return GG_OK;
    }
    gg_status status = gg_matmul_backward(g->dx, r->in, g->dwx, r->columns, NULL, r->gates, r->kept, r->inputs->x,
                                          r->in, r->inputs->wx, r->columns, rows, r->in, r->columns, &options);
    if (status == GG_OK && g->dx != NULL)
        no_input_gradient(r);
    if (status == GG_OK && g->dwh != NULL)
        status = all_recurrent_weights(r);
    if (status == GG_OK && g->dbias != NULL)
        status = gg_sum_rows(g->dbias, r->gates, r->kept, rows, r->kept, g->accumulate_dw);
    return status;
}

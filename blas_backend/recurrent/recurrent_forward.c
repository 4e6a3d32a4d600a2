/* recurrent_forward.c - all steps of a recurrent layer, for the units of one thread.
 *
 * Each step adds the state times the recurrent weights to the input times its own, a group of units at a time, and the
 * cell's kernel makes gates and the new state of that sum while it is in cache. The inputs of a few steps are
 * multiplied together where weights are large. Where a reset stands between the two products, or rows are few, the
 * input's part of the gates is computed for many steps at once instead, into the cache where the activated gates will
 * stand. Threads share out units, so that a step needs one barrier: all of a state must be there before anybody
 * multiplies it. */
#include "recurrent.h"

#include <string.h>

#include "product.h"

/* Rows of the input's product at once: enough to pay for copies of weights, few enough that the gates are still in
 * cache when their steps come. */
enum { INPUT_ROWS = 256 };

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void start(const gg_recurrent_share *s)
{
    const gg_recurrent_run *r = s->run;
    float *states = r->states + (r->reverse ? r->steps : 0) * r->batch * r->hidden;
    gg_recurrent_take_over(s, states, r->hidden, r->inputs->h0, r->ld0);
    if (r->cells != NULL)
        gg_recurrent_take_over(s, r->cells + (states - r->states), r->hidden, r->inputs->c0, r->ld0);
    if (r->masked != NULL && r->steps > 0)
        for (int64_t row = s->first_row; row < s->first_row + s->rows; row++) {
            const int64_t first = row * r->hidden + s->begin;
            gg_kernels()->multiply(gg_recurrent_operand(r, gg_recurrent_time(r, 0)) + first, states + first,
                                   r->inputs->drop + first, s->end - s->begin);
        }
    gg_step_pack(&r->weights, s->part_begin, s->part_end);
    if (r->cell == GG_CELL_GRU_BEFORE)
        gg_step_pack(&r->candidate, s->part_begin, s->part_end);
    if (r->input.units > 0)
        gg_step_pack(&r->input, s->part_begin, s->part_end);
}

/* Columns [column, column + count) of the input's part, rows [row, row + rows). */
static void input_columns(const gg_recurrent_share *s, int64_t row, int64_t rows, int64_t column, int64_t count)
{
    const gg_recurrent_run *r = s->run;
    const float *bias = r->inputs->bias != NULL ? r->inputs->bias + column : NULL;
    float *c = r->gates + row * r->kept + column;
    if (r->in == 0) {
        for (int64_t i = 0; i < rows; i++)
            gg_kernels()->fill(c + i * r->kept, count, 0.0f);
        if (bias != NULL)
            gg_kernels()->add_bias(c, r->kept, c, r->kept, bias, rows, count, GG_IDENTITY, 0.0f);
        return;
    }
    const gg_epilogue epilogue = {.bias = bias, .activation = GG_IDENTITY};
    const gg_product product = {.c = c,
                                .ldc = r->kept,
                                .a = r->inputs->x + row * r->in,
                                .lda = r->in,
                                .b = r->inputs->wx + column,
                                .ldb = r->columns,
                                .m = rows,
                                .n = count,
                                .k = r->in,
                                .alpha = 1.0f,
                                .epilogue = bias != NULL ? &epilogue : NULL};
    if (s->alone)
        gg_product_run(&product);
    else
        gg_product_run_serial(&product);
}

/* The input's part for the steps from `step` on; answers how many. */
static int64_t input_part(const gg_recurrent_share *s, int64_t step)
{
    const gg_recurrent_run *r = s->run;
    const int64_t most = (INPUT_ROWS + r->batch - 1) / r->batch;
    const int64_t count = least(most, r->steps - step);
    const int64_t first = least(gg_recurrent_time(r, step), gg_recurrent_time(r, step + count - 1));
    if (s->part_begin == 0 && s->part_end == r->hidden)
        input_columns(s, first * r->batch, count * r->batch, 0, r->columns);
    else
        for (int64_t gate = 0; gate < r->columns; gate += r->hidden)
            input_columns(s, first * r->batch, count * r->batch, gate + s->part_begin, s->part_end - s->part_begin);
    return count;
}

/* A kernel's view of step t without its units: pointers to unit 0. */
static gg_cell_forward step_of(const gg_recurrent_share *s, int64_t step)
{
    const gg_recurrent_run *r = s->run;
    const int64_t t = gg_recurrent_time(r, step), floats = r->batch * r->hidden;
    const int64_t row = t * r->batch + s->first_row, first = s->first_row * r->hidden;
    const bool last = step + 1 == r->steps, with_input = r->input.units > 0;
    const float *bias = r->inputs->bias != NULL ? r->inputs->bias : r->zeros;
    return (gg_cell_forward){
        .rows = s->rows,
        .step = t,
        .lengths = r->inputs->lengths != NULL ? r->inputs->lengths + s->first_row : NULL,
        .gates = r->gates + row * r->kept,
        .gates_ld = r->kept,
        .gate_step = r->hidden,
        .input = with_input ? bias : r->gates + row * r->kept,
        .input_ld = with_input ? 0 : r->kept,
        .before = gg_recurrent_before(r, r->states, t) + first,
        .after = gg_recurrent_after(r, r->states, t) + first,
        .cell_before = r->cells != NULL ? gg_recurrent_before(r, r->cells, t) + first : NULL,
        .cell_after = r->cells != NULL ? gg_recurrent_after(r, r->cells, t) + first : NULL,
        .ld = r->hidden,
        .bias = r->cell == GG_CELL_GRU && r->inputs->bias != NULL ? r->inputs->bias + 3 * r->hidden : NULL,
        .drop = r->inputs->drop != NULL ? r->inputs->drop + first : NULL,
        .masked_now = gg_recurrent_operand(r, t) + first,
        .masked = r->masked != NULL && !last ? gg_recurrent_operand(r, gg_recurrent_time(r, step + 1)) + first : NULL,
        .reset = r->resets != NULL ? r->resets + t * floats + first : NULL,
        .y = r->results->y != NULL ? r->results->y + row * r->ldy : NULL,
        .ldy = r->ldy,
    };
}

static const float *beyond(const float *p, int64_t floats)
{
    return p != NULL ? p + floats : NULL;
}

static float *ahead(float *p, int64_t floats)
{
    return p != NULL ? p + floats : NULL;
}

static void run_cell(const gg_cell_forward *step, gg_cell_forward_kernel *kernel, float *product, int64_t unit,
                     int64_t count, int gates)
{
    gg_cell_forward c = *step;
    c.units = count;
    c.product = product;
    c.product_ld = count * gates;
    c.gates += unit;
    c.input += unit;
    c.before += unit;
    c.after += unit;
    c.cell_before = beyond(c.cell_before, unit);
    c.cell_after = ahead(c.cell_after, unit);
    c.bias = beyond(c.bias, unit);
    c.drop = beyond(c.drop, unit);
    c.masked_now = beyond(c.masked_now, unit);
    c.masked = ahead(c.masked, unit);
    c.reset = ahead(c.reset, unit);
    c.y = ahead(c.y, unit);
    kernel(&c);
}

/* The steps of time whose inputs are multiplied together with that of step t; whether t is done before the others. */
typedef struct together {
    int64_t first, count;
    bool comes_first;
} together;

static together steps_with(const gg_recurrent_run *r, int64_t t)
{
    const int64_t step = gg_recurrent_time(r, t), begin = step - step % r->input_steps;
    const int64_t count = least(r->input_steps, r->steps - begin);
    const int64_t first = gg_recurrent_time(r, r->reverse ? begin + count - 1 : begin);
    return (together){first, count, step == begin};
}

/* Products and the cell's kernel behind them, group by group. A state known to be zero is not multiplied. */
static void run_groups(const gg_recurrent_share *s, const gg_cell_forward *step, const gg_step_weights *weights,
                       const float *operand, bool zero, gg_cell_forward_kernel *kernel)
{
    const gg_recurrent_run *r = s->run;
    const bool with_input = r->input.units > 0;
    const gg_step_part part = {operand, r->hidden, 0, r->hidden, with_input};
    const together with = steps_with(r, step->step);
    const gg_step_part x = {r->inputs->x + (with.first * r->batch + s->first_row) * r->in, r->in, 0, r->in, false};
    const int64_t group = gg_step_group(weights, s->end - s->begin);
    for (int64_t i = 0; i * group < s->end - s->begin; i++) {
        const gg_step_units own = gg_step_nth(i, step->step, group, s->begin, s->end);
        const int64_t floats = s->rows * own.count * weights->gates;
        float *sums = s->scratch;
        if (r->input_steps > 1)
            sums += (own.begin - s->begin) * weights->gates * s->rows * r->input_steps;
        if (with_input && with.comes_first)
            gg_step_multiply(sums, &r->input, &x, with.count * s->rows, own.begin, own.count);
        sums += (step->step - with.first) * floats;
        if (zero && !with_input)
            gg_kernels()->fill(sums, floats, 0.0f);
        else if (!zero)
            gg_step_multiply(sums, weights, &part, s->rows, own.begin, own.count);
        run_cell(step, kernel, sums, own.begin, own.count, weights->gates);
    }
}

static void run_step(const gg_recurrent_share *s, int64_t step)
{
    const gg_recurrent_run *r = s->run;
    const gg_cell_forward c = step_of(s, step);
    const bool zero = step == 0 && r->inputs->h0 == NULL;
    run_groups(s, &c, &r->weights, c.masked_now, zero, gg_recurrent_kernels(r->cell).forward);
    if (r->cell != GG_CELL_GRU_BEFORE)
        return;
    gg_recurrent_meet(s);
    run_groups(s, &c, &r->candidate, c.reset, zero, gg_kernels()->gru_before_forward);
}

/* The state at the end, and y of the steps that no sample reaches. */
static void finish(const gg_recurrent_share *s)
{
    const gg_recurrent_run *r = s->run;
    const int64_t last = (r->reverse ? 0 : r->steps) * r->batch * r->hidden;
    if (r->results->h_last != NULL)
        gg_recurrent_take_over(s, r->results->h_last, r->ld_last, r->states + last, r->hidden);
    if (r->results->c_last != NULL)
        gg_recurrent_take_over(s, r->results->c_last, r->ld_last, r->cells + last, r->hidden);
    if (r->results->y != NULL)
        for (int64_t row = r->steps * r->batch; row < r->all_steps * r->batch; row++)
            memset(r->results->y + row * r->ldy + s->part_begin, 0,
                   (size_t)(s->part_end - s->part_begin) * sizeof(float));
}

void gg_recurrent_forward_share(const gg_recurrent_share *s)
{
    const gg_recurrent_run *r = s->run;
    start(s);
    const bool with_input = r->input.units > 0;
    if (with_input && s->by_rows)
        gg_barrier_wait(r->barrier, s->members); /* others' packed weights */
    int64_t ready = 0;
    for (int64_t step = 0; step < r->steps; step++) {
        gg_recurrent_meet(s); /* before a state is multiplied, all of it must be there */
        if (step == ready && !with_input) {
            ready += input_part(s, step);
            if (s->by_rows) /* others' units of it too, and at first their packed weights */
                gg_barrier_wait(r->barrier, s->members);
        }
        run_step(s, step);
    }
    finish(s);
}

/* recurrent.c - recurrent layers: checks, the layout of cache and workspace, and how many threads do what. */
#include "recurrent.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include <gemmgrad/memory.h>

#include "backend.h"
#include "fail.h"
#include "matrix_check.h"
#include "product.h"

/* ---- what pays ---- */

enum {
    PACK_ROWS = 16,         /* rows that the weights are multiplied by, over all steps, for which packing them pays */
    UNIT_BLOCK = 16,        /* units that stay with one thread: a register of floats, a cache line */
    STEP_GRAIN = 1 << 17,   /* multiply-adds of a step below which a second thread's barrier does not pay */
    REGION_GRAIN = 1 << 18, /* of all steps, below which a second thread is not woken */
    ROWS_WEIGHTS = 320000,  /* floats of recurrent weights, up to which a second-level cache holds all of them */
    ROWS_LEAST = 8,         /* of the batch, for each thread, to be shared out by rows */
    JOINED_ROWS = 32,       /* of the batch, from which a step multiplies its input too */
    INPUT_ROWS = 256        /* of x multiplied together then; with more than a quarter of that, a step's alone */
};

/* ---- cells ---- */

typedef struct cell_facts {
    const char *name;
    int gates, biases, kept; /* blocks of `hidden` in a row of weights, in the bias, in a row of gates in the cache */
} cell_facts;

static const cell_facts cells[GG_CELL_COUNT] = {
    [GG_CELL_RNN_TANH] = {"rnn_tanh", 1, 1, 1},
    [GG_CELL_RNN_RELU] = {"rnn_relu", 1, 1, 1},
    [GG_CELL_LSTM] = {"lstm", 4, 4, 4},
    [GG_CELL_GRU] = {"gru", 3, 4, 4},
    [GG_CELL_GRU_BEFORE] = {"gru_before", 3, 3, 3},
};

static bool is_cell(gg_cell cell)
{
    return (int)cell >= 0 && cell < GG_CELL_COUNT;
}

const char *gg_cell_name(gg_cell cell)
{
    return is_cell(cell) ? cells[cell].name : "unknown";
}

int gg_cell_gates(gg_cell cell)
{
    return is_cell(cell) ? cells[cell].gates : 0;
}

int gg_cell_biases(gg_cell cell)
{
    return is_cell(cell) ? cells[cell].biases : 0;
}

gg_recurrent_kernel_pair gg_recurrent_kernels(gg_cell cell)
{
    const gg_kernel_table *k = gg_kernels();
    switch (cell) {
    case GG_CELL_RNN_TANH: return (gg_recurrent_kernel_pair){k->rnn_tanh_forward, k->rnn_tanh_backward};
    case GG_CELL_RNN_RELU: return (gg_recurrent_kernel_pair){k->rnn_relu_forward, k->rnn_relu_backward};
    case GG_CELL_LSTM: return (gg_recurrent_kernel_pair){k->lstm_forward, k->lstm_backward};
    case GG_CELL_GRU: return (gg_recurrent_kernel_pair){k->gru_forward, k->gru_backward};
    default: return (gg_recurrent_kernel_pair){k->gru_before_reset_forward, k->gru_before_backward};
    }
}

/* ---- shapes ---- */

static int64_t directions_of(const gg_recurrent_shape *shape)
{
    return shape->directions == 2 ? 2 : 1;
}

static int64_t whole_lines(int64_t floats)
{
    const int64_t line = GG_ALIGNMENT / (int64_t)sizeof(float);
    return (floats + line - 1) / line * line;
}

/* No array of a call has more floats than the sum of these, but for the rows turned at once (recurrent_gradients.c),
 * and their matrices fit the BLAS. */
static gg_status check_extent(const char *function, const gg_recurrent_shape *s)
{
    int64_t rows, widest, floats, x, weights;
    const int64_t blocks = cells[s->cell].kept + 4;
    const bool fits = !__builtin_mul_overflow(s->steps + 1, s->batch, &rows)
                      && !__builtin_mul_overflow(s->hidden, blocks, &widest) && rows <= INT32_MAX && widest <= INT32_MAX
                      && !__builtin_mul_overflow(rows, widest, &floats) && !__builtin_mul_overflow(rows, s->in, &x)
                      && !__builtin_mul_overflow(s->hidden + s->in, widest, &weights) && floats <= GG_MOST_FLOATS / 8
                      && x <= GG_MOST_FLOATS / 8 && weights <= GG_MOST_FLOATS / 8;
    if (fits)
        return GG_OK;
    return gg_fail(GG_ERR_OVERFLOW, "%s: %lld steps, batch of %lld, %lld inputs, %lld hidden units are too many",
                   function, (long long)s->steps, (long long)s->batch, (long long)s->in, (long long)s->hidden);
}

static gg_status check_shape(const char *function, const gg_recurrent_shape *s)
{
    if (s == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: shape is NULL", function);
    if (!is_cell(s->cell))
        return gg_fail(GG_ERR_ARGUMENT, "%s: cell is %d, not one of gg_cell", function, (int)s->cell);
    if (s->directions < 0 || s->directions > 2)
        return gg_fail(GG_ERR_ARGUMENT, "%s: directions is %lld, expected 1 or 2", function, (long long)s->directions);
    gg_status status = gg_check_sizes(function, "steps, batch, hidden", s->steps, s->batch, s->hidden);
    if (status == GG_OK)
        status = gg_check_sizes(function, "steps, batch, in", s->steps, s->batch, s->in);
    return status == GG_OK ? check_extent(function, s) : status;
}

static gg_recurrent_layout layout_of(const gg_recurrent_shape *s)
{
    const int64_t state = s->batch * s->hidden, steps = s->steps;
    gg_recurrent_layout l = {.states = whole_lines(steps * state * cells[s->cell].kept)};
    l.cells = l.states + whole_lines((steps + 1) * state);
    l.resets = l.cells + (s->cell == GG_CELL_LSTM ? whole_lines((steps + 1) * state) : 0);
    l.masked = l.resets + (s->cell == GG_CELL_GRU_BEFORE ? whole_lines(steps * state) : 0);
    l.floats = l.masked + (s->dropout ? whole_lines(steps * state) : 0);
    return l;
}

gg_status gg_recurrent_cache(int64_t *floats, const gg_recurrent_shape *shape)
{
    static const char name[] = "gg_recurrent_cache";
    if (floats == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: floats is NULL", name);
    const gg_status status = check_shape(name, shape);
    if (status == GG_OK)
        *floats = layout_of(shape).floats;
    return status;
}

/* ---- workspace ---- */

/* Of one direction: packed recurrent weights, forward those of the input and zeros, products of a step, and backward
 * the gradients of state and cell. What the products behind the last step need lies over the packed weights. */
typedef struct room {
    int64_t input, zeros, scratch, dh, dc, floats;
} room;

static bool packs(int64_t steps, int64_t batch)
{
    return steps > 1 && steps * batch >= PACK_ROWS;
}

/* Whether a step multiplies its input, too: that saves the way of the input's part to memory and back. With few rows
 * the copy of wx would cost more. */
static bool takes_input(const gg_recurrent_shape *s)
{
    const bool sums = s->cell == GG_CELL_LSTM || s->cell == GG_CELL_RNN_TANH || s->cell == GG_CELL_RNN_RELU;
    return sums && s->in > 0 && packs(s->steps, s->batch) && s->batch >= JOINED_ROWS;
}

/* Whether several steps' inputs are multiplied together. Where weights outgrow the second-level cache, wx then comes
 * from the third level once for all of them, and less of wh is pushed out in between. */
static bool joins_steps(const gg_recurrent_shape *s)
{
    return takes_input(s) && s->hidden * s->hidden * cells[s->cell].gates > ROWS_WEIGHTS;
}

static int64_t input_steps(const gg_recurrent_shape *s)
{
    return joins_steps(s) && s->batch <= INPUT_ROWS / 4 ? INPUT_ROWS / s->batch : 1;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static room room_of(const gg_recurrent_shape *s, gg_recurrent_pass pass)
{
    const int64_t columns = s->hidden * cells[s->cell].gates, state = s->batch * s->hidden;
    const int64_t packed = packs(s->steps, s->batch) ? whole_lines(s->hidden * columns) : 0;
    const int64_t wx = whole_lines(s->in * columns);
    const bool backward = pass == GG_RECURRENT_BACKWARD;
    room m = {.input = packed};
    m.zeros = m.input + (!backward && takes_input(s) ? wx : 0);
    m.scratch = m.zeros + (!backward && takes_input(s) ? whole_lines(columns) : 0);
    if (backward && gg_recurrent_joins_gradients(s, columns)) {
        m.input = whole_lines(gg_recurrent_turned_floats(s));
        m.scratch = most(packed, m.input + wx);
    }
    /* As much as any smaller batch would need. */
    const int64_t rows = joins_steps(s) ? most(s->batch, INPUT_ROWS) : s->batch;
    m.dh = m.scratch + whole_lines(backward ? state : rows * columns);
    m.dc = m.dh + (backward ? whole_lines(state) : 0);
    m.floats = m.dc + (backward && s->cell == GG_CELL_LSTM ? whole_lines(state) : 0);
    return m;
}

gg_status gg_recurrent_workspace(int64_t *floats, gg_recurrent_pass pass, const gg_recurrent_shape *shape)
{
    static const char name[] = "gg_recurrent_workspace";
    if (floats == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: floats is NULL", name);
    if ((int)pass < 0 || pass >= GG_RECURRENT_PASS_COUNT)
        return gg_fail(GG_ERR_ARGUMENT, "%s: pass is %d, not one of gg_recurrent_pass", name, (int)pass);
    const gg_status status = check_shape(name, shape);
    if (status == GG_OK)
        *floats = directions_of(shape) * room_of(shape, pass).floats;
    return status;
}

/* ---- arguments ---- */

static gg_status check_pointers(const char *function, const gg_recurrent_shape *s, const gg_argument *arguments)
{
    for (; arguments->name != NULL; arguments++)
        if (arguments->pointer == NULL)
            return gg_fail(GG_ERR_ARGUMENT,
                           "%s: %s is NULL with %s of %lld steps, batch %lld, %lld inputs, %lld hidden", function,
                           arguments->name, gg_cell_name(s->cell), (long long)s->steps, (long long)s->batch,
                           (long long)s->in, (long long)s->hidden);
    return GG_OK;
}

/* A distance of rows, 0 for `hidden`. */
static gg_status check_distance(const char *function, const char *name, int64_t ld, const gg_recurrent_shape *s)
{
    if (ld != 0 && ld < s->hidden)
        return gg_fail(GG_ERR_SHAPE, "%s: %s is %lld, but rows have %lld floats", function, name, (long long)ld,
                       (long long)s->hidden);
    if (!gg_fits_matrix((s->steps + 1) * s->batch, s->hidden, ld))
        return gg_fail(GG_ERR_OVERFLOW, "%s: %s is %lld, too large for %lld steps of %lld rows", function, name,
                       (long long)ld, (long long)s->steps, (long long)s->batch);
    return GG_OK;
}

static gg_status check_lengths(const char *function, const gg_recurrent_shape *s, const int32_t *lengths)
{
    if (lengths != NULL)
        for (int64_t row = 0; row < s->batch; row++)
            if (lengths[row] < 0 || lengths[row] > s->steps)
                return gg_fail(GG_ERR_ARGUMENT, "%s: lengths[%lld] is %d, expected 0 to %lld", function, (long long)row,
                               (int)lengths[row], (long long)s->steps);
    return GG_OK;
}

static gg_status check_inputs(const char *function, const gg_recurrent_shape *s, const gg_recurrent_inputs *in)
{
    if (in->drop != NULL && !s->dropout)
        return gg_fail(GG_ERR_ARGUMENT, "%s: drop is given, but the shape says no dropout", function);
    if (s->hidden > 0 && s->batch > 0 && in->wh == NULL)
        return check_pointers(function, s, GG_ARGUMENTS({"wh", in->wh}));
    const gg_status status = check_distance(function, "ld0", in->ld0, s);
    return status == GG_OK ? check_lengths(function, s, in->lengths) : status;
}

static bool has_states(const gg_recurrent_shape *s)
{
    return s->batch > 0 && s->hidden > 0;
}

static bool has_steps(const gg_recurrent_shape *s)
{
    return has_states(s) && s->steps > 0;
}

static gg_status check_forward(const char *function, const gg_recurrent_shape *s, const gg_recurrent_results *out,
                               const gg_recurrent_inputs *in)
{
    gg_status status = check_inputs(function, s, in);
    if (status == GG_OK && has_states(s))
        status = check_pointers(function, s, GG_ARGUMENTS({"cache", out->cache}));
    if (status == GG_OK && has_steps(s) && s->in > 0)
        status = check_pointers(function, s, GG_ARGUMENTS({"x", in->x}, {"wx", in->wx}));
    if (status == GG_OK)
        status = check_distance(function, "ldy", out->ldy, s);
    return status == GG_OK ? check_distance(function, "ld_last", out->ld_last, s) : status;
}

static gg_status check_backward(const char *function, const gg_recurrent_shape *s, const gg_recurrent_gradients *out,
                                const gg_recurrent_given *given, const gg_recurrent_inputs *in)
{
    gg_status status = check_inputs(function, s, in);
    if (status == GG_OK && has_states(s))
        status = check_pointers(function, s, GG_ARGUMENTS({"cache", given->cache}));
    if (status == GG_OK && has_steps(s) && s->in > 0 && out->dx != NULL)
        status = check_pointers(function, s, GG_ARGUMENTS({"wx", in->wx}));
    if (status == GG_OK && has_steps(s) && s->in > 0 && out->dwx != NULL)
        status = check_pointers(function, s, GG_ARGUMENTS({"x", in->x}));
    if (status == GG_OK)
        status = check_distance(function, "lddy", given->lddy, s);
    if (status == GG_OK)
        status = check_distance(function, "ld_last", given->ld_last, s);
    return status == GG_OK ? check_distance(function, "ld0", out->ld0, s) : status;
}

static gg_status check_workspace(const char *function, const gg_recurrent_shape *s, gg_recurrent_pass pass,
                                 const float *workspace, int64_t floats)
{
    const int64_t needed = directions_of(s) * room_of(s, pass).floats;
    if (!has_states(s) || needed == 0)
        return GG_OK;
    if (workspace == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: workspace is NULL, expected %lld floats", function, (long long)needed);
    if (floats < needed)
        return gg_fail(GG_ERR_ARGUMENT, "%s: workspace has %lld floats, expected %lld", function, (long long)floats,
                       (long long)needed);
    return GG_OK;
}

/* ---- runs ---- */

static int64_t steps_of(const gg_recurrent_shape *s, const int32_t *lengths)
{
    if (lengths == NULL)
        return s->steps;
    int64_t longest = 0;
    for (int64_t row = 0; row < s->batch; row++)
        longest = lengths[row] > longest ? lengths[row] : longest;
    return longest;
}

static int64_t distance(int64_t ld, const gg_recurrent_shape *s)
{
    return ld != 0 ? ld : s->hidden;
}

/* What forward and backward have in common. */
static gg_recurrent_run run_of(const gg_recurrent_shape *s, const gg_recurrent_inputs *in, float *cache)
{
    const gg_recurrent_layout l = layout_of(s);
    gg_recurrent_run r = {.cell = s->cell,
                          .steps = steps_of(s, in->lengths),
                          .all_steps = s->steps,
                          .batch = s->batch,
                          .in = s->in,
                          .hidden = s->hidden,
                          .columns = s->hidden * cells[s->cell].gates,
                          .kept = s->hidden * cells[s->cell].kept,
                          .reverse = in->reverse,
                          .inputs = in,
                          .ld0 = distance(in->ld0, s)};
    if (cache == NULL) /* nothing is kept */
        return r;
    r.gates = cache;
    r.states = cache + l.states;
    r.cells = s->cell == GG_CELL_LSTM ? cache + l.cells : NULL;
    r.resets = s->cell == GG_CELL_GRU_BEFORE ? cache + l.resets : NULL;
    r.masked = in->drop != NULL ? cache + l.masked : NULL;
    return r;
}

static float *packed_at(const gg_recurrent_run *r, float *workspace)
{
    return packs(r->steps, r->batch) && gg_policy_small_products() ? workspace : NULL;
}

static void set_forward(gg_recurrent_run *r, const gg_recurrent_shape *s, const gg_recurrent_results *out,
                        float *workspace)
{
    float *packed = packed_at(r, workspace);
    const int64_t h = r->hidden;
    const bool before = r->cell == GG_CELL_GRU_BEFORE;
    r->results = out;
    r->ldy = distance(out->ldy, s);
    r->ld_last = distance(out->ld_last, s);
    const room m = room_of(s, GG_RECURRENT_FORWARD);
    r->scratch = workspace + m.scratch;
    r->input_steps = 1;
    r->weights =
        (gg_step_weights){r->inputs->wh, r->columns, packed, h, h, r->batch, before ? 2 : cells[r->cell].gates, false};
    if (before)
        r->candidate = (gg_step_weights){
            r->inputs->wh + 2 * h, r->columns, packed != NULL ? packed + 2 * h * h : NULL, h, h, r->batch, 1, false};
    if (packed == NULL || !takes_input(s))
        return;
    float *zeros = workspace + m.zeros;
    r->input = (gg_step_weights){r->inputs->wx, r->columns, workspace + m.input,  h,
                                 r->in,         r->batch,   cells[r->cell].gates, false};
    memset(zeros, 0, (size_t)r->columns * sizeof *zeros);
    r->zeros = zeros;
    r->input_steps = input_steps(s);
}

static void set_backward(gg_recurrent_run *r, const gg_recurrent_shape *s, const gg_recurrent_gradients *out,
                         const gg_recurrent_given *given, float *workspace)
{
    const room m = room_of(s, GG_RECURRENT_BACKWARD);
    r->gradients = out;
    r->given = given;
    r->ldy = distance(given->lddy, s);
    r->ld_last = distance(given->ld_last, s);
    r->ld_start = distance(out->ld0, s);
    r->input_steps = 1;
    if (workspace == NULL) /* no state: only zeros remain to be written */
        return;
    r->scratch = workspace + m.scratch;
    r->dh = workspace + m.dh;
    r->dc = r->cell == GG_CELL_LSTM ? workspace + m.dc : NULL;
    r->weights =
        (gg_step_weights){r->inputs->wh, r->columns, packed_at(r, workspace), r->hidden, r->columns, r->batch, 1, true};
    if (gg_recurrent_joins_gradients(s, r->columns) && gg_policy_small_products()) {
        r->turned = workspace;
        r->turned_wx = workspace + m.input;
    }
}

/* ---- threads ---- */

void gg_recurrent_take_over(const gg_recurrent_share *s, float *to, int64_t ld_to, const float *from, int64_t ld_from)
{
    const int64_t units = s->end - s->begin;
    for (int64_t row = s->first_row; row < s->first_row + s->rows; row++) {
        float *target = to + row * ld_to + s->begin;
        if (from == NULL)
            memset(target, 0, (size_t)units * sizeof *target);
        else
            memmove(target, from + row * ld_from + s->begin, (size_t)units * sizeof *target);
    }
}

typedef void share_body(const gg_recurrent_share *share);

typedef struct team_job {
    gg_recurrent_run *runs;
    int count;
    share_body *body;
} team_job;

static bool shares_rows(const gg_recurrent_run *r, int members)
{
    return members > 1 && r->weights.packed != NULL && r->hidden * r->columns <= ROWS_WEIGHTS
           && r->batch >= (int64_t)ROWS_LEAST * members;
}

/* Whole panels belong to one thread where all threads read what each has packed. */
static void run_share(const team_job *job, const gg_recurrent_run *r, int member, int members, bool alone)
{
    gg_recurrent_share share = {.run = r, .members = members, .alone = alone, .by_rows = shares_rows(r, members)};
    const int64_t block = share.by_rows ? GG_PANEL : UNIT_BLOCK, blocks = (r->hidden + block - 1) / block;
    share.part_begin = blocks * member / members * block;
    share.part_end = member + 1 == members ? r->hidden : blocks * (member + 1) / members * block;
    share.begin = share.by_rows ? 0 : share.part_begin;
    share.end = share.by_rows ? r->hidden : share.part_end;
    share.first_row = share.by_rows ? r->batch * member / members : 0;
    share.rows = share.by_rows ? r->batch * (member + 1) / members - share.first_row : r->batch;
    share.scratch =
        r->scratch + (share.first_row * r->hidden + share.begin * r->batch * r->input_steps) * r->weights.gates;
    job->body(&share);
}

/* Two directions run at the same time, each with half of the team; on one thread one after the other. */
static void run_member(void *context, int part, int parts)
{
    const team_job *job = context;
    const int half = parts / 2;
    if (job->count == 2 && parts > 1) {
        const bool second = part >= half;
        run_share(job, &job->runs[second], second ? part - half : part, second ? parts - half : half, false);
    } else {
        for (int i = 0; i < job->count; i++)
            run_share(job, &job->runs[i], part, parts, parts == 1);
    }
}

/* Threads for one direction, up to `most`. In double, which does not overflow. */
static int threads_of(const gg_recurrent_run *r, int most)
{
    const double step = (double)r->batch * (double)r->hidden * (double)r->columns;
    const int64_t blocks = (r->hidden + UNIT_BLOCK - 1) / UNIT_BLOCK;
    double parts = step / STEP_GRAIN;
    parts = fmin(parts, (double)r->steps * step / REGION_GRAIN);
    parts = fmin(parts, fmin((double)blocks, (double)most));
    return parts < 2.0 ? 1 : (int)parts;
}

static bool worth_waking(const gg_recurrent_run *r)
{
    return (double)r->steps * (double)r->batch * (double)(r->hidden + r->in) * (double)r->columns >= REGION_GRAIN;
}

static void run_all(gg_recurrent_run *runs, int64_t count, share_body *body)
{
    gg_barrier barriers[2] = {0};
    for (int64_t i = 0; i < count; i++)
        runs[i].barrier = &barriers[i];
    team_job job = {runs, (int)count, body};
    const int threads = gg_policy_threads();
    int parts = threads_of(&runs[0], threads);
    if (count == 2 && threads > 1)
        parts = worth_waking(&runs[0]) ? 2 * threads_of(&runs[0], threads / 2) : 1;
    gg_parallel_team(parts, run_member, &job);
}

/* ---- calls ---- */

gg_status gg_recurrent_forward(const gg_recurrent_results *results, const gg_recurrent_inputs *inputs,
                               const gg_recurrent_shape *shape, float *workspace, int64_t workspace_floats)
{
    static const char name[] = "gg_recurrent_forward";
    gg_status status = check_shape(name, shape);
    if (status == GG_OK && (results == NULL || inputs == NULL))
        status = check_pointers(name, shape, GG_ARGUMENTS({"results", results}, {"inputs", inputs}));
    const int64_t count = status == GG_OK ? directions_of(shape) : 0;
    for (int64_t i = 0; status == GG_OK && i < count; i++)
        status = check_forward(name, shape, &results[i], &inputs[i]);
    if (status == GG_OK)
        status = check_workspace(name, shape, GG_RECURRENT_FORWARD, workspace, workspace_floats);
    if (status != GG_OK || !has_states(shape))
        return status;
    gg_recurrent_run runs[2];
    for (int64_t i = 0; i < count; i++) {
        runs[i] = run_of(shape, &inputs[i], results[i].cache);
        set_forward(&runs[i], shape, &results[i], workspace + i * room_of(shape, GG_RECURRENT_FORWARD).floats);
    }
    run_all(runs, count, gg_recurrent_forward_share);
    return GG_OK;
}

gg_status gg_recurrent_backward(const gg_recurrent_gradients *gradients, const gg_recurrent_given *given,
                                const gg_recurrent_inputs *inputs, const gg_recurrent_shape *shape, float *workspace,
                                int64_t workspace_floats)
{
    static const char name[] = "gg_recurrent_backward";
    gg_status status = check_shape(name, shape);
    if (status == GG_OK && (gradients == NULL || given == NULL || inputs == NULL))
        status =
            check_pointers(name, shape, GG_ARGUMENTS({"gradients", gradients}, {"given", given}, {"inputs", inputs}));
    const int64_t count = status == GG_OK ? directions_of(shape) : 0;
    for (int64_t i = 0; status == GG_OK && i < count; i++)
        status = check_backward(name, shape, &gradients[i], &given[i], &inputs[i]);
    if (status == GG_OK)
        status = check_workspace(name, shape, GG_RECURRENT_BACKWARD, workspace, workspace_floats);
    if (status != GG_OK)
        return status;
    gg_recurrent_run runs[2];
    for (int64_t i = 0; i < count; i++) {
        runs[i] = run_of(shape, &inputs[i], given[i].cache);
        float *own = workspace != NULL ? workspace + i * room_of(shape, GG_RECURRENT_BACKWARD).floats : NULL;
        set_backward(&runs[i], shape, &gradients[i], &given[i], own);
    }
    if (has_states(shape))
        run_all(runs, count, gg_recurrent_backward_share);
    for (int64_t i = 0; status == GG_OK && i < count; i++)
        status = gg_recurrent_backward_products(&runs[i]);
    return status;
}

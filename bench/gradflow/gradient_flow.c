/* gradient_flow.c - backpropagation through time one step at a time, so that dL/dh_t can be looked at on its way.
 *
 * The states h_0 .. h_T (and c) come from T forward calls of one step. Then, from the last to the first, each step is
 * made once more and its backward turns dL/dh_(t+1) (and dL/dc_(t+1)) into dL/dh_t. That is what one call over all
 * steps computes.
 *
 * The Jacobian of a step is measured in the same way: as many copies of one sample as its state has numbers, whose
 * gradients behind the step are the rows of the identity; what comes out before it is the Jacobian, row by row. The
 * state of an LSTM is h and c together. */
#include "gradient_flow.h"

#include <math.h>
#include <string.h>

enum { SAMPLES = 8, LOOKS = 5 /* Jacobians measured */ };

/* Everything for one case: one arena. `rows`: the larger of SAMPLES and state. */
typedef struct flow {
    const gg_flow_case *what;
    int64_t hidden, steps, in, rows, gates;
    int64_t state;              /* numbers of one state: hidden, and as many again for the c of an LSTM */
    float *wx, *wh, *bias, *x;  /* x: steps x SAMPLES x in */
    float *h, *c;               /* steps + 1 states of SAMPLES x hidden */
    float *dh, *dc, *dh0, *dc0; /* rows x hidden */
    float *dwx, *dwh, *dbias;
    float *copies_h, *copies_c, *copies_x; /* rows x hidden, rows x in */
    float *jacobian;                       /* state x state */
    float *values;                         /* rows x 2 */
    float *cache, *space;
    int64_t cache_floats, space_floats;
    void *lapack;
    int64_t lapack_bytes;
    float *arena;
} flow;

static gg_recurrent_shape shape_of(const flow *f, int64_t batch)
{
    return (gg_recurrent_shape){
        .cell = f->what->cell, .steps = 1, .batch = batch, .in = f->in, .hidden = f->hidden, .directions = 1};
}

/* ---- memory ---- */

static gg_status ask_sizes(flow *f)
{
    const gg_recurrent_shape shape = shape_of(f, f->rows);
    int64_t forward = 0, backward = 0, singular = 0;
    gg_status status = gg_recurrent_cache(&f->cache_floats, &shape);
    if (status == GG_OK)
        status = gg_recurrent_workspace(&forward, GG_RECURRENT_FORWARD, &shape);
    if (status == GG_OK)
        status = gg_recurrent_workspace(&backward, GG_RECURRENT_BACKWARD, &shape);
    if (status == GG_OK)
        status = gg_lapack_workspace(&f->lapack_bytes, GG_LAPACK_EIGENVALUES, f->state, f->state, 0);
    if (status == GG_OK)
        status = gg_lapack_workspace(&singular, GG_LAPACK_SINGULAR_VALUES, f->state, f->state, 0);
    f->space_floats = forward > backward ? forward : backward;
    f->lapack_bytes = f->lapack_bytes > singular ? f->lapack_bytes : singular;
    return status;
}

/* Hands out a part of the arena, from a multiple of GG_ALIGNMENT; counts only while there is none. */
static float *take(const flow *f, int64_t *used, int64_t floats)
{
    const int64_t step = (int64_t)(GG_ALIGNMENT / sizeof(float));
    float *part = f->arena != NULL ? f->arena + *used : NULL;
    *used += (floats + step - 1) / step * step;
    return part;
}

static int64_t lay_out(flow *f)
{
    const int64_t h = f->hidden, state = f->rows * h, all = (f->steps + 1) * SAMPLES * h;
    int64_t used = 0;
    float **const weights[] = {&f->wx, &f->dwx, &f->wh, &f->dwh, &f->bias, &f->dbias};
    const int64_t sizes[] = {f->in * f->gates * h, h * f->gates * h, gg_cell_biases(f->what->cell) * h};
    float **const states[] = {&f->dh, &f->dc, &f->dh0, &f->dc0, &f->copies_h, &f->copies_c};
    for (int i = 0; i < 6; i++) {
        *weights[i] = take(f, &used, sizes[i / 2]);
        *states[i] = take(f, &used, state);
    }
    f->x = take(f, &used, f->steps * SAMPLES * f->in);
    f->h = take(f, &used, all);
    f->c = take(f, &used, all);
    f->copies_x = take(f, &used, f->rows * f->in);
    f->jacobian = take(f, &used, f->state * f->state);
    f->values = take(f, &used, f->rows * 2);
    f->cache = take(f, &used, f->cache_floats);
    f->space = take(f, &used, f->space_floats);
    f->lapack = take(f, &used, f->lapack_bytes / (int64_t)sizeof(float) + 1);
    return used;
}

static gg_status open_flow(flow *f, const gg_flow_case *what, const gg_flow_sizes *sizes)
{
    *f = (flow){.what = what,
                .hidden = sizes->hidden,
                .steps = sizes->steps,
                .in = sizes->hidden,
                .state = what->cell == GG_CELL_LSTM ? 2 * sizes->hidden : sizes->hidden,
                .gates = gg_cell_gates(what->cell)};
    f->rows = f->state > SAMPLES ? f->state : SAMPLES;
    void *arena = NULL;
    gg_status status = ask_sizes(f);
    if (status == GG_OK)
        status = gg_alloc_zero(&arena, (size_t)lay_out(f) * sizeof(float));
    if (status != GG_OK)
        return status;
    f->arena = arena;
    (void)lay_out(f);
    return GG_OK;
}

/* ---- weights and inputs ---- */

/* The largest |eigenvalue| of an n x n matrix, n at most that of a state. */
static gg_status spectral_radius(double *radius, const flow *f, const float *a, int64_t n)
{
    float *real = f->values, *imaginary = f->values + n;
    const gg_status status = gg_eigenvalues(real, imaginary, a, n, n, f->lapack, f->lapack_bytes);
    *radius = 0.0;
    for (int64_t i = 0; status == GG_OK && i < n; i++)
        *radius = fmax(*radius, hypot((double)real[i], (double)imaginary[i]));
    return status;
}

/* Orthogonal blocks, one for each gate, by QR of random ones. */
static gg_status make_orthogonal(const flow *f, gg_random *random)
{
    const int64_t n = f->hidden, ld = f->gates * n;
    int64_t bytes = 0;
    void *space = NULL;
    gg_status status = gg_random_fill_normal(f->wh, n * ld, 0.0f, 1.0f, random);
    if (status == GG_OK)
        status = gg_lapack_workspace(&bytes, GG_LAPACK_QR_THIN, n, n, 0);
    if (status == GG_OK)
        status = gg_alloc(&space, (size_t)bytes);
    for (int64_t gate = 0; status == GG_OK && gate < f->gates; gate++) {
        float *block = f->wh + gate * n;
        status = gg_qr(block, ld, NULL, 0, block, ld, n, n, GG_QR_THIN, space, bytes);
    }
    gg_free(space);
    return status;
}

static gg_status make_of_radius(const flow *f, gg_random *random)
{
    const int64_t n = f->hidden;
    double radius = 0.0;
    gg_status status = gg_random_fill_normal(f->wh, n * n, 0.0f, 1.0f / sqrtf((float)n), random);
    if (status == GG_OK)
        status = spectral_radius(&radius, f, f->wh, n);
    return status == GG_OK ? gg_scale(f->wh, n * n, (float)(f->what->radius / radius)) : status;
}

static gg_status make_case(const flow *f, uint64_t seed)
{
    gg_random random = gg_random_make(seed, 0);
    const float deviation = 1.0f / sqrtf((float)f->hidden);
    gg_status status = f->what->radius > 0.0 ? make_of_radius(f, &random) : make_orthogonal(f, &random);
    if (status == GG_OK)
        status = gg_random_fill_normal(f->wx, f->in * f->gates * f->hidden, 0.0f, deviation, &random);
    if (status == GG_OK && f->what->driven)
        status = gg_random_fill_normal(f->x, f->steps * SAMPLES * f->in, 0.0f, 1.0f, &random);
    if (status == GG_OK && f->what->cell == GG_CELL_LSTM)
        status = gg_fill(f->bias + f->hidden, f->hidden, (float)f->what->forget_bias);
    return status == GG_OK ? gg_random_fill_normal(f->dh, SAMPLES * f->hidden, 0.0f, 1.0f, &random) : status;
}

/* ---- one step ---- */

static gg_recurrent_inputs inputs_of(const flow *f, const float *x, const float *h, const float *c)
{
    return (gg_recurrent_inputs){
        .x = x, .wx = f->wx, .wh = f->wh, .bias = f->bias, .h0 = h, .c0 = f->what->cell == GG_CELL_LSTM ? c : NULL};
}

static gg_status step_forward(const flow *f, float *h_last, float *c_last, const gg_recurrent_inputs *in, int64_t batch)
{
    const gg_recurrent_shape shape = shape_of(f, batch);
    const gg_recurrent_results out = {
        .h_last = h_last, .c_last = f->what->cell == GG_CELL_LSTM ? c_last : NULL, .cache = f->cache};
    return gg_recurrent_forward(&out, in, &shape, f->space, f->space_floats);
}

/* dh and dc behind the step that was made last become those before it. */
static gg_status step_backward(const flow *f, const gg_recurrent_inputs *in, int64_t batch, bool weights)
{
    const bool lstm = f->what->cell == GG_CELL_LSTM;
    const gg_recurrent_shape shape = shape_of(f, batch);
    const gg_recurrent_given given = {.dh_last = f->dh, .dc_last = lstm ? f->dc : NULL, .cache = f->cache};
    const gg_recurrent_gradients out = {.dwx = weights ? f->dwx : NULL,
                                        .dwh = weights ? f->dwh : NULL,
                                        .dbias = weights ? f->dbias : NULL,
                                        .dh0 = f->dh0,
                                        .dc0 = lstm ? f->dc0 : NULL,
                                        .accumulate_dw = true};
    const gg_status status = gg_recurrent_backward(&out, &given, in, &shape, f->space, f->space_floats);
    memcpy(f->dh, f->dh0, (size_t)(batch * f->hidden) * sizeof(float));
    memcpy(f->dc, f->dc0, (size_t)(batch * f->hidden) * sizeof(float));
    return status;
}

/* ---- the way back ---- */

static gg_status norm_of(double *norm, const float *x, int64_t n)
{
    double squares = 0.0;
    const gg_status status = gg_sum_squares(&squares, x, n);
    *norm = sqrt(squares);
    return status;
}

static gg_status run_states(const flow *f)
{
    const int64_t state = SAMPLES * f->hidden;
    gg_status status = GG_OK;
    for (int64_t t = 0; t < f->steps && status == GG_OK; t++) {
        const gg_recurrent_inputs in = inputs_of(f, f->x + t * SAMPLES * f->in, f->h + t * state, f->c + t * state);
        status = step_forward(f, f->h + (t + 1) * state, f->c + (t + 1) * state, &in, SAMPLES);
    }
    return status;
}

static gg_status run_back(const flow *f, double *norms)
{
    const int64_t state = SAMPLES * f->hidden;
    double first = 0.0;
    gg_status status = norm_of(&first, f->dh, state);
    norms[0] = 1.0;
    for (int64_t t = f->steps - 1; t >= 0 && status == GG_OK; t--) {
        const gg_recurrent_inputs in = inputs_of(f, f->x + t * SAMPLES * f->in, f->h + t * state, f->c + t * state);
        status = step_forward(f, f->copies_h, f->copies_c, &in, SAMPLES);
        if (status == GG_OK)
            status = step_backward(f, &in, SAMPLES, true);
        if (status == GG_OK)
            status = norm_of(&norms[f->steps - t], f->dh, state);
        norms[f->steps - t] /= first;
    }
    return status;
}

/* The norm of the weights' gradients for a dL/dh_T of length 1 in each sample, their mean taken. */
static gg_status weight_norm(double *out, const flow *f, double given)
{
    const int64_t h = f->hidden;
    double squares[3];
    gg_status status = gg_sum_squares(&squares[0], f->dwx, f->in * f->gates * h);
    if (status == GG_OK)
        status = gg_sum_squares(&squares[1], f->dwh, h * f->gates * h);
    if (status == GG_OK)
        status = gg_sum_squares(&squares[2], f->dbias, gg_cell_biases(f->what->cell) * h);
    *out = sqrt(squares[0] + squares[1] + squares[2]) / given / sqrt((double)SAMPLES);
    return status;
}

/* ---- Jacobians ---- */

/* Row r of the identity, h before c. */
static void place_identity(const flow *f)
{
    const int64_t n = f->hidden, floats = f->state * n;
    memset(f->dh, 0, (size_t)floats * sizeof(float));
    memset(f->dc, 0, (size_t)floats * sizeof(float));
    for (int64_t r = 0; r < f->state; r++)
        (r < n ? f->dh : f->dc)[r * n + r % n] = 1.0f;
}

/* The gradients before the step, h beside c: f->jacobian. */
static void gather_jacobian(const flow *f)
{
    const int64_t n = f->hidden;
    for (int64_t r = 0; r < f->state; r++) {
        memcpy(f->jacobian + r * f->state, f->dh + r * n, (size_t)n * sizeof(float));
        if (f->state > n)
            memcpy(f->jacobian + r * f->state + n, f->dc + r * n, (size_t)n * sizeof(float));
    }
}

/* That of step t of sample 0. */
static gg_status measure_jacobian(const flow *f, int64_t t)
{
    const int64_t n = f->hidden, state = SAMPLES * n;
    for (int64_t r = 0; r < f->state; r++) {
        memcpy(f->copies_h + r * n, f->h + t * state, (size_t)n * sizeof(float));
        memcpy(f->copies_c + r * n, f->c + t * state, (size_t)n * sizeof(float));
        memcpy(f->copies_x + r * f->in, f->x + t * SAMPLES * f->in, (size_t)f->in * sizeof(float));
    }
    const gg_recurrent_inputs in = inputs_of(f, f->copies_x, f->copies_h, f->copies_c);
    gg_status status = step_forward(f, NULL, NULL, &in, f->state);
    place_identity(f);
    if (status == GG_OK)
        status = step_backward(f, &in, f->state, false);
    gather_jacobian(f);
    return status;
}

static gg_status measure_jacobians(gg_flow *out, const flow *f)
{
    double radii = 0.0, singulars = 0.0;
    for (int look = 1; look <= LOOKS; look++) {
        double radius = 0.0;
        gg_status status = measure_jacobian(f, (f->steps - 1) * look / LOOKS);
        if (status == GG_OK)
            status = spectral_radius(&radius, f, f->jacobian, f->state);
        if (status == GG_OK)
            status =
                gg_singular_values(f->values, f->jacobian, f->state, f->state, f->state, f->lapack, f->lapack_bytes);
        if (status != GG_OK)
            return status;
        radii += log(radius) / LOOKS;
        singulars += log((double)f->values[0]) / LOOKS;
    }
    out->radius = exp(radii);
    out->singular = exp(singulars);
    return GG_OK;
}

/* ---- all together ---- */

/* Least squares of log norms[d] over d = first .. last, as far as they are above 0. */
static double fit_slope(const double *norms, int64_t first, int64_t last)
{
    double n = 0.0, x = 0.0, y = 0.0, xx = 0.0, xy = 0.0;
    for (int64_t d = first; d <= last; d++) {
        if (!(norms[d] > 0.0) || !isfinite(norms[d]))
            continue;
        n += 1.0;
        x += (double)d;
        y += log(norms[d]);
        xx += (double)d * (double)d;
        xy += (double)d * log(norms[d]);
    }
    return (n * xy - x * y) / (n * xx - x * x);
}

static gg_status measure(gg_flow *out, const flow *f, const gg_flow_sizes *sizes)
{
    double given = 0.0;
    gg_status status = make_case(f, sizes->seed);
    if (status == GG_OK)
        status = norm_of(&given, f->dh, SAMPLES * f->hidden);
    if (status == GG_OK)
        status = run_states(f);
    if (status == GG_OK)
        status = run_back(f, out->norms);
    if (status == GG_OK)
        status = weight_norm(&out->weight_norm, f, given);
    if (status == GG_OK)
        status = measure_jacobians(out, f);
    out->slope = fit_slope(out->norms, sizes->steps / 2, sizes->steps);
    out->clip_factor = out->weight_norm > sizes->clip ? sizes->clip / out->weight_norm : 1.0;
    return status;
}

gg_status gg_flow_measure(gg_flow *out, const gg_flow_case *what, const gg_flow_sizes *sizes)
{
    flow f;
    gg_flow found = {.norms = NULL};
    void *norms = NULL;
    gg_status status = open_flow(&f, what, sizes);
    if (status == GG_OK)
        status = gg_alloc(&norms, (size_t)(sizes->steps + 1) * sizeof(double));
    found.norms = norms;
    if (status == GG_OK)
        status = measure(&found, &f, sizes);
    gg_free(f.arena);
    if (status == GG_OK)
        *out = found;
    else
        gg_free(norms);
    return status;
}

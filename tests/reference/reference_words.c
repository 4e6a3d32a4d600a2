/* reference_words.c - the layers of word vectors as plain loops in double, see reference_words.h. */
#include "reference_words.h"

#include <math.h>
#include <stddef.h>

/* ---- mean of out vectors ---- */

static void mean_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows / p->out * p->columns; i++)
        p->y[i] = 0.0;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t d = 0; d < p->columns; d++)
            p->y[r / p->out * p->columns + d] += p->x[0][r * p->columns + d] / (double)p->out;
}

static void mean_backward(const reference_pass *p)
{
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t d = 0; d < p->columns; d++)
            p->dx[0][r * p->columns + d] = p->dy[r / p->out * p->columns + d] / (double)p->out;
}

const reference_layer reference_mean_rows = {"mean_rows", mean_forward, mean_backward, NULL, NULL};

/* ---- negative sampling ---- */

static double right_ones(const reference_pass *p)
{
    double right = 0.0;
    for (int64_t i = 0; i < p->rows * p->out; i++)
        right += p->labels[i] == 1;
    return right;
}

/* h . e of set element i, or the same of magnitudes. */
static double score(const reference_pass *p, int64_t i, bool magnitude)
{
    double sum = 0.0;
    for (int64_t d = 0; d < p->columns; d++) {
        const double term = p->x[0][i / p->out * p->columns + d] * p->x[1][i * p->columns + d];
        sum += magnitude ? fabs(term) : term;
    }
    return sum;
}

static void loss_forward(const reference_pass *p)
{
    const double right = right_ones(p);
    double sum = 0.0;
    for (int64_t i = 0; i < p->rows * p->out; i++) {
        const double a = score(p, i, false);
        if (p->labels[i] >= 0)
            sum += log1p(exp(p->labels[i] == 1 ? -a : a));
    }
    p->y[0] = right > 0.0 ? sum / right : 0.0;
}

static void add_gradients(const reference_pass *p, int64_t i, double g, bool magnitude)
{
    for (int64_t d = 0; d < p->columns; d++) {
        const int64_t at = i / p->out * p->columns + d;
        const double h = p->x[0][at], e = p->x[1][i * p->columns + d];
        p->dx[0][at] += g * (magnitude ? fabs(e) : e);
        p->dx[1][i * p->columns + d] = g * (magnitude ? fabs(h) : h);
    }
}

static void clear(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        p->dx[0][i] = 0.0;
    for (int64_t i = 0; i < p->rows * p->out * p->columns; i++)
        p->dx[1][i] = 0.0;
}

static void loss_backward(const reference_pass *p)
{
    const double right = right_ones(p);
    clear(p);
    for (int64_t i = 0; i < p->rows * p->out && right > 0.0; i++)
        if (p->labels[i] >= 0)
            add_gradients(p, i, p->dy[0] / right * (1.0 / (1.0 + exp(-score(p, i, false))) - (double)p->labels[i]),
                          false);
}

/* A score is off by rounding of the size of its terms; log(1 + e^a) and the sigmoid pass that on, with slopes below 1.
 */
static void loss_forward_magnitude(const reference_pass *p)
{
    const double right = right_ones(p);
    double sum = 0.0;
    for (int64_t i = 0; i < p->rows * p->out; i++)
        if (p->labels[i] >= 0)
            sum += 1.0 + score(p, i, true);
    p->y[0] = right > 0.0 ? sum / right : 0.0;
}

static void loss_backward_magnitude(const reference_pass *p)
{
    const double right = right_ones(p);
    clear(p);
    for (int64_t i = 0; i < p->rows * p->out && right > 0.0; i++)
        if (p->labels[i] >= 0)
            add_gradients(p, i, p->dy[0] / right * (1.0 + score(p, i, true)), true);
}

const reference_layer reference_negative_sampling_loss = {"negative_sampling_loss", loss_forward, loss_backward,
                                                          loss_forward_magnitude, loss_backward_magnitude};

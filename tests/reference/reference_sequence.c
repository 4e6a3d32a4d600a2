/* reference_sequence.c - layers over sequences as plain loops in double, see reference_sequence.h. */
#include "reference_sequence.h"

#include <stddef.h>

static void clear(double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = 0.0;
}

/* ---- embedding: w [vocabulary, out], tokens in labels ---- */

static void embedding_forward(const reference_pass *p)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        for (int64_t j = 0; j < p->out; j++)
            p->y[i * p->out + j] = p->labels[i] >= 0 ? p->w[p->labels[i] * p->out + j] : 0.0;
}

static void embedding_backward(const reference_pass *p)
{
    clear(p->dw, p->vocabulary * p->out);
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        for (int64_t j = 0; j < p->out && p->labels[i] >= 0; j++)
            p->dw[p->labels[i] * p->out + j] += p->dy[i * p->out + j];
}

const reference_layer reference_embedding = {"embedding", embedding_forward, embedding_backward, NULL, NULL};

/* ---- concatenate: two values ---- */

static void concatenate_forward(const reference_pass *p)
{
    const int64_t first = p->columns, second = p->columns_of_second;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t j = 0; j < first + second; j++)
            p->y[r * (first + second) + j] = j < first ? p->x[0][r * first + j] : p->x[1][r * second + j - first];
}

static void concatenate_backward(const reference_pass *p)
{
    const int64_t first = p->columns, second = p->columns_of_second;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t j = 0; j < first + second; j++)
            *(j < first ? &p->dx[0][r * first + j] : &p->dx[1][r * second + j - first]) =
                p->dy[r * (first + second) + j];
}

const reference_layer reference_concatenate = {"concatenate", concatenate_forward, concatenate_backward, NULL, NULL};

/* ---- time ---- */

static void repeat_forward(const reference_pass *p)
{
    const int64_t size = p->rows * p->columns;
    for (int64_t i = 0; i < p->steps * size; i++)
        p->y[i] = p->x[0][i % size];
}

static void repeat_backward(const reference_pass *p)
{
    const int64_t size = p->rows * p->columns;
    clear(p->dx[0], size);
    for (int64_t i = 0; i < p->steps * size; i++)
        p->dx[0][i % size] += p->dy[i];
}

const reference_layer reference_repeat_time = {"repeat_time", repeat_forward, repeat_backward, NULL, NULL};

static void take_step(const reference_pass *p, int64_t t)
{
    const int64_t size = p->rows * p->columns / p->steps;
    for (int64_t i = 0; i < size; i++)
        p->y[i] = p->x[0][t * size + i];
}

static void put_step(const reference_pass *p, int64_t t)
{
    const int64_t size = p->rows * p->columns / p->steps;
    for (int64_t i = 0; i < p->steps * size; i++)
        p->dx[0][i] = i / size == t ? p->dy[i % size] : 0.0;
}

static void first_forward(const reference_pass *p)
{
    take_step(p, 0);
}

static void first_backward(const reference_pass *p)
{
    put_step(p, 0);
}

static void last_forward(const reference_pass *p)
{
    take_step(p, p->steps - 1);
}

static void last_backward(const reference_pass *p)
{
    put_step(p, p->steps - 1);
}

const reference_layer reference_first_step = {"first_step", first_forward, first_backward, NULL, NULL};
const reference_layer reference_last_step = {"last_step", last_forward, last_backward, NULL, NULL};

/* ---- variational dropout: mask [..], the same at every step ---- */

static void scale_steps(double *to, const double *from, const reference_pass *p)
{
    const int64_t all = p->rows * p->columns, size = all / p->steps;
    for (int64_t i = 0; i < all; i++)
        to[i] = from[i] * p->mask[i % size];
}

static void variational_forward(const reference_pass *p)
{
    scale_steps(p->y, p->x[0], p);
}

static void variational_backward(const reference_pass *p)
{
    scale_steps(p->dx[0], p->dy, p);
}

const reference_layer reference_variational_dropout = {"variational_dropout", variational_forward, variational_backward,
                                                       NULL, NULL};

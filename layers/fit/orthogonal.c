/* orthogonal.c - orthogonal initialisation.
 *
 * G of independent standard normal numbers has a distribution that no rotation changes, so the Q of G = Q R has it too,
 * once R is made unique by a positive diagonal: Q diag(sign r_ii) is uniform over all orthogonal matrices (Haar). A
 * layer of gain g then multiplies the length of every vector by g exactly, where a normal W does so on average only.
 *
 * Sources: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
 * networks", 2014; Mezzadri, "How to generate random matrices from the classical compact groups", 2007; gains: He et
 * al. 2015 for the rectifiers, PyTorch's calculate_gain for tanh. */
#include "orthogonal.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include <gemmgrad/lapack.h>
#include <gemmgrad/memory.h>

float gg_orthogonal_gain(gg_activation f, float alpha)
{
    switch (f) {
    case GG_TANH: return 5.0f / 3.0f;
    case GG_RELU:
    case GG_ELU:
    case GG_SILU:
    case GG_GELU:
    case GG_GELU_TANH: return sqrtf(2.0f);
    case GG_LEAKY_RELU: return sqrtf(2.0f / (1.0f + alpha * alpha));
    default: return 1.0f;
    }
}

/* All memory of one fill. */
typedef struct factors {
    float *q, *r; /* tall x narrow, narrow x narrow */
    void *space;
    int64_t tall, narrow, bytes;
} factors;

static gg_status take_floats(float **out, int64_t rows, int64_t columns)
{
    int64_t floats = 0;
    void *memory = NULL;
    gg_status status = gg_checked_multiply(&floats, rows, columns);
    if (status == GG_OK)
        status = gg_alloc(&memory, (size_t)floats * sizeof **out);
    *out = memory;
    return status;
}

static gg_status take_factors(factors *f)
{
    gg_status status = gg_lapack_workspace(&f->bytes, GG_LAPACK_QR_THIN, f->tall, f->narrow, 0);
    if (status == GG_OK)
        status = take_floats(&f->q, f->tall, f->narrow);
    if (status == GG_OK)
        status = take_floats(&f->r, f->narrow, f->narrow);
    if (status == GG_OK)
        status = gg_alloc(&f->space, (size_t)f->bytes);
    return status;
}

static void free_factors(factors *f)
{
    gg_free(f->q);
    gg_free(f->r);
    gg_free(f->space);
}

/* w = gain Q diag(sign r_ii), or its transpose where w is wide. */
static void write_out(float *w, int64_t ldw, const factors *f, int64_t rows, int64_t columns, float gain)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            const int64_t row = rows >= columns ? i : j, column = rows >= columns ? j : i;
            const float sign = f->r[column * f->narrow + column] < 0.0f ? -gain : gain;
            w[i * ldw + j] = sign * f->q[row * f->narrow + column];
        }
}

gg_status gg_orthogonal_fill(float *w, int64_t ldw, int64_t rows, int64_t columns, float gain, gg_random *random)
{
    const bool is_tall = rows >= columns;
    factors f = {.tall = is_tall ? rows : columns, .narrow = is_tall ? columns : rows};
    gg_status status = take_factors(&f);
    if (status == GG_OK)
        status = gg_random_fill_normal(f.q, f.tall * f.narrow, 0.0f, 1.0f, random);
    if (status == GG_OK)
        status = gg_qr(f.q, f.narrow, f.r, f.narrow, f.q, f.narrow, f.tall, f.narrow, GG_QR_THIN, f.space, f.bytes);
    if (status == GG_OK)
        write_out(w, ldw, &f, rows, columns, gain);
    free_factors(&f);
    return status;
}

/* conv_choice.c - which method for which shape: the one that costs least by the model of conv_cost.c; and the workspace
 * that is enough whichever it is. */
#include <math.h>
#include <stddef.h>

#include "backend.h"
#include "conv_method.h"

/* Terms of a sum by which F(4x4, 3x3), in steps of one or two, stays below the promised error in whatever order a BLAS
 * adds them up: its rounding errors grow with the length of the sum. */
enum { MOST_TERMS = 256 };

bool gg_conv_keeps_accuracy(gg_conv_algorithm a, const gg_conv_geometry *g, gg_conv_pass pass)
{
    if ((a != GG_CONV_WINOGRAD_4 && a != GG_CONV_WINOGRAD_STRIDED) || gg_policy_small_products())
        return true; /* small products end in sums of short sums */
    return pass != GG_CONV_BACKWARD_WEIGHTS && g->channels <= MOST_TERMS && g->filters <= MOST_TERMS;
}

/* Floats of a matrix of columns that a choice of im2col, which is seldom the fastest, may ask for: 16 MB. */
enum { MOST_COLUMNS = 4000000 };

/* Whether a method may be chosen, whatever the batch: the workspace for a batch is then enough for a smaller one. */
static bool is_candidate(gg_conv_algorithm a, const gg_conv_geometry *g, gg_conv_pass pass, gg_conv_accuracy accuracy)
{
    if ((accuracy == GG_CONV_EXACT && !gg_conv_is_exact(a)) || !gg_conv_keeps_accuracy(a, g, pass))
        return false;
    /* The columns of one tap are X's pixels once more. */
    const bool dear = g->taps == 1 || g->depth * g->pixels > MOST_COLUMNS;
    if (a == GG_CONV_IM2COL && dear && gg_conv_tiled.fits(g, pass))
        return false;
    return gg_conv_method_of(a)->fits(g, pass);
}

gg_conv_algorithm gg_conv_cheapest(const gg_conv_geometry *g, gg_conv_pass pass, gg_conv_accuracy accuracy, int threads)
{
    gg_conv_algorithm best = GG_CONV_IM2COL;
    double least = INFINITY;
    for (gg_conv_algorithm a = GG_CONV_IM2COL; a < GG_CONV_ALGORITHM_COUNT; a++) {
        const double cost = is_candidate(a, g, pass, accuracy) ? gg_conv_cost(a, g, pass, threads) : INFINITY;
        if (cost < least) {
            least = cost;
            best = a;
        }
    }
    return best;
}

int64_t gg_conv_room(const gg_conv_geometry *g, gg_conv_pass pass, gg_conv_algorithm algorithm,
                     gg_conv_accuracy accuracy, int threads)
{
    int64_t most = 0;
    for (gg_conv_algorithm a = GG_CONV_IM2COL; a < GG_CONV_ALGORITHM_COUNT; a++) {
        const bool wanted = algorithm == GG_CONV_AUTO ? is_candidate(a, g, pass, accuracy) : a == algorithm;
        for (int t = 1; wanted && t <= threads; t++) {
            const int64_t floats = gg_conv_method_of(a)->workspace(g, pass, t);
            most = floats > most ? floats : most;
        }
    }
    return most;
}

/* conv_choice.c - which method for which shape: the one that costs least by the model of conv_cost.c, among those that
 * the workspace has room for. */
#include <math.h>
#include <stddef.h>

#include "conv_method.h"

static bool is_exact(gg_conv_algorithm algorithm)
{
    return algorithm != GG_CONV_WINOGRAD_2 && algorithm != GG_CONV_WINOGRAD_4;
}

gg_conv_algorithm gg_conv_cheapest(const gg_conv_geometry *g, gg_conv_pass pass, gg_conv_accuracy accuracy, int threads,
                                   int64_t room)
{
    gg_conv_algorithm best = GG_CONV_IM2COL;
    double least = INFINITY;
    for (gg_conv_algorithm a = GG_CONV_IM2COL; a < GG_CONV_ALGORITHM_COUNT; a++) {
        const gg_conv_method *method = gg_conv_method_of(a);
        if (method == NULL || (accuracy == GG_CONV_EXACT && !is_exact(a)) || !method->fits(g, pass))
            continue;
        const double cost = gg_conv_cost(a, g, pass, threads);
        if (cost < least && method->workspace(g, pass, threads) <= room) {
            least = cost;
            best = a;
        }
    }
    return best;
}

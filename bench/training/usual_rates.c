/* usual_rates.c - see usual_rates.h. */
#include "usual_rates.h"

#include <stdio.h>
#include <string.h>

#include "options.h"

double gg_usual_rate(gg_optimizer_kind kind)
{
    static const double rates[GG_OPTIMIZER_COUNT] = {
        [GG_SGD] = 0.5,      [GG_MOMENTUM] = 0.05, [GG_NESTEROV] = 0.05, [GG_ADAGRAD] = 0.01,
        [GG_RMSPROP] = 3e-4, [GG_ADAM] = 1e-3,     [GG_ADAMW] = 1e-3,    [GG_LION] = 1e-4,
        [GG_MUON] = 2e-3,    [GG_SHAMPOO] = 2e-3,  [GG_SOAP] = 2e-3,     [GG_KFAC] = 0.02,
    };
    return rates[kind];
}

bool gg_parse_optimizer(gg_optimizer_kind *out, const char *verb, const char *text)
{
    char names[256] = "";
    size_t used = 0;
    const gg_optimizer_kind found = gg_optimizer_named(text);
    if (found != GG_OPTIMIZER_COUNT) {
        *out = found;
        return true;
    }
    for (int i = 0; i < GG_OPTIMIZER_COUNT && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                                 gg_optimizer_name((gg_optimizer_kind)i));
    gg_usage_error(verb, "--optimizer '%s' is not known; known are: %s", text, names);
    return false;
}

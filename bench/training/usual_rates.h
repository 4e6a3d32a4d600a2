/* usual_rates.h - the optimisers by name on the command line, and a rate for each that suits small networks. */
#ifndef GEMMGRAD_BENCH_USUAL_RATES_H
#define GEMMGRAD_BENCH_USUAL_RATES_H

#include <stdbool.h>

#include <gemmgrad/layers.h>

/* A constant rate at which the optimiser does well on mnist-mlp, of a few that were tried. */
double gg_usual_rate(gg_optimizer_kind kind);

/* As those of options.h: on false, stderr has listed the names. */
bool gg_parse_optimizer(gg_optimizer_kind *out, const char *verb, const char *text);

#endif

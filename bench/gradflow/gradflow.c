/* gradflow.c - the verb gradflow: vanishing and exploding gradients, measured, in a table, a picture and JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "attention_flow.h"
#include "commands.h"
#include "environment.h"
#include "gradient_flow.h"
#include "options.h"
#include "outputs.h"
#include "plot.h"

static const char USAGE[] =
    "usage: gemmgrad gradflow [options]\n"
    "\n"
    "Shows how a gradient changes on its way back through time: |dL/dh_t| over |dL/dh_T| for a loss that depends on "
    "the\n"
    "last state h_T, against the distance T - t, for recurrent layers at their start. Where all is linear (a tanh "
    "around\n"
    "0) it goes as the largest |eigenvalue| of the recurrent weights, the spectral radius, to the power of the "
    "distance.\n"
    "Then how much of one comes back to the tokens that an encoder reads, when a decoder has its last state alone, "
    "and\n"
    "when it also looks at all of them by an attention.\n"
    "\n"
    "  --hidden N        units of a layer (default 64)\n"
    "  --steps N         steps T (default 100)\n"
    "  --clip X          largest norm of the weights' gradients, those of a mean over samples (default 1)\n"
    "  --seed N          of weights and inputs (default 1)\n"
    "  --json FILE       write the figures as one JSON object; - is standard output\n"
    "  --plot FILE.png   draw them (needs gnuplot)\n"
    "  --help            this text\n";

enum { OPTION_HIDDEN = GG_LONG_ONLY, OPTION_STEPS, OPTION_CLIP, OPTION_SEED, OPTION_JSON, OPTION_PLOT };

static const struct option options[] = {{"hidden", required_argument, NULL, OPTION_HIDDEN},
                                        {"steps", required_argument, NULL, OPTION_STEPS},
                                        {"clip", required_argument, NULL, OPTION_CLIP},
                                        {"seed", required_argument, NULL, OPTION_SEED},
                                        {"json", required_argument, NULL, OPTION_JSON},
                                        {"plot", required_argument, NULL, OPTION_PLOT},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static const int64_t MOST_HIDDEN = 1024, LEAST_STEPS = 8, MOST_STEPS = 10000;
static const double MOST_CLIP = 1e6;

static const gg_flow_case cases[] = {
    {.name = "RNN, linear, radius 0.9", .cell = GG_CELL_RNN_TANH, .radius = 0.9},
    {.name = "RNN, linear, radius 1.0", .cell = GG_CELL_RNN_TANH, .radius = 1.0},
    {.name = "RNN, linear, radius 1.1", .cell = GG_CELL_RNN_TANH, .radius = 1.1},
    {.name = "RNN, tanh, radius 1.0", .cell = GG_CELL_RNN_TANH, .radius = 1.0, .driven = true},
    {.name = "LSTM, forget bias 1", .cell = GG_CELL_LSTM, .forget_bias = 1.0, .driven = true},
    {.name = "LSTM, forget bias 4", .cell = GG_CELL_LSTM, .forget_bias = 4.0, .driven = true},
    {.name = "GRU", .cell = GG_CELL_GRU, .driven = true},
};
enum { CASES = sizeof cases / sizeof *cases };

/* Of an encoder-decoder. */
static const struct {
    const char *name, *colour;
    bool attends;
} attention_cases[] = {{"without attention", "#009e73", false}, {"with attention", "#d55e00", true}};
enum { ATTENTION_CASES = sizeof attention_cases / sizeof *attention_cases };

typedef struct request {
    gg_flow_sizes sizes;
    const char *json, *plot;
    bool help;
} request;

typedef struct result {
    gg_flow_sizes sizes;
    gg_flow flows[CASES];
    gg_attention_flow attention[ATTENTION_CASES];
} result;

static bool take_option(request *asked, int option)
{
    switch (option) {
    case OPTION_HIDDEN: return gg_parse_integer(&asked->sizes.hidden, "gradflow", "hidden", optarg, 1, MOST_HIDDEN);
    case OPTION_STEPS:
        return gg_parse_integer(&asked->sizes.steps, "gradflow", "steps", optarg, LEAST_STEPS, MOST_STEPS);
    case OPTION_CLIP: return gg_parse_positive(&asked->sizes.clip, "gradflow", "clip", optarg, MOST_CLIP);
    case OPTION_SEED: return gg_parse_seed(&asked->sizes.seed, "gradflow", "seed", optarg);
    case OPTION_JSON: asked->json = optarg; return true;
    case OPTION_PLOT: asked->plot = optarg; return true;
    default: asked->help = true; return true;
    }
}

/* ---- table ---- */

static bool is_linear(const gg_flow_case *c)
{
    return !c->driven;
}

/* NaN where the last token's gradient is 0. */
static double share_of_first(const result *r, int i)
{
    const double *norms = r->attention[i].norms;
    return norms[r->sizes.steps - 1] / norms[0];
}

static void print_attention(FILE *out, const result *r)
{
    fprintf(out,
            "\nAn encoder-decoder of LSTMs, %" PRId64 " tokens x_1 .. x_T, the loss being that of a short answer\n\n",
            r->sizes.steps);
    fprintf(out, "  %-26s%12s%12s%14s\n", "", "|dL/dx_T|", "|dL/dx_1|", "first / last");
    for (int i = 0; i < ATTENTION_CASES; i++)
        fprintf(out, "  %-26s%12.3g%12.3g%14.3g\n", attention_cases[i].name, r->attention[i].norms[0],
                r->attention[i].norms[r->sizes.steps - 1], share_of_first(r, i));
    fputs("\nAttention adds a gradient to every state of the encoder, one step from the loss whatever its distance.\n",
          out);
}

static void print_table(FILE *out, const result *r)
{
    fprintf(out, "%" PRId64 " units, %" PRId64 " steps; norms are relative to that of dL/dh_T\n\n", r->sizes.hidden,
            r->sizes.steps);
    fprintf(out, "  %-26s%10s%10s%12s%12s%12s%10s\n", "", "radius", "largest", "slope of", "predicted", "|dL/dh_0|",
            "clipped");
    fprintf(out, "  %-26s%10s%10s%12s%12s%12s%10s\n", "", "of a step", "singular", "log, a step", "log radius", "",
            "by");
    for (int i = 0; i < CASES; i++) {
        const gg_flow *f = &r->flows[i];
        fprintf(out, "  %-26s%10.4f%10.4f%12.4f", cases[i].name, f->radius, f->singular, f->slope);
        if (is_linear(&cases[i]))
            fprintf(out, "%12.4f", log(f->radius));
        else
            fprintf(out, "%12s", "-");
        fprintf(out, "%12.3g%10.3g\n", f->norms[r->sizes.steps], f->clip_factor);
    }
    fputs("\nRadius and singular value are those of the Jacobian of one step (of h and c together), geometric means "
          "over\n"
          "some steps. The prediction holds where every step has the same. Clipping the weights' gradients scales all "
          "of a\n"
          "sequence by one factor: it keeps what explodes from wrecking a step, and does nothing for what vanishes.\n",
          out);
    print_attention(out, r);
}

/* ---- picture ---- */

static const char *const colours[CASES] = {"#56b4e9", "#0072b2", "#d55e00", "#808080", "#009e73", "#e69f00", "#cc79a7"};

/* Columns: distance, then for each case the norm and the norm after clipping; NaN for what a logarithm has no place
 * for. */
static void write_norms(FILE *script, const result *r)
{
    fputs("$norms << EOD\n", script);
    for (int64_t d = 0; d <= r->sizes.steps; d++) {
        fprintf(script, "%" PRId64, d);
        for (int i = 0; i < CASES; i++) {
            const double norm = r->flows[i].norms[d];
            if (norm > 0.0 && isfinite(norm))
                fprintf(script, " %.6g %.6g", norm, norm * r->flows[i].clip_factor);
            else
                fputs(" NaN NaN", script);
        }
        fputc('\n', script);
    }
    fputs("EOD\n", script);
}

/* Columns: distance, then for each case the norm over that of the last token. */
static void write_tokens(FILE *script, const result *r)
{
    fputs("$tokens << EOD\n", script);
    for (int64_t d = 0; d < r->sizes.steps; d++) {
        fprintf(script, "%" PRId64, d);
        for (int i = 0; i < ATTENTION_CASES; i++) {
            const double share = r->attention[i].norms[d] / r->attention[i].norms[0];
            if (share > 0.0 && isfinite(share))
                fprintf(script, " %.6g", share);
            else
                fputs(" NaN", script);
        }
        fputc('\n', script);
    }
    fputs("EOD\n", script);
}

static void plot_tokens(FILE *script)
{
    fputs("set origin 0.62,0\nset size 0.38,1\nset key top right noautotitle inside\n"
          "set title \"{/:Bold Back to the tokens of an encoder-decoder}   LSTM\"\n"
          "set xlabel 'distance from the last token'\nset ylabel '|dL/dx_t| / |dL/dx_T|'\nplot ",
          script);
    for (int i = 0; i < ATTENTION_CASES; i++)
        fprintf(script, "%s$tokens using 1:%d with lines linewidth 2.2 linecolor rgb '%s' title '%s'",
                i > 0 ? ", " : "", i + 2, attention_cases[i].colour, attention_cases[i].name);
    fputs("\n", script);
}

static gg_status write_script(FILE *script, const void *what)
{
    const result *r = what;
    write_norms(script, r);
    write_tokens(script, r);
    fprintf(script,
            "set multiplot\nset origin 0,0\nset size 0.62,1\nset title \"{/:Bold Gradients on their way back through "
            "time}   %" PRId64 " units, dashed: clipped at %g\"\n",
            r->sizes.hidden, r->sizes.clip);
    fprintf(script, "set xlabel 'distance from the loss, steps'\nset xrange [0:%" PRId64 "]\n", r->sizes.steps);
    fputs("set ylabel '|dL/dh_t| / |dL/dh_T|'\nset logscale y\nset format y '10^{%L}'\n"
          "set key outside right center reverse Left samplen 2 spacing 1.3 textcolor rgb '#303030'\nplot ",
          script);
    for (int i = 0; i < CASES; i++) {
        fprintf(script, "%s$norms using 1:%d with lines linewidth 2.2 linecolor rgb '%s' title '%s'", i > 0 ? ", " : "",
                2 * i + 2, colours[i], cases[i].name);
        if (r->flows[i].clip_factor < 1.0)
            fprintf(script, ", $norms using 1:%d with lines linewidth 1.4 dashtype 2 linecolor rgb '%s' notitle",
                    2 * i + 3, colours[i]);
    }
    fputc('\n', script);
    plot_tokens(script);
    fputs("unset multiplot\n", script);
    return GG_OK;
}

/* ---- JSON ---- */

static json_t *case_json(const gg_flow_case *c, const gg_flow *f, int64_t steps)
{
    json_t *object = json_object(), *norms = json_array();
    int failed = object == NULL || norms == NULL;
    for (int64_t d = 0; d <= steps; d++)
        failed |= json_array_append_new(norms, gg_json_number(f->norms[d]));
    failed |= json_object_set_new(object, "name", json_string(c->name));
    failed |= json_object_set_new(object, "cell", json_string(gg_cell_name(c->cell)));
    failed |= json_object_set_new(object, "linear", json_boolean(is_linear(c)));
    failed |= json_object_set_new(object, "radius", gg_json_number(f->radius));
    failed |= json_object_set_new(object, "largest_singular_value", gg_json_number(f->singular));
    failed |= json_object_set_new(object, "slope", gg_json_number(f->slope));
    failed |= json_object_set_new(object, "predicted_slope", gg_json_number(is_linear(c) ? log(f->radius) : NAN));
    failed |= json_object_set_new(object, "weight_gradient_norm", gg_json_number(f->weight_norm));
    failed |= json_object_set_new(object, "clip_factor", gg_json_number(f->clip_factor));
    failed |= json_object_set_new(object, "norms", norms);
    if (failed == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *attention_json(const result *r, int i)
{
    json_t *object = json_object(), *norms = json_array();
    int failed = object == NULL || norms == NULL;
    for (int64_t d = 0; d < r->sizes.steps; d++)
        failed |= json_array_append_new(norms, gg_json_number(r->attention[i].norms[d]));
    failed |= json_object_set_new(object, "name", json_string(attention_cases[i].name));
    failed |= json_object_set_new(object, "attention", json_boolean(attention_cases[i].attends));
    failed |= json_object_set_new(object, "first_over_last", gg_json_number(share_of_first(r, i)));
    failed |= json_object_set_new(object, "token_norms", norms);
    if (failed == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *result_json(const result *r)
{
    json_t *object = json_object(), *list = json_array(), *pair = json_array();
    int failed = object == NULL || list == NULL || pair == NULL;
    for (int i = 0; i < ATTENTION_CASES; i++)
        failed |= json_array_append_new(pair, attention_json(r, i));
    for (int i = 0; i < CASES; i++)
        failed |= json_array_append_new(list, case_json(&cases[i], &r->flows[i], r->sizes.steps));
    failed |= json_object_set_new(object, "hidden", json_integer(r->sizes.hidden));
    failed |= json_object_set_new(object, "steps", json_integer(r->sizes.steps));
    failed |= json_object_set_new(object, "clip", gg_json_number(r->sizes.clip));
    failed |= json_object_set_new(object, "cases", list);
    failed |= json_object_set_new(object, "encoder_decoder", pair);
    if (failed == 0)
        return object;
    json_decref(object);
    return NULL;
}

/* ---- the verb ---- */

static gg_status check_outputs(const request *asked)
{
    gg_status status = GG_OK;
    if (asked->json != NULL && strcmp(asked->json, "-") != 0)
        status = gg_output_check("--json", asked->json, true);
    if (status == GG_OK && asked->plot != NULL)
        status = gg_output_check("--plot", asked->plot, false);
    return status == GG_OK && asked->plot != NULL ? gg_plot_check() : status;
}

static int write_results(const request *asked, const result *r)
{
    FILE *words = asked->json != NULL && strcmp(asked->json, "-") == 0 ? stderr : stdout;
    int code = GG_EXIT_DONE;
    print_table(words, r);
    if (asked->json != NULL && gg_output_json(asked->json, result_json(r)) != GG_OK)
        code = gg_failure("gradflow");
    if (asked->plot != NULL && gg_plot_picture(asked->plot, "1700,620", write_script, r) != GG_OK)
        code = gg_failure("gradflow");
    else if (asked->plot != NULL)
        fprintf(words, "picture written to %s\n", asked->plot);
    return code;
}

static int measure(const request *asked)
{
    result r = {.sizes = asked->sizes};
    gg_status status = check_outputs(asked);
    for (int i = 0; i < CASES && status == GG_OK; i++)
        status = gg_flow_measure(&r.flows[i], &cases[i], &asked->sizes);
    for (int i = 0; i < ATTENTION_CASES && status == GG_OK; i++)
        status = gg_attention_flow_measure(&r.attention[i], attention_cases[i].attends, &asked->sizes);
    const int code = status == GG_OK ? write_results(asked, &r) : gg_failure("gradflow");
    for (int i = 0; i < CASES; i++)
        gg_free(r.flows[i].norms);
    for (int i = 0; i < ATTENTION_CASES; i++)
        gg_free(r.attention[i].norms);
    return code;
}

int gg_command_gradflow(int argc, char **argv)
{
    request asked = {.sizes = {.hidden = 64, .steps = 100, .clip = 1.0, .seed = 1}};
    int answer;
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (answer == '?' || answer == ':')
            return gg_option_error("gradflow", answer, argv, options);
        if (!take_option(&asked, answer))
            return GG_EXIT_USAGE;
    }
    if (asked.help)
        return fputs(USAGE, stdout) < 0 ? GG_EXIT_FAILED : GG_EXIT_DONE;
    if (optind < argc)
        return gg_usage_error("gradflow", "unexpected argument '%s'; gradflow takes only options", argv[optind]);
    const size_t length = asked.plot != NULL ? strlen(asked.plot) : 0;
    if (asked.plot != NULL && (length < 4 || strcasecmp(asked.plot + length - 4, ".png") != 0))
        return gg_usage_error("gradflow", "--plot '%.300s': the picture is a PNG, expected a name that ends in .png",
                              asked.plot);
    return measure(&asked);
}

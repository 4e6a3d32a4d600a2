/* generate.c - the verb generate: a text from a model that `gemmgrad train char-lm --save` or `train gpt --save` wrote.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "char_lm.h"
#include "commands.h"
#include "options.h"

static const char USAGE[] =
    "usage: gemmgrad generate MODEL [options]\n"
    "\n"
    "Writes a text, character by character, with a model that 'gemmgrad train char-lm --save MODEL' or 'train gpt\n"
    "--save MODEL' has saved.\n"
    "\n"
    "  --prompt TEXT     what comes before; the model reads it first\n"
    "  --temperature X   below 1 it keeps to the likely, above 1 it strays; 0 takes the likeliest (default 0.8)\n"
    "  --length N        characters (default 500)\n"
    "  --seed N          of the draws (default 1)\n"
    "  --help            this text\n";

enum { OPTION_PROMPT = GG_LONG_ONLY, OPTION_TEMPERATURE, OPTION_LENGTH, OPTION_SEED };

static const struct option options[] = {{"prompt", required_argument, NULL, OPTION_PROMPT},
                                        {"temperature", required_argument, NULL, OPTION_TEMPERATURE},
                                        {"length", required_argument, NULL, OPTION_LENGTH},
                                        {"seed", required_argument, NULL, OPTION_SEED},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static const int64_t MOST_LENGTH = 100000000, MOST_WIDTH = 1 << 16;
static const double MOST_TEMPERATURE = 1000.0;

typedef struct request {
    const char *model, *prompt;
    double temperature;
    int64_t length;
    uint64_t seed;
} request;

static bool take_option(request *asked, int option)
{
    switch (option) {
    case OPTION_PROMPT: asked->prompt = optarg; return true;
    case OPTION_TEMPERATURE:
        return gg_parse_from_zero(&asked->temperature, "generate", "temperature", optarg, MOST_TEMPERATURE);
    case OPTION_LENGTH: return gg_parse_integer(&asked->length, "generate", "length", optarg, 1, MOST_LENGTH);
    default: return gg_parse_seed(&asked->seed, "generate", "seed", optarg);
    }
}

/* ---- the model ---- */

static gg_status read_width(int64_t *out, const gg_safetensors *file, const char *key, const char *path)
{
    const char *text = gg_safetensors_metadata(file, key);
    char *end = NULL;
    *out = text != NULL ? strtoll(text, &end, 10) : 0;
    if (*out >= 1 && *out <= MOST_WIDTH && *end == '\0')
        return GG_OK;
    return gg_fail(GG_ERR_FORMAT, "'%.300s': its %s is %.40s", path, key, text != NULL ? text : "missing");
}

static gg_status read_shape(gg_char_lm *shape, gg_characters *characters, const gg_safetensors *file, const char *path)
{
    const char *task = gg_safetensors_metadata(file, "task");
    const char *bytes = gg_safetensors_metadata(file, "characters");
    shape->cell = gg_safetensors_metadata(file, "cell");
    const bool known = task != NULL && (strcmp(task, "char-lm") == 0 || strcmp(task, "gpt") == 0);
    if (!known || bytes == NULL || shape->cell == NULL)
        return gg_fail(GG_ERR_FORMAT, "'%.300s' is no model of the tasks char-lm and gpt", path);
    const bool gpt = gg_char_lm_is_gpt(shape);
    gg_status status = gg_characters_load(characters, bytes);
    if (status == GG_OK && characters->count == 0)
        status = gg_fail(GG_ERR_FORMAT, "'%.300s': it knows no characters", path);
    shape->characters = characters->count;
    shape->generates = gpt;
    if (status == GG_OK && gpt)
        status = read_width(&shape->heads, file, "heads", path);
    if (status == GG_OK)
        status = read_width(gpt ? &shape->context : &shape->embedding, file, gpt ? "context" : "embedding", path);
    if (status == GG_OK)
        status = read_width(&shape->hidden, file, "hidden", path);
    return status == GG_OK ? read_width(&shape->layers, file, "layers", path) : status;
}

static gg_status open_model(gg_char_lm_network *net, gg_characters *characters, const char *path)
{
    gg_char_lm shape = {.dropout = 0.0};
    gg_safetensors *file = NULL;
    gg_status status = gg_safetensors_read(&file, path);
    if (status != GG_OK)
        return status;
    status = read_shape(&shape, characters, file, path);
    if (status == GG_OK)
        status = gg_char_lm_build(net, &shape, 0);
    if (status == GG_OK)
        status = gg_model_set_largest(net->model, GG_TIME, shape.context > 0 ? shape.context : 1);
    if (status == GG_OK)
        status = gg_model_plan(net->model, GG_NO_VALUE, 1);
    if (status == GG_OK)
        status = gg_model_load(net->model, file);
    gg_safetensors_free(file);
    return status;
}

/* ---- the text ---- */

static gg_status write_text(const request *asked)
{
    gg_char_lm_network net = {.model = NULL};
    gg_characters characters;
    void *text = NULL;
    gg_status status = gg_alloc(&text, (size_t)asked->length);
    if (status == GG_OK)
        status = open_model(&net, &characters, asked->model);
    if (status == GG_OK)
        status =
            gg_char_lm_write(text, asked->length, &net, &characters, asked->prompt, asked->temperature, asked->seed);
    if (status == GG_OK) {
        fputs(asked->prompt, stdout);
        fwrite(text, 1, (size_t)asked->length, stdout);
        fputc('\n', stdout);
    }
    gg_model_free(net.model);
    gg_free(text);
    return status;
}

int gg_command_generate(int argc, char **argv)
{
    request asked = {.prompt = "", .temperature = 0.8, .length = 500, .seed = 1};
    int answer;
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (answer == 'h')
            return fputs(USAGE, stdout) < 0 ? GG_EXIT_FAILED : GG_EXIT_DONE;
        if (answer == '?' || answer == ':')
            return gg_option_error("generate", answer, argv, options);
        if (!take_option(&asked, answer))
            return GG_EXIT_USAGE;
    }
    if (optind >= argc)
        return gg_usage_error("generate", "which model? Name a file that 'gemmgrad train char-lm --save' wrote");
    if (optind + 1 < argc)
        return gg_usage_error("generate", "unexpected argument '%s' after the model", argv[optind + 1]);
    asked.model = argv[optind];
    return write_text(&asked) == GG_OK ? GG_EXIT_DONE : gg_failure("generate");
}

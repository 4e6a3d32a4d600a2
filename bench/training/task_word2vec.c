/* task_word2vec.c - vectors of words: a word from its neighbours (CBOW) or the neighbours from a word (skip-gram), by
 * negative sampling or by a softmax over the whole vocabulary. */
#include <inttypes.h>
#include <string.h>

#include "tasks.h"

enum { TALES_BYTES = 400000, TALES_SEED = 1, TIMES = 5 /* rarer words are left out */, NEGATIVES = 5 };
enum { MOST_FACTS = 16, SHOWN = 6, NEIGHBOURS = 5, LEAST_LETTERS = 4 };

typedef struct word2vec_task {
    gg_corpus corpus;
    gg_word_batches *batches;
    gg_source source; /* that of the batches with the variant */
    gg_metadata facts[MOST_FACTS];
    int64_t features;
} word2vec_task;

typedef struct shape {
    const char *variant;
    gg_word_model model;
    int64_t features, window, negatives;
} shape;

typedef struct network {
    gg_model *model;
    gg_value input, targets, labels, loss;
} network;

static void close_task(void *own)
{
    word2vec_task *task = own;
    gg_word_batches_free(task->batches);
    gg_corpus_free(&task->corpus);
    gg_free(task);
}

static gg_status choose_variant(shape *s, const char *name)
{
    static const struct {
        const char *name;
        gg_word_model model;
        int64_t negatives;
    } variants[] = {{"cbow", GG_CBOW, NEGATIVES},
                    {"skip-gram", GG_SKIP_GRAM, NEGATIVES},
                    {"cbow-softmax", GG_CBOW, 0},
                    {"skip-gram-softmax", GG_SKIP_GRAM, 0}};
    s->variant = name != NULL ? name : "cbow";
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (strcmp(s->variant, variants[i].name) == 0) {
            s->model = variants[i].model;
            s->negatives = variants[i].negatives;
            return GG_OK;
        }
    return gg_fail(GG_ERR_ARGUMENT, "--variant '%.40s': expected cbow, skip-gram, cbow-softmax or skip-gram-softmax",
                   s->variant);
}

/* ---- network ---- */

static gg_value add_vectors(network *net, const char *name, gg_value words, int64_t count, int64_t features,
                            float scale)
{
    gg_model_name_next(net->model, name);
    return gg_embedding(net->model, words, count, features,
                        &(gg_embedding_options){
                            .init = scale > 0.0f ? GG_INIT_NORMAL : GG_INIT_ZERO, .init_scale = scale, .sparse = true});
}

static void add_negative_sampling(network *net, const shape *s, gg_value h, int64_t words)
{
    const int64_t sets = s->model == GG_CBOW ? 1 : 2 * s->window;
    const int64_t dims[] = {GG_BATCH, sets * (1 + s->negatives)};
    net->targets = gg_input_labels(net->model, "targets", 2, dims);
    net->labels = gg_input_labels(net->model, "right", 2, dims);
    const gg_value e = add_vectors(net, "outputs", net->targets, words, s->features, 0.0f);
    net->loss = gg_negative_sampling_loss(net->model, h, e, net->labels);
}

static void add_softmax(network *net, const shape *s, gg_value h, int64_t words)
{
    net->targets = s->model == GG_CBOW ? gg_input_labels(net->model, "targets", 1, (int64_t[]){GG_BATCH})
                                       : gg_input(net->model, "targets", 2, (int64_t[]){GG_BATCH, words});
    net->loss = gg_softmax_with_loss(net->model, gg_matmul(net->model, h, words, NULL), net->targets);
}

/* The vectors of words are the parameter made first. */
static gg_status build(network *net, const shape *s, int64_t words, uint64_t seed)
{
    const gg_status status = gg_model_new(&net->model, seed);
    if (status != GG_OK)
        return status;
    const float scale = 0.5f / (float)s->features;
    const int64_t dims[] = {GG_BATCH, 2 * s->window};
    net->input = gg_input_labels(net->model, "words", s->model == GG_CBOW ? 2 : 1, dims);
    gg_value h = add_vectors(net, "vectors", net->input, words, s->features, scale);
    if (s->model == GG_CBOW)
        h = gg_mean_rows(net->model, h);
    if (s->negatives > 0)
        add_negative_sampling(net, s, h, words);
    else
        add_softmax(net, s, h, words);
    return GG_OK;
}

/* ---- the nearest words ---- */

/* Frequent words of some length: the shortest are those that stand by any other. */
static void show(FILE *out, gg_model *model, void *own)
{
    const word2vec_task *task = own;
    const gg_corpus *c = &task->corpus;
    gg_parameter vectors;
    int shown = 0;
    if (gg_model_parameter(model, 0, &vectors) != GG_OK)
        return;
    const float *rows = gg_model_parameters(model) + vectors.offset;
    fputs("\nThe words most similar to some that are frequent:\n", out);
    for (int64_t w = 0; w < c->words && shown < SHOWN; w++) {
        gg_neighbour near[NEIGHBOURS];
        int64_t found = 0;
        if (strlen(c->word[w]) < LEAST_LETTERS)
            continue;
        if (gg_most_similar(near, &found, NEIGHBOURS, rows, rows + w * task->features, &w, 1, c->words, task->features)
            != GG_OK)
            return;
        fprintf(out, "  %-14s", c->word[w]);
        for (int64_t i = 0; i < found; i++)
            fprintf(out, "  %s %.2f", c->word[near[i].word], (double)near[i].similarity);
        fputc('\n', out);
        shown++;
    }
}

/* ---- opening ---- */

static gg_status read_corpus(gg_corpus *corpus, const char *path)
{
    void *tales = NULL;
    if (path != NULL)
        return gg_corpus_read(corpus, path, TIMES);
    gg_status status = gg_alloc(&tales, TALES_BYTES);
    if (status == GG_OK)
        status = gg_tales_write(tales, TALES_BYTES, TALES_SEED);
    if (status == GG_OK)
        status = gg_corpus_parse(corpus, tales, TALES_BYTES, TIMES, "the tales");
    gg_free(tales);
    return status;
}

static void list_facts(word2vec_task *task, const shape *s)
{
    const gg_source *batches = gg_word_source(task->batches);
    int64_t count = 0;
    task->facts[count++] = (gg_metadata){"variant", s->variant};
    for (int64_t i = 0; i < batches->fact_count && count < MOST_FACTS; i++)
        task->facts[count++] = batches->facts[i];
    task->source = *batches;
    task->source.facts = task->facts;
    task->source.fact_count = count;
}

/* Negative sampling has no product of two matrices. */
static int64_t count_multiply_adds(const shape *s, int64_t words)
{
    return s->negatives > 0 ? 0 : 3 * s->features * words;
}

static gg_status open_task(word2vec_task *task, gg_network *out, const gg_task_options *o)
{
    shape s = {.features = o->hidden > 0 ? o->hidden : 100, .window = o->window > 0 ? o->window : 5};
    network net = {.model = NULL};
    gg_status status = choose_variant(&s, o->variant);
    if (status == GG_OK)
        status = read_corpus(&task->corpus, o->data);
    if (status == GG_OK)
        status = build(&net, &s, task->corpus.words, o->seed);
    out->model = net.model;
    if (status != GG_OK)
        return status;
    out->loss = net.loss;
    out->multiply_adds = count_multiply_adds(&s, task->corpus.words);
    task->features = s.features;
    status = gg_word_batches_new(&task->batches, &(gg_word_options){.corpus = &task->corpus,
                                                                    .model = s.model,
                                                                    .batch = o->batch,
                                                                    .window = s.window,
                                                                    .negatives = s.negatives,
                                                                    .seed = o->seed,
                                                                    .input = net.input,
                                                                    .targets = net.targets,
                                                                    .labels = net.labels});
    if (status == GG_OK)
        list_facts(task, &s);
    return status;
}

gg_status gg_word2vec_open(gg_feed *feed, gg_network *out, const gg_task_options *options)
{
    void *memory = NULL;
    gg_status status = gg_alloc_zero(&memory, sizeof(word2vec_task));
    if (status != GG_OK)
        return status;
    word2vec_task *task = memory;
    *feed = (gg_feed){.own = task, .close = close_task};
    status = open_task(task, out, options);
    feed->source = &task->source;
    feed->unit = "words";
    feed->train_count = task->corpus.tokens;
    feed->show = show;
    return status;
}

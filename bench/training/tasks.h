/* tasks.h - what can be trained: each task is a row of the table in tasks.c and one file task_NAME.c.
 *
 * To add one: write task_NAME.c with a function that loads the data and one that builds the network, or, where data are
 * no samples with labels, one that opens a feed; declare them below, add the row. Options, progress, checkpoints,
 * figures and plots come by themselves. */
#ifndef GEMMGRAD_BENCH_TASKS_H
#define GEMMGRAD_BENCH_TASKS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <gemmgrad/blas_backend.h>
#include <gemmgrad/layers.h>

/* Samples in memory of gg_alloc; freed by gg_task_data_free. */
typedef struct gg_task_data {
    float *train_x, *test_x;
    int32_t *train_labels, *test_labels;
    int64_t train_count, test_count, features;
    int64_t height, width; /* of images of one channel, pixels from 0 to 1; 0: they are none */
    int classes;
} gg_task_data;

/* A built model that is not planned yet. multiply_adds: m*n*k summed over the products of two matrices that one
 * sample (one element of a feed) costs in one training step, by formula from the shapes alone, never from what the
 * library did. Of a feed only model, loss and multiply_adds are set. */
typedef struct gg_network {
    gg_model *model;
    gg_value input, labels, scores, loss;
    int64_t multiply_adds;
} gg_network;

/* Data of any other kind, with what the task keeps for itself. */
typedef struct gg_feed {
    const gg_source *source;
    const char *unit;     /* what the source counts: "characters" */
    const char *accuracy; /* what its accuracy is the share of: "exact answers" */
    int64_t train_count, test_count;
    void *own;
    void (*show)(FILE *out, gg_model *model, void *own); /* what the model can do now */
    /* One plot of gnuplot beside those of loss and accuracy, in the place that is set; NULL: none. */
    gg_status (*plot)(FILE *script, gg_model *model, void *own);
    void (*close)(void *own);
} gg_feed;

/* What a task may be asked for besides what all have; 0 and NULL where nothing was said, dropout then negative. */
typedef struct gg_task_options {
    const char *data; /* path */
    int64_t batch;
    uint64_t seed;
    const char *cell, *variant, *attention;
    int64_t hidden, layers, embedding, window, heads, width, context;
    double dropout;
} gg_task_options;

typedef struct gg_task {
    const char *name;
    const char *about; /* one line */
    gg_status (*load)(gg_task_data *out, const char *path);
    gg_status (*build)(gg_network *out, const gg_task_data *data, uint64_t seed);
    gg_status (*open)(gg_feed *feed, gg_network *out, const gg_task_options *options); /* instead of load and build */
    const char *options;   /* names of those of gg_task_options that it takes, batch and seed apart */
    const char *choices;   /* what cell, variant or attention, of which a task has one, may be */
    bool reads_files;      /* needs --data; otherwise the data are drawn */
    int64_t epochs, batch; /* defaults of the options */
    double rate;
    gg_optimizer_options optimizer;
    double warmup_epochs; /* of the schedule, which depends on the task and never on --epochs: */
    int64_t decay_epochs; /* every decay_epochs epochs the rate is multiplied by decay; 0: constant */
    float decay;
    bool cosine; /* instead: by a cosine to `decay` of it within decay_epochs epochs */
} gg_task;

/* The table. */
extern const gg_task gg_tasks[];
extern const int gg_task_count;

/* NULL when there is none of that name. */
const gg_task *gg_task_find(const char *name);

void gg_task_data_free(gg_task_data *data);

/* Allocate the arrays for the counts, features and classes already set in *data; on failure they are NULL. */
gg_status gg_task_data_allocate(gg_task_data *data);

/* task_spiral.c, task_digits.c, task_mnist.c */
gg_status gg_spiral_load(gg_task_data *out, const char *path);
gg_status gg_spiral_build(gg_network *out, const gg_task_data *data, uint64_t seed);
gg_status gg_digits_load(gg_task_data *out, const char *path);
gg_status gg_digits_build(gg_network *out, const gg_task_data *data, uint64_t seed);
gg_status gg_mnist_read(gg_task_data *out, const char *path);
gg_status gg_mnist_mlp_build(gg_network *out, const gg_task_data *data, uint64_t seed);

/* task_char_lm.c, task_addition.c, task_date.c, task_word2vec.c */
gg_status gg_char_lm_open(gg_feed *feed, gg_network *out, const gg_task_options *options);
gg_status gg_gpt_open(gg_feed *feed, gg_network *out, const gg_task_options *options);
gg_status gg_addition_open(gg_feed *feed, gg_network *out, const gg_task_options *options);
gg_status gg_date_open(gg_feed *feed, gg_network *out, const gg_task_options *options);
gg_status gg_word2vec_open(gg_feed *feed, gg_network *out, const gg_task_options *options);

/* task_cnn.c, task_resnet.c: for images of any source */
gg_status gg_cnn_build(gg_network *out, const gg_task_data *data, uint64_t seed);
gg_status gg_resnet_build(gg_network *out, const gg_task_data *data, uint64_t seed);

#endif

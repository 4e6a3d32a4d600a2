/* tasks.h - what can be trained: each task is a row of the table in tasks.c and one file task_NAME.c.
 *
 * To add one: write task_NAME.c with a function that loads the data and one that builds the network, declare both
 * below, add the row. Options, progress, checkpoints, figures and plots come by themselves. */
#ifndef GEMMGRAD_BENCH_TASKS_H
#define GEMMGRAD_BENCH_TASKS_H

#include <stdbool.h>
#include <stdint.h>

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
 * sample costs in one training step, by formula from the shapes alone, never from what the library did. */
typedef struct gg_network {
    gg_model *model;
    gg_value input, labels, scores, loss;
    int64_t multiply_adds;
} gg_network;

typedef struct gg_task {
    const char *name;
    const char *about; /* one line */
    gg_status (*load)(gg_task_data *out, const char *path);
    gg_status (*build)(gg_network *out, const gg_task_data *data, uint64_t seed);
    bool reads_files;      /* needs --data; otherwise the data are drawn */
    int64_t epochs, batch; /* defaults of the options */
    double rate;
    gg_optimizer_options optimizer;
    double warmup_epochs; /* of the schedule, which depends on the task and never on --epochs: */
    int64_t decay_epochs; /* every decay_epochs epochs the rate is multiplied by decay; 0: constant */
    float decay;
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

/* task_cnn.c, task_resnet.c: for images of any source */
gg_status gg_cnn_build(gg_network *out, const gg_task_data *data, uint64_t seed);
gg_status gg_resnet_build(gg_network *out, const gg_task_data *data, uint64_t seed);

#endif

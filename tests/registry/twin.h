/* twin.h - a network built twice: by the library as a gg_model, and as a list of reference layers in double.
 *
 * Each twin_... that adds a layer takes the value that the library's function returned and says what the reference is
 * to do. Then the two are compared in one of two ways: layer by layer (twin_check): each reference layer gets the very
 * floats that the library's layer got, forward and backward, so that the bound is the rounding of one layer, however
 * deep the network is; as a whole (twin_compute): the reference computes everything from the inputs in double, for
 * finite differences and for golden files. Memory is support.h's: a twin is gone after its test; twin_free gives back
 * the model. */
#ifndef TWIN_H
#define TWIN_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/layer.h>
#include <gemmgrad/model.h>

#include "reference_attend.h"
#include "reference_images.h"
#include "reference_sequence.h"
#include "reference_transformer.h"
#include "reference_words.h"

enum { TWIN_VALUES = 96, TWIN_PARAMETERS = 64 };

/* How an input is filled. */
typedef enum twin_content { TWIN_UNIFORM, TWIN_ONE_HOT, TWIN_LABELS, TWIN_SOME_IGNORED, TWIN_ALL_IGNORED } twin_content;

typedef struct twin_value {
    gg_value value;
    const reference_layer *layer; /* NULL: an input */
    const char *name;             /* of an input */
    int inputs[4], input_count;   /* twin values; -1 within: not given */
    int w, b;                     /* parameters; -1: none */
    int more[4];                  /* parameters of a recurrent layer behind those */
    int rank;
    int64_t dims[GG_MAX_RANK]; /* as the reference understands the layer; compared with the model's */
    int64_t out;
    gg_activation activation;
    double alpha;
    float ratio;           /* dropout */
    gg_pool_window window; /* pooling */
    bool relu;             /* batch normalisation */
    gg_conv_shape conv;    /* convolution, without its batch */
    bool conv_transposed;
    int64_t image[3]; /* convolution: channels, height (of images) and width of the output */
    reference_recurrence recurrence;
    reference_attend attend;
    bool rms;                  /* layer normalisation: RMS, without b */
    int time_dimension;        /* positions */
    int64_t heads, head_width; /* rotary positions */
    bool tied;                 /* affine: the weight is that of the embedding `shares` */
    bool another;              /* another output of the node of `shares`, with its parameters */
    int shares;                /* a twin value */
    int node;                  /* place among the layers: dropout's random numbers depend on it */
    twin_content content;
    double low, high;
    float *data; /* of an input, at the largest extents */
    int32_t *labels;
    bool leads; /* the loss depends on it; set by the plan */
} twin_value;

/* A double for every number of the network. */
typedef struct twin_numbers {
    double *value[TWIN_VALUES], *gradient[TWIN_VALUES];
    double *weight[TWIN_PARAMETERS], *weight_gradient[TWIN_PARAMETERS];
} twin_numbers;

typedef struct twin {
    gg_model *model;
    uint64_t seed; /* of the model */
    twin_value values[TWIN_VALUES];
    int count, layers, parameters;
    int loss;
    double weight_low, weight_high; /* of a weight with one row; divided by sqrt(rows); equal: the default */
    int64_t largest[GG_AXIS_COUNT], extent[GG_AXIS_COUNT];
} twin;

/* ---- building ---- */

void twin_new(twin *t, uint64_t seed);
void twin_free(twin *t);

int twin_input(twin *t, const char *name, int rank, const int64_t *dims, twin_content content, double low, double high);

/* A layer that the library has just added as `value`; `how` says all but value, dims and node. */
int twin_layer(twin *t, gg_value value, twin_value how);

/* The layers that composite networks are made of. */
int twin_affine(twin *t, int x, int64_t out, gg_activation f, float alpha);
int twin_activate(twin *t, int x, gg_activation f, float alpha);
int twin_pair(twin *t, const reference_layer *layer, int a, int b); /* add, multiply, divide, squared error, ... */
int twin_softmax(twin *t, int x);
int twin_dropout(twin *t, int x, float ratio);
int twin_sum(twin *t, int x);
int twin_repeat(twin *t, int x, int64_t count);
int twin_image(twin *t, int x, twin_value how); /* pooling, batch normalisation, ...: `how` says layer and options */
int twin_softmax_with_loss(twin *t, int x, int targets);

/* Mean squared error against an input of its own; a value that is a loss already stays itself. */
int twin_to_scalar(twin *t, int value);

bool twin_is_labels(const twin *t, int value);

/* ---- running ---- */

/* Keep every value, with its gradient where that is a gradient of floats. */
void twin_keep_all(twin *t);

/* Plan for these extents and fill inputs and parameters with random numbers. `loss` becomes the loss. */
void twin_plan(twin *t, int loss, int64_t batch, int64_t time);
void twin_fill(twin *t, uint64_t seed);

/* Bind inputs, forward, backward; everything must succeed. */
void twin_step(twin *t);
void twin_set_batch(twin *t, int64_t batch);

/* All results of a step: loss, parameters' gradients, kept values and gradients, in a new array of *count floats. */
float *twin_results(const twin *t, int64_t *count);

/* ---- comparing ---- */

/* Floats of a value, of a parameter. */
int64_t twin_size(const twin *t, int v);
int64_t twin_parameter_size(const twin *t, int parameter);

/* Everything that the last step left, layer by layer; the model must keep all. `what` begins the message. */
void twin_check(const twin *t, const char *what);

/* Numbers of the right sizes, all zero. */
twin_numbers *twin_numbers_new(const twin *t);

/* Inputs and parameters as the library has them. */
void twin_take_inputs(const twin *t, twin_numbers *n);

/* Every value from the inputs and parameters in n; returns the loss. */
double twin_compute(const twin *t, twin_numbers *n);

/* Every gradient, after twin_compute. */
void twin_compute_gradients(const twin *t, twin_numbers *n);

/* The smallest distance of an activation's input from a kink, after twin_compute; infinite without kinks. */
double twin_distance_from_kinks(const twin *t, const twin_numbers *n);

#endif

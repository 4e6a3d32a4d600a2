/* node.h - the inside of a model, for the files of layers/.
 *
 * A model is a list of nodes in the order of computation (a node can only take values that exist already). A layer's
 * file has a function that checks shapes and adds a node (gg_node_begin ... gg_node_finish), and a class with forward
 * and backward, which find everything they need in the gg_pass. A layer allocates nothing and never asks how its
 * buffers came about. */
#ifndef GG_NODE_H
#define GG_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gemmgrad/layer.h>
#include <gemmgrad/model.h>

enum {
    GG_NODE_INPUTS = 8,
    GG_NODE_OUTPUTS = 4,
    GG_NODE_PARAMETERS = 8,
    GG_NODE_BUFFERS = 4,
    GG_NODE_OPTION_BYTES = 64,
    GG_NAME_BYTES = 48
};

typedef struct gg_node gg_node;

/* What forward and backward of one node see. Pointers that are not wanted are NULL. */
typedef struct gg_pass {
    const gg_node *node;
    gg_mode mode;
    int64_t step;                          /* training step: for random numbers */
    uint64_t seed;                         /* of this node's random numbers */
    const float *x[GG_NODE_INPUTS];        /* inputs; NULL for labels */
    const int32_t *labels[GG_NODE_INPUTS]; /* inputs that are labels */
    float *y[GG_NODE_OUTPUTS];
    const float *dy[GG_NODE_OUTPUTS]; /* backward: gradients of the outputs; NULL where nothing flows back */
    float *dx[GG_NODE_INPUTS];        /* backward: where the inputs' gradients go; NULL: not wanted */
    bool add_dx[GG_NODE_INPUTS];      /* += instead of =; only for classes that say adds_gradients */
    const float *w[GG_NODE_PARAMETERS];
    float *dw[GG_NODE_PARAMETERS];
    bool add_dw[GG_NODE_PARAMETERS];
    float *buffer[GG_NODE_BUFFERS];
    int64_t rows;        /* of the first input: all leading dimensions together */
    int64_t columns;     /* of the first input: its last dimension */
    int64_t size;        /* of the first input: rows * columns */
    const void *options; /* the layer's own, as given to gg_node_begin */
} gg_pass;

/* What all nodes of one kind share. */
typedef struct gg_layer_class {
    const char *kind; /* "affine": the stem of the nodes' names */
    gg_status (*forward)(const gg_pass *pass);
    gg_status (*backward)(const gg_pass *pass);
    bool adds_gradients;      /* backward honours add_dx and add_dw (a class with parameters must); otherwise it only
                               * overwrites dx, and the model adds where several layers read one value */
    bool gradient_in_forward; /* forward in GG_TRAIN may write dx already, backward finds it there */
} gg_layer_class;

typedef enum gg_buffer_life {
    GG_BUFFER_CACHE,   /* written by forward, read by backward */
    GG_BUFFER_FORWARD, /* scratch of forward */
    GG_BUFFER_BACKWARD /* scratch of backward */
} gg_buffer_life;

typedef struct gg_shape {
    int rank;
    int64_t dims[GG_MAX_RANK]; /* negative: an axis */
} gg_shape;

typedef struct gg_buffer {
    gg_shape shape;
    gg_buffer_life life;
    int64_t offset;
} gg_buffer;

struct gg_node {
    const gg_layer_class *layer_class;
    char name[GG_NAME_BYTES];
    int input_count, output_count, parameter_count, buffer_count;
    int32_t inputs[GG_NODE_INPUTS], outputs[GG_NODE_OUTPUTS], parameters[GG_NODE_PARAMETERS];
    bool reads_input[GG_NODE_INPUTS]; /* backward reads x[i] */
    bool reads_output;                /* backward reads y */
    gg_buffer buffers[GG_NODE_BUFFERS];
    _Alignas(16) unsigned char options[GG_NODE_OPTION_BYTES];
    /* set by the plan */
    bool trains;                   /* lies between a parameter and the loss: takes part in backward */
    int64_t spare[GG_NODE_INPUTS]; /* offset of a buffer for dx[i] that the model then adds; -1: none */
    gg_pass pass;
    /* set for a run */
    bool needed;
};

typedef struct gg_value_info {
    gg_shape shape;
    bool is_input, is_labels, keep, keep_gradient;
    char name[GG_NAME_BYTES];        /* of an input */
    int32_t producer;                /* node, -1 for an input */
    bool wants_gradient;             /* set by the plan */
    int64_t offset, gradient_offset; /* in the workspace, floats; -1: none */
    const float *data;
    const int32_t *labels;
    float *gradient;
    int64_t size; /* at the present extents */
} gg_value_info;

typedef struct gg_parameter_info {
    char name[GG_NAME_BYTES + 16];
    gg_shape shape;
    float deviation; /* of the normal distribution it starts from; 0: all zero */
    bool orthogonal; /* it starts as an orthogonal matrix times `deviation` instead */
    int64_t offset, size;
    bool trains; /* set by the plan: some gradient reaches it */
} gg_parameter_info;

struct gg_model {
    uint64_t seed;
    int64_t step;
    gg_status error; /* the first one made while building */
    char message[512];
    char next_name[GG_NAME_BYTES];
    gg_node *nodes;
    gg_value_info *values;
    gg_parameter_info *parameters;
    int32_t node_count, node_room, value_count, value_room, parameter_count, parameter_room;
    int64_t largest[GG_AXIS_COUNT]; /* for the next plan; the batch is given to gg_model_plan */
    int64_t planned_for[GG_AXIS_COUNT], extent[GG_AXIS_COUNT];
    gg_value loss;
    bool planned;
    float *weights, *gradients, *workspace;
    int64_t parameter_floats, workspace_floats;
    int32_t last_target; /* of the last run; -1: none */
    bool backward_ready;
    double loss_value;
};

/* ---- for a layer's building function ---- */

/* Start a node of that class. `options` (at most GG_NODE_OPTION_BYTES) is copied. NULL when the model is in error, is
 * planned already, or has no memory: the layer then returns GG_NO_VALUE. */
gg_node *gg_node_begin(gg_model *model, const gg_layer_class *layer_class, const void *options, size_t option_bytes);

/* Add an input. The shape must be read before (gg_value_shape); `read_back`: backward reads its data. */
void gg_node_input(gg_model *model, gg_node *node, gg_value value, bool read_back);

/* Add a parameter "name.suffix" that starts from a normal distribution of that deviation. */
void gg_node_parameter(gg_model *model, gg_node *node, const char *suffix, const gg_shape *shape, float deviation);

/* The parameter added last, a matrix, starts as an orthogonal one times its deviation. */
void gg_node_orthogonal(gg_model *model);

/* Add a buffer; it appears as pass->buffer[i] in the order of the calls. */
void gg_node_buffer(gg_node *node, const gg_shape *shape, gg_buffer_life life);

/* Add the (first, second, ...) output. */
gg_value gg_node_output(gg_model *model, gg_node *node, const gg_shape *shape);

/* The error that the model keeps; returns GG_NO_VALUE. printf-style. */
gg_value gg_model_error(gg_model *model, gg_status status, const char *format, ...) GG_PRINTF(3, 4);

/* The shape of a layer's input, or NULL with the model in error ("affine: x is not a value of this model"). Labels are
 * no floats: an error unless `labels` says that they are expected. */
const gg_shape *gg_value_shape(gg_model *model, gg_value value, const char *layer, const char *argument, bool labels);

/* The last dimension as a number of features; 0 with the model in error when it is an axis. */
int64_t gg_value_features(gg_model *model, gg_value value, const char *layer, const char *argument);

/* Whether t suits the scores or probabilities x: labels of x's shape without its last dimension ([1] for a single row),
 * or targets of x's shape; the model is in error otherwise. */
bool gg_targets_fit(gg_model *model, gg_value x, gg_value t, const char *layer);

bool gg_shapes_equal(const gg_shape *a, const gg_shape *b);

/* "[batch, 784]" in the caller's text. */
const char *gg_shape_text(const gg_shape *shape, char text[96]);

/* Deviation of a weight's start for an initializer and the activation behind it. */
float gg_initial_deviation(gg_initializer init, gg_activation f, int64_t in, int64_t out, float scale);

/* ---- between model.c, plan.c and run.c ---- */

/* Floats of a shape at those extents. */
gg_status gg_shape_floats(int64_t *floats, const gg_shape *shape, const int64_t extents[GG_AXIS_COUNT]);

/* Recompute sizes and pointers after a plan or a change of extents. */
void gg_model_refresh(gg_model *model);

bool gg_model_owns(const gg_model *model, gg_value value);

#endif

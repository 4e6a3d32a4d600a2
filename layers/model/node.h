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
    GG_NODE_BUFFERS = 6,
    GG_NODE_STATES = 4,
    GG_NODE_OPTION_BYTES = 192,
    GG_NAME_BYTES = 48
};

typedef struct gg_node gg_node;

/* What an optimiser asks of the backward of a layer y = x W + b: sums over the rows of (x, 1)^T (x, 1), the 1 with a
 * bias only, and of dz^T dz with dz = dL/d(x W + b). The optimiser owns the matrices, the layer overwrites them. */
typedef struct gg_moments {
    float *x, *dz;
    int64_t rows; /* written by the layer */
    bool wanted;  /* in this step */
} gg_moments;

/* Of a sparse parameter [rows, cols]: the rows of its gradient that may be other than 0. */
typedef struct gg_touched {
    int32_t *rows; /* the first `count` of them, each once */
    int32_t *mark; /* mark[r]: whether row r is one of them */
    int64_t count;
} gg_touched;

/* The activation of the layer before, whose derivative the reader of its output brings in (handover.c). */
typedef struct gg_undo {
    gg_activation f; /* identity: nothing to do */
    float alpha;
} gg_undo;

/* A convolution with the normalisation behind it, for inference (fold.c). */
typedef struct gg_folded {
    int32_t norm; /* the normalisation's node; -1: none fits */
    const float *w, *b;
    float *y;
    gg_activation activation;
} gg_folded;

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
    gg_touched *touched[GG_NODE_PARAMETERS]; /* of parameters that are sparse; NULL of others */
    float *buffer[GG_NODE_BUFFERS];
    float *state[GG_NODE_STATES];
    gg_undo undo;            /* backward: dx[0] is to be multiplied by f'(x[0]), known from x = f(..) */
    bool undone;             /* backward: dy[0] is the gradient before this layer's activation already */
    bool linear;             /* forward leaves its activation out: only asked of classes that say linear_in_weight */
    bool updates_state;      /* forward of GG_TRAIN or GG_CONTINUE: the states of sequences move on */
    const int64_t *extents;  /* of the axes, present: axis a has extents[-1 - a] */
    const int64_t *planned;  /* the same, as large as planned */
    int64_t rows;            /* of the first input: all leading dimensions together */
    int64_t columns;         /* of the first input: its last dimension */
    int64_t size;            /* of the first input: rows * columns */
    const void *options;     /* the layer's own, as given to gg_node_begin */
    const gg_folded *folded; /* forward takes these weights, this y and this activation; NULL: its own */
    gg_moments *moments;     /* NULL, or for backward of a class that says gives_moments */
} gg_pass;

/* What all nodes of one kind share. */
typedef struct gg_layer_class {
    const char *kind; /* "affine": the stem of the nodes' names */
    gg_status (*forward)(const gg_pass *pass);
    gg_status (*backward)(const gg_pass *pass);
    bool adds_gradients;      /* backward honours add_dx and add_dw (a class with parameters must); otherwise it only
                               * overwrites dx, and the model adds where several layers read one value */
    bool linear_in_weight;    /* before its activation, y is linear in parameter 0; forward heeds pass->linear */
    bool gives_moments;       /* backward fills pass->moments when they are there and wanted; parameters: W, b or W */
    bool undoes_activation;   /* backward heeds pass->undo */
    bool passes_gradient;     /* dx of every input is dy[0], and where they are one memory nothing is done */
    bool gradient_in_forward; /* forward in GG_TRAIN may write dx already, backward finds it there */

    /* Of a normalisation by channels: w [channels, columns] and b [channels] (NULL: zeros) of the convolution before it
     * become those that do both; the activation that is left. NULL for all other classes. */
    gg_status (*fold)(gg_activation *activation, float *folded_w, float *folded_b, const float *w, const float *b,
                      int64_t columns, const gg_pass *pass);

    /* Floats of buffer b, one that gg_node_workspace added, in runs with up to these extents and gg_threads() threads:
     * asked by every plan. NULL for classes without such buffers. */
    gg_status (*workspace)(int64_t *floats, const gg_node *node, int b, const int64_t extents[GG_AXIS_COUNT]);
} gg_layer_class;

/* What outlives a step is no buffer but a state (gg_node_state). */
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
    bool asked; /* its size is what the class's `workspace` says */
    int64_t offset;
    int64_t floats, planning; /* of the plan in force; of the one being made */
} gg_buffer;

struct gg_node {
    const gg_layer_class *layer_class;
    char name[GG_NAME_BYTES];
    int input_count, output_count, parameter_count, buffer_count, state_count;
    int32_t inputs[GG_NODE_INPUTS], outputs[GG_NODE_OUTPUTS], parameters[GG_NODE_PARAMETERS], states[GG_NODE_STATES];
    int32_t first_input;              /* as it was given: inputs[0] or a view of it */
    bool reads_input[GG_NODE_INPUTS]; /* backward reads x[i] */
    bool reads_output;                /* backward reads y */
    gg_activation activation;         /* of its only output, which backward leaves out when pass->undone */
    float alpha;
    int gradient_buffer, undo_buffer; /* gg_node_activation, gg_node_undo_buffer; -1: none */
    bool takes_fold;                  /* forward heeds pass->folded; parameters: W [channels, ..], b or W */
    gg_buffer buffers[GG_NODE_BUFFERS];
    _Alignas(16) unsigned char options[GG_NODE_OPTION_BYTES];
    /* set by the plan */
    int32_t folds_into; /* of a normalisation: the convolution it can be folded into; -1: none */
    gg_folded folded;
    int32_t undone_by;             /* the node that undoes this one's activation, -1: itself */
    int32_t undoes;                /* the node whose activation this one undoes; -1: none */
    bool trains;                   /* lies between a parameter and the loss: takes part in backward */
    int64_t spare[GG_NODE_INPUTS]; /* offset of a buffer for dx[i] that the model then adds; -1: none */
    gg_pass pass;
    int spectral;            /* the parameter that is divided by its largest singular value; -1: none */
    int32_t spectral_state;  /* of the model: its direction */
    int64_t spectral_offset; /* in the workspace: see spectral.c */
    /* set for a run */
    bool needed;
    double spectral_norm;
};

typedef struct gg_value_info {
    gg_shape shape;
    bool is_input, is_labels, keep, keep_gradient;
    char name[GG_NAME_BYTES];        /* of an input */
    int32_t producer;                /* node, -1 for an input */
    int32_t storage;                 /* the value whose memory this is: itself, or what it is a view of */
    bool wants_gradient;             /* set by the plan */
    int32_t gradient_of;             /* set by the plan: the value whose gradient this one's is, too; -1: its own */
    int32_t gradient_reader;         /* the first node whose backward reads the memory of its gradient */
    int64_t offset, gradient_offset; /* in the workspace, floats; -1: none */
    const float *data;
    const int32_t *labels;
    float *gradient;
    int64_t size; /* at the present extents */
} gg_value_info;

typedef struct gg_parameter_info {
    char name[GG_NAME_BYTES + 16];
    gg_shape shape;
    float deviation; /* of the normal distribution it starts from; 0: all as `start` */
    float start;
    int64_t start_first, start_count; /* floats that start so; none given: all */
    int blocks;  /* above 0: so many orthogonal matrices times `deviation`, side by side, are its start instead */
    bool sparse; /* backward writes a few rows of its gradient, which `touched` lists */
    gg_touched touched;
    int64_t offset, size;
    bool trains; /* set by the plan: some gradient reaches it */
} gg_parameter_info;

typedef struct gg_state_info {
    char name[GG_NAME_BYTES + 16];
    gg_shape shape;
    float initial;
    bool of_sequence;                     /* gg_model_reset_states sets it to `initial` */
    int64_t offset, size;                 /* in the present array */
    int64_t planned_offset, planned_size; /* in the one that is being planned */
} gg_state_info;

struct gg_model {
    uint64_t seed;
    int64_t step;
    gg_status error; /* the first one made while building */
    char message[512];
    char next_name[GG_NAME_BYTES];
    bool spectral_next; /* the next weight is to be normalised */
    gg_node *nodes;
    gg_value_info *values;
    gg_parameter_info *parameters;
    gg_state_info *states;
    int32_t node_count, node_room, value_count, value_room, parameter_count, parameter_room, state_count, state_room;
    int64_t largest[GG_AXIS_COUNT]; /* for the next plan; the batch is given to gg_model_plan */
    int64_t planned_for[GG_AXIS_COUNT], extent[GG_AXIS_COUNT];
    gg_value loss;
    bool planned;
    float *weights, *gradients, *carried, *workspace;
    float *folds;         /* folded weights, from the first gg_model_fold on */
    bool folded;          /* runs but those of GG_TRAIN take them */
    int32_t *touched;     /* rows and marks of all sparse parameters */
    int64_t dense_floats; /* of the parameters that are not sparse, which come first */
    int64_t parameter_floats, carried_floats, workspace_floats;
    int threads;         /* that asked buffers were planned for; 0: there are none */
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

/* The same for one that starts as `start` everywhere. */
void gg_node_constant_parameter(gg_model *model, gg_node *node, const char *suffix, const gg_shape *shape, float start);

/* The parameter added last starts as an orthogonal matrix of dims[0] rows, times its deviation; or as so many blocks of
 * columns, each orthogonal. */
void gg_node_orthogonal(gg_model *model, int blocks);

/* Only `count` floats from `first` on of the constant parameter added last start as its number, the others as 0. */
void gg_node_start_part(gg_model *model, int64_t first, int64_t count);

/* The parameter added last, a matrix, is sparse: backward adds to a few rows of its gradient and lists them in
 * pass->touched; it lies behind the dense ones. */
void gg_node_sparse(gg_model *model);

/* Take a parameter of an earlier node as the next of this one's: its gradient is the sum of both (pass->add_dw). */
void gg_node_share(gg_node *node, int32_t parameter);

/* Add a buffer; it appears as pass->buffer[i] in the order of the calls. */
void gg_node_buffer(gg_node *node, const gg_shape *shape, gg_buffer_life life);

/* The same, its size being whatever the class's `workspace` answers when the model is planned. */
void gg_node_workspace(gg_node *node, gg_buffer_life life);

/* The node's output is f of what it computes, and backward undoes f with the scratch of buffer `gradient`. Where the
 * plan finds a layer behind that does it in its own backward, pass->undone is set and there is no scratch. */
void gg_node_activation(gg_node *node, gg_activation f, float alpha, int gradient);

/* The buffer added last is there only when the node undoes the activation of the layer before. */
void gg_node_undo_buffer(gg_node *node);

/* Add a state "name.suffix": floats that outlive the step and no optimiser touches, saved in checkpoints. It starts as
 * `initial` everywhere and appears as pass->state[i] in the order of the calls; forward may change it when
 * pass->updates_state. Its axes have the extents of the plan; one that a new plan gives another size starts anew. */
void gg_node_state(gg_model *model, gg_node *node, const char *suffix, const gg_shape *shape, float initial);

/* The state added last belongs to the sequence that runs: gg_model_reset_states sets it to `initial`, and forward
 * changes it in GG_CONTINUE, too. */
void gg_node_sequence_state(gg_model *model);

/* A value of another shape in the same memory, with as many floats: no node, nothing to compute. Its gradient is that
 * of the whole memory. */
gg_value gg_value_view(gg_model *model, gg_value value, const gg_shape *shape);

/* Add the (first, second, ...) output. */
gg_value gg_node_output(gg_model *model, gg_node *node, const gg_shape *shape);

/* The error that the model keeps; returns GG_NO_VALUE. printf-style. */
gg_value gg_model_error(gg_model *model, gg_status status, const char *format, ...) GG_PRINTF(3, 4);

/* The shape of a layer's input, or NULL with the model in error ("affine: x is not a value of this model"). Labels are
 * no floats: an error unless `labels` says that they are expected. */
const gg_shape *gg_value_shape(gg_model *model, gg_value value, const char *layer, const char *argument, bool labels);

/* The last dimension as a number of features; 0 with the model in error when it is an axis. */
int64_t gg_value_features(gg_model *model, gg_value value, const char *layer, const char *argument);

/* A value seen as images [N, C, ..]: one row (a signal [N, C, W], values [N, C]) or [N, C, H, W]. All but N must be
 * numbers, of which a plane has at most INT32_MAX; channels is 0, with the model in error, otherwise. */
typedef struct gg_image {
    int64_t channels, height, width;
} gg_image;

gg_image gg_value_image(gg_model *model, gg_value value, const char *layer);

/* Whether t suits the scores or probabilities x: labels of x's shape without its last dimension ([1] for a single row),
 * or targets of x's shape; the model is in error otherwise. */
bool gg_targets_fit(gg_model *model, gg_value x, gg_value t, const char *layer);

bool gg_shapes_equal(const gg_shape *a, const gg_shape *b);

/* "[batch, 784]" in the caller's text. */
const char *gg_shape_text(const gg_shape *shape, char text[96]);

/* Whether these are an activation and an initializer; the model is in error otherwise. `kind`: without "gg_". */
bool gg_start_fits(gg_model *model, const char *kind, gg_activation activation, gg_initializer init, float init_scale);

/* Deviation of a weight's start for an initializer and the activation behind it. */
float gg_initial_deviation(gg_initializer init, gg_activation f, int64_t in, int64_t out, float scale);

/* ---- between model.c, plan.c and run.c ---- */

/* Add a state "name.suffix" that belongs to no layer's list: its number among the model's, or -1 with the model in
 * error. */
int32_t gg_model_add_state(gg_model *model, const gg_node *node, const char *suffix, const gg_shape *shape,
                           float initial);

/* Whether several layers use this parameter. */
bool gg_parameter_is_shared(const gg_model *model, int32_t parameter);

/* Run forward to target; `visit` (NULL: nobody) is called before each node's forward, when its inputs are there. */
typedef gg_status gg_node_visitor(gg_model *model, gg_node *node, void *context);
gg_status gg_model_walk(gg_model *model, gg_value target, gg_mode mode, gg_node_visitor *visit, void *context);

/* fold.c: for a plan, which normalisation can be folded into which convolution; the node that
 * writes a value (that of a folded normalisation: the convolution); before a node's forward in a run up to node `last`:
 * sets pass->folded, true: this node has nothing left to do. */
void gg_fold_pair(gg_model *model);
int32_t gg_fold_first_writer(const gg_model *model, const gg_value_info *value);
bool gg_fold_prepare(const gg_model *model, gg_node *node, int32_t last);

/* handover.c: for a plan, once it is known who trains: which layers' activations are undone by the layer behind, and
 * which values share a gradient; whether a node of the plan needs a buffer of backward, and its output until
 * then; the value that owns a gradient's memory; what pass->undo says. */
void gg_hand_over(gg_model *model);
bool gg_buffer_is_needed(const gg_node *node, int b);
bool gg_output_is_needed(const gg_node *node);
int32_t gg_gradient_owner(const gg_model *model, int32_t value);
void gg_undo_refresh(const gg_model *model, gg_node *node);

/* spectral.c: for the parameter added last; floats of its place in the workspace; around a node's forward and
 * backward. */
void gg_spectral_begin(gg_model *model, gg_node *node, const char *suffix, const gg_shape *shape);
gg_status gg_spectral_check(const gg_model *model, const gg_node *node);
int64_t gg_spectral_floats(const gg_model *model, const gg_node *node);
gg_status gg_spectral_forward(const gg_model *model, gg_node *node);
gg_status gg_spectral_backward(const gg_model *model, const gg_node *node);

/* Floats of a shape at those extents. */
gg_status gg_shape_floats(int64_t *floats, const gg_shape *shape, const int64_t extents[GG_AXIS_COUNT]);

/* Recompute sizes and pointers after a plan or a change of extents. */
void gg_model_refresh(gg_model *model);

bool gg_model_owns(const gg_model *model, gg_value value);

#endif

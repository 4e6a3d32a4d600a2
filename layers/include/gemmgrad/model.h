/* gemmgrad/model.h - a network as a graph of layers, all its memory planned once.
 *
 * Build: describe inputs and layers; each layer function takes values and returns its output value.
 * Plan:  fix the largest batch (and time); every buffer of training is laid out in arenas, then nothing allocates.
 * Run:   bind the inputs, forward, backward; parameters and gradients are two flat arrays of the same layout.
 *
 *     gg_model *net;
 *     gg_model_new(&net, 42);
 *     gg_value x = gg_input(net, "x", 2, (int64_t[]){GG_BATCH, 784});
 *     gg_value t = gg_input_labels(net, "t", 1, (int64_t[]){GG_BATCH});
 *     gg_value h = gg_affine(net, x, 512, &(gg_affine_options){.activation = GG_RELU});
 *     gg_value y = gg_affine(net, h, 10, NULL);
 *     gg_value loss = gg_softmax_with_loss(net, y, t);
 *     gg_status status = gg_model_plan(net, loss, 128);
 *
 * Errors while building are remembered: the layer functions return an invalid value, every later one passes it on,
 * and gg_model_plan returns the first error. A model is used by one thread at a time; different models by different
 * threads. */
#ifndef GEMMGRAD_MODEL_H
#define GEMMGRAD_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gg_model gg_model;

/* A tensor of the graph: the output of a layer or an input. Belongs to its model. */
typedef struct gg_value {
    int32_t id; /* negative: invalid */
} gg_value;

#define GG_NO_VALUE ((gg_value){-1})

/* A dimension is a positive number or one of these: its extent is chosen for each run, up to what was planned. */
enum { GG_BATCH = -1, GG_TIME = -2, GG_TIME_2 = -3, GG_AXIS_COUNT = 3 };

#define GG_MAX_RANK 4

/* Create an empty model; parameters and dropout take their random numbers from seed. Free with gg_model_free. */
GG_API gg_status gg_model_new(gg_model **out, uint64_t seed);
GG_API void gg_model_free(gg_model *model);

/* A float input of that shape, row-major; name is copied, must be unique and not empty. */
GG_API gg_value gg_input(gg_model *model, const char *name, int rank, const int64_t *dims);

/* An int32_t input: class labels, token numbers. */
GG_API gg_value gg_input_labels(gg_model *model, const char *name, int rank, const int64_t *dims);

/* Names the next layer's parameters "name.W" instead of "affine1.W"; for one layer only. */
GG_API void gg_model_name_next(gg_model *model, const char *name);

/* Spectral normalisation: the next weight of two or more dimensions (an affine layer's or convolution's W) is used
 * divided by its largest singular value as dims[0] x the rest; the gradient is that of W itself. The value comes from
 * one round of the power method a run, whose direction is a state, "affine1.W_direction"
 * (gg_model_spectral_norm of gemmgrad/fit.h computes the exact one). Miyato et al. 2018. */
GG_API void gg_model_spectral_next(gg_model *model);

/* Lay out all memory for runs of up to largest_batch samples, initialise the parameters. `loss` is the scalar that
 * backward starts from, or GG_NO_VALUE for a model that only runs forward. Axes other than the batch have the
 * extents given by gg_model_set_largest before. Returns the first error made while building, or
 * GG_ERR_ARGUMENT, GG_ERR_SHAPE (loss is not a scalar), GG_ERR_OVERFLOW, GG_ERR_MEMORY. May be called again to plan for
 * another batch: parameters keep their values. */
GG_API gg_status gg_model_plan(gg_model *model, gg_value loss, int64_t largest_batch);
GG_API gg_status gg_model_set_largest(gg_model *model, int axis, int64_t extent);

/* ---- runs ---- */

/* GG_CONTINUE: as GG_INFER, but the states of sequences (a recurrent layer's h and c) move on to what they are at the
 * end of the run: a long text in windows, or text generated step by step, with an extent of 1 for the time. */
typedef enum gg_mode { GG_INFER = 0, GG_TRAIN = 1, GG_CONTINUE = 2 } gg_mode;

/* The data of an input: caller-owned, dense, unchanged until the run (forward and backward) is over. NULL takes the
 * data away: a run that needs them is then GG_ERR_STATE, unless there are none of them, as in a batch of 0. */
GG_API gg_status gg_model_bind(gg_model *model, gg_value input, const float *data);
GG_API gg_status gg_model_bind_labels(gg_model *model, gg_value input, const int32_t *data);

/* Extent of an axis in the next runs; 0 .. what was planned. The batch starts at the largest. */
GG_API gg_status gg_model_set_extent(gg_model *model, int axis, int64_t extent);

/* Compute `target` and what it needs. GG_TRAIN keeps what backward reads and lets dropout drop.
 * Errors: GG_ERR_STATE (not planned, a needed input not bound), and those of the layers (a label out of range). */
GG_API gg_status gg_model_forward(gg_model *model, gg_value target, gg_mode mode);

/* Fold each batch normalisation (gg_batch_normalization) whose input is the output of a convolution, without an
 * activation of its own, that nothing else reads and gg_model_keep does not name: runs of GG_INFER and GG_CONTINUE then
 * take copies of that convolution's weights that do both, and pass the normalisation over. Results differ by rounding.
 * It holds until the next GG_TRAIN, gg_model_load or plan; who writes into the parameters or states otherwise calls it
 * again. Nothing to fold is no error. The first call allocates the copies. Errors, nothing folded: GG_ERR_ARGUMENT,
 * GG_ERR_STATE (not planned), GG_ERR_MEMORY. */
GG_API gg_status gg_model_fold(gg_model *model);

/* Gradients of the loss of the last gg_model_forward(model, loss, GG_TRAIN): fills the gradient array.
 * Errors: GG_ERR_STATE when no such forward was the last run. */
GG_API gg_status gg_model_backward(gg_model *model);

/* The data of the target of the last run, of an input, or of a value that gg_model_keep named; NULL when it is not
 * available. */
GG_API const float *gg_model_data(const gg_model *model, gg_value value);

/* Keep this value's data (and, when gradient, its gradient) readable after every run; before gg_model_plan. */
GG_API gg_status gg_model_keep(gg_model *model, gg_value value, bool gradient);
GG_API const float *gg_model_gradient(const gg_model *model, gg_value value);

/* The scalar loss of the last forward whose target was the loss. */
GG_API double gg_model_loss(const gg_model *model);

/* Shape as declared: negative entries are axes. Returns the rank, or -1 for an invalid value; dims may be NULL. */
GG_API int gg_model_shape(const gg_model *model, gg_value value, int64_t dims[GG_MAX_RANK]);

/* Number of floats of the value at the present extents. */
GG_API int64_t gg_model_size(const gg_model *model, gg_value value);

/* Training steps counted by gg_model_count_step: what dropout's random numbers depend on, saved in checkpoints. */
GG_API int64_t gg_model_step(const gg_model *model);
GG_API void gg_model_set_step(gg_model *model, int64_t step);

/* First layer, in the order of computation, whose output holds NaN or infinity for the inputs bound now: its name, or
 * NULL when all outputs are finite. Runs forward again, without moving states on. For diagnosis. */
GG_API const char *gg_model_find_nonfinite(gg_model *model, gg_value target);

/* ---- parameters ---- */

/* All parameters, their gradients: flat arrays of gg_model_parameter_floats() floats in the same layout, each parameter
 * starting at a multiple of 64 bytes, sparse ones (gg_embedding) last. Who writes into the gradient of a sparse one
 * leaves the rows alone that the last backward did not reach: they are 0 and stay so. The padding is zero in both and
 * stays so under every optimiser. Valid until the model is freed; NULL before it is planned. Gradients are NULL in a
 * model planned without a loss. */
GG_API float *gg_model_parameters(gg_model *model);
GG_API float *gg_model_gradients(gg_model *model);
GG_API int64_t gg_model_parameter_floats(const gg_model *model);

typedef struct gg_parameter {
    const char *name; /* "affine1.W" */
    int rank;
    int64_t dims[GG_MAX_RANK];
    int64_t offset; /* floats from the start of both arrays */
    int64_t size;   /* floats */
} gg_parameter;

GG_API int gg_model_parameter_count(const gg_model *model);

/* Parameter i in the order of creation; errors: GG_ERR_ARGUMENT. */
GG_API gg_status gg_model_parameter(const gg_model *model, int i, gg_parameter *out);

/* All parameters from a file that holds a tensor of that name, shape and type float32 for each, as a checkpoint does;
 * other tensors are passed over. Errors, parameters untouched: GG_ERR_ARGUMENT, GG_ERR_STATE (not planned),
 * GG_ERR_FORMAT (a tensor is missing), GG_ERR_SHAPE. */
struct gg_safetensors;
GG_API gg_status gg_model_load(gg_model *model, const struct gg_safetensors *file);

/* ---- states ---- */

/* What layers carry from step to step beside their parameters, as the running statistics of batch normalisation or the
 * state of a sequence: forward in GG_TRAIN moves it on (GG_CONTINUE those of sequences only), GG_INFER reads it, no
 * optimiser touches it, checkpoints hold it. One flat array of
 * gg_model_state_floats() floats, each state starting at a multiple of 64 bytes; NULL without states and before the
 * plan. Valid until the next plan: states keep their values in it, but for those that it gives another size, which
 * start anew. */
GG_API float *gg_model_states(gg_model *model);
GG_API int64_t gg_model_state_floats(const gg_model *model);
GG_API int gg_model_state_count(const gg_model *model);

/* The states of sequences as at the start of one: of all stateful recurrent layers. Running statistics stay. Errors:
 * GG_ERR_ARGUMENT, GG_ERR_STATE (not planned). */
GG_API gg_status gg_model_reset_states(gg_model *model);

/* State i in the order of creation, its axes as large as planned; errors: GG_ERR_ARGUMENT, GG_ERR_STATE (not planned).
 */
GG_API gg_status gg_model_state(const gg_model *model, int i, gg_parameter *out);

/* Bytes of the arenas: parameters and gradients, and everything else. */
GG_API int64_t gg_model_parameter_bytes(const gg_model *model);
GG_API int64_t gg_model_workspace_bytes(const gg_model *model);

#ifdef __cplusplus
}
#endif
#endif

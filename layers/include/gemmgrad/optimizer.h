/* gemmgrad/optimizer.h - gradient descent in its variants: one fused pass over the flat arrays of a model.
 *
 * Formulae and defaults are PyTorch's; see gemmgrad/update.h. */
#ifndef GEMMGRAD_OPTIMIZER_H
#define GEMMGRAD_OPTIMIZER_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/model.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gg_optimizer_kind {
    GG_SGD = 0,
    GG_MOMENTUM,
    GG_NESTEROV,
    GG_ADAGRAD,
    GG_RMSPROP,
    GG_ADAM,
    GG_ADAMW,
    GG_OPTIMIZER_COUNT
} gg_optimizer_kind;

/* Numbers left at 0 take the default in brackets; to really have 0 pass a negative number. */
typedef struct gg_optimizer_options {
    gg_optimizer_kind kind;
    float momentum;     /* momentum, Nesterov [0.9] */
    float rho;          /* RMSprop [0.99] */
    float beta1, beta2; /* Adam, AdamW [0.9, 0.999] */
    float epsilon;      /* [1e-8; AdaGrad 1e-10] */
    float weight_decay; /* [0; AdamW 0.01] */
    float clip_norm;    /* largest global norm of all gradients together; [0: no clipping] */
} gg_optimizer_options;

typedef struct gg_optimizer gg_optimizer;

/* For a model planned with a loss; allocates its state (0, 1 or 2 floats for each parameter). The model must outlive
 * it. */
GG_API gg_status gg_optimizer_new(gg_optimizer **out, gg_model *model, const gg_optimizer_options *options);
GG_API void gg_optimizer_free(gg_optimizer *optimizer);

/* One step with this learning rate; counts the model's step (gg_model_step). Allocates nothing. */
GG_API gg_status gg_optimizer_step(gg_optimizer *optimizer, float learning_rate);

/* Global norm of the gradients before clipping, from the last step that clipped; 0 before. */
GG_API double gg_optimizer_gradient_norm(const gg_optimizer *optimizer);

/* "sgd", "momentum", ... or NULL. */
GG_API const char *gg_optimizer_name(gg_optimizer_kind kind);
GG_API gg_optimizer_kind gg_optimizer_kind_of(const gg_optimizer *optimizer);

/* State for checkpoints: `count` arrays of gg_model_parameter_floats() floats in the parameters' layout, with names
 * such as "momentum" or "adam.m"; and the number of steps taken. */
GG_API int gg_optimizer_state_count(const gg_optimizer *optimizer);
GG_API const char *gg_optimizer_state_name(const gg_optimizer *optimizer, int i);
GG_API float *gg_optimizer_state(gg_optimizer *optimizer, int i);
GG_API int64_t gg_optimizer_steps(const gg_optimizer *optimizer);
GG_API void gg_optimizer_set_steps(gg_optimizer *optimizer, int64_t steps);

/* ---- learning-rate schedules: pure functions of the step ---- */

typedef enum gg_schedule_kind { GG_CONSTANT = 0, GG_STEP_DECAY, GG_COSINE } gg_schedule_kind;

typedef struct gg_schedule {
    gg_schedule_kind kind;
    float rate;           /* the base rate */
    int64_t warmup_steps; /* rate * (step + 1) / warmup_steps while step < warmup_steps; 0: none */
    int64_t total_steps;  /* cosine: reaches final_rate here and stays */
    float final_rate;     /* cosine */
    int64_t decay_steps;  /* step decay: rate * decay_factor^floor((step - warmup_steps) / decay_steps) */
    float decay_factor;
} gg_schedule;

/* The rate at step 0, 1, 2, ... */
GG_API float gg_schedule_rate(const gg_schedule *schedule, int64_t step);

#ifdef __cplusplus
}
#endif
#endif

/* gemmgrad/optimizer.h - gradient descent in its variants.
 *
 * The plain rules are one fused pass over the flat arrays of a model; formulae and defaults are PyTorch's, see
 * gemmgrad/update.h. Muon, Shampoo, SOAP and K-FAC see each parameter as a matrix, dims[0] x the rest; their formulae
 * stand at the top of layers/optimizers/muon.c, shampoo.c and kfac.c, advice in docs/optimizers.md. */
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
    GG_LION,    /* the sign of a momentum: rates and decays of a third to a tenth of AdamW's */
    GG_MUON,    /* matrices: momentum made orthogonal by products; AdamW's rates */
    GG_SHAMPOO, /* matrices: both sides scaled by roots of their second moments, AdamW's length; AdamW's rates */
    GG_SOAP,    /* matrices: AdamW in the basis of Shampoo's eigenvectors; AdamW's rates */
    GG_KFAC,    /* affine layers: natural gradient with momentum; rates of momentum */
    GG_OPTIMIZER_COUNT
} gg_optimizer_kind;

/* Numbers left at 0 take the default in brackets; to really have 0 pass a negative number. */
typedef struct gg_optimizer_options {
    gg_optimizer_kind kind;
    float momentum;     /* momentum, Nesterov, K-FAC [0.9], Muon [0.95] */
    float rho;          /* RMSprop [0.99]; the moments of K-FAC [0.95] */
    float beta1, beta2; /* Adam, AdamW [0.9, 0.999]; Lion, Shampoo [0.9, 0.99]; SOAP [0.95, 0.95]; the vectors of Muon
                           [0.9, 0.999] */
    float epsilon;      /* [1e-8; AdaGrad 1e-10] */
    float weight_decay; /* [0; AdamW, Muon, Shampoo, SOAP 0.01] */
    float clip_norm;    /* largest global norm of all gradients together; [0: no clipping] */
    float damping;   /* K-FAC: added to the Fisher matrix [0.03]; Shampoo: to the eigenvalues, in parts of the largest
                        [1e-6] */
    int64_t refresh; /* Shampoo, SOAP, K-FAC: steps between decompositions [10] */
    int64_t largest_side; /* Shampoo, SOAP, K-FAC: longer sides of a matrix are left as they are [1024] */
} gg_optimizer_options;

typedef struct gg_optimizer gg_optimizer;

/* For a model planned with a loss; allocates its state: 0, 1 or 2 floats for each parameter, and with Muon, Shampoo,
 * SOAP and K-FAC the tensors and scratch that they plan here. The model must outlive it; with K-FAC, a model has one
 * optimiser at a time, whose wishes its affine layers heed. */
GG_API gg_status gg_optimizer_new(gg_optimizer **out, gg_model *model, const gg_optimizer_options *options);
GG_API void gg_optimizer_free(gg_optimizer *optimizer);

/* One step with this learning rate; counts the model's step (gg_model_step). Allocates nothing. GG_ERR_NUMERIC, nothing
 * moved: with clipping, a norm of the gradients that is not finite; with Muon, Shampoo, SOAP and K-FAC, a gradient that
 * is not. GG_ERR_NUMERIC or GG_ERR_SINGULAR of a decomposition (Shampoo, SOAP, K-FAC): no weight has moved, averages
 * may have. */
GG_API gg_status gg_optimizer_step(gg_optimizer *optimizer, float learning_rate);

/* Global norm of the gradients before clipping, from the last step that clipped; 0 before. */
GG_API double gg_optimizer_gradient_norm(const gg_optimizer *optimizer);

/* "sgd", "momentum", ... or NULL; and the kind of that name, or GG_OPTIMIZER_COUNT. */
GG_API const char *gg_optimizer_name(gg_optimizer_kind kind);
GG_API gg_optimizer_kind gg_optimizer_named(const char *name);
GG_API gg_optimizer_kind gg_optimizer_kind_of(const gg_optimizer *optimizer);

/* State for checkpoints: `count` arrays of gg_model_parameter_floats() floats in the parameters' layout, with names
 * such as "momentum" or "adam.m"; and the number of steps taken. */
GG_API int gg_optimizer_state_count(const gg_optimizer *optimizer);
GG_API const char *gg_optimizer_state_name(const gg_optimizer *optimizer, int i);
GG_API float *gg_optimizer_state(gg_optimizer *optimizer, int i);

/* What matrix rules keep beside: tensors in shapes of their own, such as "shampoo.left.affine1.W" [784, 784], in one
 * array; NULL without any. Errors of gg_optimizer_tensor: GG_ERR_ARGUMENT. */
GG_API int gg_optimizer_tensor_count(const gg_optimizer *optimizer);
GG_API gg_status gg_optimizer_tensor(const gg_optimizer *optimizer, int i, gg_parameter *out);
GG_API float *gg_optimizer_tensors(gg_optimizer *optimizer);

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

/* gemmgrad/fit.h - what is computed from data in one go, without gradients: starts, read-outs, whitening; and the size
 * of a weight.
 *
 * These functions allocate while they run, unlike training steps. They read `count` samples x of a model's input in
 * runs of at most the batch it is planned for, leave the batch's extent there, and bind the input; bind it anew
 * afterwards. Not thread-safe on one model. */
#ifndef GEMMGRAD_FIT_H
#define GEMMGRAD_FIT_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/model.h>
#include <gemmgrad/status.h>
#include <gemmgrad/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- starts ---- */

/* Layer-sequential unit variance: the weight of every affine layer, matmul and convolution that `target` needs becomes
 * an orthogonal matrix (dims[0] x the rest), then is divided by the deviation of the layer's output before its
 * activation, over the inputs bound now, until the variance is 1 within 1 percent. Biases and shared weights stay. For
 * a planned model whose inputs are bound. The same seed and data give the same bits on the same BLAS and CPU. Errors:
 * GG_ERR_STATE, GG_ERR_ARGUMENT, GG_ERR_MEMORY; GG_ERR_NUMERIC names a layer whose output does not vary or is not
 * finite: the weights before it are new by then. Source: Mishkin and Matas, "All you need is a good init", 2016. */
GG_API gg_status gg_lsuv(gg_model *model, gg_value target);

/* ---- read-outs ---- */

/* Set the weight (and bias) of the layer that computes `readout`, a gg_affine without activation or a gg_matmul on
 * features h [batch, D], to those that minimise
 *     sum over the samples of |h W + b - t|^2 + lambda count |W|^2
 * t: targets (count x out), or NULL: data->labels as one-hot rows. lambda > 0: normal equations, summed batch by batch
 * and solved by Cholesky. lambda = 0: least squares on all features at once, by singular values, which takes count x D
 * floats; of several minimisers the smallest. Labels in data are needed only without targets.
 * Errors, parameters untouched: GG_ERR_ARGUMENT, GG_ERR_SHAPE, GG_ERR_STATE, GG_ERR_MEMORY; GG_ERR_NUMERIC (features or
 * targets that are not finite); GG_ERR_SINGULAR: lambda is lost beside the features, which are rank deficient. */
GG_API gg_status gg_fit_readout(gg_model *model, gg_value input, gg_value readout, const gg_dataset *data,
                                const float *targets, float lambda);

/* ---- whitening ---- */

typedef enum gg_whitening {
    GG_WHITEN_PCA = 0, /* the k directions of largest variance, in descending order, each brought to variance 1 */
    GG_WHITEN_ZCA      /* turned back: as close to x as a whitened signal can be; k = D */
} gg_whitening;

/* y = (x - mean) W: [.., D] -> [.., k]; k = 0: D. A layer without parameters, whose states "mean", "W", "inverse" and
 * "fitted" come from gg_whiten_fit and are saved in checkpoints; until then it hands on the first k features. */
GG_API gg_value gg_whiten(gg_model *model, gg_value x, gg_whitening kind, int64_t k);

/* x = y W^+ + mean: [.., k] -> [.., D], the inverse of the layer that made `whitened`, exact for k = D; for fewer
 * components what is nearest to x. */
GG_API gg_value gg_whiten_inverse(gg_model *model, gg_value y, gg_value whitened);

/* Fit the layer that made `whitened` to rows of x (rows x D, caller-owned): what its input would be. Variances v are
 * taken for v + epsilon v_max, v_max the largest: 1e-5 keeps directions that are noise small. Divides by rows.
 * Errors, states untouched: GG_ERR_ARGUMENT, GG_ERR_STATE, GG_ERR_MEMORY, GG_ERR_NUMERIC (NaN or infinity);
 * GG_ERR_SINGULAR: a component has no variance beyond rounding and epsilon is 0, or x does not vary at all. */
GG_API gg_status gg_whiten_fit(gg_model *model, gg_value whitened, const float *x, int64_t rows, float epsilon);

/* ---- the size of a weight ---- */

/* *norm = the largest singular value of parameter i as dims[0] x the rest, from LAPACK; of a vector, its length. */
GG_API gg_status gg_model_spectral_norm(const gg_model *model, int i, double *norm);

#ifdef __cplusplus
}
#endif
#endif

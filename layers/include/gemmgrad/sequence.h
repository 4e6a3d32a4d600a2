/* gemmgrad/sequence.h - layers for sequences.
 *
 * Values of sequences are time-major: {GG_TIME, GG_BATCH, D}, the rows of one step side by side, so that a window of a
 * long sequence is a window of memory and a step is a matrix. GG_TIME_2 is a second time, as of a decoder's. Everything
 * in gemmgrad/layer.h that works on the last dimension (affine, softmax, losses) takes them as they are. */
#ifndef GEMMGRAD_SEQUENCE_H
#define GEMMGRAD_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- tokens ---- */

typedef struct gg_embedding_options {
    gg_initializer init; /* GG_INIT_AUTO: a normal distribution of deviation 1 / sqrt(features), rows of length 1 */
    float init_scale;    /* deviation for GG_INIT_NORMAL */
    bool sparse; /* a step touches only the rows that its tokens name: they alone are zeroed, counted in the norm and
                  * updated. For large vocabularies. SGD without weight decay gives the same numbers; the other
                  * optimisers are "lazy": moments and decay of a row stand still while no token names it */
} gg_embedding_options;

/* y = W[tokens]: labels [..] -> [.., features]; parameter "W" [vocabulary, features]. Each token is 0 .. vocabulary - 1
 * (forward fails otherwise: GG_ERR_ARGUMENT, the message names it), or GG_IGNORE_LABEL for a place without one: zeros,
 * which learn nothing. At most 3 dimensions of tokens; options may be NULL. */
GG_API gg_value gg_embedding(gg_model *model, gg_value tokens, int64_t vocabulary, int64_t features,
                             const gg_embedding_options *options);

/* ---- shapes ---- */

/* [.., D1], [.., D2], ... -> [.., D1 + D2 + ..]: side by side in the last dimension; 1 to 8 values. */
GG_API gg_value gg_concatenate(gg_model *model, const gg_value *values, int count);

/* [..] -> [time, ..]: the same at every step; time is GG_TIME, GG_TIME_2 or a number. The gradient is the sum over the
 * steps. */
GG_API gg_value gg_repeat_time(gg_model *model, gg_value x, int64_t time);

/* [time, ..] -> [..]: the first or the last step; zeros when there is none. Where samples have lengths of their own,
 * their last step is what a recurrent layer gives as h_last. */
GG_API gg_value gg_first_step(gg_model *model, gg_value x);
GG_API gg_value gg_last_step(gg_model *model, gg_value x);

/* Dropout with one mask for all steps: [time, ..], each number of [..] dropped in all of them or in none; Gal and
 * Ghahramani, 2016. */
GG_API gg_value gg_variational_dropout(gg_model *model, gg_value x, float ratio);

#ifdef __cplusplus
}
#endif
#endif

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
#include <gemmgrad/safetensors.h>

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

/* ---- recurrent layers ---- */

typedef struct gg_recurrent_options {
    gg_activation activation; /* of gg_rnn: GG_RELU, or GG_TANH, which GG_IDENTITY means, too */
    bool reset_before;  /* of gg_gru: the reset gate multiplies h before its product (Cho et al. 2014), not after it
                         * (PyTorch, cuDNN) */
    bool bidirectional; /* a second run from each sample's end to its start, with parameters of its own; y and the
                         * states hold both side by side */
    bool stateful;      /* a run starts from the state that the last one left, gradients end there: truncated
                         * backpropagation through time. States "h" and "c" (gg_model_states); one direction only */
    const gg_value *h0, *c0; /* [batch, directions * hidden]: the state at the start; NULL: zeros. c0: of gg_lstm */
    const gg_value *lengths; /* labels [batch], 0 to the steps of the run: what of each sample counts. Past its end y is
                              * 0 and gradients are exactly 0, and h_last is the state at its end. NULL: all */
    float recurrent_dropout; /* in training, h is dropped with this probability where the next step multiplies it by
                              * Wh, one mask for all steps (Gal and Ghahramani 2016) */
    float forget_bias;       /* of gg_lstm: where the forget gate's bias starts; 0: 1 (Jozefowicz et al. 2015),
                              * negative: 0 */
    gg_initializer init;     /* GG_INIT_AUTO: Wx by Xavier, Wh orthogonal, each gate for itself; others: both alike,
                              * "in" and "out" being those of a gate */
    float init_scale;        /* deviation for GG_INIT_NORMAL */
} gg_recurrent_options;

/* What a recurrent layer gives. */
typedef struct gg_recurrent_outputs {
    gg_value y;              /* [time, batch, directions * hidden]: h after each step */
    gg_value h_last, c_last; /* [batch, directions * hidden]: after the last; c_last: of gg_lstm, else GG_NO_VALUE */
} gg_recurrent_outputs;

/* x [time, batch, in] -> y [time, batch, directions * hidden], by the formulae of gemmgrad/recurrent.h. Parameters "Wx"
 * [in, gates * hidden], "Wh" [hidden, gates * hidden] and "b", laid out as there; of the second direction "Wx_reverse",
 * ... . options and outputs may be NULL. For generation run GG_CONTINUE with a time of 1 on a stateful layer. The
 * workspace is planned for gg_threads() threads: a run with more of them is GG_ERR_STATE until the model is planned
 * again. A length out of range is GG_ERR_ARGUMENT in forward. */
GG_API gg_value gg_rnn(gg_model *model, gg_value x, int64_t hidden, const gg_recurrent_options *options,
                       gg_recurrent_outputs *outputs);
GG_API gg_value gg_lstm(gg_model *model, gg_value x, int64_t hidden, const gg_recurrent_options *options,
                        gg_recurrent_outputs *outputs);
GG_API gg_value gg_gru(gg_model *model, gg_value x, int64_t hidden, const gg_recurrent_options *options,
                       gg_recurrent_outputs *outputs);

/* Several layers, each over the y of the one before. */
typedef struct gg_stack {
    int layers;       /* 1 or more */
    float dropout;    /* between them, not behind the last */
    bool variational; /* the same mask at all steps */
} gg_stack;

/* The y of the last layer. options hold for all layers, but h0 and c0 (if not NULL) and outputs (if not NULL) point to
 * an array of stack->layers, an element for each. A name given by gg_model_name_next is followed by the layer's number:
 * "name1.Wx", "name2.Wx". */
GG_API gg_value gg_rnn_stack(gg_model *model, gg_value x, int64_t hidden, const gg_stack *stack,
                             const gg_recurrent_options *options, gg_recurrent_outputs *outputs);
GG_API gg_value gg_lstm_stack(gg_model *model, gg_value x, int64_t hidden, const gg_stack *stack,
                              const gg_recurrent_options *options, gg_recurrent_outputs *outputs);
GG_API gg_value gg_gru_stack(gg_model *model, gg_value x, int64_t hidden, const gg_stack *stack,
                             const gg_recurrent_options *options, gg_recurrent_outputs *outputs);

/* The parameters of the recurrent layer of that name ("lstm1") from those of torch.nn.RNN, LSTM or GRU, tensors of a
 * safetensors file: "weight_ih_l0" behind `prefix` and so on, 0 being `number`, with "_reverse" for the second
 * direction. Matrices are transposed, the two biases of a gate added (the GRU keeps both for n); without biases they
 * are 0. F32 or F64. A stack is loaded layer by layer. Errors, parameters untouched: GG_ERR_ARGUMENT (NULL, no such
 * layer, one that PyTorch does not have), GG_ERR_STATE (not planned), GG_ERR_FORMAT (a tensor is missing or of another
 * type), GG_ERR_SHAPE (of another shape). */
GG_API gg_status gg_recurrent_load(gg_model *model, const char *layer, const gg_safetensors *file, const char *prefix,
                                   int number);

#ifdef __cplusplus
}
#endif
#endif

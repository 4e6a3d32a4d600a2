/* attention_flow.h - how much of a gradient comes back to each token of a question, with attention and without. */
#ifndef GEMMGRAD_BENCH_ATTENTION_FLOW_H
#define GEMMGRAD_BENCH_ATTENTION_FLOW_H

#include "gradient_flow.h"

/* Of an encoder-decoder of LSTMs at its start; L is the mean cross-entropy of a short answer. */
typedef struct gg_attention_flow {
    double *norms; /* steps: |dL/dx_(T-d)| for the distances d from the last token; gg_free it */
} gg_attention_flow;

/* attends: the decoder's states look at the encoder's, by dot products; otherwise the encoder's last state is all that
 * the decoder has. Hidden, steps and seed of sizes count. Errors: those of the library. On success the norms are to be
 * freed. */
gg_status gg_attention_flow_measure(gg_attention_flow *out, bool attends, const gg_flow_sizes *sizes);

#endif

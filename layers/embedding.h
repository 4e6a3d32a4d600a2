/* embedding.h - an embedding's weight, for the layer that shares it. */
#ifndef GG_EMBEDDING_H
#define GG_EMBEDDING_H

#include <stdint.h>

#include <gemmgrad/model.h>

/* The parameter [vocabulary, features] of the gg_embedding whose output `value` is; -1 with the model in error when it
 * is none, or a sparse one. */
int32_t gg_embedding_weight(gg_model *model, gg_value value, int64_t *vocabulary, int64_t *features, const char *layer);

#endif

/* recurrent.h - between the files of the recurrent layers: recurrent.c runs them, recurrent_build.c adds them to a
 * model, recurrent_load.c fills their parameters. */
#ifndef GG_RECURRENT_LAYER_H
#define GG_RECURRENT_LAYER_H

#include <gemmgrad/recurrent.h>
#include <gemmgrad/sequence.h>

#include "node.h"

typedef enum gg_recurrent_kind { GG_KIND_RNN, GG_KIND_LSTM, GG_KIND_GRU, GG_RECURRENT_KINDS } gg_recurrent_kind;

extern const gg_layer_class gg_recurrent_classes[GG_RECURRENT_KINDS];

/* The first buffers of every such node. */
enum { GG_RECURRENT_CACHE, GG_RECURRENT_ROOM_FORWARD, GG_RECURRENT_ROOM_BACKWARD };

/* The options of a node. Inputs and further buffers by their number, 0 where there is none (input 0 is x). */
typedef struct gg_recurrent_layer {
    gg_recurrent_shape shape; /* steps and batch as in the shape of x: they may be axes */
    bool stateful, cell_state;
    int h0, c0, lengths;
    int mask, dh0, dc0;
    float dropout;
    int32_t number; /* of the node in its model */
} gg_recurrent_layer;

#endif

/* sequence_value.c - see sequence_value.h. */
#include "sequence_value.h"

bool gg_sequence_see(gg_sequence_value *sequence, gg_model *model, gg_value value, const char *layer,
                     const char *argument)
{
    const gg_shape *shape = gg_value_shape(model, value, layer, argument, false);
    char text[96];
    if (shape == NULL)
        return false;
    const int64_t *d = shape->dims;
    if (shape->rank != 3 || (d[0] == GG_BATCH) == (d[1] == GG_BATCH) || d[2] < 1) {
        gg_model_error(model, GG_ERR_SHAPE,
                       "%s: %s is %s, expected [batch, steps, features] or [steps, batch, features]", layer, argument,
                       gg_shape_text(shape, text));
        return false;
    }
    *sequence = (gg_sequence_value){d[0] == GG_BATCH, d[0] == GG_BATCH ? d[1] : d[0], d[2]};
    return true;
}

gg_shape gg_sequence_shape(const gg_sequence_value *s)
{
    return (gg_shape){3, {s->batch_first ? GG_BATCH : s->steps, s->batch_first ? s->steps : GG_BATCH, s->features}};
}

bool gg_lengths_fit(gg_model *model, gg_value lengths, const char *layer)
{
    const gg_shape *shape = gg_value_shape(model, lengths, layer, "key_lengths", true);
    char text[96];
    if (shape == NULL)
        return false;
    if (!model->values[lengths.id].is_labels || shape->rank != 1 || shape->dims[0] != GG_BATCH)
        gg_model_error(model, GG_ERR_SHAPE, "%s: key_lengths is %s%s, expected labels [batch]", layer,
                       model->values[lengths.id].is_labels ? "labels " : "floats ", gg_shape_text(shape, text));
    return model->error == GG_OK;
}

/* flatten.c - all dimensions of a sample as one: x [N, d1, d2, ..] becomes y [N, d1 d2 ..].
 *
 * Row-major memory holds both in the same order, so y is x under another shape: no node, no copy, and the gradient of
 * the one is that of the other. */
#include <gemmgrad/layer.h>

#include "node.h"

gg_value gg_flatten(gg_model *model, gg_value x)
{
    const gg_shape *given = gg_value_shape(model, x, "gg_flatten", "x", false);
    char text[96];
    if (given == NULL)
        return GG_NO_VALUE;
    if (model->planned)
        return gg_model_error(model, GG_ERR_STATE, "gg_flatten: the model is planned already");
    gg_shape flat = {2, {given->dims[0], 1}};
    bool numbers = given->rank >= 2;
    for (int i = 1; i < given->rank && numbers; i++)
        numbers = given->dims[i] > 0 && !__builtin_mul_overflow(flat.dims[1], given->dims[i], &flat.dims[1]);
    if (!numbers)
        return gg_model_error(model, GG_ERR_SHAPE, "gg_flatten: x is %s, expected numbers after the first dimension",
                              gg_shape_text(given, text));
    model->next_name[0] = '\0'; /* a name given for this layer is not the next one's */
    return gg_value_view(model, x, &flat);
}

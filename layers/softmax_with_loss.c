/* softmax_with_loss.c - softmax and cross-entropy error as one layer: L = - (1/N) sum_r sum_c t_rc log y_rc.
 *
 * Shapes: X [.., C]; T labels [..] or targets [.., C]; L [1]. N is the number of rows that count: those whose label is
 * not GG_IGNORE_LABEL.
 *
 * Derivation, node by node, as Deep Learning from Scratch (appendix A) walks it, for one row; s = sum_j exp(x_j) and
 * y_c = exp(x_c) / s:
 *   forward          exp: e_c = exp(x_c)    sum: s = sum e_c    divide: 1/s    multiply: y_c = e_c (1/s)
 *                    log: log y_c           multiply: t_c log y_c   sum, times -1: L
 *   backward         times -1:   dL/d(t_c log y_c) = -1
 *                    multiply:   dL/d(log y_c)     = -t_c
 *                    log:        dL/dy_c           = -t_c / y_c
 *                    multiply:   to 1/s: sum_c -(t_c / y_c) e_c = - s sum_c t_c
 *                                to e_c: -(t_c / y_c) / s = -t_c / e_c
 *                    divide:     dL/ds = (- s sum_c t_c) (-1 / s^2) = (sum_c t_c) / s
 *                    sum:        each e_c receives dL/ds                (the repeat node is its mirror image)
 *                    exp:        dL/dx_c = ((sum_j t_j) / s - t_c / e_c) e_c = y_c sum_j t_j - t_c
 *   so with sum_j t_j = 1:  dL/dx_c = y_c - t_c. tests/unit/test_nodes.c builds these nodes one by one and compares.
 *
 * Targets that are computed and learn, too, receive dL/dt_rc = - (1/N) log y_rc = (1/N) (log s - x_rc).
 *
 * The gradients fall out of the forward pass, so they are written there already. */
#include <gemmgrad/layer.h>
#include <gemmgrad/elementwise.h>
#include <gemmgrad/softmax.h>

#include "node.h"

static int64_t counted_rows(const int32_t *labels, int64_t rows)
{
    int64_t counted = 0;
    for (int64_t r = 0; r < rows; r++)
        counted += labels[r] != GG_IGNORE_LABEL;
    return counted;
}

static gg_status write_target_gradient(const gg_pass *pass, float scale)
{
    gg_status status = GG_OK;
    for (int64_t r = 0; r < pass->rows && status == GG_OK; r++) {
        const float *x = pass->x[0] + r * pass->columns;
        float *dt = pass->dx[1] + r * pass->columns, log_sum = 0.0f;
        status = gg_log_sum_exp(&log_sum, x, 1, pass->columns);
        for (int64_t c = 0; c < pass->columns && status == GG_OK; c++)
            dt[c] = scale * (log_sum - x[c]);
    }
    return status;
}

static gg_status forward(const gg_pass *pass)
{
    float *dx = pass->mode == GG_TRAIN ? pass->dx[0] : NULL;
    const int64_t counted = pass->labels[1] != NULL ? counted_rows(pass->labels[1], pass->rows) : pass->rows;
    const float scale = counted > 0 ? 1.0f / (float)counted : 0.0f;
    double sum = 0.0;
    gg_status status;
    if (pass->labels[1] != NULL)
        status =
            gg_softmax_cross_entropy(&sum, NULL, dx, pass->x[0], pass->labels[1], pass->rows, pass->columns, scale);
    else
        status = gg_softmax_cross_entropy_targets(&sum, dx, pass->x[0], pass->x[1], pass->rows, pass->columns, scale);
    if (status == GG_OK && pass->mode == GG_TRAIN && pass->dx[1] != NULL)
        status = write_target_gradient(pass, scale);
    if (status == GG_OK)
        pass->y[0][0] = counted > 0 ? (float)(sum / (double)counted) : 0.0f;
    return status;
}

static gg_status backward(const gg_pass *pass)
{
    gg_status status = GG_OK;
    for (int side = 0; side < 2 && status == GG_OK; side++)
        if (pass->dx[side] != NULL && pass->dy[0][0] != 1.0f)
            status = gg_scale(pass->dx[side], pass->size, pass->dy[0][0]);
    return status;
}

static const gg_layer_class softmax_with_loss_class = {
    .kind = "softmax_with_loss", .forward = forward, .backward = backward, .gradient_in_forward = true};

gg_value gg_softmax_with_loss(gg_model *model, gg_value x, gg_value t)
{
    if (!gg_targets_fit(model, x, t, "gg_softmax_with_loss"))
        return GG_NO_VALUE;
    gg_node *node = gg_node_begin(model, &softmax_with_loss_class, NULL, 0);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, x, false);
    gg_node_input(model, node, t, false);
    return gg_node_output(model, node, &(gg_shape){1, {1}});
}

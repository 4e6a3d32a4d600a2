/* loss.c - losses other than the fused softmax: cross-entropy error of probabilities, mean squared error.
 * Both give the scalar [1].
 *
 * Cross-entropy error, Y probabilities [.., C], N rows; with a label l instead of targets, t_rc = [c = l]:
 *   L = - (1/N) sum_r sum_c t_rc log(y_rc + d),  d = 1e-7 keeps log 0 away, as in the book
 *   dL/dy_rc = - t_rc / (N (y_rc + d))
 *   dL/dt_rc = - log(y_rc + d) / N, for targets that are computed and learn, too
 *
 * Mean squared error, n elements:
 *   L = (1/n) sum (y_i - t_i)^2
 *   dL/dy_i = 2 (y_i - t_i) / n,  dL/dt_i = - dL/dy_i */
#include <math.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/softmax.h>

#include "node.h"

static const float log_offset = 1e-7f;

/* ---- cross-entropy error ---- */

static gg_status check_labels(const int32_t *labels, int64_t rows, int64_t columns)
{
    for (int64_t r = 0; r < rows; r++)
        if (labels[r] != GG_IGNORE_LABEL && (labels[r] < 0 || labels[r] >= columns))
            return gg_fail(GG_ERR_ARGUMENT, "gg_cross_entropy_error: label %d at row %lld, expected 0 to %lld",
                           (int)labels[r], (long long)r, (long long)columns - 1);
    return GG_OK;
}

static int64_t counted_rows(const gg_pass *pass)
{
    int64_t counted = 0;
    for (int64_t r = 0; r < pass->rows; r++)
        counted += pass->labels[1] == NULL || pass->labels[1][r] != GG_IGNORE_LABEL;
    return counted;
}

static double target(const gg_pass *pass, int64_t r, int64_t c)
{
    return pass->labels[1] != NULL ? (double)(pass->labels[1][r] == c) : (double)pass->x[1][r * pass->columns + c];
}

static gg_status cross_entropy_forward(const gg_pass *pass)
{
    const gg_status status = pass->labels[1] != NULL ? check_labels(pass->labels[1], pass->rows, pass->columns) : GG_OK;
    if (status != GG_OK)
        return status;
    double sum = 0.0;
    for (int64_t r = 0; r < pass->rows; r++)
        for (int64_t c = 0; c < pass->columns; c++) {
            const double t = target(pass, r, c);
            if (t != 0.0)
                sum -= t * log((double)pass->x[0][r * pass->columns + c] + (double)log_offset);
        }
    const int64_t counted = counted_rows(pass);
    pass->y[0][0] = counted > 0 ? (float)(sum / (double)counted) : 0.0f;
    return GG_OK;
}

static gg_status cross_entropy_backward(const gg_pass *pass)
{
    const int64_t counted = counted_rows(pass);
    const float scale = counted > 0 ? pass->dy[0][0] / (float)counted : 0.0f;
    for (int64_t r = 0; r < pass->rows && pass->dx[0] != NULL; r++)
        for (int64_t c = 0; c < pass->columns; c++) {
            const int64_t i = r * pass->columns + c;
            pass->dx[0][i] = -scale * (float)target(pass, r, c) / (pass->x[0][i] + log_offset);
        }
    for (int64_t i = 0; i < pass->size && pass->dx[1] != NULL; i++)
        pass->dx[1][i] = -scale * (float)log((double)pass->x[0][i] + (double)log_offset);
    return GG_OK;
}

static const gg_layer_class cross_entropy_class = {
    .kind = "cross_entropy_error", .forward = cross_entropy_forward, .backward = cross_entropy_backward};

/* ---- mean squared error ---- */

static gg_status squared_forward(const gg_pass *pass)
{
    double sum = 0.0;
    for (int64_t i = 0; i < pass->size; i++) {
        const double difference = (double)pass->x[0][i] - (double)pass->x[1][i];
        sum += difference * difference;
    }
    pass->y[0][0] = pass->size > 0 ? (float)(sum / (double)pass->size) : 0.0f;
    return GG_OK;
}

static gg_status squared_backward(const gg_pass *pass)
{
    const float scale = pass->size > 0 ? 2.0f * pass->dy[0][0] / (float)pass->size : 0.0f;
    for (int side = 0; side < 2; side++)
        for (int64_t i = 0; i < pass->size && pass->dx[side] != NULL; i++)
            pass->dx[side][i] = (side == 0 ? scale : -scale) * (pass->x[0][i] - pass->x[1][i]);
    return GG_OK;
}

static const gg_layer_class squared_class = {
    .kind = "mean_squared_error", .forward = squared_forward, .backward = squared_backward};

/* ---- building ---- */

static gg_value add_loss(gg_model *model, const gg_layer_class *layer_class, gg_value y, gg_value t)
{
    gg_node *node = gg_node_begin(model, layer_class, NULL, 0);
    if (node == NULL)
        return GG_NO_VALUE;
    gg_node_input(model, node, y, true);
    gg_node_input(model, node, t, true);
    return gg_node_output(model, node, &(gg_shape){1, {1}});
}

gg_value gg_cross_entropy_error(gg_model *model, gg_value y, gg_value t)
{
    if (!gg_targets_fit(model, y, t, "gg_cross_entropy_error"))
        return GG_NO_VALUE;
    return add_loss(model, &cross_entropy_class, y, t);
}

gg_value gg_mean_squared_error(gg_model *model, gg_value y, gg_value t)
{
    static const char name[] = "gg_mean_squared_error";
    const gg_shape *left = gg_value_shape(model, y, name, "y", false);
    const gg_shape *right = left != NULL ? gg_value_shape(model, t, name, "t", false) : NULL;
    char text[2][96];
    if (right == NULL)
        return GG_NO_VALUE;
    if (!gg_shapes_equal(left, right))
        return gg_model_error(model, GG_ERR_SHAPE, "%s: y is %s, t is %s", name, gg_shape_text(left, text[0]),
                              gg_shape_text(right, text[1]));
    return add_loss(model, &squared_class, y, t);
}

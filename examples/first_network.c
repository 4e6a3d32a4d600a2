/* Train a two-layer network on three spiral arms. */
#include <stdio.h>
#include <gemmgrad/layers.h>

enum { CLASSES = 3, EACH = 100, COUNT = CLASSES * EACH };

int main(void)
{
    float points[COUNT][2];
    int32_t arms[COUNT];
    gg_model *net = NULL;
    gg_optimizer *sgd = NULL;

    gg_spiral_make(&points[0][0], arms, EACH, CLASSES, 1);
    gg_model_new(&net, 42);
    gg_value x = gg_input(net, "x", 2, (int64_t[]){GG_BATCH, 2});
    gg_value t = gg_input_labels(net, "t", 1, (int64_t[]){GG_BATCH});
    gg_value h = gg_affine(net, x, 16, &(gg_affine_options){.activation = GG_TANH});
    gg_value y = gg_affine(net, h, CLASSES, NULL);
    gg_value loss = gg_softmax_with_loss(net, y, t);

    gg_status status = gg_model_plan(net, loss, COUNT); /* reports any error made above */
    if (status == GG_OK)
        status = gg_optimizer_new(&sgd, net, &(gg_optimizer_options){.kind = GG_ADAM});
    gg_model_bind(net, x, &points[0][0]);
    gg_model_bind_labels(net, t, arms);
    for (int step = 0; status == GG_OK && step <= 1000; step++) {
        status = gg_model_forward(net, loss, GG_TRAIN);
        if (status == GG_OK && step % 250 == 0)
            printf("step %4d  loss %.4f\n", step, gg_model_loss(net));
        if (status == GG_OK && (status = gg_model_backward(net)) == GG_OK)
            status = gg_optimizer_step(sgd, 0.01f);
    }
    if (status != GG_OK)
        fprintf(stderr, "%s\n", gg_error_message());
    gg_optimizer_free(sgd);
    gg_model_free(net);
    return status != GG_OK;
}

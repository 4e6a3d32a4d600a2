/* conv_pointwise_rows.c - kernels of one tap on small images: pixels as rows.
 *
 * Images of few pixels make narrow products, and W is read again for each of them. With all images turned round,
 * X^T [pixels of all images][channels] and Y^T [pixels][filters], the pass is the product of a dense layer:
 *   Y^T = X^T . W^T,  dX^T = dY^T . W,  dW = dY . X^T
 * which every thread takes a part of. Workspace: both matrices, one after the other. */
#include "conv_pointwise.h"

#include "kernels/kernels.h"
#include "parallel.h"
#include "product.h"

/* Below, turning round takes less time than the narrow products lose. */
enum { MOST_PIXELS = 128 };

bool gg_pointwise_as_rows(const gg_conv_geometry *g)
{
    return g->groups == 1 && g->batch > 1 && g->pixels <= MOST_PIXELS;
}

static int64_t side(const gg_conv_geometry *g, int64_t planes)
{
    return gg_conv_lines(g->batch * g->pixels * planes);
}

int64_t gg_pointwise_rows_workspace(const gg_conv_geometry *g)
{
    return side(g, g->channels) + side(g, g->filters);
}

typedef struct turn {
    const gg_conv_call *call;
    float *rows;       /* [image][pixel][plane] */
    const float *from; /* images to turn, NULL: */
    float *to;         /* rows to turn back */
    int64_t planes;
    bool finish;
} turn;

static void turn_images(void *context, int64_t begin, int64_t end)
{
    const turn *t = context;
    const int64_t pixels = t->call->g.pixels, image_floats = t->planes * pixels;
    for (int64_t image = begin; image < end; image++) {
        float *rows = t->rows + image * image_floats;
        if (t->from != NULL) {
            gg_kernels()->transpose(rows, t->planes, t->from + image * image_floats, pixels, t->planes, pixels);
            continue;
        }
        const bool add = !t->finish && t->call->accumulate;
        gg_kernels()->transpose_add(t->to + image * image_floats, pixels, rows, t->planes, pixels, t->planes,
                                    add ? 1.0f : 0.0f);
        for (int64_t o = 0; t->finish && gg_conv_has_finish(t->call) && o < t->planes; o++)
            gg_conv_finish(t->call, image, o, 0, pixels);
    }
}

static void run_turn(const turn *t)
{
    gg_parallel_for(t->call->g.batch, 1, 1, turn_images, (turn[]){*t});
}

void gg_pointwise_rows(const gg_conv_call *call, gg_conv_pass pass)
{
    const gg_conv_geometry *g = &call->g;
    float *x = call->workspace, *y = call->workspace + side(g, g->channels);
    gg_product p = {.alpha = 1.0f, .m = g->batch * g->pixels};
    if (pass == GG_CONV_FORWARD) {
        run_turn(&(turn){call, x, call->x, NULL, g->channels, false});
        p.c = y, p.a = x, p.b = call->w;
        p.ldc = p.n = g->filters, p.lda = p.ldb = p.k = g->channels;
        p.transpose_b = true;
        gg_product_run(&p);
        run_turn(&(turn){call, y, NULL, call->y, g->filters, true});
        return;
    }
    run_turn(&(turn){call, y, call->dy, NULL, g->filters, false});
    if (pass == GG_CONV_BACKWARD_DATA) {
        p.c = x, p.a = y, p.b = call->w;
        p.ldc = p.ldb = p.n = g->channels, p.lda = p.k = g->filters;
        gg_product_run(&p);
        run_turn(&(turn){call, x, NULL, call->dx, g->channels, false});
        return;
    }
    run_turn(&(turn){call, x, call->x, NULL, g->channels, false});
    p.c = call->dw, p.a = y, p.b = x;
    p.m = p.lda = g->filters, p.n = p.ldb = p.ldc = g->channels, p.k = g->batch * g->pixels;
    p.transpose_a = true, p.beta = call->accumulate ? 1.0f : 0.0f;
    gg_product_run(&p);
}

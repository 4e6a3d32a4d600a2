/* bench_kinds_convnet.c - training steps of convolutional networks. Beside each stand the cblas_sgemm calls of its
 * products: an image's worth at a time for a convolution, its matrix of columns given. */
#include "bench_case.h"
#include "bench_check.h"
#include "bench_check_step.h"
#include "convnet.h"
#include "reference_images.h"

/* ---- the networks ---- */

typedef enum stage_kind { STAGE_END, STAGE_CONV, STAGE_POOL, STAGE_AFFINE } stage_kind;

/* Convolution 3 x 3 with ReLU, pooling 2 x 2, affine with ReLU but for the last. */
typedef struct stage {
    stage_kind kind;
    int64_t out;
} stage;

enum { MOST_STAGES = 12, CLASSES = 10, KERNEL = 3 };

typedef struct description {
    int64_t channels, height, width;
    gg_optimizer_kind optimizer;
    int64_t part; /* images that are held to the reference at a time */
    stage stages[MOST_STAGES];
} description;

static const char *const names[] = {"mnist-adam", "vgg-momentum", NULL};

static const description descriptions[] = {
    {1,
     28,
     28,
     GG_ADAM,
     4,
     {{STAGE_CONV, 32},
      {STAGE_POOL, 0},
      {STAGE_CONV, 64},
      {STAGE_POOL, 0},
      {STAGE_AFFINE, 128},
      {STAGE_AFFINE, CLASSES}}},
    {3,
     32,
     32,
     GG_MOMENTUM,
     1,
     {{STAGE_CONV, 64},
      {STAGE_CONV, 64},
      {STAGE_POOL, 0},
      {STAGE_CONV, 128},
      {STAGE_CONV, 128},
      {STAGE_POOL, 0},
      {STAGE_CONV, 256},
      {STAGE_CONV, 256},
      {STAGE_POOL, 0},
      {STAGE_AFFINE, 512},
      {STAGE_AFFINE, CLASSES}}},
};

static const description *described(const bench_case *line)
{
    return &descriptions[line->option];
}

/* A stage with the sizes of what comes in; stages are walked through with next. */
typedef struct place {
    const stage *at;
    int64_t channels, height, width;
    bool first;
} place;

static place start(const bench_case *line)
{
    const description *d = described(line);
    return (place){d->stages, d->channels, d->height, d->width, true};
}

static void next(place *p)
{
    if (p->at->kind == STAGE_POOL) {
        p->height /= 2;
        p->width /= 2;
    } else {
        p->channels = p->at->out;
    }
    if (p->at->kind == STAGE_AFFINE)
        p->height = p->width = 1;
    p->first = false;
    p->at++;
}

static bool is_last(const place *p)
{
    return p->at[1].kind == STAGE_END;
}

static int64_t size_in(const place *p)
{
    return p->channels * p->height * p->width;
}

/* Products of one output of the stage; outputs of one image. */
static int64_t depth(const place *p)
{
    return p->at->kind == STAGE_CONV ? p->channels * KERNEL * KERNEL : size_in(p);
}

static int64_t pixels(const place *p)
{
    return p->at->kind == STAGE_CONV ? p->height * p->width : 1;
}

/* Forward, dW, and dX of all layers but the first. */
static double convnet_flops(const bench_case *line)
{
    double flops = 0.0;
    for (place p = start(line); p.at->kind != STAGE_END; next(&p))
        if (p.at->kind != STAGE_POOL)
            flops += (p.first ? 4.0 : 6.0) * (double)line->size[0] * (double)(p.at->out * pixels(&p) * depth(&p));
    return flops;
}

/* ---- the work ---- */

static bench_reference find_reference;

static bench_step step_of(const bench_case *line)
{
    const place p = start(line);
    return (bench_step){.sample = size_in(&p), .part = described(line)->part, .reference = find_reference};
}

static gg_status build_model(bench_work *work)
{
    const bench_case *line = work->line;
    const description *d = described(line);
    const gg_optimizer_options optimizer = {.kind = d->optimizer};
    const bench_step step = step_of(line);
    gg_convnet c;
    gg_status status = gg_convnet_begin(&c, d->channels, d->height, d->width, 1);
    if (status != GG_OK)
        return status;
    work->model = c.net.model;
    for (place p = start(line); p.at->kind != STAGE_END; next(&p))
        if (p.at->kind == STAGE_CONV)
            gg_convnet_conv(&c, p.at->out, KERNEL, 1, GG_RELU, true);
        else if (p.at->kind == STAGE_POOL)
            gg_convnet_max_pool(&c, 2);
        else
            gg_convnet_affine(&c, p.at->out, is_last(&p) ? GG_IDENTITY : GG_RELU);
    gg_convnet_end(&c);
    work->loss = c.net.loss;
    work->input = c.net.input;
    work->targets = c.net.labels;
    status = gg_model_plan(work->model, work->loss, line->size[0]);
    if (status == GG_OK)
        status = gg_optimizer_new(&work->optimizer, work->model, &optimizer);
    return status != GG_OK ? status : bench_step_take(work, &step, 0, line->size[0]);
}

static void add_raw_affine(bench_work *work, const place *p, const float *x, float *y)
{
    const int64_t batch = work->line->size[0], in = size_in(p), out = p->at->out;
    float *w = bench_take_data(work, in * out), *dw = bench_take_data(work, in * out);
    float *dx = bench_take_data(work, batch * in);
    bench_add_raw(work, y, x, w, batch, out, in, false, false);
    bench_add_raw(work, dw, x, y, in, out, batch, true, false);
    bench_add_raw(work, dx, y, w, batch, in, out, false, true);
}

/* One after the other for the images; all of them see the columns of one. */
static void add_raw_conv(bench_work *work, const place *p, float *y)
{
    const int64_t filters = p->at->out;
    float *columns = bench_take_data(work, depth(p) * pixels(p));
    float *w = bench_take_data(work, filters * depth(p)), *dw = bench_take_data(work, filters * depth(p));
    bench_sgemm *products[3] = {
        bench_add_raw(work, y, w, columns, filters, pixels(p), depth(p), false, false),
        bench_add_raw(work, dw, y, columns, filters, depth(p), pixels(p), false, true),
        p->first ? NULL : bench_add_raw(work, columns, w, y, depth(p), pixels(p), filters, true, false),
    };
    for (int i = 0; i < 3; i++)
        if (products[i] != NULL)
            products[i]->count = (int)work->line->size[0];
    products[0]->stride_c = products[1]->stride_a = filters * pixels(p);
    if (products[2] != NULL)
        products[2]->stride_b = filters * pixels(p);
}

static gg_status open_convnet(bench_work *work)
{
    const int64_t batch = work->line->size[0];
    const place input = start(work->line);
    work->x = bench_take_data(work, batch * size_in(&input));
    work->labels = bench_take_labels(work, batch, CLASSES);
    float *x = work->x;
    for (place p = start(work->line); p.at->kind != STAGE_END; next(&p)) {
        if (p.at->kind == STAGE_POOL)
            continue;
        float *y = bench_take_data(work, batch * p.at->out * pixels(&p));
        if (p.at->kind == STAGE_CONV)
            add_raw_conv(work, &p, y);
        else
            add_raw_affine(work, &p, x, y);
        x = y;
    }
    return work->status != GG_OK ? work->status : build_model(work);
}

/* As in bench_kinds_network.c. */
static const float RATE = 1e-5f;

static gg_status run_convnet(bench_work *work)
{
    gg_status status = gg_model_forward(work->model, work->loss, GG_TRAIN);
    if (status == GG_OK)
        status = gg_model_backward(work->model);
    return status != GG_OK ? status : gg_optimizer_step(work->optimizer, RATE);
}

/* ---- the same network in double ---- */

typedef struct reference_network {
    reference_pass passes[MOST_STAGES], loss;
    const reference_layer *layers[MOST_STAGES];
    int count;
} reference_network;

/* The next parameter of the model as double, its gradient among all of them. */
static double *parameter(bench_work *work, int *number, double *gradients, double **gradient)
{
    gg_parameter p;
    if (gg_model_parameter(work->model, (*number)++, &p) != GG_OK)
        return NULL;
    *gradient = gradients + p.offset;
    return bench_check_doubles(work, gg_model_parameters(work->model) + p.offset, p.size);
}

static const gg_pool_window halving = {.kernel_height = 2, .kernel_width = 2};

static void describe_pass(bench_work *work, reference_network *net, const place *p, int64_t batch, int *parameters,
                          double *gradients)
{
    reference_pass *pass = &net->passes[net->count];
    pass->activation = p->at->kind != STAGE_POOL && !is_last(p) ? GG_RELU : GG_IDENTITY;
    pass->rows = batch;
    pass->columns = size_in(p);
    pass->out = p->at->out;
    pass->images = batch;
    pass->channels = p->channels;
    pass->height = p->height;
    pass->width = p->width;
    pass->window = &halving;
    pass->conv = (gg_conv_shape){.batch = batch,
                                 .channels = p->channels,
                                 .height = p->height,
                                 .width = p->width,
                                 .filters = p->at->out,
                                 .kernel_height = KERNEL,
                                 .kernel_width = KERNEL,
                                 .pad_top = 1,
                                 .pad_bottom = 1,
                                 .pad_left = 1,
                                 .pad_right = 1};
    net->layers[net->count] = p->at->kind == STAGE_CONV   ? &reference_conv_layer
                              : p->at->kind == STAGE_POOL ? &reference_max_pool
                                                          : &reference_affine;
    if (p->at->kind == STAGE_POOL)
        return;
    pass->w = parameter(work, parameters, gradients, &pass->dw);
    pass->b = parameter(work, parameters, gradients, &pass->db);
}

static gg_status take_reference(bench_work *work, reference_network *net, int64_t first, int64_t batch,
                                double *gradients)
{
    int parameters = 0;
    place p = start(work->line);
    double *x = bench_check_doubles(work, work->x + first * size_in(&p), batch * size_in(&p)),
           *dx = bench_take_zeros(work, batch * size_in(&p));
    for (; p.at->kind != STAGE_END; next(&p)) {
        reference_pass *pass = &net->passes[net->count];
        *pass = (reference_pass){.x = {x}, .dx = {dx}};
        describe_pass(work, net, &p, batch, &parameters, gradients);
        place behind = p;
        next(&behind);
        pass->y = x = bench_take_zeros(work, batch * size_in(&behind));
        pass->dy = dx = bench_take_zeros(work, batch * size_in(&behind));
        net->count++;
    }
    double *one = bench_take_zeros(work, 1);
    if (one != NULL)
        *one = 1.0;
    net->loss = (reference_pass){.rows = batch, .columns = CLASSES, .x = {x}, .dx = {dx}};
    net->loss.labels = work->labels + first;
    net->loss.y = bench_take_zeros(work, 1);
    net->loss.dy = one;
    return work->status;
}

static void run_reference(const reference_network *net)
{
    for (int i = 0; i < net->count; i++)
        net->layers[i]->forward(&net->passes[i]);
    reference_softmax_with_loss.forward(&net->loss);
    reference_softmax_with_loss.backward(&net->loss);
    for (int i = net->count - 1; i >= 0; i--)
        net->layers[i]->backward(&net->passes[i]);
}

static gg_status find_reference(bench_work *work, int64_t first, int64_t count, double *loss, double *gradients)
{
    reference_network net = {.count = 0};
    const gg_status status = take_reference(work, &net, first, count, gradients);
    if (status != GG_OK)
        return status;
    run_reference(&net);
    *loss = *net.loss.y;
    return GG_OK;
}

/* Loss and gradients at the start. */
static gg_status check_convnet(bench_work *work, int variant)
{
    const bench_step step = step_of(work->line);
    (void)variant; /* there is one */
    return bench_check_step(work, &step);
}

static void close_convnet(bench_work *work)
{
    gg_optimizer_free(work->optimizer);
    gg_model_free(work->model);
}

/* As in bench_kinds_text.c. */
static bool too_long(const bench_case *line)
{
    return convnet_flops(line) > 2e10;
}

const bench_kind bench_convnet = {
    .name = "convnet",
    .options = names,
    .variants = {{"", run_convnet}},
    .has_raw = true,
    .may_save_operations = true,
    .flops = convnet_flops,
    .too_long = too_long,
    .open = open_convnet,
    .check = check_convnet,
    .close = close_convnet,
};

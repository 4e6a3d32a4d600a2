/* test_nodes.c - softmax with cross-entropy error built node by node, as the derivation at the top of
 * layers/softmax_with_loss.c walks it, equals the layer that does it in one: the loss, the gradient of x, and what the
 * derivation says of each node on the way. */
#include <float.h>
#include <math.h>

#include <gemmgrad/layer.h>
#include <gemmgrad/model.h>

#include "support.h"

enum { ROWS = 7, CLASSES = 5, SIZE = ROWS * CLASSES };

/* The values' names in the derivation; share is s or 1/s, repeated or not. */
typedef struct chain {
    gg_model *model;
    gg_value x, t, one, factor, e, s, share, y, log_y, weighted, loss;
} chain;

/* ---- building ---- */

static gg_value keep(chain *c, gg_value value)
{
    ck_assert_msg(gg_model_keep(c->model, value, true) == GG_OK, "%s", gg_error_message());
    return value;
}

static void open_chain(chain *c)
{
    *c = (chain){.one = GG_NO_VALUE, .factor = GG_NO_VALUE};
    ck_assert_int_eq(gg_model_new(&c->model, 1), GG_OK);
    c->x = keep(c, gg_input(c->model, "x", 2, (int64_t[]){GG_BATCH, CLASSES}));
    c->t = gg_input(c->model, "t", 2, (int64_t[]){GG_BATCH, CLASSES});
}

static void build_fused(chain *c)
{
    open_chain(c);
    c->loss = gg_softmax_with_loss(c->model, c->x, c->t);
}

/* L = -(1/N) times the sum of all t log y. */
static void close_chain(chain *c)
{
    c->factor = gg_input(c->model, "-1/N", 1, (int64_t[]){1});
    c->log_y = keep(c, gg_node_log(c->model, c->y));
    c->weighted = keep(c, gg_node_multiply(c->model, c->t, c->log_y));
    const gg_value of_rows = gg_node_sum(c->model, c->weighted);
    c->loss = gg_node_multiply(c->model, gg_node_sum(c->model, of_rows), c->factor);
}

/* y = e / s, a division for each class. */
static void build_with_division(chain *c)
{
    open_chain(c);
    c->e = keep(c, gg_node_exp(c->model, c->x));
    c->s = keep(c, gg_node_sum(c->model, c->e));
    c->share = keep(c, gg_node_repeat(c->model, c->s, CLASSES));
    c->y = keep(c, gg_node_divide(c->model, c->e, c->share));
    close_chain(c);
}

/* The book's way: 1 / s once for each row, then multiplied. */
static void build_with_reciprocal(chain *c)
{
    open_chain(c);
    c->e = keep(c, gg_node_exp(c->model, c->x));
    c->s = keep(c, gg_node_sum(c->model, c->e));
    c->one = gg_input(c->model, "1", 1, (int64_t[]){GG_BATCH});
    c->share = keep(c, gg_node_divide(c->model, c->one, c->s));
    c->y = keep(c, gg_node_multiply(c->model, c->e, gg_node_repeat(c->model, c->share, CLASSES)));
    close_chain(c);
}

/* ---- running ---- */

static float x[SIZE], t[SIZE];

typedef enum targets { ONE_HOT, DISTRIBUTION, ANY_WEIGHTS } targets;

static void make_data(targets kind)
{
    support_fill(x, SIZE, -3.0, 3.0, 5);
    support_fill(t, SIZE, 0.0625, 1.0, 6);
    for (int r = 0; r < ROWS; r++) {
        float sum = 0.0f;
        for (int c = 0; c < CLASSES; c++)
            sum += t[r * CLASSES + c];
        for (int c = 0; c < CLASSES && kind != ANY_WEIGHTS; c++)
            t[r * CLASSES + c] = kind == DISTRIBUTION ? t[r * CLASSES + c] / sum : (float)(c == (3 * r + 1) % CLASSES);
    }
}

static void run(chain *c)
{
    static float ones[ROWS];
    static const float factor = -1.0f / (float)ROWS;
    support_fill(ones, ROWS, 1.0, 1.0, 0);
    ck_assert_msg(gg_model_plan(c->model, c->loss, ROWS) == GG_OK, "%s", gg_error_message());
    ck_assert_int_eq(gg_model_bind(c->model, c->x, x), GG_OK);
    ck_assert_int_eq(gg_model_bind(c->model, c->t, t), GG_OK);
    if (c->one.id >= 0)
        ck_assert_int_eq(gg_model_bind(c->model, c->one, ones), GG_OK);
    if (c->factor.id >= 0)
        ck_assert_int_eq(gg_model_bind(c->model, c->factor, &factor), GG_OK);
    ck_assert_int_eq(gg_model_forward(c->model, c->loss, GG_TRAIN), GG_OK);
    ck_assert_int_eq(gg_model_backward(c->model), GG_OK);
}

/* ---- comparing ---- */

/* What the derivation calls e, y, s and sum t; N rows share the loss. */
typedef struct derived {
    double e[SIZE], y[SIZE], s[ROWS], t_sum[ROWS];
} derived;

static void derive(derived *d)
{
    for (int r = 0; r < ROWS; r++) {
        d->s[r] = d->t_sum[r] = 0.0;
        for (int i = r * CLASSES; i < (r + 1) * CLASSES; i++) {
            d->e[i] = exp((double)x[i]);
            d->s[r] += d->e[i];
            d->t_sum[r] += (double)t[i];
        }
        for (int i = r * CLASSES; i < (r + 1) * CLASSES; i++)
            d->y[i] = d->e[i] / d->s[r];
    }
}

static void check_gradient(const chain *c, gg_value value, const double *expected, const double *magnitude, int n,
                           const char *what)
{
    const float *gradient = gg_model_gradient(c->model, value);
    ck_assert_ptr_nonnull(gradient);
    support_assert_close(gradient, expected, magnitude, n, 16.0, "%s", what);
}

static void check_gradient_of_x(const chain *c, const derived *d)
{
    double gradient[SIZE], magnitude[SIZE];
    for (int i = 0; i < SIZE; i++) {
        gradient[i] = (d->y[i] * d->t_sum[i / CLASSES] - (double)t[i]) / ROWS;
        magnitude[i] = (d->y[i] * d->t_sum[i / CLASSES] + (double)t[i]) / ROWS;
    }
    check_gradient(c, c->x, gradient, magnitude, SIZE, "x");
}

/* From the loss back to e, as the comment in layers/softmax_with_loss.c goes. */
static void check_derivation(const chain *c, const derived *d, bool reciprocal)
{
    double weighted[SIZE], log_y[SIZE], y[SIZE], e[SIZE], e_size[SIZE], s[ROWS], share[ROWS];
    for (int i = 0; i < SIZE; i++) {
        const int r = i / CLASSES;
        weighted[i] = -1.0 / ROWS;
        log_y[i] = -(double)t[i] / ROWS;
        y[i] = -(double)t[i] / d->y[i] / ROWS;
        e[i] = (d->t_sum[r] / d->s[r] - (double)t[i] / d->e[i]) / ROWS;
        e_size[i] = (d->t_sum[r] / d->s[r] + (double)t[i] / d->e[i]) / ROWS;
        s[r] = d->t_sum[r] / d->s[r] / ROWS;
        share[r] = -d->s[r] * d->t_sum[r] / ROWS;
    }
    check_gradient(c, c->weighted, weighted, NULL, SIZE, "t log y");
    check_gradient(c, c->log_y, log_y, NULL, SIZE, "log y");
    check_gradient(c, c->y, y, NULL, SIZE, "y");
    if (reciprocal)
        check_gradient(c, c->share, share, NULL, ROWS, "1/s");
    check_gradient(c, c->s, s, NULL, ROWS, "s");
    check_gradient(c, c->e, e, e_size, SIZE, "e");
}

START_TEST(nodes_equal_the_fused_layer)
{
    static void (*const builders[])(chain *) = {build_fused, build_with_division, build_with_reciprocal};
    const targets kind = (targets)_i;
    double losses[3];
    derived d;
    make_data(kind);
    derive(&d);
    for (int i = 0; i < 3; i++) {
        chain c;
        builders[i](&c);
        run(&c);
        losses[i] = gg_model_loss(c.model);
        check_gradient_of_x(&c, &d);
        if (i > 0)
            check_derivation(&c, &d, i == 2);
        gg_model_free(c.model);
    }
    ck_assert_double_eq_tol(losses[1], losses[0], 16.0 * (double)FLT_EPSILON * losses[0]);
    ck_assert_double_eq_tol(losses[2], losses[0], 16.0 * (double)FLT_EPSILON * losses[0]);
}
END_TEST

/* What the fused layer is for: scores at which exp overflows, and the nodes one by one give NaN. */
START_TEST(only_the_fused_layer_survives_large_scores)
{
    chain fused, nodes;
    make_data(DISTRIBUTION);
    x[3] = 200.0f;
    build_fused(&fused);
    run(&fused);
    build_with_division(&nodes);
    run(&nodes);
    ck_assert(isfinite(gg_model_loss(fused.model)));
    ck_assert(!isfinite(gg_model_loss(nodes.model)));
    gg_model_free(fused.model);
    gg_model_free(nodes.model);
}
END_TEST

/* A float that grows by 0.1f a hundred thousand times would be off by a thousandth; sums are made in double. */
START_TEST(long_sums_are_exact)
{
    enum { MANY = 100000 };
    const float expected = (float)(MANY * (double)0.1f);
    const float *tenths = support_uniform(MANY, 0.1, 0.1, 0);
    const float number = 1.0f; /* inputs are bound, not copied: it must live as long as the runs */
    gg_model *model;
    ck_assert_int_eq(gg_model_new(&model, 1), GG_OK);
    const gg_value one = gg_input(model, "one", 1, (int64_t[]){1});
    const gg_value weights = gg_input(model, "weights", 2, (int64_t[]){1, MANY});
    const gg_value products = gg_node_multiply(model, gg_node_repeat(model, one, MANY), weights);
    const gg_value loss = gg_node_sum(model, gg_node_sum(model, products));
    ck_assert_int_eq(gg_model_keep(model, one, true), GG_OK);
    ck_assert_int_eq(gg_model_plan(model, loss, 1), GG_OK);
    ck_assert_int_eq(gg_model_bind(model, one, &number), GG_OK);
    ck_assert_int_eq(gg_model_bind(model, weights, tenths), GG_OK);
    ck_assert_int_eq(gg_model_forward(model, loss, GG_TRAIN), GG_OK);
    ck_assert_int_eq(gg_model_backward(model), GG_OK);
    ck_assert_float_eq(gg_model_data(model, loss)[0], expected);
    ck_assert_float_eq(gg_model_gradient(model, one)[0], expected);
    gg_model_free(model);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, long_sums_are_exact);
    tcase_add_loop_test(tests, nodes_equal_the_fused_layer, ONE_HOT, ANY_WEIGHTS + 1);
    tcase_add_test(tests, only_the_fused_layer_survives_large_scores);
}

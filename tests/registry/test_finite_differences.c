/* test_finite_differences.c - each reference backward against its reference forward: the numbers that everything else
 * is held to are held to the definition of a derivative, dL/dx = (L(x + h) - L(x - h)) / 2h.
 *
 * The error of the difference itself: h^2 / 6 times a third derivative, about 1e-12, and the rounding of L over h,
 * about 1e-16 / 1e-6 = 1e-10 of L. */
#include <math.h>

#include "registry.h"
#include "support.h"

static const double STEP = 1e-6, RELATIVE = 1e-6, ABSOLUTE = 3e-9;

/* No activation within so much of its kink, so that no step crosses it: |dz/dx| is below 2. */
static const double CLEAR_OF_KINKS = 1e-4;

/* The largest error of size elements of a gradient, in tolerances. */
static double largest_error(const twin *t, twin_numbers *n, double *x, const double *gradient, int64_t size)
{
    double largest = 0.0;
    for (int64_t i = 0; i < size; i++) {
        const double before = x[i];
        x[i] = before + STEP;
        const double above = twin_compute(t, n);
        x[i] = before - STEP;
        const double below = twin_compute(t, n);
        x[i] = before;
        const double difference = (above - below) / (2.0 * STEP);
        largest = fmax(largest, fabs(difference - gradient[i]) / (RELATIVE * fabs(difference) + ABSOLUTE));
    }
    return largest;
}

static bool is_free_input(const twin *t, int v)
{
    return t->values[v].layer == NULL && !twin_is_labels(t, v);
}

/* Numbers of a seed that leaves every activation clear of its kink. */
static twin_numbers *start(twin *t, const registry_entry *entry, const registry_sizes *sizes)
{
    for (uint64_t seed = 1; seed < 200; seed++) {
        registry_start(t, entry, sizes, seed);
        twin_numbers *n = twin_numbers_new(t);
        twin_take_inputs(t, n);
        twin_compute(t, n);
        if (twin_distance_from_kinks(t, n) > CLEAR_OF_KINKS)
            return n;
        twin_free(t);
        support_release();
    }
    ck_abort_msg("%s: no seed clear of kinks", entry->name);
}

START_TEST(backward_is_the_derivative_of_forward)
{
    static const registry_sizes shapes[] = {
        {1, 1, 1, 5, 3}, {2, 4, 1, 5, 3}, {3, 2, 3, 2, 4}, {4, 2, 1, 3, 2}, {0, 6, 1, 6, 2}};
    const registry_entry *entry = &registry[_i];
    for (int i = 0; i < 5; i++) {
        if (!registry_takes(entry, &shapes[i]))
            continue;
        twin t;
        twin_numbers *n = start(&t, entry, &shapes[i]);
        twin_compute_gradients(&t, n);
        for (int v = 0; v < t.count; v++)
            if (is_free_input(&t, v))
                ck_assert_double_le(largest_error(&t, n, n->value[v], n->gradient[v], twin_size(&t, v)), 1.0);
        for (int p = 0; p < t.parameters; p++)
            ck_assert_double_le(largest_error(&t, n, n->weight[p], n->weight_gradient[p], twin_parameter_size(&t, p)),
                                1.0);
        twin_free(&t);
        support_release();
    }
}
END_TEST

/* The tolerances let no wrong gradient through: an error of 1e-4 in one element is seen. */
START_TEST(a_wrong_gradient_is_seen)
{
    twin t;
    twin_numbers *n = start(&t, &registry[0], &(registry_sizes){2, 4, 1, 5, 3});
    twin_compute_gradients(&t, n);
    n->weight_gradient[0][7] *= 1.0 + 1e-4;
    ck_assert_double_gt(largest_error(&t, n, n->weight[0], n->weight_gradient[0], twin_parameter_size(&t, 0)), 1.0);
    twin_free(&t);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_loop_test(tests, backward_is_the_derivative_of_forward, 0, registry_count);
    tcase_add_test(tests, a_wrong_gradient_is_seen);
}

/* task_digits.c - digits drawn by the library (gemmgrad/digits.h) and a perceptron that reads them. */
#include "perceptron.h"

/* The pictures do not depend on --seed, so that accuracies of different runs compare. */
enum { TRAIN_COUNT = 30000, TEST_COUNT = 5000, PIXELS = GG_DIGITS_PIXELS, TRAIN_SEED = 1, TEST_SEED = 2 };

gg_status gg_digits_load(gg_task_data *out, const char *path)
{
    (void)path;
    *out = (gg_task_data){.train_count = TRAIN_COUNT,
                          .test_count = TEST_COUNT,
                          .features = PIXELS,
                          .height = GG_DIGITS_HEIGHT,
                          .width = GG_DIGITS_WIDTH,
                          .classes = GG_DIGITS_CLASSES};
    gg_status status = gg_task_data_allocate(out);
    if (status == GG_OK)
        status = gg_digits_draw(out->train_x, out->train_labels, TRAIN_COUNT, TRAIN_SEED);
    if (status == GG_OK)
        status = gg_digits_draw(out->test_x, out->test_labels, TEST_COUNT, TEST_SEED);
    return status;
}

gg_status gg_digits_build(gg_network *out, const gg_task_data *data, uint64_t seed)
{
    const int64_t widths[] = {data->features, 512, 512, data->classes};
    return gg_perceptron_build(out, &(gg_perceptron){.widths = widths, .count = 4, .activation = GG_RELU}, seed);
}

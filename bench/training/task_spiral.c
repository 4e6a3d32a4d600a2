/* task_spiral.c - the spiral of "Deep Learning from Scratch 2", chapter 1: 3 classes of 100 points in the plane, and
 * a network of 2-10-3 with sigmoid that bends straight lines around them. Trained as there: batch 30, SGD with rate
 * 1, 300 epochs. The book has no test set; ours is a second spiral drawn from another seed. */
#include "perceptron.h"

enum { PER_CLASS = 100, CLASSES = 3, COUNT = PER_CLASS * CLASSES, TRAIN_SEED = 1984, TEST_SEED = 2020 };

gg_status gg_spiral_load(gg_task_data *out, const char *path)
{
    (void)path;
    *out = (gg_task_data){.train_count = COUNT, .test_count = COUNT, .features = 2, .classes = CLASSES};
    gg_status status = gg_task_data_allocate(out);
    if (status == GG_OK)
        status = gg_spiral_make(out->train_x, out->train_labels, PER_CLASS, CLASSES, TRAIN_SEED);
    if (status == GG_OK)
        status = gg_spiral_make(out->test_x, out->test_labels, PER_CLASS, CLASSES, TEST_SEED);
    return status;
}

gg_status gg_spiral_build(gg_network *out, const gg_task_data *data, uint64_t seed)
{
    const int64_t widths[] = {data->features, 10, data->classes};
    return gg_perceptron_build(out, &(gg_perceptron){.widths = widths, .count = 3, .activation = GG_SIGMOID}, seed);
}

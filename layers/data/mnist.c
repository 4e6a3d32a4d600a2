/* mnist.c - the four files of MNIST in a folder, and whether they belong together. */
#include <gemmgrad/idx.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <gemmgrad/memory.h>

enum { PATH_BYTES = 4096, CLASSES = 10 };

/* path = the file of that name in the folder, or with .gz. */
static gg_status find(char path[PATH_BYTES], const char *folder, const char *name)
{
    static const char *const endings[] = {"", ".gz"};
    struct stat about;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const int length = snprintf(path, PATH_BYTES, "%s/%s%s", folder, name, endings[i]);
        if (length < 0 || length >= PATH_BYTES)
            return gg_fail(GG_ERR_ARGUMENT, "gg_mnist_load: the folder's name has more than %d bytes", PATH_BYTES - 64);
        if (stat(path, &about) == 0)
            return GG_OK;
    }
    return gg_fail(GG_ERR_IO, "gg_mnist_load: neither %s nor %s.gz in '%.220s': %s", name, name, folder,
                   strerror(errno));
}

static gg_status check_labels(const int32_t *labels, int64_t labels_count, int64_t images_count, const char *path)
{
    if (labels_count != images_count)
        return gg_fail(GG_ERR_FORMAT, "gg_mnist_load: '%.300s' has %lld labels for %lld images", path,
                       (long long)labels_count, (long long)images_count);
    if (labels_count == 0)
        return gg_fail(GG_ERR_FORMAT, "gg_mnist_load: '%.300s' has no labels", path);
    for (int64_t i = 0; i < labels_count; i++)
        if (labels[i] >= CLASSES)
            return gg_fail(GG_ERR_FORMAT, "gg_mnist_load: '%.300s': label %lld is %d, expected 0 to %d", path,
                           (long long)i, (int)labels[i], CLASSES - 1);
    return GG_OK;
}

typedef struct half {
    float *images;
    int32_t *labels;
    int64_t count, height, width;
} half;

static void free_half(half *h)
{
    gg_free(h->images);
    gg_free(h->labels);
}

static gg_status read_half(half *out, const char *folder, const char *images_name, const char *labels_name)
{
    char path[PATH_BYTES];
    half h = {0};
    int64_t labels = 0;
    gg_status status = find(path, folder, images_name);
    if (status == GG_OK)
        status = gg_idx_read_images(&h.images, &h.count, &h.height, &h.width, path);
    if (status == GG_OK)
        status = find(path, folder, labels_name);
    if (status == GG_OK)
        status = gg_idx_read_labels(&h.labels, &labels, path);
    if (status == GG_OK)
        status = check_labels(h.labels, labels, h.count, path);
    if (status == GG_OK)
        *out = h;
    else
        free_half(&h);
    return status;
}

static gg_status read_halves(half *train, half *test, const char *folder)
{
    gg_status status = read_half(train, folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    if (status == GG_OK)
        status = read_half(test, folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
    if (status == GG_OK && (train->height != test->height || train->width != test->width))
        status = gg_fail(GG_ERR_FORMAT, "gg_mnist_load: '%.300s': training images are %lld x %lld, tests %lld x %lld",
                         folder, (long long)train->height, (long long)train->width, (long long)test->height,
                         (long long)test->width);
    return status;
}

gg_status gg_mnist_load(gg_mnist *out, const char *folder)
{
    if (out == NULL || folder == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_mnist_load: out and folder must both be given");
    half train = {0}, test = {0};
    const gg_status status = read_halves(&train, &test, folder);
    if (status != GG_OK) {
        free_half(&train);
        free_half(&test);
        return status;
    }
    *out = (gg_mnist){.height = train.height,
                      .width = train.width,
                      .train_count = train.count,
                      .train_images = train.images,
                      .train_labels = train.labels,
                      .test_count = test.count,
                      .test_images = test.images,
                      .test_labels = test.labels};
    return GG_OK;
}

void gg_mnist_free(gg_mnist *mnist)
{
    if (mnist == NULL)
        return;
    gg_free(mnist->train_images);
    gg_free(mnist->train_labels);
    gg_free(mnist->test_images);
    gg_free(mnist->test_labels);
    *mnist = (gg_mnist){0};
}

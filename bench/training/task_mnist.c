/* task_mnist.c - MNIST (LeCun, Cortes, Burges) from its IDX files, and a perceptron of 784-512-512-10 with dropout. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "perceptron.h"

enum { PATH_BYTES = 4096, CLASSES = 10 };
static const char STANDARD_NAME[] = "train-images-idx3-ubyte";

static gg_status refuse_file(const char *path)
{
    float *images = NULL;
    int64_t count = 0, height = 0, width = 0;
    const gg_status status = gg_idx_read_images(&images, &count, &height, &width, path);
    if (status != GG_OK)
        return status;
    gg_free(images);
    return gg_fail(GG_ERR_ARGUMENT,
                   "--data '%.250s': the other three files are sought beside it only when it is called %s or %s.gz",
                   path, STANDARD_NAME, STANDARD_NAME);
}

static bool has_standard_name(const char *name)
{
    const size_t length = sizeof STANDARD_NAME - 1;
    return strncmp(name, STANDARD_NAME, length) == 0 && (name[length] == '\0' || strcmp(name + length, ".gz") == 0);
}

/* The folder itself, or that of the file with the training images. */
static gg_status find_folder(char folder[PATH_BYTES], const char *path)
{
    struct stat about;
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    int length;
    if (stat(path, &about) != 0 || S_ISDIR(about.st_mode))
        length = snprintf(folder, PATH_BYTES, "%s", path);
    else if (!has_standard_name(name))
        return refuse_file(path);
    else
        length = slash != NULL ? snprintf(folder, PATH_BYTES, "%.*s", (int)(slash + 1 - path), path)
                               : snprintf(folder, PATH_BYTES, ".");
    if (length < 0 || length >= PATH_BYTES)
        return gg_fail(GG_ERR_ARGUMENT, "--data: the path has more than %d bytes", PATH_BYTES - 1);
    return GG_OK;
}

gg_status gg_mnist_read(gg_task_data *out, const char *path)
{
    char folder[PATH_BYTES];
    gg_mnist mnist;
    gg_status status = find_folder(folder, path);
    if (status == GG_OK)
        status = gg_mnist_load(&mnist, folder);
    if (status != GG_OK)
        return status;
    *out = (gg_task_data){.train_x = mnist.train_images,
                          .train_labels = mnist.train_labels,
                          .test_x = mnist.test_images,
                          .test_labels = mnist.test_labels,
                          .train_count = mnist.train_count,
                          .test_count = mnist.test_count,
                          .features = mnist.height * mnist.width,
                          .height = mnist.height,
                          .width = mnist.width,
                          .classes = CLASSES};
    return GG_OK;
}

gg_status gg_mnist_mlp_build(gg_network *out, const gg_task_data *data, uint64_t seed)
{
    const int64_t widths[] = {data->features, 512, 512, data->classes};
    return gg_perceptron_build(
        out, &(gg_perceptron){.widths = widths, .count = 4, .activation = GG_RELU, .dropout = 0.3f}, seed);
}

/* gemmgrad/idx.h - the IDX files of MNIST, gzipped or not.
 *
 * An IDX file is a header of big-endian 32-bit numbers and then one byte for each element:
 *     images  0x00000803, count, height, width, count * height * width bytes of grey
 *     labels  0x00000801, count, count bytes
 * (http://yann.lecun.com/exdb/mnist). Whether a file is gzipped is seen from its first bytes, not from its name.
 * Nothing in a file is trusted: an array never grows beyond what the file has been seen to hold or could plausibly
 * hold, and bytes missing or left over are errors. Results belong to the caller, who frees them with gg_free; they
 * are NULL for a file of no elements. On failure outputs are untouched, nothing stays allocated, and the message
 * names the path, what was expected and what was found. Thread-safe.
 *
 * Errors: GG_ERR_ARGUMENT (an argument is NULL); GG_ERR_IO (missing, unreadable, a directory or other thing that is
 * no regular file); GG_ERR_FORMAT (wrong magic number, truncated, bytes after the end, damaged gzip); GG_ERR_OVERFLOW
 * (a header whose sizes multiply beyond 63 bits); GG_ERR_MEMORY. */
#ifndef GEMMGRAD_IDX_H
#define GEMMGRAD_IDX_H

#include <stdint.h>

#include <gemmgrad/export.h>
#include <gemmgrad/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* *images = count x height x width floats in [0, 1]: bytes divided by 255. */
GG_API gg_status gg_idx_read_images(float **images, int64_t *count, int64_t *height, int64_t *width, const char *path);

/* *labels = count numbers in [0, 255]. */
GG_API gg_status gg_idx_read_labels(int32_t **labels, int64_t *count, const char *path);

/* MNIST, or another set in its shape, such as Fashion-MNIST. Labels are below 10. */
typedef struct gg_mnist {
    int64_t height, width;
    int64_t train_count;
    float *train_images;   /* train_count x height x width */
    int32_t *train_labels; /* train_count */
    int64_t test_count;
    float *test_images;   /* test_count x height x width */
    int32_t *test_labels; /* test_count */
} gg_mnist;

/* Read the four files of `folder`:
 *     train-images-idx3-ubyte  train-labels-idx1-ubyte  t10k-images-idx3-ubyte  t10k-labels-idx1-ubyte
 * each under that name or with .gz after it, tried in this order. Free the result with gg_mnist_free.
 * Further errors: GG_ERR_FORMAT where labels and images differ in number, a set is empty, the pictures of test and
 * training differ in size, or a label is above 9. */
GG_API gg_status gg_mnist_load(gg_mnist *out, const char *folder);

/* Free the four arrays and set them to NULL, the counts to 0. NULL is allowed. */
GG_API void gg_mnist_free(gg_mnist *mnist);

#ifdef __cplusplus
}
#endif
#endif

/* reference_images.h - the layers over images [N, C, H, W], signals [N, C, W] (H is 1) and values [N, C] (H and W are
 * 1), see reference_layers.h. */
#ifndef REFERENCE_IMAGES_H
#define REFERENCE_IMAGES_H

#include "reference_layers.h"

extern const reference_layer reference_max_pool, reference_average_pool, reference_global_max_pool,
    reference_global_average_pool, reference_batch_normalization, reference_spatial_dropout, reference_flatten,
    reference_add_relu;

/* How many windows fit a padded extent, counted one by one. stride 0: the kernel's. */
int64_t reference_windows(int64_t extent, int64_t before, int64_t behind, int64_t kernel, int64_t stride);

/* Mean, variance (divided by n) and 1 / sqrt(variance + epsilon) of each channel of x[0]. */
void reference_statistics(double *mean, double *variance, double *inverse, const reference_pass *pass);

/* How far a layer is from where it has no derivative: the smallest lead of a window's largest element, the smallest
 * |argument| of a fused ReLU. */
double reference_max_pool_gap(const reference_pass *pass);
double reference_global_max_gap(const reference_pass *pass);
double reference_normalization_smallest(const reference_pass *pass);
double reference_add_relu_smallest(const reference_pass *pass);

#endif

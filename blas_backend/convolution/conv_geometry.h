/* conv_geometry.h - from the shape a user gives to the geometry that the methods work with. */
#ifndef GG_CONV_GEOMETRY_H
#define GG_CONV_GEOMETRY_H

#include "conv_method.h"

/* Fill in and check everything that does not depend on pointers; the message names `function`. */
gg_status gg_conv_geometry_of(gg_conv_geometry *out, const char *function, const gg_conv_shape *shape);

#endif

/* gemmgrad/compat/failure.h - what the adapters in this folder do when a call is refused.
 *
 * The functions that they stand in for return nothing. An adapter whose arguments are refused leaves its outputs
 * untouched (or, where it makes several calls, does not make the rest of them), and gg_error_message() tells why. To be
 * told at once, define GG_COMPAT_FAILED before the first adapter is included:
 *
 *     #define GG_COMPAT_FAILED(status) (fprintf(stderr, "%s\n", gg_error_message()), abort())
 *     #include <gemmgrad/compat/darknet.h>
 *
 * Without it nothing else happens, and since a message stays until the next one, a program that wants to know looks
 * whether gg_error_message() has changed. */
#ifndef GEMMGRAD_COMPAT_FAILURE_H
#define GEMMGRAD_COMPAT_FAILURE_H

#include <gemmgrad/status.h>

#ifndef GG_COMPAT_FAILED
#define GG_COMPAT_FAILED(status) ((void)(status))
#endif

static inline void gg_compat_check(gg_status status)
{
    if (status != GG_OK)
        GG_COMPAT_FAILED(status);
}

/* gg_conv_shape takes a step of 0 for 1; the projects divide by it, or mean it. */
static inline gg_status gg_compat_steps(const char *function, int stride_h, int stride_w, int dilation_h,
                                        int dilation_w)
{
    if (stride_h < 1 || stride_w < 1 || dilation_h < 1 || dilation_w < 1)
        return gg_fail(GG_ERR_ARGUMENT, "%s: stride %d, %d and dilation %d, %d: each must be 1 or more", function,
                       stride_h, stride_w, dilation_h, dilation_w);
    return GG_OK;
}

#endif

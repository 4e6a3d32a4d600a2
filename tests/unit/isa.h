/* isa.h - for tests of the vector kernels: run the public functions on one instruction set after the other. */
#ifndef GEMMGRAD_TESTS_ISA_H
#define GEMMGRAD_TESTS_ISA_H

#include <stdatomic.h>
#include <stdbool.h>

#include "kernels/kernels.h"
#include "support.h"

enum { ISA_COUNT = GG_ISA_AVX512 + 1 };

/* Make the public functions use that set's kernels; false where this build or this CPU has none. */
static inline bool use_isa(int isa)
{
    const gg_kernel_table *table = support_cpu_runs((gg_isa)isa) ? gg_kernels_for((gg_isa)isa) : NULL;
    if (table != NULL)
        atomic_store(&gg_kernels_chosen, table);
    return table != NULL;
}

/* Lengths around registers, blocks and chunks. */
static const int64_t isa_sizes[] = {0,  1,  2,  3,  4,  5,  7,   8,   9,   15,   16,   17,
                                    31, 32, 33, 63, 64, 65, 127, 128, 129, 1000, 1023, 4097};
enum { ISA_SIZES = sizeof isa_sizes / sizeof *isa_sizes };

#endif

/* select.c - which instruction set's kernels run; compiled once, for any CPU. */
#include "kernels.h"

#include "backend.h"

extern const gg_kernel_table gg_kernel_baseline_table;
#ifdef GG_HAVE_AVX2
extern const gg_kernel_table gg_kernel_avx2_table;
#endif
#ifdef GG_HAVE_AVX512
extern const gg_kernel_table gg_kernel_avx512_table;
#endif

const gg_kernel_table *_Atomic gg_kernels_chosen;

const gg_kernel_table *gg_kernels_for(gg_isa isa)
{
    switch (isa) {
    case GG_ISA_BASELINE: return &gg_kernel_baseline_table;
#ifdef GG_HAVE_AVX2
    case GG_ISA_AVX2: return &gg_kernel_avx2_table;
#endif
#ifdef GG_HAVE_AVX512
    case GG_ISA_AVX512: return &gg_kernel_avx512_table;
#endif
    default: return NULL;
    }
}

const gg_kernel_table *gg_kernels_choose(void)
{
    const gg_kernel_table *table = gg_kernels_for(gg_policy_isa());
    if (table == NULL)
        table = &gg_kernel_baseline_table;
    atomic_store_explicit(&gg_kernels_chosen, table, memory_order_relaxed);
    return table;
}

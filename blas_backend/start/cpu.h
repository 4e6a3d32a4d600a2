/* cpu.h - what this CPU can do. */
#ifndef GG_CPU_H
#define GG_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makers whose CPUs differ in how their caches answer: for the choice of a product's strategy. */
typedef enum gg_cpu_family { GG_CPU_OTHER = 0, GG_CPU_INTEL, GG_CPU_FAMILY_COUNT } gg_cpu_family;

typedef struct gg_cpu {
    char brand[64];
    char features[256];
    bool avx2;   /* AVX2 and FMA, usable */
    bool avx512; /* F, BW, CD, DQ, VL, usable (the x86-64-v4 level) */
    bool avx512_bf16;
    gg_cpu_family family;
    int cpus;            /* CPUs this process may run on */
    int64_t cache_bytes; /* of the third-level cache; 0 where the system does not tell */
} gg_cpu;

void gg_cpu_detect(gg_cpu *cpu);

#endif

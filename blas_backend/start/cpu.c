/* cpu.c - brand, features and usable CPUs. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cpu.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#endif
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#define GG_X86 1
#endif

#ifdef GG_X86
static void add_feature(gg_cpu *cpu, bool present, const char *name)
{
    const size_t used = strlen(cpu->features);
    if (present)
        snprintf(cpu->features + used, sizeof cpu->features - used, "%s%s", used ? " " : "", name);
}

static void detect_brand(gg_cpu *cpu)
{
    uint32_t words[12];
    for (uint32_t leaf = 0; leaf < 3; leaf++)
        if (!__get_cpuid(0x80000002u + leaf, &words[4 * leaf], &words[4 * leaf + 1], &words[4 * leaf + 2],
                         &words[4 * leaf + 3]))
            return;
    char text[sizeof words + 1] = {0};
    memcpy(text, words, sizeof words);
    const char *start = text + strspn(text, " ");
    snprintf(cpu->brand, sizeof cpu->brand, "%s", start);
}

static void detect_family(gg_cpu *cpu)
{
    uint32_t a = 0, b = 0, c = 0, d = 0;
    const bool intel = __get_cpuid(0, &a, &b, &c, &d) && b == signature_INTEL_ebx && d == signature_INTEL_edx
                       && c == signature_INTEL_ecx;
    cpu->family = intel ? GG_CPU_INTEL : GG_CPU_OTHER;
}

/* __builtin_cpu_supports also asks the operating system whether it saves the wide registers. */
static void detect_features(gg_cpu *cpu)
{
    __builtin_cpu_init();
    cpu->avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    cpu->avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
                  && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
                  && __builtin_cpu_supports("avx512vl");
    uint32_t a = 0, b = 0, c = 0, d = 0;
    cpu->avx512_bf16 = cpu->avx512 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1u) != 0;
    add_feature(cpu, __builtin_cpu_supports("sse2"), "sse2");
    add_feature(cpu, __builtin_cpu_supports("sse4.2"), "sse4.2");
    add_feature(cpu, __builtin_cpu_supports("avx"), "avx");
    add_feature(cpu, __builtin_cpu_supports("avx2"), "avx2");
    add_feature(cpu, __builtin_cpu_supports("fma"), "fma");
    add_feature(cpu, __builtin_cpu_supports("avx512f"), "avx512f");
    add_feature(cpu, __builtin_cpu_supports("avx512bw"), "avx512bw");
    add_feature(cpu, __builtin_cpu_supports("avx512cd"), "avx512cd");
    add_feature(cpu, __builtin_cpu_supports("avx512dq"), "avx512dq");
    add_feature(cpu, __builtin_cpu_supports("avx512vl"), "avx512vl");
    add_feature(cpu, __builtin_cpu_supports("avx512vnni"), "avx512vnni");
    add_feature(cpu, cpu->avx512_bf16, "avx512_bf16");
}
#endif

static int usable_cpus(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

static int64_t third_level_cache(void)
{
    long bytes = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
    bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
    return bytes > 0 ? bytes : 0;
}

void gg_cpu_detect(gg_cpu *cpu)
{
    memset(cpu, 0, sizeof *cpu);
    snprintf(cpu->brand, sizeof cpu->brand, "unknown CPU");
#ifdef GG_X86
    detect_brand(cpu);
    detect_family(cpu);
    detect_features(cpu);
#endif
    cpu->cpus = usable_cpus();
    cpu->cache_bytes = third_level_cache();
}

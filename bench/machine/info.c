/* info.c - the verb info: the machine, its BLAS and its ceilings. */
#include <stdbool.h>
#include <stdio.h>

#include "commands.h"
#include "environment.h"
#include "options.h"
#include "outputs.h"

static const char USAGE[] =
    "usage: gemmgrad info [--json]\n"
    "\n"
    "Tells the CPU, the BLAS and the kernel in use, and measures what this machine can reach:\n"
    "FMA peak (multiply-adds in registers), sgemm 1024^3, memory bandwidth. Takes about a second.\n"
    "\n"
    "  --json   one JSON object on standard output\n"
    "  --help   this text\n";

static void print_text(const gg_environment *environment)
{
    const gg_backend_info *b = &environment->backend;
    printf("gemmgrad       %s\n", gg_version());
    printf("cpu            %s\n", b->cpu);
    printf("features       %s\n", b->features);
    printf("blas           %s\n", b->blas);
    printf("blas version   %s\n", b->blas_version);
    printf("threading      %s\n", b->threading);
    printf("kernel found   %s\n", b->kernel_found);
    printf("kernel used    %s (%s)\n", b->kernel_used, b->kernel_note);
    printf("vector isa     %s\n", b->vector_isa);
    printf("threads        %d of %d CPUs\n", b->threads, b->cpus);
    printf("fma peak       %.1f GFLOP/s\n", environment->fma_peak_gflops);
    printf("sgemm 1024^3   %.1f GFLOP/s (%.0f %% of the peak)\n", environment->sgemm_gflops,
           100.0 * environment->sgemm_gflops / environment->fma_peak_gflops);
    printf("memory         %.1f GB/s (copy, read and write together)\n", environment->memory_gbps);
}

static int run(bool as_json)
{
    gg_environment environment;
    if (gg_environment_measure(&environment) != GG_OK)
        return gg_failure("info");
    if (as_json) {
        if (gg_output_json("-", gg_environment_json(&environment)) != GG_OK)
            return gg_failure("info");
    } else {
        print_text(&environment);
        fflush(stdout);
    }
    gg_environment_warn();
    return GG_EXIT_DONE;
}

int gg_command_info(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, GG_LONG_ONLY}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool as_json = false;
    int answer;
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (answer == 'h')
            return fputs(USAGE, stdout) < 0 ? GG_EXIT_FAILED : GG_EXIT_DONE;
        if (answer != GG_LONG_ONLY)
            return gg_option_error("info", answer, argv, options);
        as_json = true;
    }
    if (optind < argc)
        return gg_usage_error("info", "unexpected argument '%s'; info takes only options", argv[optind]);
    return run(as_json);
}

/* bench_context.c - what the figures depend on: who else used the CPUs, and google-benchmark's "context", its own keys
 * first, then ours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench_commit.h"
#include "bench_load.h"
#include "bench_report.h"
#include "interrupt.h"
#include "machine.h"

/* ---- the CPU time of others, from /proc/stat ---- */

/* The kernel counts in steps of 10 ms for each CPU: below half a second they hide the answer. */
static const double SHORTEST = 0.5;

/* user + nice + system + irq + softirq + steal: all but idle and waiting for disks. */
static double machine_seconds(void)
{
    double user, nice, system, idle, wait, irq, softirq, steal;
    FILE *file = fopen("/proc/stat", "r");
    if (file == NULL)
        return NAN;
    const int read = fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system, &idle, &wait, &irq,
                            &softirq, &steal);
    fclose(file);
    return read == 8 ? (user + nice + system + irq + softirq + steal) / (double)sysconf(_SC_CLK_TCK) : (double)NAN;
}

bench_load bench_load_now(void)
{
    struct timespec own;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    return (bench_load){gg_seconds_now(), machine_seconds(), (double)own.tv_sec + 1e-9 * (double)own.tv_nsec};
}

double bench_load_foreign(const bench_load *from, const bench_load *to)
{
    const double wall = to->wall - from->wall;
    if (!(wall >= SHORTEST))
        return NAN;
    return fmax(0.0, ((to->machine - from->machine) - (to->own - from->own)) / wall);
}

/* ---- the context ---- */

#ifdef __clang__
#define COMPILER "clang"
#else
#define COMPILER "gcc"
#endif

#ifdef NDEBUG
static const char BUILD[] = "release";
#else
static const char BUILD[] = "debug";
#endif

/* Variables that change how fast the library, its BLAS or OpenMP runs. */
static const char *const variables[] = {
    "GEMMGRAD_ISA",
    "GEMMGRAD_KEEP_BLAS_KERNEL",
    "GOMP_SPINCOUNT",
    "LD_PRELOAD",
    "MALLOC_MMAP_MAX_",
    "MALLOC_TRIM_THRESHOLD_",
    "OMP_NUM_THREADS",
    "OMP_PLACES",
    "OMP_PROC_BIND",
    "OMP_WAIT_POLICY",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_THREAD_TIMEOUT",
};

/* First line of a file; "" when it cannot be read. */
static const char *read_line(char *line, size_t size, const char *path)
{
    FILE *file = fopen(path, "r");
    line[0] = '\0';
    if (file == NULL)
        return line;
    if (fgets(line, (int)size, file) == NULL)
        line[0] = '\0';
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return line;
}

/* CPUs in a list such as "0-3,8". */
static int cpus_in(const char *list)
{
    int count = 0;
    while (*list != '\0') {
        char *end;
        const long first = strtol(list, &end, 10);
        const long last = *end == '-' ? strtol(end + 1, &end, 10) : first;
        count += (int)(last - first + 1);
        list = *end == ',' ? end + 1 : "";
    }
    return count;
}

static json_t *caches(void)
{
    json_t *list = json_array();
    for (int i = 0; i < 16; i++) {
        char path[96], type[32], level[32], size[32], shared[256];
#define READ_CACHE(what, into)                                                             \
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, what); \
    read_line(into, sizeof into, path)
        READ_CACHE("type", type);
        READ_CACHE("level", level);
        READ_CACHE("size", size);
        READ_CACHE("shared_cpu_list", shared);
#undef READ_CACHE
        if (type[0] == '\0')
            break;
        json_array_append_new(list, json_pack("{s:s, s:i, s:I, s:i}", "type", type, "level", atoi(level), "size",
                                              (json_int_t)atoi(size) * 1024, "num_sharing", cpus_in(shared)));
    }
    return list;
}

static json_t *load(void)
{
    char line[128];
    double one = 0.0, five = 0.0, fifteen = 0.0;
    sscanf(read_line(line, sizeof line, "/proc/loadavg"), "%lf %lf %lf", &one, &five, &fifteen);
    return json_pack("[f, f, f]", one, five, fifteen);
}

/* Of the first CPU; 0 where the system does not tell. */
static double megahertz(void)
{
    char line[512];
    double value = 0.0;
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (file == NULL)
        return 0.0;
    while (value == 0.0 && fgets(line, sizeof line, file) != NULL)
        sscanf(line, "cpu MHz : %lf", &value);
    fclose(file);
    return value;
}

static json_t *date(void)
{
    char text[64];
    const time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &local);
    /* RFC 3339 wants +01:00, strftime writes +0100. */
    const size_t length = strlen(text);
    if (length > 5 && length + 1 < sizeof text) {
        memmove(text + length - 1, text + length - 2, 3);
        text[length - 2] = ':';
    }
    return json_string(text);
}

static json_t *environment_variables(void)
{
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (getenv(variables[i]) != NULL)
            json_object_set_new(object, variables[i], json_string(getenv(variables[i])));
    return object;
}

static json_t *ceilings(const bench_run *run)
{
    json_t *list = json_array();
    for (int i = 0; i < run->settings.thread_counts; i++)
        json_array_append_new(list, bench_ceilings_json(&run->ceilings[i]));
    return list;
}

/* "0-1" for the CPUs that this process may run on; "" where the system does not tell. */
static const char *affinity(char *text, size_t size)
{
    char line[512] = "";
    FILE *file = fopen("/proc/self/status", "r");
    text[0] = '\0';
    while (file != NULL && text[0] == '\0' && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "Cpus_allowed_list:", 18) == 0)
            snprintf(text, size, "%s", line + 18 + strspn(line + 18, " \t"));
    if (file != NULL)
        fclose(file);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

/* The word in brackets of "always [madvise] never". */
static const char *huge_pages(char *text, size_t size)
{
    char line[128];
    const char *open = strchr(read_line(line, sizeof line, "/sys/kernel/mm/transparent_hugepage/enabled"), '[');
    snprintf(text, size, "%s", open != NULL ? open + 1 : "");
    text[strcspn(text, "]")] = '\0';
    return text;
}

/* What else two runs must have in common to be compared. */
static int add_fingerprint(json_t *context)
{
    char text[512];
    int failed = json_object_set_new(
        context, "governor",
        json_string(read_line(text, sizeof text, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")));
    failed |= json_object_set_new(context, "smt",
                                  json_string(read_line(text, sizeof text, "/sys/devices/system/cpu/smt/control")));
    failed |= json_object_set_new(context, "affinity", json_string(affinity(text, sizeof text)));
    failed |= json_object_set_new(context, "huge_pages", json_string(huge_pages(text, sizeof text)));
    failed |= json_object_set_new(context, "compiler", json_string(COMPILER " " __VERSION__));
    failed |= json_object_set_new(context, "flags", json_string(BENCH_FLAGS));
    return failed | json_object_set_new(context, "commit", json_string(BENCH_COMMIT));
}

static int add_google_keys(json_t *context, const bench_run *run, const char *program)
{
    char host[256] = "", governor[64];
    gethostname(host, sizeof host - 1);
    read_line(governor, sizeof governor, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    const int scaling = governor[0] != '\0' && strcmp(governor, "performance") != 0;
    int failed = json_object_set_new(context, "date", date());
    failed |= json_object_set_new(context, "host_name", json_string(host));
    failed |= json_object_set_new(context, "executable", json_string(program));
    failed |= json_object_set_new(context, "num_cpus", json_integer(run->machine.backend.cpus));
    failed |= json_object_set_new(context, "mhz_per_cpu", json_integer((json_int_t)(megahertz() + 0.5)));
    failed |= json_object_set_new(context, "cpu_scaling_enabled", json_boolean(scaling));
    failed |= json_object_set_new(context, "caches", caches());
    failed |= json_object_set_new(context, "load_avg", load());
    failed |= json_object_set_new(context, "library_version", json_string(gg_version()));
    failed |= json_object_set_new(context, "library_build_type", json_string(BUILD));
    return failed | json_object_set_new(context, "json_schema_version", json_integer(1));
}

json_t *bench_context_json(const bench_run *run, const char *program)
{
    char library[256];
    json_t *context = json_object();
    int failed = context == NULL || add_google_keys(context, run, program);
    failed |= json_object_update_new(context, gg_environment_json(&run->machine));
    failed |= json_object_set_new(context, "fma_peak_gflops", gg_json_number(bench_ceilings_peak(run->ceilings)));
    failed |= json_object_set_new(context, "memory_gbps", gg_json_number(bench_ceilings_bandwidth(run->ceilings)));
    failed |= json_object_set_new(context, "ceilings", ceilings(run));
    failed |= add_fingerprint(context);
    failed |= json_object_set_new(context, "blas_library", json_string(bench_raw_library(library, sizeof library)));
    failed |= json_object_set_new(context, "repetitions", json_integer(run->settings.repetitions));
    failed |= json_object_set_new(context, "min_time", json_real(run->settings.min_time));
    for (int i = 0; i < run->settings.peer_count; i++)
        failed |= json_object_set_new(context, run->settings.peers[i].name, json_string(run->settings.peers[i].about));
    failed |= json_object_set_new(context, "interrupted", json_boolean(gg_interrupted()));
    failed |= json_object_set_new(context, "foreign_cpus", gg_json_number(run->foreign_cpus));
    failed |= json_object_set_new(context, "environment", environment_variables());
    if (failed == 0)
        return context;
    json_decref(context);
    return NULL;
}

/* bench_work.c - opening and closing a case: its name and its data. */
#include <stdio.h>
#include <string.h>

#include "bench_case.h"
#include "bench_random.h"

/* ---- names ---- */

void bench_case_name(char *name, const bench_case *line, const char *variant)
{
    const char *const *options = line->kind->options;
    const size_t room = BENCH_NAME_BYTES;
    int length = snprintf(name, room, "%s/%s", line->suite, line->kind->name);
    if (options != NULL)
        length += snprintf(name + length, room - (size_t)length, "/%s", options[line->option]);
    for (int i = 0; i < BENCH_MOST_SIZES && line->size[i] != 0; i++)
        length +=
            snprintf(name + length, room - (size_t)length, "%c%lld", i == 0 ? '/' : 'x', (long long)line->size[i]);
    if (variant[0] != '\0')
        snprintf(name + length, room - (size_t)length, "/%s", variant);
}

int bench_case_variants(const bench_case *line)
{
    int count = 0;
    while (count < BENCH_MOST_VARIANTS && line->kind->variants[count].run != NULL)
        count++;
    return count;
}

bool bench_case_has(const bench_case *line, int variant)
{
    return line->kind->has == NULL || line->kind->has(line, variant);
}

/* ---- data ---- */

static void *take_bytes(bench_work *work, int64_t count, size_t size)
{
    void *buffer = NULL;
    if (work->status == GG_OK && work->buffer_count == BENCH_MOST_BUFFERS)
        work->status = gg_fail(GG_ERR_INTERNAL, "bench: a case wants more than %d buffers", BENCH_MOST_BUFFERS);
    if (work->status == GG_OK)
        work->status = gg_alloc(&buffer, (size_t)count * size);
    if (buffer != NULL)
        work->buffers[work->buffer_count++] = (bench_buffer){buffer, (size_t)count * size};
    return buffer;
}

/* FNV-1a of the case's name (Fowler, Noll, Vo), spread over all bits. */
static uint64_t stream_of(const bench_case *line)
{
    char name[BENCH_NAME_BYTES];
    uint64_t hash = 0xCBF29CE484222325u;
    bench_case_name(name, line, "");
    for (const char *at = name; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001B3u;
    return bench_random_next(&(bench_random){.state = hash});
}

/* A seed of its own for each buffer of a case, so that no two hold the same numbers. It hangs on nothing but the case
 * and the buffer's turn: a case has the same data in any run, beside whatever others. */
static bench_random next_stream(bench_work *work)
{
    return (bench_random){.state = work->stream + ((uint64_t)++work->streams << 40)};
}

float *bench_take(bench_work *work, int64_t floats, float low, float high)
{
    float *data = take_bytes(work, floats, sizeof *data);
    if (data == NULL)
        return NULL;
    bench_random random = next_stream(work);
    for (int64_t i = 0; i < floats; i += 2) {
        const uint64_t bits = bench_random_next(&random);
        /* The middles of 2^23 steps over [0, 1): never 0 and never near it by more than rounding. */
        data[i] = low + (high - low) * (((float)(bits >> 41) + 0.5f) * 0x1p-23f);
        if (i + 1 < floats)
            data[i + 1] = low + (high - low) * (((float)(bits & 0x7FFFFF) + 0.5f) * 0x1p-23f);
    }
    return data;
}

float *bench_take_data(bench_work *work, int64_t floats)
{
    return bench_take(work, floats, -1.0f, 1.0f);
}

double *bench_take_zeros(bench_work *work, int64_t count)
{
    double *data = take_bytes(work, count, sizeof *data);
    if (data != NULL)
        memset(data, 0, (size_t)count * sizeof *data);
    return data;
}

int32_t *bench_take_labels(bench_work *work, int64_t count, int64_t classes)
{
    int32_t *labels = take_bytes(work, count, sizeof *labels);
    bench_random random = next_stream(work);
    for (int64_t i = 0; labels != NULL && i < count; i++)
        labels[i] = bench_random_below(&random, (int)classes);
    return labels;
}

void bench_release(bench_work *work, int kept)
{
    while (work->buffer_count > kept)
        gg_free(work->buffers[--work->buffer_count].data);
}

bench_sgemm *bench_add_raw(bench_work *work, float *c, const float *a, const float *b, int64_t m, int64_t n, int64_t k,
                           bool transpose_a, bool transpose_b)
{
    bench_sgemm *product = &work->raw[work->raw_count++];
    *product = (bench_sgemm){
        .c = c,
        .a = a,
        .b = b,
        .m = (int)m,
        .n = (int)n,
        .k = (int)k,
        .transpose_a = transpose_a,
        .transpose_b = transpose_b,
        .count = 1,
    };
    return product;
}

gg_status bench_work_open(bench_work *work, const bench_case *line)
{
    *work = (bench_work){.line = line, .loss = GG_NO_VALUE, .stream = stream_of(line)};
    const gg_status status = line->kind->open(work);
    if (status != GG_OK)
        bench_work_close(work);
    return status;
}

void bench_work_close(bench_work *work)
{
    if (work->line->kind->close != NULL)
        work->line->kind->close(work);
    bench_release(work, 0);
}

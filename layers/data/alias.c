/* alias.c - draws by weight in constant time.
 *
 * `count` columns of equal probability, each shared by at most two numbers. Weights are scaled to a mean of 1; while
 * some column is short of 1, it is filled up by one that has more, which gives away as much. What rounding leaves over
 * is full. */
#include <gemmgrad/words.h>

#include <math.h>
#include <stddef.h>

#include <gemmgrad/memory.h>

static gg_status check_weights(double *sum, const double *weights, int64_t count)
{
    static const char call[] = "gg_alias_make";
    if (count < 1 || count > INT32_MAX)
        return gg_fail(GG_ERR_ARGUMENT, "%s: count is %lld, expected 1 to %d", call, (long long)count, INT32_MAX);
    *sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        if (!(weights[i] >= 0.0) || !isfinite(weights[i]))
            return gg_fail(GG_ERR_ARGUMENT, "%s: weights[%lld] is %g", call, (long long)i, weights[i]);
        *sum += weights[i];
    }
    if (!(*sum > 0.0) || !isfinite(*sum))
        return gg_fail(GG_ERR_ARGUMENT, "%s: the weights sum to %g", call, *sum);
    return GG_OK;
}

/* `stack` holds the short columns from its start and the others from its end. */
static void pair_up(gg_alias *alias, double *left, int32_t *stack)
{
    int64_t few = 0, many = alias->count;
    for (int64_t i = 0; i < alias->count; i++)
        stack[left[i] < 1.0 ? few++ : --many] = (int32_t)i;
    while (few > 0 && many < alias->count) {
        const int32_t low = stack[--few], high = stack[many];
        alias->keep[low] = (float)left[low];
        alias->other[low] = high;
        left[high] -= 1.0 - left[low];
        if (left[high] < 1.0) {
            many++;
            stack[few++] = high;
        }
    }
    while (few > 0)
        alias->keep[stack[--few]] = 1.0f;
    for (; many < alias->count; many++)
        alias->keep[stack[many]] = 1.0f;
}

gg_status gg_alias_make(gg_alias *out, const double *weights, int64_t count)
{
    if (out == NULL || weights == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_alias_make: %s is NULL", out == NULL ? "out" : "weights");
    double sum = 0.0;
    gg_status status = check_weights(&sum, weights, count);
    if (status != GG_OK)
        return status;
    void *memory = NULL, *scratch = NULL;
    status = gg_alloc(&memory, (size_t)count * (sizeof(float) + sizeof(int32_t)));
    if (status == GG_OK)
        status = gg_alloc(&scratch, (size_t)count * (sizeof(double) + sizeof(int32_t)));
    if (status != GG_OK) {
        gg_free(memory);
        return status;
    }
    gg_alias alias = {.count = count, .keep = memory};
    alias.other = (int32_t *)(void *)(alias.keep + count);
    double *left = scratch;
    for (int64_t i = 0; i < count; i++) {
        left[i] = weights[i] / sum * (double)count;
        alias.other[i] = (int32_t)i;
    }
    pair_up(&alias, left, (int32_t *)(void *)(left + count));
    gg_free(scratch);
    *out = alias;
    return GG_OK;
}

void gg_alias_free(gg_alias *alias)
{
    if (alias == NULL)
        return;
    gg_free(alias->keep);
    *alias = (gg_alias){.count = 0};
}

int32_t gg_alias_draw(const gg_alias *alias, gg_random *random)
{
    const int32_t column = (int32_t)gg_random_below(random, (uint64_t)alias->count);
    return gg_random_uniform(random) < alias->keep[column] ? column : alias->other[column];
}

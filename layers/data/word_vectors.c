/* word_vectors.c - the rows of a table most similar to a vector.
 *
 * similarity[i] = vectors[i] . query / (|vectors[i]| |query|), all products in one matrix product of one column. */
#include <gemmgrad/words.h>

#include <math.h>
#include <string.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/gemm.h>
#include <gemmgrad/memory.h>

static gg_status check_table(const char *call, const void *out, const int64_t *found, int64_t top, const float *vectors,
                             int64_t count, int64_t features)
{
    const char *missing = out == NULL && top > 0 ? "out" : found == NULL ? "found" : NULL;
    if (missing == NULL && vectors == NULL && count > 0 && features > 0)
        missing = "vectors";
    if (missing != NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: %s is NULL", call, missing);
    if (top < 0 || count < 0 || features < 0)
        return gg_fail(GG_ERR_ARGUMENT, "%s: top is %lld, count %lld, features %lld", call, (long long)top,
                       (long long)count, (long long)features);
    return GG_OK;
}

static double norm(const float *x, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

static bool is_among(int64_t word, const int64_t *list, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (list[i] == word)
            return true;
    return false;
}

/* Put the word in its place among the best so far. */
static void insert(gg_neighbour *out, int64_t *found, int64_t top, gg_neighbour one)
{
    int64_t place = *found;
    while (place > 0 && one.similarity > out[place - 1].similarity)
        place--;
    if (place >= top)
        return;
    if (*found < top)
        ++*found;
    for (int64_t i = *found - 1; i > place; i--)
        out[i] = out[i - 1];
    out[place] = one;
}

gg_status gg_most_similar(gg_neighbour *out, int64_t *found, int64_t top, const float *vectors, const float *query,
                          const int64_t *except, int64_t except_count, int64_t count, int64_t features)
{
    static const char call[] = "gg_most_similar";
    gg_status status = check_table(call, out, found, top, vectors, count, features);
    if (status == GG_OK
        && ((query == NULL && features > 0) || except_count < 0 || (except == NULL && except_count > 0)))
        status = gg_fail(GG_ERR_ARGUMENT, "%s: query or except is NULL", call);
    void *memory = NULL;
    if (status == GG_OK)
        status = gg_alloc(&memory, (size_t)count * sizeof(float));
    if (status != GG_OK)
        return status;
    float *dots = memory;
    bool finite = true;
    status =
        gg_gemm(dots, 1, vectors, features, query, 1, count, 1, features, GG_NO_TRANSPOSE, GG_NO_TRANSPOSE, 1.0f, 0.0f);
    if (status == GG_OK)
        status = gg_all_finite(&finite, dots, count);
    if (status == GG_OK && !finite)
        status = gg_fail(GG_ERR_NUMERIC, "%s: vectors or query hold NaN or infinity", call);
    const double length = norm(query, features);
    int64_t best = 0;
    for (int64_t i = 0; i < count && status == GG_OK; i++) {
        const double both = length * norm(vectors + i * features, features);
        if (!is_among(i, except, except_count))
            insert(out, &best, top, (gg_neighbour){i, both > 0.0 ? (float)((double)dots[i] / both) : 0.0f});
    }
    if (status == GG_OK)
        *found = best;
    gg_free(memory);
    return status;
}

gg_status gg_analogy(gg_neighbour *out, int64_t *found, int64_t top, const float *vectors, int64_t a, int64_t b,
                     int64_t c, int64_t count, int64_t features)
{
    static const char call[] = "gg_analogy";
    const int64_t given[] = {a, b, c};
    const double signs[] = {-1.0, 1.0, 1.0};
    gg_status status = check_table(call, out, found, top, vectors, count, features);
    for (int i = 0; i < 3 && status == GG_OK; i++)
        if (given[i] < 0 || given[i] >= count)
            status = gg_fail(GG_ERR_ARGUMENT, "%s: %c is %lld, there are %lld rows", call, "abc"[i],
                             (long long)given[i], (long long)count);
    void *memory = NULL;
    if (status == GG_OK)
        status = gg_alloc_zero(&memory, (size_t)features * sizeof(float));
    if (status != GG_OK)
        return status;
    float *query = memory;
    for (int i = 0; i < 3; i++) {
        const float *row = vectors + given[i] * features;
        const double length = norm(row, features);
        for (int64_t f = 0; f < features && length > 0.0; f++)
            query[f] += (float)(signs[i] * (double)row[f] / length);
    }
    status = gg_most_similar(out, found, top, vectors, query, given, 3, count, features);
    gg_free(memory);
    return status;
}

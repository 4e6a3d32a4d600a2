/* optimizer_matrix.c - what the rules that see matrices share: their blocks, tensors and scratch, planned once. */
#include <math.h>
#include <stdio.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/memory.h>
#include <gemmgrad/update.h>

#include "optimizer_rules.h"

enum { LINE = GG_ALIGNMENT / 4 };

static int64_t round_up(int64_t floats)
{
    return (floats + LINE - 1) / LINE * LINE;
}

/* ---- planning ---- */

/* So many, so that a sum of a few sizes and its bytes fit an int64_t. */
static gg_status matrix_floats(int64_t *floats, int64_t rows, int64_t columns)
{
    gg_status status = gg_checked_multiply(floats, rows, columns);
    if (status == GG_OK && *floats > INT64_MAX / 1024)
        status = gg_fail(GG_ERR_OVERFLOW, "gg_optimizer_new: a state of %lld x %lld is more than memory can hold",
                         (long long)rows, (long long)columns);
    return status;
}

gg_status gg_block_tensor(gg_optimizer *optimizer, gg_block *block, int which, const char *suffix, int64_t rows,
                          int64_t columns, bool identity)
{
    gg_kept_tensor *tensor = &optimizer->tensors[optimizer->tensor_count];
    *tensor = (gg_kept_tensor){.rank = 2, .dims = {rows, columns}, .identity = identity};
    const gg_status status = matrix_floats(&tensor->size, rows, columns);
    if (status != GG_OK)
        return status;
    (void)snprintf(tensor->name, sizeof tensor->name, "%s.%s.%.63s", gg_optimizer_name(optimizer->options.kind), suffix,
                   block->name);
    tensor->offset = optimizer->tensor_floats;
    optimizer->tensor_floats += round_up(tensor->size);
    block->tensors[which] = optimizer->tensor_count++;
    return GG_OK;
}

gg_status gg_block_scratch(gg_optimizer *optimizer, int64_t floats)
{
    if (floats > INT64_MAX / 64)
        return gg_fail(GG_ERR_OVERFLOW, "gg_optimizer_new: %lld floats of scratch are more than memory can hold",
                       (long long)floats);
    optimizer->room.scratch = floats > optimizer->room.scratch ? floats : optimizer->room.scratch;
    return GG_OK;
}

gg_status gg_block_lapack(gg_optimizer *optimizer, gg_lapack_call call, int64_t n, int64_t nrhs)
{
    int64_t bytes = 0;
    const gg_status status = gg_lapack_workspace(&bytes, call, n, n, nrhs);
    optimizer->room.lapack = bytes > optimizer->room.lapack ? bytes : optimizer->room.lapack;
    return status;
}

static void describe_blocks(gg_optimizer *optimizer)
{
    for (int i = 0; i < optimizer->block_count; i++) {
        gg_block *block = &optimizer->blocks[i];
        gg_parameter p;
        (void)gg_model_parameter(optimizer->model, i, &p); /* i is in range */
        const int64_t rows = p.rank > 1 ? p.dims[0] : 1, columns = rows > 0 ? p.size / rows : 0;
        *block = (gg_block){.name = p.name,
                            .offset = p.offset,
                            .size = p.size,
                            .rows = rows,
                            .columns = columns,
                            .is_sparse = optimizer->model->parameters[i].sparse,
                            .is_matrix = rows > 1 && columns > 1 && !optimizer->model->parameters[i].sparse,
                            .node = -1,
                            .bias_offset = -1};
        for (int t = 0; t < GG_BLOCK_TENSORS; t++)
            block->tensors[t] = -1;
    }
}

static gg_status allocate_lists(gg_optimizer *optimizer)
{
    const size_t blocks = (size_t)gg_model_parameter_count(optimizer->model);
    void *memory = NULL;
    const gg_status status =
        gg_alloc_zero(&memory, blocks * (sizeof(gg_block) + GG_BLOCK_TENSORS * sizeof(gg_kept_tensor)));
    if (status != GG_OK)
        return status;
    optimizer->blocks = memory;
    optimizer->tensors = (gg_kept_tensor *)(void *)(optimizer->blocks + blocks);
    optimizer->block_count = (int)blocks;
    return GG_OK;
}

/* [ tensors | moments | scratch | LAPACK's ] */
static gg_status allocate_room(gg_optimizer *optimizer)
{
    const int64_t scratch = round_up(optimizer->room.scratch), moments = optimizer->room.moments;
    const int64_t floats = optimizer->tensor_floats + moments + scratch;
    void *memory = NULL;
    if (floats > INT64_MAX / 64)
        return gg_fail(GG_ERR_OVERFLOW, "gg_optimizer_new: %lld floats of state are more than memory can hold",
                       (long long)floats);
    const gg_status status =
        gg_alloc_zero(&memory, (size_t)floats * sizeof(float) + (size_t)optimizer->room.lapack + GG_ALIGNMENT);
    if (status != GG_OK)
        return status;
    optimizer->kept = memory;
    optimizer->moments = optimizer->kept + optimizer->tensor_floats;
    optimizer->scratch = optimizer->moments + moments;
    optimizer->lapack = optimizer->scratch + scratch;
    return GG_OK;
}

static void start_tensors(gg_optimizer *optimizer)
{
    for (int i = 0; i < optimizer->tensor_count; i++) {
        const gg_kept_tensor *tensor = &optimizer->tensors[i];
        for (int64_t j = 0; tensor->identity && j < tensor->dims[0]; j++)
            optimizer->kept[tensor->offset + j * tensor->dims[1] + j] = 1.0f;
    }
}

gg_status gg_matrix_rule_prepare(gg_optimizer *optimizer)
{
    gg_status status = allocate_lists(optimizer);
    if (status != GG_OK)
        return status;
    describe_blocks(optimizer);
    for (int i = 0; i < optimizer->block_count && status == GG_OK; i++)
        status = optimizer->rule->plan(optimizer, &optimizer->blocks[i]);
    if (status == GG_OK)
        status = allocate_room(optimizer);
    if (status != GG_OK)
        return status;
    start_tensors(optimizer);
    if (optimizer->rule->expect != NULL)
        optimizer->rule->expect(optimizer);
    return GG_OK;
}

void gg_matrix_rule_release(gg_optimizer *optimizer)
{
    for (int i = 0; i < optimizer->block_count; i++) /* the model goes on without */
        if (optimizer->blocks[i].node >= 0)
            optimizer->model->nodes[optimizer->blocks[i].node].pass.moments = NULL;
    gg_free(optimizer->kept);
    gg_free(optimizer->blocks);
}

/* ---- in a step ---- */

float *gg_block_kept(const gg_optimizer *optimizer, const gg_block *block, int which)
{
    const int t = block->tensors[which];
    return t >= 0 ? optimizer->kept + optimizer->tensors[t].offset : NULL;
}

bool gg_optimizer_refreshes(const gg_optimizer *optimizer, int64_t first)
{
    return optimizer->steps >= first && (optimizer->steps - first) % optimizer->options.refresh == 0;
}

gg_status gg_optimizer_check_gradients(const gg_optimizer *optimizer)
{
    bool finite = true;
    const gg_status status = gg_all_finite(&finite, gg_model_gradients(optimizer->model), optimizer->floats);
    if (status != GG_OK || finite)
        return status;
    return gg_fail(GG_ERR_NUMERIC, "gg_optimizer_step: the gradients hold NaN or infinity at step %lld",
                   (long long)optimizer->steps);
}

gg_status gg_block_adamw(const gg_optimizer *optimizer, const gg_block *block, float *m, float *v, float lr,
                         float scale)
{
    const gg_optimizer_options *o = &optimizer->options;
    return gg_update_adamw(gg_model_parameters(optimizer->model) + block->offset, m, v,
                           gg_model_gradients(optimizer->model) + block->offset, block->size, lr, o->beta1, o->beta2,
                           o->epsilon, o->weight_decay, scale, optimizer->steps + 1);
}

/* ---- looking ---- */

int gg_optimizer_tensor_count(const gg_optimizer *optimizer)
{
    return optimizer != NULL ? optimizer->tensor_count : 0;
}

gg_status gg_optimizer_tensor(const gg_optimizer *optimizer, int i, gg_parameter *out)
{
    if (optimizer == NULL || out == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_optimizer_tensor: %s is NULL", optimizer == NULL ? "optimizer" : "out");
    if (i < 0 || i >= optimizer->tensor_count)
        return gg_fail(GG_ERR_ARGUMENT, "gg_optimizer_tensor: tensor %d of %d", i, optimizer->tensor_count);
    const gg_kept_tensor *t = &optimizer->tensors[i];
    *out = (gg_parameter){
        .name = t->name, .rank = t->rank, .dims = {t->dims[0], t->dims[1]}, .offset = t->offset, .size = t->size};
    return GG_OK;
}

float *gg_optimizer_tensors(gg_optimizer *optimizer)
{
    return optimizer != NULL ? optimizer->kept : NULL;
}

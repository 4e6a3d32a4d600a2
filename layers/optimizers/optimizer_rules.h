/* optimizer_rules.h - the inside of an optimiser, for optimizer.c and the rules that see matrices.
 *
 * The plain rules are one pass over the flat arrays. A matrix rule sees each parameter as a block of rows x columns:
 * dims[0] x the product of the others; a block with fewer than two rows or columns is no matrix, and gets AdamW's rule
 * or whatever the rule says. Beside the flat states it may keep tensors of its own. When the optimiser is made, the
 * rule's `plan` is called once for each block and says which tensors and how much scratch it will want; then everything
 * is allocated, and a step allocates nothing. */
#ifndef GG_OPTIMIZER_RULES_H
#define GG_OPTIMIZER_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include <gemmgrad/lapack.h>
#include <gemmgrad/optimizer.h>

#include "node.h"

enum { GG_BLOCK_TENSORS = 4 };

/* A tensor that a rule keeps; it starts as zeros, or as the identity. */
typedef struct gg_kept_tensor {
    char name[GG_NAME_BYTES + 48];
    int rank;
    int64_t dims[2];
    int64_t offset, size; /* in the array of them all */
    bool identity;
} gg_kept_tensor;

typedef struct gg_block {
    const char *name;
    int64_t offset, size; /* in the flat arrays */
    int64_t rows, columns;
    bool is_matrix, is_sparse;     /* sparse ones are updated by optimizer.c, after the step */
    int tensors[GG_BLOCK_TENSORS]; /* as the rule's plan numbered them; -1: none */
    int32_t node;                  /* K-FAC: the layer that gives moments; -1: none */
    int64_t bias_offset;           /* K-FAC: of the bias beside the weight; -1: there is none */
    gg_moments moments;
} gg_block;

/* Sizes that a rule asks for in its plan; the largest of all blocks counts. */
typedef struct gg_optimizer_room {
    int64_t scratch; /* floats */
    int64_t moments; /* floats, of all blocks together */
    int64_t lapack;  /* bytes */
} gg_optimizer_room;

typedef struct gg_matrix_rule {
    gg_status (*plan)(gg_optimizer *optimizer, gg_block *block);
    gg_status (*step)(gg_optimizer *optimizer, float lr, float scale); /* scale: of clipping; steps not yet counted */
    void (*expect)(gg_optimizer *optimizer);                           /* NULL, or told when `steps` has changed */
} gg_matrix_rule;

struct gg_optimizer {
    gg_model *model;
    gg_optimizer_options options; /* defaults filled in */
    int64_t floats;               /* of the parameters, padding included */
    float *state;                 /* the rule's flat states, of that many floats each */
    int64_t steps;
    double gradient_norm;

    /* of matrix rules alone */
    const gg_matrix_rule *rule;
    gg_block *blocks;
    gg_kept_tensor *tensors;
    int block_count, tensor_count;
    int64_t tensor_floats;
    gg_optimizer_room room;
    float *kept; /* the tensors */
    float *scratch, *moments;
    void *lapack;
};

extern const gg_matrix_rule gg_muon_rule, gg_shampoo_rule, gg_soap_rule, gg_kfac_rule;

/* For a rule's plan. The tensor "kind.suffix.parameter" is number `which` of the block. */
gg_status gg_block_tensor(gg_optimizer *optimizer, gg_block *block, int which, const char *suffix, int64_t rows,
                          int64_t columns, bool identity);
gg_status gg_block_scratch(gg_optimizer *optimizer, int64_t floats);
gg_status gg_block_lapack(gg_optimizer *optimizer, gg_lapack_call call, int64_t n, int64_t nrhs);

/* Tensor `which` of a block, or NULL. */
float *gg_block_kept(const gg_optimizer *optimizer, const gg_block *block, int which);

/* Whether eigenvectors, inverses and the like are made anew in the coming step: after `first` steps, and then every
 * options.refresh. */
bool gg_optimizer_refreshes(const gg_optimizer *optimizer, int64_t first);

/* GG_ERR_NUMERIC when a gradient holds NaN or infinity: asked before anything moves. */
gg_status gg_optimizer_check_gradients(const gg_optimizer *optimizer);

/* AdamW's step for a block whose second moments are v, its first ones m. */
gg_status gg_block_adamw(const gg_optimizer *optimizer, const gg_block *block, float *m, float *v, float lr,
                         float scale);

/* ---- between optimizer.c and optimizer_matrix.c ---- */

gg_status gg_matrix_rule_prepare(gg_optimizer *optimizer);
void gg_matrix_rule_release(gg_optimizer *optimizer);

#endif

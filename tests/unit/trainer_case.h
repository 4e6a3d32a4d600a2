/* trainer_case.h - for tests: a small network on the spiral, with everything a trainer needs. */
#ifndef GEMMGRAD_TESTS_TRAINER_CASE_H
#define GEMMGRAD_TESTS_TRAINER_CASE_H

#include <stdbool.h>
#include <stddef.h>

#include <gemmgrad/elementwise.h>
#include <gemmgrad/trainer.h>

enum { CASE_SAMPLES = 102, CASE_CLASSES = 3, CASE_FEATURES = 2 };

/* What may differ from case to case; 0 takes the default. */
typedef struct trainer_setup {
    gg_optimizer_options optimizer;
    gg_schedule schedule;     /* rate [0.5] */
    int64_t hidden;           /* [7] */
    int64_t batch;            /* [16] */
    int64_t planned;          /* the model's largest batch [batch] */
    int64_t samples;          /* of training [100: batches of 16 leave 4] */
    int64_t test_samples;     /* [50; negative: no test set] */
    float dropout;            /* [0.25; negative: no dropout layer] */
    uint64_t seed;            /* of the shuffling [5] */
    uint64_t model_seed;      /* [6] */
    int layers;               /* affine layers before the last [1] */
    gg_activation activation; /* of those [tanh] */
    bool normalizes;          /* batch normalisation before the last layer, whose running statistics are states */
} trainer_setup;

typedef struct trainer_case {
    gg_model *model;
    gg_optimizer *optimizer;
    gg_trainer *trainer;
    gg_trainer_options options;
} trainer_case;

/* Features and labels that all cases share. */
extern float case_x[CASE_SAMPLES * CASE_FEATURES];
extern int32_t case_labels[CASE_SAMPLES];

/* The model and its optimiser, and options for a trainer. */
trainer_case case_without_trainer(const trainer_setup *setup);

/* The trainer too. */
trainer_case case_make(const trainer_setup *setup);
void case_free(trainer_case *c);

/* Count allocations (scratch.h), but not the memory that the backend keeps for each thread. */
void case_count_allocations(void);

/* So many steps, each of which must succeed. */
void case_steps(trainer_case *c, int64_t steps);

/* Everything of a case that training changes, as bytes to be compared; to be freed. */
char *case_snapshot(const trainer_case *c, size_t *size);

/* Fails unless the case still looks like that. */
void case_expect(const trainer_case *c, const char *snapshot, size_t size);

#endif

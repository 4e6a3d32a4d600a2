/* bench_case.h - what a benchmark case is: a line of the table (bench_cases.c), the kind that knows how to do it
 * (bench_kinds_*.c), and its work while it is open. The harness (bench_measure.c) knows none of the kinds. */
#ifndef GEMMGRAD_BENCH_CASE_H
#define GEMMGRAD_BENCH_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gemmgrad/blas_backend.h>
#include <gemmgrad/layers.h>

#include "bench_raw.h"

enum {
    BENCH_MOST_SIZES = 8,
    BENCH_MOST_VARIANTS = 9, /* of a kind; the raw calls come on top */
    BENCH_MOST_PRODUCTS = 32,
    BENCH_MOST_BUFFERS = 160,
    BENCH_NAME_BYTES = 96,
    BENCH_LABEL_BYTES = 64
};

typedef struct bench_kind bench_kind;

/* One line of the table. */
typedef struct bench_case {
    const char *suite; /* kernels, layers, training */
    const char *group; /* heading in the report; geometric means are taken over a group */
    const bench_kind *kind;
    int option;                     /* one of the kind's options */
    int64_t size[BENCH_MOST_SIZES]; /* in the kind's order; a 0 ends the list */
} bench_case;

typedef struct bench_buffer {
    void *data;
    size_t bytes;
} bench_buffer;

/* A case while it is open: its data, and the raw products that do the same multiply-adds. */
typedef struct bench_work {
    const bench_case *line;
    gg_status status; /* the first failure of bench_take */
    bench_buffer buffers[BENCH_MOST_BUFFERS];
    int buffer_count;
    bench_sgemm raw[BENCH_MOST_PRODUCTS];
    int raw_count;
    int64_t step;
    uint64_t stream; /* the case's random numbers begin here; so many buffers have taken theirs */
    int streams;

    /* Arrays by their usual names; each kind uses what it needs. */
    float *x, *w, *bias, *y, *dy, *dx, *dw, *db, *packed, *state1, *state2, *workspace;
    int64_t workspace_floats;
    char label[BENCH_LABEL_BYTES]; /* what the library chose for the first variant; "" where it has no choice */
    int32_t *labels;
    float *space; /* workspace of the lapack room */
    int64_t space_bytes;
    gg_model *model;
    gg_value loss, input, targets;
    gg_optimizer *optimizer;
} bench_work;

/* One way to do the work of a kind; a repetition is one call. */
typedef struct bench_variant {
    const char *name; /* "" for the plain one */
    gg_status (*run)(bench_work *work);
} bench_variant;

struct bench_kind {
    const char *name;
    const char *const *options;                  /* their names, NULL-terminated; NULL: the kind has none */
    bench_variant variants[BENCH_MOST_VARIANTS]; /* the first one without run ends the list */
    bool has_raw;                                /* open lists raw products, or there is: */
    gg_status (*raw)(bench_work *work);          /* the raw calls; NULL: the products listed */
    bool may_save_operations;                    /* Winograd's algorithms do with fewer than flops says */
    bool chooses; /* the first variant leaves to the library which of the others to be: they stand on its row */
    bool (*has)(const bench_case *line, int variant);  /* NULL: every case has every variant */
    bool (*too_long)(const bench_case *line);          /* for --quick; NULL: never */
    double (*flops)(const bench_case *line);           /* of one repetition; NULL: not counted */
    double (*bytes)(const bench_case *line);           /* every operand moved once; NULL: not counted */
    gg_status (*open)(bench_work *work);               /* take the buffers, list the raw products */
    gg_status (*check)(bench_work *work, int variant); /* NULL: bench_check_products */
    void (*close)(bench_work *work);                   /* NULL: nothing beyond the buffers */
};

/* The table. */
const bench_case *bench_cases(int *count);

/* "layers/affine/in_out/32x256x256"; with a variant's name: ".../raw". Written to name[BENCH_NAME_BYTES]. */
void bench_case_name(char *name, const bench_case *line, const char *variant);

/* Variants of its kind; not every case has each of them. */
int bench_case_variants(const bench_case *line);
bool bench_case_has(const bench_case *line, int variant);

gg_status bench_work_open(bench_work *work, const bench_case *line);
void bench_work_close(bench_work *work);

/* For a kind's open: `floats` random numbers in [low, high), none of them zero, subnormal or NaN; freed at close.
 * NULL on failure, which work->status then holds. */
float *bench_take(bench_work *work, int64_t floats, float low, float high);

/* The same in [-1, 1): the data of products. */
float *bench_take_data(bench_work *work, int64_t floats);

/* `count` doubles, zero; for checks. */
double *bench_take_zeros(bench_work *work, int64_t count);

/* Free all buffers but the first `kept`: a check's, once it is over. */
void bench_release(bench_work *work, int kept);

/* `count` labels in [0, classes). */
int32_t *bench_take_labels(bench_work *work, int64_t count, int64_t classes);

/* Add to the raw products C = op(A) op(B), all dense, C m x n. Returns it for the rarer members. */
bench_sgemm *bench_add_raw(bench_work *work, float *c, const float *a, const float *b, int64_t m, int64_t n, int64_t k,
                           bool transpose_a, bool transpose_b);

/* The kinds, in the files named. */
extern const bench_kind bench_gemm, bench_gemm_batch;                       /* bench_kinds_gemm.c */
extern const bench_kind bench_forward, bench_dx, bench_dw;                  /* bench_kinds_gemm.c */
extern const bench_kind bench_activation, bench_activation_gradient;        /* bench_kinds_elementwise.c */
extern const bench_kind bench_softmax, bench_cross_entropy, bench_sum_rows; /* bench_kinds_elementwise.c */
extern const bench_kind bench_optimizer;                                    /* bench_kinds_elementwise.c */
extern const bench_kind bench_max_pool, bench_global_average, bench_norm;   /* bench_kinds_images.c */
extern const bench_kind bench_lu_solve, bench_cholesky_solve;               /* bench_kinds_lapack.c */
extern const bench_kind bench_qr, bench_least_squares;                      /* bench_kinds_lapack.c */
extern const bench_kind bench_symmetric_eigen, bench_svd;                   /* bench_kinds_lapack.c */
extern const bench_kind bench_least_squares_svd, bench_ridge;               /* bench_kinds_lapack_more.c */
extern const bench_kind bench_singular_values, bench_rcond;                 /* bench_kinds_lapack_more.c */
extern const bench_kind bench_log_determinant;                              /* bench_kinds_lapack_more.c */
extern const bench_kind bench_affine;                                       /* bench_kinds_network.c */
extern const bench_kind bench_network;                                      /* bench_kinds_network.c */
extern const bench_kind bench_conv, bench_depthwise;                        /* bench_kinds_conv.c */
extern const bench_kind bench_layer_norm, bench_rms_norm;                   /* bench_kinds_rows.c */
extern const bench_kind bench_text;                                         /* bench_kinds_text.c */
extern const bench_kind bench_recurrent;                                    /* bench_kinds_recurrent.c */
extern const bench_kind bench_attention;                                    /* bench_kinds_attention.c */
extern const bench_kind bench_convnet;                                      /* bench_kinds_convnet.c */

/* Options of the products: which operands are stored transposed; how a weight is stored. */
enum { BENCH_NN, BENCH_NT, BENCH_TN, BENCH_TT };
enum { BENCH_IN_OUT, BENCH_OUT_IN };
enum { BENCH_FORWARD, BENCH_BACKWARD };

/* Options of bench_norm. */
enum { BENCH_NORM_FORWARD, BENCH_NORM_BACKWARD, BENCH_NORM_FORWARD_RELU, BENCH_NORM_BACKWARD_RELU };

/* Options of the convolutions: a pass; all three; a first layer, whose input wants no gradient. */
enum { BENCH_CONV_FORWARD, BENCH_CONV_DX, BENCH_CONV_DW, BENCH_CONV_BOTH, BENCH_CONV_FIRST };

/* Options of bench_attention. */
enum { BENCH_PROJECTED, BENCH_CORE };

/* Options of bench_network: the activation of the hidden layers and the optimiser. */
enum { BENCH_RELU_SGD, BENCH_RELU_ADAM, BENCH_SIGMOID_SGD };

/* Options of bench_text: the model and its optimiser. */
enum { BENCH_GPT_ADAMW, BENCH_LSTM_ADAM, BENCH_DATE_ADAM };

/* Options of bench_convnet: the network and its optimiser. */
enum { BENCH_MNIST_ADAM, BENCH_VGG_MOMENTUM };

#endif

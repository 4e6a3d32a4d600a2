/* test_golden_blocks.c - transformer blocks against PyTorch's modules in double (generate_blocks.py): both orders of
 * the normalisation, an encoder with padding, a decoder with gradients into its encoder's output, and a block with RMS
 * normalisation, rotary positions, grouped heads and SwiGLU; and torch.nn.MultiheadAttention alone. Their weights are
 * read from PyTorch's state_dict. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gemmgrad/attend.h>
#include <gemmgrad/transformer.h>

#include "../unit/scratch.h"
#include "support.h"

/* As in generate_blocks.py. */
enum { STEPS = 5, MEMORY_STEPS = 4, BATCH = 3, WIDTH = 8, HEADS = 2, HIDDEN = 12 };
static const int32_t LENGTHS[BATCH] = {5, 2, 4}, MEMORY_LENGTHS[BATCH] = {2, 4, 1};

/* Units of the last place of a tensor's largest number, through three blocks of layers each way. */
static const double TOLERANCE = 32.0 * (double)FLT_EPSILON;

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

static gg_safetensors *file;

static void open_file(void)
{
    char path[4096];
    const char *folder = getenv("GEMMGRAD_GOLDEN");
    ck_assert_msg(folder != NULL, "GEMMGRAD_GOLDEN names no folder");
    snprintf(path, sizeof path, "%s/blocks.safetensors", folder);
    must(gg_safetensors_read(&file, path));
}

static void close_file(void)
{
    gg_safetensors_free(file);
    file = NULL;
}

/* A tensor of doubles of that size. */
static const double *doubles(const char *case_name, const char *name, int64_t size)
{
    char full[128];
    gg_tensor t;
    int64_t count = 1;
    snprintf(full, sizeof full, "%s.%s", case_name, name);
    must(gg_safetensors_find(file, full, &t));
    for (int i = 0; i < t.rank; i++)
        count *= t.shape[i];
    ck_assert(t.dtype == GG_F64 && count == size);
    return t.data;
}

static float *floats(const char *case_name, const char *name, int64_t size)
{
    const double *from = doubles(case_name, name, size);
    float *to = support_floats(size);
    for (int64_t i = 0; i < size; i++)
        to[i] = (float)from[i];
    return to;
}

static void compare(const float *actual, const double *expected, int64_t n, const char *case_name, const char *name)
{
    double largest = 0.0;
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (int64_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)actual[i] - expected[i]) <= TOLERANCE * largest,
                      "%s, %s: element %lld is %.9g, PyTorch %.9g, %.3g of allowed", case_name, name, (long long)i,
                      (double)actual[i], expected[i], fabs((double)actual[i] - expected[i]) / (TOLERANCE * largest));
}

/* ---- the cases ---- */

typedef struct block_case {
    const char *name;
    gg_transformer_options options;
    bool memory, lengths, memory_lengths, samples_first;
} block_case;

static const block_case cases[] = {
    {"encoder_post", {.heads = HEADS, .hidden = HIDDEN, .activation = GG_RELU, .post_norm = true}, .lengths = true},
    {"encoder_pre", {.heads = HEADS, .hidden = HIDDEN, .causal = true}, .memory = false},
    {"decoder_post", {.heads = HEADS, .hidden = HIDDEN, .causal = true, .post_norm = true}, .memory = true},
    {"decoder_pre", {.heads = HEADS, .hidden = HIDDEN, .causal = true}, .memory = true},
    {"decoder_padded", {.heads = HEADS, .hidden = HIDDEN, .causal = true}, .memory = true, .memory_lengths = true},
    {"modern",
     {.heads = HEADS, .kv_heads = 1, .hidden = HIDDEN, .swiglu = true, .rms = true, .causal = true, .rotary = true},
     .samples_first = true},
};
enum { CASES = sizeof cases / sizeof *cases, MODERN = CASES - 1 };

typedef struct built {
    gg_model *model;
    gg_value x, memory, lengths, memory_lengths, target, y, loss;
} built;

static built build(const block_case *c)
{
    built b;
    gg_transformer_options o = c->options;
    const int64_t steps_first[] = {GG_TIME, GG_BATCH, WIDTH}, samples_first[] = {GG_BATCH, GG_TIME, WIDTH};
    const int64_t *dims = c->samples_first ? samples_first : steps_first;
    must(gg_model_new(&b.model, 1));
    b.x = gg_input(b.model, "x", 3, dims);
    b.target = gg_input(b.model, "target", 3, dims);
    if (c->memory)
        o.memory = &b.memory;
    if (c->memory)
        b.memory = gg_input(b.model, "memory", 3, (int64_t[]){GG_TIME_2, GG_BATCH, WIDTH});
    if (c->lengths)
        o.key_lengths = &b.lengths;
    if (c->lengths)
        b.lengths = gg_input_labels(b.model, "lengths", 1, (int64_t[]){GG_BATCH});
    if (c->memory_lengths) {
        b.memory_lengths = gg_input_labels(b.model, "memory_lengths", 1, (int64_t[]){GG_BATCH});
        o.memory_lengths = &b.memory_lengths;
    }
    gg_model_name_next(b.model, "block");
    b.y = gg_transformer_block(b.model, b.x, &o);
    b.loss = gg_mean_squared_error(b.model, b.y, b.target);
    must(gg_model_keep(b.model, b.y, false));
    must(gg_model_keep(b.model, b.x, true));
    if (c->memory)
        must(gg_model_keep(b.model, b.memory, true));
    must(gg_model_set_largest(b.model, GG_TIME, STEPS));
    must(gg_model_set_largest(b.model, GG_TIME_2, MEMORY_STEPS));
    must(gg_model_plan(b.model, b.loss, BATCH));
    return b;
}

/* The parameters of the case `modern` have the library's names and lie as they do. */
static void load_by_name(gg_model *model, const char *prefix)
{
    for (int i = 0; i < gg_model_parameter_count(model); i++) {
        gg_parameter p;
        gg_tensor t;
        char name[128];
        must(gg_model_parameter(model, i, &p));
        snprintf(name, sizeof name, "%s%s", prefix, p.name + strlen("block."));
        must(gg_safetensors_find(file, name, &t));
        for (int64_t j = 0; j < p.size; j++)
            gg_model_parameters(model)[p.offset + j] =
                t.dtype == GG_F32 ? ((const float *)t.data)[j] : (float)((const double *)t.data)[j];
    }
}

static void load(const built *b, const block_case *c, const char *what)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.%s.", c->name, what);
    if (c == &cases[MODERN])
        load_by_name(b->model, prefix);
    else
        must(gg_transformer_load(b->model, "block", file, prefix));
}

static void step(const built *b, const block_case *c)
{
    enum { SIZE = STEPS * BATCH * WIDTH, MEMORY_SIZE = MEMORY_STEPS * BATCH * WIDTH };
    must(gg_model_bind(b->model, b->x, floats(c->name, "x", SIZE)));
    must(gg_model_bind(b->model, b->target, floats(c->name, "target", SIZE)));
    if (c->memory)
        must(gg_model_bind(b->model, b->memory, floats(c->name, "memory", MEMORY_SIZE)));
    if (c->lengths)
        must(gg_model_bind_labels(b->model, b->lengths, LENGTHS));
    if (c->memory_lengths)
        must(gg_model_bind_labels(b->model, b->memory_lengths, MEMORY_LENGTHS));
    must(gg_model_forward(b->model, b->loss, GG_TRAIN));
    must(gg_model_backward(b->model));
    compare(gg_model_data(b->model, b->y), doubles(c->name, "y", SIZE), SIZE, c->name, "y");
    compare(gg_model_gradient(b->model, b->x), doubles(c->name, "grad.x", SIZE), SIZE, c->name, "grad.x");
    if (c->memory)
        compare(gg_model_gradient(b->model, b->memory), doubles(c->name, "grad.memory", MEMORY_SIZE), MEMORY_SIZE,
                c->name, "grad.memory");
}

/* The second model holds PyTorch's gradients where the first has its weights: the layouts agree. */
static void compare_gradients(gg_model *model, gg_model *gradients, const char *case_name)
{
    for (int i = 0; i < gg_model_parameter_count(model); i++) {
        gg_parameter p;
        must(gg_model_parameter(model, i, &p));
        const float *actual = gg_model_gradients(model) + p.offset;
        if (strstr(p.name, ".k.b") != NULL) /* 0 but for rounding: softmax does not see what all keys have in common */
            for (int64_t j = 0; j < p.size; j++)
                ck_assert_float_le(fabsf(actual[j]), 1e-7f);
        else
            compare(actual, support_widen(gg_model_parameters(gradients) + p.offset, p.size), p.size, case_name,
                    p.name);
    }
}

START_TEST(blocks_equal_pytorch)
{
    const block_case *c = &cases[_i];
    const built b = build(c), gradients = build(c);
    load(&b, c, "weights");
    load(&gradients, c, "grads");
    step(&b, c);
    compare_gradients(b.model, gradients.model, c->name);
    gg_model_free(gradients.model);
    gg_model_free(b.model);
}
END_TEST

/* ---- torch.nn.MultiheadAttention ---- */

static const struct attention_case {
    const char *name;
    bool cross, no_bias;
    int64_t key_width, value_width;
    bool bias_of_all; /* samples and heads */
} attentions[] = {{"attention_self", false, false, WIDTH, WIDTH, false},
                  {"attention_plain", false, true, WIDTH, WIDTH, false},
                  {"attention_cross", true, false, WIDTH, WIDTH, false},
                  {"attention_features", true, false, 6, 4, false},
                  {"attention_samples", true, false, WIDTH, WIDTH, true}};
enum { ATTENTIONS = sizeof attentions / sizeof *attentions, MOST_INPUTS = 3 };

typedef struct attended {
    gg_model *model;
    gg_value inputs[MOST_INPUTS], bias, lengths, target, y, loss;
} attended;

static const char *const input_names[] = {"x", "key", "value"};

static int inputs_of(const struct attention_case *c)
{
    return c->cross ? 3 : 1;
}

static int64_t input_width(const struct attention_case *c, int input)
{
    return (const int64_t[]){WIDTH, c->key_width, c->value_width}[input];
}

static attended build_attention(const struct attention_case *c, int64_t kv_heads)
{
    attended a;
    must(gg_model_new(&a.model, 1));
    for (int i = 0; i < inputs_of(c); i++)
        a.inputs[i] = gg_input(a.model, input_names[i], 3,
                               (int64_t[]){i == 0 ? GG_TIME : GG_TIME_2, GG_BATCH, input_width(c, i)});
    const int64_t bias[] = {GG_BATCH, HEADS, GG_TIME, c->cross ? GG_TIME_2 : GG_TIME};
    a.bias = gg_input(a.model, "bias", c->bias_of_all ? 4 : 2, c->bias_of_all ? bias : bias + 2);
    a.lengths = gg_input_labels(a.model, "lengths", 1, (int64_t[]){GG_BATCH});
    a.target = gg_input(a.model, "target", 3, (int64_t[]){GG_TIME, GG_BATCH, WIDTH});
    gg_model_name_next(a.model, "heads");
    a.y = gg_multi_head_attention(
        a.model, a.inputs[0], a.inputs[c->cross ? 1 : 0], a.inputs[c->cross ? 2 : 0],
        &(gg_multi_head_options){
            .heads = HEADS, .kv_heads = kv_heads, .no_bias = c->no_bias, .bias = &a.bias, .key_lengths = &a.lengths});
    a.loss = gg_mean_squared_error(a.model, a.y, a.target);
    must(gg_model_keep(a.model, a.y, false));
    for (int i = 0; i < inputs_of(c); i++)
        must(gg_model_keep(a.model, a.inputs[i], true));
    must(gg_model_set_largest(a.model, GG_TIME, STEPS));
    must(gg_model_set_largest(a.model, GG_TIME_2, STEPS));
    must(gg_model_plan(a.model, a.loss, BATCH));
    return a;
}

static gg_status load_attention(const attended *a, const char *case_name, const char *what)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.%s.", case_name, what);
    return gg_multi_head_load(a->model, "heads", file, prefix);
}

START_TEST(attention_equals_pytorch)
{
    enum { SIZE = STEPS * BATCH * WIDTH };
    const struct attention_case *c = &attentions[_i];
    const attended a = build_attention(c, 0), gradients = build_attention(c, 0);
    must(load_attention(&a, c->name, "weights"));
    must(load_attention(&gradients, c->name, "grads"));
    for (int i = 0; i < inputs_of(c); i++)
        must(gg_model_bind(a.model, a.inputs[i], floats(c->name, input_names[i], STEPS * BATCH * input_width(c, i))));
    must(gg_model_bind(a.model, a.bias,
                       floats(c->name, "bias", (int64_t)(c->bias_of_all ? BATCH * HEADS : 1) * STEPS * STEPS)));
    must(gg_model_bind(a.model, a.target, floats(c->name, "target", SIZE)));
    must(gg_model_bind_labels(a.model, a.lengths, LENGTHS));
    must(gg_model_forward(a.model, a.loss, GG_TRAIN));
    must(gg_model_backward(a.model));
    compare(gg_model_data(a.model, a.y), doubles(c->name, "y", SIZE), SIZE, c->name, "y");
    for (int i = 0; i < inputs_of(c); i++) {
        char name[32];
        const int64_t size = STEPS * BATCH * input_width(c, i);
        snprintf(name, sizeof name, "grad.%s", input_names[i]);
        compare(gg_model_gradient(a.model, a.inputs[i]), doubles(c->name, name, size), size, c->name, name);
    }
    compare_gradients(a.model, gradients.model, c->name);
    gg_model_free(gradients.model);
    gg_model_free(a.model);
}
END_TEST

START_TEST(wrong_attention_changes_nothing)
{
    const attended with = build_attention(&attentions[0], 0), without = build_attention(&attentions[1], 0);
    const attended grouped = build_attention(&attentions[0], 1), cross = build_attention(&attentions[2], 0);
    const attended *const all[] = {&with, &without, &grouped, &cross};
    const float *before[4];
    for (int i = 0; i < 4; i++)
        before[i] = support_copy(gg_model_parameters(all[i]->model), gg_model_parameter_floats(all[i]->model));
#define FAILS(call, status, text) support_assert_fails(call, status, "gg_multi_head_load", text)
    FAILS(gg_multi_head_load(NULL, "heads", file, ""), GG_ERR_ARGUMENT, "model is NULL");
    FAILS(gg_multi_head_load(with.model, NULL, file, ""), GG_ERR_ARGUMENT, "layer is NULL");
    FAILS(gg_multi_head_load(with.model, "heads", NULL, ""), GG_ERR_ARGUMENT, "file is NULL");
    FAILS(gg_multi_head_load(with.model, "heads", file, NULL), GG_ERR_ARGUMENT, "prefix is NULL");
    FAILS(gg_multi_head_load(with.model, "none", file, "attention_self.weights."), GG_ERR_ARGUMENT,
          "no \"none.qkv.W\"");
    FAILS(load_attention(&with, "nowhere", "weights"), GG_ERR_FORMAT, "no tensor 'nowhere.weights.in_proj_weight'");
    FAILS(load_attention(&with, "attention_plain", "weights"), GG_ERR_FORMAT, "no tensor");
    FAILS(load_attention(&without, "attention_self", "weights"), GG_ERR_FORMAT, "has no biases");
    FAILS(load_attention(&grouped, "attention_self", "weights"), GG_ERR_SHAPE, "in_proj_weight");
    FAILS(load_attention(&cross, "attention_features", "weights"), GG_ERR_SHAPE, "k_proj_weight");
    gg_model *unplanned;
    must(gg_model_new(&unplanned, 1));
    FAILS(gg_multi_head_load(unplanned, "heads", file, ""), GG_ERR_STATE, "not planned");
    gg_tensor extra = {.name = "bias_k", .dtype = GG_F32, .rank = 1, .shape = {1}, .data = before[0]};
    gg_safetensors *made;
    scratch_make_folder();
    must(gg_safetensors_write(scratch_path("extra"), &extra, 1, NULL, 0));
    must(gg_safetensors_read(&made, scratch_path("extra")));
    scratch_remove_folder();
    FAILS(gg_multi_head_load(with.model, "heads", made, ""), GG_ERR_FORMAT, "bias_k");
#undef FAILS
    gg_safetensors_free(made);
    gg_model_free(unplanned);
    for (int i = 0; i < 4; i++) {
        ck_assert_mem_eq(gg_model_parameters(all[i]->model), before[i],
                         (size_t)gg_model_parameter_floats(all[i]->model) * sizeof(float));
        gg_model_free(all[i]->model);
    }
}
END_TEST

/* ---- loading what does not fit ---- */

START_TEST(wrong_weights_change_nothing)
{
    const built b = build(&cases[1]), other = build(&cases[MODERN]);
    const int64_t size = gg_model_parameter_floats(b.model);
    const float *before = support_copy(gg_model_parameters(b.model), size);
#define FAILS(model, block, file, prefix, status, text) \
    support_assert_fails(gg_transformer_load(model, block, file, prefix), status, "gg_transformer_load", text)
    FAILS(NULL, "block", file, "", GG_ERR_ARGUMENT, "model is NULL");
    FAILS(b.model, NULL, file, "", GG_ERR_ARGUMENT, "block is NULL");
    FAILS(b.model, "block", NULL, "", GG_ERR_ARGUMENT, "file is NULL");
    FAILS(b.model, "block", file, NULL, GG_ERR_ARGUMENT, "prefix is NULL");
    FAILS(b.model, "none", file, "encoder_pre.weights.", GG_ERR_ARGUMENT, "no \"none.attention.qkv.W\"");
    FAILS(b.model, "block", file, "nowhere.", GG_ERR_FORMAT, "no tensor 'nowhere.self_attn.in_proj_weight'");
    FAILS(other.model, "block", file, "encoder_pre.weights.", GG_ERR_SHAPE, "self_attn.in_proj_weight");
    gg_model *unplanned;
    must(gg_model_new(&unplanned, 1));
    FAILS(unplanned, "block", file, "", GG_ERR_STATE, "not planned");

    gg_tensor tensors[2] = {{.name = "self_attn.in_proj_weight", .dtype = GG_F32, .rank = 2}};
    float *data = support_uniform((int64_t)3 * WIDTH * WIDTH, -1.0, 1.0, 1);
    int32_t *integers = support_labels(3 * WIDTH);
    tensors[0].shape[0] = 3 * WIDTH;
    tensors[0].shape[1] = WIDTH;
    tensors[0].data = data;
    tensors[1] = (gg_tensor){.name = "self_attn.in_proj_bias", .dtype = GG_I32, .rank = 1, .data = integers};
    tensors[1].shape[0] = 3 * WIDTH;
    gg_safetensors *made;
    scratch_make_folder();
    must(gg_safetensors_write(scratch_path("wrong"), tensors, 2, NULL, 0));
    must(gg_safetensors_read(&made, scratch_path("wrong")));
    scratch_remove_folder();
    FAILS(b.model, "block", made, "", GG_ERR_FORMAT, "'self_attn.in_proj_bias' is neither F32 nor F64");
    gg_safetensors_free(made);
    ck_assert_mem_eq(gg_model_parameters(b.model), before, (size_t)size * sizeof *before);
    gg_model_free(unplanned);
    gg_model_free(other.model);
    gg_model_free(b.model);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, open_file, close_file);
    tcase_add_loop_test(tests, blocks_equal_pytorch, 0, CASES);
    tcase_add_test(tests, wrong_weights_change_nothing);
    tcase_add_loop_test(tests, attention_equals_pytorch, 0, ATTENTIONS);
    tcase_add_test(tests, wrong_attention_changes_nothing);
}

/* tasks.c - the table of tasks. */
#include "tasks.h"

#include <stddef.h>
#include <string.h>

#define CONVOLUTION \
    .batch = 64, .rate = 2e-3, .optimizer = {.kind = GG_ADAM}, .warmup_epochs = 0.25, .decay_epochs = 1, .decay = 0.45f
#define RESIDUAL \
    .batch = 64, .rate = 3e-3, .optimizer = {.kind = GG_ADAM}, .warmup_epochs = 0.25, .decay_epochs = 1, .decay = 0.4f

const gg_task gg_tasks[] = {
    {.name = "spiral",
     .about = "three arms of a spiral, 2-10-3 with sigmoid, SGD: the first network of Deep Learning from Scratch 2",
     .load = gg_spiral_load,
     .build = gg_spiral_build,
     .epochs = 300,
     .batch = 30,
     .rate = 1.0,
     .optimizer = {.kind = GG_SGD}},
    {.name = "digits",
     .about = "28x28 digits that the program draws itself, 784-512-512-10 with ReLU, Adam",
     .load = gg_digits_load,
     .build = gg_digits_build,
     .epochs = 8,
     .batch = 128,
     .rate = 1e-3,
     .optimizer = {.kind = GG_ADAM},
     .warmup_epochs = 0.25,
     .decay_epochs = 1,
     .decay = 0.75f},
    {.name = "mnist-mlp",
     .about = "MNIST from its four IDX files (--data FOLDER), 784-512-512-10 with ReLU and dropout, AdamW",
     .load = gg_mnist_read,
     .build = gg_mnist_mlp_build,
     .reads_files = true,
     .epochs = 10,
     .batch = 128,
     .rate = 1.5e-3,
     .optimizer = {.kind = GG_ADAMW},
     .warmup_epochs = 0.25,
     .decay_epochs = 1,
     .decay = 0.7f},
    {.name = "digits-cnn",
     .about = "the digits of the program by convolution: 32 and 64 filters of 3x3, two pools, 128-10, Adam",
     .load = gg_digits_load,
     .build = gg_cnn_build,
     .epochs = 3,
     CONVOLUTION},
    {.name = "mnist-cnn",
     .about = "MNIST (--data FOLDER) by convolution: 32 and 64 filters of 3x3, two pools, 128-10, Adam",
     .load = gg_mnist_read,
     .build = gg_cnn_build,
     .reads_files = true,
     .epochs = 5,
     CONVOLUTION},
    {.name = "digits-resnet",
     .about = "the digits of the program, three residual blocks with batch normalisation, Adam",
     .load = gg_digits_load,
     .build = gg_resnet_build,
     .epochs = 3,
     RESIDUAL},
    {.name = "mnist-resnet",
     .about = "MNIST (--data FOLDER), three residual blocks with batch normalisation, Adam",
     .load = gg_mnist_read,
     .build = gg_resnet_build,
     .reads_files = true,
     .epochs = 5,
     RESIDUAL},
    {.name = "char-lm",
     .about = "the next character of a text (--data FILE, or tales the program writes): two layers of LSTM, Adam",
     .open = gg_char_lm_open,
     .options = "data cell hidden layers embedding window dropout",
     .choices = "rnn gru lstm",
     .epochs = 20,
     .batch = 32,
     .rate = 2e-3,
     .optimizer = {.kind = GG_ADAM, .clip_norm = 1.0f},
     .warmup_epochs = 0.25,
     .decay_epochs = 1,
     .decay = 0.9f},
    {.name = "gpt",
     .about = "the next character of a text (--data FILE, or tales): blocks of a transformer, AdamW, rate by a cosine",
     .open = gg_gpt_open,
     .options = "data layers heads width context dropout",
     .epochs = 10,
     .batch = 32,
     .rate = 2e-3,
     .optimizer = {.kind = GG_ADAMW, .weight_decay = 0.1f, .clip_norm = 1.0f},
     .warmup_epochs = 0.25,
     .decay_epochs = 10,
     .decay = 0.1f,
     .cosine = true},
    {.name = "addition",
     .about = "sums as texts, 57+5 to 62 (--data FILE, or drawn): encoder and decoder of LSTM, Adam",
     .open = gg_addition_open,
     .options = "data variant hidden embedding",
     .choices = "plain reversed peeky",
     .epochs = 25,
     .batch = 128,
     .rate = 1e-3,
     .optimizer = {.kind = GG_ADAM, .clip_norm = 5.0f}},
    {.name = "date",
     .about = "september 27, 1994 to 1994-09-27 (--data FILE, or made up): LSTMs with attention, Adam",
     .open = gg_date_open,
     .options = "data attention hidden embedding",
     .choices = "dot scaled general additive local none",
     .epochs = 2,
     .batch = 64,
     .rate = 3e-3,
     .optimizer = {.kind = GG_ADAM, .clip_norm = 5.0f}},
    {.name = "word2vec",
     .about = "vectors of words from their neighbours (--data FILE, or tales the program writes), Adam",
     .open = gg_word2vec_open,
     .options = "data variant hidden window",
     .choices = "cbow skip-gram cbow-softmax skip-gram-softmax",
     .epochs = 10,
     .batch = 256,
     .rate = 2e-3,
     .optimizer = {.kind = GG_ADAM}},
};
const int gg_task_count = sizeof gg_tasks / sizeof *gg_tasks;

const gg_task *gg_task_find(const char *name)
{
    for (int i = 0; i < gg_task_count; i++)
        if (strcmp(gg_tasks[i].name, name) == 0)
            return &gg_tasks[i];
    return NULL;
}

void gg_task_data_free(gg_task_data *data)
{
    gg_free(data->train_x);
    gg_free(data->test_x);
    gg_free(data->train_labels);
    gg_free(data->test_labels);
    *data = (gg_task_data){0};
}

static gg_status allocate_set(float **x, int32_t **labels, int64_t count, int64_t features)
{
    int64_t floats = 0, bytes = 0;
    gg_status status = gg_checked_multiply(&floats, count, features);
    if (status == GG_OK)
        status = gg_checked_multiply(&bytes, floats, sizeof(float));
    void *memory = NULL;
    if (status == GG_OK)
        status = gg_alloc(&memory, (size_t)bytes);
    *x = memory;
    memory = NULL;
    if (status == GG_OK)
        status = gg_alloc(&memory, (size_t)count * sizeof(int32_t));
    *labels = memory;
    return status;
}

gg_status gg_task_data_allocate(gg_task_data *data)
{
    gg_status status = allocate_set(&data->train_x, &data->train_labels, data->train_count, data->features);
    if (status == GG_OK)
        status = allocate_set(&data->test_x, &data->test_labels, data->test_count, data->features);
    if (status != GG_OK)
        gg_task_data_free(data);
    return status;
}

/* checkpoint.c - a trainer's state as one safetensors file.
 *
 * Tensors, in this order (load_file of the Python package safetensors reads them as they are):
 *     <parameter>                       F32, in its shape: "affine1.W" [in, out], "affine1.b" [out]
 *     <state>                           F32, in its shape: what layers carry, "batch_normalization1.running_mean" [C]
 *     optimizer.<state>.<parameter>     F32, the parameter's shape: "optimizer.adam.m.affine1.W"
 *     optimizer.<tensor>                F32, what matrix rules keep beside: "optimizer.soap.left.affine1.W" [in, in]
 *     trainer.history                   F64 [epochs, 3]: train_loss, test_loss, test_accuracy
 *     trainer.epoch_loss_sum            F64 scalar
 *     trainer.loss                      F64 scalar, of the last mini-batch
 * Metadata: "gemmgrad" = "checkpoint 2", the task, the optimiser's name, the numbers listed in list_numbers, and the
 * facts of the source.
 * Nothing says when, where or in how many goes the state was reached, so the same state gives the same bytes.
 *
 * Loading reads and checks the whole file, and takes all memory it needs, before it changes the trainer. */
#include <gemmgrad/trainer.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <gemmgrad/memory.h>
#include <gemmgrad/safetensors.h>

#include "node.h"
#include "trainer_state.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "checkpoints are little-endian, and no code turns the bytes round yet"
#endif

enum { HISTORY_COLUMNS = 3 };
_Static_assert(sizeof(gg_epoch_result) == HISTORY_COLUMNS * sizeof(double), "the history is written as a matrix");

#define FORMAT_KEY "gemmgrad"
#define FORMAT "checkpoint 2"

/* ---- numbers, kept as metadata ---- */

typedef enum number_index {
    EPOCH, /* the state, up to MODEL_STEP */
    STEP,
    EPOCH_SAMPLES,
    OPTIMIZER_STEPS,
    MODEL_STEP,
    SEED, /* from here on what must agree with the trainer that loads */
    MODEL_SEED,
    NUMBER_COUNT
} number_index;

typedef struct number {
    const char *key;
    uint64_t value;
} number;

static void list_numbers(number numbers[NUMBER_COUNT], const gg_trainer *trainer)
{
    const gg_trainer_options *o = &trainer->options;
    numbers[EPOCH] = (number){"epoch", (uint64_t)trainer->epoch};
    numbers[STEP] = (number){"step", (uint64_t)trainer->step};
    numbers[EPOCH_SAMPLES] = (number){"epoch_samples", (uint64_t)trainer->epoch_samples};
    numbers[OPTIMIZER_STEPS] = (number){"optimizer_steps", (uint64_t)gg_optimizer_steps(o->optimizer)};
    numbers[MODEL_STEP] = (number){"model_step", (uint64_t)gg_model_step(o->model)};
    numbers[SEED] = (number){"seed", o->seed};
    numbers[MODEL_SEED] = (number){"model_seed", o->model->seed};
}

/* Decimal digits only, no leading zero, within 64 bits. */
static bool parse_number(const char *text, uint64_t *value)
{
    if (text == NULL || text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    uint64_t sum = 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || sum > (UINT64_MAX - (uint64_t)(*text - '0')) / 10)
            return false;
        sum = sum * 10 + (uint64_t)(*text - '0');
    }
    *value = sum;
    return true;
}

/* ---- tensors ---- */

/* The parameters, the layers' states and those of the optimiser as tensors, with the places they live in.
 * One allocation: [tensors, with room for the trainer's own | places | names]. */
typedef struct manifest {
    gg_tensor *tensors;
    float **places;
    int64_t count;
} manifest;

enum { TRAINER_TENSORS = 3 };

static const char prefix[] = "optimizer.";

static size_t state_name_bytes(const char *state, const char *parameter)
{
    return sizeof prefix + strlen(state) + 1 + strlen(parameter);
}

static gg_tensor tensor_of(const gg_parameter *parameter, const char *name, const float *data)
{
    gg_tensor tensor = {.name = name, .dtype = GG_F32, .rank = parameter->rank, .data = data + parameter->offset};
    for (int i = 0; i < parameter->rank; i++)
        tensor.shape[i] = parameter->dims[i];
    return tensor;
}

static gg_status allocate_manifest(manifest *list, char **names, const gg_model *model, const gg_optimizer *optimizer)
{
    const int states = gg_optimizer_state_count(optimizer), parameters = gg_model_parameter_count(model);
    size_t name_bytes = 0;
    for (int p = 0; p < parameters; p++) {
        gg_parameter parameter;
        const gg_status status = gg_model_parameter(model, p, &parameter);
        if (status != GG_OK)
            return status;
        for (int s = 0; s < states; s++)
            name_bytes += state_name_bytes(gg_optimizer_state_name(optimizer, s), parameter.name);
    }
    const int tensors = gg_optimizer_tensor_count(optimizer);
    for (int t = 0; t < tensors; t++) {
        gg_parameter tensor;
        const gg_status status = gg_optimizer_tensor(optimizer, t, &tensor);
        if (status != GG_OK)
            return status;
        name_bytes += sizeof prefix + strlen(tensor.name);
    }
    const size_t carried = (size_t)gg_model_state_count(model) + (size_t)tensors;
    const size_t room = (size_t)parameters * (size_t)(1 + states) + carried + TRAINER_TENSORS;
    void *arena = NULL;
    const gg_status status = gg_alloc(&arena, room * (sizeof(gg_tensor) + sizeof(float *)) + name_bytes);
    if (status != GG_OK)
        return status;
    list->tensors = arena;
    list->places = (float **)(void *)(list->tensors + room);
    *names = (char *)(list->places + room);
    list->count = 0;
    return GG_OK;
}

static void append(manifest *list, const gg_parameter *parameter, const char *name, float *array)
{
    list->tensors[list->count] = tensor_of(parameter, name, array);
    list->places[list->count++] = array + parameter->offset;
}

static void append_optimizer_tensors(manifest *list, char *names, gg_optimizer *optimizer)
{
    for (int t = 0; t < gg_optimizer_tensor_count(optimizer); t++) {
        gg_parameter tensor;
        (void)gg_optimizer_tensor(optimizer, t, &tensor); /* t is in range */
        const size_t bytes = sizeof prefix + strlen(tensor.name);
        (void)snprintf(names, bytes, "%s%s", prefix, tensor.name);
        append(list, &tensor, names, gg_optimizer_tensors(optimizer));
        names += bytes;
    }
}

static gg_status make_manifest(manifest *list, const gg_trainer *trainer)
{
    gg_model *model = trainer->options.model;
    gg_optimizer *optimizer = trainer->options.optimizer;
    const int parameters = gg_model_parameter_count(model);
    gg_parameter parameter;
    char *names = NULL;
    const gg_status status = allocate_manifest(list, &names, model, optimizer);
    if (status != GG_OK)
        return status;
    for (int p = 0; p < parameters; p++) {
        (void)gg_model_parameter(model, p, &parameter); /* p is in range */
        append(list, &parameter, parameter.name, gg_model_parameters(model));
    }
    for (int s = 0; s < gg_model_state_count(model); s++) {
        (void)gg_model_state(model, s, &parameter); /* s is in range, and a trainer's model is planned */
        append(list, &parameter, parameter.name, gg_model_states(model));
    }
    for (int s = 0; s < gg_optimizer_state_count(optimizer); s++) {
        const char *state = gg_optimizer_state_name(optimizer, s);
        for (int p = 0; p < parameters; p++) {
            (void)gg_model_parameter(model, p, &parameter);
            const size_t bytes = state_name_bytes(state, parameter.name);
            (void)snprintf(names, bytes, "%s%s.%s", prefix, state, parameter.name);
            append(list, &parameter, names, gg_optimizer_state(optimizer, s));
            names += bytes;
        }
    }
    append_optimizer_tensors(list, names, optimizer);
    return GG_OK;
}

/* ---- save ---- */

static void append_trainer_tensors(manifest *list, const gg_trainer *trainer)
{
    gg_tensor *next = list->tensors + list->count;
    next[0] = (gg_tensor){.name = "trainer.history", .dtype = GG_F64, .rank = 2, .data = trainer->history};
    next[0].shape[0] = trainer->epoch;
    next[0].shape[1] = HISTORY_COLUMNS;
    next[1] = (gg_tensor){.name = "trainer.epoch_loss_sum", .dtype = GG_F64, .data = &trainer->epoch_loss_sum};
    next[2] = (gg_tensor){.name = "trainer.loss", .dtype = GG_F64, .data = &trainer->loss};
    list->count += TRAINER_TENSORS;
}

enum { WORDS = 3, DIGITS = 24 };

/* What a file says beside its tensors, with the texts of its numbers. */
typedef struct words {
    gg_metadata *list; /* WORDS + NUMBER_COUNT + the source's facts */
    int64_t count;
    char digits[NUMBER_COUNT][DIGITS];
} words;

static gg_status make_words(words *out, const gg_trainer *trainer, const char *task)
{
    const gg_source *source = &trainer->source;
    number numbers[NUMBER_COUNT];
    void *list = NULL;
    out->count = WORDS + NUMBER_COUNT + source->fact_count;
    const gg_status status = gg_alloc(&list, (size_t)out->count * sizeof *out->list);
    if (status != GG_OK)
        return status;
    gg_metadata *next = out->list = list;
    *next++ = (gg_metadata){FORMAT_KEY, FORMAT};
    *next++ = (gg_metadata){"task", task};
    *next++ = (gg_metadata){"optimizer", gg_optimizer_name(gg_optimizer_kind_of(trainer->options.optimizer))};
    list_numbers(numbers, trainer);
    for (int i = 0; i < NUMBER_COUNT; i++) {
        (void)snprintf(out->digits[i], DIGITS, "%" PRIu64, numbers[i].value);
        *next++ = (gg_metadata){numbers[i].key, out->digits[i]};
    }
    for (int64_t i = 0; i < source->fact_count; i++)
        *next++ = source->facts[i];
    return GG_OK;
}

gg_status gg_trainer_save(const gg_trainer *trainer, const char *path, const char *task)
{
    const char *missing = trainer == NULL ? "trainer" : path == NULL ? "path" : task == NULL ? "task" : NULL;
    if (missing != NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_save: %s is NULL", missing);
    manifest list;
    words said;
    gg_status status = make_words(&said, trainer, task);
    if (status != GG_OK)
        return status;
    status = make_manifest(&list, trainer);
    if (status == GG_OK) {
        append_trainer_tensors(&list, trainer);
        status = gg_safetensors_write(path, list.tensors, list.count, said.list, said.count);
        gg_free(list.tensors);
    }
    gg_free(said.list);
    return status;
}

/* ---- load ---- */

/* What a file says, read and checked, before any of it reaches the trainer. */
typedef struct loaded {
    const gg_safetensors *file;
    const char *path;
    uint64_t numbers[NUMBER_COUNT];
    gg_epoch_result *history;
    double epoch_loss_sum, loss;
} loaded;

static gg_status check_words(const loaded *from, const gg_trainer *trainer, const char *task)
{
    static const char call[] = "gg_trainer_load";
    const char *format = gg_safetensors_metadata(from->file, FORMAT_KEY);
    if (format == NULL)
        return gg_fail(GG_ERR_FORMAT, "%s: '%.300s' is no checkpoint of gemmgrad", call, from->path);
    if (strcmp(format, FORMAT) != 0)
        return gg_fail(GG_ERR_FORMAT, "%s: '%.300s' says it is '%.40s'; this version reads '%s'", call, from->path,
                       format, FORMAT);
    const char *saved_task = gg_safetensors_metadata(from->file, "task");
    const char *saved_rule = gg_safetensors_metadata(from->file, "optimizer");
    if (saved_task == NULL || saved_rule == NULL)
        return gg_fail(GG_ERR_FORMAT, "%s: '%.300s' does not name its task and optimiser", call, from->path);
    if (strcmp(saved_task, task) != 0)
        return gg_fail(GG_ERR_SHAPE, "%s: '%.200s' is a checkpoint of task '%.60s', not '%.60s'", call, from->path,
                       saved_task, task);
    const char *rule = gg_optimizer_name(gg_optimizer_kind_of(trainer->options.optimizer));
    if (strcmp(saved_rule, rule) != 0)
        return gg_fail(GG_ERR_SHAPE, "%s: '%.200s' was trained with %.60s, this trainer uses %s", call, from->path,
                       saved_rule, rule);
    return GG_OK;
}

static gg_status check_numbers(loaded *from, const gg_trainer *trainer)
{
    number here[NUMBER_COUNT];
    list_numbers(here, trainer);
    for (int i = 0; i < NUMBER_COUNT; i++) {
        const char *text = gg_safetensors_metadata(from->file, here[i].key);
        if (!parse_number(text, &from->numbers[i]))
            return gg_fail(GG_ERR_FORMAT, "gg_trainer_load: '%.300s': metadata '%s' is %.40s", from->path, here[i].key,
                           text != NULL ? text : "missing");
        if (i >= SEED && from->numbers[i] != here[i].value)
            return gg_fail(GG_ERR_SHAPE, "gg_trainer_load: '%.300s' was saved with %s %s, this trainer has %" PRIu64,
                           from->path, here[i].key, text, here[i].value);
        if (i < SEED && from->numbers[i] > INT64_MAX)
            return gg_fail(GG_ERR_FORMAT, "gg_trainer_load: '%.300s': metadata '%s' is %s", from->path, here[i].key,
                           text);
    }
    return GG_OK;
}

static gg_status check_facts(const loaded *from, const gg_source *source)
{
    for (int64_t i = 0; i < source->fact_count; i++) {
        const gg_metadata *fact = &source->facts[i];
        const char *text = gg_safetensors_metadata(from->file, fact->key);
        if (text == NULL)
            return gg_fail(GG_ERR_FORMAT, "gg_trainer_load: '%.300s': metadata '%s' is missing", from->path, fact->key);
        if (strcmp(text, fact->value) != 0)
            return gg_fail(GG_ERR_SHAPE, "gg_trainer_load: '%.300s' was saved with %s %.60s, this trainer has %.60s",
                           from->path, fact->key, text, fact->value);
    }
    return GG_OK;
}

/* The file's tensor of this name, dtype and shape; `otherwise` is the status when there is none. */
static gg_status find(gg_tensor *found, const loaded *from, const gg_tensor *wanted, gg_status otherwise)
{
    if (gg_safetensors_find(from->file, wanted->name, found) != GG_OK)
        return gg_fail(otherwise, "gg_trainer_load: '%.300s' holds no tensor '%.100s'", from->path, wanted->name);
    bool same = found->dtype == wanted->dtype && found->rank == wanted->rank;
    for (int i = 0; same && i < wanted->rank; i++)
        same = found->shape[i] == wanted->shape[i];
    if (!same)
        return gg_fail(otherwise,
                       "gg_trainer_load: '%.300s': tensor '%.100s' has another shape or type than this trainer's",
                       from->path, wanted->name);
    return GG_OK;
}

static gg_status check_tensors(const loaded *from, const manifest *list)
{
    gg_tensor found;
    for (int64_t i = 0; i < list->count; i++) {
        const gg_status status = find(&found, from, &list->tensors[i], GG_ERR_SHAPE);
        if (status != GG_OK)
            return status;
    }
    const int64_t expected = list->count + TRAINER_TENSORS, count = gg_safetensors_count(from->file);
    if (count != expected)
        return gg_fail(GG_ERR_SHAPE, "gg_trainer_load: '%.300s' holds %lld tensors, this trainer makes %lld",
                       from->path, (long long)count, (long long)expected);
    return GG_OK;
}

static gg_status read_history(loaded *from)
{
    const int64_t epochs = (int64_t)from->numbers[EPOCH];
    const gg_tensor history = {
        .name = "trainer.history", .dtype = GG_F64, .rank = 2, .shape = {epochs, HISTORY_COLUMNS}};
    const gg_tensor sum = {.name = "trainer.epoch_loss_sum", .dtype = GG_F64};
    const gg_tensor last = {.name = "trainer.loss", .dtype = GG_F64};
    gg_tensor found;
    gg_status status = find(&found, from, &sum, GG_ERR_FORMAT);
    if (status == GG_OK) {
        memcpy(&from->epoch_loss_sum, found.data, sizeof from->epoch_loss_sum);
        status = find(&found, from, &last, GG_ERR_FORMAT);
    }
    if (status == GG_OK) {
        memcpy(&from->loss, found.data, sizeof from->loss);
        status = find(&found, from, &history, GG_ERR_FORMAT);
    }
    return status == GG_OK ? gg_history_make(&from->history, found.data, epochs, epochs) : status;
}

/* Nothing here can fail. */
static void put_in_place(gg_trainer *trainer, const loaded *from, const manifest *list)
{
    for (int64_t i = 0; i < list->count; i++) {
        gg_tensor found = {.data = NULL};
        (void)gg_safetensors_find(from->file, list->tensors[i].name, &found); /* check_tensors found it */
        int64_t floats = 1;
        for (int d = 0; d < found.rank; d++)
            floats *= found.shape[d];
        if (floats > 0)
            memcpy(list->places[i], found.data, (size_t)floats * sizeof(float));
    }
    gg_free(trainer->history);
    trainer->history = from->history;
    trainer->history_room = (int64_t)from->numbers[EPOCH];
    trainer->epoch = (int64_t)from->numbers[EPOCH];
    trainer->step = (int64_t)from->numbers[STEP];
    trainer->epoch_samples = (int64_t)from->numbers[EPOCH_SAMPLES];
    trainer->epoch_loss_sum = from->epoch_loss_sum;
    trainer->loss = from->loss;
    gg_optimizer_set_steps(trainer->options.optimizer, (int64_t)from->numbers[OPTIMIZER_STEPS]);
    gg_model_set_step(trainer->options.model, (int64_t)from->numbers[MODEL_STEP]);
}

/* Asked last: another batch makes other epochs, and is to be named itself. */
static gg_status check_step(const loaded *from, const gg_source *source)
{
    if (from->numbers[STEP] <= (uint64_t)source->steps)
        return GG_OK;
    return gg_fail(GG_ERR_FORMAT, "gg_trainer_load: '%.300s' stands at step %" PRIu64 " of an epoch of %lld steps",
                   from->path, from->numbers[STEP], (long long)source->steps);
}

gg_status gg_trainer_load(gg_trainer *trainer, const char *path, const char *task)
{
    const char *missing = trainer == NULL ? "trainer" : path == NULL ? "path" : task == NULL ? "task" : NULL;
    if (missing != NULL)
        return gg_fail(GG_ERR_ARGUMENT, "gg_trainer_load: %s is NULL", missing);
    gg_safetensors *file = NULL;
    gg_status status = gg_safetensors_read(&file, path);
    if (status != GG_OK)
        return status;
    loaded from = {.file = file, .path = path};
    manifest list = {NULL, NULL, 0};
    status = check_words(&from, trainer, task);
    if (status == GG_OK)
        status = check_numbers(&from, trainer);
    if (status == GG_OK)
        status = check_facts(&from, &trainer->source);
    if (status == GG_OK)
        status = check_step(&from, &trainer->source);
    if (status == GG_OK)
        status = make_manifest(&list, trainer);
    if (status == GG_OK)
        status = check_tensors(&from, &list);
    if (status == GG_OK)
        status = read_history(&from);
    if (status == GG_OK)
        put_in_place(trainer, &from, &list);
    gg_free(list.tensors);
    gg_safetensors_free(file);
    return status;
}

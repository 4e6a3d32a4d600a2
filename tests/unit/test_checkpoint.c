/* test_checkpoint.c - a resumed run equals the uninterrupted one bit for bit, down to the bytes of its checkpoints; a
 * file that cannot be loaded changes nothing; a file that cannot be saved leaves the old one. */
#include <gemmgrad/trainer.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <gemmgrad/layer.h>
#include <gemmgrad/safetensors.h>

#include "file_faults.h"
#include "scratch.h"
#include "support.h"
#include "trainer_case.h"

enum { STEPS_PER_EPOCH = 7 };

static const char task[] = "spiral";

static void setup(void)
{
    scratch_make_folder();
    case_count_allocations();
    fail_call(0, 0); /* none fails, and none flushes */
}

static void teardown(void)
{
    no_call_fails();
    scratch_stop_counting();
    scratch_remove_folder();
}

static void must(gg_status status)
{
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

static void save(const trainer_case *c, const char *name)
{
    const gg_status status = gg_trainer_save(c->trainer, scratch_path(name), task);
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

static void load(trainer_case *c, const char *name)
{
    const gg_status status = gg_trainer_load(c->trainer, scratch_path(name), task);
    ck_assert_msg(status == GG_OK, "%s", gg_error_message());
}

static void expect_same_bytes(const char *name, const char *other)
{
    size_t size, other_size;
    char *bytes = scratch_read(scratch_path(name), &size), *others = scratch_read(scratch_path(other), &other_size);
    ck_assert_uint_eq(size, other_size);
    ck_assert_mem_eq(bytes, others, size);
    free(bytes);
    free(others);
}

/* ---- resume ---- */

/* Interrupted after this many steps: at once, within the first epoch, at its end, just after, later. */
static const int64_t stops[] = {0, 1, 3, 6, 7, 8, 18, 21};

START_TEST(resumed_equals_uninterrupted)
{
    enum { STEPS = 4 * STEPS_PER_EPOCH };
    const trainer_setup what = {
        .optimizer = {.kind = (gg_optimizer_kind)_i, .clip_norm = 0.5f, .weight_decay = 0.01f},
        .schedule = {.kind = GG_COSINE, .rate = 0.1f, .warmup_steps = 4, .total_steps = 25, .final_rate = 0.01f},
        .normalizes = _i % 2 != 0,
    };
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        trainer_case whole = case_make(&what), first = case_make(&what), second = case_make(&what);
        const size_t bytes = (size_t)gg_model_parameter_floats(whole.model) * sizeof(float);
        case_steps(&whole, STEPS);
        save(&whole, "whole");
        case_steps(&first, stops[i]);
        save(&first, "stopped");
        case_free(&first);
        case_steps(&second, (int64_t)i * 3); /* whatever it did before is gone */
        load(&second, "stopped");
        save(&second, "again");
        expect_same_bytes("stopped", "again");
        case_steps(&second, STEPS - stops[i]);
        save(&second, "resumed");
        ck_assert_mem_eq(gg_model_parameters(second.model), gg_model_parameters(whole.model), bytes);
        expect_same_bytes("whole", "resumed");
        case_free(&whole);
        case_free(&second);
    }
}
END_TEST

/* More epochs than the history's array first holds, and a checkpoint of them. */
START_TEST(long_history)
{
    trainer_case a = case_make(&(trainer_setup){0}), b = case_make(&(trainer_setup){0});
    int64_t count;
    case_steps(&a, 20 * STEPS_PER_EPOCH);
    save(&a, "a");
    load(&b, "a");
    case_steps(&a, 2 * STEPS_PER_EPOCH);
    case_steps(&b, 2 * STEPS_PER_EPOCH);
    const gg_epoch_result *history = gg_trainer_history(b.trainer, &count);
    ck_assert_int_eq(count, 22);
    ck_assert_mem_eq(history, gg_trainer_history(a.trainer, NULL), 22 * sizeof *history);
    ck_assert_int_eq(gg_trainer_where(b.trainer).samples, 200);
    case_free(&a);
    case_free(&b);
}
END_TEST

/* An epoch whose evaluation is still due (test_trainer.c) is saved as such. */
START_TEST(evaluation_still_due)
{
    trainer_case a = case_make(&(trainer_setup){0}), b = case_make(&(trainer_setup){0});
    case_steps(&a, 6);
    ck_assert_int_eq(gg_model_plan(a.model, a.options.loss, 4), GG_OK);
    ck_assert_int_eq(gg_trainer_step(a.trainer), GG_ERR_SHAPE);
    save(&a, "a");
    load(&b, "a");
    ck_assert_int_eq(gg_trainer_where(b.trainer).step, STEPS_PER_EPOCH);
    case_steps(&b, 1);
    ck_assert_int_eq(gg_trainer_where(b.trainer).epoch, 1);
    case_free(&a);
    case_free(&b);
}
END_TEST

/* The states of layers: in the file under their names, loaded with it, and refused where the model has others. */
START_TEST(states_of_layers)
{
    const trainer_setup plain = {.dropout = -1.0f}, with_states = {.dropout = -1.0f, .normalizes = true};
    trainer_case a = case_make(&with_states), b = case_make(&with_states), c = case_make(&plain);
    gg_safetensors *file = NULL;
    gg_tensor tensor;
    size_t size;
    case_steps(&a, STEPS_PER_EPOCH + 2);
    save(&a, "a");
    must(gg_safetensors_read(&file, scratch_path("a")));
    must(gg_safetensors_find(file, "batch_normalization1.running_variance", &tensor));
    ck_assert(tensor.dtype == GG_F32 && tensor.rank == 1 && tensor.shape[0] == 7);
    gg_parameter state;
    must(gg_model_state(a.model, 1, &state));
    ck_assert_mem_eq(tensor.data, gg_model_states(a.model) + state.offset, 7 * sizeof(float));
    gg_safetensors_free(file);
    load(&b, "a");
    ck_assert_mem_eq(gg_model_states(b.model), gg_model_states(a.model),
                     (size_t)gg_model_state_floats(a.model) * sizeof(float));

    char *before = case_snapshot(&c, &size);
    support_assert_fails(gg_trainer_load(c.trainer, scratch_path("a"), task), GG_ERR_SHAPE, "gg_trainer_load",
                         "holds 11 tensors, this trainer makes 7");
    case_expect(&c, before, size);
    free(before);
    save(&c, "c");
    before = case_snapshot(&b, &size);
    support_assert_fails(gg_trainer_load(b.trainer, scratch_path("c"), task), GG_ERR_SHAPE, "gg_trainer_load",
                         "holds no tensor 'batch_normalization1.");
    case_expect(&b, before, size);
    free(before);
    case_free(&a);
    case_free(&b);
    case_free(&c);
}
END_TEST

/* What someone sees who opens the file with another program. */
START_TEST(tensors_of_a_checkpoint)
{
    static const char *const names[] = {
        "affine1.W",
        "affine1.b",
        "affine2.W",
        "affine2.b",
        "optimizer.adam.m.affine1.W",
        "optimizer.adam.m.affine1.b",
        "optimizer.adam.m.affine2.W",
        "optimizer.adam.m.affine2.b",
        "optimizer.adam.v.affine1.W",
        "optimizer.adam.v.affine1.b",
        "optimizer.adam.v.affine2.W",
        "optimizer.adam.v.affine2.b",
        "trainer.history",
        "trainer.epoch_loss_sum",
        "trainer.loss",
    };
    static const char *const metadata[][2] = {
        {"gemmgrad", "checkpoint 2"},
        {"task", "spiral"},
        {"optimizer", "adam"},
        {"epoch", "2"},
        {"step", "3"},
        {"epoch_samples", "48"},
        {"model_step", "17"},
        {"seed", "5"},
        {"optimizer_steps", "17"},
        {"train_samples", "100"},
        {"test_samples", "50"},
        {"features", "2"},
        {"batch", "16"},
        {"model_seed", "6"},
    };
    trainer_case c = case_make(&(trainer_setup){.optimizer = {.kind = GG_ADAM}});
    gg_safetensors *file = NULL;
    gg_tensor tensor;
    case_steps(&c, 2 * STEPS_PER_EPOCH + 3);
    save(&c, "a");
    ck_assert_int_eq(gg_safetensors_read(&file, scratch_path("a")), GG_OK);
    ck_assert_int_eq(gg_safetensors_count(file), (int64_t)(sizeof names / sizeof *names));
    for (int64_t i = 0; i < gg_safetensors_count(file); i++) {
        ck_assert_int_eq(gg_safetensors_tensor(file, i, &tensor), GG_OK);
        ck_assert_str_eq(tensor.name, names[i]);
    }
    for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++)
        ck_assert_str_eq(gg_safetensors_metadata(file, metadata[i][0]), metadata[i][1]);
    ck_assert_int_eq(gg_safetensors_find(file, "affine1.W", &tensor), GG_OK);
    ck_assert(tensor.dtype == GG_F32 && tensor.rank == 2 && tensor.shape[0] == 2 && tensor.shape[1] == 7);
    ck_assert_mem_eq(tensor.data, gg_model_parameters(c.model), 14 * sizeof(float));
    ck_assert_int_eq(gg_safetensors_find(file, "trainer.history", &tensor), GG_OK);
    ck_assert(tensor.dtype == GG_F64 && tensor.rank == 2 && tensor.shape[0] == 2 && tensor.shape[1] == 3);
    ck_assert_mem_eq(tensor.data, gg_trainer_history(c.trainer, NULL), 6 * sizeof(double));
    gg_safetensors_free(file);
    case_free(&c);
}
END_TEST

/* Parameters alone, into a model of its own: the names decide, whatever else the file holds. */
START_TEST(parameters_of_a_checkpoint)
{
    trainer_case c = case_make(&(trainer_setup){.optimizer = {.kind = GG_ADAM}});
    trainer_case other = case_without_trainer(&(trainer_setup){.model_seed = 9});
    trainer_case wide = case_without_trainer(&(trainer_setup){.hidden = 8});
    trainer_case deep = case_without_trainer(&(trainer_setup){.layers = 2});
    const size_t bytes = (size_t)gg_model_parameter_floats(c.model) * sizeof(float);
    gg_safetensors *file = NULL;
    case_steps(&c, 5);
    save(&c, "a");
    ck_assert_int_eq(gg_safetensors_read(&file, scratch_path("a")), GG_OK);
    ck_assert_int_eq(gg_model_load(other.model, file), GG_OK);
    ck_assert_mem_eq(gg_model_parameters(other.model), gg_model_parameters(c.model), bytes);
    const float first = gg_model_parameters(wide.model)[0];
    support_assert_fails(gg_model_load(wide.model, file), GG_ERR_SHAPE, "gg_model_load", "'affine1.W'");
    ck_assert(gg_model_parameters(wide.model)[0] == first);
    const float before = gg_model_parameters(deep.model)[0];
    ck_assert_int_eq(gg_model_load(deep.model, file), GG_ERR_SHAPE); /* affine2.W is the middle one there */
    ck_assert(gg_model_parameters(deep.model)[0] == before);
    gg_model *empty;
    ck_assert_int_eq(gg_model_new(&empty, 1), GG_OK);
    gg_affine(empty, gg_input(empty, "x", 2, (const int64_t[]){GG_BATCH, 2}), 7, NULL);
    support_assert_fails(gg_model_load(empty, file), GG_ERR_STATE, "gg_model_load", "not planned");
    support_assert_fails(gg_model_load(NULL, file), GG_ERR_ARGUMENT, "gg_model_load", "model");
    support_assert_fails(gg_model_load(empty, NULL), GG_ERR_ARGUMENT, "gg_model_load", "file");
    gg_model_free(empty);
    gg_safetensors_free(file);
    case_free(&c);
    case_free(&other);
    case_free(&wide);
    case_free(&deep);
}
END_TEST

/* ---- files that do not fit ---- */

static void expect_refused(trainer_case *c, const char *name, const char *its_task, gg_status wanted, const char *words)
{
    size_t size;
    char *before = case_snapshot(c, &size);
    const long live = scratch_memory.live;
    const gg_status status = gg_trainer_load(c->trainer, scratch_path(name), its_task);
    ck_assert_msg(status == wanted, "%s: %s (%s)", words, gg_status_string(status), gg_error_message());
    ck_assert_msg(strstr(gg_error_message(), words) != NULL, "%s: %s", words, gg_error_message());
    ck_assert_int_eq(scratch_memory.live, live);
    case_expect(c, before, size);
    free(before);
}

START_TEST(checkpoint_of_something_else)
{
    static const struct {
        trainer_setup setup;
        const char *words;
    } others[] = {
        {{.optimizer = {.kind = GG_ADAM}}, "was trained with momentum, this trainer uses adam"},
        {{.optimizer = {.kind = GG_NESTEROV}}, "was trained with momentum, this trainer uses nesterov"},
        {{.optimizer = {.kind = GG_MOMENTUM}, .batch = 20}, "was saved with batch 16, this trainer has 20"},
        {{.optimizer = {.kind = GG_MOMENTUM}, .batch = 64}, "was saved with batch 16, this trainer has 64"},
        {{.optimizer = {.kind = GG_MOMENTUM}, .samples = 99}, "was saved with train_samples 100, this trainer has 99"},
        {{.optimizer = {.kind = GG_MOMENTUM}, .test_samples = -1},
         "was saved with test_samples 50, this trainer has 0"},
        {{.optimizer = {.kind = GG_MOMENTUM}, .seed = 6}, "was saved with seed 5, this trainer has 6"},
        {{.optimizer = {.kind = GG_MOMENTUM}, .model_seed = 9}, "was saved with model_seed 6, this trainer has 9"},
        {{.optimizer = {.kind = GG_MOMENTUM}, .hidden = 8}, "tensor 'affine1.W' has another shape"},
        {{.optimizer = {.kind = GG_MOMENTUM}, .layers = 2}, "tensor 'affine2.W' has another shape"},
    };
    trainer_case c = case_make(&(trainer_setup){.optimizer = {.kind = GG_MOMENTUM}});
    trainer_case deep = case_make(&(trainer_setup){.optimizer = {.kind = GG_MOMENTUM}, .layers = 2, .hidden = 3});
    trainer_case deeper = case_make(&(trainer_setup){.optimizer = {.kind = GG_MOMENTUM}, .layers = 3, .hidden = 3});
    case_steps(&c, 10);
    save(&c, "a");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        trainer_case other = case_make(&others[i].setup);
        case_steps(&other, 3);
        expect_refused(&other, "a", task, GG_ERR_SHAPE, others[i].words);
        case_free(&other);
    }
    expect_refused(&c, "a", "digits", GG_ERR_SHAPE, "is a checkpoint of task 'spiral', not 'digits'");
    save(&deeper, "b"); /* all that `deep` asks for is there in the same shape, and more */
    expect_refused(&deep, "b", task, GG_ERR_SHAPE, "holds 19 tensors, this trainer makes 15");
    save(&deep, "b");
    expect_refused(&deeper, "b", task, GG_ERR_SHAPE, "holds no tensor 'affine4.W'");
    case_free(&c);
    case_free(&deep);
    case_free(&deeper);
}
END_TEST

START_TEST(files_that_are_no_checkpoint)
{
    trainer_case c = case_make(&(trainer_setup){0});
    const gg_metadata old = {"gemmgrad", "checkpoint 0"}, bare = {"gemmgrad", "checkpoint 2"};
    case_steps(&c, 10);
    expect_refused(&c, "none", task, GG_ERR_IO, strerror(ENOENT));
    expect_refused(&c, ".", task, GG_ERR_IO, strerror(EISDIR));
    scratch_write(scratch_path("a"), "", 0);
    expect_refused(&c, "a", task, GG_ERR_FORMAT, "too few");
    scratch_write(scratch_path("a"), "not a checkpoint", 16);
    expect_refused(&c, "a", task, GG_ERR_FORMAT, "header");
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), NULL, 0, NULL, 0), GG_OK);
    expect_refused(&c, "a", task, GG_ERR_FORMAT, "is no checkpoint of gemmgrad");
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), NULL, 0, &old, 1), GG_OK);
    expect_refused(&c, "a", task, GG_ERR_FORMAT, "this version reads 'checkpoint 2'");
    ck_assert_int_eq(gg_safetensors_write(scratch_path("a"), NULL, 0, &bare, 1), GG_OK);
    expect_refused(&c, "a", task, GG_ERR_FORMAT, "does not name its task");
    case_free(&c);
}
END_TEST

/* A copy of checkpoint "a" as "b", with one piece of metadata changed (removed when value is NULL) or one tensor left
 * out or cut to rank 1. */
static void write_changed(const char *key, const char *value, const char *left_out, const char *flattened)
{
    static const char *const keys[] = {"gemmgrad",        "task",     "optimizer",  "epoch",        "step",
                                       "optimizer_steps", "seed",     "model_step", "batch",        "train_samples",
                                       "test_samples",    "features", "model_seed", "epoch_samples"};
    enum { KEYS = 14, MOST = 32 };
    gg_metadata metadata[KEYS];
    gg_tensor tensors[MOST];
    gg_safetensors *file = NULL;
    int64_t words = 0, count = 0;
    ck_assert_int_eq(gg_safetensors_read(&file, scratch_path("a")), GG_OK);
    for (int i = 0; i < KEYS; i++) {
        const bool changed = key != NULL && strcmp(keys[i], key) == 0;
        metadata[words] = (gg_metadata){keys[i], changed ? value : gg_safetensors_metadata(file, keys[i])};
        words += metadata[words].value != NULL;
    }
    for (int64_t i = 0; i < gg_safetensors_count(file); i++) {
        ck_assert_int_eq(gg_safetensors_tensor(file, i, &tensors[count]), GG_OK);
        if (flattened != NULL && strcmp(tensors[count].name, flattened) == 0) {
            tensors[count].shape[0] *= tensors[count].shape[1];
            tensors[count].rank = 1;
        }
        count += left_out == NULL || strcmp(tensors[count].name, left_out) != 0;
    }
    ck_assert_int_eq(gg_safetensors_write(scratch_path("b"), tensors, count, metadata, words), GG_OK);
    gg_safetensors_free(file);
}

START_TEST(lying_numbers)
{
    static const char *const numbers[] = {"epoch",         "step",         "epoch_samples", "optimizer_steps",
                                          "model_step",    "seed",         "model_seed",    "batch",
                                          "train_samples", "test_samples", "features"};
    enum { COUNTERS = 5, PARSED = 7 }; /* the first tell the state, the next must agree as numbers, the last as texts */
    static const char *const bad[] = {
        "", "x", "-1", "+1", " 1", "1 ", "01", "1.0", "18446744073709551616", "99999999999999999999999"};
    trainer_case c = case_make(&(trainer_setup){.optimizer = {.kind = GG_RMSPROP}});
    case_steps(&c, 2 * STEPS_PER_EPOCH + 2);
    save(&c, "a");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
            write_changed(numbers[i], bad[j], NULL, NULL);
            expect_refused(&c, "b", task, i < PARSED ? GG_ERR_FORMAT : GG_ERR_SHAPE, numbers[i]);
        }
        write_changed(numbers[i], NULL, NULL, NULL);
        expect_refused(&c, "b", task, GG_ERR_FORMAT, "is missing");
        write_changed(numbers[i], "18446744073709551615", NULL,
                      NULL); /* fits, and is neither a count nor this trainer's */
        expect_refused(&c, "b", task, i < COUNTERS ? GG_ERR_FORMAT : GG_ERR_SHAPE, numbers[i]);
    }
    write_changed("epoch", "3", NULL, NULL); /* the history has 2 */
    expect_refused(&c, "b", task, GG_ERR_FORMAT, "trainer.history");
    write_changed("epoch", "9223372036854775807", NULL, NULL);
    expect_refused(&c, "b", task, GG_ERR_FORMAT, "trainer.history");
    write_changed("step", "8", NULL, NULL);
    expect_refused(&c, "b", task, GG_ERR_FORMAT, "stands at step 8 of an epoch of 7 steps");
    write_changed("step", "7", NULL, NULL);
    load(&c, "b");
    case_free(&c);
}
END_TEST

START_TEST(missing_and_misshapen_tensors)
{
    static const char *const own[] = {"affine1.W", "optimizer.rmsprop.h.affine2.W"};
    static const char *const trainers[] = {"trainer.history", "trainer.epoch_loss_sum", "trainer.loss"};
    trainer_case c = case_make(&(trainer_setup){.optimizer = {.kind = GG_RMSPROP}});
    case_steps(&c, 2 * STEPS_PER_EPOCH + 2);
    save(&c, "a");
    for (int i = 0; i < 2; i++) {
        write_changed(NULL, NULL, own[i], NULL);
        expect_refused(&c, "b", task, GG_ERR_SHAPE, own[i]);
        write_changed(NULL, NULL, NULL, own[i]);
        expect_refused(&c, "b", task, GG_ERR_SHAPE, own[i]);
    }
    for (int i = 0; i < 3; i++) {
        write_changed(NULL, NULL, trainers[i], NULL);
        expect_refused(&c, "b", task, GG_ERR_SHAPE, "holds 10 tensors, this trainer makes 11");
    }
    write_changed(NULL, NULL, NULL, "trainer.history");
    expect_refused(&c, "b", task, GG_ERR_FORMAT, "trainer.history");
    case_free(&c);
}
END_TEST

/* Every shorter copy is refused. Every bit of the header changed: refused, or loaded as what it then says. */
START_TEST(every_cut_and_every_flip)
{
    trainer_case c = case_make(&(trainer_setup){.hidden = 2}), other = case_make(&(trainer_setup){.hidden = 2});
    size_t size, state_size;
    case_steps(&c, STEPS_PER_EPOCH + 2);
    case_steps(&other, 3);
    save(&c, "a");
    char *bytes = scratch_read(scratch_path("a"), &size), *state = case_snapshot(&other, &state_size);
    for (size_t cut = 0; cut < size; cut++) {
        scratch_write(scratch_path("b"), bytes, cut);
        ck_assert_int_eq(gg_trainer_load(other.trainer, scratch_path("b"), task), GG_ERR_FORMAT);
        case_expect(&other, state, state_size);
    }
    const size_t header = 8 + (unsigned char)bytes[0] + ((size_t)(unsigned char)bytes[1] << 8);
    for (size_t bit = 0; bit < 8 * header; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        scratch_write(scratch_path("b"), bytes, size);
        if (gg_trainer_load(other.trainer, scratch_path("b"), task) != GG_OK) {
            case_expect(&other, state, state_size);
        } else { /* one of the counters, or an empty tensor's place */
            free(state);
            state = case_snapshot(&other, &state_size);
        }
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(bytes);
    free(state);
    case_free(&c);
    case_free(&other);
}
END_TEST

/* ---- failures ---- */

START_TEST(every_call_of_a_save_can_fail)
{
    trainer_case c = case_make(&(trainer_setup){.optimizer = {.kind = GG_ADAM}});
    long number = 1;
    case_steps(&c, 3);
    save(&c, "old");
    save(&c, "a");
    case_steps(&c, 1);
    save(&c, "new");
    for (;; number++) {
        fail_call(number, ENOSPC);
        const gg_status status = gg_trainer_save(c.trainer, scratch_path("a"), task);
        ck_assert_int_eq(faults.open_files, 0);
        ck_assert_int_eq(scratch_count(), 3);
        if (status == GG_OK || strcmp(faults.failed, "fsync of the folder") == 0)
            break;
        ck_assert_int_eq(status, GG_ERR_IO);
        ck_assert_ptr_nonnull(strstr(gg_error_message(), strerror(ENOSPC)));
        expect_same_bytes("a", "old");
    }
    expect_same_bytes("a", "new");
    ck_assert_int_ge(number, 2 + 15 + 4); /* open 2, write header and 14 tensors, flush, close, rename, flush */
    case_free(&c);
}
END_TEST

START_TEST(every_call_of_a_load_can_fail)
{
    trainer_case c = case_make(&(trainer_setup){0}), other = case_make(&(trainer_setup){0});
    size_t size;
    long number = 1;
    case_steps(&c, 10);
    save(&c, "a");
    char *before = case_snapshot(&other, &size);
    for (;; number++) {
        fail_call(number, EIO);
        const gg_status status = gg_trainer_load(other.trainer, scratch_path("a"), task);
        ck_assert_int_eq(faults.open_files, 0);
        if (status == GG_OK)
            break;
        ck_assert_int_eq(status, GG_ERR_IO);
        case_expect(&other, before, size);
    }
    ck_assert_int_ge(number, 4 + 7);
    free(before);
    case_free(&c);
    case_free(&other);
}
END_TEST

START_TEST(every_allocation_can_fail)
{
    const trainer_setup what = {.optimizer = {.kind = GG_ADAM}};
    trainer_case c = case_make(&what), other = case_make(&what);
    size_t size;
    long budget = 0;
    case_steps(&c, 10);
    save(&c, "a");
    save(&c, "b");
    case_steps(&c, 1);
    const long live = scratch_memory.live;
    for (; (scratch_memory.budget = budget, gg_trainer_save(c.trainer, scratch_path("b"), task)) != GG_OK; budget++) {
        ck_assert_ptr_nonnull(strstr(gg_error_message(), "no memory"));
        ck_assert_int_eq(scratch_memory.live, live);
        ck_assert_int_eq(scratch_count(), 2);
        expect_same_bytes("a", "b");
    }
    ck_assert_int_ge(budget, 4);
    scratch_memory.budget = -1;
    char *before = case_snapshot(&other, &size);
    budget = 0;
    for (; (scratch_memory.budget = budget, gg_trainer_load(other.trainer, scratch_path("a"), task)) != GG_OK;
         budget++) {
        ck_assert_ptr_nonnull(strstr(gg_error_message(), "no memory"));
        ck_assert_int_eq(scratch_memory.live, live);
        case_expect(&other, before, size);
    }
    ck_assert_int_ge(budget, 6);
    scratch_memory.budget = -1;
    free(before);
    case_free(&c);
    case_free(&other);
}
END_TEST

START_TEST(wrong_arguments)
{
    trainer_case c = case_make(&(trainer_setup){0});
    const char *path = scratch_path("a");
    support_assert_fails(gg_trainer_save(NULL, path, task), GG_ERR_ARGUMENT, "gg_trainer_save", "trainer");
    support_assert_fails(gg_trainer_save(c.trainer, NULL, task), GG_ERR_ARGUMENT, "gg_trainer_save", "path");
    support_assert_fails(gg_trainer_save(c.trainer, path, NULL), GG_ERR_ARGUMENT, "gg_trainer_save", "task");
    support_assert_fails(gg_trainer_load(NULL, path, task), GG_ERR_ARGUMENT, "gg_trainer_load", "trainer");
    support_assert_fails(gg_trainer_load(c.trainer, NULL, task), GG_ERR_ARGUMENT, "gg_trainer_load", "path");
    support_assert_fails(gg_trainer_load(c.trainer, path, NULL), GG_ERR_ARGUMENT, "gg_trainer_load", "task");
    ck_assert_int_eq(scratch_count(), 0);
    case_free(&c);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, resumed_equals_uninterrupted, 0, GG_OPTIMIZER_COUNT);
    tcase_add_test(tests, long_history);
    tcase_add_test(tests, evaluation_still_due);
    tcase_add_test(tests, states_of_layers);
    tcase_add_test(tests, tensors_of_a_checkpoint);
    tcase_add_test(tests, parameters_of_a_checkpoint);
    tcase_add_test(tests, checkpoint_of_something_else);
    tcase_add_test(tests, files_that_are_no_checkpoint);
    tcase_add_test(tests, lying_numbers);
    tcase_add_test(tests, missing_and_misshapen_tensors);
    tcase_add_test(tests, every_cut_and_every_flip);
    tcase_add_test(tests, every_call_of_a_save_can_fail);
    tcase_add_test(tests, every_call_of_a_load_can_fail);
    tcase_add_test(tests, every_allocation_can_fail);
    tcase_add_test(tests, wrong_arguments);
}

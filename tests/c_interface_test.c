// glia/c.h from a program in C99: what there is, handles, text, options, models and their training.
// SPDX-License-Identifier: Apache-2.0
//
// Usage: c_interface_test [cpu|cuda]
#define _POSIX_C_SOURCE 200809L  // mkstemp
#include <pthread.h>
#include <unistd.h>

#include "c_check.h"

static void versions_and_codes(void) {
  CHECK(strchr(glia_version(), '.') != NULL);
  CHECK(glia_interface() == GLIA_C_INTERFACE);
  CHECK(strcmp(glia_status_name(GLIA_OK), "GLIA_OK") == 0);
  CHECK(strcmp(glia_status_name(GLIA_ERROR_OUT_OF_MEMORY), "GLIA_ERROR_OUT_OF_MEMORY") == 0);
  CHECK(strcmp(glia_status_name(99), "unknown status") == 0);
  CHECK(glia_last_error() == GLIA_OK);
  CHECK(strcmp(glia_last_error_message(), "") == 0);
}

static void devices(const char* device) {
  int32_t count = 0;
  char name[16];
  OK(glia_device_count(&count));
  CHECK(count >= (strcmp(device, "cuda") == 0 ? 2 : 1));
  OK(glia_device_name(0, name, sizeof name, NULL));
  CHECK(strcmp(name, "cpu") == 0);
  if (count > 1) {
    OK(glia_device_name(1, name, sizeof name, NULL));
    CHECK(strcmp(name, "cuda:0") == 0);
  }
  FAILS(GLIA_ERROR_VALUE, "there is no device", glia_device_name(count, name, sizeof name, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "count is NULL", glia_device_count(NULL));

  size_t needed = 0;
  OK(glia_device_report(NULL, 0, &needed));
  char* const report = malloc(needed);
  OK(glia_device_report(report, needed, NULL));
  CHECK(strlen(report) + 1 == needed);
  CHECK(strstr(report, "cpu: ") != NULL);
  report[0] = '?';
  FAILS(GLIA_ERROR_ARGUMENT, "has room for", glia_device_report(report, needed - 1, NULL));
  CHECK(report[0] == '?');
  free(report);
}

static void handles(const char* device) {
  glia_context_options options = {.size = sizeof options, .device = device, .threads = 1};
  glia_context* context = NULL;
  OK(glia_context_create(&options, &context));
  char text[2048];
  OK(glia_context_device(context, text, sizeof text, NULL));
  CHECK(strncmp(text, device, strlen(device)) == 0);
  OK(glia_context_versions(context, text, sizeof text, NULL));
  CHECK(strstr(text, glia_version()) != NULL);
  OK(glia_context_trim(context));
  if (strcmp(device, "cpu") == 0) FAILS(GLIA_ERROR_STATE, "CPU", glia_context_wait(context, &context));

  size_t count = 0;
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_weight_count(NULL, &count));
  FAILS(GLIA_ERROR_ARGUMENT, "model is the handle of a context, expected that of a model",
        glia_model_weight_count((const glia_model*)(const void*)context, &count));
  static const uint64_t no_handle[4] = {1, 2, 3, 4};
  FAILS(GLIA_ERROR_ARGUMENT, "model is no handle of Glia",
        glia_model_weight_count((const glia_model*)(const void*)no_handle, &count));
  FAILS(GLIA_ERROR_ARGUMENT, "model is",
        glia_model_weight_count((const glia_model*)(const void*)((const char*)no_handle + 1), &count));

  OK(glia_context_destroy(context));
  FAILS(GLIA_ERROR_ARGUMENT, "context is the handle of a context that was destroyed",
        glia_context_destroy(context));
  FAILS(GLIA_ERROR_ARGUMENT, "that was destroyed", glia_context_trim(context));
  // Handles that were destroyed are told for long, whatever is made meanwhile.
  for (int i = 0; i < 50; ++i) {
    glia_model* model = NULL;
    OK(glia_sequential_create("Dense(1)", NULL, &model));
    OK(glia_model_destroy(model));
    FAILS(GLIA_ERROR_ARGUMENT, "that was destroyed", glia_model_destroy(model));
  }
  for (int i = 0; i < 500; ++i) {
    glia_model* model = NULL;
    OK(glia_sequential_create("Dense(1)", NULL, &model));
    OK(glia_model_destroy(model));
  }
  OK(glia_context_destroy(NULL));
  OK(glia_model_destroy(NULL));
  OK(glia_predictor_destroy(NULL));
  OK(glia_learner_destroy(NULL));

  options.device = "tpu";
  FAILS(GLIA_ERROR_VALUE, "tpu", glia_context_create(&options, &context));
  options.device = "cuda:99";
  FAILS(GLIA_ERROR_DEVICE, "cuda:99", glia_context_create(&options, &context));
  options.size = 1;
  FAILS(GLIA_ERROR_ARGUMENT, "options.size is 1", glia_context_create(&options, &context));
}

/// A program that is newer than the library, and one that is older.
static void options_of_other_sizes(void) {
  struct {
    glia_context_options known;
    int64_t later;
  } newer = {.known = {.size = sizeof newer, .device = "cpu"}};
  glia_context* context = NULL;
  OK(glia_context_create(&newer.known, &context));
  OK(glia_context_destroy(context));
  newer.later = 1;
  FAILS(GLIA_ERROR_ARGUMENT, "older than the program", glia_context_create(&newer.known, &context));

  glia_context_options older = {.size = offsetof(glia_context_options, threads), .device = "cpu"};
  older.threads = older.reserved = -5;  // behind what it knows, so not looked at
  OK(glia_context_create(&older, &context));
  OK(glia_context_destroy(context));
  older.size = sizeof older, older.threads = 1;
  FAILS(GLIA_ERROR_ARGUMENT, "options.reserved is -5", glia_context_create(&older, &context));
}

/// NULL for a handle or for what is to be filled is told by its name, in every call.
static void null_arguments(glia_model* model) {
  size_t count = 0;
  FAILS(GLIA_ERROR_ARGUMENT, "count is NULL", glia_device_count(NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "context is NULL", glia_context_create(NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "context is NULL", glia_context_device(NULL, NULL, 0, &count));
  FAILS(GLIA_ERROR_ARGUMENT, "context is NULL", glia_context_versions(NULL, NULL, 0, &count));
  FAILS(GLIA_ERROR_ARGUMENT, "context is NULL", glia_context_wait(NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "context is NULL", glia_context_record(NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "context is NULL", glia_context_trim(NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_build(NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "row is NULL", glia_model_build(model, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_compile(NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_input_count(NULL, &count));
  FAILS(GLIA_ERROR_ARGUMENT, "count is NULL", glia_model_input_count(model, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_output_count(NULL, &count));
  FAILS(GLIA_ERROR_ARGUMENT, "count is NULL", glia_model_output_count(model, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_input_shape(NULL, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "row is NULL", glia_model_input_shape(model, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_output_shape(NULL, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "row is NULL", glia_model_output_shape(model, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_count_params(NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "count is NULL", glia_model_count_params(model, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_summary(NULL, NULL, 0, NULL));
  OK(glia_model_summary(model, NULL, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_explain(NULL, 1, NULL, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_metric_count(NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "count is NULL", glia_model_metric_count(model, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_metric_name(NULL, 0, NULL, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_learning_rate(NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "learning_rate is NULL", glia_model_learning_rate(model, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_set_learning_rate(NULL, 0.1));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_iterations(NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "iterations is NULL", glia_model_iterations(model, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_weight_count(NULL, &count));
  FAILS(GLIA_ERROR_ARGUMENT, "count is NULL", glia_model_weight_count(model, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_weight_name(NULL, 0, NULL, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_weight_shape(NULL, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "shape is NULL", glia_model_weight_shape(model, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_set_weight(NULL, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "weight is NULL", glia_model_set_weight(model, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "weight is NULL", glia_model_get_weight(model, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "path is NULL", glia_model_save_weights(model, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "path is NULL", glia_model_load_weights(model, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "path is NULL", glia_model_save(model, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_load("m.safetensors", NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "path is NULL", glia_model_load(NULL, NULL, &model));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_model_fit(NULL, NULL, 0, NULL, 0, NULL, NULL, 0));
  FAILS(GLIA_ERROR_ARGUMENT, "x is NULL", glia_model_evaluate(model, NULL, 1, NULL, 1, NULL, NULL, 0));
  FAILS(GLIA_ERROR_ARGUMENT, "y is NULL", glia_model_predict(model, NULL, 1, NULL, 1, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "x is NULL", glia_model_train_on_batch(model, NULL, 1, NULL, 1, NULL, NULL, 0));
  FAILS(GLIA_ERROR_ARGUMENT, "x is NULL", glia_model_test_on_batch(model, NULL, 1, NULL, 1, NULL, NULL, 0));
  FAILS(GLIA_ERROR_ARGUMENT, "predictor is NULL", glia_predictor_create(model, NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "predictor is NULL", glia_predictor_enqueue(NULL, NULL, 0, NULL, 0, 1, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "predictor is NULL", glia_predictor_update(NULL, NULL, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "predictor is NULL", glia_predictor_synchronize(NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "predictor is NULL", glia_predictor_explain(NULL, 1, NULL, 0, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "learner is NULL", glia_learner_create(model, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "learner is NULL",
        glia_learner_enqueue_train(NULL, NULL, 0, NULL, 0, NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "learner is NULL", glia_learner_enqueue_logs(NULL, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "learner is NULL", glia_learner_logs(NULL, NULL, 0));
  FAILS(GLIA_ERROR_ARGUMENT, "learner is NULL", glia_learner_logs_if_ready(NULL, NULL, NULL, 0));
  FAILS(GLIA_ERROR_ARGUMENT, "learner is NULL", glia_learner_synchronize(NULL));
}

static void words(void) {
  glia_model* model = NULL;
  FAILS(GLIA_ERROR_ARGUMENT, "layers is NULL", glia_sequential_create(NULL, NULL, &model));
  FAILS(GLIA_ERROR_ARGUMENT, "model is NULL", glia_sequential_create("Dense(1)", NULL, NULL));
  FAILS(GLIA_ERROR_VALUE, "did you mean \"Dense\"", glia_sequential_create("Dens(1)", NULL, &model));
  FAILS(GLIA_ERROR_VALUE, "did you mean \"relu\"", glia_sequential_create("Dense(1, 'rleu')", NULL, &model));
  FAILS(GLIA_ERROR_VALUE, "did you mean \"use_bias\"",
        glia_sequential_create("Dense(1, use_bais=True)", NULL, &model));
  FAILS(GLIA_ERROR_VALUE, "got no units", glia_sequential_create("Dense()", NULL, &model));
  FAILS(GLIA_ERROR_VALUE, "expected a whole number", glia_sequential_create("Dense(1.5)", NULL, &model));
  FAILS(GLIA_ERROR_VALUE, "layers, character 8: expected \",\" or \")\", got the end",
        glia_sequential_create("Dense(1", NULL, &model));
  FAILS(GLIA_ERROR_VALUE, "layers is empty", glia_sequential_create(" ; ", NULL, &model));
  CHECK(model == NULL);
}

static void what_a_model_is(void) {
  glia_sequential_options options = {.size = sizeof options, .name = "classifier"};
  glia_model* model = NULL;
  OK(
      glia_sequential_create("Input((8, 8, 1))\n"
                             "Conv2D(4, 3, activation='relu', padding='same', name='first'), MaxPooling2D()\n"
                             "BatchNormalization(); Flatten(); Dropout(0.5); Dense(10, 'softmax')",
                             &options, &model));
  size_t count = 0;
  glia_shape shape;
  OK(glia_model_input_count(model, &count));
  CHECK(count == 1);
  OK(glia_model_output_count(model, &count));
  CHECK(count == 1);
  OK(glia_model_input_shape(model, 0, &shape));
  CHECK(shape.rank == 3 && shape.dims[0] == 8 && shape.dims[1] == 8 && shape.dims[2] == 1);
  OK(glia_model_output_shape(model, 0, &shape));
  CHECK(shape.rank == 1 && shape.dims[0] == 10 && shape.dims[1] == 0);
  FAILS(GLIA_ERROR_VALUE, "there is no output 1", glia_model_output_shape(model, 1, &shape));
  int64_t params = 0;
  OK(glia_model_count_params(model, &params));
  CHECK(params == (9 + 1) * 4 + 4 * 4 + (64 + 1) * 10);
  char text[8192];
  OK(glia_model_summary(model, text, sizeof text, NULL));
  CHECK(strstr(text, "classifier") != NULL && strstr(text, "first (Conv2D)") != NULL);
  OK(glia_model_weight_count(model, &count));
  CHECK(count == 8);
  OK(glia_model_weight_name(model, 0, text, sizeof text, NULL));
  CHECK(strcmp(text, "first/kernel") == 0);
  FAILS(GLIA_ERROR_VALUE, "there is no weight 8", glia_model_weight_name(model, 8, text, sizeof text, NULL));
  OK(glia_model_metric_count(model, &count));
  CHECK(count == 0);
  double rate = 0;
  FAILS(GLIA_ERROR_STATE, "compile", glia_model_learning_rate(model, &rate));
  OK(glia_model_destroy(model));

  OK(glia_sequential_create("Dense(2)", NULL, &model));
  FAILS(GLIA_ERROR_STATE, "built", glia_model_count_params(model, &params));
  shape.rank = 1, shape.dims[0] = 3;
  OK(glia_model_build(model, &shape));
  OK(glia_model_count_params(model, &params));
  CHECK(params == 8);
  OK(glia_model_destroy(model));
}

static void compile(const char* device) {
  glia_model* model = NULL;
  OK(glia_sequential_create("Input((4,)) Dense(3)", NULL, &model));
  glia_compile_options how = {.size = sizeof how, .device = device, .optimizer = "sgd(0.5, momentum=0.9)"};
  double rate = 0;
  OK(glia_model_compile(model, &how));
  OK(glia_model_learning_rate(model, &rate));
  CHECK(rate == 0.5);
  how.learning_rate = 0.25;
  OK(glia_model_compile(model, &how));
  OK(glia_model_learning_rate(model, &rate));
  CHECK(rate == 0.25);
  OK(glia_model_set_learning_rate(model, 0.125));
  OK(glia_model_learning_rate(model, &rate));
  CHECK(rate == 0.125);
  how.optimizer = "sgd(momentum=2)";
  FAILS(GLIA_ERROR_VALUE, "momentum", glia_model_compile(model, &how));
  how.optimizer = "sgd(beta_1=0.9)";
  FAILS(GLIA_ERROR_VALUE, "beta_1", glia_model_compile(model, &how));
  how.optimizer = "adma";
  FAILS(GLIA_ERROR_VALUE, "did you mean \"adam\"", glia_model_compile(model, &how));
  how.optimizer = NULL;
  how.loss = "sparse_categorical_crossentropy(from_logit=True)";
  FAILS(GLIA_ERROR_VALUE, "did you mean \"from_logits\"", glia_model_compile(model, &how));
  how.loss = "sparse_categorical_crossentropy(from_logits=True)";
  how.metric_count = 1;
  FAILS(GLIA_ERROR_ARGUMENT, "options.metrics is NULL", glia_model_compile(model, &how));
  const char* metrics[] = {"accuracy", NULL};
  how.metrics = metrics, how.metric_count = 2;
  FAILS(GLIA_ERROR_ARGUMENT, "options.metrics[1] is NULL", glia_model_compile(model, &how));
  how.metric_count = 1;
  OK(glia_model_compile(model, &how));
  size_t count = 0;
  char name[32];
  OK(glia_model_metric_count(model, &count));
  CHECK(count == 2);
  OK(glia_model_metric_name(model, 0, name, sizeof name, NULL));
  CHECK(strcmp(name, "loss") == 0);
  OK(glia_model_metric_name(model, 1, name, sizeof name, NULL));
  CHECK(strcmp(name, "accuracy") == 0);
  OK(glia_model_explain(model, 8, NULL, 0, &count));
  CHECK(count > 100);
  OK(glia_model_destroy(model));
}

/// What happens between the epochs of a fit.
typedef struct Epochs {
  glia_model* model;
  int32_t called;
  size_t logs;
  double losses[64];
  glia_status other_thread, compiled_again;
  char message[512];
} Epochs;

static void* use_elsewhere(void* user) {
  Epochs* const epochs = user;
  int64_t params = 0;
  epochs->other_thread = glia_model_count_params(epochs->model, &params);
  snprintf(epochs->message, sizeof epochs->message, "%s", glia_last_error_message());
  return NULL;
}

static int32_t at_end_of_epoch(void* user, int32_t epoch, const double* logs, size_t log_count) {
  Epochs* const epochs = user;
  CHECK(epoch == epochs->called);
  epochs->logs = log_count;
  epochs->losses[epochs->called++] = logs[0];
  epochs->compiled_again = glia_model_compile(epochs->model, NULL);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, use_elsewhere, epochs) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  return epochs->called == 20;
}

static void fit_and_evaluate(const char* device) {
  const Rows rows = make_rows();
  const glia_array x = array_of_x(&rows), y = array_of_y(&rows);
  glia_model* const model = make_model(device, three_classes);
  Epochs epochs = {.model = model};
  glia_fit_options fit = {.size = sizeof fit,
                          .epochs = 60,
                          .batch_size = 16,
                          .validation_x = &x,
                          .validation_y = &y,
                          .on_epoch_end = at_end_of_epoch,
                          .user = &epochs};
  double logs[4] = {0};
  FAILS(GLIA_ERROR_ARGUMENT, "log_count is 5", glia_model_fit(model, &x, 1, &y, 1, &fit, logs, 5));
  FAILS(GLIA_ERROR_ARGUMENT, "logs is NULL", glia_model_fit(model, &x, 1, &y, 1, &fit, NULL, 1));
  FAILS(GLIA_ERROR_ARGUMENT, "x is NULL", glia_model_fit(model, NULL, 1, &y, 1, &fit, logs, 4));
  OK(glia_model_fit(model, &x, 1, &y, 1, &fit, logs, 4));
  CHECK(epochs.called == 20 && epochs.logs == 4);
  CHECK(epochs.losses[19] == logs[0] && logs[0] < 0.5 * epochs.losses[0]);
  CHECK(epochs.compiled_again == GLIA_ERROR_STATE);
  CHECK(epochs.other_thread == GLIA_ERROR_STATE && strstr(epochs.message, "glia_model_count_params") != NULL);
  int64_t updates = 0;
  OK(glia_model_iterations(model, &updates));
  CHECK(updates == 20 * 3);

  double score[2] = {0};
  OK(glia_model_evaluate(model, &x, 1, &y, 1, NULL, score, 2));
  CHECK(score[0] == logs[2] && score[1] == logs[3] && score[1] > 0.9);  // what the validation said
  OK(glia_model_test_on_batch(model, &x, 1, &y, 1, NULL, score, 2));
  CHECK(fabs(score[0] - logs[2]) < 1e-5);
  OK(glia_model_evaluate(model, &x, 1, &y, 1, NULL, NULL, 0));

  float weights[ROWS] = {0};
  weights[5] = 2;
  glia_array sample_weight = {.data = weights, .shape = {1, {ROWS}}};
  glia_pass_options weighted = {.size = sizeof weighted, .sample_weight = &sample_weight, .batch_size = ROWS};
  double alone = 0;
  OK(glia_model_evaluate(model, &x, 1, &y, 1, &weighted, &alone, 1));
  CHECK(alone > 0 && alone < score[0]);

  float y_of[ROWS * CLASSES];
  glia_output out = {y_of, sizeof y_of};
  OK(glia_model_predict(model, &x, 1, &out, 1, NULL));
  for (int i = 0; i < ROWS; ++i) CHECK(fabsf(y_of[3 * i] + y_of[3 * i + 1] + y_of[3 * i + 2] - 1) < 1e-5f);
  CHECK(fabs(-log((double)y_of[5 * 3 + rows.y[5]]) * 2 / ROWS - alone) < 1e-5);
  out.bytes = sizeof y_of - 1;
  FAILS(GLIA_ERROR_ARGUMENT, "y[0] has room for 575 bytes, expected 576",
        glia_model_predict(model, &x, 1, &out, 1, NULL));
  glia_array wrong = x;
  wrong.shape.dims[1] = 3;
  out.bytes = sizeof y_of;
  FAILS(GLIA_ERROR_SHAPE, "(48, 3)", glia_model_predict(model, &wrong, 1, &out, 1, NULL));
  wrong = x, wrong.dtype = 17;
  FAILS(GLIA_ERROR_ARGUMENT, "x[0] got dtype 17", glia_model_predict(model, &wrong, 1, &out, 1, NULL));
  wrong = x, wrong.shape.rank = 9;
  FAILS(GLIA_ERROR_ARGUMENT, "x[0] got rank 9", glia_model_predict(model, &wrong, 1, &out, 1, NULL));
  wrong = x, wrong.data = NULL;
  FAILS(GLIA_ERROR_VALUE, "x[0]", glia_model_predict(model, &wrong, 1, &out, 1, NULL));
  OK(glia_model_destroy(model));
}

/// Batches one by one are a fit's epochs, to the bit; weights go through memory and files.
static void batches_and_weights(const char* device) {
  const Rows rows = make_rows();
  const glia_array x = array_of_x(&rows), y = array_of_y(&rows);
  glia_model* const fitted = make_model(device, three_classes);
  glia_model* const stepped = make_model(device, three_classes);
  CHECK(same_weights(fitted, stepped));
  glia_fit_options fit = {.size = sizeof fit, .epochs = 2, .batch_size = 16, .keep_order = 1};
  double loss = 0;
  OK(glia_model_fit(fitted, &x, 1, &y, 1, &fit, &loss, 1));
  CHECK(!same_weights(fitted, stepped));
  double sum = 0;
  for (int step = 0; step < 6; ++step) {
    const int first = step % 3 * 16;
    const glia_array part_x = {.data = rows.x + first * FEATURES, .shape = {2, {16, FEATURES}}};
    const glia_array part_y = {.data = rows.y + first, .shape = {1, {16}}, .dtype = GLIA_INT64};
    double logs[2];
    OK(glia_model_train_on_batch(stepped, &part_x, 1, &part_y, 1, NULL, logs, 2));
    if (step >= 3) sum += logs[0];
  }
  CHECK(same_weights(fitted, stepped));
  CHECK(fabs(sum / 3 - loss) < 1e-6);

  char path[] = "/tmp/glia_c_interface_XXXXXX", longer[64];
  const int file = mkstemp(path);
  CHECK(file >= 0);
  close(file);
  snprintf(longer, sizeof longer, "%s.safetensors", path);
  OK(glia_model_save_weights(fitted, longer));
  double zeros[FEATURES * 16] = {0};
  glia_array weight = {.data = zeros, .shape = {2, {FEATURES, 16}}, .dtype = GLIA_FLOAT64};
  OK(glia_model_set_weight(stepped, 0, &weight));
  float kernel[FEATURES * 16];
  glia_output to = {kernel, sizeof kernel};
  OK(glia_model_get_weight(stepped, 0, &to));
  for (int i = 0; i < FEATURES * 16; ++i) CHECK(kernel[i] == 0);
  CHECK(!same_weights(fitted, stepped));
  weight.shape.dims[0] = 1;
  FAILS(GLIA_ERROR_SHAPE, "dense/kernel", glia_model_set_weight(stepped, 0, &weight));
  to.bytes = 4;
  FAILS(GLIA_ERROR_ARGUMENT, "weight has room for 4 bytes", glia_model_get_weight(stepped, 0, &to));
  OK(glia_model_load_weights(stepped, longer));
  CHECK(same_weights(fitted, stepped));
  unlink(longer);
  FAILS(GLIA_ERROR_FILE, "glia_c_interface", glia_model_load_weights(stepped, longer));
  unlink(path);
  OK(glia_model_destroy(fitted));
  OK(glia_model_destroy(stepped));
}

/// A context that several models share, whose handle is destroyed first.
static void shared_context(const char* device) {
  glia_context_options options = {.size = sizeof options, .device = device};
  glia_context* context = NULL;
  OK(glia_context_create(&options, &context));
  glia_model* models[2] = {NULL, NULL};
  for (int i = 0; i < 2; ++i) {
    OK(glia_sequential_create(three_classes, NULL, &models[i]));
    glia_compile_options how = {
        .size = sizeof how, .loss = "sparse_categorical_crossentropy", .context = context};
    OK(glia_model_compile(models[i], &how));
  }
  OK(glia_context_destroy(context));
  const Rows rows = make_rows();
  const glia_array x = array_of_x(&rows), y = array_of_y(&rows);
  for (int i = 0; i < 2; ++i) {
    OK(glia_model_train_on_batch(models[i], &x, 1, &y, 1, NULL, NULL, 0));
    OK(glia_model_destroy(models[i]));
  }
}

int main(int argc, char** argv) {
  versions_and_codes();
  const char* const device = device_of(argc, argv);
  devices(device);
  handles(device);
  options_of_other_sizes();
  words();
  what_a_model_is();
  compile(device);
  fit_and_evaluate(device);
  batches_and_weights(device);
  shared_context(device);
  glia_model* const model = make_model(device, three_classes);
  null_arguments(model);
  OK(glia_model_destroy(model));
  printf("%d checks failed on %s\n", failures, device);
  return failures == 0 ? 0 : 1;
}

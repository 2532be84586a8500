// Predictors and learners from C, on the device's memory and an application's stream.
// SPDX-License-Identifier: Apache-2.0
//
// Usage: c_streams_test [cpu|cuda]
#include <dlfcn.h>
#include <stddef.h>

#include "c_check.h"

/// The functions of CUDA that an application calls; on the CPU their like.
static int on_gpu = 0;
static int (*cuda_malloc)(void** memory, size_t bytes);
static int (*cuda_free)(void* memory);
static int (*cuda_malloc_host)(void** memory, size_t bytes);
static int (*cuda_free_host)(void* memory);
static int (*cuda_memcpy)(void* to, const void* from, size_t bytes, int kind, void* stream);
static int (*cuda_stream_create)(void** stream, unsigned flags);
static int (*cuda_stream_destroy)(void* stream);
static int (*cuda_stream_synchronize)(void* stream);

static void load(void* library, const char* name, void* function) {
  void* const found = dlsym(library, name);
  memcpy(function, &found, sizeof found);  // what ISO C has no cast for
}

/// Whether there is a runtime to call: that of the double, or a GPU's.
static int load_cuda(void) {
  const char* const names[] = {getenv("GLIA_CUDA_RUNTIME"), getenv("GLIA_CUDA_LIBRARY"), "libcudart.so.13",
                               "libcudart.so.12"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i) {
    void* const library = names[i] ? dlopen(names[i], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!library || !dlsym(library, "cudaStreamCreateWithFlags")) continue;
    load(library, "cudaMalloc", &cuda_malloc);
    load(library, "cudaFree", &cuda_free);
    load(library, "cudaMallocHost", &cuda_malloc_host);
    load(library, "cudaFreeHost", &cuda_free_host);
    load(library, "cudaMemcpyAsync", &cuda_memcpy);
    load(library, "cudaStreamCreateWithFlags", &cuda_stream_create);
    load(library, "cudaStreamDestroy", &cuda_stream_destroy);
    load(library, "cudaStreamSynchronize", &cuda_stream_synchronize);
    return 1;
  }
  return 0;
}

typedef int Allocate(void** memory, size_t bytes);
typedef int Free(void* memory);

/// Of the device, or of the host for copies to and fro.
static void* memory_by(Allocate* allocate, size_t bytes) {
  void* memory = NULL;
  if (on_gpu)
    CHECK(allocate(&memory, bytes) == 0);
  else
    memory = malloc(bytes);
  CHECK(memory != NULL);
  return memory;
}
static void free_by(Free* give_back, void* memory) {
  if (on_gpu)
    CHECK(give_back(memory) == 0);
  else
    free(memory);
}

enum { to_device = 1, to_host = 2 };  // cudaMemcpyKind
static void copy(void* to, const void* from, size_t bytes, int kind, void* stream) {
  if (on_gpu)
    CHECK(cuda_memcpy(to, from, bytes, kind, stream) == 0);
  else
    memcpy(to, from, bytes);
}

/// Rows in the device's memory.
typedef struct Resident {
  Rows* host;
  void* x;
  void* y;
  glia_array x_array, y_array;
} Resident;

static Resident resident(void* stream) {
  Rows* const rows = memory_by(cuda_malloc_host, sizeof *rows);
  *rows = make_rows();
  Resident at = {rows, memory_by(cuda_malloc, sizeof rows->x), memory_by(cuda_malloc, sizeof rows->y),
                 array_of_x(rows), array_of_y(rows)};
  copy(at.x, rows->x, sizeof rows->x, to_device, stream);
  copy(at.y, rows->y, sizeof rows->y, to_device, stream);
  at.x_array.data = at.x, at.y_array.data = at.y;
  at.x_array.device.is_cuda = at.y_array.device.is_cuda = on_gpu;
  return at;
}

static void predictor(const char* device, void* const* stream, const Resident* at) {
  const Rows rows = make_rows();
  const glia_array x = array_of_x(&rows);
  glia_model* model = make_model(device, three_classes);
  float expected[ROWS * CLASSES];
  const size_t bytes = sizeof expected;
  float* const got = memory_by(cuda_malloc_host, bytes);
  glia_output out = {expected, sizeof expected};
  OK(glia_model_predict(model, &x, 1, &out, 1, NULL));

  const int64_t sizes[] = {8, 32};
  glia_predictor_options options = {.size = sizeof options,
                                    .max_batch = ROWS,
                                    .batch_sizes = sizes,
                                    .batch_size_count = 2,
                                    .stream = stream};
  glia_predictor* predictor = NULL;
  OK(glia_predictor_create(model, &options, &predictor));
  char text[4096];
  OK(glia_predictor_explain(predictor, 9, text, sizeof text, NULL));
  CHECK(strstr(text, "batch 32") != NULL);

  void* const y = memory_by(cuda_malloc, bytes);
  const void* const from = at->x;
  OK(glia_predictor_enqueue(predictor, &from, 1, &y, 1, ROWS, NULL));
  copy(got, y, bytes, to_host, stream ? *stream : NULL);
  OK(glia_predictor_synchronize(predictor));
  for (int i = 0; i < ROWS * CLASSES; ++i) CHECK(fabsf(got[i] - expected[i]) < 1e-6f);
  OK(glia_predictor_enqueue(predictor, &from, 1, &y, 1, 3, stream));  // some rows, on a stream that is named
  OK(glia_predictor_enqueue(predictor, &from, 1, &y, 1, 0, NULL));

  FAILS(GLIA_ERROR_VALUE, "49", glia_predictor_enqueue(predictor, &from, 1, &y, 1, ROWS + 1, NULL));
  FAILS(GLIA_ERROR_ARGUMENT, "x is NULL", glia_predictor_enqueue(predictor, NULL, 1, &y, 1, 1, NULL));
  FAILS(GLIA_ERROR_VALUE, "0 outputs", glia_predictor_enqueue(predictor, &from, 1, NULL, 0, 1, NULL));
  const void* const none = NULL;
  FAILS(GLIA_ERROR_VALUE, "null pointer", glia_predictor_enqueue(predictor, &none, 1, &y, 1, 1, NULL));
  void* handle = NULL;
  if (!on_gpu) {
    FAILS(GLIA_ERROR_STATE, "stream", glia_predictor_enqueue(predictor, &from, 1, &y, 1, 1, &handle));
    options.stream = &handle;
    FAILS(GLIA_ERROR_STATE, "stream", glia_predictor_create(model, &options, &predictor));
    options.stream = NULL;
  }
  options.max_batch = -1;
  FAILS(GLIA_ERROR_VALUE, "max_batch", glia_predictor_create(model, &options, &predictor));
  FAILS(GLIA_ERROR_ARGUMENT, "model is the handle of a predictor",
        glia_predictor_create((const glia_model*)(const void*)predictor, NULL, &predictor));

  // New weights, all zeros: every class is as likely. The model may go first.
  static const float zeros[64] = {0};
  glia_array weights[4] = {{.data = zeros, .shape = {2, {FEATURES, 16}}},
                           {.data = zeros, .shape = {1, {16}}},
                           {.data = zeros, .shape = {2, {16, CLASSES}}},
                           {.data = zeros, .shape = {1, {CLASSES}}}};
  OK(glia_predictor_update(predictor, weights, 4, NULL));
  OK(glia_model_predict(model, &x, 1, &out, 1, NULL));
  CHECK(fabsf(expected[0] - 1.0f / 3) < 1e-6f);
  FAILS(GLIA_ERROR_SHAPE, "3 weights", glia_predictor_update(predictor, weights, 3, NULL));
  weights[1].shape.rank = -1;
  FAILS(GLIA_ERROR_ARGUMENT, "weights[1] got rank -1", glia_predictor_update(predictor, weights, 4, NULL));
  OK(glia_model_destroy(model));
  OK(glia_predictor_enqueue(predictor, &from, 1, &y, 1, ROWS, NULL));
  copy(got, y, bytes, to_host, stream ? *stream : NULL);
  OK(glia_predictor_synchronize(predictor));
  for (int i = 0; i < ROWS * CLASSES; ++i) CHECK(fabsf(got[i] - 1.0f / 3) < 1e-6f);
  OK(glia_predictor_destroy(predictor));
  FAILS(GLIA_ERROR_ARGUMENT, "that was destroyed", glia_predictor_synchronize(predictor));
  free_by(cuda_free, y);
  free_by(cuda_free_host, got);
}

/// The same updates as train_on_batch makes, to the bit.
static void learner(const char* device, void* const* stream, const Resident* at) {
  const Rows rows = make_rows();
  const glia_array x = array_of_x(&rows), y = array_of_y(&rows);
  glia_model* const model = make_model(device, three_classes);
  glia_model* const other = make_model(device, three_classes);
  double mean = 0, last[2], logs[2];
  for (int step = 0; step < 5; ++step) {
    OK(glia_model_train_on_batch(other, &x, 1, &y, 1, NULL, last, 2));
    mean += last[0] / 5;
  }

  glia_learner* learner = NULL;
  OK(glia_learner_create(model, &learner));
  int32_t ready = -1;
  FAILS(GLIA_ERROR_STATE, "enqueue_logs", glia_learner_logs_if_ready(learner, &ready, logs, 2));
  CHECK(ready == -1);
  FAILS(GLIA_ERROR_STATE, "enqueue_train", glia_learner_enqueue_logs(learner, NULL));
  for (int step = 0; step < 5; ++step)
    OK(glia_learner_enqueue_train(learner, &at->x_array, 1, &at->y_array, 1, NULL, stream));
  OK(glia_learner_enqueue_logs(learner, stream));
  FAILS(GLIA_ERROR_ARGUMENT, "log_count is 3, but there are 2", glia_learner_logs(learner, logs, 3));
  FAILS(GLIA_ERROR_ARGUMENT, "logs is NULL", glia_learner_logs(learner, NULL, 2));
  OK(glia_learner_logs(learner, logs, 2));
  FAILS(GLIA_ERROR_STATE, "enqueue_logs", glia_learner_logs(learner, logs, 2));
  CHECK(fabs(logs[0] - mean) < 1e-5 && logs[1] > 0 && logs[1] <= 1);
  OK(glia_learner_synchronize(learner));
  CHECK(same_weights(model, other));

  OK(glia_learner_enqueue_train(learner, &at->x_array, 1, &at->y_array, 1, NULL, stream));
  OK(glia_learner_enqueue_logs(learner, stream));
  for (ready = 0; !ready;) OK(glia_learner_logs_if_ready(learner, &ready, logs, 1));
  OK(glia_model_train_on_batch(other, &x, 1, &y, 1, NULL, last, 2));
  CHECK(fabs(logs[0] - last[0]) < 1e-5);
  FAILS(GLIA_ERROR_SHAPE, "(48,)",
        glia_learner_enqueue_train(learner, &at->y_array, 1, &at->y_array, 1, NULL, stream));
  FAILS(GLIA_ERROR_ARGUMENT, "y is NULL",
        glia_learner_enqueue_train(learner, &at->x_array, 1, NULL, 1, NULL, stream));
  if (on_gpu)
    FAILS(GLIA_ERROR_DEVICE, "cpu", glia_learner_enqueue_train(learner, &x, 1, &y, 1, NULL, stream));
  OK(glia_model_destroy(model));
  OK(glia_learner_enqueue_train(learner, &at->x_array, 1, &at->y_array, 1, NULL, stream));  // outlives it
  OK(glia_learner_synchronize(learner));
  OK(glia_learner_destroy(learner));
  OK(glia_model_destroy(other));
}

/// A step in two halves is the step that train_on_batch makes, to the bit; gradients and weights are where they are said to be.
static void two_halves(const char* device, void* const* stream, const Resident* at) {
  const Rows rows = make_rows();
  const glia_array x = array_of_x(&rows), y = array_of_y(&rows);
  glia_model* const model = make_model(device, three_classes);
  glia_model* const other = make_model(device, three_classes);
  double logs[2], last[2];
  glia_learner* learner = NULL;
  OK(glia_learner_create(model, &learner));
  float* const host = memory_by(cuda_malloc_host, sizeof rows.x);
  glia_mutable_array of_x = {.data = memory_by(cuda_malloc, sizeof rows.x), .shape = {2, {ROWS, FEATURES}}};
  of_x.device.is_cuda = on_gpu;
  for (int step = 0; step < 3; ++step) {
    OK(glia_learner_enqueue_backward(learner, &at->x_array, 1, &at->y_array, 1, NULL, &of_x, 1, stream));
    OK(glia_learner_enqueue_apply_gradients(learner, stream));
    OK(glia_model_train_on_batch(other, &x, 1, &y, 1, NULL, last, 2));
  }
  OK(glia_learner_enqueue_logs(learner, stream));
  OK(glia_learner_logs(learner, logs, 2));
  CHECK(fabs(logs[0] - last[0]) < 1e-5);
  CHECK(same_weights(model, other));
  copy(host, of_x.data, sizeof rows.x, to_host, stream ? *stream : NULL);
  OK(glia_learner_synchronize(learner));
  if (on_gpu) CHECK(cuda_stream_synchronize(*stream) == 0);
  float most = 0;
  for (int i = 0; i < ROWS * FEATURES; ++i) most = fmaxf(most, fabsf(host[i]));
  CHECK(most > 1e-4f && most < 1);

  size_t weights = 0, gradients = 0;
  OK(glia_learner_weight_count(learner, &weights));
  OK(glia_learner_gradient_count(learner, &gradients));
  CHECK(weights == 4 && gradients == 4);
  for (size_t number = 0; number < 4; ++number) {
    glia_mutable_array weight, gradient;
    OK(glia_learner_weight(learner, number, &weight));
    OK(glia_learner_gradient(learner, number, &gradient));
    glia_shape shape;
    OK(glia_model_weight_shape(model, number, &shape));
    CHECK(memcmp(&weight.shape, &shape, sizeof shape) == 0);
    CHECK(memcmp(&gradient.shape, &shape, sizeof shape) == 0);
    CHECK(weight.device.is_cuda == on_gpu && weight.dtype == GLIA_FLOAT32 && weight.data != gradient.data);
    size_t bytes = sizeof(float);
    for (int64_t axis = 0; axis < shape.rank; ++axis) bytes *= (size_t)shape.dims[axis];
    float values[FEATURES * 16];
    const glia_output to = {values, sizeof values};
    OK(glia_model_get_weight(model, number, &to));
    copy(host, weight.data, bytes, to_host, stream ? *stream : NULL);
    if (on_gpu) CHECK(cuda_stream_synchronize(*stream) == 0);
    CHECK(memcmp(host, values, bytes) == 0);
  }
  glia_mutable_array none = of_x;
  FAILS(GLIA_ERROR_VALUE, "no weight 4", glia_learner_weight(learner, 4, &none));
  FAILS(GLIA_ERROR_ARGUMENT, "count is NULL", glia_learner_gradient_count(learner, NULL));
  none.reserved = 1;
  FAILS(GLIA_ERROR_ARGUMENT, "input_gradients[0] got reserved 1",
        glia_learner_enqueue_backward(learner, &at->x_array, 1, &at->y_array, 1, NULL, &none, 1, stream));
  none = of_x, none.shape.dims[0] = 1;
  FAILS(GLIA_ERROR_SHAPE, "(1, 4)",
        glia_learner_enqueue_backward(learner, &at->x_array, 1, &at->y_array, 1, NULL, &none, 1, stream));
  OK(glia_learner_destroy(learner));
  OK(glia_model_destroy(model));
  OK(glia_model_destroy(other));
  free_by(cuda_free, of_x.data);
  free_by(cuda_free_host, host);
}

int main(int argc, char** argv) {
  const char* const device = device_of(argc, argv);
  on_gpu = strcmp(device, "cpu") != 0;
  if (on_gpu && !load_cuda()) {
    printf("skipped: needs the CUDA runtime that an application has, or $GLIA_CUDA_RUNTIME\n");
    return 77;
  }
  void* stream = NULL;
  enum { non_blocking = 1 };  // cudaStreamNonBlocking
  if (on_gpu) CHECK(cuda_stream_create(&stream, non_blocking) == 0);
  void* const* const given = on_gpu ? &stream : NULL;
  const Resident at = resident(stream);
  predictor(device, given, &at);
  learner(device, given, &at);
  two_halves(device, given, &at);
  if (on_gpu) {
    CHECK(cuda_stream_synchronize(stream) == 0);
    CHECK(cuda_stream_destroy(stream) == 0);
  }
  free_by(cuda_free, at.x);
  free_by(cuda_free, at.y);
  free_by(cuda_free_host, at.host);
  printf("%d checks failed on %s\n", failures, device);
  return failures == 0 ? 0 : 1;
}

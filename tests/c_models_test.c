// Whole models from C: in and out of files.
// SPDX-License-Identifier: Apache-2.0
//
// Usage: c_models_test [cpu|cuda]
#define _POSIX_C_SOURCE 200809L  // mkstemp
#include <unistd.h>

#include "c_check.h"

/// A model that comes out of a file goes on as the one that went in, to the bit.
static void whole_models(const char* device) {
  const Rows rows = make_rows();
  const glia_array x = array_of_x(&rows), y = array_of_y(&rows);
  glia_model* const model = make_model(device, three_classes);
  for (int step = 0; step < 3; ++step) OK(glia_model_train_on_batch(model, &x, 1, &y, 1, NULL, NULL, 0));
  char path[] = "/tmp/glia_c_models_XXXXXX", file[64];
  const int made = mkstemp(path);
  CHECK(made >= 0);
  close(made);
  snprintf(file, sizeof file, "%s.safetensors", path);
  OK(glia_model_save(model, file));

  glia_load_options options = {.size = sizeof options, .device = device};
  glia_model* again = NULL;
  OK(glia_model_load(file, &options, &again));
  CHECK(same_weights(model, again));
  int64_t iterations = 0;
  OK(glia_model_iterations(again, &iterations));
  CHECK(iterations == 3);
  double logs[2], same[2];
  OK(glia_model_train_on_batch(model, &x, 1, &y, 1, NULL, logs, 2));
  OK(glia_model_train_on_batch(again, &x, 1, &y, 1, NULL, same, 2));
  CHECK(memcmp(logs, same, sizeof logs) == 0);
  CHECK(same_weights(model, again));
  OK(glia_model_destroy(again));

  options.without_training = 1;
  OK(glia_model_load(file, &options, &again));
  double rate = 0;
  FAILS(GLIA_ERROR_STATE, "compile", glia_model_learning_rate(again, &rate));
  float before[ROWS * CLASSES], after[ROWS * CLASSES];
  const glia_output to_before = {before, sizeof before}, to_after = {after, sizeof after};
  glia_model* saved = NULL;
  options.without_training = 0;
  OK(glia_model_load(file, &options, &saved));
  OK(glia_model_predict(saved, &x, 1, &to_before, 1, NULL));
  OK(glia_model_predict(again, &x, 1, &to_after, 1, NULL));
  CHECK(memcmp(before, after, sizeof before) == 0);
  const glia_model* const kept = again;
  options.reserved = 1;
  FAILS(GLIA_ERROR_ARGUMENT, "reserved", glia_model_load(file, &options, &again));
  options.reserved = 0;
  unlink(file);
  FAILS(GLIA_ERROR_FILE, "glia_c_models", glia_model_load(file, &options, &again));
  CHECK(again == kept);
  unlink(path);
  OK(glia_model_destroy(again));
  OK(glia_model_destroy(saved));
  OK(glia_model_destroy(model));
}

int main(int argc, char** argv) {
  whole_models(device_of(argc, argv));
  printf("%d checks failed\n", failures);
  return failures == 0 ? 0 : 1;
}

// What the C programs among the tests share: checks that are counted, rows to learn from, and models of them. C99.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/c.h>

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

static void check(int holds, const char* what, const char* file, int line) {
  if (holds) return;
  ++failures;
  printf("%s:%d: %s\n  last error: %s: %s\n", file, line, what, glia_status_name(glia_last_error()),
         glia_last_error_message());
}

#define CHECK(condition) check((condition) != 0, #condition, __FILE__, __LINE__)
#define OK(call) check((call) == GLIA_OK, #call, __FILE__, __LINE__)
/// That a call returns a code, with a message that names the call and holds a text; both are the thread's last error, too.
#define FAILS(expected, text, call)                                                \
  check((call) == (expected) && glia_last_error() == (expected) &&                 \
            strncmp(glia_last_error_message(), #call, strcspn(#call, "(")) == 0 && \
            strstr(glia_last_error_message(), (text)) != NULL,                     \
        #call " is to fail with " #expected " and \"" text "\"", __FILE__, __LINE__)

enum { ROWS = 48, FEATURES = 4, CLASSES = 3 };

/// Three clouds of points, the same each time.
typedef struct Rows {
  float x[ROWS * FEATURES];
  int64_t y[ROWS];
} Rows;

static Rows make_rows(void) {
  Rows rows;
  uint32_t random = 12345;
  for (int i = 0; i < ROWS; ++i) {
    rows.y[i] = i % CLASSES;
    for (int j = 0; j < FEATURES; ++j) {
      random = random * 1664525u + 1013904223u;
      const float noise = (float)(random >> 8) / 16777216.0f - 0.5f;
      rows.x[i * FEATURES + j] = noise + (j == i % CLASSES ? 1.5f : 0.0f);
    }
  }
  return rows;
}

static glia_array array_of_x(const Rows* rows) {
  glia_array x = {.data = rows->x, .shape = {2, {ROWS, FEATURES}}};
  return x;
}
static glia_array array_of_y(const Rows* rows) {
  glia_array y = {.data = rows->y, .shape = {1, {ROWS}}, .dtype = GLIA_INT64};
  return y;
}

/// A network for them, compiled.
static glia_model* make_model(const char* device, const char* layers) {
  glia_sequential_options options = {.size = sizeof options, .seed = 7};
  glia_model* model = NULL;
  OK(glia_sequential_create(layers, &options, &model));
  const char* metrics[] = {"accuracy"};
  glia_compile_options how = {.size = sizeof how,
                              .optimizer = "adam",
                              .loss = "sparse_categorical_crossentropy",
                              .metrics = metrics,
                              .metric_count = 1,
                              .learning_rate = 0.02,
                              .device = device};
  OK(glia_model_compile(model, &how));
  return model;
}
static const char* const three_classes = "Input((4,)) Dense(16, 'relu') Dense(3, activation='softmax')";

/// Whether the weights of two models are the same to the bit.
static int same_weights(const glia_model* a, const glia_model* b) {
  size_t count = 0, other = 0;
  OK(glia_model_weight_count(a, &count));
  OK(glia_model_weight_count(b, &other));
  int same = count == other && count > 0;
  for (size_t i = 0; i < count && same; ++i) {
    float first[4096], second[4096];
    const glia_output to_first = {first, sizeof first}, to_second = {second, sizeof second};
    glia_shape shape;
    OK(glia_model_weight_shape(a, i, &shape));
    size_t bytes = sizeof(float);
    for (int64_t axis = 0; axis < shape.rank; ++axis) bytes *= (size_t)shape.dims[axis];
    OK(glia_model_get_weight(a, i, &to_first));
    OK(glia_model_get_weight(b, i, &to_second));
    same = bytes <= sizeof first && memcmp(first, second, bytes) == 0;
  }
  return same;
}

/// The device a program was told to run on; ends it with 77, which is a skip, where that cannot be had.
static const char* device_of(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 256);  // what was said is there, should the program die
  const char* const device = argc == 2 ? argv[1] : "cpu";
  glia_context_options options = {.size = sizeof options, .device = device};
  glia_context* context = NULL;
  if (glia_context_create(&options, &context) == GLIA_ERROR_DEVICE && strcmp(device, "cpu") != 0) {
    printf("skipped: %s\n", glia_last_error_message());
    exit(77);
  }
  OK(glia_context_destroy(context));
  return device;
}

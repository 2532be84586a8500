// Glia from C: tells three kinds of irises apart, trained batch by batch, and then asked as an application asks: without waiting.
// SPDX-License-Identifier: Apache-2.0
#define _POSIX_C_SOURCE 200809L  // readlink
#include <errno.h>
#include <glia/c.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLOWERS = 150, FEATURES = 4, KINDS = 3, BATCH = 25 };

static const char* const kind_names[KINDS] = {"Iris-setosa", "Iris-versicolor", "Iris-virginica"};

typedef struct Options {
  const char* device;
  const char* data;
  const char* weights;
  uint64_t seed;
  int epochs;
} Options;

typedef struct Irises {
  float x[FLOWERS][FEATURES];  // lengths and widths of sepal and petal in cm
  int32_t y[FLOWERS];
} Irises;

static int fail(const char* message) {
  fflush(stdout);
  fprintf(stderr, "%s\n", message);
  return 2;
}

/// Ends the program where a call of Glia failed: its message says what to do.
static void expect(glia_status status) {
  if (status != GLIA_OK) exit(fail(glia_last_error_message()));
}

static int parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; i += 2) {
    char text[256];
    if (strcmp(argv[i], "--help") == 0) {
      printf(
          "Tells irises apart through Glia's C interface.\n"
          "  --device  auto, cpu, cuda or cuda:N\n  --seed    of all that is random\n"
          "  --epochs  0 shows what an untrained network makes of the data\n"
          "  --weights a safetensors file: loaded where it is there, else written\n"
          "  --data    default: iris.csv in samples/data, $GLIA_DATA_DIR or ./data\n");
      return 0;
    }
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    char* end = NULL;
    const long number = strtol(value, &end, 10);
    const int is_number = *value != '\0' && *end == '\0' && number >= 0 && number <= 1000000;
    if (strcmp(argv[i], "--device") == 0 && *value) {
      options->device = value;
    } else if (strcmp(argv[i], "--data") == 0 && *value) {
      options->data = value;
    } else if (strcmp(argv[i], "--weights") == 0 && *value) {
      options->weights = value;
    } else if (strcmp(argv[i], "--seed") == 0 && is_number) {
      options->seed = (uint64_t)number;
    } else if (strcmp(argv[i], "--epochs") == 0 && is_number) {
      options->epochs = (int)number;
    } else {
      snprintf(text, sizeof text, "%s %s: not an option and its value; --help lists them", argv[i], value);
      exit(fail(text));
    }
  }
  return 1;
}

/// The table: as given, beside the program, in $GLIA_DATA_DIR, or in ./data.
static FILE* open_table(const char* given) {
  if (given) return fopen(given, "r");
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 32);
  if (length > 0) {
    path[length] = '\0';
    strcpy(strrchr(path, '/'), "/data/iris.csv");
    FILE* const table = fopen(path, "r");
    if (table) return table;
  }
  const char* const folder = getenv("GLIA_DATA_DIR");
  if (folder && snprintf(path, sizeof path, "%s/iris.csv", folder) < (int)sizeof path) {
    FILE* const table = fopen(path, "r");
    if (table) return table;
  }
  return fopen("data/iris.csv", "r");
}

static int read_irises(const char* given, Irises* irises) {
  FILE* const table = open_table(given);
  char line[256], kind[32], message[512];
  if (!table) {
    snprintf(
        message, sizeof message,
        "cannot open %s: %s. It is Fisher's Iris data, https://archive.ics.uci.edu/dataset/53/iris; name "
        "its place with --data",
        given ? given : "iris.csv", strerror(errno));
    return fail(message);
  }
  int rows = 0;
  for (; rows < FLOWERS && fgets(line, sizeof line, table); ++rows) {
    float* const x = irises->x[rows];
    int y = 0;
    if (sscanf(line, "%f,%f,%f,%f,%31[A-Za-z-]", &x[0], &x[1], &x[2], &x[3], kind) != 5) break;
    while (y < KINDS && strcmp(kind, kind_names[y]) != 0) ++y;
    if (y == KINDS) break;
    irises->y[rows] = y;
  }
  fclose(table);
  if (rows == FLOWERS) return 0;
  snprintf(message, sizeof message, "line %d of the table is no flower: expected four numbers and a kind",
           rows + 1);
  return fail(message);
}

static glia_model* make_model(const Options* options) {
  glia_sequential_options how = {.size = sizeof how, .seed = options->seed};
  glia_model* model = NULL;
  expect(glia_sequential_create("Input((4,)), Dense(16, activation='relu'), Dense(3, activation='softmax')",
                                &how, &model));
  const char* const metrics[] = {"accuracy"};
  glia_compile_options compile = {.size = sizeof compile,
                                  .optimizer = "adam",
                                  .learning_rate = 0.02,
                                  .loss = "sparse_categorical_crossentropy",
                                  .metrics = metrics,
                                  .metric_count = 1,
                                  .device = options->device};
  expect(glia_model_compile(model, &compile));
  return model;
}

/// Every sixth flower is one of the batch, so that each has all three kinds.
static void train(glia_model* model, const Irises* irises, int epochs) {
  float x[BATCH][FEATURES];
  int32_t y[BATCH];
  const glia_array x_array = {.data = x, .shape = {2, {BATCH, FEATURES}}};
  const glia_array y_array = {.data = y, .shape = {1, {BATCH}}, .dtype = GLIA_INT32};
  for (int epoch = 0; epoch < epochs; ++epoch) {
    double sum = 0;
    for (int first = 0; first < FLOWERS / BATCH; ++first) {
      for (int i = 0; i < BATCH; ++i) {
        memcpy(x[i], irises->x[first + i * (FLOWERS / BATCH)], sizeof x[i]);
        y[i] = irises->y[first + i * (FLOWERS / BATCH)];
      }
      double loss = 0;
      expect(glia_model_train_on_batch(model, &x_array, 1, &y_array, 1, NULL, &loss, 1));
      sum += loss;
    }
    if (epoch == 0 || (epoch + 1) % 20 == 0)
      printf("epoch %3d: loss %.4f\n", epoch + 1, sum / (FLOWERS / BATCH));
  }
}

static void print_answers(const float (*x)[FEATURES], const float (*y)[KINDS], int count) {
  printf("Petal: length  width  kind             probability\n");
  for (int i = 0; i < count; ++i) {
    int best = 0;
    for (int kind = 1; kind < KINDS; ++kind)
      if (y[i][kind] > y[i][best]) best = kind;
    printf("%13.1f %6.1f  %-16s %.4f\n", (double)x[i][2], (double)x[i][3], kind_names[best],
           (double)y[i][best]);
  }
}

/// As a loop asks that must not wait: what a call needs was made with the predictor.
static void enqueue(const glia_model* model, const float (*x)[FEATURES], int count,
                    const float (*expected)[KINDS]) {
  glia_predictor_options options = {.size = sizeof options, .max_batch = 8};
  glia_predictor* predictor = NULL;
  expect(glia_predictor_create(model, &options, &predictor));
  float answers[8][KINDS];
  const void* const from = x;
  void* const to = answers;
  expect(glia_predictor_enqueue(predictor, &from, 1, &to, 1, count, NULL));
  expect(glia_predictor_synchronize(predictor));
  int same = 1;
  for (int i = 0; i < count * KINDS; ++i) {
    const float apart = answers[i / KINDS][i % KINDS] - expected[i / KINDS][i % KINDS];
    same = same && apart < 1e-5f && apart > -1e-5f;
  }
  printf("The predictor says %s.\n", same ? "the same" : "something else");
  expect(glia_predictor_destroy(predictor));
}

static void learn(const Options* options, const Irises* irises) {
  glia_model* const model = make_model(options);
  glia_context_options like_model = {.size = sizeof like_model, .device = options->device};
  glia_context* context = NULL;
  char device[32];
  expect(glia_context_create(&like_model, &context));
  expect(glia_context_device(context, device, sizeof device, NULL));
  expect(glia_context_destroy(context));
  printf("%d flowers, on %s, glia %s\n", FLOWERS, device, glia_version());

  if (options->weights && access(options->weights, F_OK) == 0) {
    expect(glia_model_load_weights(model, options->weights));
    printf("weights from %s\n", options->weights);
  } else {
    train(model, irises, options->epochs);
    if (options->weights) expect(glia_model_save_weights(model, options->weights));
  }

  const glia_array x = {.data = irises->x, .shape = {2, {FLOWERS, FEATURES}}};
  const glia_array y = {.data = irises->y, .shape = {1, {FLOWERS}}, .dtype = GLIA_INT32};
  double score[2];
  expect(glia_model_evaluate(model, &x, 1, &y, 1, NULL, score, 2));
  printf("loss: %.4f, accuracy: %.4f\n\n", score[0], score[1]);

  static const float flowers[3][FEATURES] = {
      {5.1f, 3.5f, 1.4f, 0.2f}, {5.9f, 2.8f, 4.2f, 1.3f}, {6.3f, 3.0f, 5.8f, 2.1f}};
  float answers[3][KINDS];
  const glia_array new_x = {.data = flowers, .shape = {2, {3, FEATURES}}};
  const glia_output new_y = {answers, sizeof answers};
  expect(glia_model_predict(model, &new_x, 1, &new_y, 1, NULL));
  print_answers(flowers, (const float(*)[KINDS])answers, 3);
  if (strcmp(device, "cpu") == 0)
    enqueue(model, flowers, 3, (const float(*)[KINDS])answers);
  else
    printf("A predictor reads and writes the GPU's memory: tests/c_streams_test.c has one at work.\n");
  expect(glia_model_destroy(model));
}

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_DFL);  // whoever started it may ignore it
  Options options = {.device = "auto", .epochs = 100};
  if (parse(argc, argv, &options)) {
    static Irises irises;
    const int status = read_irises(options.data, &irises);
    if (status != 0) return status;
    learn(&options, &irises);
  }
  if (fflush(stdout) != 0)
    return fail("cannot write to stdout: free some space where it goes, or send it elsewhere");
  return 0;
}

// Glia for C, and for every language that can call C. docs/c.md has a whole program.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

// The rules, once for all calls:
//
// - A call returns GLIA_OK, or a code and leaves a message to glia_last_error_message(). Where it failed nothing has changed but
//   what is said there, and what it was to fill in is as it was. No exception leaves a call.
// - Objects are handles. What a _create made, its _destroy ends, which takes NULL, too. They may be destroyed in any order. A handle
//   that is NULL, of another kind or destroyed is GLIA_ERROR_ARGUMENT; memory that never was a handle cannot be told.
// - Text that a call makes is copied to `text`, which has room for `capacity` bytes, with a 0 at its end. `*needed` gets the bytes
//   that it takes, that 0 among them. To ask for those alone, give text NULL. Room that is too small is GLIA_ERROR_ARGUMENT.
//   Either of the two pointers may be NULL. The functions that return a const char* return what is never freed.
// - Options are structs whose first member is their size: `glia_fit_options options = {.size = sizeof options, .epochs = 5}`.
//   A member that is 0 or NULL says what its comment says; so a program that knows fewer members than the library stays right.
//   NULL stands for options that are all 0. A program that asks for members the library does not know gets GLIA_ERROR_ARGUMENT.
// - Shapes are row-major, and (rows, ...) where they are of data. Data that a call reads or fills are the caller's, and need not
//   outlive a call that does not say so.
// - `stream` is the address of a cudaStream_t, whose value may be 0 as CUDA has it; NULL is the object's own stream.
//       void* stream = application_stream;
//       glia_predictor_enqueue(predictor, &x, 1, &y, 1, rows, &stream);
// - A handle, with those that were made of the same context or share its weights, is for one thread at a time; another gets
//   GLIA_ERROR_STATE. Predictors are the exception: each has a context of its own. What a thread was last told is its own.

#if defined(__GNUC__)
#define GLIA_C_API __attribute__((visibility("default")))
#else
#define GLIA_C_API
#endif

/// The number of this interface: it is raised when something is added. Nothing is taken away or changed under a name that it had.
#define GLIA_C_INTERFACE 1

#define GLIA_MAX_RANK 8

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t glia_status;
enum {
  GLIA_OK = 0,
  GLIA_ERROR_ARGUMENT = 1,       ///< NULL, a handle that is none, no room: how the call was written is wrong
  GLIA_ERROR_SHAPE = 2,          ///< a shape, rank or number of elements does not fit
  GLIA_ERROR_VALUE = 3,          ///< a value, name, label or option is not one that can be taken
  GLIA_ERROR_STATE = 4,          ///< a call came too early or too late, or from another thread
  GLIA_ERROR_FILE = 5,           ///< a file is missing, unreadable, or not what it should be
  GLIA_ERROR_DEVICE = 6,         ///< a device is not there, or a library call on it failed
  GLIA_ERROR_OUT_OF_MEMORY = 7,  ///< of the host or of a device
  GLIA_ERROR_INTERNAL = 8,       ///< anything else: please report it
  GLIA_ERROR_INTERRUPTED =
      9  ///< a signal asked for the end, where the program's C++ has a glia::InterruptGuard
};

typedef int32_t glia_dtype;
enum { GLIA_FLOAT32 = 0, GLIA_FLOAT64 = 1, GLIA_UINT8 = 2, GLIA_INT32 = 3, GLIA_INT64 = 4 };

typedef struct glia_context glia_context;      ///< a device in use; C++: glia::Context
typedef struct glia_model glia_model;          ///< C++: glia::Model
typedef struct glia_predictor glia_predictor;  ///< C++: glia::Predictor
typedef struct glia_learner glia_learner;      ///< C++: glia::Learner

/// Where memory lies.
typedef struct glia_device {
  int32_t is_cuda;  ///< 0: the host's memory; 1: that of a CUDA device
  int32_t index;    ///< which of those
} glia_device;

typedef struct glia_shape {
  int64_t rank;                 ///< 0 to GLIA_MAX_RANK
  int64_t dims[GLIA_MAX_RANK];  ///< the first `rank` count
} glia_shape;

/// Elements to be read: row-major, contiguous, aligned as their type is.
///
///     glia_array x = {.data = rows, .shape = {2, {1000, 784}}};
typedef struct glia_array {
  const void* data;
  glia_shape shape;
  double scale;        ///< uint8: what elements are multiplied by, 1.0 / 255; 0: 1
  glia_device device;  ///< 0: the host's memory
  glia_dtype dtype;    ///< 0: float32
  int32_t reserved;    ///< 0
} glia_array;

/// Elements to be written, or of Glia's to be read and written, on a device. As glia_array.
typedef struct glia_mutable_array {
  void* data;
  glia_shape shape;
  glia_device device;
  glia_dtype dtype;
  int32_t reserved;  ///< 0
} glia_mutable_array;

/// Memory on the host to be filled.
typedef struct glia_output {
  void* data;
  size_t bytes;  ///< its room; GLIA_ERROR_ARGUMENT where that is too small
} glia_output;

// --- What is there ------------------------------------------------------------------------------------------------------------

/// "0.1.0", and the GLIA_C_INTERFACE that the library was built with: a program asks that it be at least its own.
GLIA_C_API const char* glia_version(void);
GLIA_C_API int32_t glia_interface(void);

/// "GLIA_ERROR_SHAPE"; "unknown status" for a number that is none.
GLIA_C_API const char* glia_status_name(glia_status status);
/// Of the calling thread's last call that failed; GLIA_OK and "" where none did. The message is there until its next one fails, or
/// the thread ends.
GLIA_C_API glia_status glia_last_error(void);
GLIA_C_API const char* glia_last_error_message(void);

/// How many devices can be computed on: the CPU, which is number 0, and CUDA's. The first call opens the CUDA backend's library.
GLIA_C_API glia_status glia_device_count(int32_t* count);
/// "cpu", "cuda:0": what is asked for by `device` below. GLIA_ERROR_VALUE for a number that is none.
GLIA_C_API glia_status glia_device_name(int32_t number, char* text, size_t capacity, size_t* needed);
/// What devices there are, in words, or the reason for having no GPU.
GLIA_C_API glia_status glia_device_report(char* text, size_t capacity, size_t* needed);

// --- Context: a device in use -------------------------------------------------------------------------------------------------

typedef struct glia_context_options {
  size_t size;
  const char*
      device;  ///< "cpu", "cuda", "cuda:1"; NULL: "auto", the first GPU that can be used, else the CPU
  void* const* stream;       ///< CUDA: the application's, for all work; NULL: one of Glia's own
  int32_t threads;           ///< of the CPU; 0: one for each core. Results do not depend on it.
  int32_t nondeterministic;  ///< 1: algorithms that add in an order of chance may be taken
  int32_t may_hide_nan;      ///< 1: a library's own ReLU, which may make 0 of NaN, is used
  int32_t reserved;          ///< 0
} glia_context_options;

/// Starts a device. GLIA_ERROR_DEVICE, with the reason, where one asked for by name cannot be had. A context lives until the last
/// that uses it is gone; its handle may be destroyed before.
GLIA_C_API glia_status glia_context_create(const glia_context_options* options, glia_context** context);
GLIA_C_API glia_status glia_context_destroy(glia_context* context);
/// "cuda:0"
GLIA_C_API glia_status glia_context_device(const glia_context* context, char* text, size_t capacity,
                                           size_t* needed);
/// What computes, a line each: "oneDNN 2.6.3".
GLIA_C_API glia_status glia_context_versions(const glia_context* context, char* text, size_t capacity,
                                             size_t* needed);
/// CUDA: what the context enqueues from now on waits for a cudaEvent_t that another stream recorded; and such an event stands for
/// all that it enqueued so far. The host does not wait. GLIA_ERROR_STATE on the CPU.
GLIA_C_API glia_status glia_context_wait(const glia_context* context, void* event);
GLIA_C_API glia_status glia_context_record(const glia_context* context, void* event);
/// Waits for all work, and gives memory that was kept for later back to the device.
GLIA_C_API glia_status glia_context_trim(const glia_context* context);

// --- Model: made, compiled, asked what it is ----------------------------------------------------------------------------------

typedef struct glia_sequential_options {
  size_t size;
  const char* name;  ///< NULL: "sequential"
  uint64_t seed;     ///< of initial weights, shuffles and dropout
  glia_dtype dtype;  ///< GLIA_FLOAT64 computes on the CPU alone, slowly, for checks; 0: float32
  int32_t reserved;  ///< 0
} glia_sequential_options;

/// A chain of layers, said as in Keras: calls with numbers, 'texts', True, False and (tuples), in any order and number of lines,
/// divided by spaces, commas or semicolons.
///
///     "Input((28, 28, 1))"
///     "Conv2D(32, 3, activation='relu', padding='same'), MaxPooling2D(2), Flatten()"
///     "Dropout(0.5), Dense(10, activation='softmax')"
///
/// Layers: Input, Dense, Flatten, Reshape, Activation, ReLU, LeakyReLU, ELU, PReLU, Dropout, SpatialDropout2D, GaussianNoise,
/// GaussianDropout, AlphaDropout, BatchNormalization, LayerNormalization, RMSNormalization, Rescaling, Embedding, Conv1D, Conv2D,
/// Conv2DTranspose, DepthwiseConv2D, SeparableConv2D, MaxPooling2D, AveragePooling2D, GlobalMaxPooling2D,
/// GlobalAveragePooling2D, ZeroPadding2D, Cropping2D, UpSampling2D, RandomFlip, RandomTranslation, RandomErasing, Cutout. Their
/// arguments and defaults are those of C++, which are Keras's; what is no number, text or tuple there (a schedule, say) has no form here. GLIA_ERROR_VALUE, with the place, for a word that is not known.
GLIA_C_API glia_status glia_sequential_create(const char* layers, const glia_sequential_options* options,
                                              glia_model** model);
GLIA_C_API glia_status glia_model_destroy(glia_model* model);
/// Makes the weights, for rows of this shape, without the dimension of rows: needed only where no Input says it and nothing is
/// fitted or predicted before. GLIA_ERROR_STATE for a model that is no chain, or built for another.
GLIA_C_API glia_status glia_model_build(glia_model* model, const glia_shape* row);

typedef struct glia_compile_options {
  size_t size;
  const char* optimizer;  ///< "adam", or with options "sgd(learning_rate=0.1, momentum=0.9)"; NULL: "rmsprop"
  const char*
      loss;  ///< "mse", "sparse_categorical_crossentropy(from_logits=True)"; NULL: none, and no training
  const char* const* metrics;  ///< "accuracy", "mae", ...
  size_t metric_count;
  double learning_rate;         ///< 0: the optimizer's
  const glia_context* context;  ///< whose device is computed on; NULL: by `device`
  const char* device;           ///< NULL: the model's context, if it has one, or "auto"
  const char* precision;        ///< "tf32", "mixed_bfloat16"; NULL: "float32"
} glia_compile_options;

/// Keeps weights, resets the optimizer's state.
GLIA_C_API glia_status glia_model_compile(glia_model* model, const glia_compile_options* options);

GLIA_C_API glia_status glia_model_input_count(const glia_model* model, size_t* count);
GLIA_C_API glia_status glia_model_output_count(const glia_model* model, size_t* count);
/// Of one row. GLIA_ERROR_STATE where the shapes are not known yet, GLIA_ERROR_VALUE for a number that is none.
GLIA_C_API glia_status glia_model_input_shape(const glia_model* model, size_t number, glia_shape* row);
GLIA_C_API glia_status glia_model_output_shape(const glia_model* model, size_t number, glia_shape* row);
GLIA_C_API glia_status glia_model_count_params(const glia_model* model, int64_t* count);
/// Keras's table.
GLIA_C_API glia_status glia_model_summary(const glia_model* model, char* text, size_t capacity,
                                          size_t* needed);
/// The Ops of a training step of so many rows: shapes, algorithms, memory.
GLIA_C_API glia_status glia_model_explain(glia_model* model, int64_t batch_size, char* text, size_t capacity,
                                          size_t* needed);
/// "loss" and the metrics; none before compile.
GLIA_C_API glia_status glia_model_metric_count(const glia_model* model, size_t* count);
GLIA_C_API glia_status glia_model_metric_name(const glia_model* model, size_t number, char* text,
                                              size_t capacity, size_t* needed);
/// Of the optimizer, at the next update; and how many were made since compile. GLIA_ERROR_STATE before compile; updates are 0
/// then.
GLIA_C_API glia_status glia_model_learning_rate(const glia_model* model, double* learning_rate);
GLIA_C_API glia_status glia_model_set_learning_rate(glia_model* model, double learning_rate);
GLIA_C_API glia_status glia_model_iterations(const glia_model* model, int64_t* iterations);

// --- Model: weights -----------------------------------------------------------------------------------------------------------

GLIA_C_API glia_status glia_model_weight_count(const glia_model* model, size_t* count);
/// "dense/kernel"
GLIA_C_API glia_status glia_model_weight_name(const glia_model* model, size_t number, char* text,
                                              size_t capacity, size_t* needed);
GLIA_C_API glia_status glia_model_weight_shape(const glia_model* model, size_t number, glia_shape* shape);
/// A copy, of the model's dtype, on the host; waits for the device.
GLIA_C_API glia_status glia_model_get_weight(const glia_model* model, size_t number,
                                             const glia_output* weight);
/// From an array on the host, converted. GLIA_ERROR_SHAPE for another shape.
GLIA_C_API glia_status glia_model_set_weight(glia_model* model, size_t number, const glia_array* weight);
/// A safetensors file, written whole or not at all. Weights that do not fit are GLIA_ERROR_SHAPE, and change nothing.
GLIA_C_API glia_status glia_model_save_weights(const glia_model* model, const char* path);
GLIA_C_API glia_status glia_model_load_weights(glia_model* model, const char* path);
/// The whole model in one safetensors file, whole or not at all: layers, weights, what compile was told, how far training came.
GLIA_C_API glia_status glia_model_save(const glia_model* model, const char* path);

typedef struct glia_load_options {
  size_t size;
  const glia_context* context;  ///< whose device is computed on; NULL: by `device`
  const char* device;           ///< NULL: "auto"
  int32_t without_training;     ///< 1: layers and weights alone, not compiled
  int32_t reserved;             ///< 0
} glia_load_options;

/// The model that glia_model_save, or Model::save of C++, wrote: training goes on as if it had not ended. Allocates, and synchronises.
/// GLIA_ERROR_FILE for a file
/// that is missing, damaged, or has a layer which nobody registered.
GLIA_C_API glia_status glia_model_load(const char* path, const glia_load_options* options,
                                       glia_model** model);

// --- Model: training and inference on whole arrays. These calls return when their work is done. -------------------------------

// x and y are arrays of the model's inputs and targets, in its order, on the host or on its device. `logs` has room for
// `log_count` numbers: loss and metrics, in the order of glia_model_metric_name, as many of them as are asked for; NULL and 0 for
// none. More than there are is GLIA_ERROR_ARGUMENT. Shapes and dtypes are those that glia::Model::fit takes.

/// Called after each epoch, on the calling thread, with loss, metrics and, where there are rows to validate on, the same of those. The
/// fit ends where it returns other than 0. It may ask and change the model, but not compile, fit or destroy it.
typedef int32_t (*glia_epoch_end)(void* user, int32_t epoch, const double* logs, size_t log_count);

typedef struct glia_fit_options {
  size_t size;
  int64_t batch_size;       ///< 0: 32
  int32_t epochs;           ///< 0: 1
  int32_t verbose;          ///< what is printed to stdout: 0 nothing, 1 a progress bar, 2 one line an epoch
  double validation_split;  ///< share of the rows, taken from the end, before shuffling
  int32_t keep_order;       ///< 1: rows are not shuffled
  int32_t initial_epoch;    ///< where to go on, counted from 0
  const glia_array* validation_x;   ///< rows to validate on, as many as x has; NULL: by validation_split
  const glia_array* validation_y;   ///< as many as y has
  const glia_array* sample_weight;  ///< what each row counts in the loss, (rows,), as many as y has; NULL: 1
  glia_epoch_end on_epoch_end;
  void* user;  ///< handed to on_epoch_end
} glia_fit_options;

/// Trains. `logs` are those of the last epoch, with the same of the validation behind them.
GLIA_C_API glia_status glia_model_fit(glia_model* model, const glia_array* x, size_t x_count,
                                      const glia_array* y, size_t y_count, const glia_fit_options* options,
                                      double* logs, size_t log_count);

typedef struct glia_pass_options {
  size_t size;
  int64_t batch_size;               ///< 0: 32
  const glia_array* sample_weight;  ///< of evaluate: what each row counts, as fit's; NULL: 1
  int32_t verbose;                  ///< as fit's
  int32_t reserved;                 ///< 0
} glia_pass_options;

GLIA_C_API glia_status glia_model_evaluate(glia_model* model, const glia_array* x, size_t x_count,
                                           const glia_array* y, size_t y_count,
                                           const glia_pass_options* options, double* logs, size_t log_count);
/// Outputs, (rows, ...) of the model's dtype. Needs no compile.
GLIA_C_API glia_status glia_model_predict(glia_model* model, const glia_array* x, size_t x_count,
                                          const glia_output* y, size_t y_count,
                                          const glia_pass_options* options);
/// One update on all rows as one batch, and loss and metrics of that; the same without an update. `sample_weight` may be NULL.
GLIA_C_API glia_status glia_model_train_on_batch(glia_model* model, const glia_array* x, size_t x_count,
                                                 const glia_array* y, size_t y_count,
                                                 const glia_array* sample_weight, double* logs,
                                                 size_t log_count);
GLIA_C_API glia_status glia_model_test_on_batch(glia_model* model, const glia_array* x, size_t x_count,
                                                const glia_array* y, size_t y_count,
                                                const glia_array* sample_weight, double* logs,
                                                size_t log_count);

// --- Predictor: inference on the application's stream and in its memory. glia/predictor.h says how. ---------------------------

typedef struct glia_predictor_options {
  size_t size;
  int64_t max_batch;           ///< 0: 1
  const int64_t* batch_sizes;  ///< that programs are made for; NULL: powers of two up to max_batch
  size_t batch_size_count;
  double scale;              ///< of uint8 inputs; 0: 1
  void* const* stream;       ///< CUDA: the application's; NULL: one of the predictor's own
  glia_dtype dtype;          ///< of the inputs' elements
  int32_t threads;           ///< of the CPU, for one call, the caller's among them; 0: 1
  int32_t nondeterministic;  ///< as glia_context_options has it
  int32_t may_hide_nan;      ///< likewise
} glia_predictor_options;

/// Allocates all that its calls need, and synchronises. Shares the model's weights and outlives the model.
GLIA_C_API glia_status glia_predictor_create(const glia_model* model, const glia_predictor_options* options,
                                             glia_predictor** predictor);
/// Waits for its work.
GLIA_C_API glia_status glia_predictor_destroy(glia_predictor* predictor);
/// y = what the model makes of x, `batch` rows of each. x and y are arrays of pointers to each input's and output's elements, in
/// the memory of the device that the model is on, until the work is done. Neither waits nor allocates; on the CPU it computes and returns.
GLIA_C_API glia_status glia_predictor_enqueue(glia_predictor* predictor, const void* const* x, size_t x_count,
                                              void* const* y, size_t y_count, int64_t batch,
                                              void* const* stream);
/// New weights in place of the old ones, all at once, for the model and all of its predictors. Those that lie on a GPU are read
/// when the work is done there.
GLIA_C_API glia_status glia_predictor_update(glia_predictor* predictor, const glia_array* weights,
                                             size_t weight_count, void* const* stream);
GLIA_C_API glia_status glia_predictor_synchronize(glia_predictor* predictor);
/// What a call with so many rows runs.
GLIA_C_API glia_status glia_predictor_explain(const glia_predictor* predictor, int64_t batch, char* text,
                                              size_t capacity, size_t* needed);

// --- Learner: training on the application's stream, of rows in its memory. glia/learner.h says how. ---------------------------

/// Keeps the model's weights alive, and may outlive the model.
GLIA_C_API glia_status glia_learner_create(glia_model* model, glia_learner** learner);
GLIA_C_API glia_status glia_learner_destroy(glia_learner* learner);
/// One update, of rows in the memory of the device that the model is on, until the work is done. `sample_weight` may be NULL.
GLIA_C_API glia_status glia_learner_enqueue_train(glia_learner* learner, const glia_array* x, size_t x_count,
                                                  const glia_array* y, size_t y_count,
                                                  const glia_array* sample_weight, void* const* stream);
/// The gradients of a batch, where glia_learner_gradient says, and where `input_gradients` are given, one for each input, those of
/// the inputs, (rows, ...) of the model's dtype, in place of what lies there.
GLIA_C_API glia_status glia_learner_enqueue_backward(glia_learner* learner, const glia_array* x,
                                                     size_t x_count, const glia_array* y, size_t y_count,
                                                     const glia_array* sample_weight,
                                                     const glia_mutable_array* input_gradients,
                                                     size_t input_gradient_count, void* const* stream);
/// An update by the gradients that lie there: what glia_learner_enqueue_backward computed, and the application made of it.
GLIA_C_API glia_status glia_learner_enqueue_apply_gradients(glia_learner* learner, void* const* stream);
/// Where the weights lie, in the order of glia_model_get_weight, and the gradients of those that are trained, in the device's memory:
/// until the model is compiled again, and the weights as long as the learner is there. Builds what a training step needs.
GLIA_C_API glia_status glia_learner_weight_count(glia_learner* learner, size_t* count);
GLIA_C_API glia_status glia_learner_weight(glia_learner* learner, size_t number, glia_mutable_array* weight);
GLIA_C_API glia_status glia_learner_gradient_count(glia_learner* learner, size_t* count);
GLIA_C_API glia_status glia_learner_gradient(glia_learner* learner, size_t number,
                                             glia_mutable_array* gradient);
/// Starts reading loss and metrics: means over all that was trained on since the last call, or those of the last
/// glia_learner_enqueue_backward where that came later.
GLIA_C_API glia_status glia_learner_enqueue_logs(glia_learner* learner, void* const* stream);
/// What the last glia_learner_enqueue_logs read: waits for it, or sets *ready to 0, and fills nothing, while the device is not yet there.
GLIA_C_API glia_status glia_learner_logs(glia_learner* learner, double* logs, size_t log_count);
GLIA_C_API glia_status glia_learner_logs_if_ready(glia_learner* learner, int32_t* ready, double* logs,
                                                  size_t log_count);
GLIA_C_API glia_status glia_learner_synchronize(glia_learner* learner);

#ifdef __cplusplus
}  // extern "C"
#endif

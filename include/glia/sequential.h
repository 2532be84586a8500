// Sequential: a stack of layers that is compiled, trained, evaluated and asked, as in Keras.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/callbacks.h>
#include <glia/context.h>
#include <glia/datasets.h>  // defines: Dataset
#include <glia/history.h>   // defines: History, Logs
#include <glia/layers.h>
#include <glia/named.h>
#include <glia/program.h>  // defines: Program, Mode
#include <glia/tensor.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace glia {

/// The name a metric's numbers get where it is given as an object: "auc"; a loss's own.
std::string name_of(const Metrics& metric);

/// A metric: by name ("auc", or any loss, "mae"), as an object (glia::AUC{.curve = glia::AUCCurve::PR}), or as an
/// object with the name its numbers are to have ({"pr_auc", glia::AUC{...}}). "accuracy" and "acc" resolve by
/// shape to binary, sparse or categorical accuracy and keep the name they were given under.
class MetricName {
 public:
  MetricName(const char* name) : MetricName(std::string(name)) {}
  MetricName(const std::string& name);
  template <class Member,
            std::enable_if_t<std::is_constructible_v<Metrics, std::in_place_type_t<Member>, Member>, int> = 0>
  MetricName(const Member& member) : name_(name_of(Metrics(member))), metric_(member) {}
  template <class Loss,
            std::enable_if_t<std::is_constructible_v<Losses, std::in_place_type_t<Loss>, Loss>, int> = 0>
  MetricName(const Loss& loss) : MetricName(LossMetric{loss}) {}
  template <class Member, std::enable_if_t<!std::is_convertible_v<Member, std::string>, int> = 0>
  MetricName(const std::string& name, const Member& member) : MetricName(member) {
    name_ = name;
  }

  const std::string& name() const { return name_; }
  /// The metric; nothing while it is "accuracy", which shapes resolve.
  const std::optional<Metrics>& metric() const { return metric_; }

 private:
  std::string name_;
  std::optional<Metrics> metric_;
};

/// `.metrics = {"accuracy"}` or the bare `.metrics = "accuracy"`.
class MetricNames {
 public:
  MetricNames() = default;
  MetricNames(const char* name) : names_{MetricName(name)} {}
  MetricNames(const std::string& name) : names_{MetricName(name)} {}
  MetricNames(std::initializer_list<MetricName> names) : names_(names) {}
  MetricNames(std::vector<MetricName> names) : names_(std::move(names)) {}

  auto begin() const { return names_.begin(); }
  auto end() const { return names_.end(); }
  std::size_t size() const { return names_.size(); }

 private:
  std::vector<MetricName> names_;
};

struct CompileOptions {
  OptimizerName optimizer = "rmsprop";
  std::optional<LossName> loss = {};    ///< needed for fit and evaluate
  MetricNames metrics = {};             ///< of rows as they are; at most eight with weighted_metrics
  MetricNames weighted_metrics = {};    ///< of rows by their class_weight or sample_weight
  std::optional<Device> device = {};    ///< default: the model's context, or the automatic device
  std::optional<Context> context = {};  ///< takes precedence over device
  PrecisionName precision =
      "float32";  ///< or "tf32", "mixed_bfloat16": see glia/math/precision.h; float32 models only
};

/// Batches made on demand, for data that is generated or does not fit memory. fit asks for them on a thread of
/// its own, one ahead of the training step; the very first, which tells the shapes, on the caller's thread. So a source may not
/// use the model that is trained, nor its context: that is a StateError.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// Batches in an epoch; at least 1.
  virtual std::int64_t batches() const = 0;
  /// Batch `index` of epoch `epoch`, both from 0. All but the last have the same number of rows; dtypes and
  /// row shapes never change. An exception it throws ends fit and reaches fit's caller.
  virtual Dataset batch(std::int64_t epoch, std::int64_t index) = 0;
};

/// Rows to validate on: `.validation_data = test` or `.validation_data = {x, y}`. Not owned: they must live
/// while fit runs.
class ValidationData {
 public:
  ValidationData() = default;
  ValidationData(const Dataset& data) : ValidationData(data.x, data.y) {
    if (!data.sample_weight.empty()) sample_weight_ = data.sample_weight;
  }
  ValidationData(const TensorView& x, const TensorView& y) : x_(x), y_(y) {}
  ValidationData(const TensorView& x, const TensorView& y, const TensorView& sample_weight)
      : x_(x), y_(y), sample_weight_(sample_weight) {}

  explicit operator bool() const { return x_.has_value(); }
  const TensorView& x() const { return *x_; }
  const TensorView& y() const { return *y_; }
  const std::optional<TensorView>& sample_weight() const { return sample_weight_; }

 private:
  std::optional<TensorView> x_, y_, sample_weight_;
};

struct FitOptions {
  int epochs = 1;
  std::int64_t batch_size = 32;
  /// 0 silent, 1 progress bar (one line an epoch where stdout is not a terminal), 2 one line an epoch.
  int verbose = 1;
  double validation_split = 0.0;           ///< share of the rows, taken from the end, before shuffling
  ValidationData validation_data = {};     ///< overrides validation_split
  std::int64_t validation_batch_size = 0;  ///< 0: batch_size
  bool shuffle = true;
  std::optional<std::uint64_t> seed = {};  ///< of the shuffle; default: the model's
  int initial_epoch = 0;
  int validation_freq = 1;  ///< validate after every so many epochs
  Callbacks callbacks = {};
  /// What the rows of each class count in the loss; a class that is not named counts 1. For labels, one-hot rows, and
  /// single 0/1 targets, on the CPU. Not for validation.
  std::map<int, double> class_weight = {};
  /// What each row counts in the loss, (rows,), on the CPU; not along with class_weight.
  std::optional<TensorView> sample_weight = {};
  /// Bytes of training data to hold on the device; a larger set streams. 0: as much as fits the device.
  std::int64_t memory_budget = 0;
};

struct EvaluateOptions {
  std::int64_t batch_size = 32;
  int verbose = 1;
  std::optional<TensorView> sample_weight = {};  ///< as fit's
  bool flip_average = false;                     ///< as predict's
};

struct PredictOptions {
  std::int64_t batch_size = 32;
  int verbose = 1;
  /// Outputs are the means of those for the images and for their mirror images (left and right exchanged), in one
  /// pass on the device. Throws ShapeError where rows are not (height, width, channels).
  bool flip_average = false;
};

/// The gradients of one batch's mean loss, without an update.
struct Gradients {
  double loss = 0;
  TensorList weights;  ///< one for each of get_weights() that is trained, same shapes
};

/// A linear stack of layers.
///
///     glia::Sequential model{glia::Flatten({28, 28}), glia::Dense(128, "relu"), glia::Dense(10, "softmax")};
///     model.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .metrics = "accuracy"});
///     glia::History history = model.fit(train, {.epochs = 5, .validation_split = 0.2});
///
/// Shapes are (rows, ...): the first dimension of every tensor counts rows. All calls are synchronous: they
/// return when the device is done. Programs are built, and device memory allocated, at the first call for a
/// batch size; a step allocates nothing of Glia's. Bad input throws ShapeError, ValueError or StateError before any
/// weight changes. One thread at a time may use a model, and the models that share its context: another gets a StateError,
/// but for stop_training(), which any may call.
class Sequential {
 public:
  Sequential();
  Sequential(std::initializer_list<Layer> layers);
  explicit Sequential(const std::vector<Layer>& layers);
  Sequential(Sequential&&) noexcept;
  /// Throws StateError where a fit of either is running, which a callback would end so, and where another thread uses it.
  Sequential& operator=(Sequential&&);
  ~Sequential();

  /// Appends a layer. Throws StateError once the model is built, ValueError for a layer that is in a model
  /// already.
  void add(const Layer& layer);
  /// Governs initial weights, shuffle and dropout; default 0. Throws StateError once the model is built.
  void set_seed(std::uint64_t seed);
  /// float32 (default) or float64 (CPU only, plain loops, for checks). Throws StateError once the model is
  /// built, ValueError for others and where compile's precision is for float32.
  void set_dtype(DType dtype);
  /// Builds for rows of this shape (without the row dimension); needed only where no layer says its input
  /// shape and nothing is fitted or predicted before. Throws ShapeError where layers do not fit.
  void build(const Shape& input_shape);
  bool built() const;

  /// Sets optimizer, loss, metrics and device; resets the optimizer's state, keeps weights. Throws ValueError for
  /// options that cannot be, StateError in a callback of a fit, DeviceError where the device asked for cannot be had,
  /// ShapeError where the first layer says its input shape and a later one does not fit; nothing changes then.
  void compile(const CompileOptions& options);

  /// Trains. y: labels (rows,) or (rows, 1) of any dtype for sparse losses, else (rows, ...) as the output; a
  /// last dimension of 1 may be missing or extra. Throws StateError before compile, ShapeError and ValueError for
  /// data that do not fit the model, labels outside its classes among them, and for options that cannot be. A fit within a
  /// fit, from a callback, is a StateError too; so is a model that a callback destroys or moves, which ends its fit.
  History fit(const TensorView& x, const TensorView& y, const FitOptions& options = {});
  History fit(const Dataset& data, const FitOptions& options = {});
  /// batch_size is the source's; validation_split is not possible.
  History fit(BatchSource& source, const FitOptions& options = {});

  /// Loss and metrics over all rows, each a mean. Shapes and errors as fit's.
  Logs evaluate(const TensorView& x, const TensorView& y, const EvaluateOptions& options = {});
  Logs evaluate(const Dataset& data, const EvaluateOptions& options = {});

  /// How many rows of each true class (first index) were predicted as each class (second), counted on the device:
  /// int64 (classes, classes); one output is two classes, told apart at 0.5, or at 0 where the loss takes logits or
  /// is a hinge. Throws StateError where compile's
  /// metrics have no "confusion_matrix". Shapes and other errors as fit's.
  Tensor confusion_matrix(const TensorView& x, const TensorView& y, const EvaluateOptions& options = {});
  Tensor confusion_matrix(const Dataset& data, const EvaluateOptions& options = {});

  /// The outputs, (rows, ...), in a new tensor where x lives. Needs no compile. Throws ShapeError for rows of
  /// another shape than the model's.
  Tensor predict(const TensorView& x, const PredictOptions& options = {});
  Tensor predict(const Tensor& x, const PredictOptions& options = {});
  /// model(x): the same, silent.
  Tensor operator()(const Tensor& x) { return predict(x, {.verbose = 0}); }

  /// Ends a fit that is running, for callbacks and other threads: after the launch it is in (the batch, where a callback
  /// watches_batches()); the epoch's validation, on_epoch_end and on_train_end still come.
  void stop_training();

  /// One update on all of x as one batch; returns loss and metrics of that batch. Shapes and errors as fit's.
  Logs train_on_batch(const TensorView& x, const TensorView& y);
  /// The same without the update: the loss of the batch and its gradients, as tensors on the CPU.
  Gradients gradients(const TensorView& x, const TensorView& y);

  /// {"loss", "accuracy"}, in compile's order.
  std::vector<std::string> metrics_names() const;
  /// Keras's table, to stdout or `out`.
  void summary() const;
  void summary(std::ostream& out) const;

  /// Handles of the layers; Input is not among them.
  std::vector<Layer> layers() const;
  /// By position (negative from the end) or name; throws ValueError where there is none.
  Layer layer(int index) const;
  Layer layer(const std::string& name) const;
  const std::string& name() const;
  void set_name(const std::string& name);
  /// Number of weights; throws StateError where the input's shape is not known.
  std::int64_t count_params() const;

  /// Copies of all weights in the order of the layers, on the CPU. Throws StateError where the input's shape is not
  /// known; so do the functions below.
  TensorList get_weights() const;
  /// Throws ShapeError where number or shapes differ; nothing changes then.
  void set_weights(const std::vector<Tensor>& weights);
  void set_weights(std::initializer_list<TensorView> weights);  ///< set_weights({kernel, bias})
  /// Writes a safetensors file, whole or not at all; ".safetensors" is added to a name without extension.
  /// Names are "dense/kernel", "dense/bias". Throws FileError, for a path that names no file ("", "folder/") too.
  void save_weights(const std::string& path) const;
  /// Throws FileError for a file that is not safetensors, ShapeError for weights that do not fit; nothing
  /// changes then.
  void load_weights(const std::string& path);

  /// Of compile's optimizer, at the next batch, to the bit as the step uses it; set_learning_rate replaces number or
  /// schedule. Throws StateError before compile.
  double learning_rate() const;
  void set_learning_rate(const LearningRate& learning_rate);
  /// Updates made since compile: with gradient_accumulation_steps one for every so many batches, as in Keras.
  std::int64_t iterations() const;

  /// The Program for a mode and batch size, built if need be: what explain() prints and tests read. Training
  /// and validation need compile. Valid until the model is compiled again, a learning-rate
  /// schedule is set or replaced, or sixteen others were built since. Data are taken to be float32.
  const Program& program(Mode mode, std::int64_t batch_size);
  /// The Ops of a training step: shapes, what was fused, algorithms, memory.
  std::string explain(std::int64_t batch_size = 32);
  /// The device in use; made, automatic, on first use.
  Context context() const;

 private:
  struct State;
  class Using;
  std::shared_ptr<State> state_;
};

}  // namespace glia

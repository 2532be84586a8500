// The loops of fit, evaluate and predict.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <host/base/memory.h>  // defines: checked_bytes
#include <host/data/checks.h>
#include <host/data/feeder.h>
#include <host/data/weights.h>  // defines: row_weights
#include <host/device/context_memory.h>
#include <host/training/progress.h>
#include <host/training/training.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <memory>
#include <utility>

namespace glia::training {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Whether a bar can be drawn on stdout; asked only where one would be, since it costs a call of the system.
bool draws_bar(int verbose) { return verbose == 1 && isatty(STDOUT_FILENO) == 1; }

/// How many steps go in one launch: about 20 ms of them, so that progress shows and Ctrl-C is heard.
class LaunchSize {
 public:
  /// `single`: one step a launch, whatever it takes.
  explicit LaunchSize(bool single = false) : single_(single) {}

  std::int64_t steps() const { return steps_; }
  void took(double seconds) {
    if (single_) return;
    if (seconds < 0.01 && steps_ < 4096) steps_ *= 2;
    if (seconds > 0.04 && steps_ > 1) steps_ /= 2;
  }

 private:
  bool single_;
  std::int64_t steps_ = 1;
};

/// The callbacks of a fit, and what they are told.
class CallbackList {
 public:
  CallbackList(Sequential& owner, const Model& model, const Callbacks& callbacks,
               const TrainingParams& params)
      : owner_(&owner), model_(model) {
    for (const Callbacks::Entry& entry : callbacks) {
      entry.get().attach(owner, params);
      callbacks_.push_back(&entry.get());
      watches_batches_ = watches_batches_ || entry.get().watches_batches();
    }
  }

  bool empty() const { return callbacks_.empty(); }
  bool watches_batches() const { return watches_batches_; }
  template <class Moment>
  void each(const Moment& moment) const {
    for (Callback* callback : callbacks_) {
      moment(*callback);
      GLIA_CHECK(model_.owner == owner_, StateError,
                 "a callback destroyed, assigned or moved the model that fit trains, which ended fit: call "
                 "stop_training() in callbacks, and do this after fit");
    }
  }

 private:
  const Sequential* owner_;  // an address alone, once a callback was called
  const Model& model_;
  std::vector<Callback*> callbacks_;
  bool watches_batches_ = false;
};

/// Undoes a build where the call that made it fails before its first step, so that a mistake in the data or options
/// does not fix the model's shape. Made before all that uses the build.
class BuildGuard {
 public:
  explicit BuildGuard(Model& model) : model_(model), kept_(model.built()) {}
  BuildGuard(const BuildGuard&) = delete;
  ~BuildGuard() {
    if (!kept_ && model_.built()) model_.discard_build();
  }
  void keep() { kept_ = true; }

 private:
  Model& model_;
  bool kept_;
};

/// Builds the model for rows like x's where it is not built yet.
void build_for(Model& model, const TensorView& x, const char* call) {
  if (model.built()) return;
  const Shape row = checked_row_shape(x, call), declared = model.declared_input_shape();
  model.build(declared.empty() ? row : declared);
}

/// Which Programs a pass runs: this one and, for the rows that are left, the one for a smaller batch.
using Pass = ProgramKey;

/// Launches the steps of a pass, two launches ahead of the device, and reads the totals behind each; one at a time
/// where a callback watches batches, so that it finds the model as that batch left it.
class Launcher {
 public:
  Launcher(Model& model, const Pass& pass, LaunchSize& size, Progress& progress,
           const CallbackList* callbacks)
      : model_(model), pass_(pass), size_(size), progress_(progress), callbacks_(callbacks) {}

  void run(std::int64_t batch, std::int64_t steps) {
    Pass pass = pass_;
    pass.batch = batch;
    if (steps > 1 && !last_) last_ = now();  // a single step has no launch to be sized
    std::shared_ptr<const Program> program;
    while (steps > 0 && !stopped()) {
      if (!program || callbacks_) program = model_.program(pass);  // a callback may set a schedule
      const std::int64_t count = std::min(steps, size_.steps());
      program->run(count);
      model_.request_state(pass_.mode);
      steps -= count;
      if (waiting_ > 0) take();
      waiting_ = count;
      if (callbacks_ && callbacks_->watches_batches()) take();
    }
  }
  /// Whether a callback ended the fit; a pass has one launch at least, so that there are totals.
  bool stopped() const { return callbacks_ && model_.stop_training && done_ + waiting_ > 0; }
  /// The totals after the last step.
  PassState finish() {
    if (waiting_ > 0) take();
    return std::move(state_);
  }

 private:
  void take() {
    state_ = model_.take_state();
    if (last_) {
      const double time = now();
      size_.took(time - std::exchange(*last_, time));
    }
    done_ += std::exchange(waiting_, 0);
    if (progress_.wants_update())
      progress_.update(done_, pass_.mode == Mode::infer ? Logs() : model_.logs(state_));
    // A launch that was under way when the fit was stopped is not told of.
    if (!callbacks_ || callbacks_->empty() || (model_.stop_training && told_)) return;
    told_ = true;
    const Logs logs = model_.logs(state_);
    callbacks_->each([&](Callback& callback) { callback.on_batch_end(done_ - 1, logs); });
  }

  Model& model_;
  const Pass& pass_;
  LaunchSize& size_;
  Progress& progress_;
  const CallbackList* callbacks_;
  std::optional<double> last_;  // when the launch before was seen to be done
  std::int64_t waiting_ = 0;    // steps of the launch whose totals are being read
  std::int64_t done_ = 0;
  bool told_ = false;  // callbacks, of a launch
  PassState state_;
};

/// Runs steps over all chunks of a pass, the partial last batch included. Returns the totals.
PassState run_pass(Model& model, const Pass& pass, Feeder& feeder, LaunchSize& size, Progress& progress,
                   const CallbackList* callbacks = nullptr) {
  Launcher launcher(model, pass, size, progress, callbacks);
  bool first = true;
  while (const std::optional<Chunk> chunk = launcher.stopped() ? std::nullopt : feeder.next()) {
    if (std::exchange(first, false))
      model.begin_pass(pass.mode, chunk->feed);
    else
      model.continue_pass(pass.mode, chunk->feed);
    launcher.run(pass.batch, chunk->rows / pass.batch);
    if (const std::int64_t rest = chunk->rows % pass.batch) launcher.run(rest, 1);
  }
  return launcher.finish();
}

std::int64_t steps_for(std::int64_t rows, std::int64_t batch_size) {
  return (rows + batch_size - 1) / batch_size;
}

void check_batch_size(std::int64_t batch_size) {
  GLIA_CHECK(batch_size >= 1, ValueError, "got batch_size ", batch_size, ", expected at least 1");
}
void check_verbose(int verbose) {
  GLIA_CHECK(verbose >= 0 && verbose <= 2, ValueError, "got verbose ", verbose,
             ", expected 0 (silent), 1 (progress bar) or 2 (one line an epoch)");
}

void check_flip_average(const Model& model, bool flip_average) {
  GLIA_CHECK(!flip_average || model.input_shape().rank() == 3, ShapeError,
             "flip_average mirrors images (height, width, channels), but the model's rows have shape ",
             model.input_shape(), ": leave it out");
}

void check_fit(const FitOptions& o) {
  check_batch_size(o.batch_size);
  check_verbose(o.verbose);
  GLIA_CHECK(o.epochs >= 0, ValueError, "got epochs ", o.epochs, ", expected at least 0");
  GLIA_CHECK(o.initial_epoch >= 0, ValueError, "got initial_epoch ", o.initial_epoch,
             ", expected at least 0");
  GLIA_CHECK(o.validation_split >= 0 && o.validation_split < 1, ValueError, "got validation_split ",
             o.validation_split, ", expected a share of at least 0 and below 1");
  GLIA_CHECK(o.validation_freq >= 1, ValueError, "got validation_freq ", o.validation_freq,
             ", expected at least 1");
  GLIA_CHECK(o.validation_batch_size >= 0, ValueError, "got validation_batch_size ", o.validation_batch_size,
             ", expected at least 1, or 0 for batch_size");
  GLIA_CHECK(o.memory_budget >= 0, ValueError, "got memory_budget ", o.memory_budget,
             ", expected bytes, or 0 for no limit");
}

/// Rows held on the device, or streamed where they are more than the budget, or than a GPU has memory for beside
/// what the steps need.
std::unique_ptr<Feeder> make_feeder(Model& model, const Rows& data, const Pass& pass, std::int64_t budget) {
  model.program(pass);  // takes its memory first
  const std::int64_t row_bytes = data.x.row_bytes() + data.y->row_bytes();
  const std::int64_t bytes = data.x.rows() * row_bytes;
  if (budget > 0 && bytes > budget) return streaming_feeder(model.context(), data, pass.batch, budget);
  try {
    return resident_feeder(model.context(), data);
  } catch (const OutOfMemoryError&) {
    const bool on_host = data.x.device().is_cpu() && data.y->device().is_cpu();
    if (model.context().device().is_cpu() || !on_host) throw;
  }
  for (std::int64_t fitting = bytes / 2;; fitting /= 2) {
    try {
      return streaming_feeder(model.context(), data, pass.batch, fitting);
    } catch (const OutOfMemoryError&) {
      if (fitting <= 2 * pass.batch * row_bytes) throw;  // no smaller chunk is left
    }
  }
}

/// The rows a fit validates on, ready to be read once an epoch.
struct Validation {
  std::optional<Tensor> weights;  // that the feeder reads
  std::unique_ptr<Feeder> feeder;
  Pass pass;
  LaunchSize size = LaunchSize();
};

Logs validate(Model& model, Validation& validation) {
  Progress silent(std::cout, 0, false);
  validation.feeder->begin(std::nullopt, 0);
  return model.logs(run_pass(model, validation.pass, *validation.feeder, validation.size, silent));
}

Logs joined(const Logs& train, const Logs& validation) {
  std::vector<std::pair<std::string, double>> all(train.begin(), train.end());
  for (const auto& [name, value] : validation) all.emplace_back("val_" + name, value);
  return Logs(std::move(all));
}

/// What a fit has beside its data.
struct Fitting {
  Sequential& owner;
  Model& model;
  const FitOptions& options;
  BuildGuard& build;
};

TrainingParams params_of(const Fitting& fitting, std::int64_t steps, bool validates) {
  TrainingParams params{.epochs = fitting.options.epochs,
                        .steps = steps,
                        .verbose = fitting.options.verbose,
                        .keys = metrics_names(fitting.model),
                        .greater_is_better = fitting.model.rising_metrics()};
  if (validates)
    for (const std::string& name : metrics_names(fitting.model)) params.keys.push_back("val_" + name);
  return params;
}

/// The epochs of a fit, whatever feeds them. `shuffle()` gives the next epoch's.
template <class NextShuffle>
History run_epochs(const Fitting& fitting, const Pass& pass, std::int64_t steps, Feeder& feeder,
                   std::optional<Validation>& validation, const NextShuffle& shuffle) {
  const auto& [owner, model, options, build] = fitting;
  const CallbackList callbacks(owner, model, options.callbacks,
                               params_of(fitting, steps, validation.has_value()));
  History history;
  LaunchSize size(callbacks.watches_batches());
  Progress progress(std::cout, options.verbose, draws_bar(options.verbose));
  model.stop_training = false;
  callbacks.each([](Callback& callback) { callback.on_train_begin(); });
  build.keep();
  for (int epoch = options.initial_epoch; epoch < options.epochs && !model.stop_training; ++epoch) {
    const double start = now();
    callbacks.each([&](Callback& callback) { callback.on_epoch_begin(epoch); });
    progress.begin_epoch(epoch, options.epochs, steps);
    feeder.begin(shuffle(), epoch);
    Logs logs = model.logs(run_pass(model, pass, feeder, size, progress, &callbacks));
    if (validation && (epoch + 1) % options.validation_freq == 0)
      logs = joined(logs, validate(model, *validation));
    progress.end(logs);
    callbacks.each([&](Callback& callback) { callback.on_epoch_end(epoch, logs); });
    history.append(epoch, logs, now() - start);
  }
  model.take_averages();
  callbacks.each([](Callback& callback) { callback.on_train_end(); });
  return history;
}

/// Rows [first, last) of weights that may not be there.
std::optional<TensorView> weights_of(const std::optional<Tensor>& weights, std::int64_t first,
                                     std::int64_t last) {
  if (!weights) return std::nullopt;
  return TensorView(*weights).rows(first, last);
}

Validation validation_of(Model& model, const Rows& data, const FitOptions& options) {
  const std::int64_t wanted =
      options.validation_batch_size > 0 ? options.validation_batch_size : options.batch_size;
  const std::int64_t batch = std::min(data.x.rows(), wanted);
  const Pass pass{Mode::validate, batch, data.x.dtype(), data.y->dtype(), data.weights.has_value()};
  return {std::nullopt, make_feeder(model, data, pass, options.memory_budget), pass};
}

std::optional<Validation> given_validation(Model& model, const FitOptions& options) {
  if (!options.validation_data) return std::nullopt;
  const TensorView &x = options.validation_data.x(), &y = options.validation_data.y();
  check_data(model, x, y, "fit's validation_data");
  std::optional<Tensor> weights =
      row_weights(model, y, options.validation_data.sample_weight(), {}, "fit's validation_data");
  Validation validation = validation_of(model, {x, y, weights_of(weights, 0, x.rows())}, options);
  validation.weights = std::move(weights);
  return validation;
}

/// Rows that are trained on; the rest, at the end, are validated on.
std::int64_t training_rows(std::int64_t rows, const FitOptions& options) {
  if (options.validation_data || options.validation_split == 0) return rows;
  const auto split =
      static_cast<std::int64_t>(std::floor(static_cast<double>(rows) * (1 - options.validation_split)));
  GLIA_CHECK(split > 0 && split < rows, ValueError, "validation_split ", options.validation_split, " of ",
             rows, " rows leaves ", split, " to train on and ", rows - split,
             " to validate on: both need at least one");
  return split;
}

}  // namespace

std::vector<std::string> metrics_names(const Model& model) {
  std::vector<std::string> names;
  if (model.has_loss()) names.push_back("loss");
  for (const std::string& metric : model.metric_names()) names.push_back(metric);
  return names;
}

History fit(Sequential& owner, Model& model, const TensorView& x, const TensorView& y,
            const FitOptions& options, std::int64_t& trained_epochs) {
  const Model::Fit fit(model);
  check_fit(options);
  check_compiled(model, "fit");
  BuildGuard build(model);
  build_for(model, x, "fit");
  check_data(model, x, y, "fit");
  if (options.initial_epoch >= options.epochs) {
    build.keep();
    return {};
  }
  const std::optional<Tensor> weights =
      row_weights(model, y, options.sample_weight, options.class_weight, "fit");
  const std::int64_t rows = training_rows(x.rows(), options), all = x.rows();
  const std::int64_t batch = std::min(options.batch_size, rows);

  std::optional<Validation> validation = given_validation(model, options);
  if (rows < all) {
    // As in Keras, sample weights are split along with the rows, and class weights are for training alone.
    const bool split = options.sample_weight.has_value();
    validation = validation_of(
        model, {x.rows(rows, all), y.rows(rows, all), split ? weights_of(weights, rows, all) : std::nullopt},
        options);
  }
  const Pass train{Mode::train, batch, x.dtype(), y.dtype(), weights.has_value()};
  const auto feeder = make_feeder(model, {x.rows(0, rows), y.rows(0, rows), weights_of(weights, 0, rows)},
                                  train, options.memory_budget);
  const auto shuffle = [&]() -> std::optional<Shuffle> {
    const auto pass = static_cast<std::uint64_t>(trained_epochs++);
    if (!options.shuffle) return std::nullopt;
    return Shuffle{options.seed.value_or(model.seed), pass};
  };
  return run_epochs({owner, model, options, build}, train, steps_for(rows, batch), *feeder, validation,
                    shuffle);
}

namespace {

/// The batch's weights as the device reads them: by class where the options say so.
Dataset with_row_weights(const Model& model, Dataset data, const FitOptions& options) {
  std::optional<TensorView> given;
  if (!data.sample_weight.empty()) given = data.sample_weight;
  std::optional<Tensor> weights = row_weights(model, data.y, given, options.class_weight, "fit");
  data.sample_weight = weights ? std::move(*weights) : Tensor();
  return data;
}

}  // namespace

History fit(Sequential& owner, Model& model, BatchSource& source, const FitOptions& options,
            std::int64_t& trained_epochs) {
  const Model::Fit fit(model);
  check_fit(options);
  check_compiled(model, "fit");
  GLIA_CHECK(
      options.validation_split == 0, ValueError,
      "validation_split needs data that is there as a whole: give validation_data along with a BatchSource");
  GLIA_CHECK(
      !options.sample_weight, ValueError,
      "sample_weight needs data that is there as a whole: put each batch's into its Dataset's sample_weight");
  const std::int64_t batches = source.batches();
  GLIA_CHECK(batches >= 1, ValueError, "the BatchSource says ", batches,
             " batches an epoch, expected at least 1");
  if (options.initial_epoch >= options.epochs) return {};
  // The first batch tells the shapes; it is then the first to be trained on.
  Dataset first = source.batch(options.initial_epoch, 0);
  BuildGuard build(model);
  build_for(model, first.x, "fit");
  check_data(model, first.x, first.y, "fit");
  first = with_row_weights(model, std::move(first), options);
  const std::int64_t batch = first.x.rows();
  const Pass pass{Mode::train, batch, first.x.dtype(), first.y.dtype(), !first.sample_weight.empty()};
  bool first_used = false;
  const auto make = [&](std::int64_t epoch, std::int64_t index) {
    if (!std::exchange(first_used, true)) return std::move(first);
    Dataset data = source.batch(epoch, index);
    check_data(model, data.x, data.y, "fit");
    data = with_row_weights(model, std::move(data), options);
    GLIA_CHECK(data.sample_weight.empty() != pass.weighted, ValueError, "batch ", index,
               " of the BatchSource has ",
               data.sample_weight.empty() ? "no sample_weight, its first has one"
                                          : "a sample_weight, its first has none",
               ": all must be alike");
    GLIA_CHECK(data.x.rows() == batch || (index + 1 == batches && data.x.rows() < batch), ShapeError,
               "batch ", index, " of the BatchSource has ", data.x.rows(), " rows, expected ", batch,
               " as in its first; only the last may be smaller");
    GLIA_CHECK(data.x.dtype() == pass.x_from && data.y.dtype() == pass.y_from, ValueError, "batch ", index,
               " of the BatchSource is of ", data.x.dtype(), " and ", data.y.dtype(), ", its first of ",
               pass.x_from, " and ", pass.y_from, ": all must be alike");
    return data;
  };
  std::optional<Validation> validation = given_validation(model, options);
  const auto feeder = source_feeder(model.context(), batches, make);
  const auto shuffle = [&]() -> std::optional<Shuffle> {
    ++trained_epochs;
    return std::nullopt;
  };
  return run_epochs({owner, model, options, build}, pass, batches, *feeder, validation, shuffle);
}

namespace {

/// A validation pass over all rows.
PassState judge(Model& model, const TensorView& x, const TensorView& y, const EvaluateOptions& options,
                const char* call) {
  check_batch_size(options.batch_size);
  check_verbose(options.verbose);
  check_compiled(model, call);
  const Model::Interlude interlude(model, Mode::validate);
  BuildGuard build(model);
  build_for(model, x, call);
  check_data(model, x, y, call);
  check_flip_average(model, options.flip_average);
  const std::optional<Tensor> weights = row_weights(model, y, options.sample_weight, {}, call);
  const std::int64_t batch = std::min(options.batch_size, x.rows());
  Progress progress(std::cout, options.verbose, draws_bar(options.verbose));
  progress.begin(steps_for(x.rows(), batch));
  const Pass pass{Mode::validate, batch, x.dtype(), y.dtype(), weights.has_value(), options.flip_average};
  const auto feeder = make_feeder(model, {x, y, weights_of(weights, 0, x.rows())}, pass, 0);
  feeder->begin(std::nullopt, 0);
  build.keep();
  LaunchSize size;
  PassState result = run_pass(model, pass, *feeder, size, progress);
  progress.end(model.logs(result));
  return result;
}

}  // namespace

Logs evaluate(Model& model, const TensorView& x, const TensorView& y, const EvaluateOptions& options) {
  return model.logs(judge(model, x, y, options, "evaluate"));
}

Tensor confusion_matrix(Model& model, const TensorView& x, const TensorView& y,
                        const EvaluateOptions& options) {
  check_compiled(model, "confusion_matrix");
  BuildGuard build(model);
  build_for(model, x, "confusion_matrix");
  check_data(model, x, y, "confusion_matrix");
  build.keep();
  const std::string name = model.metric_that_counts_classes();
  GLIA_CHECK(!name.empty(), StateError,
             "confusion_matrix needs the metric of that name, which counts on the device: compile with "
             ".metrics = {..., \"confusion_matrix\"}");
  const std::vector<double> counts = model.counters(judge(model, x, y, options, "confusion_matrix"), name);
  const auto classes = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(counts.size()))));
  return Tensor(counts, {classes, classes}).cast(DType::int64);
}

Tensor predict(Model& model, const TensorView& x, const PredictOptions& options) {
  check_batch_size(options.batch_size);
  check_verbose(options.verbose);
  const Model::Interlude interlude(model, Mode::infer);
  build_for(model, x, "predict");
  check_inputs(model, x, "predict");
  check_flip_average(model, options.flip_average);
  const Shape shape = model.output_shape().prepend(x.rows());
  if (x.rows() == 0) return Tensor::zeros(shape, model.dtype);
  const std::int64_t batch = std::min(options.batch_size, x.rows());
  auto out = std::make_unique<ContextMemory>(model.context(),
                                             static_cast<std::size_t>(checked_bytes(shape, model.dtype)));
  const auto feeder = resident_feeder(model.context(), {x, std::nullopt}, out->data());
  Progress progress(std::cout, options.verbose, draws_bar(options.verbose));
  progress.begin(steps_for(x.rows(), batch));
  feeder->begin(std::nullopt, 0);
  LaunchSize size;
  run_pass(model, {Mode::infer, batch, x.dtype(), x.dtype(), false, options.flip_average}, *feeder, size,
           progress);
  progress.end(Logs());
  Tensor result = Tensor::adopt(std::move(out), shape, model.dtype, model.context().device());
  return x.device() == result.device() ? std::move(result) : result.to(x.device());
}

namespace {

/// One step on all of x as one batch; returns loss and metrics.
Logs run_one_batch(Model& model, Mode mode, const TensorView& x, const TensorView& y, const char* call) {
  check_compiled(model, call);
  const Model::Interlude interlude(model, mode);
  BuildGuard build(model);
  build_for(model, x, call);
  check_data(model, x, y, call);
  const auto feeder = resident_feeder(model.context(), {x, y});
  feeder->begin(std::nullopt, 0);
  const std::shared_ptr<const Program> program = model.program({mode, x.rows(), x.dtype(), y.dtype()});
  build.keep();
  model.begin_pass(mode, feeder->next()->feed);
  program->run(1);
  model.request_state(mode);
  return model.logs(model.take_state());
}

}  // namespace

Logs train_on_batch(Model& model, const TensorView& x, const TensorView& y) {
  return run_one_batch(model, Mode::train, x, y, "train_on_batch");
}

Gradients gradients(Model& model, const TensorView& x, const TensorView& y) {
  const double loss = run_one_batch(model, Mode::gradient, x, y, "gradients")["loss"];
  return {loss, model.read_gradients()};
}

}  // namespace glia::training

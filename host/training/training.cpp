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
  CallbackList(Model& owner, const Core& model, const Callbacks& callbacks, const TrainingParams& params)
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
  const Model* owner_;  // an address alone, once a callback was called
  const Core& model_;
  std::vector<Callback*> callbacks_;
  bool watches_batches_ = false;
};

/// Undoes a build where the call that made it fails before its first step, so that a mistake in the data or options
/// does not fix the model's shape. Made before all that uses the build.
class BuildGuard {
 public:
  explicit BuildGuard(Core& model) : model_(model), kept_(model.built()) {}
  BuildGuard(const BuildGuard&) = delete;
  ~BuildGuard() {
    if (!kept_ && model_.built()) model_.discard_build();
  }
  void keep() { kept_ = true; }

 private:
  Core& model_;
  bool kept_;
};

/// Builds the model where that is still to be done: a chain that does not know its shape for rows like x's.
void build_for(Core& model, const Tensors& x, const char* call) {
  model.build_if_known();
  if (model.built()) return;
  GLIA_CHECK(x.size() == 1, ValueError, call, " got ", x.size(), " inputs, expected one");
  model.build({checked_row_shape(x[0].view, call)});
}

/// Which Programs a pass runs: this one and, for the rows that are left, the one for a smaller batch.
using Pass = ProgramKey;

/// Launches the steps of a pass, two launches ahead of the device, and reads the totals behind each; one at a time
/// where a callback watches batches, so that it finds the model as that batch left it.
class Launcher {
 public:
  Launcher(Core& model, const Pass& pass, LaunchSize& size, Progress& progress, const CallbackList* callbacks)
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
      model_.passes().request(pass_.mode);
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
    state_ = model_.passes().take();
    if (last_) {
      const double time = now();
      size_.took(time - std::exchange(*last_, time));
    }
    done_ += std::exchange(waiting_, 0);
    if (progress_.wants_update())
      progress_.update(done_, pass_.mode == Mode::infer ? Logs() : model_.trainer().logs(state_));
    // A launch that was under way when the fit was stopped is not told of.
    if (!callbacks_ || callbacks_->empty() || (model_.stop_training && told_)) return;
    told_ = true;
    const Logs logs = model_.trainer().logs(state_);
    callbacks_->each([&](Callback& callback) { callback.on_batch_end(done_ - 1, logs); });
  }

  Core& model_;
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
PassState run_pass(Core& model, const Pass& pass, Feeder& feeder, LaunchSize& size, Progress& progress,
                   const CallbackList* callbacks = nullptr) {
  Launcher launcher(model, pass, size, progress, callbacks);
  bool first = true;
  while (const std::optional<Chunk> chunk = launcher.stopped() ? std::nullopt : feeder.next()) {
    if (std::exchange(first, false))
      model.passes().begin(pass.mode, chunk->fed);
    else
      model.passes().go_on(pass.mode, chunk->fed);
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

void check_flip_average(const Core& model, bool flip_average) {
  if (!flip_average) return;
  GLIA_CHECK(model.input_shapes().size() == 1 && model.output_count() == 1, ValueError,
             "flip_average is for models of one input and one output, this one has ",
             model.input_shapes().size(), " and ", model.output_count(), ": leave it out");
  GLIA_CHECK(model.input_shapes()[0].rank() == 3, ShapeError,
             "flip_average mirrors images (height, width, channels), but the model's rows have shape ",
             model.input_shapes()[0], ": leave it out");
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

/// What a pass over these rows runs. `data` are inputs, targets and weights.
Pass pass_over(const Core& model, Mode mode, std::int64_t batch, const Rows& data) {
  Pass pass{mode, batch, {}, {}};
  const std::size_t inputs = model.input_shapes().size();
  for (std::size_t i = 0; i < inputs; ++i) pass.x_from.push_back(data[i]->dtype());
  if (mode == Mode::infer) return pass;
  const std::size_t heads = model.trainer().heads().all.size();
  for (std::size_t h = 0; h < heads; ++h) {
    pass.y_from.push_back(data[inputs + h]->dtype());
    pass.weighted.push_back(data[inputs + heads + h].has_value());
  }
  return pass;
}

/// Rows held on the device, or streamed where they are more than the budget, or than a GPU has memory for beside
/// what the steps need.
std::unique_ptr<Feeder> make_feeder(Core& model, const Rows& data, const Pass& pass, std::int64_t budget) {
  model.program(pass);  // takes its memory first
  const std::int64_t row_bytes = row_bytes_of(data);
  const std::int64_t bytes = rows_of(data) * row_bytes;
  if (budget > 0 && bytes > budget) return streaming_feeder(model.context(), data, pass.batch, budget);
  try {
    return resident_feeder(model.context(), data);
  } catch (const OutOfMemoryError&) {
    const bool on_host = std::all_of(data.begin(), data.end(),
                                     [](const auto& view) { return !view || view->device().is_cpu(); });
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

/// Checked inputs and targets of a call, and the weights of their rows, which `rows` shows too.
struct Data {
  std::vector<std::optional<Tensor>> weights;
  Rows rows;
};
Data data_of(const Core& model, const Tensors& x, const Tensors& y, const Tensors& sample_weight,
             const std::map<int, double>& class_weight, const char* call) {
  Data data;
  const Rows checked = checked_data(model, x, y, call);
  data.weights = row_weights(model, checked, sample_weight, class_weight, call);
  data.rows = with_weights(checked, data.weights);
  return data;
}

/// The rows a fit validates on, ready to be read once an epoch.
struct Validation {
  Data data;  // that the feeder reads
  std::unique_ptr<Feeder> feeder;
  Pass pass;
  LaunchSize size = LaunchSize();
};

Logs validate(Core& model, Validation& validation) {
  Progress silent(std::cout, 0, false);
  validation.feeder->begin(std::nullopt, 0);
  return model.trainer().logs(run_pass(model, validation.pass, *validation.feeder, validation.size, silent));
}

Logs joined(const Logs& train, const Logs& validation) {
  std::vector<std::pair<std::string, double>> all(train.begin(), train.end());
  for (const auto& [name, value] : validation) all.emplace_back("val_" + name, value);
  return Logs(std::move(all));
}

/// What a fit has beside its data.
struct Fitting {
  Model& owner;
  Core& model;
  const FitOptions& options;
  BuildGuard& build;
};

TrainingParams params_of(const Fitting& fitting, std::int64_t steps, bool validates) {
  TrainingParams params{.epochs = fitting.options.epochs,
                        .steps = steps,
                        .verbose = fitting.options.verbose,
                        .keys = fitting.model.trainer().names(),
                        .greater_is_better = fitting.model.trainer().rising_names()};
  if (validates)
    for (const std::string& name : fitting.model.trainer().names()) params.keys.push_back("val_" + name);
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
    Logs logs = model.trainer().logs(run_pass(model, pass, feeder, size, progress, &callbacks));
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

/// Of rows of `data`, which the Validation then keeps.
Validation validation_of(Core& model, Data data, const Rows& rows, const FitOptions& options) {
  const std::int64_t wanted =
      options.validation_batch_size > 0 ? options.validation_batch_size : options.batch_size;
  const Pass pass = pass_over(model, Mode::validate, std::min(rows_of(rows), wanted), rows);
  std::unique_ptr<Feeder> feeder = make_feeder(model, rows, pass, options.memory_budget);
  return {std::move(data), std::move(feeder), pass};
}

std::optional<Validation> given_validation(Core& model, const FitOptions& options) {
  if (!options.validation_data) return std::nullopt;
  const ValidationData& given = options.validation_data;
  Data data = data_of(model, given.x(), given.y(), given.sample_weight(), {}, "fit's validation_data");
  const Rows rows = data.rows;
  return validation_of(model, std::move(data), rows, options);
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

History fit(Model& owner, Core& model, const Tensors& x, const Tensors& y, const FitOptions& options) {
  const Core::Fit fit(model);
  check_fit(options);
  check_compiled(model, "fit");
  BuildGuard build(model);
  build_for(model, x, "fit");
  const Data data = data_of(model, x, y, options.sample_weight, options.class_weight, "fit");
  if (options.initial_epoch >= options.epochs) {
    build.keep();
    return {};
  }
  const std::int64_t all = rows_of(data.rows), rows = training_rows(all, options);
  const std::int64_t batch = std::min(options.batch_size, rows);

  std::optional<Validation> validation = given_validation(model, options);
  if (rows < all) {
    // As in Keras, sample weights are split along with the rows, and class weights are for training alone.
    Rows held_out = rows_between(data.rows, rows, all);
    if (!options.sample_weight)
      for (std::size_t i = held_out.size() - data.weights.size(); i < held_out.size(); ++i)
        held_out[i].reset();
    validation = validation_of(model, {}, held_out, options);
  }
  const Rows trained = rows_between(data.rows, 0, rows);
  const Pass pass = pass_over(model, Mode::train, batch, trained);
  const auto feeder = make_feeder(model, trained, pass, options.memory_budget);
  const auto shuffle = [&]() -> std::optional<Shuffle> {
    const auto number = static_cast<std::uint64_t>(model.trained_epochs++);
    if (!options.shuffle) return std::nullopt;
    return Shuffle{options.seed.value_or(model.seed), number};
  };
  return run_epochs({owner, model, options, build}, pass, steps_for(rows, batch), *feeder, validation,
                    shuffle);
}

namespace {

/// A batch of a BatchSource, checked, as the device reads it.
MadeBatch made(const Core& model, Dataset dataset, const FitOptions& options) {
  MadeBatch batch{std::move(dataset), {}, {}};
  Data data = data_of(model, batch.data.inputs(), batch.data.targets(), batch.data.weights(),
                      options.class_weight, "fit");
  batch.weights = std::move(data.weights), batch.rows = std::move(data.rows);
  return batch;
}

/// Throws ValueError for a batch that is not like the first, of which `pass` was made, and ShapeError for another number of
/// rows.
void check_alike(const Core& model, const Pass& pass, const MadeBatch& batch, std::int64_t index,
                 std::int64_t batches) {
  const Pass own = pass_over(model, Mode::train, pass.batch, batch.rows);
  GLIA_CHECK(
      own.weighted == pass.weighted, ValueError, "batch ", index, " of the BatchSource has ",
      batch.data.weights() ? "a sample_weight, its first has none" : "no sample_weight, its first has one",
      ": all must be alike");
  const std::int64_t rows = rows_of(batch.rows);
  GLIA_CHECK(rows == pass.batch || (index + 1 == batches && rows < pass.batch), ShapeError, "batch ", index,
             " of the BatchSource has ", rows, " rows, expected ", pass.batch,
             " as in its first; only the last may be smaller");
  for (const bool of_targets : {false, true}) {
    const std::vector<DType>& is = of_targets ? own.y_from : own.x_from;
    const std::vector<DType>& first = of_targets ? pass.y_from : pass.x_from;
    for (std::size_t i = 0; i < is.size(); ++i)
      GLIA_CHECK(is[i] == first[i], ValueError, "batch ", index, " of the BatchSource has ",
                 of_targets ? "targets" : "inputs", " of ", is[i], ", its first of ", first[i],
                 ": all must be alike");
  }
}

}  // namespace

History fit(Model& owner, Core& model, BatchSource& source, const FitOptions& options) {
  const Core::Fit fit(model);
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
  Dataset first_data = source.batch(options.initial_epoch, 0);
  BuildGuard build(model);
  build_for(model, first_data.inputs(), "fit");
  MadeBatch first = made(model, std::move(first_data), options);
  const Pass pass = pass_over(model, Mode::train, rows_of(first.rows), first.rows);
  bool first_used = false;
  const auto make = [&](std::int64_t epoch, std::int64_t index) {
    if (!std::exchange(first_used, true)) return std::move(first);
    MadeBatch batch = made(model, source.batch(epoch, index), options);
    check_alike(model, pass, batch, index, batches);
    return batch;
  };
  std::optional<Validation> validation = given_validation(model, options);
  const auto feeder = source_feeder(model.context(), batches, make);
  const auto shuffle = [&]() -> std::optional<Shuffle> {
    ++model.trained_epochs;
    return std::nullopt;
  };
  return run_epochs({owner, model, options, build}, pass, batches, *feeder, validation, shuffle);
}

namespace {

/// A validation pass over all rows.
PassState judge(Core& model, const Tensors& x, const Tensors& y, const EvaluateOptions& options,
                const char* call) {
  check_batch_size(options.batch_size);
  check_verbose(options.verbose);
  check_compiled(model, call);
  const Core::Interlude interlude(model, Mode::validate);
  BuildGuard build(model);
  build_for(model, x, call);
  check_flip_average(model, options.flip_average);
  const Data data = data_of(model, x, y, options.sample_weight, {}, call);
  const std::int64_t rows = rows_of(data.rows), batch = std::min(options.batch_size, rows);
  Progress progress(std::cout, options.verbose, draws_bar(options.verbose));
  progress.begin(steps_for(rows, batch));
  Pass pass = pass_over(model, Mode::validate, batch, data.rows);
  pass.flip_average = options.flip_average;
  const auto feeder = make_feeder(model, data.rows, pass, 0);
  feeder->begin(std::nullopt, 0);
  build.keep();
  LaunchSize size;
  PassState result = run_pass(model, pass, *feeder, size, progress);
  progress.end(model.trainer().logs(result));
  return result;
}

}  // namespace

Logs evaluate(Core& model, const Tensors& x, const Tensors& y, const EvaluateOptions& options) {
  const PassState pass = judge(model, x, y, options, "evaluate");
  return model.trainer().logs(pass);
}

Tensor confusion_matrix(Core& model, const Tensors& x, const Tensors& y, const EvaluateOptions& options) {
  check_compiled(model, "confusion_matrix");
  BuildGuard build(model);
  build_for(model, x, "confusion_matrix");
  checked_data(model, x, y, "confusion_matrix");
  build.keep();
  const ResolvedMetric* const metric = model.trainer().metric_that_counts_classes();
  GLIA_CHECK(metric, StateError,
             "confusion_matrix needs the metric of that name, which counts on the device: compile with "
             ".metrics = {..., \"confusion_matrix\"}");
  const PassState pass = judge(model, x, y, options, "confusion_matrix");
  const std::vector<double> counts(pass.counters.begin() + metric->first_counter,
                                   pass.counters.begin() + metric->first_counter + metric->counters);
  const auto classes = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(counts.size()))));
  return Tensor(counts, {classes, classes}).cast(DType::int64);
}

std::vector<NamedTensor> predict(Core& model, const Tensors& x, const PredictOptions& options) {
  check_batch_size(options.batch_size);
  check_verbose(options.verbose);
  const Core::Interlude interlude(model, Mode::infer);
  build_for(model, x, "predict");
  const Rows inputs = checked_inputs(model, x, "predict");
  check_flip_average(model, options.flip_average);
  const std::int64_t rows = rows_of(inputs), batch = std::min(options.batch_size, rows);
  const std::vector<std::string> names = model.output_names();
  std::vector<std::unique_ptr<ContextMemory>> memories;
  std::vector<void*> places;
  std::vector<NamedTensor> results;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Shape shape = model.output_shapes()[i].prepend(rows);
    if (rows == 0) {
      results.push_back({names[i], Tensor::zeros(shape, model.dtype)});
      continue;
    }
    memories.push_back(std::make_unique<ContextMemory>(
        model.context(), static_cast<std::size_t>(checked_bytes(shape, model.dtype))));
    places.push_back(memories.back()->data());
  }
  if (rows == 0) return results;
  const auto feeder = resident_feeder(model.context(), inputs, places);
  Progress progress(std::cout, options.verbose, draws_bar(options.verbose));
  progress.begin(steps_for(rows, batch));
  feeder->begin(std::nullopt, 0);
  LaunchSize size;
  Pass pass = pass_over(model, Mode::infer, batch, inputs);
  pass.flip_average = options.flip_average;
  run_pass(model, pass, *feeder, size, progress);
  progress.end(Logs());
  for (std::size_t i = 0; i < names.size(); ++i) {
    Tensor result = Tensor::adopt(std::move(memories[i]), model.output_shapes()[i].prepend(rows), model.dtype,
                                  model.context().device());
    const bool stays = inputs[0]->device() == result.device();
    results.push_back({names[i], stays ? std::move(result) : result.to(inputs[0]->device())});
  }
  return results;
}

Logs run_on_batch(Core& model, Mode mode, const Tensors& x, const Tensors& y, const Tensors& sample_weight,
                  const char* call) {
  check_compiled(model, call);
  const Core::Interlude interlude(model, mode);
  BuildGuard build(model);
  build_for(model, x, call);
  const Data data = data_of(model, x, y, sample_weight, {}, call);
  const auto feeder = resident_feeder(model.context(), data.rows);
  feeder->begin(std::nullopt, 0);
  const std::shared_ptr<const Program> program =
      model.program(pass_over(model, mode, rows_of(data.rows), data.rows));
  build.keep();
  model.passes().begin(mode, feeder->next()->fed);
  program->run(1);
  model.passes().request(mode);
  return model.trainer().logs(model.passes().take());
}

}  // namespace glia::training

// The loops of fit, evaluate and predict.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <host/data/checks.h>
#include <host/data/feeder.h>
#include <host/memory.h>
#include <host/progress.h>
#include <host/training.h>
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

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }

Logs logs_of(const Model& model, const StepState& state) {
  const double rows = state.rows > 0 ? static_cast<double>(state.rows) : 1;
  std::vector<std::pair<std::string, double>> values{{"loss", state.loss / rows}};
  for (std::size_t m = 0; m < model.metrics().size(); ++m)
    values.emplace_back(model.metrics()[m].name(), state.metrics[m] / rows);
  return Logs(std::move(values));
}

/// How many steps go in one launch: about 20 ms of them, so that progress shows and Ctrl-C is heard.
class LaunchSize {
 public:
  std::int64_t steps() const { return steps_; }
  void took(double seconds) {
    if (seconds < 0.01 && steps_ < 4096) steps_ *= 2;
    if (seconds > 0.04 && steps_ > 1) steps_ /= 2;
  }

 private:
  std::int64_t steps_ = 1;
};

/// Which Programs a pass runs.
struct Pass {
  Mode mode;
  std::int64_t batch_size;
  DType x_from, y_from;
};

/// Launches the steps of a pass, two launches ahead of the device, and reads the totals behind each.
class Launcher {
 public:
  Launcher(Model& model, const Pass& pass, LaunchSize& size, Progress& progress)
      : model_(model), pass_(pass), size_(size), progress_(progress), last_(now()) {}

  void run(std::int64_t batch, std::int64_t steps) {
    const std::shared_ptr<const Program> program =
        model_.program(pass_.mode, batch, pass_.x_from, pass_.y_from);
    while (steps > 0) {
      const std::int64_t count = std::min(steps, size_.steps());
      program->run(count);
      model_.request_state(pass_.mode);
      steps -= count;
      if (waiting_ > 0) take();
      waiting_ = count;
    }
  }
  /// The totals after the last step.
  StepState finish() {
    if (waiting_ > 0) take();
    return state_;
  }

 private:
  void take() {
    state_ = model_.take_state();
    const double time = now();
    size_.took(time - std::exchange(last_, time));
    done_ += std::exchange(waiting_, 0);
    if (progress_.wants_update())
      progress_.update(done_, pass_.mode == Mode::infer ? Logs() : logs_of(model_, state_));
  }

  Model& model_;
  const Pass& pass_;
  LaunchSize& size_;
  Progress& progress_;
  double last_;               // when the launch before was seen to be done
  std::int64_t waiting_ = 0;  // steps of the launch whose totals are being read
  std::int64_t done_ = 0;
  StepState state_;
};

/// Runs steps over all chunks of a pass, the partial last batch included. Returns the totals.
StepState run_pass(Model& model, const Pass& pass, Feeder& feeder, LaunchSize& size, Progress& progress) {
  Launcher launcher(model, pass, size, progress);
  bool first = true;
  while (const std::optional<Chunk> chunk = feeder.next()) {
    if (std::exchange(first, false))
      model.begin_pass(pass.mode, chunk->feed);
    else
      model.continue_pass(pass.mode, chunk->feed);
    launcher.run(pass.batch_size, chunk->rows / pass.batch_size);
    if (const std::int64_t rest = chunk->rows % pass.batch_size) launcher.run(rest, 1);
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
  model.program(pass.mode, pass.batch_size, pass.x_from, pass.y_from);  // takes its memory first
  const std::int64_t row_bytes = data.x.row_bytes() + data.y->row_bytes();
  const std::int64_t bytes = data.x.rows() * row_bytes;
  if (budget > 0 && bytes > budget) return streaming_feeder(model.context(), data, pass.batch_size, budget);
  try {
    return resident_feeder(model.context(), data);
  } catch (const OutOfMemoryError&) {
    const bool on_host = data.x.device().is_cpu() && data.y->device().is_cpu();
    if (model.context().device().is_cpu() || !on_host) throw;
  }
  for (std::int64_t fitting = bytes / 2;; fitting /= 2) {
    try {
      return streaming_feeder(model.context(), data, pass.batch_size, fitting);
    } catch (const OutOfMemoryError&) {
      if (fitting <= 2 * pass.batch_size * row_bytes) throw;  // no smaller chunk is left
    }
  }
}

/// The rows a fit validates on, ready to be read once an epoch.
struct Validation {
  std::unique_ptr<Feeder> feeder;
  Pass pass;
  LaunchSize size = {};
};

Logs validate(Model& model, Validation& validation) {
  Progress silent(std::cout, 0, false);
  validation.feeder->begin(std::nullopt, 0);
  return logs_of(model, run_pass(model, validation.pass, *validation.feeder, validation.size, silent));
}

Logs joined(const Logs& train, const Logs& validation) {
  std::vector<std::pair<std::string, double>> all(train.begin(), train.end());
  for (const auto& [name, value] : validation) all.emplace_back("val_" + name, value);
  return Logs(std::move(all));
}

/// The epochs of a fit, whatever feeds them. `shuffle()` gives the next epoch's.
template <class NextShuffle>
History run_epochs(Model& model, const FitOptions& options, const Pass& pass, std::int64_t steps,
                   Feeder& feeder, std::optional<Validation>& validation, const NextShuffle& shuffle) {
  History history;
  LaunchSize size;
  Progress progress(std::cout, options.verbose, stdout_is_terminal());
  for (int epoch = options.initial_epoch; epoch < options.epochs; ++epoch) {
    const double start = now();
    progress.begin_epoch(epoch, options.epochs, steps);
    feeder.begin(shuffle(), epoch);
    Logs logs = logs_of(model, run_pass(model, pass, feeder, size, progress));
    if (validation && (epoch + 1) % options.validation_freq == 0)
      logs = joined(logs, validate(model, *validation));
    progress.end(logs);
    history.append(epoch, logs, now() - start);
  }
  return history;
}

Validation validation_of(Model& model, const Rows& data, const FitOptions& options) {
  const std::int64_t wanted =
      options.validation_batch_size > 0 ? options.validation_batch_size : options.batch_size;
  const std::int64_t batch = std::min(data.x.rows(), wanted);
  const Pass pass{Mode::validate, batch, data.x.dtype(), data.y->dtype()};
  return {make_feeder(model, data, pass, options.memory_budget), pass};
}

std::optional<Validation> given_validation(Model& model, const FitOptions& options) {
  if (!options.validation_data) return std::nullopt;
  const TensorView &x = options.validation_data.x(), &y = options.validation_data.y();
  check_data(model, x, y, "fit's validation_data");
  return validation_of(model, {x, y}, options);
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
  for (const MetricName& metric : model.metrics()) names.push_back(metric.name());
  return names;
}

History fit(Model& model, const TensorView& x, const TensorView& y, const FitOptions& options,
            std::int64_t& trained_epochs) {
  check_fit(options);
  check_compiled(model, "fit");
  check_data(model, x, y, "fit");
  if (options.initial_epoch >= options.epochs) return {};
  const std::int64_t rows = training_rows(x.rows(), options);
  const std::int64_t batch = std::min(options.batch_size, rows);

  std::optional<Validation> validation = given_validation(model, options);
  if (rows < x.rows())
    validation = validation_of(model, {x.rows(rows, x.rows()), y.rows(rows, x.rows())}, options);
  const Pass train{Mode::train, batch, x.dtype(), y.dtype()};
  const auto feeder = make_feeder(model, {x.rows(0, rows), y.rows(0, rows)}, train, options.memory_budget);
  const auto shuffle = [&]() -> std::optional<Shuffle> {
    const auto pass = static_cast<std::uint64_t>(trained_epochs++);
    if (!options.shuffle) return std::nullopt;
    return Shuffle{options.seed.value_or(model.seed), pass};
  };
  return run_epochs(model, options, train, steps_for(rows, batch), *feeder, validation, shuffle);
}

History fit(Model& model, BatchSource& source, const FitOptions& options, std::int64_t& trained_epochs) {
  check_fit(options);
  check_compiled(model, "fit");
  GLIA_CHECK(
      options.validation_split == 0, ValueError,
      "validation_split needs data that is there as a whole: give validation_data along with a BatchSource");
  const std::int64_t batches = source.batches();
  GLIA_CHECK(batches >= 1, ValueError, "the BatchSource says ", batches,
             " batches an epoch, expected at least 1");
  if (options.initial_epoch >= options.epochs) return {};
  // The first batch tells the shapes; it is then the first to be trained on.
  Dataset first = source.batch(options.initial_epoch, 0);
  check_data(model, first.x, first.y, "fit");
  const std::int64_t batch = first.x.rows();
  const Pass pass{Mode::train, batch, first.x.dtype(), first.y.dtype()};
  bool first_used = false;
  const auto make = [&](std::int64_t epoch, std::int64_t index) {
    Dataset data = std::exchange(first_used, true) ? source.batch(epoch, index) : std::move(first);
    check_data(model, data.x, data.y, "fit");
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
  return run_epochs(model, options, pass, batches, *feeder, validation, shuffle);
}

Logs evaluate(Model& model, const TensorView& x, const TensorView& y, const EvaluateOptions& options) {
  check_batch_size(options.batch_size);
  check_verbose(options.verbose);
  check_compiled(model, "evaluate");
  check_data(model, x, y, "evaluate");
  const std::int64_t batch = std::min(options.batch_size, x.rows());
  Progress progress(std::cout, options.verbose, stdout_is_terminal());
  progress.begin(steps_for(x.rows(), batch));
  const Pass pass{Mode::validate, batch, x.dtype(), y.dtype()};
  const auto feeder = make_feeder(model, {x, y}, pass, 0);
  feeder->begin(std::nullopt, 0);
  LaunchSize size;
  const Logs logs = logs_of(model, run_pass(model, pass, *feeder, size, progress));
  progress.end(logs);
  return logs;
}

Tensor predict(Model& model, const TensorView& x, const PredictOptions& options) {
  check_batch_size(options.batch_size);
  check_verbose(options.verbose);
  check_inputs(model, x, "predict");
  const Shape shape = model.output_shape().prepend(x.rows());
  if (x.rows() == 0) return Tensor::zeros(shape, model.dtype);
  const std::int64_t batch = std::min(options.batch_size, x.rows());
  auto out = std::make_unique<ContextMemory>(model.context(),
                                             static_cast<std::size_t>(checked_bytes(shape, model.dtype)));
  const auto feeder = resident_feeder(model.context(), {x, std::nullopt}, out->data());
  Progress progress(std::cout, options.verbose, stdout_is_terminal());
  progress.begin(steps_for(x.rows(), batch));
  feeder->begin(std::nullopt, 0);
  LaunchSize size;
  run_pass(model, {Mode::infer, batch, x.dtype(), x.dtype()}, *feeder, size, progress);
  progress.end(Logs());
  Tensor result = Tensor::adopt(std::move(out), shape, model.dtype, model.context().device());
  return x.device() == result.device() ? std::move(result) : result.to(x.device());
}

namespace {

/// One step on all of x as one batch; returns loss and metrics.
Logs run_one_batch(Model& model, Mode mode, const TensorView& x, const TensorView& y, const char* call) {
  check_compiled(model, call);
  check_data(model, x, y, call);
  const auto feeder = resident_feeder(model.context(), {x, y});
  feeder->begin(std::nullopt, 0);
  const std::shared_ptr<const Program> program = model.program(mode, x.rows(), x.dtype(), y.dtype());
  model.begin_pass(mode, feeder->next()->feed);
  program->run(1);
  model.request_state(mode);
  return logs_of(model, model.take_state());
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

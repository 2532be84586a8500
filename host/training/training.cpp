// fit: the loop over epochs, whatever feeds them. What a pass over rows is, is in launcher.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <glia/log.h>
#include <host/data/checks.h>     // defines: check_compiled
#include <host/training/files.h>  // defines: Checkpoint
#include <host/training/rows.h>
#include <host/training/training.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <utility>

namespace glia::training {
namespace {

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
  GLIA_CHECK(o.steps_per_epoch >= 0 && o.validation_steps >= 0, ValueError, "got steps_per_epoch ",
             o.steps_per_epoch, " and validation_steps ", o.validation_steps,
             ", expected at least 1, or 0 for all batches");
  GLIA_CHECK(o.memory_budget >= 0, ValueError, "got memory_budget ", o.memory_budget,
             ", expected bytes, or 0 for no limit");
}

/// The rows a fit validates on, ready to be read once an epoch.
struct Validation {
  Data data;  // that the feeder reads
  std::unique_ptr<Feeder> feeder;
  Pass pass;
  LaunchSize size = LaunchSize();
};

Logs validate(Core& model, Validation& validation, std::int64_t steps, const CallbackList& callbacks) {
  callbacks.each([](Callback& callback) { callback.on_test_begin(); });
  Progress silent(std::cout, 0, false);
  const auto begin = [&] { validation.feeder->begin(std::nullopt, 0); };
  begin();
  Position position;
  std::optional<Steps> some;
  if (steps > 0) some = Steps{steps, &position, begin};
  const Logs logs = model.trainer().logs(
      run_pass(model, validation.pass, *validation.feeder, validation.size, silent, &callbacks, some));
  callbacks.each([&](Callback& callback) { callback.on_test_end(logs); });
  return logs;
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
  const std::optional<Checkpoint>& checkpoint;  ///< from which it goes on
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

/// Callbacks of a fit, which a file that is saved meanwhile has the states of.
class FitCallbacks {
 public:
  FitCallbacks(Core& model, const FitOptions& options) : model_(model) {
    for (const Callbacks::Entry& entry : options.callbacks) model.fit_callbacks.push_back(&entry.get());
  }
  ~FitCallbacks() { model_.fit_callbacks.clear(); }
  FitCallbacks(const FitCallbacks&) = delete;
  FitCallbacks& operator=(const FitCallbacks&) = delete;

  /// Gives those that go on the states that the file had, the first of a class the first.
  void go_on(int first_epoch) const {
    std::vector<Core::KeptCallback> kept = std::exchange(model_.kept_callbacks, {});
    if (first_epoch == 0) return;
    for (Callback* callback : model_.fit_callbacks) {
      const std::string type = callback->type();
      const auto found = std::find_if(kept.begin(), kept.end(),
                                      [&](const Core::KeptCallback& one) { return one.type == type; });
      if (type.empty() || found == kept.end()) continue;
      callback->set_state(std::move(found->state));
      kept.erase(found);
    }
  }

 private:
  Core& model_;
};

/// Where a fit was before, as its options or a callback have it looked up.
std::optional<Checkpoint> checkpoint_of(const FitOptions& options) {
  std::string place = options.resume_from;
  for (const Callbacks::Entry& entry : options.callbacks)
    if (place.empty()) place = entry.get().resumes_from();
  return place.empty() ? std::nullopt : Checkpoint::newest(place);
}

int first_epoch_of(const FitOptions& options, const std::optional<Checkpoint>& checkpoint) {
  return checkpoint ? *checkpoint->epoch() : options.initial_epoch;
}

void go_on(Core& model, const std::optional<Checkpoint>& checkpoint) {
  if (!checkpoint) return;
  checkpoint->go_on(model);
  detail::tell(LogLevel::info, "fit goes on from '", checkpoint->path(), "', behind epoch ", model.epoch);
}

/// The epochs of a fit, whatever feeds them: `all_steps` of them go once over the rows. `shuffle()` gives the order of the next
/// time.
template <class NextShuffle>
History run_epochs(const Fitting& fitting, const Pass& pass, std::int64_t all_steps, Feeder& feeder,
                   std::optional<Validation>& validation, const NextShuffle& shuffle) {
  const auto& [owner, model, options, build, checkpoint] = fitting;
  const int first_epoch = first_epoch_of(options, checkpoint);
  const bool goes_on = options.steps_per_epoch > 0;  // an epoch where the one before ended
  const std::int64_t steps = goes_on ? options.steps_per_epoch : all_steps;
  const CallbackList callbacks(owner, model, options.callbacks,
                               params_of(fitting, steps, validation.has_value()));
  History history;
  LaunchSize size(callbacks.watches_batches(Mode::train));
  if (validation) validation->size = LaunchSize(callbacks.watches_batches(Mode::validate));
  Progress progress(std::cout, options.verbose, draws_bar(options.verbose));
  const FitCallbacks known(model, options);
  model.stop_training = false, model.epoch = first_epoch;
  callbacks.each([](Callback& callback) { callback.on_train_begin(); });
  go_on(model, checkpoint);  // behind on_train_begin, which refuses what cannot be
  known.go_on(first_epoch);
  build.keep();
  Position position;
  for (int epoch = first_epoch; epoch < options.epochs && !model.stop_training; ++epoch) {
    const double start = now();
    const auto begin = [&, epoch] { feeder.begin(shuffle(), epoch); };
    callbacks.each([&](Callback& callback) { callback.on_epoch_begin(epoch); });
    progress.begin_epoch(epoch, options.epochs, steps);
    if (!goes_on || epoch == first_epoch) begin();
    std::optional<Steps> some;
    if (goes_on) some = Steps{steps, &position, begin};
    Logs logs = model.trainer().logs(run_pass(model, pass, feeder, size, progress, &callbacks, some));
    if (validation && (epoch + 1) % options.validation_freq == 0)
      logs = joined(logs, validate(model, *validation, options.validation_steps, callbacks));
    progress.end(logs);
    model.epoch = epoch + 1;
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
  model.expect_no_run("fit");
  const Core::Run run(model, "fit");
  check_fit(options);
  check_compiled(model, "fit");
  BuildGuard build(model);
  build_for(model, x, "fit");
  const Data data = data_of(model, x, y, options.sample_weight, options.class_weight, "fit");
  const std::optional<Checkpoint> checkpoint = checkpoint_of(options);
  if (!checkpoint && options.initial_epoch >= options.epochs) {
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
  return run_epochs({owner, model, options, build, checkpoint}, pass, steps_for(rows, batch), *feeder,
                    validation, shuffle);
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
  model.expect_no_run("fit");
  const Core::Run run(model, "fit");
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
  const std::optional<Checkpoint> checkpoint = checkpoint_of(options);
  const int first_epoch = first_epoch_of(options, checkpoint);
  if (!checkpoint && options.initial_epoch >= options.epochs) return {};
  // The first batch tells the shapes; it is then the first to be trained on, where any is left.
  Dataset first_data = source.batch(std::max(std::min(first_epoch, options.epochs - 1), 0), 0);
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
  return run_epochs({owner, model, options, build, checkpoint}, pass, batches, *feeder, validation, shuffle);
}

}  // namespace glia::training

// Dqn::train: epochs, for callbacks, progress and history. What a step learns is in dqn.cpp.
// SPDX-License-Identifier: Apache-2.0
#include <glia/interrupt.h>
#include <host/reinforcement/dqn_engine.h>
#include <host/training/launcher.h>  // defines: CallbackList, now
#include <host/training/using.h>

#include <algorithm>
#include <iostream>

namespace glia {
namespace {

void check_train(std::int64_t steps, const DqnTrainOptions& o) {
  GLIA_CHECK(steps >= 0, ValueError, "train got ", steps, " steps, expected at least 0");
  GLIA_CHECK(o.steps_per_epoch >= 1, ValueError, "train got steps_per_epoch ", o.steps_per_epoch,
             ", expected at least 1");
  GLIA_CHECK(o.verbose >= 0 && o.verbose <= 2, ValueError, "train got verbose ", o.verbose,
             ", expected 0 (silent), 1 (progress bar) or 2 (one line an epoch)");
  GLIA_CHECK(o.evaluation_episodes >= 0 && o.evaluation_freq >= 1, ValueError,
             "train got evaluation_episodes ", o.evaluation_episodes, " and evaluation_freq ",
             o.evaluation_freq, ", expected at least 0 and at least 1");
}

}  // namespace

Logs Dqn::Engine::run_epoch(std::int64_t end, const std::atomic<bool>& stopped) {
  const std::int64_t updates_before = updates_;
  double sum = 0;
  std::int64_t episodes = 0;
  while (steps_ < end && !stopped) {
    InterruptGuard::check("train");
    act_and_learn([&](double episode_return) { sum += episode_return, ++episodes; });
  }
  Logs logs;
  if (updates_ > updates_before) {
    learner_->enqueue_logs();
    logs.set("loss", learner_->logs()["loss"]);
  }
  if (episodes > 0) logs.set("return", sum / static_cast<double>(episodes));
  logs.set("episodes", static_cast<double>(episodes));
  logs.set("epsilon", options_.epsilon.at(steps_));
  return logs;
}

History Dqn::Engine::train(std::int64_t steps, const DqnTrainOptions& options) {
  check_train(steps, options);
  const Using core(core_of(online_));
  core->expect_no_run("train");
  const Core::Run run(*core, "train");
  const std::int64_t last = steps_ + steps, length = options.steps_per_epoch;
  const auto epochs = static_cast<int>((last + length - 1) / length);
  TrainingParams params{.epochs = epochs,
                        .steps = length,
                        .verbose = options.verbose,
                        .keys = {"loss", "return", "episodes", "epsilon"},
                        .greater_is_better = {"return"}};
  if (options.evaluation_episodes > 0) params.keys.push_back("val_return");
  const training::CallbackList callbacks(online_, *core, options.callbacks, params);
  Progress progress(std::cout, options.verbose, draws_bar(options.verbose));
  History history;
  core->stop_training = false;
  callbacks.each([](Callback& callback) { callback.on_train_begin(); });
  while (steps_ < last && !core->stop_training) {
    const double start = training::now();
    const auto epoch = static_cast<int>(steps_ / length);
    const std::int64_t end = std::min(last, (epoch + 1) * length);
    callbacks.each([&](Callback& callback) { callback.on_epoch_begin(epoch); });
    progress.begin_epoch(epoch, epochs, end - steps_);
    Logs logs = run_epoch(end, core->stop_training);
    if (options.evaluation_episodes > 0 && (epoch + 1) % options.evaluation_freq == 0) {
      callbacks.each([](Callback& callback) { callback.on_test_begin(); });
      const double mean = evaluate(options.evaluation_episodes, options.evaluation_seed).mean();
      callbacks.each([&](Callback& callback) { callback.on_test_end(Logs({{"return", mean}})); });
      logs.set("val_return", mean);
    }
    progress.end(logs);
    core->epoch = epoch + 1;
    callbacks.each([&](Callback& callback) { callback.on_epoch_end(epoch, logs); });
    history.append(epoch, logs, training::now() - start);
  }
  callbacks.each([](Callback& callback) { callback.on_train_end(); });
  return history;
}

}  // namespace glia

// Launching the steps of a pass.
// SPDX-License-Identifier: Apache-2.0
#include <glia/interrupt.h>
#include <host/training/launcher.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace glia::training {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

namespace {

/// Launches the steps of a pass, two launches ahead of the device, and reads the totals behind each; one at a time
/// where a callback watches batches, so that it finds the model as that batch left it.
class Launcher {
 public:
  Launcher(Core& model, const Pass& pass, LaunchSize& size, Progress& progress, const CallbackList* callbacks)
      : model_(model), pass_(pass), size_(size), progress_(progress) {
    if (callbacks && !callbacks->empty()) callbacks_ = callbacks;
  }

  void run(std::int64_t batch, std::int64_t steps) {
    Pass pass = pass_;
    pass.batch = batch;
    if (steps > 1 && !last_) last_ = now();  // a single step has no launch to be sized
    std::shared_ptr<const Program> program;
    while (steps > 0 && !stopped()) {
      InterruptGuard::check(call());
      if (callbacks_) tell_of_begin();
      if (!program || callbacks_) program = model_.program(pass);  // a callback may set a schedule
      const std::int64_t count = std::min(steps, size_.steps());
      model_.run(*program, count);
      model_.passes().request(pass_.mode);
      steps -= count;
      if (waiting_ > 0) take();
      waiting_ = count;
      if (callbacks_ && callbacks_->watches_batches(pass_.mode)) take();
    }
  }
  /// Whether a callback ended the fit; a pass has one launch at least, so that there are totals.
  bool stopped() const { return is_ended() && done_ + waiting_ > 0; }
  /// The totals after the last step.
  PassState finish() {
    if (waiting_ > 0) take();
    return std::move(state_);
  }

 private:
  const char* call() const {
    return pass_.mode == Mode::train ? "fit" : pass_.mode == Mode::infer ? "predict" : "evaluate";
  }
  bool is_ended() const { return pass_.mode == Mode::train && model_.stop_training; }

  void tell_of_begin() const {
    const std::int64_t batch = done_ + waiting_;
    callbacks_->each([&](Callback& callback) {
      if (pass_.mode == Mode::train) callback.on_batch_begin(batch);
      if (pass_.mode == Mode::validate) callback.on_test_batch_begin(batch);
      if (pass_.mode == Mode::infer) callback.on_predict_batch_begin(batch);
    });
  }
  void tell_of_end() const {
    const std::int64_t batch = done_ - 1;
    const Logs logs = pass_.mode == Mode::infer ? Logs() : model_.trainer().logs(state_);
    callbacks_->each([&](Callback& callback) {
      if (pass_.mode == Mode::train) callback.on_batch_end(batch, logs);
      if (pass_.mode == Mode::validate) callback.on_test_batch_end(batch, logs);
      if (pass_.mode == Mode::infer) callback.on_predict_batch_end(batch);
    });
  }

  void take() {
    state_ = model_.passes().take();
    if (last_) {
      const double time = now();
      size_.took(time - std::exchange(*last_, time));
    }
    done_ += std::exchange(waiting_, 0);
    if (progress_.wants_update())
      progress_.update(done_, pass_.mode == Mode::infer ? Logs() : model_.trainer().logs(state_));
    if (!callbacks_) return;
    // A launch that was under way when the fit was stopped is not told of.
    const bool was_under_way = told_ && !callbacks_->watches_batches(pass_.mode);
    if (is_ended() && was_under_way) return;
    told_ = true;
    tell_of_end();
  }

  Core& model_;
  const Pass& pass_;
  LaunchSize& size_;
  Progress& progress_;
  const CallbackList* callbacks_ = nullptr;  // none where they are empty
  std::optional<double> last_;               // when the launch before was seen to be done
  std::int64_t waiting_ = 0;                 // steps of the launch whose totals are being read
  std::int64_t done_ = 0;
  bool told_ = false;  // callbacks, of a launch
  PassState state_;
};

}  // namespace

PassState run_pass(Core& model, const Pass& pass, Feeder& feeder, LaunchSize& size, Progress& progress,
                   const CallbackList* callbacks, const std::optional<Steps>& steps) {
  const Passes::End end(model.passes(), pass.mode);
  Launcher launcher(model, pass, size, progress, callbacks);
  Position own;
  Position& at = steps ? *steps->position : own;
  std::int64_t left = steps ? steps->count : -1;  // below 0: all there are
  bool first = true;
  while (left != 0 && !launcher.stopped()) {
    if (!at.chunk) at = {feeder.next(), 0};
    if (!at.chunk) {
      if (!steps) break;
      steps->again();
      at = {feeder.next(), 0};
    }
    if (std::exchange(first, false))
      model.passes().begin(pass.mode, at.chunk->fed, at.used);
    else
      model.passes().go_on(pass.mode, at.chunk->fed);
    const std::int64_t rows = at.chunk->rows - at.used;
    const std::int64_t whole = left < 0 ? rows / pass.batch : std::min(rows / pass.batch, left);
    launcher.run(pass.batch, whole);
    at.used += whole * pass.batch, left -= left < 0 ? 0 : whole;
    if (const std::int64_t rest = rows - whole * pass.batch; left != 0 && rest > 0 && rest < pass.batch) {
      launcher.run(rest, 1);
      at.used += rest, left -= left < 0 ? 0 : 1;
    }
    if (at.used == at.chunk->rows) at.chunk.reset();
  }
  return launcher.finish();
}

}  // namespace glia::training

// A pass over rows: which steps go in one launch, and who is told of them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/callbacks.h>
#include <host/data/feeder.h>
#include <host/model/core.h>
#include <host/training/progress.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace glia::training {

/// Seconds since some fixed moment.
double now();

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

/// The callbacks of a call, and what they are told.
class CallbackList {
 public:
  CallbackList(Model& owner, const Core& model, const Callbacks& callbacks, const TrainingParams& params)
      : owner_(&owner), model_(model) {
    for (const Callbacks::Entry& entry : callbacks) {
      callbacks_.push_back(&entry.get());
      watches_batches_ = watches_batches_ || entry.get().watches_batches();
      watches_test_batches_ = watches_test_batches_ || entry.get().watches_test_batches();
    }
    for (Callback* callback : callbacks_) callback->attach(owner, params);
  }
  ~CallbackList() {
    for (Callback* callback : callbacks_) callback->detach();
  }
  CallbackList(const CallbackList&) = delete;
  CallbackList& operator=(const CallbackList&) = delete;

  bool empty() const { return callbacks_.empty(); }
  bool watches_batches(Mode mode) const {
    return mode == Mode::train ? watches_batches_ : watches_test_batches_;
  }
  template <class Moment>
  void each(const Moment& moment) const {
    for (Callback* callback : callbacks_) {
      moment(*callback);
      GLIA_CHECK(model_.owner == owner_, StateError,
                 "a callback destroyed, assigned or moved the model that it was called for, which ended fit, "
                 "evaluate or predict: call stop_training() in callbacks, and do this after them");
    }
  }

 private:
  const Model* owner_;  // an address alone, once a callback was called
  const Core& model_;
  std::vector<Callback*> callbacks_;
  bool watches_batches_ = false, watches_test_batches_ = false;
};

/// Which Programs a pass runs: this one and, for the rows that are left, the one for a smaller batch.
using Pass = ProgramKey;

/// Where a pass is in what feeds it: passes of some steps go on where the one before ended.
struct Position {
  std::optional<Chunk> chunk;
  std::int64_t used = 0;  ///< rows of it
};

/// Some steps of a pass, where that does not end with its rows.
struct Steps {
  std::int64_t count;
  Position* position;
  std::function<void()> again;  ///< lets the feeder begin once more, when its rows are used up
};

/// Runs steps over all rows, the partial last batch included, or as many as are asked for, two launches ahead of the device.
/// Returns the totals.
PassState run_pass(Core& model, const Pass& pass, Feeder& feeder, LaunchSize& size, Progress& progress,
                   const CallbackList* callbacks = nullptr, const std::optional<Steps>& steps = std::nullopt);

}  // namespace glia::training

// Profile: the steps that a profiler recorded. Core and Predictor hold it while they are watched.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/program.h>
#include <host/base/hidden.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace glia {

class GLIA_HIDDEN Profile {
 public:
  /// The steps of all Programs that are in the same words: same mode, batch size and Ops.
  struct Section {
    Device device;
    Mode mode;
    std::int64_t batch;
    std::shared_ptr<const std::vector<OpOutline>> ops;
    std::int64_t steps = 0;
    struct Sum {
      double seconds = 0;
      std::int64_t launches = 0;
    };
    std::vector<Sum> sums = {};  ///< one an Op
  };
  struct Step {
    std::size_t section;
    double start;  ///< seconds since the profile was made
    std::vector<OpTime> ops;
  };
  struct Recorded {
    std::vector<Section> sections;
    std::vector<Step> steps;
  };

  /// Runs steps Op by Op and records them. Any thread may call, as those that others make.
  void run(const Program& program, std::int64_t steps);
  void run(const Program& program, const Given& given) { record(program, &given); }

  void stop() { stopped_ = true; }
  bool is_stopped() const { return stopped_; }
  void clear();
  /// What was recorded until now.
  Recorded recorded() const;

 private:
  using Clock = std::chrono::steady_clock;

  void record(const Program& program, const Given* given);
  std::size_t section_of(const Program& program);

  /// Of steps beyond this many Ops there are only sums.
  static constexpr std::size_t most_ops = 1'000'000;

  const Clock::time_point made_ = Clock::now();
  std::atomic<bool> stopped_{false};
  mutable std::mutex mutex_;
  Recorded recorded_;
  std::size_t recorded_ops_ = 0;
};

/// Runs a Program's steps, or one over given rows; where a profile is there, through it. One that is stopped goes.
template <class Steps>
void run_watched(std::shared_ptr<Profile>& profile, const Program& program, const Steps& steps) {
  if (profile && profile->is_stopped()) profile.reset();
  if (profile) return profile->run(program, steps);
  if constexpr (std::is_same_v<Steps, Given>)
    program.run_given(steps);
  else
    program.run(steps);
}

/// Puts a profile where none is, or one that is stopped. Throws StateError where another is at work on `watched`.
inline void watch(std::shared_ptr<Profile>& place, std::shared_ptr<Profile> profile, const char* watched) {
  GLIA_CHECK(!place || place->is_stopped(), StateError, "another profiler watches this ", watched,
             ": stop() it, or ask it for what you want to know");
  place = std::move(profile);
}

}  // namespace glia

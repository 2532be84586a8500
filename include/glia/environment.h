// Environment: what an agent acts in, step by step, and several of them side by side.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/shape.h>
#include <glia/tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace GLIA_API glia {

/// What observations are: float32 numbers of a shape, row-major, each within its bounds, which may be infinite.
struct Box {
  Shape shape;
  std::vector<double> low, high;  ///< one for each number

  std::int64_t size() const { return shape.elements(); }
};

/// What actions are: the whole numbers from 0 to n - 1.
struct Discrete {
  std::int64_t n = 0;
};

/// What an action led to.
struct EnvironmentStep {
  std::vector<float> observation;
  double reward = 0;
  bool terminated = false;  ///< the episode is over: nothing comes after this observation
  bool truncated = false;   ///< the episode is broken off, by its limit of steps: more would have come

  bool ends() const { return terminated || truncated; }
};

/// The base of environments, in the terms of Gymnasium (Towers et al. 2024, arXiv:2407.17032). An episode begins with reset() and
/// goes on by step() until that says so. All that is random in an episode follows from the seed it began with.
///
///     glia::CartPole environment;
///     std::vector<float> observation = environment.reset(7);
///     for (glia::EnvironmentStep step; !step.ends();) {
///       step = environment.step(policy(observation));
///       observation = step.observation;
///     }
///
/// An environment computes on the host, allocates what it returns, and is for one thread at a time.
class Environment {
 public:
  virtual ~Environment() = default;

  /// The class, for messages and files: "CartPole".
  virtual std::string type() const = 0;
  virtual Box observation_space() const = 0;
  virtual Discrete action_space() const = 0;

  /// Begins an episode, and returns its first observation: the same for the same seed.
  virtual std::vector<float> reset(std::uint64_t seed) = 0;
  /// Throws ValueError for an action outside of action_space(), StateError where no episode is under way.
  virtual EnvironmentStep step(std::int64_t action) = 0;

  /// All that step() depends on, and where the episode is: of finite numbers, the same number in every state.
  virtual std::vector<double> state() const = 0;
  /// Goes on as the environment that state() was asked of, to the bit. Throws ValueError for what is no state of it.
  virtual void set_state(const std::vector<double>& state) = 0;
  /// Another with the same options, in the same state.
  virtual std::unique_ptr<Environment> clone() const = 0;
  /// The state as elements of SVG, in a box 600 wide and 400 high: a frame of plot_episode(); empty where it cannot be drawn.
  virtual std::string picture() const { return {}; }
};

/// Copies of an environment side by side. When the episode of one is over, its next begins at once. Environment i begins its
/// episode e with a seed that follows from (seed, i, e).
class VectorEnvironment {
 public:
  /// Throws ValueError for a count below 1, and for an environment whose spaces cannot be: no actions, no numbers, or bounds that
  /// are not one for each number.
  VectorEnvironment(const Environment& environment, std::int64_t count, std::uint64_t seed);

  std::int64_t size() const { return static_cast<std::int64_t>(environments_.size()); }
  const Environment& operator[](std::int64_t i) const { return *environments_[static_cast<std::size_t>(i)]; }
  /// What the next actions are to answer: (size, numbers), float32, on the CPU; of an environment that has just ended an episode,
  /// the first observation of the next.
  const Tensor& observations() const { return observations_; }
  /// One action for each. Returns what they led to; behind the end of an episode the observation is its last. Throws ValueError
  /// for another number of actions, and for an environment that gives NaN or an infinite reward; ShapeError for an observation of
  /// another size than its space says.
  std::vector<EnvironmentStep> step(const std::vector<std::int64_t>& actions);

  /// How many episodes each has begun.
  const std::vector<std::int64_t>& episodes() const { return episodes_; }
  /// (size, numbers of Environment::state()), float64.
  Tensor state() const;
  /// Goes on as where these came from: state(), observations() and episodes(). Throws ShapeError for other shapes and
  /// numbers, ValueError for what is no state; nothing changes then.
  void set_state(const Tensor& state, const Tensor& observations, const std::vector<std::int64_t>& episodes);

 private:
  void observe(std::size_t i, const std::vector<float>& observation);
  void begin_episode(std::size_t i);

  std::uint64_t seed_;
  std::vector<std::unique_ptr<Environment>> environments_;
  std::vector<std::int64_t> episodes_;
  Tensor observations_;
};

/// Throws ValueError, naming the environment, for an observation with NaN; ShapeError for one of another size than this, which its
/// space says: that is not asked, since a space is allocated and steps are many.
void check_observation(const Environment& environment, std::int64_t size,
                       const std::vector<float>& observation);

}  // namespace glia

// What all environments are checked for, and several of them side by side.
// SPDX-License-Identifier: Apache-2.0
#include <glia/environment.h>
#include <glia/error.h>
#include <glia/math/philox.h>

#include <algorithm>
#include <cmath>

namespace glia {
namespace {

void check_spaces(const Environment& environment) {
  const Box box = environment.observation_space();
  const auto size = static_cast<std::size_t>(std::max<std::int64_t>(box.size(), 0));
  GLIA_CHECK(size >= 1, ValueError, environment.type(), " has observations of shape ", box.shape,
             ", expected at least one number");
  GLIA_CHECK(box.low.size() == size && box.high.size() == size, ValueError, environment.type(),
             " has observations of shape ", box.shape, " with ", box.low.size(), " lower and ",
             box.high.size(), " upper bounds, expected one of each for each number");
  for (std::size_t i = 0; i < size; ++i)
    GLIA_CHECK(box.low[i] <= box.high[i], ValueError, environment.type(), " has bounds ", box.low[i], " to ",
               box.high[i], " of number ", i, " of its observations, expected the lower first");
  GLIA_CHECK(environment.action_space().n >= 1, ValueError, environment.type(), " has ",
             environment.action_space().n, " actions, expected at least 1");
}

}  // namespace

void check_observation(const Environment& environment, std::int64_t size,
                       const std::vector<float>& observation) {
  GLIA_CHECK(static_cast<std::int64_t>(observation.size()) == size, ShapeError, environment.type(),
             " gave an observation of ", observation.size(), " numbers, expected ", size,
             ", as its observation_space has: ", environment.observation_space().shape);
  for (std::size_t i = 0; i < observation.size(); ++i)
    GLIA_CHECK(!std::isnan(observation[i]), ValueError, environment.type(), " gave NaN as number ", i,
               " of an observation: nothing can be learned from it; look for a division by 0 in its step");
}

VectorEnvironment::VectorEnvironment(const Environment& environment, std::int64_t count, std::uint64_t seed)
    : seed_(seed) {
  GLIA_CHECK(count >= 1, ValueError, "got ", count, " environments, expected at least 1");
  check_spaces(environment);
  for (std::int64_t i = 0; i < count; ++i) environments_.push_back(environment.clone());
  episodes_.resize(environments_.size());
  observations_ = Tensor::zeros({count, environment.observation_space().size()});
  for (std::size_t i = 0; i < environments_.size(); ++i) begin_episode(i);
}

void VectorEnvironment::begin_episode(std::size_t i) {
  const Philox philox{seed_, Purpose::environment, i + 1};  // step 0 is what environments themselves draw
  const PhiloxBlock block = philox.block(static_cast<std::uint64_t>(episodes_[i]++));
  observe(i, environments_[i]->reset(std::uint64_t{block.word[0]} << 32 | block.word[1]));
}

void VectorEnvironment::observe(std::size_t i, const std::vector<float>& observation) {
  check_observation(*environments_[i], observations_.shape()[1], observation);
  std::copy(observation.begin(), observation.end(), observations_.data<float>() + i * observation.size());
}

std::vector<EnvironmentStep> VectorEnvironment::step(const std::vector<std::int64_t>& actions) {
  GLIA_CHECK(actions.size() == environments_.size(), ValueError, "got ", actions.size(), " actions for ",
             environments_.size(), " environments, expected one for each");
  std::vector<EnvironmentStep> steps;
  steps.reserve(actions.size());
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const EnvironmentStep& step = steps.emplace_back(environments_[i]->step(actions[i]));
    GLIA_CHECK(std::isfinite(step.reward), ValueError, environments_[i]->type(), " gave the reward ",
               step.reward, ", expected a finite number");
    observe(i, step.observation);
    if (step.ends()) begin_episode(i);
  }
  return steps;
}

Tensor VectorEnvironment::state() const {
  std::vector<double> all;
  for (const auto& environment : environments_) {
    const std::vector<double> one = environment->state();
    all.insert(all.end(), one.begin(), one.end());
  }
  const auto numbers = static_cast<std::int64_t>(all.size()) / size();
  return Tensor(all, {size(), numbers});
}

void VectorEnvironment::set_state(const Tensor& state, const Tensor& observations,
                                  const std::vector<std::int64_t>& episodes) {
  const Tensor own = this->state();
  GLIA_CHECK(state.shape() == own.shape() && state.dtype() == DType::float64, ShapeError,
             "environments got a state of shape ", state.shape(), " and ", state.dtype(),
             ", expected float64 ", own.shape());
  GLIA_CHECK(observations.shape() == observations_.shape() && observations.dtype() == DType::float32,
             ShapeError, "environments got observations of shape ", observations.shape(), " and ",
             observations.dtype(), ", expected float32 ", observations_.shape());
  GLIA_CHECK(episodes.size() == episodes_.size() &&
                 std::all_of(episodes.begin(), episodes.end(), [](std::int64_t e) { return e >= 1; }),
             ShapeError, "environments got ", episodes.size(), " numbers of episodes, expected ",
             episodes_.size(), ", each at least 1");
  std::vector<std::unique_ptr<Environment>> restored;
  const double* numbers = state.data<double>();
  for (const auto& environment : environments_) {
    restored.push_back(environment->clone());
    restored.back()->set_state({numbers, numbers + state.row(0).size()});
    numbers += state.row(0).size();
  }
  environments_ = std::move(restored);
  observations_ = observations.clone(), episodes_ = episodes;
}

}  // namespace glia

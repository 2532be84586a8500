// What Glia's environments have in common: actions that are checked, a limit of steps, states to go on from.
// SPDX-License-Identifier: Apache-2.0
#include <glia/environments.h>
#include <glia/error.h>
#include <glia/math/philox.h>

#include <cmath>

namespace glia {

TimeLimitedEnvironment::TimeLimitedEnvironment(std::int64_t max_episode_steps, std::size_t numbers)
    : max_episode_steps_(max_episode_steps), numbers_(numbers) {
  GLIA_CHECK(max_episode_steps >= 1, ValueError, "an environment got max_episode_steps ", max_episode_steps,
             ", expected at least 1");
}

double TimeLimitedEnvironment::draw(std::uint64_t index) const {
  const PhiloxBlock block = Philox{seed_, Purpose::environment, 0}.block(index);
  const std::uint64_t bits = (std::uint64_t{block.word[0]} << 32 | block.word[1]) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

std::vector<float> TimeLimitedEnvironment::observation_of(const std::vector<double>& numbers) const {
  return {numbers.begin(), numbers.end()};
}

void TimeLimitedEnvironment::check(const std::vector<double>&) const {}

std::vector<float> TimeLimitedEnvironment::reset(std::uint64_t seed) {
  seed_ = seed, elapsed_ = 0, phase_ = Phase::under_way;
  begin(numbers_);
  return observation_of(numbers_);
}

EnvironmentStep TimeLimitedEnvironment::step(std::int64_t action) {
  GLIA_CHECK(phase_ == Phase::under_way, StateError, type(), " was asked for a step ",
             phase_ == Phase::none ? "before an episode began" : "behind the end of an episode",
             ": call reset first");
  GLIA_CHECK(action >= 0 && action < action_space().n, ValueError, type(), " got action ", action,
             ", expected 0 to ", action_space().n - 1);
  ++elapsed_;
  const auto [reward, terminated] = move(numbers_, action);
  const EnvironmentStep step{observation_of(numbers_), reward, terminated, elapsed_ >= max_episode_steps_};
  if (step.ends()) phase_ = Phase::over;
  return step;
}

std::vector<double> TimeLimitedEnvironment::state() const {
  std::vector<double> state = numbers_;
  state.push_back(static_cast<double>(phase_)), state.push_back(static_cast<double>(elapsed_));
  state.push_back(static_cast<double>(seed_ >> 32));  // in halves, which float64 holds
  state.push_back(static_cast<double>(seed_ & 0xFFFFFFFF));
  return state;
}

void TimeLimitedEnvironment::set_state(const std::vector<double>& state) {
  const std::size_t count = numbers_.size();
  GLIA_CHECK(state.size() == count + 4, ValueError, type(), " got a state of ", state.size(),
             " numbers, expected ", count + 4, ": what state() of one with the same options gave");
  const auto whole = [&](std::size_t i, double most) {
    const double value = state[count + i];
    GLIA_CHECK(value >= 0 && value <= most && value == std::floor(value), ValueError, type(), " got ", value,
               " as number ", count + i, " of its state, expected a whole number of at most ", most);
    return static_cast<std::uint64_t>(value);
  };
  const std::vector<double> numbers(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(count));
  for (const double number : numbers)
    GLIA_CHECK(std::isfinite(number), ValueError, type(), " got ", number,
               " in its state, expected finite numbers");
  const auto phase = static_cast<Phase>(whole(0, 2));
  const auto elapsed = static_cast<std::int64_t>(whole(1, static_cast<double>(max_episode_steps_)));
  const std::uint64_t high = whole(2, 0xFFFFFFFF), low = whole(3, 0xFFFFFFFF);
  if (phase != Phase::none) check(numbers);
  numbers_ = numbers, phase_ = phase, elapsed_ = elapsed, seed_ = high << 32 | low;
}

}  // namespace glia

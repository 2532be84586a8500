// The policy gradient, written out: after each episode log pi(action | observation) is pushed by how much better than expected things
// went from there on. REINFORCE with a baseline (Williams 1992; Sutton and Barto, "Reinforcement learning", 2018, section 13.4) in
// one model of two outputs, by backward() and apply_gradients().
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <random>
#include <vector>

#include "common.h"

namespace {

constexpr double gamma = 0.99;

struct Options : samples::Options {
  int epochs = 600;
};

/// What was seen, done and given in an episode.
struct Played {
  std::vector<float> observations;
  std::vector<std::int32_t> actions;
  std::vector<float> rewards;

  std::int64_t steps() const { return static_cast<std::int64_t>(actions.size()); }
};

/// One episode with actions drawn from the policy.
Played play(glia::Environment& environment, glia::Predictor& policy, std::uint64_t seed,
            std::mt19937_64& random) {
  Played played;
  std::vector<float> observation = environment.reset(seed);
  for (glia::EnvironmentStep step; !step.ends(); observation = step.observation) {
    float outputs[3];  // the probabilities of both actions, and what is expected
    const void* const in[] = {observation.data()};
    void* const out[] = {outputs, outputs + 2};
    policy.enqueue(in, out, 1);
    const auto action =
        static_cast<std::int32_t>(std::uniform_real_distribution<float>()(random) >= outputs[0]);
    step = environment.step(action);
    played.observations.insert(played.observations.end(), observation.begin(), observation.end());
    played.actions.push_back(action), played.rewards.push_back(static_cast<float>(step.reward));
  }
  return played;
}

/// G_t = r_t + gamma G_(t + 1).
glia::Tensor returns_of(const Played& played) {
  std::vector<float> returns = played.rewards;
  for (std::size_t t = returns.size(); t-- > 1;) returns[t - 1] += static_cast<float>(gamma) * returns[t];
  return glia::Tensor(returns);
}

void run(const Options& options) {
  const glia::Symbol x = glia::Input({4});
  const glia::Symbol hidden = glia::Dense(64, "tanh")(x);
  const glia::Symbol policy = glia::Dense(2, {.activation = "softmax", .name = "policy"})(hidden);
  const glia::Symbol value = glia::Dense(1, {.name = "value"})(glia::Dense(64, "tanh")(x));
  glia::Model model({x}, {policy, value});
  model.set_seed(options.seed);
  // The steps get shorter, so that a good policy is not lost again.
  const glia::PolynomialDecay rate{0.01, std::max(options.epochs, 1) * 1.0, 0};
  model.compile({.optimizer = glia::Adam{.learning_rate = rate, .global_clipnorm = 1},
                 .loss = {{"policy", "sparse_categorical_crossentropy"}, {"value", glia::Huber{.delta = 10}}},
                 .device = options.device});
  model.summary();
  // On the CPU, where an environment's numbers are.
  GLIA_CHECK(model.context().device().is_cpu(), glia::DeviceError, "got --device ", options.device,
             ", expected cpu: one observation at a time is no work for a GPU");
  glia::Predictor actor = model.predictor();
  glia::CartPole environment;
  std::mt19937_64 random(options.seed);
  double recent = 0;
  std::cout << std::fixed << std::setprecision(1);
  for (int episode = 1; episode <= options.epochs; ++episode) {
    const Played played = play(environment, actor, random(), random);
    const glia::Tensor observations(played.observations, {played.steps(), 4}), returns = returns_of(played);
    const glia::Tensor actions(played.actions);
    // -log pi(a_t) is the cross entropy of a_t; its weight says by how much better than expected it went, in units of the deviation.
    const glia::Tensor advantage =
        returns - model.predict_all(observations, {.verbose = 0})["value"].reshape({-1});
    const double deviation = std::sqrt((advantage * advantage).mean()) + 1e-6;
    const glia::Tensor weights = advantage / deviation;
    model.backward(observations, {{"policy", actions}, {"value", returns}}, {{"policy", weights}});
    model.apply_gradients();
    recent += static_cast<double>(played.steps());
    if (episode % 50 != 0) continue;
    std::cout << "Episodes " << episode - 49 << " to " << episode << ": mean return " << recent / 50
              << std::endl;
    recent = 0;
  }
  double total = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    total += static_cast<double>(play(environment, actor, 1000000 + seed, random).steps());
  std::cout << "Mean return of 100 new episodes: " << total / 100 << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.device = "cpu";
  CLI::App app("Learns to balance a pole by REINFORCE with a baseline.");
  samples::add_options(app, options);
  samples::add_epochs_option(app, options.epochs, "Episodes to learn from");
  return samples::run(app, argc, argv, [&] { run(options); });
}

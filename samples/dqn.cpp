// An agent learns to balance a pole or to cross a frozen lake, and tries to swing a car up a hill, by deep Q-learning: how its returns
// grow, what an episode looks like, and how good it is in the end, on episodes that it never saw.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "common.h"

namespace {

constexpr std::int64_t test_episodes = 100;

struct Options : samples::Options {
  std::string environment = "cartpole", json, plot, episode, save, resume;
  std::int64_t steps = 100000;
  int verbose = 1;
};

std::unique_ptr<glia::Environment> environment_of(const Options& options) {
  if (options.environment == "mountaincar") return std::make_unique<glia::MountainCar>();
  if (options.environment == "gridworld") return std::make_unique<glia::GridWorld>();
  return std::make_unique<glia::CartPole>();
}

/// An agent that learns rarely, but then much at a time, towards a target that stays meanwhile; half as many updates as steps are
/// enough. Rewards of three steps carry what ends an episode back faster than those of one; the learning rate falls to 0, so that it
/// stays with what it found.
glia::DqnOptions agent_of(const Options& options) {
  const auto steps = static_cast<double>(options.steps);
  const double updates = std::max((steps - 1000) / 2, 1.0);
  glia::DqnOptions agent{.hidden = {64, 64},
                         .optimizer = glia::Adam{.learning_rate = glia::PolynomialDecay{2.3e-3, updates, 0},
                                                 .global_clipnorm = 10},
                         .huber_delta = 20,
                         .n_step = 3,
                         .epsilon = glia::PolynomialDecay{1, std::max(0.16 * steps, 1.0), 0.04},
                         .train_frequency = 256,
                         .gradient_steps = 128,
                         .target_frequency = 128,
                         .seed = options.seed,
                         // Small networks: a second thread would only wait for the first.
                         .context = glia::Context({.device = options.device, .threads = 1})};
  if (options.environment == "mountaincar") agent.gamma = 0.98, agent.n_step = 10;
  if (options.environment == "gridworld")
    agent.train_frequency = 16, agent.gradient_steps = 8, agent.gamma = 0.95;
  return agent;
}

/// Keeps the weights with the best mean return so far.
class Best : public glia::Callback {
 public:
  explicit Best(const glia::Dqn& agent) : agent_(agent) {}

  void on_epoch_end(int, glia::Logs& logs) override {
    if (!logs.contains("val_return") || (!weights_.empty() && logs["val_return"] <= mean_return_)) return;
    weights_ = model().get_weights(), mean_return_ = logs["val_return"], steps_ = agent_.steps();
  }

  const std::vector<glia::Tensor>& weights() const { return weights_; }
  std::int64_t steps() const { return steps_; }

 private:
  const glia::Dqn& agent_;
  std::vector<glia::Tensor> weights_;
  double mean_return_ = 0;
  std::int64_t steps_ = 0;
};

void say(const std::string& who, const glia::EpisodeReturns& returns) {
  std::cout << who << ": mean return " << returns.mean() << " of " << returns.returns.size()
            << " new episodes, standard deviation " << returns.standard_deviation() << '\n';
}

void run(const Options& options) {
  const std::unique_ptr<glia::Environment> environment = environment_of(options);
  glia::Dqn agent(*environment, agent_of(options));
  if (!options.resume.empty()) agent.load(options.resume);
  agent.model().summary();

  Best best(agent);
  const auto start = std::chrono::steady_clock::now();
  const glia::History history = agent.train(
      options.steps,
      {.callbacks = {&best}, .verbose = options.verbose, .evaluation_episodes = 20, .evaluation_freq = 5});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!options.save.empty()) agent.save(options.save);
  std::cout << std::fixed << std::setprecision(1) << agent.steps() << " steps in " << seconds << " s\n";
  const glia::EpisodeReturns final_returns = agent.evaluate(test_episodes);
  say("The final agent", final_returns);
  if (!options.episode.empty())
    glia::plot_episode(*environment, agent.play(1000000), options.episode,
                       {.title = environment->type() + " after " + std::to_string(agent.steps()) + " steps"});
  nlohmann::json json = {{"environment", options.environment},
                         {"seed", options.seed},
                         {"steps", agent.steps()},
                         {"seconds", seconds},
                         {"mean_return", final_returns.mean()},
                         {"standard_deviation", final_returns.standard_deviation()}};
  if (!best.weights().empty()) {
    agent.model().set_weights(best.weights());
    const glia::EpisodeReturns best_returns = agent.evaluate(test_episodes);
    say("The best one, after " + std::to_string(best.steps()) + " steps", best_returns);
    json["best_mean_return"] = best_returns.mean(), json["best_steps"] = best.steps();
  }
  if (!options.plot.empty() && !history.epoch().empty())
    history.plot(options.plot, {.title = environment->type() + ", epochs of 1,000 steps"});
  if (options.json.empty()) return;
  std::ofstream file(options.json);
  GLIA_CHECK(file << json.dump(2) << '\n'
                  << std::flush,
             glia::FileError, "cannot write to ", options.json,
             ": free some space there, or name another file");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.seed = 1;
  CLI::App app("Trains an agent by deep Q-learning, and plays 100 new episodes with it.");
  samples::add_options(app, options);
  app.add_option("--environment", options.environment, "What it acts in")
      ->check(CLI::IsMember({"cartpole", "mountaincar", "gridworld"}));
  app.add_option("--steps", options.steps, "In the environment")->check(CLI::NonNegativeNumber);
  app.add_option("--verbose", options.verbose, "0: silent, 1: progress bar, 2: a line an epoch")
      ->check(CLI::Range(0, 2));
  app.add_option("--json", options.json, "Write mean returns, steps and seconds to this file")
      ->check(samples::unwritable);
  app.add_option("--plot", options.plot, "Draw the curves of returns and loss, an SVG file")
      ->check(samples::unwritable);
  app.add_option("--episode", options.episode, "Draw an episode as it is played, an SVG file")
      ->check(samples::unwritable);
  app.add_option("--save", options.save, "Write all that training goes on from to this safetensors file")
      ->check(samples::unwritable);
  app.add_option("--resume", options.resume, "Go on from such a file")->check(CLI::ExistingFile);
  return samples::run(app, argc, argv, [&] { run(options); });
}

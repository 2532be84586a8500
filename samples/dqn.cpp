// An agent learns to balance a pole, to swing a car up a hill or to cross a frozen lake, by deep Q-learning: what it does, how its
// returns grow, and how good it is in the end, on episodes that it never saw.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

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
  bool all_steps = false;
};

/// An environment, an agent for it, and the mean return from which it counts as solved.
struct Task {
  std::unique_ptr<glia::Environment> environment;
  glia::DqnOptions agent;
  double solved;
};

Task task_of(const Options& options) {
  Task task;
  if (options.environment == "cartpole") {
    task = {std::make_unique<glia::CartPole>(), {}, 475};
  } else if (options.environment == "mountaincar") {
    task = {std::make_unique<glia::MountainCar>(), {}, -110};
  } else {
    task = {std::make_unique<glia::GridWorld>(), {}, 1};
  }
  task.agent.seed = options.seed;
  return task;
}

/// Keeps the weights with the best mean return, and ends the training where more episodes say that the task is solved.
class Judge : public glia::Callback {
 public:
  Judge(glia::Dqn& agent, double solved, bool stops) : agent_(agent), solved_(solved), stops_(stops) {}

  void on_epoch_end(int, glia::Logs& logs) override {
    if (!logs.contains("val_return")) return;
    const double now = logs["val_return"];
    if (best_.empty() || now > best_return_)
      best_ = model().get_weights(), best_return_ = now, best_steps_ = agent_.steps();
    if (stops_ && now >= solved_ && agent_.evaluate(test_episodes, 3000000).mean() >= solved_)
      model().stop_training();
  }

  const std::vector<glia::Tensor>& best() const { return best_; }
  std::int64_t best_steps() const { return best_steps_; }

 private:
  glia::Dqn& agent_;
  double solved_;
  bool stops_;
  std::vector<glia::Tensor> best_;
  double best_return_ = 0;
  std::int64_t best_steps_ = 0;
};

void say(const std::string& who, const glia::EpisodeReturns& returns) {
  std::cout << who << ": mean return " << returns.mean() << " of " << returns.returns.size()
            << " new episodes, standard deviation " << returns.standard_deviation() << '\n';
}

void run(const Options& options) {
  const Task task = task_of(options);
  glia::DqnOptions how = task.agent;
  // Small networks: a second thread would only wait for the first.
  how.context = glia::Context({.device = options.device, .threads = 1});
  glia::Dqn agent(*task.environment, how);
  if (!options.resume.empty()) agent.load(options.resume);
  agent.model().summary();

  Judge judge(agent, task.solved, !options.all_steps);
  const auto start = std::chrono::steady_clock::now();
  const glia::History history = agent.train(
      options.steps,
      {.callbacks = {&judge}, .verbose = options.verbose, .evaluation_episodes = 20, .evaluation_freq = 2});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!options.save.empty()) agent.save(options.save);
  std::cout << std::fixed << std::setprecision(1) << agent.steps() << " steps in " << seconds << " s\n";
  const glia::EpisodeReturns final_returns = agent.evaluate(test_episodes);
  say("The final agent", final_returns);
  if (!options.episode.empty())
    glia::plot_episode(
        *task.environment, agent.play(1000000), options.episode,
        {.title = task.environment->type() + " after " + std::to_string(agent.steps()) + " steps"});
  nlohmann::json json = {{"environment", options.environment},
                         {"seed", options.seed},
                         {"steps", agent.steps()},
                         {"seconds", seconds},
                         {"mean_return", final_returns.mean()},
                         {"standard_deviation", final_returns.standard_deviation()}};
  if (!judge.best().empty()) {
    agent.model().set_weights(judge.best());
    const glia::EpisodeReturns best = agent.evaluate(test_episodes);
    say("The best one, after " + std::to_string(judge.best_steps()) + " steps", best);
    json["best_mean_return"] = best.mean(), json["best_steps"] = judge.best_steps();
  }
  if (!options.plot.empty() && !history.epoch().empty())
    history.plot(options.plot, {.title = task.environment->type() + ", epochs of 1,000 steps"});
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
  app.add_option("--steps", options.steps, "In the environment, at most: it ends when the task is solved")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--all-steps", options.all_steps, "Goes on when the task is solved");
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

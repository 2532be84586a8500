// Dqn::Engine: what stands behind a Dqn: its networks, the model that learns, and what it acts in.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/dqn.h>
#include <host/reinforcement/n_step.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace glia {

class Dqn::Engine {
 public:
  Engine(const Environment& environment, Model network, const DqnOptions& options);

  History train(std::int64_t steps, const DqnTrainOptions& options);
  EpisodeReturns evaluate(std::int64_t episodes, std::uint64_t seed);
  Episode play(std::uint64_t seed);
  std::int64_t act(const std::vector<float>& observation);
  void save(const std::string& path) const;
  void load(const std::string& path);

  Model& model() { return online_; }
  const ReplayBuffer& replay() const { return replay_; }
  std::int64_t steps() const { return steps_; }
  std::int64_t updates() const { return updates_; }

 private:
  /// What the actions of observations, no more than there are environments, are worth: (rows, actions). Valid until the next call.
  const float* worths(const TensorView& observations);
  std::int64_t best_of(const float* worths) const;
  /// For each environment, in actions_.
  void explore(const TensorView& observations);
  /// One step of each environment; calls ended(return) for each episode that ended.
  void act_and_learn(const std::function<void(double)>& ended);
  void learn();
  /// Rows of a batch as steps read them: without waiting for what gathers them, which is on their stream.
  TensorView on_device(const Tensor& tensor) const;
  void follow();
  /// Steps, updates and rewards of one epoch; adds to the logs what it learned.
  Logs run_epoch(std::int64_t end, const std::atomic<bool>& stopped);

  DqnOptions options_;
  Context context_;
  VectorEnvironment environments_;
  std::unique_ptr<Environment> player_;  // of evaluations
  ReplayBuffer replay_;
  std::vector<NStep> waiting_;   // of each environment
  std::vector<double> returns_;  // of the episodes that are under way
  std::int64_t steps_ = 0, updates_ = 0;

  Model online_, target_;
  Model learning_;  // both, and the temporal difference of a row of the buffer
  std::optional<Predictor> actor_;
  std::optional<Learner> learner_;
  Tensor before_;                      // what actions_ answer
  std::vector<std::int64_t> actions_;  // of the environments
  Tensor worths_;                      // (environments, actions), on the CPU
  ReplayBatch batch_;
  Tensor zeros_;                      // what temporal differences are to be: (batch, 1), on the device
  std::optional<Program> following_;  // moves the target network, where tau is below 1
  std::vector<std::pair<MutableTensorView, MutableTensorView>> weights_;  // online and target
};

}  // namespace glia

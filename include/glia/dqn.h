// Dqn: deep Q-learning, an agent that learns what each action is worth.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/environment.h>
#include <glia/fit.h>  // defines: Callbacks
#include <glia/macros.h>
#include <glia/math/schedules.h>
#include <glia/model.h>
#include <glia/replay_buffer.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace GLIA_API glia {

/// What follows an observation s' is worth, by the online network Q and the target network T.
enum class TargetValue {
  maximum,  ///< max_a T(s', a): Mnih et al., "Human-level control through deep reinforcement learning" (2015)
  /// T(s', argmax_a Q(s', a)): van Hasselt, Guez and Silver, "Deep reinforcement learning with double Q-learning" (2016)
  double_q
};

enum class QHead {
  plain,
  /// Q = V + A - mean(A), each of V and A with a last hidden layer of its own: Wang et al., "Dueling network architectures for deep
  /// reinforcement learning" (2016), equation 9
  dueling
};

struct DqnOptions {
  std::vector<int> hidden = {128, 128};  ///< units of the layers of the network that is made, with ReLU
  QHead head = QHead::plain;             ///< of that network
  TargetValue target = TargetValue::double_q;
  OptimizerName optimizer = Adam{.learning_rate = 1e-3, .global_clipnorm = 10};
  double huber_delta = 1;  ///< beyond which the loss of a temporal difference grows in a straight line
  double gamma = 0.99;     ///< discount of a step
  int n_step = 1;          ///< rewards that are summed before the rest is estimated (Sutton 1988)
  std::int64_t batch_size = 64;
  /// Capacity, and alpha, above 0 for prioritised replay; its seed and context are the agent's.
  ReplayBufferOptions replay = {};
  LearningRate beta = PolynomialDecay{.initial_learning_rate = 0.4,
                                      .decay_steps = 100000,
                                      .end_learning_rate = 1};  ///< of prioritised replay, by steps
  /// The share of actions that are drawn by chance, by steps in the environment: a number or any schedule.
  LearningRate epsilon =
      PolynomialDecay{.initial_learning_rate = 1, .decay_steps = 10000, .end_learning_rate = 0.05};
  std::int64_t learning_starts = 1000;  ///< steps before the first update
  std::int64_t train_frequency = 1;     ///< steps between updates
  std::int64_t gradient_steps = 1;      ///< updates each time
  /// Each target_frequency updates T becomes tau Q + (1 - tau) T: a tau of 1 copies (Mnih), a small one with a frequency of 1 follows
  /// smoothly (Lillicrap et al. 2016).
  std::int64_t target_frequency = 500;
  double tau = 1;
  std::int64_t environments = 1;        ///< side by side
  std::uint64_t seed = 0;               ///< of initial weights, episodes, exploration and replay
  std::optional<Device> device = {};    ///< default: the automatic one
  std::optional<Context> context = {};  ///< takes precedence over device
};

struct DqnTrainOptions {
  std::int64_t steps_per_epoch =
      1000;  ///< in the environment: an epoch is what callbacks and the history count
  Callbacks callbacks = {};
  int verbose = 1;                       ///< as fit's
  std::int64_t evaluation_episodes = 0;  ///< after an epoch, for val_return; 0: none
  int evaluation_freq = 10;              ///< epochs from one evaluation to the next
  std::uint64_t evaluation_seed = 2000000;
};

/// Returns of episodes, each the sum of its rewards, not discounted.
struct EpisodeReturns {
  std::vector<double> returns;
  std::vector<std::int64_t> steps;

  double mean() const;
  double standard_deviation() const;  ///< of the episodes
};

/// An episode as it was played.
struct Episode {
  std::vector<std::vector<double>> states;  ///< Environment::state(), one more than steps
  std::vector<std::int64_t> actions;
  std::vector<double> rewards;
  bool terminated = false;

  double total() const;  ///< of the rewards
};

/// An agent of deep Q-learning. The online network Q(s, .) says what each action is worth; it is trained towards
/// y = R + discount * value(s'), by the Huber loss of Q(s, a) - y over batches from a replay buffer, with y by a target network that
/// follows it. Where an episode is truncated the rest is estimated, where it is terminated there is none.
///
///     glia::Dqn agent(glia::CartPole(), {.seed = 1});
///     glia::History history = agent.train(50000);
///     agent.evaluate(100).mean();
///
/// A step of training is the engine's: both networks and the temporal difference are one Model, whose step is one Program, captured on
/// a GPU, with the batch gathered on the device; nothing but actions, and priorities where there are any, comes back to the host. The same
/// seed gives the same bits; the CPU and a GPU draw the same numbers, and compute the same but for last digits.
/// One thread at a time uses it.
class Dqn {
 public:
  /// With a network of Dense layers. Throws ValueError for options and an environment that cannot be, DeviceError.
  explicit Dqn(const Environment& environment, const DqnOptions& options = {});
  /// With a network of the caller's, from observations (shape of the space) to (actions,), not built; options.hidden and
  /// head are not regarded. Throws ShapeError for another input or output, StateError for one that is built.
  Dqn(const Environment& environment, Model network, const DqnOptions& options = {});
  Dqn(Dqn&&) noexcept;
  Dqn& operator=(Dqn&&) noexcept;
  ~Dqn();

  /// Acts and learns for so many steps in the environment, rounded up to all environments; a further call goes on. Returns for each
  /// epoch "loss" (of its updates), "return" (mean of the episodes that ended in it), "episodes", "epsilon", and "val_return"
  /// where it evaluated: history.plot() draws them. Callbacks are Keras's, model() being theirs:
  /// EarlyStopping({.monitor = "val_return"}), ModelCheckpoint, CSVLogger. Synchronises once a step, for the actions. Throws ValueError
  /// for options that cannot be, and what the environment throws or does wrong (VectorEnvironment::step).
  History train(std::int64_t steps, const DqnTrainOptions& options = {});
  /// Plays episodes by the best actions, with the seeds seed, seed + 1, ...: they change nothing of the agent. Synchronises.
  EpisodeReturns evaluate(std::int64_t episodes, std::uint64_t seed = 1000000);
  /// Plays one.
  Episode play(std::uint64_t seed);
  /// The best action, the first of several. Throws ShapeError for another size. Synchronises.
  std::int64_t act(const std::vector<float>& observation);

  /// The online network Q, from observations to what actions are worth. Its weights may be read and set, not compiled anew.
  Model& model();
  const ReplayBuffer& replay() const;
  /// In the environment, and updates of the network.
  std::int64_t steps() const;
  std::int64_t updates() const;

  /// Writes all that train() goes on from into one safetensors file, whole or not at all: both networks, the optimizer, the buffer,
  /// the environments, counters. Synchronises. Throws ValueError for a network with a Lambda; FileError.
  void save(const std::string& path) const;
  /// Goes on from a file that save() of an agent with the same environment and options wrote: to the bits of one that was not
  /// broken off. Throws FileError for a file that is damaged or of another agent; nothing changes then.
  void load(const std::string& path);

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
  Engine& engine() const;
};

struct EpisodePlotOptions {
  std::string title = {};
  double frames_per_second = 50;  ///< of the episode, steps a second
  std::int64_t max_frames = 250;  ///< of the drawing: of longer episodes every second, third, ... step
};

/// Draws an episode as an SVG file that plays it over and over, with the number of the step and the sum of rewards. `environment` is of
/// the kind, with the options, that was played. Throws StateError for an environment without pictures, ValueError for an episode
/// without states and options that cannot be, FileError.
void plot_episode(const Environment& environment, const Episode& episode, const std::string& path,
                  const EpisodePlotOptions& options = {});

}  // namespace glia

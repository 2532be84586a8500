// ReplayBuffer: transitions that an agent has seen, on a device, and drawn from there by chance.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/macros.h>
#include <glia/tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace GLIA_API glia {

/// A step from one observation to another, or n of them.
struct Transition {
  std::vector<float> observation;
  std::int64_t action = 0;  ///< the first
  double reward = 0;        ///< the sum of n rewards, each discounted
  std::vector<float> next_observation;
  double discount =
      0;  ///< what the value of next_observation counts: gamma^n, or 0 where the episode terminated
};

/// Where the numbers of a transition are in its row, one behind the other: the observation, the action as one-hot, the reward, the
/// discount, the next observation.
struct TransitionLayout {
  std::int64_t observation_size = 0, actions = 0;

  std::int64_t action() const { return observation_size; }
  std::int64_t reward() const { return observation_size + actions; }
  std::int64_t discount() const { return reward() + 1; }
  std::int64_t next_observation() const { return reward() + 2; }
  std::int64_t row_size() const { return 2 * observation_size + actions + 2; }
};

struct ReplayBufferOptions {
  std::int64_t capacity = 100000;  ///< of transitions; the oldest makes room for the newest
  /// 0 draws all alike. Else transition i has probability p_i^alpha / sum p^alpha, p_i = |error| + epsilon: proportional
  /// prioritisation of Schaul, Quan, Antonoglou and Silver, "Prioritized experience replay" (2016), section 3.3.
  double alpha = 0;
  double epsilon = 1e-6;
  std::uint64_t seed = 0;
  std::optional<Context> context = {};  ///< on whose device rows lie; default: the automatic device's
};

/// What sample() draws.
struct ReplayBatch {
  Tensor rows;  ///< (batch, row_size), float32, on the device
  std::vector<std::int64_t> indices;
  Tensor indices_there;  ///< the same on a GPU, where rows are gathered by them; on the CPU shape (0,)
  /// (batch,), float32, on the device: w_i = (size P(i))^-beta over the greatest of the batch, which makes up for what is drawn too
  /// often; of a buffer that draws all alike shape (0,).
  Tensor weights;
};

/// What a buffer holds beside its options, to go on from.
struct ReplayBufferState {
  Tensor rows;                     ///< (size, row_size), float32, on the CPU
  std::vector<double> priorities;  ///< p_i^alpha, as many; none where alpha is 0
  double greatest_priority = 1;    ///< of all that were ever set: what a new transition gets
  std::int64_t next = 0;           ///< which row is written next
  std::int64_t draws = 0;          ///< calls of sample() so far
};

/// A ring of transitions in the memory of a device. Priorities are on the host, in a tree of sums. What is drawn follows from the
/// seed, the number of the draw and the priorities: it is the same on every device.
///
///     glia::ReplayBuffer replay(4, 2, {.capacity = 50000, .alpha = 0.6});
///     replay.add({observation, action, reward, next_observation, discount});
///     glia::ReplayBatch batch = replay.sample(64, 0.4);
///     ... errors of the batch ...
///     replay.set_errors(batch.indices, errors);
class ReplayBuffer {
 public:
  /// Throws ValueError for sizes below 1 and options that cannot be; OutOfMemoryError.
  ReplayBuffer(std::int64_t observation_size, std::int64_t actions, const ReplayBufferOptions& options = {});

  /// Enqueues the copy of a row. Throws ShapeError for observations of another size, ValueError for an action outside 0 to actions - 1,
  /// and for numbers that are not finite; nothing changes then.
  void add(const Transition& transition);
  /// Draws a batch, with replacement; with priorities one from each of `batch` equal parts of their sum (the paper's appendix B.2.1).
  /// Allocates the batch and gathers it on the device, in order with the rest of its context; waits for nothing. Throws StateError
  /// where fewer than `batch` are stored, ValueError for a batch below 1 and a beta outside [0, 1].
  ReplayBatch sample(std::int64_t batch, double beta = 1);
  /// The same into a batch that the caller keeps: where it has room for as many rows, as behind an earlier call, nothing is
  /// allocated.
  void sample(ReplayBatch& into, std::int64_t batch, double beta = 1);
  /// Makes |error| + epsilon the priorities of these; of an index given twice the last counts. Throws StateError where alpha is 0,
  /// ValueError for an index that is not stored and an error that is not finite, ShapeError for other numbers of both; nothing changes
  /// then.
  void set_errors(const std::vector<std::int64_t>& indices, const std::vector<double>& errors);
  /// With which the stored transition `index` is drawn. Throws ValueError for one that is not stored.
  double probability(std::int64_t index) const;

  std::int64_t size() const { return size_; }
  std::int64_t capacity() const { return options_.capacity; }
  bool prioritized() const { return options_.alpha > 0; }
  const TransitionLayout& layout() const { return layout_; }
  const Context& context() const { return context_; }

  /// Synchronises.
  ReplayBufferState state() const;
  /// Goes on as the buffer that state() was asked of, to the bit. Throws ShapeError and ValueError for what is no state of a buffer of
  /// this size and these options; nothing changes then.
  void set_state(const ReplayBufferState& state);

 private:
  void make_room(ReplayBatch& into, std::int64_t batch) const;
  void gather(ReplayBatch& into) const;
  void weigh(ReplayBatch& into, double beta);
  void check_index(std::int64_t index) const;
  void set_priority(std::int64_t index, double priority);
  double total() const { return sums_[1]; }
  std::int64_t find(double sum) const;

  TransitionLayout layout_;
  ReplayBufferOptions options_;
  Context context_;
  Tensor rows_;                   // (capacity, row_size), on the device
  std::vector<float> row_;        // that is being added
  std::vector<double> unscaled_;  // weights of the batch that is being drawn
  std::vector<float> scaled_;
  std::int64_t size_ = 0, next_ = 0, draws_ = 0;
  // Node i has the sum of nodes 2 i and 2 i + 1; leaves, the priorities, begin in the middle. A sum is made anew of both, so that it
  // follows from the leaves alone.
  std::vector<double> sums_;
  double greatest_priority_ = 1;
};

}  // namespace glia

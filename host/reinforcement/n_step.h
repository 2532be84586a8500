// NStep: transitions over n steps, made of those of one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/environment.h>
#include <glia/replay_buffer.h>
#include <glia/tensor.h>

#include <cstdint>
#include <deque>
#include <vector>

namespace glia {

/// The steps of an episode that are not yet n steps old. A transition has R = sum_k gamma^k r_(t + k) and the observation behind the
/// last of them; at the end of an episode those that are left have fewer (Sutton, "Learning to predict by the methods of temporal
/// differences", 1988; Mnih et al., "Asynchronous methods for deep reinforcement learning", 2016).
class NStep {
 public:
  NStep(std::int64_t n, double gamma) : n_(n), gamma_(gamma) {}

  /// Takes what an action led to, and calls add(transition) for each that is complete.
  template <class Add>
  void push(std::vector<float> observation, std::int64_t action, const EnvironmentStep& step,
            const Add& add) {
    waiting_.push_back({std::move(observation), action, step.reward});
    if (static_cast<std::int64_t>(waiting_.size()) == n_) pop(step, add);
    if (step.ends())
      while (!waiting_.empty()) pop(step, add);
  }

  /// (waiting, numbers of an observation + 2), float64: observation, action, reward.
  Tensor state(std::int64_t observation_size) const {
    std::vector<double> values;
    for (const Waiting& one : waiting_) {
      values.insert(values.end(), one.observation.begin(), one.observation.end());
      values.push_back(static_cast<double>(one.action)), values.push_back(one.reward);
    }
    return Tensor(values, {static_cast<std::int64_t>(waiting_.size()), observation_size + 2});
  }
  /// Throws ShapeError, ValueError; nothing changes then.
  void set_state(const Tensor& state, std::int64_t observation_size, std::int64_t actions) {
    GLIA_CHECK(state.rank() == 2 && state.rows() < n_ && state.shape()[1] == observation_size + 2 &&
                   state.dtype() == DType::float64,
               ShapeError, "steps that wait for others got shape ", state.shape(), ", expected fewer than ",
               n_, " rows of ", observation_size + 2);
    std::deque<Waiting> waiting;
    const double* row = state.data<double>();
    for (std::int64_t i = 0; i < state.rows(); ++i, row += observation_size + 2) {
      const double action = row[observation_size];
      GLIA_CHECK(action >= 0 && action < static_cast<double>(actions), ValueError,
                 "a step that waits for others has action ", action, ", expected 0 to ", actions - 1);
      waiting.push_back(
          {{row, row + observation_size}, static_cast<std::int64_t>(action), row[observation_size + 1]});
    }
    waiting_ = std::move(waiting);
  }

 private:
  struct Waiting {
    std::vector<float> observation;
    std::int64_t action;
    double reward;
  };

  template <class Add>
  void pop(const EnvironmentStep& step, const Add& add) {
    double total = 0, discount = 1;
    for (const Waiting& one : waiting_) total += discount * one.reward, discount *= gamma_;
    Waiting& first = waiting_.front();
    add(Transition{std::move(first.observation), first.action, total, step.observation,
                   step.terminated ? 0 : discount});
    waiting_.pop_front();
  }

  std::int64_t n_;
  double gamma_;
  std::deque<Waiting> waiting_;
};

}  // namespace glia

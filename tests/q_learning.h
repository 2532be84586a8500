// What tests of Dqn compare it with: Q-learning in float64, its gradients by central differences, and an environment whose numbers are
// known.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/dqn.h>
#include <glia/math/philox.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace glia::test {

/// Episodes of `length` steps: observations are the number of the step and two numbers by chance, rewards the number of the step.
struct Wandering final : Environment {
  static constexpr std::int64_t length = 6;
  std::int64_t gives_nan_at = -1;

  std::string type() const override { return "Wandering"; }
  Box observation_space() const override { return {{3}, {0, 0, 0}, {9, 1, 1}}; }
  Discrete action_space() const override { return {3}; }
  std::vector<float> reset(std::uint64_t seed) override {
    seed_ = seed, at_ = 0;
    return observation();
  }
  EnvironmentStep step(std::int64_t) override {
    ++at_;
    EnvironmentStep step{observation(), static_cast<double>(at_), at_ == length, false};
    if (at_ == gives_nan_at) step.observation[1] = std::numeric_limits<float>::quiet_NaN();
    return step;
  }
  std::vector<double> state() const override {
    return {static_cast<double>(seed_ >> 32), static_cast<double>(at_)};
  }
  void set_state(const std::vector<double>& state) override { at_ = static_cast<std::int64_t>(state[1]); }
  std::unique_ptr<Environment> clone() const override { return std::make_unique<Wandering>(*this); }

 private:
  std::vector<float> observation() const {
    const Philox philox{seed_, Purpose::search, static_cast<std::uint64_t>(at_)};
    return {static_cast<float>(at_), philox.uniform(0), philox.uniform(1)};
  }
  std::uint64_t seed_ = 0;
  std::int64_t at_ = 0;
};

/// Deep Q-learning of a network with one hidden layer, or two streams of one each, in float64 and as the papers write it.
class Reference {
 public:
  using Weights = std::vector<std::vector<double>>;

  /// With the initial weights of an agent's network.
  Reference(const DqnOptions& options, Model& model) : options_(options) {
    for (const Tensor& weight : model.get_weights()) {
      online_.push_back(weight.values());
      shapes_.push_back(weight.shape());
    }
    target_ = initial_ = online_;
    // Which of two hidden layers of one shape belongs to the values is seen where one is tried.
    const Tensor x({{0.3, 0.9, 0.2}});
    const Tensor q = model.predict(x, {.verbose = 0});
    if (std::abs(q_of(online_, x.values())[0] - q(0, 0)) > 1e-4) exchanged_ = true;
    for (std::int64_t a = 0; a < 3; ++a)
      if (std::abs(q_of(online_, x.values())[static_cast<std::size_t>(a)] - q(0, a)) > 1e-5)
        throw std::runtime_error("the reference computes another network than the agent's");
  }

  /// Other weights of the online network than those that the target network has.
  void set_online(const std::vector<Tensor>& weights) {
    for (std::size_t i = 0; i < weights.size(); ++i) online_[i] = weights[i].values();
    initial_ = online_;
  }

  /// So many updates from this buffer, whose priorities were all those of new transitions.
  void learn(ReplayBufferState state, int updates) {
    ReplayBufferOptions replay = options_.replay;
    replay.seed = options_.seed, replay.context = Context({.device = "cpu"});
    ReplayBuffer buffer(3, 3, replay);
    const TransitionLayout layout = buffer.layout();
    std::fill(state.priorities.begin(), state.priorities.end(), 1.0);
    state.draws = 0, state.greatest_priority = 1;
    const Tensor rows = state.rows.clone();
    buffer.set_state(state);
    for (int update = 1; update <= updates; ++update) {
      const ReplayBatch batch = buffer.sample(options_.batch_size, options_.beta.at(40));
      std::vector<Sample> samples;
      std::vector<double> errors;
      for (std::size_t i = 0; i < batch.indices.size(); ++i) {
        const std::vector<double> row = rows.row(batch.indices[i]).values();
        Sample sample;
        sample.observation.assign(row.begin(), row.begin() + 3);
        const auto action = row.begin() + layout.action();
        sample.action = static_cast<std::size_t>(std::max_element(action, action + 3) - action);
        const std::vector<double> next(row.begin() + layout.next_observation(), row.end());
        sample.aim = row[static_cast<std::size_t>(layout.reward())] +
                     row[static_cast<std::size_t>(layout.discount())] * value_of(next);
        sample.weight = batch.weights.empty() ? 1 : batch.weights(static_cast<std::int64_t>(i));
        errors.push_back(q_of(online_, sample.observation)[sample.action] - sample.aim);
        samples.push_back(sample);
      }
      if (buffer.prioritized()) buffer.set_errors(batch.indices, errors);
      descend(samples);
      if (update % options_.target_frequency != 0) continue;
      for (std::size_t i = 0; i < online_.size(); ++i)
        for (std::size_t j = 0; j < online_[i].size(); ++j)
          target_[i][j] = options_.tau * online_[i][j] + (1 - options_.tau) * target_[i][j];
    }
  }

  const Weights& online() const { return online_; }
  /// The farthest that a weight went.
  double moved() const {
    double most = 0;
    for (std::size_t i = 0; i < online_.size(); ++i)
      for (std::size_t j = 0; j < online_[i].size(); ++j)
        most = std::max(most, std::abs(online_[i][j] - initial_[i][j]));
    return most;
  }

 private:
  struct Sample {
    std::vector<double> observation;
    std::size_t action;
    double aim, weight;
  };

  /// x kernel + bias, of the dense layer whose kernel is weight `i`.
  std::vector<double> dense(const Weights& w, std::size_t i, const std::vector<double>& x, bool relu) const {
    std::vector<double> y = w[i + 1];
    for (std::size_t column = 0; column < y.size(); ++column) {
      for (std::size_t row = 0; row < x.size(); ++row) y[column] += x[row] * w[i][row * y.size() + column];
      if (relu) y[column] = std::max(y[column], 0.0);
    }
    return y;
  }
  std::vector<double> q_of(const Weights& w, const std::vector<double>& x) const {
    if (options_.head == QHead::plain) return dense(w, 2, dense(w, 0, x, true), false);
    const std::size_t of_value = shapes_[4].back() == 1 ? 4 : 6;
    const double value = dense(w, of_value, dense(w, exchanged_ ? 2 : 0, x, true), false)[0];
    std::vector<double> q = dense(w, 10 - of_value, dense(w, exchanged_ ? 0 : 2, x, true), false);
    double mean = 0;
    for (const double advantage : q) mean += advantage / static_cast<double>(q.size());
    for (double& one : q) one += value - mean;
    return q;
  }
  double value_of(const std::vector<double>& next) const {
    const std::vector<double> worth = q_of(target_, next);
    if (options_.target == TargetValue::maximum) return *std::max_element(worth.begin(), worth.end());
    const std::vector<double> own = q_of(online_, next);
    return worth[static_cast<std::size_t>(std::max_element(own.begin(), own.end()) - own.begin())];
  }
  double loss(const std::vector<Sample>& samples) const {
    double sum = 0;
    for (const Sample& sample : samples) {
      const double error = std::abs(q_of(online_, sample.observation)[sample.action] - sample.aim),
                   delta = options_.huber_delta;
      sum += sample.weight * (error <= delta ? error * error / 2 : delta * (error - delta / 2));
    }
    return sum / static_cast<double>(samples.size());
  }
  void descend(const std::vector<Sample>& samples) {
    Weights gradients = online_;
    constexpr double h = 1e-6;
    for (std::size_t i = 0; i < online_.size(); ++i)
      for (std::size_t j = 0; j < online_[i].size(); ++j) {
        const double at = online_[i][j];
        online_[i][j] = at + h;
        const double above = loss(samples);
        online_[i][j] = at - h;
        gradients[i][j] = (above - loss(samples)) / (2 * h);
        online_[i][j] = at;
      }
    const double rate = std::get<SGD>(options_.optimizer.value()).learning_rate.at(0);
    for (std::size_t i = 0; i < online_.size(); ++i)
      for (std::size_t j = 0; j < online_[i].size(); ++j) online_[i][j] -= rate * gradients[i][j];
  }

  DqnOptions options_;
  Weights online_, target_, initial_;
  std::vector<Shape> shapes_;
  bool exchanged_ = false;
};

}  // namespace glia::test

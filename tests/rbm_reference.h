// Contrastive divergence in float64 and plain loops, with the draws that an Rbm makes: what its training is compared with.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/math/noise.h>
#include <glia/rbm.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace glia::test {

class RbmReference {
 public:
  using Numbers = std::vector<double>;

  explicit RbmReference(const Rbm& rbm)
      : options_(rbm.options()), visible_(size(rbm.visible())), hidden_(size(rbm.hidden())) {
    const TensorList weights = rbm.get_weights();
    for (const Tensor& tensor : weights) {
      weights_.push_back(tensor.values());
      velocities_.emplace_back(weights_.back().size());
    }
    chains_.resize(size(options_.persistent_chains) * hidden_);
    q_.assign(hidden_, options_.sparsity_target);
  }

  const std::vector<Numbers>& weights() const { return weights_; }

  /// p(h = 1 | v) of n rows.
  Numbers hidden_means(const Numbers& v) const {
    return product(
        v, visible_, hidden_, weights_[1],
        [&](std::size_t i, std::size_t j) { return weights_[0][i * hidden_ + j]; }, true);
  }
  Numbers visible_means(const Numbers& h) const {
    const auto kernel = [&](std::size_t j, std::size_t i) { return weights_[0][i * hidden_ + j]; };
    Numbers means = product(h, hidden_, visible_, weights_[2], kernel, is_binary());
    const Numbers inputs = product(h, hidden_, visible_, weights_[2], kernel, false);
    for (std::size_t r = 0; r < means.size(); r += visible_) {
      double all = 0;
      for (std::size_t i = first_softmax(); i < visible_; ++i) all += std::exp(inputs[r + i]);
      for (std::size_t i = first_softmax(); i < visible_; ++i) means[r + i] = std::exp(inputs[r + i]) / all;
    }
    return means;
  }
  double free_energy(const double* v) const {
    double energy = 0;
    for (std::size_t i = 0; i < visible_; ++i) {
      const double apart = v[i] - weights_[2][i];
      energy += is_binary() || i >= first_softmax() ? -weights_[2][i] * v[i] : apart * apart / 2;
    }
    for (std::size_t j = 0; j < hidden_; ++j) {
      double input = weights_[1][j];
      for (std::size_t i = 0; i < visible_; ++i) input += v[i] * weights_[0][i * hidden_ + j];
      energy -= std::log1p(std::exp(-std::fabs(input))) + std::fmax(input, 0);
    }
    return energy;
  }

  /// An update by SGD with momentum, as Keras has it; returns mean F(rows) - mean F(chains) before it.
  double update(const Numbers& rows, double rate, double momentum) {
    ++iteration_, draws_ = 0;
    const Numbers of_rows = hidden_means(rows);
    const bool persists = options_.persistent_chains > 0;
    Numbers h = persists ? chains_ : drawn(of_rows, true), v;
    for (int step = 0; step < options_.gibbs_steps; ++step) {
      if (step > 0) h = drawn(hidden_means(v), true);
      v = drawn_visible(visible_means(h));
    }
    const Numbers of_chains = hidden_means(v);
    if (persists) chains_ = drawn(of_chains, true);
    const double divergence = mean_energy(rows) - mean_energy(v);
    std::vector<Numbers> gradients = gradients_of(rows, of_rows, v, of_chains);
    for (std::size_t k = 0; k < gradients.size(); ++k)
      for (std::size_t i = 0; i < gradients[k].size(); ++i) {
        velocities_[k][i] = momentum * velocities_[k][i] - rate * gradients[k][i];
        weights_[k][i] += velocities_[k][i];
      }
    return divergence;
  }

 private:
  static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }
  std::size_t first_softmax() const { return visible_ - size(options_.softmax_units); }
  bool is_binary() const { return options_.visible_units == VisibleUnits::bernoulli; }

  template <class Kernel>
  static Numbers product(const Numbers& in, std::size_t from, std::size_t to, const Numbers& bias,
                         const Kernel& kernel, bool squashes) {
    Numbers out(in.size() / from * to);
    for (std::size_t r = 0; r < in.size() / from; ++r)
      for (std::size_t j = 0; j < to; ++j) {
        double sum = bias[j];
        for (std::size_t i = 0; i < from; ++i) sum += in[r * from + i] * kernel(i, j);
        out[r * to + j] = squashes ? 1 / (1 + std::exp(-sum)) : sum;
      }
    return out;
  }

  /// The next draw of this update.
  Numbers drawn(const Numbers& means, bool binary) {
    const Philox draws{options_.seed ^ (0x9E3779B97F4A7C15u * ++draws_), Purpose::dropout, iteration_};
    Numbers result = means;
    for (std::size_t i = 0; i < means.size(); ++i) {
      if (binary)
        result[i] = draws.uniform(i) < means[i];
      else
        result[i] += math::normal_of<double>(draws.word(2 * i), draws.word(2 * i + 1));
    }
    return result;
  }

  /// Of a softmax group the first unit up to which probabilities add up to more than a uniform number.
  Numbers drawn_visible(const Numbers& means) {
    Numbers result = drawn(means, is_binary());
    if (options_.softmax_units == 0) return result;
    const Philox draws{options_.seed ^ (0x9E3779B97F4A7C15u * ++draws_), Purpose::dropout, iteration_};
    for (std::size_t r = 0; r < means.size() / visible_; ++r) {
      double left = draws.uniform(r);
      for (std::size_t i = first_softmax(); i < visible_; ++i) {
        const double mean = means[r * visible_ + i];
        result[r * visible_ + i] = left >= 0 && left < mean;
        left -= mean;
      }
    }
    return result;
  }

  double mean_energy(const Numbers& rows) const {
    double sum = 0;
    for (std::size_t r = 0; r < rows.size(); r += visible_) sum += free_energy(&rows[r]);
    return sum * static_cast<double>(visible_) / static_cast<double>(rows.size());
  }

  std::vector<Numbers> gradients_of(const Numbers& rows, const Numbers& of_rows, const Numbers& v,
                                    const Numbers& of_chains) {
    const double n = static_cast<double>(rows.size() / visible_),
                 m = static_cast<double>(v.size() / visible_);
    std::vector<Numbers> gradients{Numbers(visible_ * hidden_), Numbers(hidden_), Numbers(visible_)};
    const auto add = [&](const Numbers& visible, const Numbers& hidden, double scale) {
      for (std::size_t r = 0; r < visible.size() / visible_; ++r) {
        const double *const x = &visible[r * visible_], *const h = &hidden[r * hidden_];
        for (std::size_t i = 0; i < visible_; ++i)
          for (std::size_t j = 0; j < hidden_; ++j) gradients[0][i * hidden_ + j] += scale * x[i] * h[j];
        for (std::size_t j = 0; j < hidden_; ++j) gradients[1][j] += scale * h[j];
        for (std::size_t i = 0; i < visible_; ++i) gradients[2][i] += scale * x[i];
      }
    };
    add(rows, of_rows, -1 / n), add(v, of_chains, 1 / m);
    if (options_.sparsity_cost > 0) add_sparsity(gradients, rows, of_rows, n);
    for (std::size_t i = 0; i < gradients[0].size(); ++i)
      gradients[0][i] += options_.weight_decay * weights_[0][i];
    return gradients;
  }

  void add_sparsity(std::vector<Numbers>& gradients, const Numbers& rows, const Numbers& of_rows, double n) {
    for (std::size_t j = 0; j < hidden_; ++j) {
      double mean = 0;
      for (std::size_t r = 0; r < of_rows.size() / hidden_; ++r) mean += of_rows[r * hidden_ + j] / n;
      q_[j] = options_.sparsity_decay * q_[j] + (1 - options_.sparsity_decay) * mean;
      const double slope = options_.sparsity_cost * (q_[j] - options_.sparsity_target);
      gradients[1][j] += slope;
      for (std::size_t i = 0; i < visible_; ++i)
        for (std::size_t r = 0; r < rows.size() / visible_; ++r)
          gradients[0][i * hidden_ + j] += slope * rows[r * visible_ + i] / n;
    }
  }

  RbmOptions options_;
  std::size_t visible_, hidden_;
  std::vector<Numbers> weights_, velocities_;
  Numbers chains_, q_;
  std::uint64_t iteration_ = 0, draws_ = 0;
};

/// All 2^n rows of n bits.
inline std::vector<std::vector<double>> all_bits(std::size_t n) {
  std::vector<std::vector<double>> rows(std::size_t{1} << n, std::vector<double>(n));
  for (std::size_t r = 0; r < rows.size(); ++r)
    for (std::size_t i = 0; i < n; ++i) rows[r][i] = static_cast<double>(r >> i & 1);
  return rows;
}

}  // namespace glia::test

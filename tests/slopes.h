// Slopes of a model's loss by central differences in float64, and the fixed random numbers that tests of gradients use.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/sequential.h>

#include <cstdint>
#include <random>
#include <vector>

#include "tests/close.h"

namespace glia::test {

/// Differences of float64 losses over 1e-6 are good to about 1e-10 of the loss; 1e-3 and 1e-5, the usual bounds,
/// would let wrong gradients of small weights pass.
constexpr double slope_step = 1e-6;
constexpr Tolerance slope_tolerance = {.relative = 1e-5, .absolute = 1e-8};
/// For losses of any size, whose rounding is in proportion to them.
constexpr Tolerance wide_slope_tolerance = {.relative = 1e-5, .absolute = 1e-8, .scaled = 1e-7};

/// The same numbers with every compiler: in (-1, 1). A seed whose relus stood at a kink would fail
/// everywhere.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : engine_(seed) {}
  double operator()() { return static_cast<double>(engine_() >> 11) * 0x1p-52 - 1; }
  double between(double low, double high) { return (low + high) / 2 + (high - low) / 2 * (*this)(); }
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(engine_() % n); }
  Tensor tensor(const Shape& shape, double low = -1, double high = 1) {
    Tensor tensor = Tensor::uninitialized(shape, DType::float64);
    for (std::int64_t i = 0; i < tensor.size(); ++i) tensor.data<double>()[i] = between(low, high);
    return tensor;
  }

 private:
  std::mt19937_64 engine_;
};

/// (f(value + step) - f(value - step)) / (2 step) for each element of `tensor`, which is left as it was.
template <class Function>
Tensor central_differences(Tensor& tensor, Function&& f) {
  Tensor differences = Tensor::uninitialized(tensor.shape(), DType::float64);
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    double& value = tensor.data<double>()[i];
    const double original = value;
    value = original + slope_step;
    const double above = f();
    value = original - slope_step;
    const double below = f();
    value = original;
    differences.data<double>()[i] = (above - below) / (2 * slope_step);
  }
  return differences;
}

/// A loss as evaluate gives it, all rows in one batch.
inline double loss_of(Sequential& model, const Tensor& x, const Tensor& y) {
  return model.evaluate(x, y, {.batch_size = x.rows(), .verbose = 0})["loss"];
}

/// The slopes of `loss()` in the weights of which `is_trained(i)` holds, i from 0 in get_weights()'s order.
template <class Loss, class IsTrained>
std::vector<Tensor> slopes(Sequential& model, Loss&& loss, IsTrained&& is_trained) {
  std::vector<Tensor> weights = model.get_weights();
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!is_trained(i)) continue;
    result.push_back(central_differences(weights[i], [&] {
      model.set_weights(weights);
      return loss();
    }));
  }
  model.set_weights(weights);
  return result;
}
template <class Loss>
std::vector<Tensor> slopes(Sequential& model, Loss&& loss) {
  return slopes(model, loss, [](std::size_t) { return true; });
}

}  // namespace glia::test

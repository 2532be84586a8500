// Learns OR with nothing but the public interface, and a layer and a loss of its own, to show that an outside project compiles,
// links and runs.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <cstdint>
#include <iostream>
#include <string>

/// max(x, 0).
class OwnRelu : public glia::CustomLayer {
 public:
  std::string type() const override { return "OwnRelu"; }
  template <class T>
  void forward(const glia::CpuForward<T>& call) const {
    const auto x = call.input();
    for (std::int64_t i = 0; i < x.size(); ++i) call.output()[i] = x[i] > 0 ? x[i] : 0;
  }
  template <class T>
  void backward(const glia::CpuBackward<T>& call) const {
    const auto dx = call.input_gradient();
    for (std::int64_t i = 0; i < dx.size(); ++i) dx[i] = call.output()[i] > 0 ? call.output_gradient()[i] : 0;
  }
};

/// (p - y)^2 of one output.
class OwnError : public glia::CustomLoss {
 public:
  std::string type() const override { return "own_error"; }
  template <class T>
  void loss(const glia::CpuLoss<T>& call) const {
    const auto p = call.predictions(), y = call.targets();
    for (std::int64_t row = 0; row < p.size(); ++row) {
      const T error = p[row] - y[row];
      call.losses()[row] = error * error;
      if (const auto gradient = call.gradient()) gradient[row] = 2 * error / static_cast<T>(p.size());
    }
  }
};

int main() {
  const glia::Tensor x{{0, 0}, {0, 1}, {1, 0}, {1, 1}};
  const glia::Tensor y{0, 1, 1, 1};

  const auto layer = glia::testing::check_gradients(glia::make_layer<OwnRelu>(), {{5}});
  const auto loss = glia::testing::check_gradients(OwnError(), {1});
  std::cout << layer << loss;
  if (!layer || !loss) return 1;

  glia::Sequential model{glia::Dense(8), glia::make_layer<OwnRelu>(), glia::Dense(1, "sigmoid")};
  model.compile({.optimizer = glia::Adam{.learning_rate = 0.05},
                 .loss = OwnError(),
                 .metrics = "accuracy",
                 .device = "cpu"});
  model.fit(x, y, {.epochs = 200, .batch_size = 4, .verbose = 0});
  const glia::Logs score = model.evaluate(x, y, {.verbose = 0});

  std::cout << "glia " << glia::version << ": " << score << "\n";
  return score["accuracy"] == 1.0 ? 0 : 1;
}

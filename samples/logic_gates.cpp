// Teaches one linear unit AND, OR and NAND, shows that it cannot learn XOR, and that a hidden layer can.
// SPDX-License-Identifier: Apache-2.0
#include "common.h"

#include <glia/glia.h>

#include <cstdint>
#include <iomanip>
#include <vector>

namespace {

/// A truth table, and the linear unit x1 w1 + x2 w2 + bias that comes nearest to it in the mean square.
struct Gate {
  const char* name;
  glia::Tensor truth;  // (4,)
  double w1, w2, bias, loss;
};

glia::Sequential linear_unit(const samples::Options& options) {
  glia::Sequential model{glia::Dense(1, "linear", {.input_dim = 2})};
  model.set_seed(options.seed);
  model.compile({.optimizer = "sgd", .loss = "mse", .metrics = "accuracy", .device = options.device});
  return model;
}

glia::Sequential hidden_layer(const samples::Options& options) {
  glia::Sequential model{glia::Dense(32, "relu", {.input_dim = 2}), glia::Dense(1, "sigmoid")};
  model.set_seed(options.seed);
  model.compile({.optimizer = "rmsprop", .loss = "mse", .metrics = "accuracy", .device = options.device});
  return model;
}

/// Trains, and prints what came of it.
void learn(glia::Sequential& model, const glia::Tensor& inputs, const glia::Tensor& truth) {
  model.fit(inputs, truth, {.epochs = 500, .batch_size = 1, .verbose = 0});
  const glia::Tensor predictions = model(inputs);  // (4, 1)
  const glia::Tensor answers = predictions > 0.5;
  std::cout << "  x1  x2  truth  prediction  answer\n" << std::fixed;
  for (std::int64_t i = 0; i < inputs.rows(); ++i)
    std::cout << std::setprecision(0) << std::setw(4) << inputs(i, 0) << std::setw(4) << inputs(i, 1)
              << std::setw(7) << truth(i) << std::setprecision(4) << std::setw(12) << predictions(i, 0)
              << std::setprecision(0) << std::setw(8) << answers(i, 0) << '\n';
  const glia::Logs score = model.evaluate(inputs, truth, {.verbose = 0});
  std::cout << std::setprecision(4) << "  loss " << score["loss"] << ", accuracy " << std::setprecision(0)
            << 100 * score["accuracy"] << " %\n"
            << std::setprecision(4);
}

void run(const samples::Options& options) {
  const glia::Tensor inputs{{0, 0}, {0, 1}, {1, 0}, {1, 1}};  // (4, 2)
  const Gate gates[] = {{"AND", {0, 0, 0, 1}, 0.5, 0.5, -0.25, 0.0625},
                        {"OR", {0, 1, 1, 1}, 0.5, 0.5, 0.25, 0.0625},
                        {"NAND", {1, 1, 1, 0}, -0.5, -0.5, 1.25, 0.0625},
                        {"XOR", {0, 1, 1, 0}, 0, 0, 0.5, 0.25}};
  for (const Gate& gate : gates) {
    std::cout << gate.name << ", one linear unit\n";
    glia::Sequential model = linear_unit(options);
    learn(model, inputs, gate.truth);
    const std::vector<glia::Tensor> weights = model.get_weights();  // kernel (2, 1), bias (1,)
    std::cout << "  weights (" << weights[0](0, 0) << ", " << weights[0](1, 0) << "; " << weights[1](0)
              << ")\n"
              << "  optimum (" << gate.w1 << ", " << gate.w2 << "; " << gate.bias << ") with loss "
              << gate.loss << "\n\n";
  }
  std::cout << "XOR, 32 relu and one sigmoid unit\n";
  glia::Sequential model = hidden_layer(options);
  learn(model, inputs, gates[3].truth);
}

}  // namespace

int main(int argc, char** argv) {
  samples::Options options;
  CLI::App app("Teaches AND, OR, NAND and XOR to the smallest networks that can learn them.");
  samples::add_options(app, options);
  return samples::run(app, argc, argv, [&] { run(options); });
}

// Fits a line, and a plane in three inputs, with one linear unit, and sets what it learnt against the truth.
// SPDX-License-Identifier: Apache-2.0
#include "common.h"

#include <glia/glia.h>

#include <cstdint>
#include <iomanip>
#include <random>
#include <vector>

namespace {

/// y = x slopes + intercept + noise, x uniform in [-1, 1).
struct Line {
  const char* title;
  std::vector<double> slopes;
  double intercept;
};

glia::Dataset generate(const Line& line, std::int64_t rows, double noise, std::uint64_t seed) {
  const auto inputs = static_cast<std::int64_t>(line.slopes.size());
  glia::Dataset data(glia::Tensor::zeros({rows, inputs}), glia::Tensor::full({rows}, line.intercept));
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::normal_distribution<double> normal;
  for (std::int64_t i = 0; i < rows; ++i) {
    double y = line.intercept + noise * normal(random);
    for (std::int64_t j = 0; j < inputs; ++j) {
      data.x.set({i, j}, uniform(random));
      y += line.slopes[static_cast<std::size_t>(j)] * data.x(i, j);
    }
    data.y.set({i}, y);
  }
  return data;
}

void fit(const Line& line, double noise, const glia::Context& context, std::uint64_t seed) {
  const auto [train, test] =
      glia::train_test_split(generate(line, 500, noise, seed), {.test_size = 0.2, .random_state = seed});
  const auto inputs = static_cast<int>(line.slopes.size());

  glia::Sequential model{glia::Dense(1, "linear", {.input_dim = inputs})};
  model.set_seed(seed);
  model.compile({.optimizer = glia::SGD{.learning_rate = 0.05},
                 .loss = "mse",
                 .metrics = "r2_score",
                 .context = context});
  const glia::History history = model.fit(train, {.epochs = 50, .verbose = 0});
  const glia::Logs score = model.evaluate(test, {.verbose = 0});

  std::cout << line.title << "\n  weight        true   learnt\n";
  const std::vector<glia::Tensor> weights = model.get_weights();  // kernel (inputs, 1), bias (1,)
  for (int j = 0; j < inputs; ++j)
    std::cout << "  slope " << j + 1 << std::setw(11) << line.slopes[static_cast<std::size_t>(j)]
              << std::setw(9) << weights[0](j, 0) << '\n';
  std::cout << "  intercept" << std::setw(9) << line.intercept << std::setw(9) << weights[1](0) << '\n'
            << "  loss " << history["loss"].front() << " -> " << history["loss"].back() << ", test loss "
            << score["loss"] << ", test R2 " << score["r2_score"] << "\n\n";
}

}  // namespace

int main(int argc, char** argv) {
  samples::Options options;
  double noise = 0.1;
  CLI::App app("Fits lines with one linear unit.");
  samples::add_options(app, options);
  app.add_option("--noise", noise, "Standard deviation of what is added to the line")
      ->check(CLI::NonNegativeNumber);
  return samples::run(app, argc, argv, [&] {
    const glia::Context context({.device = options.device});
    std::cout << std::fixed << std::setprecision(4);
    fit({"One input", {3}, -2}, noise, context, options.seed);
    fit({"Three inputs", {1.5, -2, 0.5}, 4}, noise, context, options.seed);
  });
}

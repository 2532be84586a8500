// Tells Iris setosa from other irises by its petals: with a perceptron and its own rule, and beside it with
// logistic regression, which gives a probability.
// SPDX-License-Identifier: Apache-2.0
#include "common.h"

#include <glia/glia.h>

#include <algorithm>
#include <cstdint>
#include <iomanip>
#include <numeric>
#include <random>
#include <vector>

namespace {

/// Rosenblatt's rule: a flower that is answered wrongly pulls weights and bias towards itself, or pushes them away.
/// Stops when an epoch has no wrong answer.
glia::Sequential perceptron(const glia::Tensor& x, const glia::Tensor& y, const glia::Context& context,
                            std::uint64_t seed) {
  glia::Sequential model{glia::Dense(1, "step", {.input_dim = 2})};
  model.compile({.context = context});
  glia::Tensor kernel = glia::Tensor::zeros({2, 1});
  glia::Tensor bias = glia::Tensor::zeros({1});
  model.set_weights({kernel, bias});

  std::vector<std::int64_t> order(static_cast<std::size_t>(x.rows()));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  int updates = 0, wrong = -1, epoch = 0;
  while (wrong != 0 && epoch < 100) {
    std::shuffle(order.begin(), order.end(), random);
    wrong = 0;
    for (std::int64_t i : order) {
      const glia::Tensor flower = x.rows(i, i + 1);      // (1, 2)
      const double error = y(i) - model(flower).item();  // 1, 0 or -1
      if (error == 0) continue;
      kernel = kernel + error * flower.transpose();
      bias = bias + error;
      model.set_weights({kernel, bias});
      ++wrong;
    }
    updates += wrong;
    ++epoch;
    std::cout << "  epoch " << epoch << ": " << wrong << " wrong\n";
  }
  std::cout << "  " << (wrong == 0 ? "separated" : "not separated") << " after " << epoch << " epochs and "
            << updates << " updates: setosa where " << kernel(0, 0) << " length + " << kernel(1, 0)
            << " width + " << bias(0) << " >= 0\n";
  return model;
}

glia::Sequential logistic_regression(const glia::Tensor& x, const glia::Tensor& y,
                                     const glia::Context& context, std::uint64_t seed, int epochs) {
  glia::Sequential model{glia::Dense(1, "sigmoid", {.input_dim = 2})};
  model.set_seed(seed);
  model.compile({.optimizer = glia::SGD{.learning_rate = 0.1},
                 .loss = "binary_crossentropy",
                 .metrics = "accuracy",
                 .context = context});
  const glia::History history = model.fit(x, y, {.epochs = epochs, .verbose = 0});
  if (epochs > 0)
    std::cout << "  loss " << history["loss"].front() << " after the first epoch, " << history["loss"].back()
              << " after the last\n";
  return model;
}

/// Percent of the rows that are answered rightly, an output above 0.5 being a yes.
double accuracy(glia::Sequential& model, const glia::Tensor& x, const glia::Tensor& y) {
  const glia::Tensor answers = model(x).reshape({-1}) > 0.5;
  return 100 * (answers == y).mean();
}

void learn(const samples::Options& options, int epochs) {
  const std::string path = samples::find_data(
      options.data, "iris.csv",
      "Fisher's Iris data without a header, https://archive.ics.uci.edu/dataset/53/iris (iris.data)");
  const glia::Table iris = glia::read_csv(path, {.header = false, .categorical = {"4"}});
  const glia::Tensor x = iris.tensor({"2", "3"});  // petal length and width in cm, (150, 2)
  const glia::Tensor y = iris.column("4") == 0;    // label 0, the first in the alphabet, is setosa; (150,)
  std::cout << x.rows() << " flowers, " << y.sum() << " of them " << iris.categories("4").at(0) << '\n';
  const glia::Context context({.device = options.device});

  std::cout << "\nPerceptron\n";
  glia::Sequential unit = perceptron(x, y, context, options.seed);
  std::cout << "  accuracy " << accuracy(unit, x, y) << " %\n\nLogistic regression\n";
  glia::Sequential logistic = logistic_regression(x, y, context, options.seed, epochs);
  std::cout << "  accuracy " << accuracy(logistic, x, y) << " %\n\n";

  const glia::Tensor petals{{1.4, 0.2}, {2, 0.5}, {3, 1.1}, {5, 1.8}};
  const glia::Tensor answers = unit(petals);
  const glia::Tensor probabilities = logistic(petals);
  std::cout << "Length  Width  Perceptron  Probability of setosa\n" << std::fixed;
  for (std::int64_t i = 0; i < petals.rows(); ++i)
    std::cout << std::setprecision(1) << std::setw(6) << petals(i, 0) << std::setw(7) << petals(i, 1) << "  "
              << (answers(i, 0) == 1 ? "setosa    " : "not setosa") << std::setprecision(4) << std::setw(23)
              << probabilities(i, 0) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  samples::Options options;
  int epochs = 500;
  CLI::App app("Tells setosa from other irises with a perceptron and with logistic regression.");
  samples::add_options(app, options);
  samples::add_data_option(app, options, "iris.csv");
  samples::add_epochs_option(app, epochs, "Of logistic regression; the perceptron stops by itself");
  return samples::run(app, argc, argv, [&] { learn(options, epochs); });
}

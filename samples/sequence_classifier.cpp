// Reads Fashion-MNIST's images as sequences, 28 rows of 28 pixels each, with a recurrent layer, and says how much
// it knows when it has seen a part of the rows: sequence_classifier --cell gru --epochs 5
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <string>

#include "common.h"
#include "fashion_mnist_options.h"

namespace {

struct Options : samples::FashionMnistOptions {
  std::int64_t batch_size = 128;
  int units = 128;
  std::string cell = "lstm";
  double learning_rate = 0.005;
};

glia::Layer recurrent_layer(const Options& options) {
  if (options.cell == "gru") return glia::GRU(options.units);
  if (options.cell == "simple") return glia::SimpleRNN(options.units);
  return glia::LSTM(options.units);
}

/// The share of images that these layers name rightly when they have read their first `rows` rows.
double accuracy_after(std::int64_t rows, const glia::Layer& recurrent, const glia::Layer& output,
                      const glia::Dataset& test) {
  glia::Symbol image = glia::Input({rows, 28});
  glia::Model model({image}, {output(recurrent(image))});  // on the weights that were trained
  const std::int64_t images = test.x.rows();
  const glia::Tensor seen =
      test.x.reshape({images, 28 * 28}).columns(0, rows * 28).reshape({images, rows, 28});
  const glia::Tensor guesses = model.predict(seen, {.batch_size = 256, .verbose = 0}).argmax(1);
  return (guesses == test.y).mean();
}

void run(const Options& options) {
  const auto [train, test] = samples::fashion_mnist(options);
  const glia::Layer recurrent = recurrent_layer(options);
  const glia::Dense output(10, "softmax");
  glia::Sequential model{glia::Input({28, 28}), recurrent, output};
  model.set_seed(options.seed);
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .device = options.device});
  model.summary();
  if (options.epochs > 0) {
    const std::int64_t steps =
        (train.x.rows() + options.batch_size - 1) / options.batch_size * options.epochs;
    model.set_learning_rate(
        glia::OneCycle{.max_learning_rate = options.learning_rate,
                       .total_steps = static_cast<double>(std::max<std::int64_t>(2, steps))});
  }
  model.fit(train, {.epochs = options.epochs, .batch_size = options.batch_size, .verbose = 2});

  std::cout << "\nRows  Test accuracy\n" << std::fixed << std::setprecision(4);
  for (const std::int64_t rows : {7, 14, 21, 28})
    std::cout << std::setw(4) << rows << std::setw(15) << accuracy_after(rows, recurrent, output, test)
              << '\n';
  std::cout << "\nTest: " << model.evaluate(test, {.batch_size = 256, .verbose = 0}) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.epochs = 3;
  CLI::App app("Classifies Fashion-MNIST's images with a recurrent layer, row by row.");
  samples::add_fashion_mnist_options(app, options);
  app.add_option("--batch-size", options.batch_size, "Images in a step")->check(CLI::PositiveNumber);
  app.add_option("--units", options.units, "Of the recurrent layer")->check(CLI::PositiveNumber);
  app.add_option("--cell", options.cell, "Its kind")->check(CLI::IsMember({"lstm", "gru", "simple"}));
  app.add_option("--learning-rate", options.learning_rate,
                 "The greatest of Adam's, after three tenths of the steps")
      ->check(CLI::PositiveNumber);
  return samples::run(app, argc, argv, [&] { run(options); });
}

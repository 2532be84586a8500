// Says from eight measurements which of 768 Pima women got diabetes within five years: a small table, a small network.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "common.h"

namespace {

const std::string file = "pima-indians-diabetes.csv";
const std::string source =
    "the Pima Indians Diabetes data of the US National Institute of Diabetes and Digestive and Kidney "
    "Diseases, "
    "without a header: eight measurements and 0 or 1 in each row";

struct Options : samples::Options {
  int epochs = 1500;
  int patience = 50;
  int runs = 1;
};

struct Score {
  std::size_t epochs;
  double train, test;  // accuracies
};

Score train(const Options& options, std::uint64_t seed, const glia::Split& data) {
  glia::Sequential model{
      glia::Dense(12, "relu", {.input_dim = 8}),
      glia::Dense(8, "relu"),
      glia::Dense(1, "sigmoid"),
  };
  model.set_seed(seed);
  model.compile(
      {.optimizer = "adam", .loss = "binary_crossentropy", .metrics = "accuracy", .device = options.device});
  if (seed == options.seed) model.summary();

  // 1500 epochs learn the training rows by heart. The last 15 % of them are kept out of the training, to see when
  // it begins; the test rows have no say in that.
  glia::FitOptions fit{.epochs = options.epochs, .batch_size = 64, .verbose = 0};
  if (options.patience > 0) {
    fit.validation_split = 0.15;
    fit.callbacks = {glia::EarlyStopping({.patience = options.patience, .restore_best_weights = true})};
  }
  const glia::History history = model.fit(data.x_train, data.y_train, fit);
  return {history.epoch().size(), model.evaluate(data.x_train, data.y_train, {.verbose = 0})["accuracy"],
          model.evaluate(data.x_test, data.y_test, {.verbose = 0})["accuracy"]};
}

void run(const Options& options) {
  const glia::Table table = glia::read_csv(samples::find_data(options.data, file, source), {.header = false});
  glia::Split data = glia::train_test_split(table.without({"8"}).tensor(), table.column("8"),
                                            {.train_size = 700, .shuffle = false});
  glia::StandardScaler scaler;
  data.x_train = scaler.fit_transform(data.x_train);
  data.x_test = scaler.transform(data.x_test);
  const double ill = data.y_test.mean();
  std::cout << data.x_train.rows() << " rows to train, " << data.x_test.rows() << " to test\n" << std::fixed;

  std::vector<double> tests;
  for (int i = 0; i < options.runs; ++i) {
    const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(i);
    const Score score = train(options, seed, data);
    std::cout << "Seed " << seed << ": " << score.epochs << " epochs, accuracy " << std::setprecision(3)
              << score.train << " of the training rows, " << score.test << " of the test rows\n";
    tests.push_back(score.test);
  }
  if (options.runs > 1)
    std::cout << "Test accuracy from " << *std::min_element(tests.begin(), tests.end()) << " to "
              << *std::max_element(tests.begin(), tests.end()) << ", mean " << glia::Tensor(tests).mean()
              << '\n';
  std::cout << "Always answering the larger class: " << std::max(ill, 1 - ill) << ". One test row counts for "
            << 1.0 / static_cast<double>(data.y_test.rows()) << ", so look at several seeds (--runs 10).\n";
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Trains 8-12-8-1 on the Pima Indians Diabetes data: the first 700 rows, tested on the last 68.");
  samples::add_options(app, options);
  samples::add_data_option(app, options, file);
  samples::add_epochs_option(app, options.epochs, "At most");
  app.add_option("--patience", options.patience,
                 "Stop after so many epochs without a better loss on rows kept out; 0: never");
  app.add_option("--runs", options.runs, "Train with so many seeds, and tell how far the results spread")
      ->check(CLI::PositiveNumber);
  return samples::run(app, argc, argv, [&] { run(options); });
}

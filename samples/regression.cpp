// Regression with a hidden layer: three losses on data with outliers, outputs for targets that are positive or
// bounded, and numbers of a CSV file.
// SPDX-License-Identifier: Apache-2.0
#include "common.h"

#include <glia/glia.h>

#include <cmath>
#include <cstdint>
#include <iomanip>
#include <random>
#include <vector>

namespace {

struct Options : samples::Options {
  std::vector<std::string> losses = {"mse", "mae", "huber"};
  int epochs = 100;
  std::string target;
  std::vector<std::string> features;
  bool header = true;
};

using Function = double (*)(double a, double b);

/// `function` of points in the square from -2 to 2; each twentieth row gets `outlier` added.
glia::Dataset generate(std::int64_t rows, Function function, double outlier, std::uint64_t seed) {
  glia::Dataset data(glia::Tensor::zeros({rows, 2}), glia::Tensor::zeros({rows}));
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> uniform(-2, 2);
  for (std::int64_t i = 0; i < rows; ++i) {
    const double a = uniform(random), b = uniform(random);
    data.x.set({i, 0}, a);
    data.x.set({i, 1}, b);
    data.y.set({i}, function(a, b) + (i % 20 == 0 ? outlier : 0));
  }
  return data;
}

/// Trains, and prints a line on the test part: errors, and from where to where the predictions go.
void fit(const char* output, const std::string& loss, const glia::Dataset& train, const glia::Dataset& test,
         const Options& options, const glia::Context& context) {
  glia::Sequential model{glia::Dense(64, "relu"), glia::Dense(1, output)};
  model.set_seed(options.seed);
  model.compile(
      {.optimizer = "adam", .loss = loss, .metrics = {"r2_score", "mae", "rmse"}, .context = context});
  model.fit(train, {.epochs = options.epochs, .verbose = 0});
  const glia::Logs score = model.evaluate(test, {.verbose = 0});
  const glia::Tensor predictions = model(test.x);
  std::cout << std::left << std::setw(10) << output << std::setw(8) << loss << std::right << std::setw(8)
            << score["r2_score"] << std::setw(8) << score["mae"] << std::setw(8) << score["rmse"]
            << std::setw(10) << predictions.min() << std::setw(8) << predictions.max() << '\n';
}

void print_title(const std::string& title) {
  std::cout << '\n' << title << "\nOutput    Loss          R2     MAE    RMSE     Least  Greatest\n";
}

void generated(const Options& options, const glia::Context& context) {
  const Function wave = [](double a, double b) { return std::sin(2 * a) + b * b; };
  const Function positive = [](double a, double b) { return std::exp(a - b * b); };
  const Function share = [](double a, double b) { return 1 / (1 + std::exp(-4 * a * b)); };
  const Function signed_share = [](double a, double b) { return std::tanh(2 * a * b); };
  const auto both = [&](const char* output, const std::string& loss, Function function, double outlier) {
    fit(output, loss, generate(2000, function, outlier, options.seed),
        generate(500, function, 0, options.seed + 1), options, context);
  };
  std::cout << std::fixed << std::setprecision(3);
  print_title("sin(2a) + b^2, every twentieth target of the training 10 too great");
  for (const std::string& loss : options.losses) both("linear", loss, wave, 10);
  const std::string& loss = options.losses.front();
  print_title("exp(a - b^2), which is positive");
  for (const char* output : {"linear", "softplus"}) both(output, loss, positive, 0);
  print_title("1 / (1 + exp(-4ab)), from 0 to 1");
  for (const char* output : {"linear", "sigmoid"}) both(output, loss, share, 0);
  print_title("tanh(2ab), from -1 to 1");
  for (const char* output : {"linear", "tanh"}) both(output, loss, signed_share, 0);
}

void from_file(const Options& options, const glia::Context& context) {
  GLIA_CHECK(!options.target.empty(), glia::ValueError, "--data needs --target, the column to predict");
  std::vector<std::string> columns = options.features;
  if (!columns.empty()) columns.push_back(options.target);
  const glia::Table table = glia::read_csv(options.data, {.header = options.header, .columns = columns});
  const glia::Table features = table.without({options.target});
  auto [train, test] = glia::train_test_split(glia::Dataset(features.tensor(), table.column(options.target)),
                                              {.test_size = 0.2, .random_state = options.seed});
  glia::StandardScaler scaler;
  train.x = scaler.fit_transform(train.x);
  test.x = scaler.transform(test.x);
  std::cout << std::fixed << std::setprecision(3);
  print_title("Column " + options.target + " of " + options.data + " from " +
              std::to_string(features.columns()) + " others");
  for (const std::string& loss : options.losses) fit("linear", loss, train, test, options, context);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  bool no_header = false;
  CLI::App app("Fits functions, or a column of a CSV file, with a hidden layer.");
  samples::add_options(app, options);
  app.add_option("--loss", options.losses, "mse, mae, huber, ...; repeat to compare")
      ->allow_extra_args(false);
  samples::add_epochs_option(app, options.epochs, "Passes over the training data");
  app.add_option("--data", options.data, "A CSV file of numbers; default: generated data");
  app.add_option("--target", options.target, "The column to predict, by name or by number from 0");
  app.add_option("--feature", options.features,
                 "A column to predict from; repeat for more; default: all others")
      ->allow_extra_args(false);
  app.add_flag("--no-header", no_header, "The file's first line is data, not names");
  return samples::run(app, argc, argv, [&] {
    options.header = !no_header;
    const glia::Context context({.device = options.device});
    options.data.empty() ? generated(options, context) : from_file(options, context);
  });
}

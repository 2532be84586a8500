// Tells malignant from benign tumours by 30 features: one layer and 10 hidden units, full batch and mini-batches, raw
// features beside standardised ones.
// SPDX-License-Identifier: Apache-2.0
#include "common.h"

#include <glia/glia.h>

#include <cstdint>
#include <iomanip>

namespace {

struct Setting {
  int hidden;               // units; 0: one layer, which is logistic regression
  std::int64_t batch_size;  // 0: all rows at once
};

/// Test loss and accuracy after training.
glia::Logs train(const Setting& setting, const glia::Dataset& train, const glia::Dataset& test, int epochs,
                 double learning_rate, const glia::Context& context, std::uint64_t seed) {
  glia::Sequential model;
  model.set_seed(seed);
  if (setting.hidden) model.add(glia::Dense(setting.hidden, "relu"));
  model.add(glia::Dense(1, "sigmoid"));
  model.compile({.optimizer = glia::SGD{.learning_rate = learning_rate},
                 .loss = "binary_crossentropy",
                 .metrics = "accuracy",
                 .context = context});
  const std::int64_t batch_size = setting.batch_size ? setting.batch_size : train.x.rows();
  model.fit(train, {.epochs = epochs, .batch_size = batch_size, .verbose = 0});
  return model.evaluate(test, {.verbose = 0});
}

void compare(const samples::Options& options, int epochs, double learning_rate) {
  const std::string path =
      samples::find_data(options.data, "breast_cancer.csv",
                         "Breast Cancer Wisconsin (Diagnostic), https://archive.ics.uci.edu/dataset/17, as "
                         "scikit-learn has it in "
                         "sklearn/datasets/data/breast_cancer.csv");
  // The first line counts rows and features; columns 0 to 29 are features, 30 is 0 malignant, 1 benign.
  const glia::Table table = glia::read_csv(path, {.header = false, .skip_rows = 1});
  const glia::Dataset data(table.without({"30"}).tensor(), table.column("30"));
  const auto [raw_train, raw_test] =
      glia::train_test_split(data, {.test_size = 0.25, .random_state = 42, .stratify = true});
  std::cout << raw_train.x.rows() << " tumours to train, " << raw_test.x.rows() << " to test, "
            << data.x.shape()[1] << " features; always benign would be right for " << raw_test.y.mean()
            << " of the test\n";

  glia::StandardScaler scaler;  // learns from the training part only
  const glia::Dataset scaled_train(scaler.fit_transform(raw_train.x), raw_train.y.clone());
  const glia::Dataset scaled_test(scaler.transform(raw_test.x), raw_test.y.clone());
  std::cout << "Raw features' means go from " << scaler.mean().min() << " to " << scaler.mean().max()
            << ", their deviations from " << scaler.scale().min() << " to " << scaler.scale().max() << "\n\n";

  const glia::Context context({.device = options.device});
  std::cout << std::fixed << std::setprecision(4)
            << "                     Raw features             Standardised\n"
            << "Hidden  Batch        Loss  Accuracy        Loss  Accuracy\n";
  for (const Setting& setting : {Setting{0, 0}, Setting{0, 32}, Setting{10, 0}, Setting{10, 32}}) {
    std::cout << std::setw(6) << setting.hidden << std::setw(7)
              << (setting.batch_size ? std::to_string(setting.batch_size) : "full");
    const auto print = [](const glia::Logs& score) {
      std::cout << std::setw(12) << score["loss"] << std::setw(10) << score["accuracy"];
    };
    print(train(setting, raw_train, raw_test, epochs, learning_rate, context, options.seed));
    print(train(setting, scaled_train, scaled_test, epochs, learning_rate, context, options.seed));
    std::cout << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  samples::Options options;
  int epochs = 200;
  double learning_rate = 0.1;
  CLI::App app("Tells malignant from benign tumours, with raw and with standardised features.");
  samples::add_options(app, options);
  samples::add_data_option(app, options, "breast_cancer.csv");
  samples::add_epochs_option(app, epochs, "Passes over the training data");
  app.add_option("--learning-rate", learning_rate, "Of SGD");
  return samples::run(app, argc, argv, [&] { compare(options, epochs, learning_rate); });
}

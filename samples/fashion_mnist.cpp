// Trains a multi-layer perceptron on Fashion-MNIST, tests it, and shows what it makes of the first test
// images.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace {

struct Options {
  std::string device = "auto";
  int threads = 0;
  int epochs = 5;
  std::int64_t batch_size = 32;
  std::vector<int> hidden = {128};
  std::string activation = "relu";
  std::string optimizer = "adam";
  std::optional<double> learning_rate;
  std::uint64_t seed = 0;
  double validation_split = 0.2;
  int verbose = 1;
  std::string data;
  std::string save;
  std::string json;
};

void add_options(CLI::App& app, Options& options);
void print_data(const glia::TrainTest& data);
void print_predictions(glia::Sequential& model, const glia::Dataset& test, std::int64_t count);

void train(const Options& options) {
  glia::Context context({.device = options.device, .threads = options.threads});

  glia::Sequential model;
  model.set_seed(options.seed);
  model.add(glia::Flatten({28, 28}));
  for (int units : options.hidden)
    if (units != 0) model.add(glia::Dense(units, options.activation));
  model.add(glia::Dense(10, "softmax"));
  model.compile({.optimizer = options.optimizer,
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .context = context});
  if (options.learning_rate) model.set_learning_rate(*options.learning_rate);

  glia::TrainTest data = glia::datasets::fashion_mnist(options.data);
  print_data(data);
  std::cout << glia::device_report() << '\n';
  model.summary();

  glia::History history = model.fit(data.train, {.epochs = options.epochs,
                                                 .batch_size = options.batch_size,
                                                 .verbose = options.verbose,
                                                 .validation_split = options.validation_split});
  glia::Logs score = model.evaluate(data.test, {.batch_size = 256, .verbose = 0});
  std::cout << "\nTest: " << score << '\n';
  print_predictions(model, data.test, 8);

  if (!options.save.empty()) model.save_weights(options.save);
  if (!options.json.empty()) history.to_json(options.json, {.context = &context, .test = score});
}

void print_data(const glia::TrainTest& data) {
  const auto& [train, test] = data;
  std::cout << "Training images " << train.x.shape() << ", labels " << train.y.shape() << '\n'
            << "Test images     " << test.x.shape() << ", labels " << test.y.shape() << "\n\n"
            << "Label  Class        Training    Test\n";
  const glia::Unique train_labels = train.y.unique();
  const glia::Unique test_labels = test.y.unique();
  for (std::int64_t i = 0; i < train_labels.values.rows(); ++i) {
    const auto label = static_cast<std::size_t>(train_labels.values(i));
    std::cout << std::setw(5) << label << "  " << std::left << std::setw(12) << train.class_names.at(label)
              << std::right << std::setw(9) << train_labels.counts(i) << std::setw(8) << test_labels.counts(i)
              << '\n';
  }
  std::cout << '\n';
}

void print_predictions(glia::Sequential& model, const glia::Dataset& test, std::int64_t count) {
  const glia::Tensor probabilities = model(test.x.rows(0, count));
  const glia::Tensor predicted = probabilities.argmax(1);
  std::cout << "\nImage  Predicted    Probability  Truth\n" << std::fixed << std::setprecision(3);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto guess = static_cast<std::size_t>(predicted(i));
    const auto truth = static_cast<std::size_t>(test.y(i));
    std::cout << std::setw(5) << i << "  " << std::left << std::setw(12) << test.class_names.at(guess)
              << std::right << std::setw(12) << probabilities(i, guess) << "  " << test.class_names.at(truth)
              << (guess == truth ? "" : "  (wrong)") << '\n';
  }
}

/// A name that cannot be written is better found before the training than after it.
std::string check_output(const std::string& path) {
  const std::filesystem::path file(path);
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) return "there is no folder " + folder.string();
  return std::filesystem::is_directory(file, ignored) ? path + " is a folder" : "";
}

void add_options(CLI::App& app, Options& options) {
  app.option_defaults()->always_capture_default();
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:N");
  app.add_option("--threads", options.threads, "CPU threads; 0: one for each core");
  app.add_option("--epochs", options.epochs, "Passes over the training data");
  app.add_option("--batch-size", options.batch_size, "Images in a step");
  app.add_option("--hidden", options.hidden, "Units of a hidden layer; repeat for more layers, 0 for none")
      ->allow_extra_args(false);
  app.add_option("--activation", options.activation, "Activation of the hidden layers");
  app.add_option("--optimizer", options.optimizer, "sgd, rmsprop or adam");
  app.add_option("--learning-rate", options.learning_rate, "Default: the optimizer's own");
  app.add_option("--seed", options.seed, "Of initial weights and shuffle")->check(CLI::NonNegativeNumber);
  app.add_option("--validation-split", options.validation_split,
                 "Share of the training images to validate on");
  app.add_option("--verbose", options.verbose, "0: silent, 1: progress bar, 2: a line an epoch");
  app.add_option("--data", options.data, "Folder of the four IDX files; default: the usual places");
  app.add_option("--save", options.save, "Write the weights to this safetensors file")->check(check_output);
  app.add_option("--json", options.json, "Write the training curve and the test score to this file")
      ->check(check_output);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains a multi-layer perceptron on Fashion-MNIST.");
  add_options(app, options);
  try {
    app.parse(argc, argv);
    train(options);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}

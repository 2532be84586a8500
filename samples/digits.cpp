// Learns handwritten digits, shows in curves when it begins to learn them by heart, draws what it makes of some
// images, and saves its weights.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "common.h"

namespace {

const std::string folder = "mnist";
const std::string source =
    "a folder with the IDX files of MNIST (Yann LeCun, Corinna Cortes, Christopher Burges), "
    "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or .gz, and the same with train- if there are "
    "any, or of a set of its kind: Debian's dataset-fashion-mnist has one in "
    "/usr/share/datasets/fashion-mnist";

struct Options : samples::Options {
  int epochs = 30;
  int verbose = 2;
  std::string out = ".";
};

glia::Sequential network(const Options& options) {
  glia::Sequential model{
      glia::Flatten({28, 28}),
      glia::Dense(64, "relu"),
      glia::Dense(32, "relu"),
      glia::Dense(10, "softmax"),
  };
  model.set_seed(options.seed);
  model.compile({.optimizer = "adam",
                 .loss = "categorical_crossentropy",
                 .metrics = "accuracy",
                 .device = options.device});
  return model;
}

/// When the validation loss was least, and what became of it.
void print_overfitting(const glia::History& history) {
  const int best = history.best_epoch("val_loss");
  const int last = history.epoch().back();
  std::cout << std::fixed << std::setprecision(4) << "\nEpoch  loss    val_loss  val_accuracy\n";
  const auto print = [&](int epoch, const char* what) {
    const auto i = static_cast<std::size_t>(epoch);
    std::cout << std::setw(5) << epoch + 1 << "  " << history["loss"][i] << "  " << history["val_loss"][i]
              << "    " << history["val_accuracy"][i] << "  " << what << '\n';
  };
  if (best < last) print(best, "the best: after it the network learns its images by heart");
  print(last, best < last ? "the last" : "the last, and the best so far");
  std::cout << "Validation accuracy " << history["val_accuracy"].back() << '\n';
}

/// Three images at random and number 4523.
std::vector<std::int64_t> some_images(const glia::Dataset& test, std::uint64_t seed) {
  const std::int64_t eight = 4523;  // among MNIST's 10,000 test images
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> indices;
  for (int i = 0; i < 3; ++i)
    indices.push_back(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(test.x.rows())));
  if (eight < test.x.rows())
    indices.push_back(eight);
  else
    std::cout << "There is no image " << eight << " among " << test.x.rows() << ".\n";
  return indices;
}

void draw(glia::Sequential& model, const glia::Dataset& test, const std::vector<std::int64_t>& indices,
          const std::string& path) {
  const glia::Tensor probabilities = model(test.x.rows(indices));
  const glia::Tensor labels = test.y.argmax(1);
  for (std::size_t i = 0; i < indices.size(); ++i)
    std::cout << "Image " << indices[i] << ": label " << labels(indices[i]) << ", prediction "
              << probabilities.row(static_cast<std::int64_t>(i)).argmax() << '\n';
  glia::plot_images(test, path, {.indices = indices, .predictions = probabilities, .columns = 4});
}

void run(const Options& options) {
  const std::filesystem::path out(options.out);
  glia::TrainTest data = glia::datasets::mnist(samples::find_data(options.data, folder, source));
  for (glia::Dataset* part : {&data.train, &data.test}) part->y = glia::to_categorical(part->y, 10);
  const bool has_training_part = !data.train.x.empty();
  const auto [train, validation] = glia::train_test_split(has_training_part ? data.train : data.test,
                                                          {.test_size = 0.3, .random_state = options.seed});
  std::cout << train.x.rows() << " images to train, " << validation.x.rows() << " to validate\n";

  glia::Sequential model = network(options);
  model.summary();
  const glia::History history = model.fit(train, {.epochs = options.epochs,
                                                  .batch_size = 128,
                                                  .verbose = options.verbose,
                                                  .validation_data = validation});
  if (options.epochs > 0) {
    print_overfitting(history);
    history.plot((out / "digits_history.svg").string(), {.title = "Digits", .mark_best = "val_loss"});
  }
  if (has_training_part)
    std::cout << "Test accuracy " << model.evaluate(data.test, {.batch_size = 256, .verbose = 0})["accuracy"]
              << '\n';
  else
    std::cout << "No train- files, so the test images were split, and none are left for a test.\n";
  std::cout << std::setprecision(0);
  draw(model, data.test, some_images(data.test, options.seed), (out / "digits_images.svg").string());

  const std::string weights = (out / "digits.safetensors").string();
  model.save_weights(weights);
  glia::Sequential copy = network(options);
  copy.build({28, 28});
  copy.load_weights(weights);
  const bool same = glia::array_equal(model(data.test.x), copy(data.test.x));
  std::cout << "A new model with the saved weights predicts "
            << (same ? "the same, bit for bit" : "something else") << ".\nWrote "
            << (options.epochs > 0 ? "digits_history.svg, " : "")
            << "digits_images.svg and digits.safetensors to " << out << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains 64-32-10 on handwritten digits, 70 % of the images to train and 30 % to validate.");
  samples::add_options(app, options);
  samples::add_data_option(app, options, folder);
  samples::add_epochs_option(app, options.epochs, "Passes over the training images");
  app.add_option("--verbose", options.verbose, "0: silent, 1: progress bar, 2: a line an epoch");
  samples::add_out_option(app, options.out,
                          {"digits_history.svg", "digits_images.svg", "digits.safetensors"});
  return samples::run(app, argc, argv, [&] { run(options); });
}

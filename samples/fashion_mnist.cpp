// Trains a multi-layer perceptron or a convolutional network on Fashion-MNIST, tests it, and shows what it makes of the
// first test images; as drawings too: the training curve, the predictions, the confusion matrix.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common.h"
#include "fashion_mnist_models.h"

namespace {

struct Options : samples::Options {
  int threads = 0;
  int epochs = 5;
  std::int64_t batch_size = 32;
  std::string model;  // one of those with a name; empty: by hidden and activation
  std::vector<int> hidden = {128};
  std::string activation = "relu";
  std::string optimizer = "adam";
  std::optional<double> learning_rate;
  double validation_split = 0.2;
  std::optional<std::uint64_t> random_state;
  std::int64_t images = 0;
  bool one_hot = false;
  std::string precision = "float32";
  bool augment = false;
  bool flip_average = false;
  double one_cycle = 0;
  double label_smoothing = 0;
  double ema = 0;
  int verbose = 1;
  std::string save;
  std::string json;
  std::string plot;
  std::string predictions;
  std::string confusion;
};

void add_options(CLI::App& app, Options& options);
glia::OptimizerName optimizer(const Options& options);
glia::LossName loss(const Options& options);
glia::Dataset split_off(glia::Dataset& train, const Options& options);
glia::Dataset first_rows(const glia::Dataset& data, std::int64_t rows);
void print_data(const glia::TrainTest& data);
void print_predictions(glia::Sequential& model, const glia::Dataset& test, std::int64_t count);

bool is_convolutional(const Options& options) { return options.model == "cnn" || options.model == "resnet"; }

void draw_predictions(glia::Sequential& model, const glia::Dataset& test, const Options& options);
void draw_confusion(glia::Sequential& model, const glia::Dataset& test, const Options& options,
                    const glia::Context& context);
glia::Sequential make_model(const Options& options);

void train(const Options& options) {
  glia::Context context({.device = options.device, .threads = options.threads});

  glia::Sequential model = make_model(options);
  model.set_seed(options.seed);
  model.compile({.optimizer = optimizer(options),
                 .loss = loss(options),
                 .metrics = "accuracy",
                 .context = context,
                 .precision = options.precision});
  if (options.learning_rate) model.set_learning_rate(*options.learning_rate);

  glia::TrainTest data = glia::datasets::fashion_mnist(options.data);
  if (options.images > 0) data.train = first_rows(data.train, options.images);
  print_data(data);
  std::cout << glia::device_report() << '\n';
  model.summary();

  if (is_convolutional(options))  // grey images have one channel
    for (glia::Dataset* part : {&data.train, &data.test})
      part->x = std::move(part->x).reshape({part->x.rows(), 28, 28, 1});
  if (options.one_hot)
    for (glia::Dataset* part : {&data.train, &data.test}) part->y = glia::to_categorical(part->y, 10);
  glia::FitOptions fit{
      .epochs = options.epochs, .batch_size = options.batch_size, .verbose = options.verbose};
  glia::Dataset validation = split_off(data.train, options);
  if (validation.x.empty())
    fit.validation_split = options.validation_split;  // the last images
  else
    fit.validation_data = validation;
  if (options.one_cycle > 0 && options.epochs > 0) {
    const std::int64_t steps = (data.train.x.rows() + options.batch_size - 1) / options.batch_size;
    model.set_learning_rate(glia::OneCycle{.max_learning_rate = options.one_cycle,
                                           .total_steps = static_cast<double>(steps * options.epochs)});
  }
  glia::History history;
  try {
    history = model.fit(data.train, fit);
  } catch (const glia::Interrupted&) {  // Ctrl-C: what was learnt so far is kept
    if (!options.save.empty()) model.save_weights(options.save);
    throw;
  }
  if (!validation.x.empty())
    std::cout << "\nTraining part:   " << model.evaluate(data.train, {.batch_size = 256, .verbose = 0})
              << "\nValidation part: " << model.evaluate(validation, {.batch_size = 256, .verbose = 0});
  glia::Logs score =
      model.evaluate(data.test, {.batch_size = 256, .verbose = 0, .flip_average = options.flip_average});
  std::cout << "\nTest: " << score << '\n';
  print_predictions(model, data.test, 8);

  if (!options.save.empty()) model.save_weights(options.save);
  if (!options.json.empty()) history.to_json(options.json, {.context = &context, .test = score});
  if (!options.predictions.empty()) draw_predictions(model, data.test, options);
  if (!options.confusion.empty()) draw_confusion(model, data.test, options, context);
  if (options.plot.empty()) return;
  if (options.epochs > 0)
    history.plot(options.plot, {.title = "Fashion-MNIST", .columns = 1});
  else
    std::cout << "Without an epoch there is no curve to draw.\n";
}

glia::Sequential make_model(const Options& options) {
  if (is_convolutional(options)) {
    glia::Sequential model{glia::Input({28, 28, 1})};
    for (const glia::Layer& layer : options.augment ? samples::augmentation() : samples::Layers{})
      model.add(layer);
    for (const glia::Layer& layer : options.model == "cnn" ? samples::cnn() : samples::resnet())
      model.add(layer);
    return model;
  }
  glia::Sequential model{glia::Flatten({28, 28})};
  for (int units : options.hidden)
    if (units != 0) model.add(glia::Dense(units, options.activation));
  model.add(glia::Dense(10, "softmax"));
  return model;
}

/// By Keras's names, and the two that are options of SGD there.
glia::OptimizerName optimizer(const Options& options) {
  glia::OptimizerName chosen = options.optimizer == "momentum" ? glia::SGD{.momentum = 0.9}
                               : options.optimizer == "nesterov"
                                   ? glia::SGD{.momentum = 0.9, .nesterov = true}
                                   : glia::OptimizerName(options.optimizer);
  if (options.ema > 0)
    std::visit([&](auto& o) { o.use_ema = true, o.ema_momentum = options.ema; }, chosen.value());
  return chosen;
}

glia::LossName loss(const Options& options) {
  if (!options.one_hot) return "sparse_categorical_crossentropy";
  return glia::CategoricalCrossentropy{.label_smoothing = options.label_smoothing};
}

/// Takes the validation images out of `train`, at random; without a random_state none.
glia::Dataset split_off(glia::Dataset& train, const Options& options) {
  if (!options.random_state || options.validation_split == 0) return {};
  glia::TrainTest parts = glia::train_test_split(
      train, {.test_size = options.validation_split, .random_state = options.random_state});
  train = std::move(parts.train);
  return std::move(parts.test);
}

glia::Dataset first_rows(const glia::Dataset& data, std::int64_t rows) {
  const std::int64_t last = std::min(rows, data.x.rows());
  glia::Dataset first(data.x.rows(0, last), data.y.rows(0, last));
  first.class_names = data.class_names;
  return first;
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
    const auto truth = static_cast<std::size_t>(test.y.rank() == 2 ? test.y.row(i).argmax() : test.y(i));
    std::cout << std::setw(5) << i << "  " << std::left << std::setw(12) << test.class_names.at(guess)
              << std::right << std::setw(12) << probabilities(i, guess) << "  " << test.class_names.at(truth)
              << (guess == truth ? "" : "  (wrong)") << '\n';
  }
}

void draw_predictions(glia::Sequential& model, const glia::Dataset& test, const Options& options) {
  const glia::Dataset first = first_rows(test, 16);
  const glia::Tensor probabilities =
      model.predict(first.x, {.verbose = 0, .flip_average = options.flip_average});
  glia::plot_images(first, options.predictions,
                    {.predictions = probabilities, .columns = 8, .title = "The first test images"});
}

void draw_confusion(glia::Sequential& model, const glia::Dataset& test, const Options& options,
                    const glia::Context& context) {
  // Counted apart, so that the curve has no metric that nobody asked for. compile keeps the weights.
  model.compile({.loss = loss(options),
                 .metrics = {"confusion_matrix"},
                 .context = context,
                 .precision = options.precision});
  const glia::Tensor counts =
      model.confusion_matrix(test, {.batch_size = 256, .verbose = 0, .flip_average = options.flip_average});
  glia::plot_confusion_matrix(counts, options.confusion,
                              {.class_names = test.class_names, .title = "All test images"});
}

void add_options(CLI::App& app, Options& options) {
  samples::add_options(app, options);
  app.add_option("--threads", options.threads, "CPU threads; 0: one for each core");
  samples::add_epochs_option(app, options.epochs, "Passes over the training data");
  app.add_option("--batch-size", options.batch_size, "Images in a step");
  CLI::Option* hidden = app.add_option("--hidden", options.hidden,
                                       "Units of a hidden layer; repeat for more layers, 0 for none")
                            ->allow_extra_args(false);
  CLI::Option* activation =
      app.add_option("--activation", options.activation, "Activation of the hidden layers");
  app.add_option(
         "--model", options.model,
         "A textbook's: softmax (no hidden layer), sigmoid or relu (100 units), by rmsprop and with "
         "--random-state 42 unless told otherwise; or a convolutional network: cnn (a textbook's, two "
         "convolutions) or resnet (nine layers), by adam")
      ->check(CLI::IsMember({"softmax", "sigmoid", "relu", "cnn", "resnet"}))
      ->excludes(hidden)
      ->excludes(activation);
  app.add_option(
      "--optimizer", options.optimizer,
      "momentum or nesterov (SGD with momentum 0.9), or Keras's name: sgd, adagrad, rmsprop, adam, ...");
  app.add_option("--learning-rate", options.learning_rate, "Default: the optimizer's own");
  app.add_option("--validation-split", options.validation_split,
                 "Share of the training images to validate on");
  app.add_option(
         "--random-state", options.random_state,
         "Choose them at random, those that scikit-learn's train_test_split chooses; default: the last")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--images", options.images, "Training images to use, the first ones; 0: all")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--one-hot", options.one_hot,
               "One-hot labels and categorical_crossentropy, for the same result");
  app.add_option("--precision", options.precision,
                 "float32; tf32: faster products on GPUs that have it, with 10 bits of mantissa; "
                 "mixed_bfloat16: on CPUs too, with 7");
  app.add_flag("--augment", options.augment,
               "Mirror and move the training images at random; for --model cnn and resnet");
  app.add_flag("--flip-average", options.flip_average,
               "Test on each image and its mirror image; for --model cnn and resnet");
  app.add_option("--one-cycle", options.one_cycle,
                 "A learning rate that rises to this one and falls again over all epochs")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--label-smoothing", options.label_smoothing, "Share of the label given to all classes")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--ema", options.ema, "Momentum of averages that take the weights' place in the end")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--verbose", options.verbose, "0: silent, 1: progress bar, 2: a line an epoch");
  app.add_option("--data", options.data, "Folder of the four IDX files; default: the usual places");
  app.add_option("--save", options.save, "Write the weights to this safetensors file")
      ->check([](const std::string& path) {
        const bool named = std::filesystem::path(path).has_extension();
        return samples::unwritable(named ? path : path + ".safetensors");  // as save_weights names it
      });
  app.add_option("--json", options.json, "Write the training curve and the test score to this file")
      ->check(samples::unwritable);
  app.add_option("--plot", options.plot, "Draw the training curve, an SVG file")->check(samples::unwritable);
  app.add_option("--predictions", options.predictions,
                 "Draw the first test images with label and prediction, an SVG file")
      ->check(samples::unwritable);
  app.add_option("--confusion", options.confusion, "Draw the test images' confusion matrix, an SVG file")
      ->check(samples::unwritable);
}

/// What --model and --label-smoothing stand for, where no other option says otherwise.
void apply_model(const CLI::App& app, Options& options) {
  if (options.label_smoothing > 0) options.one_hot = true;
  if (!is_convolutional(options) && (options.augment || options.flip_average))
    throw CLI::ValidationError("--augment and --flip-average need --model cnn or resnet");
  if (options.model.empty() || is_convolutional(options)) return;
  options.hidden = {options.model == "softmax" ? 0 : 100};
  if (options.model != "softmax") options.activation = options.model;
  if (app.count("--optimizer") == 0) options.optimizer = "rmsprop";
  if (app.count("--random-state") == 0) options.random_state = 42;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains a multi-layer perceptron or a convolutional network on Fashion-MNIST.");
  add_options(app, options);
  return samples::run(app, argc, argv, [&] {
    apply_model(app, options);
    train(options);
  });
}

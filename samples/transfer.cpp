// Learns classes 5 to 9 from a few images: by a new head on the frozen base of a network that knows classes 0 to 4, by
// fine-tuning that base as well, and, to compare, from scratch.
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
  std::int64_t examples = 100;
  int transfer_epochs = 20;
};

/// What is seen on images, as 576 numbers.
glia::Sequential make_base() {
  glia::Sequential base{glia::Input({28, 28}),
                        glia::Reshape({28, 28, 1}),
                        glia::Conv2D(16, 3, "relu", {.padding = "same"}),
                        glia::MaxPooling2D(),
                        glia::Conv2D(32, 3, "relu", {.padding = "same"}),
                        glia::MaxPooling2D(),
                        glia::Conv2D(64, 3, "relu", {.padding = "same"}),
                        glia::MaxPooling2D(),
                        glia::Flatten()};
  base.set_name("base");
  return base;
}

/// The base with a new layer on top that tells five classes apart.
glia::Model with_head(const glia::Model& base) {
  glia::Symbol image = glia::Input({28, 28});
  return glia::Model({image}, {glia::Dense(5, "softmax", {.name = "head"})(base(image))});
}

/// The images of five classes, numbered from 0.
glia::Dataset five_classes(const glia::Dataset& data, int first) {
  const glia::Tensor among = (data.y >= first) * (data.y < first + 5);
  return glia::Dataset(data.x.where(among > 0), data.y.where(among > 0) - first);
}

void run(const Options& options) {
  const auto [train, test] = samples::fashion_mnist(options);
  const glia::Dataset old_train = five_classes(train, 0), old_test = five_classes(test, 0);
  const glia::Dataset all_new = five_classes(train, 5), new_test = five_classes(test, 5);
  const std::int64_t rows = std::min(options.examples, all_new.x.rows());
  const glia::Dataset examples(all_new.x.rows(0, rows), all_new.y.rows(0, rows));

  const glia::Context context({.device = options.device});  // of all models, since they share weights
  const auto compile = [&](glia::Model& model, double learning_rate) {
    model.compile({.optimizer = glia::Adam{.learning_rate = learning_rate},
                   .loss = "sparse_categorical_crossentropy",
                   .metrics = "accuracy",
                   .context = context});
  };
  const auto accuracy = [](glia::Model& model, const glia::Dataset& data) {
    return model.evaluate(data, {.batch_size = 256, .verbose = 0})["accuracy"];
  };
  std::cout << std::fixed << std::setprecision(3);

  glia::Sequential base = make_base();
  glia::Model known = with_head(base);
  known.set_seed(options.seed);
  compile(known, 0.001);
  known.fit(old_train, {.epochs = options.epochs, .batch_size = 64, .verbose = 2});
  std::cout << "Classes 0 to 4: test accuracy " << accuracy(known, old_test) << " after "
            << old_train.x.rows() << " images\n\nClasses 5 to 9, after " << rows
            << " images:     Trained weights  Test accuracy\n";

  const glia::FitOptions few{.epochs = options.transfer_epochs, .batch_size = 10, .verbose = 0};
  const auto train_and_print = [&](const char* what, glia::Model& model, std::int64_t trained) {
    model.fit(examples, few);
    std::cout << std::left << std::setw(40) << what << std::right << std::setw(15) << trained << std::setw(15)
              << accuracy(model, new_test) << '\n';
  };
  base.set_trainable(false);  // in models compiled from now on
  glia::Model transferred = with_head(base);
  transferred.set_seed(options.seed);
  compile(transferred, 0.001);
  train_and_print("A new head on the frozen base", transferred, transferred.layer("head").count_params());

  base.set_trainable(true);
  compile(transferred, 0.0001);  // small steps, or what the base has learnt is lost
  train_and_print("The same, fine-tuned", transferred, transferred.count_params());

  glia::Model fresh = with_head(make_base());
  fresh.set_seed(options.seed);
  compile(fresh, 0.001);
  train_and_print("From scratch", fresh, fresh.count_params());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.epochs = 3;
  CLI::App app("Transfers what a network learnt of some classes of Fashion-MNIST to the others.");
  samples::add_fashion_mnist_options(app, options);
  app.add_option("--examples", options.examples, "Images of classes 5 to 9 to learn from")
      ->check(CLI::PositiveNumber);
  app.add_option("--transfer-epochs", options.transfer_epochs, "Passes over the examples")
      ->check(CLI::NonNegativeNumber);
  return samples::run(app, argc, argv, [&] { run(options); });
}

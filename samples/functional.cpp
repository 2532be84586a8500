// A network of two inputs and two outputs: an image and a small table in, what is on the image and whether it is worn on
// feet out. Draws the network as well.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "common.h"
#include "fashion_mnist_options.h"

namespace {

struct Options : samples::FashionMnistOptions {
  std::string out = ".";
};

/// How bright the four quarters of each image are: (rows, 28, 28) -> (rows, 4).
glia::Tensor brightness(const glia::Tensor& images) {
  return images.reshape({images.rows(), 2, 14, 2, 14}).mean(4).mean(2).reshape({images.rows(), 4});
}

/// 1 for sandals, sneakers and ankle boots.
glia::Tensor footwear(const glia::Tensor& classes) {
  return (classes == 5) + (classes == 7) + (classes == 9);
}

glia::Model network() {
  glia::Symbol image = glia::Input({28, 28}, "image"), table = glia::Input({4}, "table");
  glia::Symbol y = glia::Reshape({28, 28, 1})(image);
  y = glia::MaxPooling2D()(glia::Conv2D(16, 3, "relu")(y));
  y = glia::MaxPooling2D()(glia::Conv2D(32, 3, "relu")(y));
  y = glia::concatenate({glia::Flatten()(y), glia::Dense(8, "relu")(table)});
  y = glia::Dense(64, "relu")(y);
  return glia::Model({image, table}, {glia::Dense(10, "softmax", {.name = "class"})(y),
                                      glia::Dense(1, "sigmoid", {.name = "footwear"})(y)});
}

void print_predictions(const glia::NamedTensors& outputs, const glia::Dataset& test) {
  const glia::Tensor &classes = outputs["class"], &feet = outputs["footwear"];
  std::cout << "\nImage  Class        Probability  Footwear  Truth\n" << std::fixed << std::setprecision(3);
  for (std::int64_t i = 0; i < classes.rows(); ++i) {
    const std::int64_t guess = classes.row(i).argmax();
    std::cout << std::setw(5) << i << "  " << std::left << std::setw(11)
              << test.class_names.at(static_cast<std::size_t>(guess)) << std::right << std::setw(13)
              << classes(i, guess) << std::setw(10) << feet(i, 0) << "  "
              << test.class_names.at(static_cast<std::size_t>(test.y(i))) << '\n';
  }
}

void run(const Options& options) {
  const auto [train, test] = samples::fashion_mnist(options);
  const glia::Tensor train_table = brightness(train.x), test_table = brightness(test.x);
  const glia::Tensor train_feet = footwear(train.y), test_feet = footwear(test.y);

  glia::Model model = network();
  model.set_seed(options.seed);
  model.compile({.optimizer = "adam",
                 .loss = {{"class", "sparse_categorical_crossentropy"}, {"footwear", "binary_crossentropy"}},
                 .metrics = {{"class", "accuracy"}, {"footwear", {"accuracy", "auc"}}},
                 .loss_weights = {{"footwear", 0.5}},
                 .device = options.device});
  model.summary();
  const std::string drawing = (std::filesystem::path(options.out) / "functional.svg").string();
  glia::plot_model(model, drawing);
  std::cout << "Drawn as " << drawing << '\n';

  model.fit({train.x, train_table}, {train.y, train_feet},
            {.epochs = options.epochs,
             .batch_size = 64,
             .verbose = 2,
             .validation_data = {{test.x, test_table}, {test.y, test_feet}}});
  // By their names they come in any order.
  const glia::Logs score =
      model.evaluate({{"table", test_table}, {"image", test.x}}, {{"footwear", test_feet}, {"class", test.y}},
                     {.batch_size = 256, .verbose = 0});
  std::cout << "\nTest: " << score << '\n';
  print_predictions(model.predict_all({test.x.rows(0, 8), test_table.rows(0, 8)}, {.verbose = 0}), test);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.epochs = 3;
  CLI::App app("Learns two things of an image and a table at once, in a network of two inputs and outputs.");
  samples::add_fashion_mnist_options(app, options);
  samples::add_out_option(app, options.out, {"functional.svg"});
  return samples::run(app, argc, argv, [&] { run(options); });
}

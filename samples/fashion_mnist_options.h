// What the samples that learn from Fashion-MNIST's images share: options, and the data.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/datasets.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "common.h"

namespace samples {

struct FashionMnistOptions : Options {
  int epochs = 1;
  std::int64_t images = 60'000;
};

/// --device, --seed, --data, --epochs and --images.
inline void add_fashion_mnist_options(CLI::App& app, FashionMnistOptions& options) {
  add_options(app, options);
  app.add_option("--data", options.data, "Folder of the four IDX files; default: the usual places");
  add_epochs_option(app, options.epochs, "Passes over the training images");
  app.add_option("--images", options.images, "Training images to use, the first ones")
      ->check(CLI::PositiveNumber);
}

/// The images, uint8 (rows, 28, 28), and their classes; of the training part as many as the options say.
inline glia::TrainTest fashion_mnist(const FashionMnistOptions& options) {
  glia::TrainTest data = glia::datasets::fashion_mnist(options.data);
  const std::int64_t rows = std::min(options.images, data.train.x.rows());
  data.train.x = data.train.x.rows(0, rows);
  data.train.y = data.train.y.rows(0, rows);
  return data;
}

}  // namespace samples

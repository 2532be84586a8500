// Takes noise out of images by squeezing them through a code of 32 numbers. The encoder and the decoder are parts of the
// model, on the same weights: after the training each is used alone.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "common.h"
#include "fashion_mnist_options.h"

namespace {

struct Options : samples::FashionMnistOptions {
  double noise = 0.3;
  std::string out = ".";
};

/// Images (rows, 28, 28) with normal noise, cut off at black and white.
glia::Tensor with_noise(const glia::Tensor& images, double deviation, std::uint64_t seed) {
  glia::Tensor result = images.clone();
  std::mt19937_64 random(seed);
  std::normal_distribution<float> noise(0, static_cast<float>(deviation));
  for (float *pixel = result.data<float>(), *end = pixel + result.size(); pixel < end; ++pixel)
    *pixel = std::clamp(*pixel + noise(random), 0.0F, 1.0F);
  return result;
}

double mean_squared_error(const glia::Tensor& a, const glia::Tensor& b) {
  const glia::Tensor difference = a - b;
  return (difference * difference).mean();
}

void draw(const glia::Tensor& pictures, const std::filesystem::path& path, const std::string& title) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < pictures.rows(); ++i) all.push_back(i);
  glia::plot_images(pictures, glia::Tensor{}, path.string(), {.indices = all, .columns = 8, .title = title});
  std::cout << path.string() << ": " << pictures.rows() << " pictures\n";
}

void run(const Options& options) {
  const std::filesystem::path out(options.out);
  const auto [train, test] = samples::fashion_mnist(options);
  const glia::Tensor x = train.x.cast(glia::DType::float32), x_test = test.x.cast(glia::DType::float32);
  const glia::Tensor noisy = with_noise(x, options.noise, options.seed);
  const glia::Tensor noisy_test = with_noise(x_test, options.noise, options.seed + 1);

  glia::Symbol image = glia::Input({28, 28});
  glia::Symbol y = glia::Reshape({28, 28, 1})(image);
  y = glia::Conv2D(16, 3, "relu", {.strides = 2, .padding = "same"})(y);
  y = glia::Conv2D(32, 3, "relu", {.strides = 2, .padding = "same"})(y);
  glia::Symbol code = glia::Dense(32)(glia::Flatten()(y));
  y = glia::Reshape({7, 7, 32})(glia::Dense(7 * 7 * 32, "relu")(code));
  y = glia::Conv2DTranspose(16, 3, "relu", {.strides = 2, .padding = "same"})(y);
  y = glia::Conv2DTranspose(1, 3, "sigmoid", {.strides = 2, .padding = "same"})(y);
  glia::Symbol restored = glia::Reshape({28, 28})(y);

  glia::Model model({image}, {restored}), encoder({image}, {code}), decoder({code}, {restored});
  model.set_seed(options.seed);
  model.compile({.optimizer = "adam", .loss = "mse", .device = options.device});
  model.summary();
  model.fit(noisy, x, {.epochs = options.epochs, .batch_size = 64, .verbose = 2});
  const glia::Tensor restored_test = model(noisy_test);
  std::cout << "\nMean squared error on the test images: with noise "
            << mean_squared_error(noisy_test, x_test) << ", restored "
            << mean_squared_error(restored_test, x_test) << '\n';

  const glia::Tensor codes = encoder(noisy_test);
  std::cout << "The codes are " << codes.shape() << "; the decoder makes of them "
            << (glia::array_equal(decoder(codes), restored_test) ? "what the model does, bit for bit"
                                                                 : "something else")
            << ".\n";
  const glia::Tensor clean = x_test.rows(0, 8), before = noisy_test.rows(0, 8),
                     after = restored_test.rows(0, 8);
  draw(glia::concatenate({&clean, &before, &after}), out / "autoencoder_restored.svg",
       "Test images, with noise, restored");

  // From the code of the first test image to that of the second, in steps.
  glia::Tensor way = glia::Tensor::zeros({16, codes.shape()[1]});
  for (std::int64_t i = 0; i < way.rows(); ++i)
    for (std::int64_t j = 0; j < codes.shape()[1]; ++j) {
      const double share = static_cast<double>(i) / static_cast<double>(way.rows() - 1);
      way.set({i, j}, (1 - share) * codes(0, j) + share * codes(1, j));
    }
  draw(decoder(way), out / "autoencoder_between.svg", "From one code to another");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.epochs = 3;
  CLI::App app("Takes noise out of Fashion-MNIST's images.");
  samples::add_fashion_mnist_options(app, options);
  app.add_option("--noise", options.noise, "Deviation of the noise; pixels are 0 to 1")
      ->check(CLI::NonNegativeNumber);
  samples::add_out_option(app, options.out, {"autoencoder_restored.svg", "autoencoder_between.svg"});
  return samples::run(app, argc, argv, [&] { run(options); });
}

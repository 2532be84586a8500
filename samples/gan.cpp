// Two networks play against each other: a generator draws clothes out of noise, a discriminator tells its drawings from
// photographs, and each learns from the other's mistakes (Goodfellow et al. 2014; Radford et al. 2015).
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "common.h"
#include "fashion_mnist_options.h"

namespace {

constexpr std::int64_t batch_size = 64;
constexpr int noise_size = 64;

struct Options : samples::FashionMnistOptions {
  std::string out = ".";
};

glia::Sequential make_generator() {
  return {glia::Dense(7 * 7 * 32, {.use_bias = false, .input_dim = noise_size}),
          glia::BatchNormalization(),
          glia::LeakyReLU(0.2),
          glia::Reshape({7, 7, 32}),
          glia::Conv2DTranspose(16, 4, {.strides = 2, .padding = "same", .use_bias = false}),
          glia::BatchNormalization(),
          glia::LeakyReLU(0.2),
          glia::Conv2DTranspose(1, 4, "sigmoid", {.strides = 2, .padding = "same"}),
          glia::Reshape({28, 28})};
}

/// One number an image: above 0 it is taken for a photograph.
glia::Sequential make_discriminator() {
  return {glia::Input({28, 28}),
          glia::Reshape({28, 28, 1}),
          glia::Conv2D(16, 4, {.strides = 2, .padding = "same"}),
          glia::LeakyReLU(0.2),
          glia::Dropout(0.3),
          glia::Conv2D(32, 4, {.strides = 2, .padding = "same"}),
          glia::LeakyReLU(0.2),
          glia::Dropout(0.3),
          glia::Flatten(),
          glia::Dense(1)};
}

glia::Tensor noise(std::int64_t rows, std::mt19937_64& random) {
  glia::Tensor result = glia::Tensor::zeros({rows, noise_size});
  std::normal_distribution<float> normal;
  for (float *value = result.data<float>(), *end = value + result.size(); value < end; ++value)
    *value = normal(random);
  return result;
}

/// How much a pixel differs from image to image: the mean of all pixels' deviations. 0 of a generator that always draws the
/// same.
double variety(const glia::Tensor& images) {
  const glia::Tensor pixels = images.reshape({images.rows(), -1});
  const glia::Tensor mean = pixels.mean(0), squares = (pixels * pixels).mean(0);
  double sum = 0;
  for (std::int64_t i = 0; i < mean.size(); ++i)
    sum += std::sqrt(std::max(0.0, squares(i) - mean(i) * mean(i)));
  return sum / static_cast<double>(mean.size());
}

void run(const Options& options) {
  const glia::Tensor photographs = samples::fashion_mnist(options).train.x.cast(glia::DType::float32);
  const glia::Context context({.device = options.device});  // of both: they share weights
  const glia::CompileOptions how{.optimizer = glia::Adam{.learning_rate = 0.0005, .beta_1 = 0.5},
                                 .loss = glia::BinaryCrossentropy{.from_logits = true},
                                 .context = context};

  glia::Sequential generator = make_generator(), discriminator = make_discriminator();
  generator.set_name("generator"), discriminator.set_name("discriminator");
  discriminator.set_seed(options.seed);
  discriminator.compile(how);
  // The generator learns through a discriminator that stays as it is meanwhile; what is compiled already goes on training it.
  discriminator.set_trainable(false);
  glia::Symbol input = glia::Input({noise_size});
  glia::Model combined({input}, {discriminator(generator(input))});
  combined.set_seed(options.seed);
  combined.compile(how);
  combined.summary();

  // Photographs are called 0.9 and not 1, so that the discriminator is never too sure.
  const glia::Tensor real = glia::Tensor::full({batch_size}, 0.9), fake = glia::Tensor::zeros({batch_size}),
                     labels = glia::concatenate({&real, &fake}), taken_in = glia::Tensor::ones({batch_size});
  std::mt19937_64 random(options.seed);
  std::vector<std::int64_t> order(static_cast<std::size_t>(photographs.rows()));
  std::iota(order.begin(), order.end(), 0);
  const std::int64_t steps = photographs.rows() / batch_size;
  GLIA_CHECK(steps > 0, glia::ValueError, "--images is ", photographs.rows(), ", expected at least ",
             batch_size, ", a batch");
  std::cout << std::fixed << std::setprecision(3);
  for (int epoch = 1; epoch <= options.epochs; ++epoch) {
    std::shuffle(order.begin(), order.end(), random);
    double discriminator_loss = 0, generator_loss = 0;
    for (std::int64_t step = 0; step < steps; ++step) {
      const auto first = order.begin() + step * batch_size;
      const glia::Tensor seen = photographs.rows(std::vector(first, first + batch_size));
      const glia::Tensor drawn = generator.predict_on_batch(noise(batch_size, random));
      discriminator_loss += discriminator.train_on_batch(glia::concatenate({&seen, &drawn}), labels)["loss"];
      generator_loss += combined.train_on_batch(noise(batch_size, random), taken_in)["loss"];
    }
    std::cout << "Epoch " << epoch << ": loss of the discriminator "
              << discriminator_loss / static_cast<double>(steps) << ", of the generator "
              << generator_loss / static_cast<double>(steps) << std::endl;
  }

  const glia::Tensor drawn = generator(noise(500, random));
  std::cout << "Variety of what it draws " << variety(drawn) << ", of photographs "
            << variety(photographs.rows(0, std::min<std::int64_t>(500, photographs.rows()))) << '\n';
  std::vector<std::int64_t> all(48);
  std::iota(all.begin(), all.end(), 0);
  const std::string path = (std::filesystem::path(options.out) / "gan.svg").string();
  glia::plot_images(drawn, glia::Tensor{}, path,
                    {.indices = all, .columns = 8, .title = "Drawn out of noise"});
  std::cout << path << ": " << all.size() << " pictures\n";
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.epochs = 3;
  CLI::App app("Trains a generator and a discriminator against each other on Fashion-MNIST.");
  samples::add_fashion_mnist_options(app, options);
  samples::add_out_option(app, options.out, {"gan.svg"});
  return samples::run(app, argc, argv, [&] { run(options); });
}

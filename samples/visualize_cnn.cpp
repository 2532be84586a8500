// What a convolutional network looks at: its first layer's filters before and after training, and what its layers make
// of one image, drawn as SVG.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "common.h"
#include "fashion_mnist_models.h"

namespace {

struct Options : samples::Options {
  int epochs = 1;
  std::int64_t images = 60'000;
  std::int64_t image = 0;
  std::string out = ".";
};

/// The last axis of a tensor (height, width, ..., n) first: n pictures.
glia::Tensor channels_first(const glia::Tensor& tensor, std::int64_t height, std::int64_t width) {
  const std::int64_t channels = tensor.shape().back();
  return tensor.reshape({height * width, channels}).transpose().reshape({channels, height, width});
}

/// The kernel (3, 3, 1, filters) of a layer as pictures.
glia::Tensor filters_of(const glia::Layer& layer) {
  return channels_first(layer.get_weights().front(), 3, 3);
}

/// What the model's layers up to the one of this name make of an image: a model of a part, on the same weights.
glia::Tensor features(const glia::Model& model, const std::string& layer, const glia::Tensor& image) {
  const glia::Tensor maps = glia::Model(model.inputs(), {model.layer(layer).output()})(image);
  return channels_first(maps, maps.shape()[1], maps.shape()[2]);
}

/// Each picture from its least number, black, to its greatest, white: or the weak ones could not be seen. One that is
/// the same everywhere is black.
glia::Tensor stretched(const glia::Tensor& pictures) {
  glia::Tensor result = pictures.clone();
  const std::int64_t pixels = result.size() / result.rows();
  for (std::int64_t i = 0; i < result.rows(); ++i) {
    float* const first = result.data<float>() + i * pixels;
    const auto [least, greatest] = std::minmax_element(first, first + pixels);
    const float low = *least, range = *greatest - low;
    for (float* pixel = first; pixel < first + pixels; ++pixel)
      *pixel = range > 0 ? (*pixel - low) / range : 0;
  }
  return result;
}

void draw(const glia::Tensor& pictures, const std::filesystem::path& path, const std::string& title) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < pictures.rows(); ++i) all.push_back(i);
  glia::plot_images(stretched(pictures), glia::Tensor{}, path.string(),
                    {.indices = all, .columns = 8, .title = title});
  std::cout << path.string() << ": " << pictures.rows() << " pictures\n";
}

void run(const Options& options) {
  const std::filesystem::path out(options.out);
  const glia::TrainTest data = glia::datasets::fashion_mnist(options.data);
  GLIA_CHECK(options.image >= 0 && options.image < data.test.x.rows(), glia::ValueError, "--image is ",
             options.image, ", expected 0 to ", data.test.x.rows() - 1);

  glia::Sequential model{glia::Input({28, 28}), glia::Reshape({28, 28, 1})};
  for (const glia::Layer& layer : samples::cnn()) model.add(layer);
  model.set_seed(options.seed);
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .device = options.device});
  model.build({28, 28});
  const glia::Layer first = model.layer("conv2d");
  draw(filters_of(first), out / "filters_before.svg", "First layer's filters before training");
  const std::int64_t rows = std::min(options.images, data.train.x.rows());
  model.fit(data.train.x.rows(0, rows), data.train.y.rows(0, rows),
            {.epochs = options.epochs, .batch_size = 128, .verbose = 2});
  draw(filters_of(first), out / "filters_after.svg", "First layer's filters after training");

  const glia::Tensor image = data.test.x.rows(options.image, options.image + 1);
  const auto truth = static_cast<std::size_t>(data.test.y(options.image));
  const auto guess = static_cast<std::size_t>(model(image).argmax());
  std::cout << "Image " << options.image << ": " << data.test.class_names.at(truth) << ", taken for "
            << data.test.class_names.at(guess) << '\n';
  draw(features(model, "conv2d", image), out / "features_1.svg", "After the first convolution");
  draw(features(model, "max_pooling2d", image), out / "features_2.svg", "After the first pool");
  draw(features(model, "conv2d_1", image), out / "features_3.svg", "After the second convolution");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Draws the filters and feature maps of a convolutional network trained on Fashion-MNIST.");
  samples::add_options(app, options);
  app.add_option("--data", options.data, "Folder of the four IDX files; default: the usual places");
  samples::add_epochs_option(app, options.epochs, "Passes over the training images");
  app.add_option("--images", options.images, "Training images to use, the first ones")
      ->check(CLI::PositiveNumber);
  app.add_option("--image", options.image, "Test image to look at")->check(CLI::NonNegativeNumber);
  samples::add_out_option(
      app, options.out,
      {"filters_before.svg", "filters_after.svg", "features_1.svg", "features_2.svg", "features_3.svg"});
  return samples::run(app, argc, argv, [&] { run(options); });
}

// The convolutional networks that fashion_mnist trains.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <vector>

namespace samples {

using Layers = std::vector<glia::Layer>;

/// The textbook's: two convolutions, each with a pool, and a hidden layer of 100 units.
inline Layers cnn() {
  return {glia::Conv2D(32, 3, "relu", {.padding = "same"}),
          glia::MaxPooling2D(),
          glia::Conv2D(64, 3, "relu", {.padding = "same"}),
          glia::MaxPooling2D(),
          glia::Flatten(),
          glia::Dense(100, "relu"),
          glia::Dropout(0.4),
          glia::Dense(10, "softmax")};
}

/// Half of the images mirrored, each moved by up to two pixels.
inline Layers augmentation() {
  return {glia::RandomFlip("horizontal"),
          glia::RandomTranslation(2.0 / 28, 2.0 / 28, {.fill_mode = "constant"})};
}

/// A 3x3 convolution, normalised, and a ReLU.
inline Layers convolution(int filters) {
  return {glia::Conv2D(filters, 3, {.padding = "same", .use_bias = false}), glia::BatchNormalization(),
          glia::Activation("relu")};
}

inline Layers operator+(Layers layers, const Layers& more) {
  layers.insert(layers.end(), more.begin(), more.end());
  return layers;
}

/// Nine layers with weights, in the manner of the residual networks that train fastest on small images: three
/// convolutions that each halve the image, two blocks with a way around them, and one layer on top.
inline Layers resnet() {
  return convolution(32) + convolution(64) + Layers{glia::MaxPooling2D()} +
         Layers{glia::Residual(convolution(64) + convolution(64))} + convolution(128) +
         Layers{glia::MaxPooling2D()} + convolution(128) + Layers{glia::MaxPooling2D()} +
         Layers{glia::Residual(convolution(128) + convolution(128)), glia::GlobalMaxPooling2D(),
                glia::Dense(10, "softmax")};
}

}  // namespace samples

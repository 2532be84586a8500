// The networks whose training steps are looked at one by one: those that samples/fashion_mnist trains.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "samples/fashion_mnist_models.h"

struct Network {
  const char* name;
  const char* title;
  std::int64_t batch;
  std::function<samples::Layers()> layers;
};

inline const std::vector<Network>& networks() {
  static const std::vector<Network> all{
      {"mlp", "784-128-10", 32,
       [] {
         return samples::Layers{glia::Flatten(), glia::Dense(128, "relu"), glia::Dense(10, "softmax")};
       }},
      {"cnn", "A textbook's convolutional network", 64, samples::cnn},
      {"resnet", "Nine residual layers", 128, samples::resnet},
  };
  return all;
}

inline glia::Sequential make(const Network& network, const std::string& precision,
                             const glia::Context& context) {
  glia::Sequential model{glia::Input({28, 28, 1})};
  for (const glia::Layer& layer : network.layers()) model.add(layer);
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .context = context,
                 .precision = precision});
  return model;
}

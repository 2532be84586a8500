// Points of three classes, a small classifier of them, and how its training goes: what suites of the CUDA backend train.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace glia::test {

/// Rows of four features in three classes.
inline Dataset three_classes(std::int64_t rows) {
  Tensor x = Tensor::zeros({rows, 4}), y = Tensor::zeros({rows});
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < 4; ++c)
      x.set({r, c}, std::sin(static_cast<double>(r * 4 + c)) + (c == r % 3 ? 1.0 : 0.0));
    y.set({r}, static_cast<double>(r % 3));
  }
  return Dataset(std::move(x), std::move(y));
}

inline Sequential classifier(const Device& device = Device::cuda()) {
  Sequential model{Dense(16, "relu", {.input_dim = 4}), Dense(8, "relu"), Dense(3, "softmax")};
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .device = device});
  return model;
}

inline std::vector<double> losses(Sequential& model, const FitOptions& options) {
  return model.fit(three_classes(70), options)["loss"];
}

}  // namespace glia::test

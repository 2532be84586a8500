// Models of which tests make predictors, and what those are given.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace glia::test {

/// Numbers between -1 and 1 that look like none.
inline Tensor waves(const Shape& shape, double phase = 0) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(1.7 * static_cast<double>(i) + phase);
  return Tensor(values, shape).cast(DType::float32);
}

inline Sequential classifier_of_six(const Context& context, std::uint64_t seed = 3) {
  Sequential model{Input({6}), Dense(8, "relu"), BatchNormalization(), Dense(5, "tanh"), Dense(3, "softmax")};
  model.set_seed(seed);
  model.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .context = context});
  model.build({6});
  return model;
}

inline Sequential convolutional(const Context& context) {
  Sequential model{Input({9, 7, 2}), Conv2D(4, 3, {.padding = "same", .activation = "relu"}), MaxPooling2D(2),
                   Flatten(), Dense(3, "softmax")};
  model.set_seed(4);
  model.compile({.loss = "sparse_categorical_crossentropy", .context = context});
  model.build({9, 7, 2});
  return model;
}

/// Predicts rows that lie where the predictor computes, and returns what came out, on the CPU.
inline Tensor predicted(Predictor& predictor, const Tensor& x, const Context& context) {
  Tensor y = Tensor::zeros(predictor.output_shapes()[0].prepend(x.rows())).to(context);
  predictor.enqueue(x.raw(), y.raw(), x.rows());
  predictor.synchronize();
  return y.to("cpu");
}

}  // namespace glia::test

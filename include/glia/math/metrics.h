// Metrics computed on the device, inside the pass that computes the loss: a number for each row, averaged
// over rows.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>  // defines: GLIA_HD

#include <variant>

namespace glia {

/// The most metrics a model can be compiled with.
inline constexpr int max_metrics = 8;

/// Share of the outputs on the right side of `threshold`: prediction > threshold against a 0/1 target.
struct BinaryAccuracy {
  static constexpr auto name = "binary_accuracy";
  double threshold = 0.5;
};

/// Whether the largest output stands where the largest target does; the first of equals counts.
struct CategoricalAccuracy {
  static constexpr auto name = "categorical_accuracy";
};

/// Whether the largest output stands where the label says.
struct SparseCategoricalAccuracy {
  static constexpr auto name = "sparse_categorical_accuracy";
};

using Metrics = std::variant<BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy>;

}  // namespace glia

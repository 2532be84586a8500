// Rows of a tensor as pictures, and what is said of them: labels and predictions.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/plots.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "host/plots/png.h"

namespace glia::plots {

/// The rows named by `indices`, which are in range. Throws as plot_images does.
std::vector<Picture> pictures_of(const TensorView& images, const std::vector<std::int64_t>& indices);

using Label = std::optional<std::int64_t>;  // nothing: a row with NaN

/// One for each of `rows`, which are in range: of one-hot rows or outputs the greatest, else the number itself.
std::vector<Label> labels_at(const TensorView& labels, const std::vector<std::int64_t>& rows);
/// The same, where numbers that all lie between 0 and 1 are probabilities of class 1.
std::vector<Label> predictions_at(const TensorView& predictions, const std::vector<std::int64_t>& rows);

}  // namespace glia::plots

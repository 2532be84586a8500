// Pixels and labels from tensors.
// SPDX-License-Identifier: Apache-2.0
#include "host/plots/pictures.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "host/tensor/elements.h"

namespace glia::plots {
namespace {

struct Geometry {
  std::uint32_t height, width;
  int channels;
};

Geometry geometry_of(const Shape& shape) {
  const bool fits = shape.rank() == 3 || (shape.rank() == 4 && (shape[3] == 1 || shape[3] == 3));
  constexpr std::int64_t longest = 16384;
  GLIA_CHECK(fits && shape[1] > 0 && shape[2] > 0 && shape[1] <= longest && shape[2] <= longest, ShapeError,
             "plot_images got images of shape ", shape,
             ", expected (rows, h, w), (rows, h, w, 1) or (rows, h, w, 3) with h and w from 1 to ", longest,
             "; reshape flat rows: x.reshape({-1, 28, 28})");
  return {static_cast<std::uint32_t>(shape[1]), static_cast<std::uint32_t>(shape[2]),
          shape.rank() == 4 ? static_cast<int>(shape[3]) : 1};
}

/// What is black and what is white.
Interval brightness_of(const std::vector<double>& values) {
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  if (*least >= 0 && *greatest <= 1) return {0, 1};
  if (*least >= 0 && *greatest <= 255) return {0, 255};
  return {*least, *least < *greatest ? *greatest : *least + 1};
}

/// The elements of one row.
std::vector<double> row_values(const TensorView& view, std::int64_t row) {
  const TensorView one = view.rows(row, row + 1);
  std::vector<double> values(static_cast<std::size_t>(one.shape().elements()));
  detail::for_each_element(
      one, [&](std::int64_t i, double value) { values[static_cast<std::size_t>(i)] = value; });
  return values;
}

/// Of every row the number, or the place of the greatest; nothing for a row with NaN.
std::vector<std::optional<double>> numbers_at(const TensorView& view, const std::vector<std::int64_t>& rows) {
  std::vector<std::optional<double>> numbers;
  for (std::int64_t row : rows) {
    const std::vector<double> values = row_values(view, row);
    if (std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); }))
      numbers.emplace_back();
    else if (values.size() == 1)
      numbers.emplace_back(values[0]);
    else
      numbers.emplace_back(
          static_cast<double>(std::max_element(values.begin(), values.end()) - values.begin()));
  }
  return numbers;
}

std::vector<Label> whole(const std::vector<std::optional<double>>& numbers, const char* what) {
  std::vector<Label> labels;
  for (const auto& number : numbers) {
    GLIA_CHECK(!number || (std::abs(*number) <= 1e15 && *number == std::floor(*number)), ValueError,
               "plot_images got the ", what, ' ', *number,
               ", expected whole numbers, or a row with a column for each class");
    labels.push_back(number ? Label(static_cast<std::int64_t>(*number)) : std::nullopt);
  }
  return labels;
}

void check_columns(const Shape& shape, const char* what) {
  GLIA_CHECK(shape.rank() == 1 || (shape.rank() == 2 && shape[1] > 0), ShapeError, "plot_images got ", what,
             " of shape ", shape, ", expected (rows,), (rows, 1) or (rows, classes)");
}

}  // namespace

std::vector<Picture> pictures_of(const TensorView& images, const std::vector<std::int64_t>& indices) {
  const auto [height, width, channels] = geometry_of(images.shape());
  const auto size = static_cast<std::size_t>(images.row_elements());
  // Bytes are what they are: their scale is for models.
  const TensorView unscaled = TensorView::of(images.raw(), images.shape(), images.dtype(), images.device());
  std::vector<double> values;
  values.reserve(size * indices.size());
  for (std::int64_t index : indices) {
    for (double value : row_values(unscaled, index)) {
      GLIA_CHECK(std::isfinite(value), ValueError, "plot_images got a pixel that is ", value, " in image ",
                 index, ", expected finite numbers; look for what divides by 0 before it");
      values.push_back(value);
    }
  }
  const Interval range = images.dtype() == DType::uint8 ? Interval{0, 255} : brightness_of(values);
  std::vector<Picture> pictures;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    Picture picture{width, height, channels, {}};
    for (std::size_t j = i * size; j < (i + 1) * size; ++j) {
      const double share = (values[j] - range.min) / (range.max - range.min);
      picture.pixels.push_back(static_cast<std::uint8_t>(std::lround(255 * share)));
    }
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

std::vector<Label> labels_at(const TensorView& labels, const std::vector<std::int64_t>& rows) {
  check_columns(labels.shape(), "labels");
  return whole(numbers_at(labels, rows), "label");
}

std::vector<Label> predictions_at(const TensorView& predictions, const std::vector<std::int64_t>& rows) {
  check_columns(predictions.shape(), "predictions");
  std::vector<std::optional<double>> numbers = numbers_at(predictions, rows);
  const bool are_probabilities =
      predictions.row_elements() == 1 && std::all_of(numbers.begin(), numbers.end(), [](const auto& number) {
        return !number || (*number >= 0 && *number <= 1);
      });
  if (are_probabilities)
    for (auto& number : numbers)
      if (number) number = *number > 0.5 ? 1 : 0;
  return whole(numbers, "prediction");
}

}  // namespace glia::plots

// StandardScaler and MinMaxScaler.
// SPDX-License-Identifier: Apache-2.0
#include <glia/preprocessing.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "host/tensor/elements.h"  // defines: expect_cpu, for_each_element

namespace glia {
namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// visit(feature, element) for each element of (rows, features), row by row.
template <class Visit>
void for_each_feature(const TensorView& x, Visit&& visit) {
  const auto features = static_cast<std::size_t>(x.shape()[1]);
  std::size_t feature = 0;
  detail::for_each_element(x, [&](std::int64_t, double element) {
    visit(feature, element);
    if (++feature == features) feature = 0;
  });
}

void expect_table(const TensorView& x, const char* call) {
  detail::expect_cpu(x, call);
  GLIA_CHECK(x.shape().rank() == 2, ShapeError, call, " got shape ", x.shape(),
             ", expected (rows, features); reshape one feature to {-1, 1}, images to {rows, -1}");
}

/// What fit needs: at least one row, and no infinity. Returns the number of features.
std::size_t expect_fit(const TensorView& x, const char* call) {
  expect_table(x, call);
  GLIA_CHECK(x.rows() > 0, ShapeError, call, " got no rows (shape ", x.shape(),
             "), expected one or more to learn from");
  for_each_feature(x, [&](std::size_t feature, double element) {
    GLIA_CHECK(!std::isinf(element), ValueError, call, " got ", element, " in feature ", feature,
               ", expected finite numbers or NaN; replace infinities first");
  });
  return static_cast<std::size_t>(x.shape()[1]);
}

/// change(feature, element) of each element, as float32.
template <class Change>
Tensor changed(const TensorView& x, std::size_t features, const char* call, Change&& change) {
  expect_table(x, call);
  GLIA_CHECK(x.shape()[1] == static_cast<std::int64_t>(features), ShapeError, call, " got ", x.shape()[1],
             " features (shape ", x.shape(), "), but fit saw ", features,
             "; give the same columns as to fit");
  Tensor result = Tensor::uninitialized(x.shape());
  float* to = result.data<float>();
  for_each_feature(
      x, [&](std::size_t feature, double element) { *to++ = static_cast<float>(change(feature, element)); });
  return result;
}

void expect_fitted(bool fitted, const char* call) {
  GLIA_CHECK(fitted, StateError, call,
             " came before fit(); call fit() or fit_transform() with the training rows first");
}

/// scikit-learn's test: a deviation that rounding alone can bring about.
bool is_constant(double variance, double mean, double count) {
  const double epsilon = std::numeric_limits<double>::epsilon();
  const double rounding = count * mean * epsilon;
  return variance <= count * epsilon * variance + rounding * rounding;
}

}  // namespace

StandardScaler& StandardScaler::fit(const TensorView& x) {
  const std::size_t features = expect_fit(x, "StandardScaler::fit()");
  std::vector<double> counts(features), mean(features), scale(features);
  for_each_feature(x, [&](std::size_t j, double element) {
    if (std::isnan(element)) return;
    counts[j] += 1;
    mean[j] += element;
  });
  for (std::size_t j = 0; j < features; ++j) mean[j] = counts[j] > 0 ? mean[j] / counts[j] : not_a_number;
  for_each_feature(x, [&](std::size_t j, double element) {
    if (!std::isnan(element)) scale[j] += (element - mean[j]) * (element - mean[j]);
  });
  for (std::size_t j = 0; j < features; ++j) {
    const double variance = counts[j] > 0 ? scale[j] / counts[j] : not_a_number;
    scale[j] = is_constant(variance, mean[j], counts[j]) ? 1 : std::sqrt(variance);
  }
  mean_ = std::move(mean);
  scale_ = std::move(scale);
  fitted_ = true;
  return *this;
}

Tensor StandardScaler::transform(const TensorView& x) const {
  expect_fitted(fitted_, "StandardScaler::transform()");
  return changed(x, mean_.size(), "StandardScaler::transform()",
                 [&](std::size_t j, double element) { return (element - mean_[j]) / scale_[j]; });
}

Tensor StandardScaler::inverse_transform(const TensorView& x) const {
  expect_fitted(fitted_, "StandardScaler::inverse_transform()");
  return changed(x, mean_.size(), "StandardScaler::inverse_transform()",
                 [&](std::size_t j, double element) { return element * scale_[j] + mean_[j]; });
}

Tensor StandardScaler::mean() const {
  expect_fitted(fitted_, "StandardScaler::mean()");
  return Tensor(mean_);
}

Tensor StandardScaler::scale() const {
  expect_fitted(fitted_, "StandardScaler::scale()");
  return Tensor(scale_);
}

MinMaxScaler::MinMaxScaler(const MinMaxOptions& options) : range_(options.feature_range) {
  GLIA_CHECK(std::isfinite(range_.first) && std::isfinite(range_.second) && range_.first < range_.second,
             ValueError, "MinMaxOptions::feature_range got ", range_.first, " to ", range_.second,
             ", expected two finite numbers, the lower first");
}

MinMaxScaler& MinMaxScaler::fit(const TensorView& x) {
  const std::size_t features = expect_fit(x, "MinMaxScaler::fit()");
  // fmin and fmax prefer a number to NaN, so that a feature of NaN alone keeps it.
  std::vector<double> low(features, not_a_number), high(features, not_a_number), scale(features),
      offset(features);
  for_each_feature(x, [&](std::size_t j, double element) {
    low[j] = std::fmin(low[j], element);
    high[j] = std::fmax(high[j], element);
  });
  for (std::size_t j = 0; j < features; ++j) {
    const double width = high[j] - low[j];
    const bool constant = width < std::numeric_limits<double>::min();
    scale[j] = (range_.second - range_.first) / (constant ? 1 : width);
    offset[j] = range_.first - low[j] * scale[j];
  }
  min_ = std::move(low);
  max_ = std::move(high);
  scale_ = std::move(scale);
  offset_ = std::move(offset);
  fitted_ = true;
  return *this;
}

Tensor MinMaxScaler::transform(const TensorView& x) const {
  expect_fitted(fitted_, "MinMaxScaler::transform()");
  return changed(x, scale_.size(), "MinMaxScaler::transform()",
                 [&](std::size_t j, double element) { return element * scale_[j] + offset_[j]; });
}

Tensor MinMaxScaler::inverse_transform(const TensorView& x) const {
  expect_fitted(fitted_, "MinMaxScaler::inverse_transform()");
  return changed(x, scale_.size(), "MinMaxScaler::inverse_transform()",
                 [&](std::size_t j, double element) { return (element - offset_[j]) / scale_[j]; });
}

Tensor MinMaxScaler::data_min() const {
  expect_fitted(fitted_, "MinMaxScaler::data_min()");
  return Tensor(min_);
}

Tensor MinMaxScaler::data_max() const {
  expect_fitted(fitted_, "MinMaxScaler::data_max()");
  return Tensor(max_);
}

Tensor MinMaxScaler::scale() const {
  expect_fitted(fitted_, "MinMaxScaler::scale()");
  return Tensor(scale_);
}

}  // namespace glia

// Labels encoded, and classes balanced.
// SPDX-License-Identifier: Apache-2.0
#include <glia/math/philox.h>  // defines: Permutation
#include <glia/preprocessing.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "host/base/memory.h"  // defines: checked_elements
#include "host/tensor/elements.h"  // defines: whole_numbers, labels_of, rows_by_class, take_rows, expect_same_rows

namespace glia {
namespace {

/// `classes` after the dimensions of `labels`, of which a last 1, as in (rows, 1), is dropped.
Shape one_hot_shape(const Shape& labels, std::int64_t classes) {
  const bool drop = labels.rank() > 1 && labels.back() == 1;
  Shape result = labels.slice(0, labels.rank() - (drop ? 1 : 0));
  result.push_back(classes);
  checked_elements(result);
  return result;
}

std::int64_t count_classes(const std::vector<std::int64_t>& labels, int num_classes) {
  GLIA_CHECK(num_classes >= 0, ValueError, "to_categorical() got num_classes ", num_classes,
             ", expected 1 or more, or 0 for the highest label + 1");
  GLIA_CHECK(num_classes > 0 || !labels.empty(), ValueError,
             "to_categorical() got no labels to count the classes from; give num_classes");
  if (num_classes > 0) return num_classes;
  return std::max<std::int64_t>(*std::max_element(labels.begin(), labels.end()), 0) + 1;
}

using RowsByClass = std::map<std::int64_t, std::vector<std::int64_t>>;

/// `wanted` rows of each class: as often as that takes, all of them in a random order, the last time the first few.
Samples balanced(const TensorView& x, const TensorView& y, const RowsByClass& classes, std::size_t wanted,
                 std::uint64_t seed) {
  std::vector<std::int64_t> picked;
  std::uint64_t draw = 0;  // a permutation of its own for each class and for the whole
  for (const auto& [label, rows] : classes) {
    const Permutation order(rows.size(), seed, draw++);
    for (std::size_t i = 0; i < wanted; ++i) picked.push_back(rows[order(i % rows.size())]);
  }
  const Permutation order(picked.size(), seed, draw);
  std::vector<std::int64_t> shuffled;
  for (std::size_t i = 0; i < picked.size(); ++i) shuffled.push_back(picked[order(i)]);
  return {detail::take_rows(x, shuffled), detail::take_rows(y, shuffled)};
}

RowsByClass checked_classes(const TensorView& x, const TensorView& y, const char* call) {
  detail::expect_cpu(x, call);
  detail::expect_same_rows(x, y, call);
  return detail::rows_by_class(detail::labels_of(y, call));
}

}  // namespace

Tensor to_categorical(const TensorView& labels, int num_classes) {
  const std::vector<std::int64_t> numbers = detail::whole_numbers(labels, "to_categorical()");
  const std::int64_t classes = count_classes(numbers, num_classes);
  const std::int64_t count = static_cast<std::int64_t>(numbers.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t label = numbers[static_cast<std::size_t>(i)];
    GLIA_CHECK(label >= 0 && label < classes, ValueError, "to_categorical() got the label ", label,
               " at element ", i, ", expected 0 to ", classes - 1,
               "; correct the label, or raise num_classes (now ", classes, ")");
  }
  Tensor result = Tensor::zeros(one_hot_shape(labels.shape(), classes));
  float* const to = result.data<float>();
  for (std::int64_t i = 0; i < count; ++i) to[i * classes + numbers[static_cast<std::size_t>(i)]] = 1;
  return result;
}

LabelEncoder& LabelEncoder::fit(const std::vector<std::string>& texts) {
  std::vector<std::string> sorted = texts;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  classes_ = std::move(sorted);
  fitted_ = true;
  return *this;
}

const std::vector<std::string>& LabelEncoder::classes() const {
  GLIA_CHECK(fitted_, StateError,
             "LabelEncoder knows no classes before fit(); call fit() with all texts first");
  return classes_;
}

Tensor LabelEncoder::transform(const std::vector<std::string>& texts) const {
  const std::vector<std::string>& known = classes();
  std::vector<std::int32_t> labels;
  for (const std::string& text : texts) {
    const auto found = std::lower_bound(known.begin(), known.end(), text);
    GLIA_CHECK(found != known.end() && *found == text, ValueError, "LabelEncoder::transform() got '", text,
               "', expected one of the ", known.size(),
               " classes that fit saw; fit with all texts that occur");
    labels.push_back(static_cast<std::int32_t>(found - known.begin()));
  }
  return Tensor(labels);
}

std::vector<std::string> LabelEncoder::inverse_transform(const TensorView& labels) const {
  const std::vector<std::string>& known = classes();
  std::vector<std::string> result;
  for (std::int64_t label : detail::labels_of(labels, "LabelEncoder::inverse_transform()")) {
    GLIA_CHECK(label >= 0 && label < static_cast<std::int64_t>(known.size()), ValueError,
               "LabelEncoder::inverse_transform() got the label ", label, ", expected one of the ",
               known.size(), " classes that fit saw, counted from 0; give labels that transform() made");
    result.push_back(known[static_cast<std::size_t>(label)]);
  }
  return result;
}

Samples over_sample(const TensorView& x, const TensorView& y, std::uint64_t seed) {
  const RowsByClass classes = checked_classes(x, y, "over_sample()");
  std::size_t most = 0;
  for (const auto& [label, rows] : classes) most = std::max(most, rows.size());
  return balanced(x, y, classes, most, seed);
}

Samples under_sample(const TensorView& x, const TensorView& y, std::uint64_t seed) {
  const RowsByClass classes = checked_classes(x, y, "under_sample()");
  std::size_t least = classes.empty() ? 0 : std::numeric_limits<std::size_t>::max();
  for (const auto& [label, rows] : classes) least = std::min(least, rows.size());
  return balanced(x, y, classes, least, seed);
}

std::map<int, double> balanced_class_weights(const TensorView& labels) {
  const auto numbers = detail::labels_of(labels, "balanced_class_weights()");
  const RowsByClass classes = detail::rows_by_class(numbers);
  std::map<int, double> weights;
  for (const auto& [label, rows] : classes) {
    GLIA_CHECK(std::in_range<int>(label), ValueError, "balanced_class_weights() got the label ", label,
               ", expected -2147483648 to 2147483647; number the classes from 0");
    weights[static_cast<int>(label)] =
        static_cast<double>(numbers.size()) /
        (static_cast<double>(classes.size()) * static_cast<double>(rows.size()));
  }
  return weights;
}

}  // namespace glia

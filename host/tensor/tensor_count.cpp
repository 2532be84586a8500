// Tensor: distinct values, and how often integers occur.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>

#include <algorithm>
#include <array>
#include <vector>

#include "host/tensor/on_device.h"       // defines: OnDevice, expect_context
#include "host/tensor/tensor_support.h"  // defines: is_nan

namespace glia {
namespace {

// ---- Distinct values

Unique unique_bytes(const Tensor& tensor) {
  std::array<std::int64_t, 256> counts = {};
  const std::uint8_t* bytes = tensor.data<std::uint8_t>();
  for (std::int64_t i = 0; i < tensor.size(); ++i) ++counts[bytes[i]];

  std::vector<std::uint8_t> values;
  std::vector<std::int64_t> occurrences;
  for (int step = 0; step < 256; ++step) {
    const auto value = static_cast<std::uint8_t>(tensor.scale() > 0 ? step : 255 - step);
    if (counts[value] == 0) continue;
    values.push_back(value);
    occurrences.push_back(counts[value]);
  }
  Unique result{Tensor(values), Tensor(occurrences)};
  result.values.set_scale(tensor.scale());
  return result;
}

template <class T>
Unique unique_of(const Tensor& tensor) {
  // NaN sorts last, and all of them are one value, as in NumPy.
  const T* first = tensor.data<T>();
  std::vector<T> sorted(first, first + tensor.size());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](T a, T b) { return a < b || (detail::is_nan(b) && !detail::is_nan(a)); });

  std::vector<T> values;
  std::vector<std::int64_t> counts;
  for (T value : sorted) {
    const bool seen = !values.empty() &&
                      (values.back() == value || (detail::is_nan(value) && detail::is_nan(values.back())));
    if (seen) {
      ++counts.back();
    } else {
      values.push_back(value);
      counts.push_back(1);
    }
  }
  return {Tensor(values), Tensor(counts)};
}

/// The first `count` elements of scratch, as a tensor.
Tensor kept(detail::OnDevice& call, const void* from, std::int64_t count, DType dtype) {
  Tensor result = call.make({count}, dtype);
  call.copy(result.raw(), from, count, dtype);
  return result;
}

Unique unique_on_device(const Tensor& tensor) {
  detail::OnDevice call(tensor);
  void* const values = call.scratch<std::byte>(tensor.bytes());
  auto* const counts = call.scratch<std::int64_t>(tensor.size());
  auto* const found = call.scratch<std::int64_t>(1);
  std::int64_t count = 0;
  if (!tensor.empty()) {
    call.run({tensor_work::Distinct{.in = tensor.raw(),
                                    .dtype = tensor.dtype(),
                                    .count = tensor.size(),
                                    .descending = tensor.scale() < 0,
                                    .values = values,
                                    .counts = counts,
                                    .found = found}});
    count = call.read(found);
  }
  Unique result{kept(call, values, count, tensor.dtype()), kept(call, counts, count, DType::int64)};
  if (tensor.dtype() == DType::uint8) result.values.set_scale(tensor.scale());
  return result;
}

/// Smallest and largest element of a tensor that has any.
struct Bounds {
  std::int64_t least, most;
};

Bounds bounds_of(const Tensor& tensor) {
  return visit_dtype(tensor.dtype(), [&](auto type) -> Bounds {
    using T = typename decltype(type)::type;
    const T* const first = tensor.data<T>();
    const auto [least, most] = std::minmax_element(first, first + tensor.size());
    return {static_cast<std::int64_t>(*least), static_cast<std::int64_t>(*most)};
  });
}

/// As int64: float64 would round large ones.
Bounds bounds_on_device(const Tensor& tensor) {
  const auto element = [&](std::int64_t at) {
    return visit_dtype(tensor.dtype(), [&](auto type) {
      typename decltype(type)::type value;
      detail::read_element(tensor, at, &value);
      return static_cast<std::int64_t>(value);
    });
  };
  return {element(tensor.argmin()), element(tensor.argmax())};
}

Tensor bins_on_device(const Tensor& tensor, std::int64_t bins) {
  detail::OnDevice call(tensor);
  Tensor result = call.make({bins}, DType::int64);
  if (bins > 0 && tensor.empty())
    call.run({tensor_work::Map{.function = tensor_work::Map::Function::convert,
                               .a = {.number = 0},
                               .out = result.raw(),
                               .dtype = DType::int64,
                               .count = bins}});
  else if (bins > 0)
    call.run({tensor_work::CountBins{.in = tensor.raw(),
                                     .dtype = tensor.dtype(),
                                     .count = tensor.size(),
                                     .bins = bins,
                                     .out = result.data<std::int64_t>()}});
  return result;
}

}  // namespace

Unique Tensor::unique() const {
  detail::expect_context(*this, "unique()");
  if (!device_.is_cpu()) return unique_on_device(*this);
  if (dtype_ == DType::uint8) return unique_bytes(*this);
  return visit_dtype(dtype_, [&](auto type) { return unique_of<typename decltype(type)::type>(*this); });
}

Tensor Tensor::bincount(std::int64_t min_length) const {
  constexpr std::int64_t most_bins = std::int64_t{1} << 53;
  detail::expect_context(*this, "bincount()");
  GLIA_CHECK(!is_floating(dtype_) && scale_ == 1, ValueError, "bincount() got a tensor of ", dtype_,
             " and scale ", scale_, "; expected integers that are not scaled: cast() it to int64 first");
  GLIA_CHECK(min_length >= 0, ValueError, "bincount() got a min_length of ", min_length,
             "; expected 0 or more counts");
  std::int64_t bins = min_length;
  if (!empty()) {
    const Bounds bounds = device_.is_cpu() ? bounds_of(*this) : bounds_on_device(*this);
    GLIA_CHECK(bounds.least >= 0 && bounds.most < most_bins, ValueError, "bincount() got the element ",
               bounds.least < 0 ? bounds.least : bounds.most,
               "; expected 0 or more, and a count for each number up to the largest: unique() counts any");
    bins = std::max(bins, bounds.most + 1);
  }
  if (!device_.is_cpu()) return bins_on_device(*this, bins);
  Tensor result = zeros({bins}, DType::int64);
  std::int64_t* const counts = result.data<std::int64_t>();
  visit_dtype(dtype_, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* const from = data<T>();
    for (std::int64_t i = 0; i < size(); ++i) ++counts[static_cast<std::int64_t>(from[i])];
  });
  return result;
}

}  // namespace glia

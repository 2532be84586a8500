// Tensor: min, max, sum, mean, argmin and argmax.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>

#include "host/tensor/on_device.h"       // defines: OnDevice, expect_context
#include "host/tensor/tensor_support.h"  // defines: resolve_axis, is_nan

// Scale is applied last: the loops run over raw elements, which for uint8 images is an order of magnitude
// quicker. A negative scale turns the order around, so that the smallest element is the largest raw one.

namespace glia {
namespace {

using tensor_work::Fold;

enum class Extreme { smallest, largest };

/// Which raw element is the wanted extreme once scaled.
Extreme raw_extreme(Extreme wanted, double scale) {
  if (scale > 0) return wanted;
  return wanted == Extreme::smallest ? Extreme::largest : Extreme::smallest;
}

void expect_elements(const Tensor& tensor, std::int64_t count, const char* what) {
  detail::expect_context(tensor, what);
  GLIA_CHECK(count > 0, ShapeError, what, " of no elements is not defined, and this tensor has shape ",
             tensor.shape(), "; check that it is not empty");
}

// ---- On a GPU

Fold::What value_of(Extreme raw) { return raw == Extreme::smallest ? Fold::What::least : Fold::What::most; }
Fold::What index_of(Extreme raw) {
  return raw == Extreme::smallest ? Fold::What::index_of_least : Fold::What::index_of_most;
}

/// What becomes of the whole tensor, which alone comes to the host.
template <class Result>
Result folded(const Tensor& tensor, Fold::What what) {
  detail::OnDevice call(tensor);
  auto* const out = call.scratch<Result>(1);
  call.run({Fold{.what = what,
                 .in = tensor.raw(),
                 .dtype = tensor.dtype(),
                 .before = 1,
                 .length = tensor.size(),
                 .after = 1,
                 .scale = tensor.scale(),
                 .out = out}});
  return call.read(out);
}

// ---- The whole tensor

template <class T, class Before>
double extreme_of(const T* values, std::int64_t count, Before before) {
  T best = values[0];
  bool found_nan = false;
  for (std::int64_t i = 0; i < count; ++i) {
    best = before(values[i], best) ? values[i] : best;
    found_nan |= detail::is_nan(values[i]);
  }
  return found_nan ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(best);
}

double extreme_of(const Tensor& tensor, Extreme wanted, const char* what) {
  expect_elements(tensor, tensor.size(), what);
  const Extreme raw = raw_extreme(wanted, tensor.scale());
  if (!tensor.device().is_cpu()) return folded<double>(tensor, value_of(raw));
  return tensor.scale() * visit_dtype(tensor.dtype(), [&](auto type) {
           using T = typename decltype(type)::type;
           const T* values = tensor.data<T>();
           return raw == Extreme::smallest ? extreme_of(values, tensor.size(), std::less<T>())
                                           : extreme_of(values, tensor.size(), std::greater<T>());
         });
}

/// Exact for integers of up to 32 bits; else in double, in eight strands for speed and accuracy.
template <class T>
double sum_of(const T* values, std::int64_t count) {
  if constexpr (std::is_integral_v<T> && sizeof(T) <= 4) {
    std::int64_t total = 0;
    for (std::int64_t i = 0; i < count; ++i) total += values[i];
    return static_cast<double>(total);
  } else {
    constexpr std::int64_t strands = 8;
    std::array<double, strands> totals = {};
    std::int64_t i = 0;
    for (; i + strands <= count; i += strands)
      for (std::int64_t s = 0; s < strands; ++s)
        totals[static_cast<std::size_t>(s)] += static_cast<double>(values[i + s]);
    for (; i < count; ++i) totals[0] += static_cast<double>(values[i]);
    return ((totals[0] + totals[1]) + (totals[2] + totals[3])) +
           ((totals[4] + totals[5]) + (totals[6] + totals[7]));
  }
}

/// Index of the first extreme element, or of the first NaN, among `count` that are `stride` apart.
template <class T, class Before>
std::int64_t index_of_extreme(const T* values, std::int64_t count, std::int64_t stride, Before before) {
  std::int64_t best = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (detail::is_nan(values[i * stride])) return i;
    if (before(values[i * stride], values[best * stride])) best = i;
  }
  return best;
}

template <class T>
std::int64_t index_of(const T* values, std::int64_t count, std::int64_t stride, Extreme raw) {
  return raw == Extreme::largest ? index_of_extreme(values, count, stride, std::greater<T>())
                                 : index_of_extreme(values, count, stride, std::less<T>());
}

std::int64_t index_of(const Tensor& tensor, Extreme wanted, const char* what) {
  expect_elements(tensor, tensor.size(), what);
  const Extreme raw = raw_extreme(wanted, tensor.scale());
  if (!tensor.device().is_cpu()) return folded<std::int64_t>(tensor, index_of(raw));
  return visit_dtype(tensor.dtype(), [&](auto type) {
    return index_of(tensor.data<typename decltype(type)::type>(), tensor.size(), 1, raw);
  });
}

// ---- Along one axis

/// A tensor as (before, length, after): the axis, and all that is outside and inside of it.
struct Split {
  std::int64_t before, length, after;
  Shape rest;

  Split(const Shape& shape, int axis)
      : before(shape.slice(0, axis).elements()),
        length(shape[axis]),
        after(shape.slice(axis + 1, shape.rank()).elements()) {
    for (int i = 0; i < shape.rank(); ++i)
      if (i != axis) rest.push_back(shape[i]);
  }
};

Tensor folded(const Tensor& tensor, const Split& split, Fold::What what, DType dtype,
              std::int64_t divisor = 1) {
  detail::OnDevice call(tensor);
  Tensor result = call.make(split.rest, dtype);
  if (!result.empty())
    call.run({Fold{.what = what,
                   .in = tensor.raw(),
                   .dtype = tensor.dtype(),
                   .before = split.before,
                   .length = split.length,
                   .after = split.after,
                   .scale = tensor.scale(),
                   .divisor = static_cast<double>(divisor),
                   .out = result.raw()}});
  return result;
}

/// Folds every element along the axis into a float64 result: total = combine(total, element), from `start`.
/// Rows of the inner part are folded at once, so that memory is read in order whichever the axis.
template <class Combine>
Tensor fold(const Tensor& tensor, const Split& split, double start, Combine combine) {
  Tensor result = Tensor::full(split.rest, start, DType::float64);
  if (result.empty()) return result;
  visit_dtype(tensor.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const T* values = tensor.data<T>();
    double* totals = result.data<double>();
    for (std::int64_t i = 0; i < split.before; ++i, totals += split.after)
      for (std::int64_t k = 0; k < split.length; ++k, values += split.after)
        for (std::int64_t j = 0; j < split.after; ++j)
          totals[j] = combine(totals[j], static_cast<double>(values[j]));
  });
  return result;
}

Tensor scaled(Tensor tensor, double factor, std::int64_t divisor = 1) {
  double* values = tensor.data<double>();
  const auto count = static_cast<double>(divisor);
  for (std::int64_t i = 0; i < tensor.size(); ++i) values[i] = values[i] * factor / count;
  return tensor;
}

Tensor extreme_along(const Tensor& tensor, int axis, Extreme wanted, const char* what) {
  const Split split(tensor.shape(), detail::resolve_axis(axis, tensor.shape(), what));
  expect_elements(tensor, split.length, what);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Extreme raw = raw_extreme(wanted, tensor.scale());
  if (!tensor.device().is_cpu()) return folded(tensor, split, value_of(raw), DType::float64);
  // A NaN stays once it is there; comparisons with it are false.
  if (raw == Extreme::smallest)
    return scaled(fold(tensor, split, infinity,
                       [](double best, double x) { return x < best || detail::is_nan(x) ? x : best; }),
                  tensor.scale());
  return scaled(fold(tensor, split, -infinity,
                     [](double best, double x) { return x > best || detail::is_nan(x) ? x : best; }),
                tensor.scale());
}

/// Of all along the axis, divided by `divisor`.
Tensor sum_along(const Tensor& tensor, const Split& split, std::int64_t divisor = 1) {
  if (!tensor.device().is_cpu()) return folded(tensor, split, Fold::What::sum, DType::float64, divisor);
  return scaled(fold(tensor, split, 0, [](double total, double x) { return total + x; }), tensor.scale(),
                divisor);
}

Tensor index_along(const Tensor& tensor, int axis, Extreme wanted, const char* what) {
  const Split split(tensor.shape(), detail::resolve_axis(axis, tensor.shape(), what));
  expect_elements(tensor, split.length, what);
  const Extreme raw = raw_extreme(wanted, tensor.scale());
  if (!tensor.device().is_cpu()) return folded(tensor, split, index_of(raw), DType::int64);
  Tensor result = Tensor::uninitialized(split.rest, DType::int64);
  visit_dtype(tensor.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const T* values = tensor.data<T>();
    std::int64_t* out = result.data<std::int64_t>();
    for (std::int64_t i = 0; i < split.before; ++i)
      for (std::int64_t j = 0; j < split.after; ++j)
        out[i * split.after + j] =
            index_of(values + i * split.length * split.after + j, split.length, split.after, raw);
  });
  return result;
}

}  // namespace

double Tensor::min() const { return extreme_of(*this, Extreme::smallest, "min()"); }
double Tensor::max() const { return extreme_of(*this, Extreme::largest, "max()"); }

double Tensor::sum() const {
  detail::expect_context(*this, "sum()");
  if (!device_.is_cpu() && !empty()) return folded<double>(*this, Fold::What::sum);
  return scale_ * visit_dtype(dtype_, [&](auto type) {
           using T = typename decltype(type)::type;
           return sum_of(static_cast<const T*>(data_), size());
         });
}

double Tensor::mean() const {
  detail::expect_context(*this, "mean()");
  return sum() / static_cast<double>(size());
}

Tensor Tensor::min(int axis) const { return extreme_along(*this, axis, Extreme::smallest, "min()"); }
Tensor Tensor::max(int axis) const { return extreme_along(*this, axis, Extreme::largest, "max()"); }

Tensor Tensor::sum(int axis) const {
  detail::expect_context(*this, "sum()");
  return sum_along(*this, Split(shape_, detail::resolve_axis(axis, shape_, "sum()")));
}

Tensor Tensor::mean(int axis) const {
  detail::expect_context(*this, "mean()");
  const Split split(shape_, detail::resolve_axis(axis, shape_, "mean()"));
  return sum_along(*this, split, split.length);
}

Tensor Tensor::argmin(int axis) const { return index_along(*this, axis, Extreme::smallest, "argmin()"); }
Tensor Tensor::argmax(int axis) const { return index_along(*this, axis, Extreme::largest, "argmax()"); }
std::int64_t Tensor::argmin() const { return index_of(*this, Extreme::smallest, "argmin()"); }
std::int64_t Tensor::argmax() const { return index_of(*this, Extreme::largest, "argmax()"); }

}  // namespace glia

// Tensor: orders along the last axis.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "host/tensor/on_device.h"       // defines: OnDevice, expect_context
#include "host/tensor/tensor_support.h"  // defines: empty_like, is_nan

namespace glia {
namespace {

enum class Direction { up, down };

/// The direction in which raw elements go for scaled ones to go in that direction.
bool goes_down(Direction wanted, double scale) { return (wanted == Direction::down) != (scale < 0); }

void expect_axis(const Tensor& tensor, const char* what) {
  detail::expect_context(tensor, what);
  GLIA_CHECK(tensor.rank() > 0, ShapeError, what,
             " needs a tensor of one dimension or more, but this one is a scalar; reshape it to (1,)");
}

/// NaN is above all numbers.
template <class T>
bool less(T a, T b) {
  return a < b || (detail::is_nan(b) && !detail::is_nan(a));
}

/// What is wanted of an order: the first `keep` of each row.
struct Wanted {
  Direction direction;
  std::int64_t keep;
  bool values, indices;
};

/// Of each row the first `keep` indices in its order; equal elements in theirs.
template <class T>
void order_rows(const Tensor& tensor, const Wanted& wanted, TopK& result) {
  const std::int64_t length = tensor.shape().back(), keep = wanted.keep;
  const bool down = goes_down(wanted.direction, tensor.scale());
  std::vector<std::int64_t> order(static_cast<std::size_t>(length));
  T* values = wanted.values ? result.values.data<T>() : nullptr;
  std::int64_t* indices = wanted.indices ? result.indices.data<std::int64_t>() : nullptr;
  const T* const end = tensor.data<T>() + tensor.size();
  for (const T* row = tensor.data<T>(); row < end; row += length) {
    const auto before = [&](std::int64_t a, std::int64_t b) {
      const T x = row[a], y = row[b];
      if (down ? less(y, x) : less(x, y)) return true;
      return a < b && !(down ? less(x, y) : less(y, x));
    };
    std::iota(order.begin(), order.end(), std::int64_t{0});
    if (keep < length)
      std::partial_sort(order.begin(), order.begin() + keep, order.end(), before);
    else
      std::sort(order.begin(), order.end(), before);
    for (std::int64_t i = 0; i < keep; ++i) {
      const std::int64_t from = order[static_cast<std::size_t>(i)];
      if (values) *values++ = row[from];
      if (indices) *indices++ = from;
    }
  }
}

/// Leaves what is not wanted empty.
TopK ordered(const Tensor& tensor, const Wanted& wanted) {
  Shape shape = tensor.shape();
  shape[shape.rank() - 1] = wanted.keep;
  TopK result;
  if (tensor.device().is_cpu()) {
    if (wanted.values) result.values = detail::empty_like(tensor, shape);
    if (wanted.indices) result.indices = Tensor::uninitialized(shape, DType::int64);
    if (shape.elements() > 0)
      visit_dtype(tensor.dtype(),
                  [&](auto type) { order_rows<typename decltype(type)::type>(tensor, wanted, result); });
    return result;
  }
  detail::OnDevice call(tensor);
  if (wanted.values) result.values = call.make_like(tensor, shape);
  if (wanted.indices) result.indices = call.make(shape, DType::int64);
  if (shape.elements() > 0)
    call.run({tensor_work::Sort{.in = tensor.raw(),
                                .dtype = tensor.dtype(),
                                .rows = tensor.size() / tensor.shape().back(),
                                .length = tensor.shape().back(),
                                .keep = wanted.keep,
                                .descending = goes_down(wanted.direction, tensor.scale()),
                                .values = wanted.values ? result.values.raw() : nullptr,
                                .indices = wanted.indices ? result.indices.data<std::int64_t>() : nullptr}});
  return result;
}

}  // namespace

Tensor Tensor::sort() const {
  expect_axis(*this, "sort()");
  return ordered(*this, {Direction::up, shape_.back(), true, false}).values;
}

Tensor Tensor::argsort() const {
  expect_axis(*this, "argsort()");
  return ordered(*this, {Direction::up, shape_.back(), false, true}).indices;
}

TopK Tensor::topk(std::int64_t k) const {
  expect_axis(*this, "topk()");
  GLIA_CHECK(k >= 0 && k <= shape_.back(), ShapeError, "topk() got k = ", k, " for a tensor of shape ",
             shape_, "; expected 0 to ", shape_.back(), ", the length of the last axis");
  return ordered(*this, {Direction::down, k, true, true});
}

}  // namespace glia

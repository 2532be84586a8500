// Elements, labels and rows of views.
// SPDX-License-Identifier: Apache-2.0
#include "host/tensor/elements.h"

#include <cmath>
#include <cstddef>
#include <cstring>

namespace glia::detail {

std::vector<std::int64_t> whole_numbers(const TensorView& view, const char* call) {
  expect_cpu(view, call);
  constexpr double limit = 9007199254740992.0;  // 2^53: beyond, doubles are not exact
  std::vector<std::int64_t> result(static_cast<std::size_t>(view.shape().elements()));
  for_each_element(view, [&](std::int64_t i, double value) {
    GLIA_CHECK(std::abs(value) <= limit && value == std::floor(value), ValueError, call, " got the label ",
               value, " at element ", i,
               ", expected a whole number; round() the labels, or encode them with LabelEncoder");
    result[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(value);
  });
  return result;
}

std::vector<std::int64_t> labels_of(const TensorView& labels, const char* call) {
  const Shape& shape = labels.shape();
  GLIA_CHECK(shape.rank() == 1 || (shape.rank() == 2 && shape[1] == 1), ShapeError, call,
             " got labels of shape ", shape,
             ", expected one a row: (rows,) or (rows, 1); take argmax(1) of one-hot rows");
  return whole_numbers(labels, call);
}

void expect_same_rows(const TensorView& x, const TensorView& y, const char* call) {
  GLIA_CHECK(x.shape().rank() > 0 && y.shape().rank() > 0, ShapeError, call, " got x of shape ", x.shape(),
             " and y of shape ", y.shape(), ", expected rows in both; reshape scalars to (1,)");
  GLIA_CHECK(x.rows() == y.rows(), ShapeError, call, " got ", x.rows(), " rows in x and ", y.rows(),
             " in y, expected as many; give each row of x its target");
}

Tensor take_rows(const TensorView& view, const std::vector<std::int64_t>& indices) {
  Tensor result = Tensor::uninitialized(view.shape().row().prepend(static_cast<std::int64_t>(indices.size())),
                                        view.dtype());
  if (view.dtype() == DType::uint8) result.set_scale(view.scale());
  const auto bytes = static_cast<std::size_t>(view.row_bytes());
  if (bytes == 0) return result;
  auto* to = static_cast<std::byte*>(result.raw());
  const auto* from = static_cast<const std::byte*>(view.raw());
  for (std::int64_t index : indices) {
    std::memcpy(to, from + static_cast<std::size_t>(index) * bytes, bytes);
    to += bytes;
  }
  return result;
}

std::map<std::int64_t, std::vector<std::int64_t>> rows_by_class(const std::vector<std::int64_t>& labels) {
  std::map<std::int64_t, std::vector<std::int64_t>> result;
  for (std::size_t i = 0; i < labels.size(); ++i) result[labels[i]].push_back(static_cast<std::int64_t>(i));
  return result;
}

}  // namespace glia::detail

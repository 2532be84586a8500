// Elements, labels and rows of what a caller hands over as a view.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>

#include <cstdint>
#include <map>
#include <vector>

namespace glia::detail {

/// Throws DeviceError, with the remedy, where the view is not on the CPU.
inline void expect_cpu(const TensorView& view, const char* call) {
  GLIA_CHECK(view.device().is_cpu(), DeviceError, call, " reads elements on the CPU, but a tensor of shape ",
             view.shape(), " lies on ", view.device().name(), "; copy it first: tensor.to(\"cpu\")");
}

/// visit(i, element) for each element in order, as a double, scaled.
template <class Visit>
void for_each_element(const TensorView& view, Visit&& visit) {
  visit_dtype(view.dtype(), [&](auto type) {
    const auto* from = static_cast<const typename decltype(type)::type*>(view.raw());
    const std::int64_t count = view.shape().elements();
    for (std::int64_t i = 0; i < count; ++i) visit(i, static_cast<double>(from[i]) * view.scale());
  });
}

/// All elements, which must be whole numbers; ValueError else.
std::vector<std::int64_t> whole_numbers(const TensorView& view, const char* call);
/// The same of labels, one a row: ShapeError for a shape other than (rows,) and (rows, 1).
std::vector<std::int64_t> labels_of(const TensorView& labels, const char* call);
/// Throws ShapeError where x and y are scalars or differ in rows.
void expect_same_rows(const TensorView& x, const TensorView& y, const char* call);

/// The rows named by `indices`, unchecked, with dtype and scale.
Tensor take_rows(const TensorView& view, const std::vector<std::int64_t>& indices);

/// The rows of each class, in ascending order of classes and of rows.
std::map<std::int64_t, std::vector<std::int64_t>> rows_by_class(const std::vector<std::int64_t>& labels);

}  // namespace glia::detail

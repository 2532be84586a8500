// Arrays, outputs, shapes, streams and logs of the C interface as those of C++.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/c.h>
#include <glia/history.h>  // defines: Logs
#include <glia/mutable_tensor_view.h>
#include <glia/tensor.h>
#include <glia/tensors.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace glia::c {

/// Throw as TensorView::of, by the parameter's name, and ArgumentError for NULL.
TensorView view_of(const glia_array* array, const std::string& name);
std::vector<TensorView> views_of(const glia_array* arrays, std::size_t count, const char* name);
std::vector<MutableTensorView> views_of(const glia_mutable_array* arrays, std::size_t count,
                                        const char* name);
/// None where `arrays` is NULL and `optional`.
Tensors tensors_of(const glia_array* arrays, std::size_t count, const char* name, bool optional = false);

DType dtype_of(glia_dtype dtype, const char* name);
Shape shape_of(const glia_shape* shape, const std::string& name);
void put(const Shape& shape, glia_shape* to, const char* name);
void put(const MutableTensorView& view, glia_mutable_array* to, const char* name);

/// Throws ArgumentError where there is no room for the tensor.
void expect_room(const Tensor& tensor, const glia_output& to, const std::string& name);
/// Copies a tensor to the host's memory, where there is room for it.
void put(const Tensor& tensor, const glia_output& to);

/// What the C++ interface takes: nothing for NULL.
inline std::optional<void*> stream_of(void* const* stream) {
  return stream ? std::optional<void*>(*stream) : std::nullopt;
}

/// Throws ArgumentError for room for more numbers than there are, `available`, and for NULL.
void expect_room(const double* logs, std::size_t count, std::size_t available);
/// The first of them.
void put(const Logs& logs, double* to, std::size_t count);

}  // namespace glia::c

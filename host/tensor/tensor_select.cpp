// Tensor: selection of rows and columns, other shapes of the same elements, and concatenation.
// SPDX-License-Identifier: Apache-2.0
#include <glia/tensor.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "host/base/memory.h"            // defines: checked_elements
#include "host/tensor/on_device.h"       // defines: OnDevice, expect_context, expect_one_device
#include "host/tensor/tensor_support.h"  // defines: resolve_index, copy_bytes, empty_like

namespace glia {
namespace {

std::byte* bytes_of(Tensor& tensor) { return static_cast<std::byte*>(tensor.raw()); }
const std::byte* bytes_of(const Tensor& tensor) { return static_cast<const std::byte*>(tensor.raw()); }

void expect_readable_axis(const Tensor& tensor, const char* what) {
  detail::expect_context(tensor, what);
  GLIA_CHECK(tensor.rank() > 0, ShapeError, what,
             " needs a tensor of one dimension or more, but this one is a scalar; read it with item()");
}

/// The bounds of a Python slice, counted from the front, first <= last.
std::pair<std::int64_t, std::int64_t> resolve_range(std::int64_t first, std::int64_t last,
                                                    std::int64_t length, const char* what) {
  const auto resolve = [&](std::int64_t bound) {
    GLIA_CHECK(bound >= -length && bound <= length, ShapeError, what, " got the range ", first, " to ", last,
               ", which leaves the ", length, " there are; expected bounds of ", -length, " to ", length);
    return bound < 0 ? bound + length : bound;
  };
  const std::int64_t from = resolve(first);
  return {from, std::max(from, resolve(last))};
}

using tensor_work::Rearrange;

/// On a GPU: a tensor of `shape` as rows and columns of `tensor`, which has them with those strides from element `first` on.
Tensor rearranged(detail::OnDevice& call, const Tensor& tensor, const Shape& shape, std::int64_t first,
                  Rearrange work) {
  Tensor result = call.make_like(tensor, shape);
  if (result.empty()) return result;
  work.element_bytes = size_of(tensor.dtype());
  work.in = bytes_of(tensor) + first * work.element_bytes;
  work.out = result.raw();
  call.run({work});
  return result;
}

/// The rows that `indices`, on the device, name.
Tensor rows_on_device(detail::OnDevice& call, const Tensor& tensor, const std::int64_t* indices,
                      std::int64_t count) {
  const Shape row = tensor.shape().row();
  return rearranged(call, tensor, row.prepend(count), 0,
                    {.rows = count,
                     .columns = row.elements(),
                     .row_stride = row.elements(),
                     .column_stride = 1,
                     .row_indices = indices});
}

/// Along the last axis, into a tensor of `shape`: `count` columns from `first` on, or those that `indices` name.
Tensor columns_on_device(detail::OnDevice& call, const Tensor& tensor, const Shape& shape, std::int64_t first,
                         std::int64_t count, const std::int64_t* indices = nullptr) {
  const std::int64_t width = tensor.shape().back();
  return rearranged(call, tensor, shape, first,
                    {.rows = width > 0 ? tensor.size() / width : 0,
                     .columns = count,
                     .row_stride = width,
                     .column_stride = 1,
                     .column_indices = indices});
}

std::vector<std::int64_t> resolve_indices(const std::vector<std::int64_t>& indices, int axis,
                                          const Shape& shape) {
  std::vector<std::int64_t> result;
  for (const std::int64_t index : indices)
    result.push_back(detail::resolve_index(index, shape[axis], axis, shape));
  return result;
}

/// Copies whole rows: `source(i)` is the row that becomes row i.
template <class Source>
Tensor gather_rows(const Tensor& tensor, std::int64_t count, Source source) {
  const Shape row = tensor.shape().row();
  const std::int64_t row_bytes = row.elements() * size_of(tensor.dtype());
  Tensor result = detail::empty_like(tensor, row.prepend(count));
  for (std::int64_t i = 0; i < count; ++i)
    detail::copy_bytes(bytes_of(result) + i * row_bytes, bytes_of(tensor) + source(i) * row_bytes, row_bytes);
  return result;
}

/// Copies along the last axis, into a tensor of `shape`: `source(j)` is the column that becomes column j.
template <class Source>
Tensor gather_columns(const Tensor& tensor, const Shape& shape, std::int64_t count, Source source) {
  Tensor result = detail::empty_like(tensor, shape);
  if (result.empty()) return result;
  const std::int64_t width = tensor.shape().back();
  const std::int64_t height = tensor.size() / width;
  visit_dtype(tensor.dtype(), [&](auto type) {
    using T = typename decltype(type)::type;
    const T* from = tensor.data<T>();
    T* to = result.data<T>();
    for (std::int64_t i = 0; i < height; ++i)
      for (std::int64_t j = 0; j < count; ++j) to[i * count + j] = from[i * width + source(j)];
  });
  return result;
}

Shape with_columns(const Shape& shape, std::int64_t count) {
  Shape result = shape;
  result[shape.rank() - 1] = count;
  return result;
}

/// `wanted` with its -1, if any, worked out for `elements`. Throws where the counts cannot agree.
Shape resolve_shape(const Shape& wanted, const Shape& from) {
  int open_axis = -1;
  Shape known = wanted;
  for (int axis = 0; axis < wanted.rank(); ++axis) {
    if (wanted[axis] != -1) continue;
    GLIA_CHECK(open_axis < 0, ShapeError, "reshape() got ", wanted,
               ", but only one dimension can be -1 (worked out from the others); give the rest");
    open_axis = axis;
    known[axis] = 1;
  }
  const std::int64_t elements = from.elements();
  const std::int64_t product = checked_elements(known);
  if (open_axis >= 0 && product > 0 && elements % product == 0) known[open_axis] = elements / product;
  const bool fits = open_axis < 0 ? product == elements : product > 0 && elements % product == 0;
  GLIA_CHECK(fits, ShapeError, "cannot reshape ", from, ", which has ", elements, " elements, to ", wanted,
             open_axis < 0
                 ? detail::concat(", which has ", product)
                 : detail::concat(": the dimensions given make ", product, ", which does not divide that"),
             "; the number of elements must stay the same");
  return known;
}

}  // namespace

Tensor Tensor::rows(std::int64_t first, std::int64_t last) const {
  expect_readable_axis(*this, "rows()");
  const auto [from, to] = resolve_range(first, last, rows(), "rows()");
  const std::int64_t row_bytes = shape_.row().elements() * size_of(dtype_);
  if (!device_.is_cpu()) {
    detail::OnDevice call(*this);
    Tensor result = call.make_like(*this, shape_.row().prepend(to - from));
    call.copy(result.data_, bytes_of(*this) + from * row_bytes, result.size(), dtype_);
    return result;
  }
  Tensor result = detail::empty_like(*this, shape_.row().prepend(to - from));
  detail::copy_bytes(result.data_, bytes_of(*this) + from * row_bytes, (to - from) * row_bytes);
  return result;
}

Tensor Tensor::rows(const std::vector<std::int64_t>& indices) const {
  expect_readable_axis(*this, "rows()");
  const std::vector<std::int64_t> sources = resolve_indices(indices, 0, shape_);
  const auto count = static_cast<std::int64_t>(sources.size());
  if (!device_.is_cpu()) {
    detail::OnDevice call(*this);
    return rows_on_device(call, *this, call.send(sources), count);
  }
  return gather_rows(*this, count, [&](std::int64_t i) { return sources[static_cast<std::size_t>(i)]; });
}

Tensor Tensor::row(std::int64_t i) const {
  expect_readable_axis(*this, "row()");
  const std::int64_t from = detail::resolve_index(i, shape_[0], 0, shape_);
  return rows(from, from + 1).reshape(shape_.row());
}

Tensor Tensor::where(const Tensor& mask) const {
  expect_readable_axis(*this, "where()");
  detail::expect_one_device(*this, mask, "where()");
  GLIA_CHECK(mask.dtype() == DType::uint8, ValueError, "where() got a mask of ", mask.dtype(),
             "; expected uint8, as comparisons give: tensor.where(labels == 1)");
  GLIA_CHECK(mask.size() == rows(), ShapeError, "where() got a mask of shape ", mask.shape(), " for ", rows(),
             " rows; expected one element a row");
  if (!device_.is_cpu()) {
    detail::OnDevice call(*this);
    call.also_reads(mask);
    auto* const indices = call.scratch<std::int64_t>(rows());
    auto* const found = call.scratch<std::int64_t>(1);
    if (rows() == 0) return call.make_like(*this, shape_);
    call.run({tensor_work::Select{
        .mask = mask.data<std::uint8_t>(), .count = rows(), .indices = indices, .found = found}});
    return rows_on_device(call, *this, indices, call.read(found));
  }
  const std::uint8_t* keep = mask.data<std::uint8_t>();
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < rows(); ++i)
    if (keep[i] != 0) indices.push_back(i);
  return rows(indices);
}

Tensor Tensor::columns(std::int64_t first, std::int64_t last) const {
  expect_readable_axis(*this, "columns()");
  const auto [from, to] = resolve_range(first, last, shape_.back(), "columns()");
  if (!device_.is_cpu()) {
    detail::OnDevice call(*this);
    return columns_on_device(call, *this, with_columns(shape_, to - from), from, to - from);
  }
  return gather_columns(*this, with_columns(shape_, to - from), to - from,
                        [from = from](std::int64_t j) { return from + j; });
}

Tensor Tensor::columns(const std::vector<std::int64_t>& indices) const {
  expect_readable_axis(*this, "columns()");
  const std::vector<std::int64_t> sources = resolve_indices(indices, rank() - 1, shape_);
  const auto count = static_cast<std::int64_t>(sources.size());
  if (!device_.is_cpu()) {
    detail::OnDevice call(*this);
    return columns_on_device(call, *this, with_columns(shape_, count), 0, count, call.send(sources));
  }
  return gather_columns(*this, with_columns(shape_, count), count,
                        [&](std::int64_t j) { return sources[static_cast<std::size_t>(j)]; });
}

Tensor Tensor::column(std::int64_t j) const {
  expect_readable_axis(*this, "column()");
  const std::int64_t source = detail::resolve_index(j, shape_.back(), rank() - 1, shape_);
  if (!device_.is_cpu()) {
    detail::OnDevice call(*this);
    return columns_on_device(call, *this, shape_.slice(0, rank() - 1), source, 1);
  }
  return gather_columns(*this, shape_.slice(0, rank() - 1), 1, [source](std::int64_t) { return source; });
}

Tensor Tensor::reshape(const Shape& shape) const& {
  const Shape resolved = resolve_shape(shape, shape_);
  Tensor result = clone();
  result.shape_ = resolved;
  return result;
}

Tensor Tensor::reshape(const Shape& shape) && {
  const Shape resolved = resolve_shape(shape, shape_);
  Tensor result = std::move(*this);
  result.shape_ = resolved;
  return result;
}

Tensor Tensor::transpose() const {
  detail::expect_context(*this, "transpose()");
  GLIA_CHECK(rank() == 2, ShapeError, "transpose() needs two dimensions, but this tensor has shape ", shape_,
             "; reshape it to (rows, columns) first");
  const std::int64_t height = shape_[0], width = shape_[1];
  if (!device_.is_cpu()) {
    detail::OnDevice call(*this);
    return rearranged(call, *this, {width, height}, 0,
                      {.rows = width, .columns = height, .row_stride = 1, .column_stride = width});
  }
  Tensor result = detail::empty_like(*this, {width, height});
  visit_dtype(dtype_, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* from = data<T>();
    T* to = result.data<T>();
    for (std::int64_t j = 0; j < width; ++j)
      for (std::int64_t i = 0; i < height; ++i) to[j * height + i] = from[i * width + j];
  });
  return result;
}

Tensor concatenate(const std::vector<const Tensor*>& parts) {
  GLIA_CHECK(!parts.empty(), ValueError, "concatenate() got no tensors; give at least one");
  GLIA_CHECK(std::find(parts.begin(), parts.end(), nullptr) == parts.end(), ValueError,
             "concatenate() got a null pointer; give addresses of tensors: concatenate({&a, &b})");
  const Tensor& first = *parts.front();
  std::int64_t rows = 0;
  for (const Tensor* part : parts) {
    expect_readable_axis(*part, "concatenate()");
    detail::expect_one_device(first, *part, "concatenate()");
    GLIA_CHECK(part->shape().row() == first.shape().row(), ShapeError, "concatenate() got rows of shape ",
               part->shape().row(), " below rows of shape ", first.shape().row(),
               "; reshape them to be equal");
    GLIA_CHECK(part->dtype() == first.dtype() && part->scale() == first.scale(), ValueError,
               "concatenate() got ", part->dtype(), " of scale ", part->scale(), " below ", first.dtype(),
               " of scale ", first.scale(), "; cast() them to be equal");
    rows += part->rows();
  }
  if (!first.device().is_cpu()) {
    detail::OnDevice call(first);
    Tensor result = call.make_like(first, first.shape().row().prepend(rows));
    std::byte* to = bytes_of(result);
    for (const Tensor* part : parts) {
      call.also_reads(*part);
      call.copy(to, part->raw(), part->size(), part->dtype());
      to += part->bytes();
    }
    return result;
  }
  Tensor result = detail::empty_like(first, first.shape().row().prepend(rows));
  std::byte* to = bytes_of(result);
  for (const Tensor* part : parts) {
    detail::copy_bytes(to, part->raw(), part->bytes());
    to += part->bytes();
  }
  return result;
}

}  // namespace glia

// Copies of elements that lie apart, into a tensor where they do not.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace glia {

/// Elements of a tensor that is not contiguous: `data` is the first, strides are in elements, of any sign.
struct StridedElements {
  const std::byte* data;
  Shape shape, strides;
  DType dtype;
  Device device;
};

/// From the lowest byte of an element to the highest, relative to `data`; both 0 where there are no elements. Throws
/// ShapeError where they do not fit the address space.
struct ByteRange {
  std::int64_t first, last;  ///< last: behind it
};
ByteRange bytes_of(const StridedElements& elements);

/// A contiguous copy where the elements lie; elements need not be aligned. On a GPU in `context`, else in one that is started,
/// on whose stream the copy is made and waited for: by a kernel, or, of uint8, of misaligned elements and with negative
/// strides, by way of the host. Throws DeviceError, OutOfMemoryError.
Tensor contiguous_copy(const StridedElements& elements, const std::optional<Context>& context);

}  // namespace glia

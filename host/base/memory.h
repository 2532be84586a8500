// Memory on the host, and the arithmetic of sizes, checked.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>  // defines: Memory
#include <glia/dtype.h>    // defines: DType
#include <glia/shape.h>    // defines: Shape

#include <cstddef>
#include <cstdint>

namespace glia {

/// Host memory, tensor_alignment aligned, contents unspecified. data() is null for 0 bytes.
class HostMemory final : public Memory {
 public:
  /// Throws OutOfMemoryError.
  explicit HostMemory(std::size_t bytes);
  ~HostMemory() override;
};

/// Elements of `shape`. Throws ShapeError for a negative dimension, OutOfMemoryError where the product does
/// not fit 63 bits (zero dimensions aside, so that Shape::elements() never overflows on a checked shape).
std::int64_t checked_elements(const Shape& shape);

/// Bytes of `shape` in `dtype`, with the checks of checked_elements.
std::int64_t checked_bytes(const Shape& shape, DType dtype);

}  // namespace glia

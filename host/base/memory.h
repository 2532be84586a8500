// Memory on the host, memory that keeps its device alive, and the arithmetic of sizes, checked.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>  // defines: Memory
#include <glia/context.h>  // defines: Context
#include <glia/dtype.h>    // defines: DType
#include <glia/shape.h>    // defines: Shape

#include <cstddef>
#include <cstdint>
#include <memory>

namespace glia {

/// Host memory, tensor_alignment aligned, contents unspecified. data() is null for 0 bytes.
class HostMemory final : public Memory {
 public:
  /// Throws OutOfMemoryError.
  explicit HostMemory(std::size_t bytes);
  ~HostMemory() override;
};

/// Memory from a context's backend. It holds the context, so that the device outlives the allocation.
class ContextMemory final : public Memory {
 public:
  /// Throws OutOfMemoryError.
  ContextMemory(const Context& context, std::size_t bytes);

  const Context& context() const { return context_; }

 private:
  ContextMemory(const Context& context, std::unique_ptr<Memory> memory);

  Context context_;  // before memory_: memory goes first
  std::unique_ptr<Memory> memory_;
};

/// Elements of `shape`. Throws ShapeError for a negative dimension, OutOfMemoryError where the product does
/// not fit 63 bits (zero dimensions aside, so that Shape::elements() never overflows on a checked shape).
std::int64_t checked_elements(const Shape& shape);

/// Bytes of `shape` in `dtype`, with the checks of checked_elements.
std::int64_t checked_bytes(const Shape& shape, DType dtype);

}  // namespace glia

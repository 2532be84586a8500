// Memory on the host, and the arithmetic of sizes, checked.
// SPDX-License-Identifier: Apache-2.0
#include "host/base/memory.h"

#include <glia/error.h>
#include <glia/view.h>  // defines: tensor_alignment

#include <limits>
#include <new>

namespace glia {
namespace {

constexpr std::align_val_t alignment{static_cast<std::size_t>(tensor_alignment)};

std::byte* allocate_aligned(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  void* data = nullptr;
  if (bytes <= static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()))
    data = ::operator new(bytes, alignment, std::nothrow);
  GLIA_CHECK(data != nullptr, OutOfMemoryError, "the host has no ", bytes,
             " bytes of memory left to allocate; use smaller tensors or batches, or free others first");
  return static_cast<std::byte*>(data);
}

/// a * b for non-negative numbers; throws OutOfMemoryError where that exceeds 63 bits.
std::int64_t checked_product(std::int64_t a, std::int64_t b, const Shape& shape) {
  std::int64_t product = 0;
  GLIA_CHECK(!__builtin_mul_overflow(a, b, &product), OutOfMemoryError, "a tensor of shape ", shape,
             " has more bytes than a computer can address; check its dimensions");
  return product;
}

}  // namespace

HostMemory::HostMemory(std::size_t bytes) : Memory(allocate_aligned(bytes), bytes) {}

HostMemory::~HostMemory() { ::operator delete(data_, alignment); }

std::int64_t checked_elements(const Shape& shape) {
  std::int64_t product = 1;
  bool has_zero = false;
  for (std::int64_t dimension : shape) {
    GLIA_CHECK(dimension >= 0, ShapeError, "a tensor cannot have shape ", shape,
               ": every dimension must be 0 or more");
    if (dimension == 0)
      has_zero = true;
    else
      product = checked_product(product, dimension, shape);
  }
  return has_zero ? 0 : product;
}

std::int64_t checked_bytes(const Shape& shape, DType dtype) {
  return checked_product(checked_elements(shape), size_of(dtype), shape);
}

}  // namespace glia

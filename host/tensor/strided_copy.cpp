// Copies of elements that lie apart.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <host/base/memory.h>  // defines: HostMemory, checked_bytes
#include <host/device/context_memory.h>
#include <host/device/cuda_library.h>  // defines: expect_on
#include <host/tensor/strided_copy.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace glia {
namespace {

std::int64_t in_bytes(std::int64_t count, std::int64_t stride, std::int64_t size, const Shape& shape,
                      const Shape& strides) {
  std::int64_t elements = 0, bytes = 0;
  GLIA_CHECK(
      !__builtin_mul_overflow(count, stride, &elements) && !__builtin_mul_overflow(elements, size, &bytes),
      ShapeError, "a tensor of shape ", shape, " and strides ", strides,
      " reaches further than there are addresses: check its dimensions and strides");
  return bytes;
}

/// Copies the elements from axis `axis` on, and returns where the copy ends. (=)
std::byte* gather(const StridedElements& e, int axis, const std::byte* from, std::byte* to) {
  const auto size = static_cast<std::size_t>(size_of(e.dtype));
  if (axis == e.shape.rank()) {
    std::memcpy(to, from, size);
    return to + size;
  }
  const std::int64_t step = e.strides[axis] * size_of(e.dtype);
  if (axis + 1 < e.shape.rank()) {
    for (std::int64_t i = 0; i < e.shape[axis]; ++i) to = gather(e, axis + 1, from + i * step, to);
    return to;
  }
  for (std::int64_t i = 0; i < e.shape[axis]; ++i, to += size) std::memcpy(to, from + i * step, size);
  return to;
}

/// Whether op::Copy takes such elements: it knows no uint8, and an int64 only as two int32, along one more axis.
bool by_a_kernel(const StridedElements& e) {
  if (e.dtype == DType::uint8 || (e.dtype == DType::int64 && e.shape.rank() == Shape::max_rank)) return false;
  if (reinterpret_cast<std::uintptr_t>(e.data) % static_cast<std::uintptr_t>(size_of(e.dtype)) != 0)
    return false;
  return std::all_of(e.strides.begin(), e.strides.end(), [](std::int64_t stride) { return stride >= 0; });
}

void copy_by_a_kernel(const StridedElements& e, std::byte* to, Backend& backend) {
  View in = View::contiguous(Buffer::parameters, e.dtype, e.shape);
  in.strides = e.strides;
  if (e.dtype == DType::int64) {
    in.dtype = DType::int32;
    for (int axis = 0; axis < in.strides.rank(); ++axis) in.strides[axis] *= 2;
    in.shape.push_back(2), in.strides.push_back(1);
  }
  const View out = View::contiguous(Buffer::arena, in.dtype, in.shape);
  Bindings at;
  at.base[static_cast<int>(Buffer::parameters)] = const_cast<std::byte*>(e.data);  // only read
  at.base[static_cast<int>(Buffer::arena)] = to;
  const std::unique_ptr<Sequence> copy = backend.prepare({op::Copy{in, out}}, at);
  copy->run(1);
  backend.synchronize();  // before the Ops go
}

void copy_by_the_host(const StridedElements& e, std::byte* to, std::size_t bytes, Backend& backend) {
  const ByteRange range = bytes_of(e);
  const HostMemory all(static_cast<std::size_t>(range.last - range.first)), contiguous(bytes);
  backend.download(all.data(), e.data + range.first, all.bytes());
  gather(e, 0, all.data() - range.first, contiguous.data());
  backend.upload(to, contiguous.data(), bytes);
  backend.synchronize();
}

}  // namespace

ByteRange bytes_of(const StridedElements& e) {
  const std::int64_t size = size_of(e.dtype);
  ByteRange range{0, size};
  for (int axis = 0; axis < e.shape.rank(); ++axis) {
    if (e.shape[axis] == 0) return {0, 0};
    const std::int64_t reach = in_bytes(e.shape[axis] - 1, e.strides[axis], size, e.shape, e.strides);
    std::int64_t& end = reach < 0 ? range.first : range.last;
    GLIA_CHECK(!__builtin_add_overflow(end, reach, &end), ShapeError, "a tensor of shape ", e.shape,
               " and strides ", e.strides,
               " reaches further than there are addresses: check its dimensions and strides");
  }
  return range;
}

Tensor contiguous_copy(const StridedElements& e, const std::optional<Context>& context) {
  const std::int64_t bytes = checked_bytes(e.shape, e.dtype);
  bytes_of(e);
  if (e.device.is_cpu() || bytes == 0) {
    Tensor copy = Tensor::uninitialized(e.shape, e.dtype);
    if (bytes > 0) gather(e, 0, e.data, static_cast<std::byte*>(copy.raw()));
    if (e.device.is_cpu()) return copy;
    return Tensor::adopt(nullptr, e.shape, e.dtype, e.device);
  }
  const Context there = context ? *context : Context(ContextOptions{.device = e.device});
  GLIA_CHECK(there.device() == e.device, DeviceError, "a tensor on ", e.device,
             " was to be copied in a context on ", there.device(), ": give one on ", e.device, ", or none");
  Backend& backend = there.backend();
  const detail::InUse::Hold mark(backend.in_use(), Backend::in_use_elsewhere);
  cuda_library::expect_on(e.device, e.data);
  auto memory = std::make_unique<ContextMemory>(there, static_cast<std::size_t>(bytes), MemoryUse::tensors);
  if (by_a_kernel(e))
    copy_by_a_kernel(e, memory->data(), backend);
  else
    copy_by_the_host(e, memory->data(), memory->bytes(), backend);
  return Tensor::adopt(std::move(memory), e.shape, e.dtype, e.device);
}

}  // namespace glia

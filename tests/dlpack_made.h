// Tensors of somebody else's in a device's memory, as DLPack says them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <glia/dlpack.h>
#include <host/tensor/dlpack_layout.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace glia::test {

/// What lies at a view, on the CPU.
inline Tensor downloaded(const TensorView& view, const Context& context) {
  Tensor result = Tensor::uninitialized(view.shape(), view.dtype());
  if (view.size() > 0)
    context.backend().download(result.raw(), view.raw(), static_cast<std::size_t>(view.bytes()));
  return result;
}

/// A tensor of somebody else's in a device's memory, which is `memory`'s; it counts how often it was given back.
struct Made {
  dlpack::Versioned managed = {};
  std::vector<std::int64_t> shape, strides;
  int deleted = 0;

  Made(Tensor& memory, std::vector<std::int64_t> shape_, std::vector<std::int64_t> strides_,
       std::int64_t first)
      : shape(std::move(shape_)), strides(std::move(strides_)) {
    const auto size = size_of(memory.dtype());
    const std::uint8_t code = memory.dtype() == DType::uint8 ? dlpack::unsigned_integer
                              : is_floating(memory.dtype())  ? dlpack::floating
                                                             : dlpack::integer;
    managed.version = {1, 0};
    managed.context = this;
    managed.deleter = [](DLManagedTensorVersioned* self) {
      ++static_cast<Made*>(reinterpret_cast<dlpack::Versioned*>(self)->context)->deleted;
    };
    managed.array = {memory.raw(),
                     {memory.device().is_cpu() ? dlpack::cpu : dlpack::cuda, memory.device().index()},
                     static_cast<std::int32_t>(shape.size()),
                     {code, static_cast<std::uint8_t>(8 * size), 1},
                     shape.data(),
                     strides.data(),
                     static_cast<std::uint64_t>(first * size)};
  }
  Made(const Made&) = delete;
  DLManagedTensorVersioned* get() { return reinterpret_cast<DLManagedTensorVersioned*>(&managed); }
};

}  // namespace glia::test

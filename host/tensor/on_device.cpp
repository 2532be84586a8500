// Tensors that lie on a GPU: contexts, results and reads.
// SPDX-License-Identifier: Apache-2.0
#include "host/tensor/on_device.h"

#include <algorithm>
#include <utility>

#include "host/base/memory.h"  // defines: checked_bytes
#include "host/device/context_memory.h"

namespace glia::detail {
namespace {

const ContextMemory* context_memory(const Tensor& tensor) {
  return dynamic_cast<const ContextMemory*>(tensor.memory());
}

}  // namespace

void expect_context(const Tensor& tensor, const char* what) {
  GLIA_CHECK(tensor.device().is_cpu() || context_memory(tensor), DeviceError, what,
             " computes where the tensor lies, but the memory of this one of shape ", tensor.shape(), " on ",
             tensor.device().name(),
             " was adopted and knows no context; copy it first: tensor.to(\"cpu\"), or tensor.to(context)");
}

void expect_one_device(const Tensor& a, const Tensor& b, const char* what) {
  expect_context(a, what);
  expect_context(b, what);
  GLIA_CHECK(a.device() == b.device(), DeviceError, what, " got tensors on ", a.device().name(), " and on ",
             b.device().name(), "; copy one to where the other is: tensor.to(other.device())");
}

OnDevice::OnDevice(const Tensor& tensor) : OnDevice(context_memory(tensor)->context()) {}

OnDevice::OnDevice(const Context& context)
    : context_(context), hold_(context_.backend().in_use(), Backend::in_use_elsewhere) {}

void OnDevice::also_reads(const Tensor& tensor) {
  const ContextMemory* const memory = context_memory(tensor);
  if (!memory || &memory->context().backend() == &context_.backend()) return;
  const auto same = [&](const Context& other) { return &other.backend() == &memory->context().backend(); };
  if (std::any_of(others_.begin(), others_.end(), same)) return;
  others_.push_back(memory->context());
  holds_of_others_.emplace_back(others_.back().backend().in_use(), Backend::in_use_elsewhere);
  context_.backend().follow(others_.back().backend());
}

Tensor OnDevice::make(const Shape& shape, DType dtype) const {
  const std::int64_t bytes = checked_bytes(shape, dtype);
  auto memory =
      std::make_unique<ContextMemory>(context_, static_cast<std::size_t>(bytes), MemoryUse::tensors);
  memory->begin();
  return Tensor::adopt(std::move(memory), shape, dtype, context_.device());
}

Tensor OnDevice::make_like(const Tensor& tensor, const Shape& shape) const {
  Tensor result = make(shape, tensor.dtype());
  if (tensor.dtype() == DType::uint8) result.set_scale(tensor.scale());
  return result;
}

void* OnDevice::scratch_bytes(std::int64_t bytes) {
  scratch_.push_back(context_.backend().allocate(static_cast<std::size_t>(bytes)));
  return scratch_.back()->data();
}

const std::int64_t* OnDevice::send(const std::vector<std::int64_t>& indices) {
  auto* const to = scratch<std::int64_t>(static_cast<std::int64_t>(indices.size()));
  context_.backend().upload(to, indices.data(), indices.size() * sizeof indices[0]);
  return to;
}

/// The other contexts wait in their turn, lest they free what is still read.
void OnDevice::run(const TensorWork& work) const {
  context_.backend().compute(work);
  for (const Context& other : others_) other.backend().follow(context_.backend());
}

void OnDevice::copy(void* to, const void* from, std::int64_t count, DType dtype) const {
  if (count == 0) return;
  run({tensor_work::Rearrange{.in = from,
                              .out = to,
                              .element_bytes = size_of(dtype),
                              .rows = 1,
                              .columns = count,
                              .row_stride = count,
                              .column_stride = 1}});
}

void OnDevice::read_bytes(void* to, const void* from, std::size_t bytes) const {
  context_.backend().download(to, from, bytes);
}

tensor_work::Operand operand_of(const Tensor& tensor) {
  return {.data = tensor.raw(), .dtype = tensor.dtype(), .scale = tensor.scale(), .period = tensor.size()};
}

namespace {

/// Calls use(address, bytes) for an element, on its device.
template <class Bytes, class Use>
void at_element(Bytes* start, const Tensor& tensor, std::int64_t offset, const Use& use) {
  const std::int64_t bytes = size_of(tensor.dtype());
  use(start + offset * bytes, static_cast<std::size_t>(bytes));
}

}  // namespace

void read_element(const Tensor& tensor, std::int64_t offset, void* to) {
  at_element(static_cast<const std::byte*>(tensor.raw()), tensor, offset,
             [&](const std::byte* from, std::size_t bytes) {
               if (tensor.device().is_cpu()) {
                 std::copy_n(from, bytes, static_cast<std::byte*>(to));
                 return;
               }
               const Context context = context_memory(tensor)->context();
               const InUse::Hold hold(context.backend().in_use(), Backend::in_use_elsewhere);
               context.backend().download(to, from, bytes);
             });
}

void write_element(Tensor& tensor, std::int64_t offset, const void* from) {
  at_element(static_cast<std::byte*>(tensor.raw()), tensor, offset, [&](std::byte* to, std::size_t bytes) {
    if (tensor.device().is_cpu()) {
      std::copy_n(static_cast<const std::byte*>(from), bytes, to);
      return;
    }
    const ContextMemory* const memory = context_memory(tensor);
    const InUse::Hold hold(memory->context().backend().in_use(), Backend::in_use_elsewhere);
    memory->begin();
    memory->context().backend().upload(to, from, bytes);
  });
}

Tensor elements_at(const Tensor& tensor, const std::vector<std::int64_t>& offsets) {
  OnDevice call(tensor);
  const auto count = static_cast<std::int64_t>(offsets.size());
  Tensor chosen = call.make_like(tensor, {count});
  call.run({tensor_work::Rearrange{.in = tensor.raw(),
                                   .out = chosen.raw(),
                                   .element_bytes = size_of(tensor.dtype()),
                                   .rows = 1,
                                   .columns = count,
                                   .row_stride = 0,
                                   .column_stride = 1,
                                   .column_indices = call.send(offsets)}});
  return chosen.to(Device::cpu());
}

}  // namespace glia::detail

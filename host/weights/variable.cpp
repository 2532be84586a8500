// Variables: the blocks they are put into, and copies of their values.
// SPDX-License-Identifier: Apache-2.0
#include <host/base/memory.h>  // defines: checked_bytes
#include <host/weights/variable.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <new>
#include <utility>

namespace glia {
namespace {

/// Straight from where they were drawn, where nothing is to be converted: a large kernel is not copied first.
void upload(const std::vector<float>& values, const Variable& variable, const Context& context, DType dtype,
            std::byte* to) {
  if (dtype != DType::float32) {
    const Tensor tensor = Tensor(values, variable.shape).cast(dtype);
    return context.backend().upload(to, tensor.raw(), static_cast<std::size_t>(tensor.bytes()));
  }
  GLIA_CHECK(static_cast<std::int64_t>(values.size()) == variable.shape.elements(), ShapeError, "weight \"",
             variable.name, "\" of shape ", variable.shape, " got ", values.size(),
             " initial values, expected ", variable.shape.elements(), ", or one for all");
  context.backend().upload(to, values.data(), values.size() * sizeof(float));
}

}  // namespace

void make_block(const Context& context, DType dtype, std::uint64_t seed,
                const std::vector<NumberedVariable>& variables) {
  std::vector<std::int64_t> offsets(variables.size());
  std::int64_t bytes = 0;
  for (const bool trainable : {true, false}) {
    for (std::size_t i = 0; i < variables.size(); ++i) {
      const Variable& variable = *variables[i].variable;
      if (variable.trainable != trainable) continue;
      offsets[i] = bytes;
      bytes += align_up(checked_bytes(variable.shape, dtype));
    }
  }
  const auto block = std::make_shared<WeightBlock>(context, dtype, bytes);
  try {
    for (std::size_t i = 0; i < variables.size(); ++i) {
      const auto& [variable, number] = variables[i];
      std::vector<float> values = variable->given.empty()
                                      ? initial_values(variable->initializer, variable->shape, seed, number)
                                      : variable->given;
      if (values.size() == 1) values.resize(static_cast<std::size_t>(variable->shape.elements()), values[0]);
      upload(values, *variable, context, dtype, block->data() + offsets[i]);
    }
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError(detail::concat("memory ran out while weights of ", bytes,
                                          " bytes were drawn: make the model's layers smaller"));
  }
  for (std::size_t i = 0; i < variables.size(); ++i)
    variables[i].variable->block = block, variables[i].variable->offset = offsets[i];
}

Tensor read(const Variable& variable) {
  Tensor tensor = Tensor::uninitialized(variable.shape, variable.block->dtype());
  variable.block->context().backend().download(tensor.raw(), variable.block->data() + variable.offset,
                                               static_cast<std::size_t>(tensor.bytes()));
  return tensor;
}

namespace {

/// The elements of a view as a tensor on the CPU, of `dtype`.
Tensor host_copy(const TensorView& view, DType dtype) {
  GLIA_CHECK(view.device().is_cpu(), DeviceError, "weights are set from the CPU, got a tensor on ",
             view.device(), ": move it with to(\"cpu\")");
  Tensor copy = Tensor::uninitialized(view.shape(), view.dtype());
  if (view.dtype() == DType::uint8) copy.set_scale(view.scale());
  if (copy.bytes() > 0) std::memcpy(copy.raw(), view.raw(), static_cast<std::size_t>(copy.bytes()));
  return copy.dtype() == dtype ? std::move(copy) : copy.cast(dtype);
}

}  // namespace

void write(const std::vector<const Variable*>& variables, const std::vector<TensorView>& values,
           const std::function<std::string(std::size_t)>& name_of) {
  GLIA_CHECK(values.size() == variables.size(), ShapeError, "got ", values.size(), " weights, expected ",
             variables.size(), ": as many as get_weights() returns");
  std::vector<Tensor> cast;
  for (std::size_t i = 0; i < values.size(); ++i) {
    GLIA_CHECK(values[i].shape() == variables[i]->shape, ShapeError, "weight \"", name_of(i), "\" has shape ",
               variables[i]->shape, ", got ", values[i].shape());
    cast.push_back(host_copy(values[i], variables[i]->block->dtype()));
  }
  std::vector<std::shared_ptr<WeightBlock>> blocks;
  for (const Variable* variable : variables)
    if (std::find(blocks.begin(), blocks.end(), variable->block) == blocks.end())
      blocks.push_back(variable->block);
  std::list<WeightGate::Writing> writing;
  for (const std::shared_ptr<WeightBlock>& block : blocks)
    writing.emplace_back(block->gate(), block->context().backend(), WeightGate::IfRead::refuse);
  for (std::size_t i = 0; i < cast.size(); ++i)
    variables[i]->block->context().backend().upload(variables[i]->block->data() + variables[i]->offset,
                                                    cast[i].raw(), static_cast<std::size_t>(cast[i].bytes()));
}

}  // namespace glia

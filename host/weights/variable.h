// Variable: a weight of a layer, and where it lies.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/initializers.h>
#include <glia/math/penalties.h>
#include <glia/shape.h>
#include <glia/tensor.h>
#include <host/weights/weight_block.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace glia {

struct Variable {
  std::string name;  ///< "kernel"
  Shape shape;
  Initializers initializer;
  Regularizers regularizer = {};
  Constraints constraint = {};
  bool trainable = true;          ///< false for what no optimizer changes, such as moving averages
  std::vector<float> given = {};  ///< in place of the initializer's values; one alone is all of them
  bool is_state = false;          ///< what a batch leaves to the next; steps write it, and it is not trained

  std::shared_ptr<WeightBlock> block = {};  ///< null until a graph with its layer is built
  std::int64_t offset = 0;                  ///< bytes from the block's start
};

/// A variable and the number of its initial draws.
struct NumberedVariable {
  Variable* variable;
  std::uint64_t number;
};

/// Puts variables that lie nowhere into a new block, those that are trained in front, and draws their initial values.
/// Throws OutOfMemoryError; nothing changes then.
void make_block(const Context& context, DType dtype, std::uint64_t seed,
                const std::vector<NumberedVariable>& variables);

/// A copy on the CPU. Waits for the work enqueued on the block's context.
Tensor read(const Variable& variable);

/// Sets the variables, in order, from tensors on the CPU, which are converted. Throws ShapeError where number or
/// shapes differ, by the name that `name_of` gives the i-th, DeviceError for one elsewhere; nothing changes then.
void write(const std::vector<const Variable*>& variables, const std::vector<TensorView>& values,
           const std::function<std::string(std::size_t)>& name_of);

}  // namespace glia

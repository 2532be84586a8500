// Custom: the descriptor of what an application computes itself, in a layer or loss of its own (glia/custom_layer.h,
// glia/custom_loss.h). It says which memory a body is given; the body is called where other Ops launch kernels.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/device.h>
#include <glia/error.h>
#include <glia/macros.h>
#include <glia/view.h>

#include <cstdint>
#include <memory>
#include <string>

namespace GLIA_API glia {

class CustomBody;

namespace op {

/// A call of a body. Operands are contiguous and lie at multiples of tensor_alignment; those of a role are told apart by their
/// order. An empty one is not wanted, or is not there.
struct Custom {
  static constexpr auto name = "Custom";
  static constexpr int most_operands = 24;
  enum class Part : std::uint8_t { forward, backward, loss };
  /// A loss reads predictions and targets as its inputs, and writes losses as its output.
  enum class Role : std::uint8_t {
    input,
    variable,
    output,
    saved,
    scratch,
    output_gradient,
    input_gradient,
    variable_gradient,
  };
  struct Operand {
    Role role;
    View view;
  };

  const CustomBody* body = nullptr;  ///< the layer or loss keeps it, and so does what backends prepare
  Part part = Part::forward;
  DType dtype = DType::float32;  ///< that the model computes in
  bool training = false;
  int count = 0;
  Operand list[most_operands] = {};

  /// Throws ValueError for more than there is room for.
  void add(Role role, const View& view) {
    GLIA_CHECK(count < most_operands, ValueError, "a layer of the application's own names more than ",
               most_operands, " tensors in a call, inputs, outputs, variables, their gradients and what it ",
               "saves together: put several variables into one");
    list[count++] = {role, view};
  }
  Access access(Role role) const {
    switch (role) {
      case Role::output:
      case Role::saved:
        return part == Part::backward ? Access::read : Access::write;
      case Role::scratch:
      case Role::input_gradient:
      case Role::variable_gradient:
        return Access::write;
      default:
        return Access::read;
    }
  }
  template <class F>
  void operands(F&& f) {
    for (int i = 0; i < count; ++i) f(list[i].view, access(list[i].role));
  }
};

}  // namespace op

/// Memory that a body is given: of an operand, on the device of the model. data is null where that is empty.
struct CustomMemory {
  void* data = nullptr;
  Shape shape;
  DType dtype = DType::float32;
};

/// How a body on the CPU shares its work out.
class CustomThreads {
 public:
  /// Calls task(data, i) once for each i in 0 .. count - 1, on the context's threads, and returns when all are done. Throws
  /// what a task threw, the one of the least i.
  virtual void run(std::int64_t count, void (*task)(const void* data, std::int64_t i),
                   const void* data) const = 0;

 protected:
  ~CustomThreads() = default;
};

/// What a call brings to a body.
struct CustomCall {
  const op::Custom& descriptor;
  const CustomMemory* memory;              ///< of each operand
  void* stream = nullptr;                  ///< on a GPU: a cudaStream_t to launch on
  const CustomThreads* threads = nullptr;  ///< on the CPU
};

/// What stands behind an op::Custom: a layer's or loss's bodies, by device and dtype.
class CustomBody : public std::enable_shared_from_this<CustomBody> {
 public:
  virtual ~CustomBody() = default;
  /// For messages: layer "swish" (LearnedSwish).
  virtual std::string words() const = 0;
  /// Throws DeviceError where it has no body for that.
  virtual void expect(op::Custom::Part part, const Device& device, DType dtype) const = 0;
  /// Calls the body. Throws what that throws.
  virtual void run(const Device& device, const CustomCall& call) const = 0;
};

}  // namespace glia

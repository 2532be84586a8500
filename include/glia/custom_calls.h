// What the bodies of an application's own layers and losses are given: memory, and where to compute.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/custom_descriptor.h>
#include <glia/macros.h>

#include <cstdint>
#include <type_traits>

namespace GLIA_API glia {

/// Numbers that lie row-major and without gaps, from a multiple of 256 bytes on. Those of a CUDA body are on its device, where the
/// host must not touch them.
template <class T>
struct Elements {
  T* data = nullptr;
  Shape shape;

  /// False for what is not wanted, such as the gradient of an input that nothing before the layer is trained by.
  explicit operator bool() const { return data != nullptr; }
  /// 0 where it is empty.
  std::int64_t size() const { return data ? shape.elements() : 0; }
  T& operator[](std::int64_t i) const { return data[i]; }
  T* begin() const { return data; }
  T* end() const { return data + size(); }
};

namespace detail {

class CustomOperands {
 public:
  explicit CustomOperands(const CustomCall& call) : call_(call) {}
  CustomOperands(const CustomOperands&) = delete;
  CustomOperands& operator=(const CustomOperands&) = delete;

  /// Whether the step trains, and the layer with it: false in evaluate and predict, and where it is frozen.
  bool training() const { return call_.descriptor.training; }
  /// What this was made of, for bodies that wrap others: CpuForward<float>(call).
  const CustomCall& raw() const { return call_; }

 protected:
  using Role = op::Custom::Role;

  int count(Role role) const {
    int found = 0;
    for (int i = 0; i < call_.descriptor.count; ++i) found += call_.descriptor.list[i].role == role;
    return found;
  }
  template <class T>
  Elements<T> at(Role role, int number, const char* what) const {
    int found = 0;
    for (int i = 0; i < call_.descriptor.count; ++i)
      if (call_.descriptor.list[i].role == role && found++ == number)
        return {static_cast<T*>(call_.memory[i].data), call_.memory[i].shape};
    throw ValueError(concat(call_.descriptor.body->words(), " asked for ", what, ' ', number, ", it has ",
                            found, ", numbered from 0"));
  }

  const CustomCall& call_;
};

template <class T>
class ForwardOperands : public CustomOperands {
 public:
  using CustomOperands::CustomOperands;

  /// (rows, ...), as all inputs, outputs and their gradients.
  Elements<const T> input(int i = 0) const { return at<const T>(Role::input, i, "input"); }
  int inputs() const { return count(Role::input); }
  Elements<const T> variable(int i = 0) const { return at<const T>(Role::variable, i, "variable"); }
  /// To be written (=), all of it. What is there before is of no meaning.
  Elements<T> output(int i = 0) const { return at<T>(Role::output, i, "output"); }
  int outputs() const { return count(Role::output); }
  /// As saved() of the layer says, for the backward body to read: to be written (=), all of it.
  Elements<T> saved(int i = 0) const { return at<T>(Role::saved, i, "saved tensor"); }
  /// As scratch() of the layer says: room to work in, of any contents.
  Elements<T> scratch(int i = 0) const { return at<T>(Role::scratch, i, "scratch"); }
};

template <class T>
class BackwardOperands : public CustomOperands {
 public:
  using CustomOperands::CustomOperands;

  /// What the forward body was given and wrote; empty where the layer's backward_needs() says that it is not read.
  Elements<const T> input(int i = 0) const { return at<const T>(Role::input, i, "input"); }
  int inputs() const { return count(Role::input); }
  Elements<const T> output(int i = 0) const { return at<const T>(Role::output, i, "output"); }
  int outputs() const { return count(Role::output); }
  Elements<const T> variable(int i = 0) const { return at<const T>(Role::variable, i, "variable"); }
  Elements<const T> saved(int i = 0) const { return at<const T>(Role::saved, i, "saved tensor"); }
  Elements<T> scratch(int i = 0) const { return at<T>(Role::scratch, i, "scratch"); }

  /// Of the loss in the output. Empty where the loss does not depend on that: as if it were zeros.
  Elements<const T> output_gradient(int i = 0) const {
    return at<const T>(Role::output_gradient, i, "output gradient");
  }
  /// Of the loss in the input, to be written (=), all of it. Empty where it is not wanted.
  Elements<T> input_gradient(int i = 0) const { return at<T>(Role::input_gradient, i, "input gradient"); }
  /// Of the loss in the variable: the sum over all rows, to be written (=). Empty where the variable is not trained.
  Elements<T> variable_gradient(int i = 0) const {
    return at<T>(Role::variable_gradient, i, "variable gradient");
  }
};

template <class T>
class LossOperands : public CustomOperands {
 public:
  using CustomOperands::CustomOperands;

  /// (rows, ...).
  Elements<const T> predictions() const { return at<const T>(Role::input, 0, "predictions"); }
  /// Shaped as the predictions; of a loss whose targets() are dense.
  Elements<const T> targets() const { return at<const T>(Role::input, 1, "targets"); }
  /// (rows,), or (rows, positions) for predictions (rows, positions, classes); of a loss whose targets() are sparse_labels.
  Elements<const std::int32_t> labels() const { return at<const std::int32_t>(Role::input, 1, "labels"); }
  /// (rows,), to be written (=): the loss of each row. Weights of rows are not the body's concern.
  Elements<T> losses() const { return at<T>(Role::output, 0, "losses"); }
  /// Shaped as the predictions, to be written (=): of the mean of losses() over the rows. Empty where it is not wanted.
  Elements<T> gradient() const { return at<T>(Role::input_gradient, 0, "gradient"); }
  Elements<T> scratch(int i = 0) const { return at<T>(Role::scratch, i, "scratch"); }
};

/// A call of a body on the CPU: on the thread that fits or predicts, which rounds to nearest and flushes denormal numbers to zero.
/// What it throws reaches the caller.
template <class Operands>
class OnCpu : public Operands {
 public:
  using Operands::Operands;

  /// Calls task(i) once for each i in 0 .. count - 1, on the context's threads in any order, and returns when all are done. For
  /// bits that do not depend on the number of threads let each i write elements of its own, and cut sums by the shape alone. A
  /// task wants some microseconds of work, so rather a row or a range than an element. Throws what a task threw, of several the
  /// one of the least i. Does not allocate. Within a task its tasks run on that task's thread.
  template <class Task>
  void parallel_for(std::int64_t count, const Task& task) const {
    this->call_.threads->run(
        count, [](const void* data, std::int64_t i) { (*static_cast<const Task*>(data))(i); }, &task);
  }
};

/// A call of a body on a GPU, which launches work on stream() and nothing else: it is mostly called while the step is captured in a
/// CUDA graph, which is then replayed, each step, without it. So it must not synchronise, allocate, or copy from memory that goes;
/// what it decides on the host is decided once. The addresses stay as they are. Other streams may be forked from this one by
/// events, and must be joined again.
template <class Operands>
class OnCuda : public Operands {
 public:
  using Operands::Operands;

  /// A cudaStream_t, of the device that is current during the call.
  void* stream() const { return this->call_.stream; }
};

}  // namespace detail

/// Of bodies of layers. T is float, or double in a model whose dtype that is: gradient checks are made there.
template <class T>
using CpuForward = detail::OnCpu<detail::ForwardOperands<T>>;
template <class T>
using CpuBackward = detail::OnCpu<detail::BackwardOperands<T>>;
using CudaForward = detail::OnCuda<detail::ForwardOperands<float>>;
using CudaBackward = detail::OnCuda<detail::BackwardOperands<float>>;

/// Of bodies of losses.
template <class T>
using CpuLoss = detail::OnCpu<detail::LossOperands<T>>;
using CudaLoss = detail::OnCuda<detail::LossOperands<float>>;

namespace detail {

/// A body, of an object whose class it knows; null where that class has none.
template <class Base>
using CustomFunction = void (*)(const Base& own, const CustomCall& call);

template <class Base>
struct CustomFunctions {
  CustomFunction<Base> on_cpu = nullptr, on_cpu_in_double = nullptr, on_cuda = nullptr;

  CustomFunction<Base> of(const Device& device, DType dtype) const {
    if (device.is_cpu()) return dtype == DType::float64 ? on_cpu_in_double : on_cpu;
    return dtype == DType::float32 ? on_cuda : nullptr;
  }
  bool any() const { return on_cpu || on_cpu_in_double || on_cuda; }
};

}  // namespace detail

}  // namespace glia

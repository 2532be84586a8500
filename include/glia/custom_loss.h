// CustomLoss: a loss of the application's own, with bodies for the CPU and for CUDA that it writes itself.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/custom_calls.h>  // defines: CpuLoss, CudaLoss
#include <glia/macros.h>
#include <glia/math/losses.h>  // defines: Targets
#include <glia/named.h>        // defines: LossName

#include <memory>
#include <string>
#include <vector>

namespace GLIA_API glia {

/// The base of a loss of the application's own, which is given to compile like any other:
///
///     class Pinball : public glia::CustomLoss {  // of the quantile q
///      public:
///       explicit Pinball(double quantile) : q_(quantile) {}
///       std::string type() const override { return "pinball"; }
///       template <class T>
///       void loss(const glia::CpuLoss<T>& call) const {
///         const auto p = call.predictions();
///         const auto y = call.targets();
///         const auto gradient = call.gradient();  // empty in evaluate
///         ... call.losses()[row] = ...; if (gradient) gradient[i] = ... / rows;
///       }
///       void loss(const glia::CudaLoss& call) const;  // launches kernels on call.stream()
///     };
///
///     model.compile({.loss = Pinball(0.9), .metrics = {"mae"}});
///
/// The body writes the loss of each row and, where it is wanted, the gradient of their mean. Weights of rows and of outputs,
/// metrics, means over an epoch and validation are as for any other loss. The object is copied; it keeps nothing of a call. On what
/// bodies may do, and what they throw, see CustomLayer; a device without a body is refused with a DeviceError.
class CustomLoss {
 public:
  virtual ~CustomLoss() = default;

  /// For messages and explain().
  virtual std::string type() const = 0;
  /// What it wants as targets: numbers shaped as the output, or of each row or position the number of its class.
  virtual Targets targets() const { return Targets::dense; }
  /// Of tensors that the body works in, for predictions of this shape, (rows, ...); none unless overridden.
  virtual std::vector<Shape> scratch(const Shape& predictions) const {
    static_cast<void>(predictions);
    return {};
  }

 protected:
  CustomLoss() = default;
  CustomLoss(const CustomLoss&) = default;
  CustomLoss& operator=(const CustomLoss&) = default;
};

namespace detail {

template <class Own, class Call>
CustomFunction<CustomLoss> loss_of() {
  if constexpr (requires(const Own& own, const Call& call) { own.loss(call); })
    return
        [](const CustomLoss& own, const CustomCall& call) { static_cast<const Own&>(own).loss(Call(call)); };
  return nullptr;
}

std::shared_ptr<const CustomLossBody> make_loss_body(std::shared_ptr<const CustomLoss> own,
                                                     const CustomFunctions<CustomLoss>& functions);

}  // namespace detail

/// What LossName keeps of a loss: a copy, and its bodies.
template <class Own>
std::shared_ptr<const CustomLossBody> body_of_loss(const Own& own) {
  return detail::make_loss_body(std::make_shared<const Own>(own),
                                {detail::loss_of<Own, CpuLoss<float>>(),
                                 detail::loss_of<Own, CpuLoss<double>>(), detail::loss_of<Own, CudaLoss>()});
}

}  // namespace glia

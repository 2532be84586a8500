// Losses of the application's own: what is kept of one, and what it emits.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/custom_loss.h>
#include <host/base/hidden.h>
#include <host/layers/custom_body.h>
#include <host/layers/emitter.h>

#include <memory>
#include <string>

namespace glia {

class GLIA_HIDDEN CustomLossBody final : public CustomBody {
 public:
  CustomLossBody(std::shared_ptr<const CustomLoss> own, const detail::CustomFunctions<CustomLoss>& functions)
      : own_(std::move(own)), functions_(functions) {}

  const CustomLoss& own() const { return *own_; }
  std::string words() const override { return detail::concat("loss ", own_->type()); }
  void expect(op::Custom::Part, const Device& device, DType dtype) const override { function(device, dtype); }
  void run(const Device& device, const CustomCall& call) const override {
    function(device, call.descriptor.dtype)(*own_, call);
  }

 private:
  detail::CustomFunction<CustomLoss> function(const Device& device, DType dtype) const {
    return expect_body(functions_, words(), "loss", "Loss", device, dtype);
  }

  std::shared_ptr<const CustomLoss> own_;
  detail::CustomFunctions<CustomLoss> functions_;
};

/// Throws DeviceError where a loss of the application's own has no body for this device in this dtype.
void expect_computes(const LossName& loss, const Device& device, DType dtype);

/// What a loss of the application's own emits: sums of the rows' losses, each times its weight, a piece each (pieces, 1), of
/// float64; and the gradient of the predictions, or an empty view where it is not wanted.
struct EmittedLoss {
  View partials, gradient;
};
/// predictions (rows, ...), weights (rows,) or empty.
EmittedLoss emit_custom_loss(Emitter& emitter, const CustomLossBody& loss, const View& predictions,
                             const View& targets, const View& weights, bool wants_gradient);

}  // namespace glia

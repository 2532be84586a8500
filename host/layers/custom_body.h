// What the bodies of layers and of losses of the application's own have in common.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/custom_calls.h>
#include <host/layers/formulas.h>  // defines: contiguous_copy

#include <string>

namespace glia {

/// The body for a device and dtype. Throws DeviceError where there is none; `call` is what a body gets, but for where it is: "Forward".
template <class Base>
detail::CustomFunction<Base> expect_body(const detail::CustomFunctions<Base>& functions,
                                         const std::string& words, const char* function, const char* call,
                                         const Device& device, DType dtype) {
  const detail::CustomFunction<Base> found = functions.of(device, dtype);
  if (found) return found;
  std::string type = detail::concat("glia::Cuda", call);
  if (device.is_cpu())
    type = detail::concat("glia::Cpu", call, dtype == DType::float64 ? "<double>" : "<float>");
  throw DeviceError(detail::concat(
      words, " has no ", function, " body for ", device, " in ", dtype,
      !device.is_cpu() && dtype != DType::float32
          ? detail::concat(": bodies for CUDA are of float32; use a model of that dtype")
          : detail::concat(": give its class a public function void ", function, "(const ", type,
                           "& call) const, or compile for a device that it has one for")));
}

/// A view as a body may be given it, a copy where it has gaps or begins elsewhere.
inline View aligned(Emitter& e, const View& view) {
  const View whole = contiguous_copy(e, view);
  if (whole.offset % tensor_alignment == 0) return whole;
  const View copy = e.temporary(whole.shape, whole.dtype);
  e.add(op::Copy{whole, copy});
  return copy;
}

}  // namespace glia

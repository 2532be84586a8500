// The CPU's kernels of losses and metrics.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/kernels/bind.h>
#include <kernels/lower_losses.h>

namespace glia::cpu {
inline namespace GLIA_ISA {

bool bind_losses(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound) {
  return kernels::LossFamily::select(descriptor,
                                     [&](const auto& d) { kernels::lower(d, bindings, Collector{bound}); });
}

}  // namespace GLIA_ISA
}  // namespace glia::cpu

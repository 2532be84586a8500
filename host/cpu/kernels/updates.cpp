// The CPU's kernels of a step's state and of the update of the parameters.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/kernels/bind.h>
#include <kernels/lower_updates.h>

namespace glia::cpu {
inline namespace GLIA_ISA {

bool bind_updates(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound) {
  return kernels::UpdateFamily::select(descriptor,
                                       [&](const auto& d) { kernels::lower(d, bindings, Collector{bound}); });
}

}  // namespace GLIA_ISA
}  // namespace glia::cpu

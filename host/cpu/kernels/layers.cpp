// The CPU's kernels of layers that are neither products nor of images.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/kernels/bind.h>
#include <kernels/lower_layers.h>

namespace glia::cpu {
inline namespace GLIA_ISA {

bool bind_layers(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound) {
  return kernels::LayerFamily::select(descriptor,
                                      [&](const auto& d) { kernels::lower(d, bindings, Collector{bound}); });
}

}  // namespace GLIA_ISA
}  // namespace glia::cpu

// The CPU's kernels of images and of the rows of a batch.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/kernels/bind.h>
#include <kernels/lower_images.h>

namespace glia::cpu {
inline namespace GLIA_ISA {

bool bind_images(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound) {
  return kernels::ImageFamily::select(descriptor,
                                      [&](const auto& d) { kernels::lower(d, bindings, Collector{bound}); });
}

}  // namespace GLIA_ISA
}  // namespace glia::cpu

// The GPU's kernels of losses and metrics.
// SPDX-License-Identifier: Apache-2.0
#include <kernels/families.h>
#include <kernels/lower_losses.h>
#include <cuda/kernels/collect.cuh>

namespace glia::cuda {

bool collect_losses(const Descriptor& descriptor, const Bindings& bindings, KernelList& list) {
  return kernels::LossFamily::select(descriptor,
                                     [&](const auto& d) { kernels::lower(d, bindings, Collector{list}); });
}

}  // namespace glia::cuda

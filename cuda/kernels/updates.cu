// The GPU's kernels of a step's state and of the update of the parameters.
// SPDX-License-Identifier: Apache-2.0
#include <kernels/families.h>
#include <kernels/lower_updates.h>
#include <cuda/kernels/collect.cuh>

namespace glia::cuda {

bool collect_updates(const Descriptor& descriptor, const Bindings& bindings, KernelList& list) {
  return kernels::UpdateFamily::select(descriptor,
                                       [&](const auto& d) { kernels::lower(d, bindings, Collector{list}); });
}

}  // namespace glia::cuda

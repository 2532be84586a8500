// The GPU's kernels of what merges, cuts and rearranges tensors.
// SPDX-License-Identifier: Apache-2.0
#include <kernels/families.h>
#include <kernels/lower_merge.h>
#include <cuda/kernels/collect.cuh>

namespace glia::cuda {

bool collect_merge(const Descriptor& descriptor, const Bindings& bindings, KernelList& list) {
  return kernels::MergeFamily::select(descriptor,
                                      [&](const auto& d) { kernels::lower(d, bindings, Collector{list}); });
}

}  // namespace glia::cuda

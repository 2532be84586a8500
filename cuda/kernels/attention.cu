// The GPU's kernels of attention.
// SPDX-License-Identifier: Apache-2.0
#include <kernels/families.h>
#include <kernels/lower_attention.h>
#include <cuda/kernels/collect.cuh>

namespace glia::cuda {

bool collect_attention(const Descriptor& descriptor, const Bindings& bindings, KernelList& list) {
  return kernels::AttentionFamily::select(
      descriptor, [&](const auto& d) { kernels::lower(d, bindings, Collector{list}); });
}

}  // namespace glia::cuda

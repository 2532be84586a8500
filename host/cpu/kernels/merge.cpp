// The CPU's kernels of what merges, cuts and rearranges tensors.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/kernels/bind.h>
#include <kernels/lower_merge.h>

namespace glia::cpu {
inline namespace GLIA_ISA {

bool bind_merge(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound) {
  return kernels::MergeFamily::select(descriptor,
                                      [&](const auto& d) { kernels::lower(d, bindings, Collector{bound}); });
}

}  // namespace GLIA_ISA
}  // namespace glia::cpu

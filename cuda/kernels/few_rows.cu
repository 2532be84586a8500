// The GPU's kernel of dense layers over a few rows.
// SPDX-License-Identifier: Apache-2.0
#include <kernels/families.h>
#include <kernels/lower_few_rows.h>
#include <cuda/kernels/collect.cuh>

namespace glia::cuda {

bool collect_few_rows(const Descriptor& descriptor, const Bindings& bindings, KernelList& list) {
  return kernels::FewRowsFamily::select(descriptor,
                                        [&](const auto& d) { kernels::lower(d, bindings, Collector{list}); });
}

}  // namespace glia::cuda

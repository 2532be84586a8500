// The GPU's kernels of layers that are neither products nor of images.
// SPDX-License-Identifier: Apache-2.0
#include <kernels/families.h>
#include <kernels/lower_layers.h>
#include <cuda/kernels/collect.cuh>

namespace glia::cuda {

bool collect_layers(const Descriptor& descriptor, const Bindings& bindings, KernelList& list) {
  return kernels::LayerFamily::select(descriptor,
                                      [&](const auto& d) { kernels::lower(d, bindings, Collector{list}); });
}

}  // namespace glia::cuda

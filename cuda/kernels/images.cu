// The GPU's kernels of images and of the rows of a batch.
// SPDX-License-Identifier: Apache-2.0
#include <kernels/families.h>
#include <kernels/lower_images.h>
#include <cuda/kernels/collect.cuh>

namespace glia::cuda {

bool collect_images(const Descriptor& descriptor, const Bindings& bindings, KernelList& list) {
  return kernels::ImageFamily::select(descriptor,
                                      [&](const auto& d) { kernels::lower(d, bindings, Collector{list}); });
}

}  // namespace glia::cuda

// The GPU's kernels of sequences, and the stages of recurrent layers.
// SPDX-License-Identifier: Apache-2.0
#include <kernels/families.h>
#include <kernels/lower_sequences.h>
#include <cuda/kernels/collect.cuh>

namespace glia::cuda {

bool collect_sequences(const Descriptor& descriptor, const Bindings& bindings, KernelList& list) {
  return kernels::SequenceFamily::select(
      descriptor, [&](const auto& d) { kernels::lower(d, bindings, Collector{list}); });
}

void collect_stage(const op::Recurrent& d, const RecurrentStage& stage, const Bindings& bindings,
                   KernelList& list) {
  kernels::lower_stage(d, stage, {0, d.rows()}, bindings, Collector{list});
}
void collect_stage(const op::RecurrentGradient& d, const RecurrentStage& stage, const Bindings& bindings,
                   KernelList& list) {
  kernels::lower_stage(d, stage, {0, d.rows()}, bindings, Collector{list});
}

}  // namespace glia::cuda

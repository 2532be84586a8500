// The CPU's kernels of sequences, and the stages of recurrent layers.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/kernels/bind.h>
#include <kernels/lower_sequences.h>

namespace glia::cpu {
inline namespace GLIA_ISA {

bool bind_sequences(const Descriptor& descriptor, const Bindings& bindings, BoundKernels& bound) {
  return kernels::SequenceFamily::select(
      descriptor, [&](const auto& d) { kernels::lower(d, bindings, Collector{bound}); });
}

BoundKernel bind_stage(const op::Recurrent& d, const RecurrentStage& stage, const RowRange& rows,
                       const Bindings& bindings) {
  BoundKernel bound;
  kernels::lower_stage(d, stage, {rows.first, rows.count}, bindings, Binder{bound});
  return bound;
}
BoundKernel bind_gradient_stage(const op::RecurrentGradient& d, const RecurrentStage& stage,
                                const RowRange& rows, const Bindings& bindings) {
  BoundKernel bound;
  kernels::lower_stage(d, stage, {rows.first, rows.count}, bindings, Binder{bound});
  return bound;
}

}  // namespace GLIA_ISA
}  // namespace glia::cpu

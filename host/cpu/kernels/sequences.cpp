// The CPU's kernels of sequences, and the stages of recurrent layers.
// SPDX-License-Identifier: Apache-2.0
#include <host/cpu/kernels/bind.h>
#include <host/cpu/kernels/panels.h>
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

std::int64_t packed_size(std::int64_t k, std::int64_t n) { return panels::packed_size(k, n); }
void pack_weights(const Weights& b, std::int64_t part, std::int64_t parts, float* packed) {
  const std::int64_t all = (b.n + panels::width - 1) / panels::width;
  const std::int64_t first = all * part / parts, last = all * (part + 1) / parts;
  panels::pack(b.data, b.row_stride, b.column_stride, b.k, b.n, first, last - first, packed);
}
void multiply_rows(const float* a, std::int64_t a_stride, std::int64_t rows, const Weights& b,
                   const float* packed, float* out, std::int64_t out_stride) {
  if (packed)
    panels::multiply({a, a_stride}, rows, {packed, b.k}, b.k, b.n, out, out_stride);
  else
    panels::multiply_unpacked(a, a_stride, rows, b.data, b.row_stride, b.k, b.n, out, out_stride);
}

}  // namespace GLIA_ISA
}  // namespace glia::cpu

// From the descriptor of a dense layer over a few rows to its kernel.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/few_rows.h>
#include <kernels/lower_updates.h>  // defines: advance_kernel
#include <kernels/lowering.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

template <class Launch>
void lower(const op::FewRows& d, const Bindings& at, Launch&& launch) {
  using RowFunction = op::FewRows::RowFunction;
  const float* const weights = at.template address<float>(d.weights);
  const bool packed = d.n() % pack_size<float> == 0 && are_aligned(weights);
  // Of a source no row is written that was not given; of a view all are.
  const bool fewer = !d.out && at.given && at.given->rows < d.rows;
  const FewRowsShape<float> shape{fewer ? at.given->rows : d.rows, d.k(), d.n(), packed, d.is_alone()};
  const PassRows x{at.state, source_at(at, d.x ? 0 : d.x_source), at.template address<float>(d.x),
                   d.x ? d.x.dtype : d.x_from, given_rows(at)};
  const PassRows out{at.state, source_at(at, d.out ? 0 : d.out_source), at.template address<float>(d.out),
                     d.weights.dtype, given_rows(at)};
  launch(FewRowsKernel<float>{shape, x, out, weights, at.template address<float>(d.bias),
                              AnyOf<ElementwiseActivation>(d.activation), d.row_function != RowFunction::none,
                              d.row_function == RowFunction::log_softmax, advance_kernel(d.advance, at)},
         shape.work());
}

}  // namespace GLIA_ISA
}  // namespace glia::kernels

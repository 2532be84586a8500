// Descriptor of a dense layer over a few rows: what inference of one request, or of some, is made of.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/dtype.h>  // defines: DType
#include <glia/macros.h>
#include <glia/math/activations.h>
#include <glia/update_descriptors.h>  // defines: Advance
#include <glia/view.h>

#include <cstdint>

namespace glia::op {

/// out = row_function(activation(x weights + bias)); x (rows, k), weights (k, n), bias (n,), out (rows, n), all contiguous, of
/// float32: float64 is for checks, and keeps its products. A Matmul gains by many rows, since each weight serves all of them; of few rows the weights are the work, and
/// all that goes with them is one pass over them. So x may also be rows of a source from the cursor on, converted and scaled as Gather
/// does it, and out rows of a source, as Scatter writes them: each is a view, or else the source of its number. Inference shuffles
/// nothing, and here no order is looked up. Of sources none that is written may overlap one that is read. With
/// `advance`, of no partials, the cursor moves when all have read it.
/// A row_function and `advance` want all of a launch before them: it is one block then, or one slice.
struct FewRows {
  static constexpr auto name = "FewRows";
  enum class RowFunction : std::uint8_t { none, softmax, log_softmax };
  View x;  ///< empty: the source's
  View weights;
  View out;  ///< empty: the source's
  View bias = {};
  ElementwiseActivation activation = Linear{};
  RowFunction row_function = RowFunction::none;
  std::int64_t rows = 0;
  int x_source = -1, out_source = -1;
  DType x_from = DType::float32;  ///< of the source
  Advance advance = {};
  template <class F>
  void operands(F&& f) {
    f(x, Access::read), f(weights, Access::read), f(bias, Access::read);
    f(out, Access::write), advance.operands(f);
  }

  bool has_sources() const { return !x || !out; }
  std::int64_t k() const { return weights.shape[0]; }
  std::int64_t n() const { return weights.shape[1]; }
  /// Whether it is to be done by one block.
  bool is_alone() const { return row_function != RowFunction::none || advance.batch > 0; }
};

}  // namespace glia::op

// Softmax along the rows of a matrix, and its gradient. One group a row.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/sum.h>  // defines: row_sum

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Greatest element of a row, NaN where there is one; every lane of the group gets it.
template <class T, class Block>
GLIA_HD T row_max(Block& block, const T* row, std::int64_t columns) {
  T greatest = -HUGE_VALF;
  for (std::int64_t c = block.lane(); c < columns; c += block.lanes())
    greatest = math::max_nan(greatest, row[c]);
  return block.group_max(greatest);
}

/// y = e^(x - max) / sum, or its logarithm, of one row by a group; x may be y. A row of NaN or with +Inf becomes NaN.
template <class T, class Block>
GLIA_HD void softmax_row(Block& block, const T* x, T* y, std::int64_t columns, bool logarithm) {
  if constexpr (Block::tile == 1) {
    if (columns <= block.lanes()) {  // in registers: a row has one wait for memory
      const bool has_column = block.lane() < columns;
      const T mine = has_column ? x[block.lane()] : T(-HUGE_VALF), greatest = block.group_max(mine);
      const T power = has_column ? math::exp_below_0(mine - greatest) : T(0), sum = block.group_sum(power);
      const T result = logarithm ? (mine - greatest) - math::log(sum) : power * (T(1) / sum);
      if (has_column) y[block.lane()] = result;
      return;
    }
  }
  const T greatest = row_max(block, x, columns);
  if (logarithm) {  // the greatest goes first: beside a large one the logarithm would be lost
    for (std::int64_t c = block.lane(); c < columns; c += block.lanes()) y[c] = x[c] - greatest;
    const T log_sum = math::log(row_sum<T>(block, columns, [&](std::int64_t c) { return math::exp(y[c]); }));
    for (std::int64_t c = block.lane(); c < columns; c += block.lanes()) y[c] -= log_sum;
  } else {
    for (std::int64_t c = block.lane(); c < columns; c += block.lanes())
      y[c] = math::exp_below_0(x[c] - greatest);
    const T scale = T(1) / row_sum<T>(block, columns, [&](std::int64_t c) { return y[c]; });
    for (std::int64_t c = block.lane(); c < columns; c += block.lanes()) y[c] *= scale;
  }
}

/// out = the softmax of the rows of in, or its logarithm; (rows, columns) row-major.
template <class T>
struct SoftmaxKernel {
  const T* in;
  T* out;
  std::int64_t rows, columns;
  bool logarithm;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.group_rows(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride)
      softmax_row(block, in + row * columns, out + row * columns, columns, logarithm);
  }
};

/// in_gradient = y * (out_gradient - sum(y * out_gradient)), y the softmax, or where y is its logarithm
/// out_gradient - e^y sum(out_gradient); (rows, columns) row-major.
template <class T>
struct SoftmaxGradientKernel {
  const T* y;
  const T* out_gradient;
  T* in_gradient;
  std::int64_t rows, columns;
  bool logarithm;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.group_rows(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
      const std::int64_t first = row * columns;
      const T dot = row_sum<T>(block, columns, [&](std::int64_t c) {
        return (logarithm ? T(1) : y[first + c]) * out_gradient[first + c];
      });
      for (std::int64_t c = block.lane(); c < columns; c += block.lanes())
        in_gradient[first + c] = logarithm ? out_gradient[first + c] - math::exp(y[first + c]) * dot
                                           : y[first + c] * (out_gradient[first + c] - dot);
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels

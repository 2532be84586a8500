// The transpose of a matrix, for a library that wants weights the other way round.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/block.h>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out (columns, rows) = in (rows, columns) transposed. For small matrices: reads go across the rows.
template <class T>
struct TransposeKernel {
  const T* in;
  T* out;
  std::int64_t rows, columns;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(rows * columns);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride)
      out[i] = in[i % rows * columns + i / rows];
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels

// What puts operands into the layout that a library of convolutions wants, and sums that need many threads for a column.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/convolution.h>  // defines: ImageSize

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out (columns, rows) = in (rows, columns) transposed. For weights, which are small.
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

/// `to` (images, ...) at (i, j) = `from` at (i - top, j - left), and 0 where that lies outside: pads, or crops where top
/// and left are negative.
template <class T>
struct PlaceKernel {
  const T* from;
  T* to;
  std::int64_t images;
  ImageSize from_size, to_size;
  std::int64_t top, left;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const auto range = block.elements(images * to_size.pixels() * to_size.channels);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) to[i] = at(i);
  }

 private:
  GLIA_HD T at(std::int64_t i) const {
    const std::int64_t channel = i % to_size.channels, pixel = i / to_size.channels;
    const std::int64_t image = pixel / to_size.pixels();
    const std::int64_t row = pixel % to_size.pixels() / to_size.width - top;
    const std::int64_t column = pixel % to_size.width - left;
    if (row < 0 || row >= from_size.height || column < 0 || column >= from_size.width) return T(0);
    return from[((image * from_size.height + row) * from_size.width + column) * from_size.channels + channel];
  }
};

/// out (columns,) = sums over the rows of in (rows, columns), a block for each column: for many rows of few columns, as
/// the pixels of images are.
template <class T>
struct TallSumsKernel {
  const T* in;
  T* out;
  std::int64_t rows, columns;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    for (std::int64_t column = block.index(); column < columns; column += block.count()) {
      T sum = 0;
      for (std::int64_t row = block.rank(); row < rows; row += block.size())
        sum += in[row * columns + column];
      sum = block.sum(sum);
      if (block.rank() == 0) out[column] = sum;
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels

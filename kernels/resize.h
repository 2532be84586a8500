// Images of another size: padded, cropped, enlarged. Images are (n, height, width, channels).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/convolution.h>  // defines: ImageSize

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out (i, j) = in (i - top, j - left), 0 where there is none. A block has whole rows of pixels.
template <class T>
struct ShiftKernel {
  const T* in;
  T* out;
  std::int64_t images;
  ImageSize from, to;
  std::int64_t top, left;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t width = to.width * to.channels, source_width = from.width * from.channels;
    const auto range = block.rows(images * to.height);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
      const std::int64_t source_row = row % to.height - top;
      const bool inside = source_row >= 0 && source_row < from.height;
      const T* const source = in + (row / to.height * from.height + source_row) * source_width;
      for (std::int64_t e = block.rank(); e < width; e += block.size()) {
        const std::int64_t s = e - left * to.channels;
        out[row * width + e] = inside && s >= 0 && s < source_width ? source[s] : T(0);
      }
    }
  }
};

/// Where an enlarged image's row or column lies between those of the small one: `low`, and `share` of the way to
/// `high`. Nearest: share 0.
template <class T>
struct Between {
  std::int64_t low, high;
  T share;

  GLIA_HD static Between of(std::int64_t i, std::int64_t small, std::int64_t factor, bool bilinear) {
    if (!bilinear) return {i / factor, i / factor, T(0)};
    // (i + 1/2) / factor - 1/2, in halves of a factor
    const std::int64_t halves = 2 * i + 1 - factor;
    if (halves <= 0) return {0, 0, T(0)};
    const std::int64_t low = halves / (2 * factor);
    return {low, low + 1 < small ? low + 1 : low,
            static_cast<T>(halves % (2 * factor)) / static_cast<T>(2 * factor)};
  }
  /// The weight of `i` of the small image.
  GLIA_HD T weight(std::int64_t i) const {
    return (i == low ? T(1) - share : T(0)) + (i == high ? share : T(0));
  }
};

/// large = small enlarged by whole factors; backward, small = the sum of what each of its elements gave to large.
template <class T>
struct UpsampleKernel {
  const T* in;
  T* out;
  std::int64_t images;
  ImageSize small, large;
  bool bilinear, backward;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const ImageSize& to = backward ? small : large;
    const auto range = block.rows(images * to.pixels());
    for (std::int64_t pixel = range.begin; pixel < range.end; pixel += range.stride) {
      const std::int64_t image = pixel / to.pixels(), row = pixel % to.pixels() / to.width,
                         column = pixel % to.width;
      for (std::int64_t c = block.rank(); c < to.channels; c += block.size())
        out[pixel * to.channels + c] =
            backward ? gathered(image, row, column, c) : interpolated(image, row, column, c);
    }
  }

 private:
  GLIA_HD std::int64_t tall() const { return large.height / small.height; }
  GLIA_HD std::int64_t wide() const { return large.width / small.width; }
  GLIA_HD T at(const ImageSize& size, std::int64_t image, std::int64_t row, std::int64_t column,
               std::int64_t c) const {
    return in[((image * size.height + row) * size.width + column) * size.channels + c];
  }

  GLIA_HD T interpolated(std::int64_t image, std::int64_t row, std::int64_t column, std::int64_t c) const {
    const Between<T> y = Between<T>::of(row, small.height, tall(), bilinear);
    const Between<T> x = Between<T>::of(column, small.width, wide(), bilinear);
    if (!bilinear) return at(small, image, y.low, x.low, c);
    const T above =
        at(small, image, y.low, x.low, c) * (T(1) - x.share) + at(small, image, y.low, x.high, c) * x.share;
    const T below =
        at(small, image, y.high, x.low, c) * (T(1) - x.share) + at(small, image, y.high, x.high, c) * x.share;
    return above * (T(1) - y.share) + below * y.share;
  }

  GLIA_HD T gathered(std::int64_t image, std::int64_t row, std::int64_t column, std::int64_t c) const {
    const std::int64_t reach = bilinear ? 1 : 0;
    const std::int64_t first_row = (row - reach) * tall(), last_row = (row + 1 + reach) * tall();
    const std::int64_t first_column = (column - reach) * wide(), last_column = (column + 1 + reach) * wide();
    Sums<T> sum(1);
    for (std::int64_t i = first_row < 0 ? 0 : first_row; i < last_row && i < large.height; ++i) {
      const T y = Between<T>::of(i, small.height, tall(), bilinear).weight(row);
      for (std::int64_t j = first_column < 0 ? 0 : first_column; j < last_column && j < large.width; ++j)
        sum.add(at(large, image, i, j, c) * y *
                Between<T>::of(j, small.width, wide(), bilinear).weight(column));
    }
    return sum.total();
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels

// Pools over images (n, height, width, channels): the greatest of each window, or the mean. A row is a pixel, whose
// channels a thread takes Block::tile at a time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/convolution.h>  // defines: ConvolutionShape

#include <limits>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Pixels and channels of one side of a pool, shared out among blocks and threads: calls f(pixel, channel, width).
template <class Block, class F>
GLIA_HD void for_each_pixel(Block& block, std::int64_t pixels, std::int64_t channels, const F& f) {
  constexpr int tile = Block::tile;
  for (std::int64_t pixel = block.index(); pixel < pixels; pixel += block.count())
    for (std::int64_t c = block.rank() * tile; c < channels; c += block.size() * tile)
      f(pixel, c, static_cast<int>(channels - c < tile ? channels - c : tile));
}

/// Elements of the image that the window for output pixel (row, column) has.
GLIA_HD std::int64_t elements_met(const ConvolutionShape& shape, std::int64_t row,
                                         std::int64_t column) {
  std::int64_t met = 0;
  for (std::int64_t tap = 0; tap < shape.taps(); ++tap) {
    std::int64_t r = row, c = column;
    met += shape.meets(r, c, tap / shape.window.width, tap % shape.window.width) ? 1 : 0;
  }
  return met;
}

/// y = the greatest of each window of x, or the mean of what lies in the image.
template <class T>
struct PoolKernel {
  ConvolutionShape shape;
  const T* x;
  T* y;
  bool average;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    for_each_pixel(block, shape.images * shape.y.pixels(), shape.y.channels, Body<Block::tile>{*this});
  }

 private:
  template <int tile>
  struct Body {
    const PoolKernel& k;

    GLIA_HD void operator()(std::int64_t pixel, std::int64_t first, int width) const {
      const ConvolutionShape& s = k.shape;
      const std::int64_t in_image = pixel % s.y.pixels(), channels = s.y.channels;
      const T* const image = k.x + pixel / s.y.pixels() * s.x.pixels() * channels + first;
      T result[tile];
      for (int j = 0; j < tile; ++j) result[j] = k.average ? T(0) : -std::numeric_limits<T>::infinity();
      for (std::int64_t tap = 0; tap < s.taps(); ++tap) {
        std::int64_t row = in_image / s.y.width, column = in_image % s.y.width;
        if (!s.meets(row, column, tap / s.window.width, tap % s.window.width)) continue;
        const T* const in = image + (row * s.x.width + column) * channels;
        if (width == tile)
          add(result, in, tile);
        else
          add(result, in, width);
      }
      const T share = k.average
                          ? T(1) / static_cast<T>(elements_met(s, in_image / s.y.width, in_image % s.y.width))
                          : T(1);
      for (int j = 0; j < width; ++j) k.y[pixel * channels + first + j] = result[j] * share;
    }

    GLIA_HD void add(T (&result)[tile], const T* in, int width) const {
      if (k.average)
        for (int j = 0; j < width; ++j) result[j] += in[j];
      else
        for (int j = 0; j < width; ++j) result[j] = math::max_nan(result[j], in[j]);
    }
  };
};

/// Whether a is greater than b; NaN is the greatest.
template <class T>
GLIA_HD int beats(T a, T b) {
  return (a > b) | ((a != a) & (b == b));
}

/// dx of a pool. Each element looks at the windows it is in: of a maximum's, it has the gradient where it is the first
/// of the greatest.
template <class T>
struct PoolGradientKernel {
  ConvolutionShape shape;
  const T* x;
  const T* dy;
  T* dx;
  bool average;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    for_each_pixel(block, shape.images * shape.x.pixels(), shape.x.channels, Body<Block::tile>{*this});
  }

 private:
  template <int tile>
  struct Body {
    const PoolGradientKernel& k;

    GLIA_HD void operator()(std::int64_t pixel, std::int64_t first, int width) const {
      const ConvolutionShape& s = k.shape;
      const std::int64_t image = pixel / s.x.pixels(), in_image = pixel % s.x.pixels();
      T result[tile] = {};
      for (std::int64_t tap = 0; tap < s.taps(); ++tap) {
        std::int64_t row = in_image / s.x.width, column = in_image % s.x.width;
        if (!s.is_met(row, column, tap / s.window.width, tap % s.window.width)) continue;
        const T* const dy = k.dy + ((image * s.y.height + row) * s.y.width + column) * s.y.channels + first;
        if (k.average) {
          const T share = T(1) / static_cast<T>(elements_met(s, row, column));
          for (int j = 0; j < width; ++j) result[j] += dy[j] * share;
        } else if (width == tile) {
          add(result, image, row, column, tap, first, dy, tile);
        } else {
          add(result, image, row, column, tap, first, dy, width);
        }
      }
      for (int j = 0; j < width; ++j) k.dx[pixel * s.x.channels + first + j] = result[j];
    }

    /// The gradient of the window at output (row, column), of which the element is tap `own`, where it wins.
    GLIA_HD void add(T (&result)[tile], std::int64_t image, std::int64_t row, std::int64_t column,
                     std::int64_t own, std::int64_t first, const T* dy, int width) const {
      const T* const mine = element(image, row, column, own, first);
      int wins[tile];
      for (int j = 0; j < tile; ++j) wins[j] = 1;
      for (std::int64_t tap = 0; tap < k.shape.taps(); ++tap) {
        const T* const other = element(image, row, column, tap, first);
        if (tap == own || !other) continue;
        if (tap < own)
          for (int j = 0; j < width; ++j) wins[j] &= beats(mine[j], other[j]);
        else
          for (int j = 0; j < width; ++j) wins[j] &= 1 - beats(other[j], mine[j]);
      }
      for (int j = 0; j < width; ++j) result[j] += wins[j] ? dy[j] : T(0);
    }

    /// Null for padding.
    GLIA_HD const T* element(std::int64_t image, std::int64_t row, std::int64_t column, std::int64_t tap,
                             std::int64_t first) const {
      const ConvolutionShape& s = k.shape;
      if (!s.meets(row, column, tap / s.window.width, tap % s.window.width)) return nullptr;
      return k.x + ((image * s.x.height + row) * s.x.width + column) * s.x.channels + first;
    }
  };
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels

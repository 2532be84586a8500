// Pools over images (n, height, width, channels): the greatest of each window, or the mean of what lies in the image. A
// row is a pixel, whose channels a thread takes Block::tile at a time; what is divided is divided once a pixel.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/image_descriptors.h>  // defines: Window
#include <kernels/convolution.h>     // defines: ImageSize

#include <cmath>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// begin .. end - 1.
struct Span {
  std::int64_t begin, end;
  GLIA_HD std::int64_t length() const { return end - begin; }
};

/// Along one axis: a window of `size`, from output to output `stride` apart, over `in` elements behind `before` of
/// padding.
struct PoolAxis {
  std::int64_t in, out, size, stride, before;

  /// The elements in the image that the window for `output` has.
  GLIA_HD Span elements(std::int64_t output) const {
    const std::int64_t first = output * stride - before, last = first + size;
    return {first < 0 ? 0 : first, last < in ? last : in};
  }
  /// The outputs whose windows have `element`.
  GLIA_HD Span outputs(std::int64_t element) const {
    const std::int64_t from = element + before;
    const std::int64_t first = from < size ? 0 : (from - size) / stride + 1, last = from / stride + 1;
    return {first, last < out ? last : out};
  }
};

struct PoolShape {
  std::int64_t images, channels;
  PoolAxis rows, columns;
};

/// Where a pixel lies.
struct Pixel {
  std::int64_t image, row, column;
  GLIA_HD Pixel(std::int64_t index, std::int64_t height, std::int64_t width) {
    const std::int64_t line = index / width;
    column = index - line * width;
    image = line / height;
    row = line - image * height;
  }
};

/// Channels that a thread takes at a time: one where its neighbours take the next. Else so many that loops over them are
/// worth their start; their number is not told to the compiler, which would unroll them instead of making vectors.
template <class Block>
constexpr int channel_tile = Block::tile > 1 ? 64 : 1;

/// y = the greatest of each window of x, or the mean.
template <class T>
struct PoolKernel {
  PoolShape shape;
  const T* x;
  T* y;
  bool average;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int tile = channel_tile<Block>;
    const std::int64_t pixels = shape.images * shape.rows.out * shape.columns.out;
    const auto range = block.rows(pixels);
    for (std::int64_t index = range.begin; index < range.end; index += range.stride) {
      const Pixel pixel(index, shape.rows.out, shape.columns.out);
      const Span rows = shape.rows.elements(pixel.row), columns = shape.columns.elements(pixel.column);
      for (std::int64_t c = block.rank() * tile; c < shape.channels; c += block.size() * tile)
        Body<tile>{*this, pixel.image, rows, columns, c, y + index * shape.channels + c}(
            static_cast<int>(shape.channels - c < tile ? shape.channels - c : tile));
    }
  }

 private:
  template <int tile>
  struct Body {
    const PoolKernel& k;
    std::int64_t image;
    Span rows, columns;
    std::int64_t channel;
    T* out;

    GLIA_HD void operator()(int width) const {
      if (k.average) return average(width);
      T result[tile];
      for (int j = 0; j < width; ++j) result[j] = T(-HUGE_VALF);
      for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        const T* in = begin_of(row);
        for (std::int64_t column = columns.begin; column < columns.end; ++column, in += k.shape.channels)
          for (int j = 0; j < width; ++j) result[j] = math::max_nan(result[j], in[j]);
      }
      for (int j = 0; j < width; ++j) out[j] = result[j];
    }

    GLIA_HD void average(int width) const {
      Sums<T, tile> sums(width);
      for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        const T* in = begin_of(row);
        for (std::int64_t column = columns.begin; column < columns.end; ++column, in += k.shape.channels) {
          for (int j = 0; j < width; ++j) sums[j] += in[j];
          sums.next(width);
        }
      }
      const T share = T(1) / static_cast<T>(rows.length() * columns.length());
      for (int j = 0; j < width; ++j) out[j] = sums.total(j) * share;
    }

    /// The window's first element in a row of the image.
    GLIA_HD const T* begin_of(std::int64_t row) const {
      return k.x + ((image * k.shape.rows.in + row) * k.shape.columns.in + columns.begin) * k.shape.channels +
             channel;
    }
  };
};

/// Whether a is greater than b; NaN is the greatest.
template <class T>
GLIA_HD int beats(T a, T b) {
  return (a > b) | ((a != a) & (b == b));
}

/// dx of a pool. Each element looks at the windows it is in: of a maximum's, it has the gradient where it is the first
/// of the greatest. A maximum's elements that are at most `floor` have none: 0 where they come from a ReLU, else NaN, which
/// is below nothing.
template <class T>
struct PoolGradientKernel {
  PoolShape shape;
  const T* x;
  const T* dy;
  T* dx;
  bool average;
  T floor;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int tile = channel_tile<Block>;
    const std::int64_t pixels = shape.images * shape.rows.in * shape.columns.in;
    const auto range = block.rows(pixels);
    for (std::int64_t index = range.begin; index < range.end; index += range.stride) {
      const Pixel pixel(index, shape.rows.in, shape.columns.in);
      const Span rows = shape.rows.outputs(pixel.row), columns = shape.columns.outputs(pixel.column);
      for (std::int64_t c = block.rank() * tile; c < shape.channels; c += block.size() * tile)
        Body<tile>{*this, pixel, rows, columns, c, index * shape.channels + c}(
            static_cast<int>(shape.channels - c < tile ? shape.channels - c : tile));
    }
  }

 private:
  template <int tile>
  struct Body {
    const PoolGradientKernel& k;
    Pixel pixel;
    Span rows, columns;  ///< the outputs it went into
    std::int64_t channel, at;

    GLIA_HD void operator()(int width) const {
      Sums<T, tile> result(width);
      for (std::int64_t row = rows.begin; row < rows.end; ++row)
        for (std::int64_t column = columns.begin; column < columns.end; ++column) {
          const Span window_rows = k.shape.rows.elements(row),
                     window_columns = k.shape.columns.elements(column);
          const T* const dy =
              k.dy +
              ((pixel.image * k.shape.rows.out + row) * k.shape.columns.out + column) * k.shape.channels +
              channel;
          if (k.average) {
            const T share = T(1) / static_cast<T>(window_rows.length() * window_columns.length());
            for (int j = 0; j < width; ++j) result[j] += dy[j] * share;
          } else {
            add(result, window_rows, window_columns, dy, width);
          }
          result.next(width);
        }
      if (k.average)
        for (int j = 0; j < width; ++j) k.dx[at + j] = result.total(j);
      else
        for (int j = 0; j < width; ++j) k.dx[at + j] = k.x[at + j] <= k.floor ? T(0) : result.total(j);
    }

    /// The gradient of one window where the element wins in it.
    GLIA_HD void add(Sums<T, tile>& result, Span window_rows, Span window_columns, const T* dy,
                     int width) const {
      const T* const mine = k.x + at;
      int wins[tile];
      for (int j = 0; j < width; ++j) wins[j] = 1;
      for (std::int64_t row = window_rows.begin; row < window_rows.end; ++row)
        for (std::int64_t column = window_columns.begin; column < window_columns.end; ++column) {
          const std::int64_t away = (row - pixel.row) * k.shape.columns.in + column - pixel.column;
          const T* const other = mine + away * k.shape.channels;
          if (away < 0)
            for (int j = 0; j < width; ++j) wins[j] &= beats(mine[j], other[j]);
          else if (away > 0)
            for (int j = 0; j < width; ++j) wins[j] &= 1 - beats(other[j], mine[j]);
        }
      for (int j = 0; j < width; ++j) result[j] += wins[j] ? dy[j] : T(0);
    }
  };
};

/// The same for maxima of windows of 2 x 2 that neither overlap nor leave the image, which is what most networks have:
/// all four elements of a window in one pass over the channels, and zeros for what no window has.
template <class T>
struct PairsGradientKernel {
  PoolShape shape;
  const T* x;
  const T* dy;
  T* dx;
  T floor;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t windows = shape.images * shape.rows.out * shape.columns.out;
    const auto range = block.rows(windows);
    for (std::int64_t index = range.begin; index < range.end; index += range.stride) {
      const Pixel window(index, shape.rows.out, shape.columns.out);
      const std::int64_t first = at(window.image, 2 * window.row, 2 * window.column);
      const std::int64_t below = first + shape.columns.in * shape.channels;
      split(block, dy + index * shape.channels, x + first, x + below, dx + first, dx + below);
      const bool last_row = window.row + 1 == shape.rows.out && shape.rows.in > 2 * shape.rows.out;
      const bool last_column =
          window.column + 1 == shape.columns.out && shape.columns.in > 2 * shape.columns.out;
      if (last_column) {
        clear(block, first + 2 * shape.channels, 1);
        clear(block, below + 2 * shape.channels, 1);
      }
      if (last_row) clear(block, at(window.image, shape.rows.in - 1, 2 * window.column), last_column ? 3 : 2);
    }
  }

 private:
  GLIA_HD std::int64_t at(std::int64_t image, std::int64_t row, std::int64_t column) const {
    return ((image * shape.rows.in + row) * shape.columns.in + column) * shape.channels;
  }

  template <class Block>
  GLIA_HD void clear(Block& block, std::int64_t first, std::int64_t pixels) const {
    for (std::int64_t c = block.rank(); c < pixels * shape.channels; c += block.size()) dx[first + c] = 0;
  }

  /// A window's upper two pixels lie beside each other, and so the lower two. In short passes: together they would be
  /// branches, and no vectors.
  template <class Block>
  GLIA_HD void split(Block& block, const T* gradient, const T* above, const T* below, T* to_above,
                     T* to_below) const {
    constexpr int tile = channel_tile<Block>;
    const std::int64_t n = shape.channels;
    for (std::int64_t c = block.rank() * tile; c < n; c += block.size() * tile) {
      const int width = static_cast<int>(n - c < tile ? n - c : tile);
      T most[tile];
      int left[tile];  // whether the gradient is there still
      for (int j = 0; j < width; ++j) {
        most[j] = math::max_nan(above[c + j], above[n + c + j]);
        left[j] = 1;
      }
      for (int j = 0; j < width; ++j) most[j] = math::max_nan(most[j], below[c + j]);
      for (int j = 0; j < width; ++j) most[j] = math::max_nan(most[j], below[n + c + j]);
      take(above + c, most, left, gradient + c, to_above + c, width);
      take(above + n + c, most, left, gradient + c, to_above + n + c, width);
      take(below + c, most, left, gradient + c, to_below + c, width);
      take(below + n + c, most, left, gradient + c, to_below + n + c, width);
    }
  }

  /// A pixel takes the gradient of the channels of which it is the greatest; NaN equals NaN.
  GLIA_HD void take(const T* __restrict pixel, const T* __restrict most, int* __restrict left,
                    const T* __restrict gradient, T* __restrict to, int width) const {
    const T least = floor;
    for (int j = 0; j < width; ++j) {
      const int takes = left[j] & ((pixel[j] == most[j]) | ((pixel[j] != pixel[j]) & (most[j] != most[j])));
      to[j] = (takes & !(pixel[j] <= least)) ? gradient[j] : T(0);
      left[j] -= takes;
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels

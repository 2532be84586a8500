// Pools over images (n, height, width, channels): the greatest of each window, or the mean of what lies in the image. A
// row is a pixel; what is divided is divided once a pixel, by multiplication.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/image_descriptors.h>  // defines: Window
#include <kernels/patches.h>
#include <kernels/pixels.h>

#include <cmath>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// Along one axis: a window of `size`, from output to output `stride` apart, over `in` elements behind `before` of
/// padding.
struct PoolAxis {
  PoolAxis(std::int64_t in_size, std::int64_t out_size, std::int64_t window, std::int64_t step,
           std::int64_t padding)
      : in(in_size), out(out_size), size(window), stride(step), before(padding), by_stride(step) {}
  std::int64_t in, out, size, stride, before;
  WideDivider by_stride;

  /// The elements in the image that the window for `output` has.
  GLIA_HD Span elements(std::int64_t output) const {
    const std::int64_t first = output * stride - before, last = first + size;
    return {first < 0 ? 0 : first, last < in ? last : in};
  }
  /// The outputs whose windows have `element`.
  GLIA_HD Span outputs(std::int64_t element) const {
    const std::int64_t from = element + before;
    const std::int64_t first = from < size ? 0 : by_stride.quotient(from - size) + 1;
    const std::int64_t last = by_stride.quotient(from) + 1;
    return {first, last < out ? last : out};
  }
};

struct PoolShape {
  std::int64_t images, channels;
  PoolAxis rows, columns;
};

/// Channels that a processor takes at a time: so many that loops over them are worth their start; their number is not told to
/// the compiler, which would unroll them instead of making vectors.
constexpr int channel_tile = 64;

/// y = the greatest of each window of x, or the mean.
template <class T>
struct PoolKernel {
  PoolShape shape;
  Pixels pixels;       ///< of y
  Patches<T> patches;  ///< of its pixels and channels
  const T* x;
  T* y;
  bool average;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    patches.template each_strip<channel_tile>(
        block, [&](const auto& strip, std::int64_t index, std::int64_t channel) {
          const Pixels::Pixel pixel = pixels.at(index);
          const Span rows = shape.rows.elements(pixel.row), columns = shape.columns.elements(pixel.column);
          const auto load = [&](std::int64_t row, std::int64_t column) {
            const std::int64_t at = (pixel.image * shape.rows.in + row) * shape.columns.in + column;
            return strip.load(x + at * shape.channels + channel);
          };
          T* const out = y + index * shape.channels + channel;
          if (average)
            mean(strip, rows, columns, load, out);
          else
            greatest(strip, rows, columns, load, out);
        });
  }

 private:
  template <class Strip, class Load>
  GLIA_HD void greatest(const Strip& strip, Span rows, Span columns, const Load& load, T* out) const {
    T result[Strip::most];
    strip.for_each([&](auto j) { result[j] = T(-HUGE_VALF); });
    each_of_window(strip, rows, columns, load, [&](const auto& in) {
      strip.for_each([&](auto j) { result[j] = math::max_nan(result[j], in[j]); });
    });
    strip.store(out, [&](auto j) { return result[j]; });
  }

  template <class Strip, class Load>
  GLIA_HD void mean(const Strip& strip, Span rows, Span columns, const Load& load, T* out) const {
    Sums<T, Strip::most> sums(strip.width);
    each_of_window(strip, rows, columns, load, [&](const auto& in) {
      strip.for_each([&](auto j) { sums[static_cast<int>(j)] += in[j]; });
      sums.next(strip.width);
    });
    const T share = T(1) / static_cast<T>(rows.length() * columns.length());
    strip.store(out, [&](auto j) { return sums.total(static_cast<int>(j)) * share; });
  }
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
  Pixels pixels;       ///< of x
  Patches<T> patches;  ///< of its pixels and channels
  const T* x;
  const T* dy;
  T* dx;
  bool average;
  T floor;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    patches.template each_strip<channel_tile>(
        block, [&](const auto& strip, std::int64_t index, std::int64_t channel) {
          const Pixels::Pixel pixel = pixels.at(index);
          const Span rows = shape.rows.outputs(pixel.row), columns = shape.columns.outputs(pixel.column);
          const std::int64_t at = index * shape.channels + channel;
          const auto gradient = [&](std::int64_t row, std::int64_t column) {
            const std::int64_t window = (pixel.image * shape.rows.out + row) * shape.columns.out + column;
            return strip.load(dy + window * shape.channels + channel);
          };
          if (average)
            of_means(strip, rows, columns, gradient, dx + at);
          else
            of_greatest(strip, pixel, rows, columns, gradient, at);
        });
  }

 private:
  template <class Strip, class Gradient>
  GLIA_HD void of_means(const Strip& strip, Span rows, Span columns, const Gradient& gradient, T* out) const {
    Sums<T, Strip::most> result(strip.width);
    each_of_window(
        strip, rows, columns,
        [&](std::int64_t row, std::int64_t column) {
          const std::int64_t n = shape.rows.elements(row).length() * shape.columns.elements(column).length();
          return Both{gradient(row, column), T(1) / static_cast<T>(n)};
        },
        [&](const auto& window) {
          strip.for_each([&](auto j) { result[static_cast<int>(j)] += window.first[j] * window.second; });
          result.next(strip.width);
        });
    strip.store(out, [&](auto j) { return result.total(static_cast<int>(j)); });
  }

  template <class Strip, class Gradient>
  GLIA_HD void of_greatest(const Strip& strip, const Pixels::Pixel& pixel, Span rows, Span columns,
                           const Gradient& gradient, std::int64_t at) const {
    const auto mine = strip.load(x + at);
    Sums<T, Strip::most> result(strip.width);
    for (std::int64_t row = rows.begin; row < rows.end; ++row)
      for (std::int64_t column = columns.begin; column < columns.end; ++column) {
        const auto window = gradient(row, column);
        int wins[Strip::most];
        strip.for_each([&](auto j) { wins[j] = 1; });
        each_of_window(
            strip, shape.rows.elements(row), shape.columns.elements(column),
            [&](std::int64_t other_row, std::int64_t other_column) {
              const std::int64_t away =
                  (other_row - pixel.row) * shape.columns.in + other_column - pixel.column;
              return Both{strip.load(x + at + away * shape.channels), away};
            },
            [&](const auto& other) {
              if (other.second < 0)
                strip.for_each([&](auto j) { wins[j] &= beats(mine[j], other.first[j]); });
              else if (other.second > 0)
                strip.for_each([&](auto j) { wins[j] &= 1 - beats(other.first[j], mine[j]); });
            });
        strip.for_each([&](auto j) { result[static_cast<int>(j)] += wins[j] ? window[j] : T(0); });
        result.next(strip.width);
      }
    strip.store(dx + at, [&](auto j) { return mine[j] <= floor ? T(0) : result.total(static_cast<int>(j)); });
  }
};

/// The same for maxima of windows of 2 x 2 that neither overlap nor leave the image, which is what most networks have:
/// all four elements of a window in one pass over the channels, and zeros for what no window has.
template <class T>
struct PairsGradientKernel {
  PoolShape shape;
  Pixels windows;
  Patches<T> patches;  ///< of windows and channels
  const T* x;
  const T* dy;
  T* dx;
  T floor;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    patches.template each_strip<channel_tile>(
        block, [&](const auto& strip, std::int64_t index, std::int64_t channel) {
          const Pixels::Pixel window = windows.at(index);
          const std::int64_t n = shape.channels, line = shape.columns.in * n;
          const std::int64_t above =
              ((window.image * shape.rows.in + 2 * window.row) * shape.columns.in + 2 * window.column) * n +
              channel;
          split(strip, dy + index * n + channel, above, above + line);
          const bool last_row = window.row + 1 == shape.rows.out && shape.rows.in > 2 * shape.rows.out;
          const bool last_column =
              window.column + 1 == shape.columns.out && shape.columns.in > 2 * shape.columns.out;
          if (last_column) clear(strip, above + 2 * n), clear(strip, above + line + 2 * n);
          if (!last_row) return;
          const std::int64_t last = above + (shape.rows.in - 1 - 2 * window.row) * line;  // of this column
          for (int i = 0; i < (last_column ? 3 : 2); ++i) clear(strip, last + i * n);
        });
  }

 private:
  template <class Strip>
  GLIA_HD void clear(const Strip& strip, std::int64_t at) const {
    strip.store(dx + at, [](auto) { return T(0); });
  }

  /// A window's upper two pixels lie beside each other, and so the lower two. In short passes: together they would be
  /// branches, and no vectors.
  template <class Strip>
  GLIA_HD void split(const Strip& strip, const T* dy_of_window, std::int64_t above,
                     std::int64_t below) const {
    const std::int64_t n = shape.channels;
    const auto gradient = strip.load(dy_of_window);
    const auto a = strip.load(x + above), b = strip.load(x + above + n);
    const auto c = strip.load(x + below), d = strip.load(x + below + n);
    T most[Strip::most];
    int left[Strip::most];  // whether the gradient is there still
    strip.for_each([&](auto j) { most[j] = math::max_nan(a[j], b[j]), left[j] = 1; });
    strip.for_each([&](auto j) { most[j] = math::max_nan(most[j], c[j]); });
    strip.for_each([&](auto j) { most[j] = math::max_nan(most[j], d[j]); });
    // A pixel takes the gradient of the channels of which it is the greatest; NaN equals NaN.
    const T least = floor;
    const auto take = [&](const auto& pixel, std::int64_t to) {
      strip.store(dx + to, [&](auto j) {
        const int takes = left[j] & ((pixel[j] == most[j]) | ((pixel[j] != pixel[j]) & (most[j] != most[j])));
        left[j] -= takes;
        return (takes & !(pixel[j] <= least)) ? gradient[j] : T(0);
      });
    };
    take(a, above), take(b, above + n), take(c, below), take(d, below + n);
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels

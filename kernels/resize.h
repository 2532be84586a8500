// Images of another size: padded, cropped, enlarged. Images are (n, height, width, channels).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/patches.h>
#include <kernels/pixels.h>
#include <kernels/sum.h>  // defines: Sums

#include <cstdint>
#include <type_traits>

namespace glia::kernels {
inline namespace GLIA_ISA {

/// out (i, j) = in (i - top, j - left), 0 where there is none. A block has whole rows of pixels.
template <class T>
struct ShiftKernel {
  const T* in;
  T* out;
  Patches<T> patches;  ///< of out's rows; packed where pixels are whole packs
  WideDivider by_height;
  ImageSize from, to;
  std::int64_t top, left;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t width = to.width * to.channels, source_width = from.width * from.channels;
    patches.template each_strip<64>(block, [&](const auto& strip, std::int64_t row, std::int64_t column) {
      using Strip = std::decay_t<decltype(strip)>;
      const std::int64_t image = by_height.quotient(row), source_row = row - image * to.height - top;
      const bool inside = source_row >= 0 && source_row < from.height;
      const T* const source = in + (image * from.height + source_row) * source_width;
      const std::int64_t first = column - left * to.channels;
      T* const out_strip = out + row * width + column;
      if constexpr (Strip::is_packed) {
        if (inside && first >= 0 && first < source_width)
          strip.put(out_strip, strip.load(source + first));
        else
          strip.store(out_strip, [](auto) { return T(0); });
      } else {
        strip.store(out_strip, [&](auto j) {
          const std::int64_t s = first + j;
          return inside && s >= 0 && s < source_width ? source[s] : T(0);
        });
      }
    });
  }
};

/// An axis of `small` elements and by what it is enlarged.
struct EnlargedAxis {
  EnlargedAxis(std::int64_t small_size, std::int64_t by)
      : small(small_size), factor(by), by_factor(by), by_twice(2 * by) {}
  std::int64_t small, factor;
  WideDivider by_factor, by_twice;
};

/// Where an enlarged image's row or column lies between those of the small one: `low`, and `share` of the way to
/// `high`. Nearest: share 0.
template <class T>
struct Between {
  std::int64_t low, high;
  T share;

  GLIA_HD static Between of(std::int64_t i, const EnlargedAxis& axis, bool bilinear) {
    if (!bilinear) return {axis.by_factor.quotient(i), axis.by_factor.quotient(i), T(0)};
    // (i + 1/2) / factor - 1/2, in halves of a factor
    const std::int64_t halves = 2 * i + 1 - axis.factor, whole = 2 * axis.factor;
    if (halves <= 0) return {0, 0, T(0)};
    const std::int64_t low = axis.by_twice.quotient(halves);
    return {low, low + 1 < axis.small ? low + 1 : low,
            static_cast<T>(halves - low * whole) / static_cast<T>(whole)};
  }
  /// The weight of `i` of the small image.
  GLIA_HD T weight(std::int64_t i) const {
    return (i == low ? T(1) - share : T(0)) + (i == high ? share : T(0));
  }
};

/// large = small enlarged by whole factors; backward, small = the sum of what each of its elements gave to large.
template <class T>
struct UpsampleKernel {
  Patches<T> patches;  ///< of out's pixels and channels
  Pixels pixels;       ///< of out
  const T* in;
  T* out;
  ImageSize small, large;
  EnlargedAxis rows, columns;
  bool bilinear, backward;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    patches.template each_strip<Block::tile>(
        block, [&](const auto& strip, std::int64_t index, std::int64_t channel) {
          T* const to = out + index * small.channels + channel;
          if (backward)
            gather(strip, pixels.at(index), channel, to);
          else
            interpolate(strip, pixels.at(index), channel, to);
        });
  }

 private:
  template <class Strip>
  GLIA_HD auto load(const Strip& strip, const ImageSize& size, std::int64_t image, std::int64_t row,
                    std::int64_t column, std::int64_t c) const {
    return strip.load(in + ((image * size.height + row) * size.width + column) * size.channels + c);
  }

  template <class Strip>
  GLIA_HD void interpolate(const Strip& strip, const Pixels::Pixel& p, std::int64_t c, T* to) const {
    const Between<T> y = Between<T>::of(p.row, rows, bilinear);
    const Between<T> x = Between<T>::of(p.column, columns, bilinear);
    const auto a = load(strip, small, p.image, y.low, x.low, c);
    if (!bilinear) return strip.store(to, [&](auto j) { return a[j]; });
    const auto b = load(strip, small, p.image, y.low, x.high, c);
    const auto d = load(strip, small, p.image, y.high, x.low, c),
               e = load(strip, small, p.image, y.high, x.high, c);
    strip.store(to, [&](auto j) {
      const T above = a[j] * (T(1) - x.share) + b[j] * x.share;
      const T below = d[j] * (T(1) - x.share) + e[j] * x.share;
      return above * (T(1) - y.share) + below * y.share;
    });
  }

  template <class Strip>
  GLIA_HD void gather(const Strip& strip, const Pixels::Pixel& p, std::int64_t c, T* to) const {
    const std::int64_t reach = bilinear ? 1 : 0;
    const auto those = [&](std::int64_t at, const EnlargedAxis& axis, std::int64_t size) {
      const std::int64_t begin = (at - reach) * axis.factor, end = (at + 1 + reach) * axis.factor;
      return Span{begin < 0 ? 0 : begin, end < size ? end : size};
    };
    Sums<T, Strip::most> sum(strip.width);
    each_of_window(
        strip, those(p.row, rows, large.height), those(p.column, columns, large.width),
        [&](std::int64_t i, std::int64_t j) {
          return Both{load(strip, large, p.image, i, j, c),
                      Both{Between<T>::of(i, rows, bilinear).weight(p.row),
                           Between<T>::of(j, columns, bilinear).weight(p.column)}};
        },
        [&](const auto& v) {
          strip.for_each(
              [&](auto j) { sum[static_cast<int>(j)] += v.first[j] * v.second.first * v.second.second; });
          sum.next(strip.width);
        });
    strip.store(to, [&](auto j) { return sum.total(static_cast<int>(j)); });
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels

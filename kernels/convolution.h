// Convolutions by plain loops: the float64 path, and the fallback where a library has no algorithm. Images are
// (n, height, width, channels), weights (window height, window width, channels / groups, filters).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/image_descriptors.h>  // defines: Window
#include <kernels/patches.h>
#include <kernels/pixels.h>
#include <kernels/sum.h>  // defines: Sums

namespace glia::kernels {
inline namespace GLIA_ISA {

/// A convolution's shapes: of its input `x`, its output `y` and what lies between.
struct ConvolutionShape {
  ConvolutionShape(std::int64_t count, const ImageSize& in, const ImageSize& out, const Window& w,
                   std::int64_t group_count)
      : images(count),
        x(in),
        y(out),
        window(w),
        groups(group_count),
        channels_of_group(in.channels / group_count),
        filters_of_group(out.channels / group_count),
        x_pixels(in.height, in.width),
        y_pixels(out.height, out.width),
        by_window_width(w.width),
        by_channels(channels_of_group),
        by_filters(filters_of_group),
        by_stride_height(w.stride_height),
        by_stride_width(w.stride_width) {}
  std::int64_t images;
  ImageSize x, y;
  Window window;
  std::int64_t groups, channels_of_group, filters_of_group;
  Pixels x_pixels, y_pixels;
  WideDivider by_window_width, by_channels, by_filters, by_stride_height, by_stride_width;

  GLIA_HD std::int64_t taps() const { return window.height * window.width; }
  /// The row of the window that a tap is in.
  GLIA_HD std::int64_t window_row(std::int64_t tap) const { return by_window_width.quotient(tap); }

  /// The element (row, column) of x that tap (i, j) of the window for output (row, column) meets; false where that is
  /// padding.
  GLIA_HD bool meets(std::int64_t& row, std::int64_t& column, std::int64_t i, std::int64_t j) const {
    row = row * window.stride_height - window.top + i * window.dilation_height;
    column = column * window.stride_width - window.left + j * window.dilation_width;
    return row >= 0 && row < x.height && column >= 0 && column < x.width;
  }
  GLIA_HD bool meets_column(std::int64_t column, std::int64_t j) const {
    const std::int64_t at = column * window.stride_width - window.left + j * window.dilation_width;
    return at >= 0 && at < x.width;
  }
  /// f(channel_of) for a strip of filters from `first` on: channel_of(j) is the first channel that the j-th of them reads.
  template <class Strip, class F>
  GLIA_HD void with_channels(const Strip&, std::int64_t first, const F& f) const {
    if (groups == 1) return f([](auto) { return std::int64_t{0}; });
    if constexpr (Strip::is_packed) {  // of one group
      const std::int64_t channel = by_filters.quotient(first) * channels_of_group;
      f([&](auto) { return channel; });
    } else {
      f([&](auto j) { return by_filters.quotient(first + j) * channels_of_group; });
    }
  }
  /// The other way: from an element of x to the output whose tap (i, j) meets it.
  GLIA_HD bool is_met(std::int64_t& row, std::int64_t& column, std::int64_t i, std::int64_t j) const {
    row += window.top - i * window.dilation_height;
    column += window.left - j * window.dilation_width;
    if (row < 0 || column < 0) return false;
    const std::int64_t in_row = row, in_column = column;
    row = by_stride_height.quotient(row), column = by_stride_width.quotient(column);
    if (row * window.stride_height != in_row || column * window.stride_width != in_column) return false;
    return row < y.height && column < y.width;
  }
};

/// patches (count, taps * channels) = what the windows of `count` pixels of y, from `first` on, see of x; without groups. For
/// a backend that makes a product of a convolution.
template <class T>
void copy_patches(const ConvolutionShape& shape, const T* x, std::int64_t first, std::int64_t count,
                  T* patches) {
  const Window& window = shape.window;
  const std::int64_t channels = shape.x.channels;
  // Taps beside each other lie beside each other, where none is left out between them.
  const std::int64_t together = window.dilation_width == 1 ? window.width : 1;
  const auto inside = [&](std::int64_t at) {
    return at < 0 ? std::int64_t{0} : at < shape.x.width ? at : shape.x.width;
  };
  for (std::int64_t pixel = first; pixel < first + count; ++pixel) {
    const std::int64_t image = pixel / shape.y.pixels(), in_image = pixel % shape.y.pixels();
    for (std::int64_t tap = 0; tap < shape.taps(); tap += together) {
      std::int64_t row = in_image / shape.y.width, column = in_image % shape.y.width;
      shape.meets(row, column, tap / window.width, tap % window.width);
      const bool has_row = row >= 0 && row < shape.x.height;
      const std::int64_t begin = has_row ? inside(column) - column : 0;
      const std::int64_t end = has_row ? inside(column + together) - column : 0;
      const T* const from = x + (image * shape.x.pixels() + row * shape.x.width + column) * channels;
      for (std::int64_t i = 0; i < begin * channels; ++i) patches[i] = 0;
      for (std::int64_t i = begin * channels; i < end * channels; ++i) patches[i] = from[i];
      for (std::int64_t i = end * channels; i < together * channels; ++i) patches[i] = 0;
      patches += together * channels;
    }
  }
}

/// y = convolution of x. A thread computes a strip of a pixel's filters; each is summed in the order of the weights.
template <class T>
struct ConvolutionKernel {
  ConvolutionShape shape;
  Patches<T> patches;  ///< of y's pixels and filters
  const T* x;
  const T* weights;
  T* y;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    patches.template each_strip<Block::tile>(
        block, [&](const auto& strip, std::int64_t pixel, std::int64_t filter) {
          with_full_strip(strip, [&](const auto& some) { convolve(some, pixel, filter); });
        });
  }

 private:
  template <class Strip>
  GLIA_HD void convolve(const Strip& strip, std::int64_t pixel, std::int64_t first) const {
    const Pixels::Pixel out = shape.y_pixels.at(pixel);
    const std::int64_t channels = shape.channels_of_group;
    const T* w = weights + first;
    Sums<T, Strip::most> sum(strip.width);
    for (std::int64_t tap = 0; tap < shape.taps(); ++tap, w += channels * shape.y.channels) {
      const std::int64_t i = shape.window_row(tap);
      std::int64_t row = out.row, column = out.column;
      if (!shape.meets(row, column, i, tap - i * shape.window.width)) continue;
      const T* const from =
          x + (out.image * shape.x.pixels() + row * shape.x.width + column) * shape.x.channels;
      shape.with_channels(strip, first, [&](const auto& channel_of) {
        stream<Strip::is_packed ? 4 : 1>(
            0, channels, 1,
            [&](std::int64_t c) {
              return Both{from[channel_of(0) + c], strip.load(w + c * shape.y.channels)};
            },
            [&](std::int64_t c, const auto& v) {
              strip.for_each([&](auto j) {
                sum[static_cast<int>(j)] +=
                    (Strip::is_packed ? v.first : from[channel_of(j) + c]) * v.second[j];
              });
              sum.next(strip.width);
            });
      });
    }
    strip.store(y + pixel * shape.y.channels + first, [&](auto j) { return sum.total(static_cast<int>(j)); });
  }
};

/// x = transpose of the convolution, of y: each pixel gathers from the outputs that it went into.
template <class T>
struct ConvolutionTransposeKernel {
  ConvolutionShape shape;
  Patches<T> patches;  ///< of x's pixels and channels, one at a time
  const T* y;
  const T* weights;
  T* x;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    patches.template each_strip<1>(block, [&](const auto& strip, std::int64_t pixel, std::int64_t channel) {
      const T sum = at(pixel, channel);
      strip.store(x + pixel * shape.x.channels + channel, [&](auto) { return sum; });
    });
  }

 private:
  GLIA_HD T at(std::int64_t pixel, std::int64_t c) const {
    const Pixels::Pixel in = shape.x_pixels.at(pixel);
    const std::int64_t filters = shape.filters_of_group, group = shape.by_channels.quotient(c);
    const std::int64_t channel = c - group * shape.channels_of_group;
    Sums<T> sum(1);
    for (std::int64_t tap = 0; tap < shape.taps(); ++tap) {
      const std::int64_t i = shape.window_row(tap);
      std::int64_t row = in.row, column = in.column;
      if (!shape.is_met(row, column, i, tap - i * shape.window.width)) continue;
      const std::int64_t from = in.image * shape.y.pixels() + row * shape.y.width + column;
      const T* const dy = y + from * shape.y.channels + group * filters;
      const T* const w =
          weights + (tap * shape.channels_of_group + channel) * shape.y.channels + group * filters;
      stream<4>(
          0, filters, 1,
          [&](std::int64_t f) {
            return Both{dy[f], w[f]};
          },
          [&](std::int64_t, const auto& v) { sum.add(v.first * v.second); });
    }
    return sum.total();
  }
};

/// dw = gradient of the convolution's weights, summed over the pixels in order. A row is a tap's channel.
template <class T>
struct ConvolutionWeightsKernel {
  ConvolutionShape shape;
  Patches<T> patches;  ///< of rows and filters
  const T* x;
  const T* dy;
  T* dw;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    patches.template each_strip<Block::tile>(
        block, [&](const auto& strip, std::int64_t row, std::int64_t filter) {
          with_full_strip(strip, [&](const auto& some) { sum_pixels(some, row, filter); });
        });
  }

 private:
  /// A row of the image at a time, of which the pixels that meet the tap lie one behind the other.
  template <class Strip>
  GLIA_HD void sum_pixels(const Strip& strip, std::int64_t tap_channel, std::int64_t first) const {
    const std::int64_t filters = shape.y.channels, tap = shape.by_channels.quotient(tap_channel);
    const std::int64_t c = tap_channel - tap * shape.channels_of_group;
    const std::int64_t i = shape.window_row(tap), j = tap - i * shape.window.width;
    std::int64_t begin = 0, end = shape.y.width;  // columns of y that meet it
    while (begin < end && !shape.meets_column(begin, j)) ++begin;
    while (begin < end && !shape.meets_column(end - 1, j)) --end;
    Sums<T, Strip::most> sum(strip.width);
    shape.with_channels(strip, first, [&](const auto& channel_of) {
      for (std::int64_t image = 0; image < shape.images; ++image)
        for (std::int64_t line = 0; line < shape.y.height; ++line) {
          std::int64_t row = line, column = begin;
          if (begin == end || !shape.meets(row, column, i, j)) continue;
          const std::int64_t step = shape.window.stride_width * shape.x.channels;
          const T* const from =
              x + (image * shape.x.pixels() + row * shape.x.width + column) * shape.x.channels + c;
          const T* const gradient =
              dy + ((image * shape.y.height + line) * shape.y.width + begin) * filters + first;
          stream<Strip::is_packed ? 4 : 1>(
              0, end - begin, 1,
              [&](std::int64_t p) {
                return Both{from[channel_of(0) + p * step], strip.load(gradient + p * filters)};
              },
              [&](std::int64_t p, const auto& v) {
                strip.for_each([&](auto f) {
                  sum[static_cast<int>(f)] +=
                      (Strip::is_packed ? v.first : from[channel_of(f) + p * step]) * v.second[f];
                });
                sum.next(strip.width);
              });
        }
    });
    strip.store(dw + tap_channel * filters + first, [&](auto f) { return sum.total(static_cast<int>(f)); });
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels

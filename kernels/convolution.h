// Convolutions by plain loops: the float64 path, and the fallback where a library has no algorithm. Images are
// (n, height, width, channels), weights (window height, window width, channels / groups, filters).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/image_descriptors.h>  // defines: Window
#include <kernels/patches.h>
#include <kernels/sum.h>  // defines: Sums

namespace glia::kernels {
inline namespace GLIA_ISA {

struct ImageSize {
  std::int64_t height, width, channels;

  GLIA_HD std::int64_t pixels() const { return height * width; }
};

inline ImageSize size_of_image(const View& images) {
  return {images.shape[1], images.shape[2], images.shape[3]};
}

/// A convolution's shapes: of its input `x`, its output `y` and what lies between.
struct ConvolutionShape {
  std::int64_t images;
  ImageSize x, y;
  Window window;
  std::int64_t groups;

  GLIA_HD std::int64_t channels_of_group() const { return x.channels / groups; }
  GLIA_HD std::int64_t filters_of_group() const { return y.channels / groups; }
  GLIA_HD std::int64_t taps() const { return window.height * window.width; }

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
      const std::int64_t channel = first / filters_of_group() * channels_of_group();
      f([&](auto) { return channel; });
    } else {
      f([&](auto j) { return (first + j) / filters_of_group() * channels_of_group(); });
    }
  }
  /// The other way: from an element of x to the output whose tap (i, j) meets it.
  GLIA_HD bool is_met(std::int64_t& row, std::int64_t& column, std::int64_t i, std::int64_t j) const {
    row += window.top - i * window.dilation_height;
    column += window.left - j * window.dilation_width;
    if (row < 0 || column < 0 || row % window.stride_height != 0 || column % window.stride_width != 0)
      return false;
    row /= window.stride_height, column /= window.stride_width;
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
    const std::int64_t in_image = pixel % shape.y.pixels(), image = pixel / shape.y.pixels();
    const std::int64_t channels = shape.channels_of_group();
    Sums<T, Strip::most> sum(strip.width);
    for (std::int64_t tap = 0; tap < shape.taps(); ++tap) {
      std::int64_t row = in_image / shape.y.width, column = in_image % shape.y.width;
      if (!shape.meets(row, column, tap / shape.window.width, tap % shape.window.width)) continue;
      const T* const from = x + (image * shape.x.pixels() + row * shape.x.width + column) * shape.x.channels;
      const T* const w = weights + tap * channels * shape.y.channels + first;
      shape.with_channels(strip, first, [&](const auto& channel_of) {
        stream<Strip::is_packed ? 4 : 1>(
            0, channels, 1,
            [&](std::int64_t c) { return Both{from[channel_of(0) + c], strip.load(w + c * shape.y.channels)}; },
            [&](std::int64_t c, const auto& v) {
              strip.for_each([&](auto j) {
                sum[static_cast<int>(j)] +=
                    (Strip::is_packed ? v.first : from[channel_of(j) + c]) * v.second[j];
              });
              sum.next(strip.width);
            });
      });
    }
    strip.store(y + pixel * shape.y.channels + first,
                [&](auto j) { return sum.total(static_cast<int>(j)); });
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
    const std::int64_t in_image = pixel % shape.x.pixels(), filters = shape.filters_of_group();
    const std::int64_t group = c / shape.channels_of_group(), channel = c % shape.channels_of_group();
    Sums<T> sum(1);
    for (std::int64_t tap = 0; tap < shape.taps(); ++tap) {
      std::int64_t row = in_image / shape.x.width, column = in_image % shape.x.width;
      if (!shape.is_met(row, column, tap / shape.window.width, tap % shape.window.width)) continue;
      const std::int64_t from = pixel / shape.x.pixels() * shape.y.pixels() + row * shape.y.width + column;
      const T* const dy = y + from * shape.y.channels + group * filters;
      const T* const w =
          weights + (tap * shape.channels_of_group() + channel) * shape.y.channels + group * filters;
      stream<4>(
          0, filters, 1, [&](std::int64_t f) { return Both{dy[f], w[f]}; },
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
    const std::int64_t channels = shape.channels_of_group(), filters = shape.y.channels;
    const std::int64_t tap = tap_channel / channels, c = tap_channel % channels;
    const std::int64_t i = tap / shape.window.width, j = tap % shape.window.width;
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
          const T* const gradient = dy + ((image * shape.y.height + line) * shape.y.width + begin) * filters + first;
          stream<Strip::is_packed ? 4 : 1>(
              0, end - begin, 1,
              [&](std::int64_t p) { return Both{from[channel_of(0) + p * step], strip.load(gradient + p * filters)}; },
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

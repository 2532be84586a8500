// Convolutions by plain loops: the float64 path, and the fallback where a library has no algorithm. Images are
// (n, height, width, channels), weights (window height, window width, channels / groups, filters).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/image_descriptors.h>  // defines: Window
#include <kernels/sum.h>             // defines: Sums

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

/// y = convolution of x. A thread computes Block::tile filters of a pixel together; each is summed in the order of the
/// weights.
template <class T>
struct ConvolutionKernel {
  ConvolutionShape shape;
  const T* x;
  const T* weights;
  T* y;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int tile = Block::tile;
    const std::int64_t filters = shape.y.channels, pixels = shape.images * shape.y.pixels();
    const auto range = block.rows(pixels);
    for (std::int64_t pixel = range.begin; pixel < range.end; pixel += range.stride) {
      for (std::int64_t first = block.rank() * tile; first < filters; first += block.size() * tile) {
        const int width = static_cast<int>(filters - first < tile ? filters - first : tile);
        Sums<T, tile> sum(width);
        for (std::int64_t tap = 0; tap < shape.taps(); ++tap) add(sum, pixel, tap, first, width);
        for (int f = 0; f < width; ++f) y[pixel * filters + first + f] = sum.total(f);
      }
    }
  }

 private:
  template <int tile>
  GLIA_HD void add(Sums<T, tile>& sum, std::int64_t pixel, std::int64_t tap, std::int64_t first,
                   int width) const {
    const std::int64_t in_image = pixel % shape.y.pixels(), channels = shape.channels_of_group();
    std::int64_t row = in_image / shape.y.width, column = in_image % shape.y.width;
    if (!shape.meets(row, column, tap / shape.window.width, tap % shape.window.width)) return;
    const T* const from =
        x + (pixel / shape.y.pixels() * shape.x.pixels() + row * shape.x.width + column) * shape.x.channels;
    const T* const w = weights + tap * channels * shape.y.channels + first;
    for (std::int64_t c = 0; c < channels; ++c) {
      if (shape.groups == 1 && width == tile)
        for (int f = 0; f < tile; ++f) sum[f] += from[c] * w[c * shape.y.channels + f];
      else
        for (int f = 0; f < width; ++f)
          sum[f] += from[(first + f) / shape.filters_of_group() * channels + c] * w[c * shape.y.channels + f];
      sum.next(width);
    }
  }
};

/// x = transpose of the convolution, of y: each pixel gathers from the outputs that it went into.
template <class T>
struct ConvolutionTransposeKernel {
  ConvolutionShape shape;
  const T* y;
  const T* weights;
  T* x;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    const std::int64_t channels = shape.x.channels, pixels = shape.images * shape.x.pixels();
    const auto range = block.rows(pixels);
    for (std::int64_t pixel = range.begin; pixel < range.end; pixel += range.stride)
      for (std::int64_t c = block.rank(); c < channels; c += block.size())
        x[pixel * channels + c] = at(pixel, c);
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
      for (std::int64_t f = 0; f < filters; ++f) sum.add(dy[f] * w[f]);
    }
    return sum.total();
  }
};

/// dw = gradient of the convolution's weights, summed over the pixels in order. A row is a tap's channel.
template <class T>
struct ConvolutionWeightsKernel {
  ConvolutionShape shape;
  const T* x;
  const T* dy;
  T* dw;

  template <class Block>
  GLIA_HD void operator()(Block& block) const {
    constexpr int tile = Block::tile;
    const std::int64_t filters = shape.y.channels, rows = shape.taps() * shape.channels_of_group();
    const auto range = block.rows(rows);
    for (std::int64_t row = range.begin; row < range.end; row += range.stride) {
      for (std::int64_t first = block.rank() * tile; first < filters; first += block.size() * tile) {
        const int width = static_cast<int>(filters - first < tile ? filters - first : tile);
        Sums<T, tile> sum(width);
        for (std::int64_t pixel = 0; pixel < shape.images * shape.y.pixels(); ++pixel)
          add(sum, pixel, row, first, width);
        for (int f = 0; f < width; ++f) dw[row * filters + first + f] = sum.total(f);
      }
    }
  }

 private:
  template <int tile>
  GLIA_HD void add(Sums<T, tile>& sum, std::int64_t pixel, std::int64_t tap_channel, std::int64_t first,
                   int width) const {
    const std::int64_t in_image = pixel % shape.y.pixels(), channels = shape.channels_of_group();
    const std::int64_t tap = tap_channel / channels, c = tap_channel % channels;
    std::int64_t row = in_image / shape.y.width, column = in_image % shape.y.width;
    if (!shape.meets(row, column, tap / shape.window.width, tap % shape.window.width)) return;
    const T* const from =
        x + (pixel / shape.y.pixels() * shape.x.pixels() + row * shape.x.width + column) * shape.x.channels;
    const T* const gradient = dy + pixel * shape.y.channels + first;
    if (shape.groups == 1 && width == tile)
      for (int f = 0; f < tile; ++f) sum[f] += from[c] * gradient[f];
    else
      for (int f = 0; f < width; ++f)
        sum[f] += from[(first + f) / shape.filters_of_group() * channels + c] * gradient[f];
    sum.next(width);
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels

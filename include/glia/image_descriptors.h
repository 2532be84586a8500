// Descriptors of what is computed on images: batches (n, height, width, channels), channels last and contiguous.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/math/activations.h>
#include <glia/math/precision.h>
#include <glia/view.h>

#include <cstdint>

namespace GLIA_API glia {

/// A window that goes over an image: of height x width elements that lie `dilation` apart. For output (i, j) its
/// first element is image element (i * stride_height - top, j * stride_width - left); what lies outside is padding.
struct Window {
  std::int64_t height = 1, width = 1;
  std::int64_t stride_height = 1, stride_width = 1;
  std::int64_t dilation_height = 1, dilation_width = 1;
  std::int64_t top = 0, left = 0;

  /// Rows and columns of the image it spans.
  constexpr std::int64_t span_height() const { return (height - 1) * dilation_height + 1; }
  constexpr std::int64_t span_width() const { return (width - 1) * dilation_width + 1; }
};

namespace op {

/// out = derivative(saved) * activation(sum over the window of x weights + bias). x (n, h, w, c), weights (window height,
/// window width, c / groups, filters), bias (filters,), out and saved (n, out h, out w, filters). Filters and
/// channels fall into `groups` equal runs; each run of filters sees its run of channels only. The kernel is not
/// flipped, as in Keras.
struct Convolution {
  static constexpr auto name = "Convolution";
  View x, weights, out;
  Window window;
  std::int64_t groups = 1;
  View bias = {};
  ElementwiseActivation activation = Linear{};
  View saved = {};
  ElementwiseActivation derivative = Linear{};
  Precisions precision = Float32{};
  template <class F>
  void operands(F&& f) {
    f(x, Access::read), f(weights, Access::read), f(bias, Access::read), f(saved, Access::read);
    f(out, Access::write);
  }
  template <class F>
  void factors(F&& f) {
    f(x), f(weights);
  }
};

/// The transpose of a Convolution, from its output's side to its input's: x (n, h, w, filters), weights as there,
/// bias (c,), out and saved (n, out h, out w, c). The gradient of a Convolution's input, and a layer of its own.
struct ConvolutionTranspose {
  static constexpr auto name = "ConvolutionTranspose";
  View x, weights, out;
  Window window;
  std::int64_t groups = 1;
  View bias = {};
  ElementwiseActivation activation = Linear{};
  View saved = {};
  ElementwiseActivation derivative = Linear{};
  Precisions precision = Float32{};
  template <class F>
  void operands(F&& f) {
    f(x, Access::read), f(weights, Access::read), f(bias, Access::read), f(saved, Access::read);
    f(out, Access::write);
  }
  template <class F>
  void factors(F&& f) {
    f(x), f(weights);
  }
};

/// weights_gradient (=) of the Convolution of x that gave out_gradient, and, where wanted, bias_gradient (filters,) (=),
/// the sums of out_gradient.
struct ConvolutionWeights {
  static constexpr auto name = "ConvolutionWeights";
  View x, out_gradient, weights_gradient;
  Window window;
  std::int64_t groups = 1;
  View bias_gradient = {};
  Precisions precision = Float32{};
  template <class F>
  void operands(F&& f) {
    f(x, Access::read), f(out_gradient, Access::read), f(weights_gradient, Access::write);
    f(bias_gradient, Access::write);
  }
  template <class F>
  void factors(F&& f) {
    f(x), f(out_gradient);
  }
};

/// The greatest element of each window, channel by channel, or the mean of those in the image.
/// in (n, h, w, c), out (n, out h, out w, c). A NaN is the greatest.
struct Pool {
  static constexpr auto name = "Pool";
  View in, out;
  Window window;
  bool average = false;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out, Access::write);
  }
};

/// in_gradient of a Pool; the first of a window's greatest elements has all of it. `in` is empty for an average. With
/// `relu`, of a maximum alone, `in` is what a ReLU gave, and in_gradient is the gradient of what it was given.
struct PoolGradient {
  static constexpr auto name = "PoolGradient";
  View in, out_gradient, in_gradient;
  Window window;
  bool average = false;
  bool relu = false;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out_gradient, Access::read), f(in_gradient, Access::write);
  }
};

/// out (n, out h, out w, c): element (i, j) is in's (i - top, j - left), 0 where there is none. Pads, or crops where
/// top and left are negative; the gradient of one is the other.
struct Shift {
  static constexpr auto name = "Shift";
  View in, out;
  std::int64_t top, left;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out, Access::write);
  }
};

/// Images enlarged by whole factors: each element repeated, or interpolated between the centres of elements. Backward
/// from the large images' gradient (in) to the small ones' (out).
struct Upsample {
  static constexpr auto name = "Upsample";
  View in, out;
  bool bilinear = false;
  bool backward = false;
  template <class F>
  void operands(F&& f) {
    f(in, Access::read), f(out, Access::write);
  }
};

}  // namespace op
}  // namespace glia

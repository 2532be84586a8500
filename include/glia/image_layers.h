// Layers for images (height, width, channels), channels last. Names and defaults as in Keras.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/layers.h>
#include <glia/macros.h>
#include <glia/named.h>  // defines: PaddingName, InterpolationName

#include <string>
#include <vector>

namespace GLIA_API glia {

/// A height and a width; one number stands for both: 3, {3, 5}.
struct Size2D {
  int height, width;
  Size2D(int both) : height(both), width(both) {}
  Size2D(int height, int width) : height(height), width(width) {}
  bool operator==(const Size2D&) const = default;
};

struct Conv2DOptions {
  Size2D strides = 1;
  PaddingName padding = "valid";  ///< or "same"
  Size2D dilation_rate = 1;
  int groups = 1;  ///< runs of channels, each seen by its run of filters only
  ActivationName activation = "linear";
  bool use_bias = true;
  InitializerName kernel_initializer = "glorot_uniform";
  InitializerName bias_initializer = "zeros";
  RegularizerName kernel_regularizer = "none";
  RegularizerName bias_regularizer = "none";
  ConstraintName kernel_constraint = "none";
  ConstraintName bias_constraint = "none";
  Shape input_shape = {};  ///< (height, width, channels); see Layer
  bool trainable = true;   ///< as set_trainable
  std::string name = {};
};

/// y = activation(convolution of x + bias): (h, w, channels) -> (h', w', filters), h' and w' by `padding` and
/// `strides`. kernel (kernel height, kernel width, channels / groups, filters), bias (filters,). Throws ValueError for
/// numbers below 1, for strides and a dilation_rate that are both above 1, and where groups does not divide filters;
/// when built ShapeError for an input that is not an image, that the kernel does not fit into, or whose channels
/// groups does not divide.
///
///     glia::Conv2D(32, 3, "relu", {.padding = "same"})
///
class Conv2D : public Layer {
 public:
  Conv2D(int filters, Size2D kernel_size, const Conv2DOptions& options = {});
  Conv2D(int filters, Size2D kernel_size, const ActivationLike auto& activation,
         const Conv2DOptions& options = {})
      : Conv2D(filters, kernel_size, detail::with_activation(options, activation)) {}
};

struct Conv1DOptions {
  int strides = 1;
  PaddingName padding = "valid";
  int dilation_rate = 1;
  int groups = 1;
  ActivationName activation = "linear";
  bool use_bias = true;
  InitializerName kernel_initializer = "glorot_uniform";
  InitializerName bias_initializer = "zeros";
  RegularizerName kernel_regularizer = "none";
  RegularizerName bias_regularizer = "none";
  ConstraintName kernel_constraint = "none";
  ConstraintName bias_constraint = "none";
  Shape input_shape = {};  ///< (steps, channels); see Layer
  bool trainable = true;   ///< as set_trainable
  std::string name = {};
};

/// Conv2D along one axis: (steps, channels) -> (steps', filters). kernel (kernel size, channels / groups, filters), bias
/// (filters,). Throws as Conv2D does.
class Conv1D : public Layer {
 public:
  Conv1D(int filters, int kernel_size, const Conv1DOptions& options = {});
  Conv1D(int filters, int kernel_size, const ActivationLike auto& activation,
         const Conv1DOptions& options = {})
      : Conv1D(filters, kernel_size, detail::with_activation(options, activation)) {}
};

struct Conv2DTransposeOptions {
  Size2D strides = 1;
  PaddingName padding = "valid";
  Size2D dilation_rate = 1;
  ActivationName activation = "linear";
  bool use_bias = true;
  InitializerName kernel_initializer = "glorot_uniform";
  InitializerName bias_initializer = "zeros";
  RegularizerName kernel_regularizer = "none";
  RegularizerName bias_regularizer = "none";
  ConstraintName kernel_constraint = "none";
  ConstraintName bias_constraint = "none";
  Shape input_shape = {};  ///< (height, width, channels); see Layer
  bool trainable = true;   ///< as set_trainable
  std::string name = {};
};

/// The transpose of a Conv2D: (h, w, channels) -> (h', w', filters), where h' is h * stride with "same" padding, and
/// h * stride + max(span - stride, 0) with "valid". kernel (kernel height, kernel width, filters, channels), bias
/// (filters,). Throws as Conv2D does.
class Conv2DTranspose : public Layer {
 public:
  Conv2DTranspose(int filters, Size2D kernel_size, const Conv2DTransposeOptions& options = {});
  Conv2DTranspose(int filters, Size2D kernel_size, const ActivationLike auto& activation,
                  const Conv2DTransposeOptions& options = {})
      : Conv2DTranspose(filters, kernel_size, detail::with_activation(options, activation)) {}
};

struct DepthwiseConv2DOptions {
  Size2D strides = 1;
  PaddingName padding = "valid";
  int depth_multiplier = 1;  ///< filters for each channel
  Size2D dilation_rate = 1;
  ActivationName activation = "linear";
  bool use_bias = true;
  InitializerName depthwise_initializer = "glorot_uniform";
  InitializerName bias_initializer = "zeros";
  RegularizerName depthwise_regularizer = "none";
  RegularizerName bias_regularizer = "none";
  ConstraintName depthwise_constraint = "none";
  ConstraintName bias_constraint = "none";
  Shape input_shape = {};  ///< (height, width, channels); see Layer
  bool trainable = true;   ///< as set_trainable
  std::string name = {};
};

/// Each channel convolved with filters of its own: (h, w, channels) -> (h', w', channels * depth_multiplier). kernel
/// (kernel height, kernel width, channels, depth_multiplier), bias (channels * depth_multiplier,). Throws as
/// Conv2D does.
class DepthwiseConv2D : public Layer {
 public:
  explicit DepthwiseConv2D(Size2D kernel_size, const DepthwiseConv2DOptions& options = {});
  DepthwiseConv2D(Size2D kernel_size, const ActivationLike auto& activation,
                  const DepthwiseConv2DOptions& options = {})
      : DepthwiseConv2D(kernel_size, detail::with_activation(options, activation)) {}
};

struct SeparableConv2DOptions {
  Size2D strides = 1;
  PaddingName padding = "valid";
  Size2D dilation_rate = 1;
  int depth_multiplier = 1;
  ActivationName activation = "linear";
  bool use_bias = true;
  InitializerName depthwise_initializer = "glorot_uniform";
  InitializerName pointwise_initializer = "glorot_uniform";
  InitializerName bias_initializer = "zeros";
  RegularizerName depthwise_regularizer = "none";
  RegularizerName pointwise_regularizer = "none";
  RegularizerName bias_regularizer = "none";
  ConstraintName depthwise_constraint = "none";
  ConstraintName pointwise_constraint = "none";
  ConstraintName bias_constraint = "none";
  Shape input_shape = {};  ///< (height, width, channels); see Layer
  bool trainable = true;   ///< as set_trainable
  std::string name = {};
};

/// A depthwise convolution without bias, then one of 1x1 over the channels. Weights: depthwise kernel (kernel height,
/// kernel width, channels, depth_multiplier), pointwise kernel (1, 1, channels * depth_multiplier, filters), bias
/// (filters,). Throws as Conv2D does.
class SeparableConv2D : public Layer {
 public:
  SeparableConv2D(int filters, Size2D kernel_size, const SeparableConv2DOptions& options = {});
  SeparableConv2D(int filters, Size2D kernel_size, const ActivationLike auto& activation,
                  const SeparableConv2DOptions& options = {})
      : SeparableConv2D(filters, kernel_size, detail::with_activation(options, activation)) {}
};

struct Pooling2DOptions {
  Size2D strides = 0;  ///< 0: as pool_size
  PaddingName padding = "valid";
  std::string name = {};
};

/// The greatest element of each window, channel by channel; a NaN is the greatest. The gradient goes to the first of
/// equals. Throws ValueError for sizes below 1; when built ShapeError where a window does not fit.
class MaxPooling2D : public Layer {
 public:
  explicit MaxPooling2D(Size2D pool_size = 2, const Pooling2DOptions& options = {});
};

/// The mean of each window, channel by channel; with "same" padding of the part within the image. Throws likewise.
class AveragePooling2D : public Layer {
 public:
  explicit AveragePooling2D(Size2D pool_size = 2, const Pooling2DOptions& options = {});
};

struct GlobalPooling2DOptions {
  bool keepdims = false;  ///< (1, 1, channels) instead of (channels,)
  std::string name = {};
};

/// The greatest element of each channel: (h, w, channels) -> (channels,).
class GlobalMaxPooling2D : public Layer {
 public:
  explicit GlobalMaxPooling2D(const GlobalPooling2DOptions& options = {});
};

/// The mean of each channel: (h, w, channels) -> (channels,).
class GlobalAveragePooling2D : public Layer {
 public:
  explicit GlobalAveragePooling2D(const GlobalPooling2DOptions& options = {});
};

/// Rows and columns of a border: 1, {1, 2} (top and bottom 1, left and right 2), {1, 0, 2, 0} (top, bottom, left,
/// right).
struct Border2D {
  int top, bottom, left, right;
  Border2D(int all) : Border2D(all, all) {}
  Border2D(int height, int width) : Border2D(height, height, width, width) {}
  Border2D(int top, int bottom, int left, int right) : top(top), bottom(bottom), left(left), right(right) {}
};

/// Zeros around each image. Throws ValueError for numbers below 0.
class ZeroPadding2D : public Layer {
 public:
  explicit ZeroPadding2D(Border2D padding = 1, const std::string& name = {});
};

/// Images without their border. Throws ValueError for numbers below 0; when built ShapeError where nothing is left.
class Cropping2D : public Layer {
 public:
  explicit Cropping2D(Border2D cropping = 0, const std::string& name = {});
};

struct UpSampling2DOptions {
  InterpolationName interpolation = "nearest";  ///< or "bilinear"
  std::string name = {};
};

/// Images enlarged by whole factors. Throws ValueError for factors below 1.
class UpSampling2D : public Layer {
 public:
  explicit UpSampling2D(Size2D size = 2, const UpSampling2DOptions& options = {});
};

/// Dropout of whole channels of an image. Throws ValueError for a rate outside [0, 1).
class SpatialDropout2D : public Layer {
 public:
  explicit SpatialDropout2D(double rate, const std::string& name = {});
};

struct ResidualOptions {
  /// From the input to the sum, where the block changes the shape; empty: the input itself.
  std::vector<Layer> shortcut = {};
  std::string name = {};
};

/// A block with a way around it (He et al. 2016): layers(x) + shortcut(x). Weights are its layers', the shortcut's
/// last.
///
///     glia::Residual({glia::Conv2D(64, 3, {.padding = "same"}), glia::BatchNormalization()})
///
/// Throws ValueError for no layers or one that is in a model already; when built ShapeError where the two ways give
/// other shapes.
class Residual : public Layer {
 public:
  explicit Residual(const std::vector<Layer>& layers, const ResidualOptions& options = {});
};

}  // namespace glia

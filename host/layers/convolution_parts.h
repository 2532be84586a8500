// What the layers of convolutions have in common: their weights, and what their options may be.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/image_layers.h>
#include <host/layers/layer_node.h>
#include <host/layers/windows.h>

namespace glia {

/// A kernel or bias as the options of a layer give it.
inline Variable variable_of(const char* name, const Shape& shape, const InitializerName& initializer,
                            const RegularizerName& regularizer, const ConstraintName& constraint) {
  return {name, shape, initializer.value(), regularizer.value(), constraint.value()};
}

/// What a convolution's descriptors need beside the images.
struct Parts {
  const Variable& kernel;  ///< of a layer, which outlives the program's emission
  const Variable* bias;    ///< null: none
  Shape weights;           ///< the kernel as (window height, window width, channels / groups, filters)
  Window window;
  std::int64_t groups = 1;
};

inline void check_sizes(const char* type, Size2D kernel_size, Size2D strides, Size2D dilation) {
  const auto check = [type](const char* what, Size2D size) {
    GLIA_CHECK(size.height >= 1 && size.width >= 1, ValueError, type, " got ", what, " (", size.height, ", ",
               size.width, "), expected at least 1 each");
  };
  check("kernel_size", kernel_size), check("strides", strides), check("dilation_rate", dilation);
  GLIA_CHECK(strides == Size2D(1) || dilation == Size2D(1), ValueError, type, " got strides (",
             strides.height, ", ", strides.width, ") and dilation_rate (", dilation.height, ", ",
             dilation.width, "): one of them must be 1");
}

inline void check_at_least_one(const char* type, const char* what, int number) {
  GLIA_CHECK(number >= 1, ValueError, type, " got ", what, ' ', number, ", expected at least 1");
}

/// Checks what all these options have.
template <class Options>
void check_all_options(const Options& o) {
  check_options(o.activation), check_options(o.bias_initializer);
  check_options(o.bias_regularizer), check_options(o.bias_constraint);
  if constexpr (requires { o.kernel_initializer; }) {
    check_options(o.kernel_initializer), check_options(o.kernel_regularizer);
    check_options(o.kernel_constraint);
  } else {
    check_options(o.depthwise_initializer), check_options(o.depthwise_regularizer);
    check_options(o.depthwise_constraint);
  }
  if constexpr (requires { o.pointwise_initializer; }) {
    check_options(o.pointwise_initializer), check_options(o.pointwise_regularizer);
    check_options(o.pointwise_constraint);
  }
}

/// What the options of every layer say.
template <class Options>
void finish(LayerNode& node, const Options& options) {
  node.name = options.name, node.trainable = options.trainable;
  node.declare_input_shape(options.input_shape);
}

}  // namespace glia

// Window: kernel, strides, dilations and padding of an operator, along one axis or two.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/image_layers.h>
#include <glia/symbol.h>
#include <interchange/onnx/node.h>

namespace glia::onnx {

struct Window {
  Integers kernel, strides, dilations;
  Integers pads;  ///< before each axis, then behind each
  Integers in;    ///< lengths of the axes, once it is placed

  /// Reads the attributes of the window, and kernel_shape, which is to be `kernel` where that is not empty. Throws ValueError for
  /// numbers that no window has. `of_transpose`: "same" is of the output.
  Window(Node& node, const Integers& kernel, bool of_transpose);

  std::size_t axes() const { return kernel.size(); }
  std::int64_t span(std::size_t axis) const { return (kernel[axis] - 1) * dilations[axis] + 1; }
  /// Along these axes (rest..., channels); of automatic padding it becomes known then. With ceil_mode what it lacks behind is padded.
  void place(const Symbol& image);
  std::int64_t outputs(std::size_t axis) const;
  bool is_valid() const;
  /// Whether Glia's "same" pads as much.
  bool is_same() const;

  // As layers take them; of one axis it is the width.
  Size2D size() const { return both(kernel); }
  Size2D stride() const { return both(strides); }
  Size2D dilation() const { return both(dilations); }
  /// Zeros around.
  Symbol padded(const Symbol& image) const;

  bool rounds_up = false;  ///< ceil_mode

 private:
  static Size2D both(const Integers& numbers);
  bool of_transpose_ = false;
  std::string automatic_;
};

/// An image cut or padded (below 0: cut) along its one or two axes: before each, then behind each.
Symbol bordered(const Symbol& image, const Integers& borders);

}  // namespace glia::onnx

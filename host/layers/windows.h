// Where a layer's window lies over its images.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/image_layers.h>  // defines: Size2D
#include <host/layers/layer_node.h>

namespace glia {

/// Throws ShapeError for rows that are not images (height, width, channels).
void expect_image(const LayerNode& node, const Shape& rows);

/// A window over images of this shape, with what padding asks for before them. Throws ShapeError where rows are not
/// images, or a window without padding does not fit into them.
Window place_window(const LayerNode& node, const Shape& image, Size2D size, Size2D strides, Size2D dilation,
                    const Paddings& padding);

/// The shape (height, width, channels) of what a window gives that goes over images of this shape.
Shape windowed_shape(const Shape& image, const Window& window, const Paddings& padding,
                     std::int64_t channels);

}  // namespace glia

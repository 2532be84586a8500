// Padding as in TensorFlow: what "same" lacks is shared out, the odd one last.
// SPDX-License-Identifier: Apache-2.0
#include <host/layers/windows.h>

#include <algorithm>
#include <variant>

namespace glia {
namespace {

bool is_same(const Paddings& padding) { return std::holds_alternative<SamePadding>(padding); }

std::int64_t outputs(std::int64_t in, std::int64_t span, std::int64_t stride, bool same) {
  return same ? (in + stride - 1) / stride : (in - span) / stride + 1;
}

/// Elements before the image.
std::int64_t padding_before(std::int64_t in, std::int64_t span, std::int64_t stride, bool same) {
  if (!same) return 0;
  return std::max<std::int64_t>((outputs(in, span, stride, true) - 1) * stride + span - in, 0) / 2;
}

}  // namespace

void expect_image(const LayerNode& node, const Shape& rows) {
  GLIA_CHECK(rows.rank() == 3 && rows.elements() > 0, ShapeError, "layer \"", node.name, "\" (", node.type(),
             ") needs images of shape (height, width, channels), got rows of shape ", rows,
             ": a grey image has one channel, Reshape({height, width, 1})");
}

Window place_window(const LayerNode& node, const Shape& image, Size2D size, Size2D strides, Size2D dilation,
                    const Paddings& padding) {
  expect_image(node, image);
  Window window{size.height, size.width, strides.height, strides.width, dilation.height, dilation.width,
                0,           0};
  const bool same = is_same(padding);
  GLIA_CHECK(same || (window.span_height() <= image[0] && window.span_width() <= image[1]), ShapeError,
             "layer \"", node.name, "\" (", node.type(), ") has a window of (", window.span_height(), ", ",
             window.span_width(), "), which does not fit into images of shape ", image,
             ": make it smaller, or give padding \"same\"");
  window.top = padding_before(image[0], window.span_height(), window.stride_height, same);
  window.left = padding_before(image[1], window.span_width(), window.stride_width, same);
  return window;
}

Shape windowed_shape(const Shape& image, const Window& w, const Paddings& padding, std::int64_t channels) {
  const bool same = is_same(padding);
  return {outputs(image[0], w.span_height(), w.stride_height, same),
          outputs(image[1], w.span_width(), w.stride_width, same), channels};
}

}  // namespace glia

// Window: what ONNX says of padding, in Glia's terms.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <interchange/onnx/importer.h>  // defines: layer_name
#include <interchange/onnx/window.h>

#include <algorithm>

namespace glia::onnx {
namespace {

constexpr std::int64_t largest = 1 << 20;

void check(const char* name, const Integers& numbers, std::size_t count, std::int64_t least) {
  const bool fits = numbers.size() == count &&
                    std::all_of(numbers.begin(), numbers.end(),
                                [&](std::int64_t number) { return number >= least && number <= largest; });
  GLIA_CHECK(fits, ValueError, "its attribute ", name, " is ", text_of(numbers), ", expected ", count,
             " numbers from ", least, " to ", largest);
}

}  // namespace

Window::Window(Node& node, const Integers& wanted, bool of_transpose) : of_transpose_(of_transpose) {
  kernel = node.integers("kernel_shape", wanted);
  GLIA_CHECK(kernel.size() == 1 || kernel.size() == 2, ValueError, "its attribute kernel_shape is ",
             text_of(kernel), ", expected one number or two: Glia has windows along one axis or two");
  GLIA_CHECK(wanted.empty() || kernel == wanted, ValueError, "its attribute kernel_shape is ",
             text_of(kernel), ", but its filters have ", text_of(wanted));
  const std::size_t count = kernel.size();
  strides = node.integers("strides", Integers(count, 1)),
  dilations = node.integers("dilations", Integers(count, 1));
  pads = node.integers("pads", Integers(2 * count, 0));
  automatic_ = node.text("auto_pad", "NOTSET");
  check("kernel_shape", kernel, count, 1), check("strides", strides, count, 1);
  check("dilations", dilations, count, 1), check("pads", pads, 2 * count, 0);
  const bool is_known = automatic_ == "NOTSET" || automatic_ == "VALID" || automatic_ == "SAME_UPPER" ||
                        automatic_ == "SAME_LOWER";
  GLIA_CHECK(is_known, ValueError, "its attribute auto_pad is \"", layer_name(automatic_),
             "\", expected NOTSET, VALID, SAME_UPPER or SAME_LOWER");
  if (automatic_ == "VALID") pads.assign(2 * count, 0);
  if (!of_transpose || !automatic_.starts_with("SAME")) return;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t over = std::max<std::int64_t>(span(i) - strides[i], 0);
    pads[i] = automatic_ == "SAME_UPPER" ? over / 2 : over - over / 2, pads[count + i] = over - pads[i];
  }
}

Size2D Window::both(const Integers& numbers) {
  if (numbers.size() == 1) return {1, static_cast<int>(numbers[0])};
  return {static_cast<int>(numbers[0]), static_cast<int>(numbers[1])};
}

void Window::place(const Symbol& image) {
  const Shape& shape = image.shape();
  GLIA_CHECK(shape.rank() == static_cast<int>(axes()) + 1, ShapeError, "it got rows of ", shape.rank(),
             " axes, expected channels and ", axes(), " more");
  in.assign(shape.begin(), shape.end() - 1);
  for (std::size_t i = 0; i < axes(); ++i) {
    if (automatic_.starts_with("SAME")) {
      const std::int64_t out = (in[i] + strides[i] - 1) / strides[i];
      const std::int64_t total = std::max<std::int64_t>((out - 1) * strides[i] + span(i) - in[i], 0);
      pads[i] = automatic_ == "SAME_UPPER" ? total / 2 : total - total / 2,
      pads[axes() + i] = total - pads[i];
    }
    const std::int64_t length = in[i] + pads[i] + pads[axes() + i];
    GLIA_CHECK(span(i) <= length, ShapeError, "its window spans ", span(i), " elements, of an axis of ",
               length, " with its padding");
    if (!rounds_up) continue;
    std::int64_t out = (length - span(i) + strides[i] - 1) / strides[i] + 1;
    if ((out - 1) * strides[i] >= in[i] + pads[i]) --out;  // a window that would lie behind the image
    pads[axes() + i] += std::max<std::int64_t>((out - 1) * strides[i] + span(i) - length, 0);
  }
}

std::int64_t Window::outputs(std::size_t i) const {
  return (in[i] + pads[i] + pads[axes() + i] - span(i)) / strides[i] + 1;
}

bool Window::is_valid() const {
  return std::all_of(pads.begin(), pads.end(), [](std::int64_t pad) { return pad == 0; });
}

bool Window::is_same() const {
  for (std::size_t i = 0; i < axes(); ++i) {
    const std::int64_t out = (in[i] + strides[i] - 1) / strides[i];
    const std::int64_t total = std::max<std::int64_t>((out - 1) * strides[i] + span(i) - in[i], 0);
    if (pads[i] != total / 2 || outputs(i) != out) return false;
    // What no window reaches need not be there.
    if (pads[axes() + i] < total - total / 2) return false;
  }
  return true;
}

Symbol bordered(const Symbol& image, const Integers& borders) {
  const Shape shape = image.shape();
  const bool is_1d = borders.size() == 2;
  Symbol x = is_1d ? Reshape({1, shape[0], shape[1]})(image) : image;
  const auto side = [&](std::size_t i, bool pads) {
    if (is_1d && i % 2 == 0) return 0;
    const std::int64_t border = is_1d ? borders[i / 2] : borders[i];
    return static_cast<int>(std::max<std::int64_t>(pads ? border : -border, 0));
  };
  for (const bool pads : {true, false}) {
    const Border2D border(side(0, pads), side(2, pads), side(1, pads), side(3, pads));
    if (border.top + border.bottom + border.left + border.right == 0) continue;
    x = pads ? Layer(ZeroPadding2D(border))(x) : Layer(Cropping2D(border))(x);
  }
  return is_1d ? Reshape({x.shape()[1], x.shape()[2]})(x) : x;
}

Symbol Window::padded(const Symbol& image) const { return bordered(image, pads); }

}  // namespace glia::onnx

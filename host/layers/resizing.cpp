// ZeroPadding2D, Cropping2D and UpSampling2D.
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <host/layers/layer_node.h>
#include <host/layers/windows.h>  // defines: expect_image

#include <variant>

namespace glia {
namespace {

/// Padding, or with negative numbers cropping.
class BorderNode final : public SimpleLayer {
 public:
  BorderNode(const char* type, Border2D border) : type_(type), border_(border) {}

  const char* type() const override { return type_; }

  Shape shape_for(const Shape& input_shape) const override {
    expect_image(*this, input_shape);
    const std::int64_t height = input_shape[0] + border_.top + border_.bottom;
    const std::int64_t width = input_shape[1] + border_.left + border_.right;
    GLIA_CHECK(height >= 1 && width >= 1, ShapeError, "layer \"", name, "\" (", type_, ") crops (",
               -border_.top, ", ", -border_.bottom, ", ", -border_.left, ", ", -border_.right,
               ") of images of shape ", input_shape, ", which leaves nothing: crop less");
    return {height, width, input_shape.back()};
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const op::Shift shift{x, e.temporary(shape_for(x.shape.row()).prepend(x.shape[0])), border_.top,
                          border_.left};
    e.add(shift);
    return {shift.out, [shift](Emitter& e, const View& gradient, bool wanted) {
              if (!wanted) return View{};
              const View dx = e.temporary(shift.in.shape);
              e.add(op::Shift{gradient, dx, -shift.top, -shift.left});
              return dx;
            }};
  }

 private:
  const char* type_;
  Border2D border_;
};

class UpSamplingNode final : public SimpleLayer {
 public:
  UpSamplingNode(Size2D size, bool bilinear) : size_(size), bilinear_(bilinear) {}

  const char* type() const override { return "UpSampling2D"; }

  Shape shape_for(const Shape& input_shape) const override {
    expect_image(*this, input_shape);
    return {input_shape[0] * size_.height, input_shape[1] * size_.width, input_shape.back()};
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const op::Upsample enlarge{x, e.temporary(shape_for(x.shape.row()).prepend(x.shape[0])), bilinear_,
                               false};
    e.add(enlarge);
    return {enlarge.out, [enlarge](Emitter& e, const View& gradient, bool wanted) {
              if (!wanted) return View{};
              const View dx = e.temporary(enlarge.in.shape);
              e.add(op::Upsample{gradient, dx, enlarge.bilinear, true});
              return dx;
            }};
  }

 private:
  Size2D size_;
  bool bilinear_;
};

Border2D checked(const char* type, const char* what, const Border2D& b) {
  GLIA_CHECK(b.top >= 0 && b.bottom >= 0 && b.left >= 0 && b.right >= 0, ValueError, type, " got ", what,
             " (", b.top, ", ", b.bottom, ", ", b.left, ", ", b.right, "), expected at least 0 each");
  return b;
}

}  // namespace

ZeroPadding2D::ZeroPadding2D(Border2D padding, const std::string& name)
    : Layer(make_node<BorderNode>("ZeroPadding2D", checked("ZeroPadding2D", "padding", padding))) {
  node().name = name;
}

Cropping2D::Cropping2D(Border2D cropping, const std::string& name)
    : Layer([&] {
        const Border2D b = checked("Cropping2D", "cropping", cropping);
        return make_node<BorderNode>("Cropping2D", Border2D(-b.top, -b.bottom, -b.left, -b.right));
      }()) {
  node().name = name;
}

UpSampling2D::UpSampling2D(Size2D size, const UpSampling2DOptions& options)
    : Layer(
          make_node<UpSamplingNode>(size, std::holds_alternative<Bilinear>(options.interpolation.value()))) {
  GLIA_CHECK(size.height >= 1 && size.width >= 1, ValueError, "UpSampling2D got size (", size.height, ", ",
             size.width, "), expected at least 1 each");
  node().name = options.name;
}

}  // namespace glia

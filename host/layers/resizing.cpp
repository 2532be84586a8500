// ZeroPadding2D, Cropping2D and UpSampling2D.
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <host/base/memory.h>  // defines: checked_elements
#include <host/layers/config.h>
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>
#include <host/layers/windows.h>  // defines: expect_image

#include <variant>

namespace glia {
namespace {

Border2D negative(const Border2D& b) { return {-b.top, -b.bottom, -b.left, -b.right}; }

/// Padding, or with negative numbers cropping.
class BorderNode final : public SimpleLayer {
 public:
  BorderNode(const char* type, Border2D border) : type_(type), border_(border) {}

  const char* type() const override { return type_; }
  void describe(Config& config) override {
    const bool crops = std::string_view(type_) == "Cropping2D";
    Border2D given = crops ? negative(border_) : border_;
    config.field(crops ? "cropping" : "padding", given);
  }

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

void list(Config& config, Size2D& size, InterpolationName& interpolation) {
  config.field("size", size), config.field("interpolation", interpolation);
}

class UpSamplingNode final : public SimpleLayer {
 public:
  UpSamplingNode(Size2D size, const InterpolationName& interpolation)
      : size_(size), interpolation_(interpolation) {}

  const char* type() const override { return "UpSampling2D"; }
  void describe(Config& config) override { list(config, size_, interpolation_); }

  Shape shape_for(const Shape& input_shape) const override {
    expect_image(*this, input_shape);
    return {checked_elements({input_shape[0], size_.height}), checked_elements({input_shape[1], size_.width}),
            input_shape.back()};
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const op::Upsample enlarge{x, e.temporary(shape_for(x.shape.row()).prepend(x.shape[0])),
                               std::holds_alternative<Bilinear>(interpolation_.value()), false};
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
  InterpolationName interpolation_;
};

Border2D checked(const char* type, const char* what, const Border2D& b) {
  GLIA_CHECK(b.top >= 0 && b.bottom >= 0 && b.left >= 0 && b.right >= 0, ValueError, type, " got ", what,
             " (", b.top, ", ", b.bottom, ", ", b.left, ", ", b.right, "), expected at least 0 each");
  return b;
}

template <class Of>
Layer read_border(Config& config, const char* name, Border2D border) {
  config.field(name, border);
  return Of(border);
}

constexpr LayerClass classes[] = {
    {"ZeroPadding2D", [](Config& config) { return read_border<ZeroPadding2D>(config, "padding", 1); }},
    {"Cropping2D", [](Config& config) { return read_border<Cropping2D>(config, "cropping", 0); }},
    {"UpSampling2D",
     [](Config& config) -> Layer {
       Size2D size = 2;
       UpSampling2DOptions options;
       list(config, size, options.interpolation);
       return UpSampling2D(size, options);
     }},
};

}  // namespace

LayerClasses resizing_classes() { return classes; }

ZeroPadding2D::ZeroPadding2D(Border2D padding, const std::string& name)
    : Layer(make_node<BorderNode>("ZeroPadding2D", checked("ZeroPadding2D", "padding", padding))) {
  node().name = name;
}

Cropping2D::Cropping2D(Border2D cropping, const std::string& name)
    : Layer(make_node<BorderNode>("Cropping2D", negative(checked("Cropping2D", "cropping", cropping)))) {
  node().name = name;
}

UpSampling2D::UpSampling2D(Size2D size, const UpSampling2DOptions& options)
    : Layer(make_node<UpSamplingNode>(size, options.interpolation)) {
  GLIA_CHECK(size.height >= 1 && size.width >= 1, ValueError, "UpSampling2D got size (", size.height, ", ",
             size.width, "), expected at least 1 each");
  node().name = options.name;
}

}  // namespace glia

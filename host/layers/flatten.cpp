// Flatten and Reshape: layers that only say shapes.
// SPDX-License-Identifier: Apache-2.0
#include <glia/layers.h>
#include <host/base/memory.h>  // defines: checked_elements
#include <host/layers/config.h>
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>

namespace glia {
namespace {

class FlattenNode final : public SimpleLayer {
 public:
  const char* type() const override { return "Flatten"; }
  void describe(Config&) override {}
  Shape shape_for(const Shape& input_shape) const override { return {checked_elements(input_shape)}; }

  Emitted emit(Emitter&, const View& x) const override {
    return {x.reshaped({x.shape[0], x.elements() / x.shape[0]}),
            [shape = x.shape](Emitter&, const View& gradient, bool wanted) {
              return wanted ? gradient.reshaped(shape) : View{};
            }};
  }
};

class ReshapeNode final : public SimpleLayer {
 public:
  explicit ReshapeNode(const Shape& target) : target_(target) {}

  const char* type() const override { return "Reshape"; }
  void describe(Config& config) override { config.field("target_shape", target_); }
  Shape shape_for(const Shape& input_shape) const override {
    const std::int64_t elements = checked_elements(input_shape);
    std::int64_t left = elements;  // divided by each dimension: their product may be too large to count
    int open = -1;
    bool fits = true;
    for (int axis = 0; axis < target_.rank(); ++axis) {
      if (target_[axis] == -1) {
        open = axis;
        continue;
      }
      fits = fits && left % target_[axis] == 0;
      left /= target_[axis];
    }
    Shape shape = target_;
    if (open >= 0) shape[open] = left;
    GLIA_CHECK(fits && (open >= 0 || left == 1), ShapeError, "layer \"", name,
               "\" (Reshape) cannot make rows of shape ", target_, " of rows of shape ", input_shape,
               ", which have ", elements, " elements");
    return shape;
  }
  Emitted emit(Emitter&, const View& x) const override {
    return {x.reshaped(shape_for(x.shape.row()).prepend(x.shape[0])),
            [shape = x.shape](Emitter&, const View& gradient, bool wanted) {
              return wanted ? gradient.reshaped(shape) : View{};
            }};
  }

 private:
  Shape target_;
};

constexpr LayerClass classes[] = {{"Flatten", plain_layer<Flatten>}, {"Reshape", [](Config& config) -> Layer {
                                                                        Shape target;
                                                                        config.needed("target_shape", target);
                                                                        return Reshape(target);
                                                                      }}};

}  // namespace

LayerClasses flatten_classes() { return classes; }

Flatten::Flatten(const Shape& input_shape, const std::string& name) : Layer(make_node<FlattenNode>()) {
  node().name = name;
  node().declare_input_shape(input_shape);
}

Reshape::Reshape(const Shape& target_shape, const std::string& name)
    : Layer(make_node<ReshapeNode>(target_shape)) {
  int open = 0;
  for (const std::int64_t dimension : target_shape) {
    GLIA_CHECK(dimension >= 1 || dimension == -1, ShapeError, "Reshape got ", target_shape,
               ", expected dimensions of at least 1, or one -1 for what is left");
    open += dimension == -1 ? 1 : 0;
  }
  GLIA_CHECK(!target_shape.empty() && open <= 1, ShapeError, "Reshape got ", target_shape,
             ", expected at least one dimension, and at most one -1");
  node().name = name;
}

}  // namespace glia

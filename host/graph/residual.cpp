// Residual: layers with a way around them (He et al. 2016).
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <host/graph/graph.h>

#include <algorithm>

namespace glia {
namespace {

class ResidualNode final : public SimpleLayer {
 public:
  ResidualNode(const std::vector<Layer>& layers, const std::vector<Layer>& shortcut)
      : layers_(Graph::chain(layers)), shortcut_(Graph::chain(shortcut)), has_shortcut_(!shortcut.empty()) {
    children = layers;
    children.insert(children.end(), shortcut.begin(), shortcut.end());
  }

  const char* type() const override { return "Residual"; }
  void specify(const Shapes& inputs) override {
    layers_.specify(inputs);
    shortcut_.specify(inputs);
    SimpleLayer::specify(inputs);
  }
  void copy_within(LayerCopies& copies) override {
    SimpleLayer::copy_within(copies);
    layers_.copy_layers(copies);
    shortcut_.copy_layers(copies);
  }

 protected:
  Shape shape_for(const Shape& input_shape) const override {
    const Shape output = layers_.shapes({input_shape}).back()[0];
    const Shape around = shortcut_.shapes({input_shape}).back()[0];
    GLIA_CHECK(output == around, ShapeError, "layer \"", name, "\" (Residual) cannot add rows of shape ",
               output, ", which its layers give, and rows of shape ", around, ", which ",
               has_shortcut_ ? "its shortcut gives" : "are its input",
               ": give a shortcut that changes the shape likewise, such as Conv2D(",
               output.empty() ? 1 : output.back(), ", 1)");
    return output;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const Emission main = layers_.emit(e, {{x}}), around = shortcut_.emit(e, {{x}});
    const View sum = e.temporary(main.outputs[0].view.shape);
    e.add(op::Combine{1, 1, main.outputs[0].view, around.outputs[0].view, sum});
    return {sum, [main, around](Emitter& e, const View& gradient, bool wanted) {
              const View by_main = main.backward(e, {gradient}, {wanted})[0];
              const View by_shortcut = around.backward(e, {gradient}, {wanted})[0];
              if (!wanted) return View{};
              if (!by_main || !by_shortcut) return by_main ? by_main : by_shortcut;
              const View dx = e.temporary(by_main.shape);
              e.add(op::Combine{1, 1, by_main, by_shortcut, dx});
              return dx;
            }};
  }

 private:
  Graph layers_, shortcut_;
  bool has_shortcut_;
};

}  // namespace

Residual::Residual(const std::vector<Layer>& layers, const ResidualOptions& options)
    : Layer(make_node<ResidualNode>(layers, options.shortcut)) {
  GLIA_CHECK(!layers.empty(), ValueError, "Residual got no layers, expected at least one");
  node().name = options.name;
}

}  // namespace glia

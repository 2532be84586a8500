// Residual: layers with a way around them (He et al. 2016).
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <host/graph/graph_layer.h>
#include <host/layers/config.h>

#include <algorithm>

namespace glia {
namespace {

void list(Config& config, std::vector<Layer>& layers, std::vector<Layer>& shortcut) {
  config.needed("layers", layers), config.field("shortcut", shortcut);
}

class ResidualNode final : public SimpleLayer {
 public:
  ResidualNode(const std::vector<Layer>& layers, const std::vector<Layer>& shortcut)
      : layers_(Graph::chain(layers)), shortcut_(Graph::chain(shortcut)), main_count_(layers.size()) {
    children = layers;
    children.insert(children.end(), shortcut.begin(), shortcut.end());
  }

  const char* type() const override { return "Residual"; }
  void describe(Config& config) override {
    const auto middle = children.begin() + static_cast<std::ptrdiff_t>(main_count_);
    std::vector<Layer> layers(children.begin(), middle), shortcut(middle, children.end());
    list(config, layers, shortcut);
  }
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
               children.size() > main_count_ ? "its shortcut gives" : "are its input",
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
  std::size_t main_count_;  // of the children; the others are the shortcut's
};

constexpr LayerClass classes[] = {{"Residual", [](Config& config) -> Layer {
                                     std::vector<Layer> layers;
                                     ResidualOptions options;
                                     list(config, layers, options.shortcut);
                                     return Residual(layers, options);
                                   }}};

}  // namespace

LayerClasses residual_classes() { return classes; }

Residual::Residual(const std::vector<Layer>& layers, const ResidualOptions& options)
    : Layer(make_node<ResidualNode>(layers, options.shortcut)) {
  GLIA_CHECK(!layers.empty(), ValueError, "Residual got no layers, expected at least one");
  node().name = options.name;
}

}  // namespace glia

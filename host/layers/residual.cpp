// Residual: layers with a way around them (He et al. 2016).
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <host/layers/chain.h>

namespace glia {
namespace {

class ResidualNode final : public LayerNode {
 public:
  ResidualNode(const std::vector<Layer>& layers, const std::vector<Layer>& shortcut)
      : layers_(layers), shortcut_(shortcut) {
    children = layers;
    children.insert(children.end(), shortcut.begin(), shortcut.end());
  }

  const char* type() const override { return "Residual"; }

  Shape build(const Shape& input_shape) override {
    bool trained = false, trained_shortcut = false;
    const Shape output = build_layers(layers_, input_shape, trained);
    const Shape around = build_layers(shortcut_, input_shape, trained_shortcut);
    GLIA_CHECK(output == around, ShapeError, "layer \"", name, "\" (Residual) cannot add rows of shape ",
               output, ", which its layers give, and rows of shape ", around, ", which ",
               shortcut_.empty() ? "are its input" : "its shortcut gives",
               ": give a shortcut that changes the shape likewise, such as Conv2D(",
               output.empty() ? 1 : output.back(), ", 1)");
    return output;
  }

  Emitted emit(Emitter& e, const View& x) const override {
    const Emitted main = emit_layers(e, layers_, x), around = emit_layers(e, shortcut_, x);
    const View sum = e.temporary(main.output.shape);
    e.add(op::Combine{1, 1, main.output, around.output, sum});
    return {sum, [main, around](Emitter& e, const View& gradient, bool wanted) {
              const View by_main = main.backward(e, gradient, wanted);
              const View by_shortcut = around.backward(e, gradient, wanted);
              if (!wanted) return View{};
              const View dx = e.temporary(by_main.shape);
              e.add(op::Combine{1, 1, by_main, by_shortcut, dx});
              return dx;
            }};
  }

 private:
  std::vector<Layer> layers_, shortcut_;
};

}  // namespace

Residual::Residual(const std::vector<Layer>& layers, const ResidualOptions& options)
    : Layer(std::make_shared<ResidualNode>(layers, options.shortcut)) {
  GLIA_CHECK(!layers.empty(), ValueError, "Residual got no layers, expected at least one");
  node().name = options.name;
}

}  // namespace glia

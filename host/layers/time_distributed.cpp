// TimeDistributed: a layer applied to every step, whose steps are rows to it.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequence_layers.h>
#include <host/layers/config.h>
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>

namespace glia {
namespace {

class TimeDistributedNode final : public LayerNode {
 public:
  explicit TimeDistributedNode(const Layer& layer) { children = {layer}; }

  const char* type() const override { return "TimeDistributed"; }
  void describe(Config& config) override { config.needed("layers", children); }
  bool is_scope() const override { return true; }
  bool gives_input_gradient() const override { return child().gives_input_gradient(); }

  Shapes output_shapes(const Shapes& inputs) const override {
    Shapes outputs = child().output_shapes(within(inputs));
    for (Shape& output : outputs) output = output.prepend(inputs[0][0]);
    return outputs;
  }
  void specify(const Shapes& inputs) override {
    child().specify(within(inputs));
    LayerNode::specify(inputs);
  }
  void check_input(const TensorView& x) const override { child().check_input(x); }

  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override {
    const View& x = inputs[0].view;
    const std::int64_t rows = x.shape[0], steps = x.shape[1];
    const Emitter::Of of(e, child().name);
    Emission within = child().emit(e, {{x.reshaped(x.shape.row().row().prepend(rows * steps))}});
    Emission result;
    for (const Operand& output : within.outputs)
      result.outputs.push_back({with_steps(output.view, rows, steps), inputs[0].mask});
    result.backward = [=, this, inner = std::move(within.backward)](
                          Emitter& e, const std::vector<View>& gradients, const std::vector<bool>& wanted) {
      const Emitter::Of of(e, child().name);
      std::vector<View> of_steps;
      for (const View& gradient : gradients)
        of_steps.push_back(gradient ? gradient.reshaped(gradient.shape.row().row().prepend(rows * steps))
                                    : View{});
      std::vector<View> back = inner(e, of_steps, wanted);
      for (View& gradient : back)
        if (gradient) gradient = with_steps(gradient, rows, steps);
      return back;
    };
    return result;
  }

 private:
  LayerNode& child() const { return children[0].node(); }

  static View with_steps(const View& view, std::int64_t rows, std::int64_t steps) {
    return view.reshaped(view.shape.row().prepend(steps).prepend(rows));
  }
  /// The rows that the layer sees.
  Shapes within(const Shapes& inputs) const {
    GLIA_CHECK(inputs.size() == 1 && inputs[0].rank() >= 2 && inputs[0][0] >= 1, ShapeError, "layer \"", name,
               "\" (TimeDistributed) needs one input with rows of shape (steps, ...), got ", inputs.size(),
               " with rows of shape ", inputs.empty() ? Shape{} : inputs[0]);
    return {inputs[0].row()};
  }
};

constexpr LayerClass classes[] = {{"TimeDistributed", [](Config& config) -> Layer {
                                     std::vector<Layer> layers;
                                     config.needed("layers", layers);
                                     GLIA_CHECK(layers.size() == 1, ValueError, "TimeDistributed got ",
                                                layers.size(), " layers, expected one");
                                     return TimeDistributed(layers[0]);
                                   }}};

}  // namespace

LayerClasses time_distributed_classes() { return classes; }

TimeDistributed::TimeDistributed(const Layer& layer, const std::string& name)
    : Layer(make_node<TimeDistributedNode>(layer)) {
  node().name = name;
}

}  // namespace glia

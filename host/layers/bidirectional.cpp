// Bidirectional: a recurrent layer, and one that goes the other way.
// SPDX-License-Identifier: Apache-2.0
#include <host/layers/config.h>
#include <host/layers/formulas.h>
#include <host/layers/layer_classes.h>
#include <host/layers/recurrent.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace glia {
namespace {

void list(Config& config, std::vector<Layer>& layers, std::string& merge_mode) {
  config.needed("layers", layers), config.field("merge_mode", merge_mode);
}

class BidirectionalNode final : public LayerNode {
 public:
  BidirectionalNode(const Layer& there, const Layer& back, std::string merge_mode)
      : merge_mode_(std::move(merge_mode)) {
    children = {there, back};
  }

  const char* type() const override { return "Bidirectional"; }
  void describe(Config& config) override {
    std::vector<Layer> layers = children;
    list(config, layers, merge_mode_);
  }
  bool is_scope() const override { return true; }

  Shapes output_shapes(const Shapes& inputs) const override {
    const Shapes there = child(0).output_shapes(inputs_of(inputs, 0)),
                 back = child(1).output_shapes(inputs_of(inputs, 1));
    Shapes outputs{there[0]};
    if (merge_mode_ == "none") outputs.push_back(back[0]);
    if (merge_mode_ == "concat") outputs[0][outputs[0].rank() - 1] += back[0].back();
    GLIA_CHECK(merge_mode_ == "concat" || merge_mode_ == "none" || there[0] == back[0], ShapeError,
               "layer \"", name, "\" (Bidirectional) cannot merge rows of shape ", there[0], " and of shape ",
               back[0], " by \"", merge_mode_, "\": give both as many units, or use \"concat\"");
    for (const Shapes& shapes : {there, back})
      outputs.insert(outputs.end(), shapes.begin() + 1, shapes.end());
    return outputs;
  }
  void specify(const Shapes& inputs) override {
    for (const int way : {0, 1}) child(way).specify(inputs_of(inputs, way));
    LayerNode::specify(inputs);
  }

  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override {
    std::vector<Emission> ways;
    for (const int way : {0, 1}) {
      const Emitter::Of of(e, child(way).name);
      ways.push_back(child(way).emit(e, inputs_of(inputs, way)));
    }
    Emission result;
    const Operand &there = ways[0].outputs[0], &back = ways[1].outputs[0];
    if (merge_mode_ == "none")
      result.outputs = {there, back};
    else
      result.outputs = {{merged(e, there.view, back.view), there.mask}};
    for (const Emission& way : ways)
      result.outputs.insert(result.outputs.end(), way.outputs.begin() + 1, way.outputs.end());
    result.backward = [=, this, inputs = inputs.size()](Emitter& e, const std::vector<View>& gradients,
                                                        const std::vector<bool>& wanted) {
      return emit_backward(e, ways, gradients, wanted, inputs);
    };
    return result;
  }

 private:
  LayerNode& child(int way) const { return children[static_cast<std::size_t>(way)].node(); }

  /// Of what it is applied to, what a way is: the sequence, and its half of the states.
  template <class Inputs>
  Inputs inputs_of(const Inputs& inputs, int way) const {
    GLIA_CHECK(inputs.size() % 2 == 1, ShapeError, "layer \"", name,
               "\" (Bidirectional) takes a sequence and initial states for both ways, got ",
               inputs.size() - 1, " states");
    const auto half = static_cast<std::ptrdiff_t>(inputs.size() / 2);
    Inputs result{inputs[0]};
    const auto first = inputs.begin() + 1 + way * half;
    result.insert(result.end(), first, first + half);
    return result;
  }

  View merged(Emitter& e, const View& a, const View& b) const {
    if (merge_mode_ == "mul") return emit_binary(e, binary::Multiply{}, a, b, a.shape);
    if (merge_mode_ == "concat") {
      const int axis = a.shape.rank() - 1;
      Shape wide = a.shape;
      wide[axis] += b.shape[axis];
      const View out = e.temporary(wide);
      e.add(op::Copy{a, out.part(axis, 0, a.shape[axis])});
      e.add(op::Copy{b, out.part(axis, a.shape[axis], b.shape[axis])});
      return out;
    }
    const View out = e.temporary(a.shape);
    e.add(op::Combine{share(), share(), a, b, out});
    return out;
  }
  double share() const { return merge_mode_ == "ave" ? 0.5 : 1; }

  /// The gradients of both ways' outputs, from that of what was merged.
  std::pair<View, View> unmerged(Emitter& e, const View& gradient, const View& a, const View& b) const {
    if (merge_mode_ == "sum") return {gradient, gradient};
    if (merge_mode_ == "mul")
      return {emit_binary(e, binary::Multiply{}, gradient, b, a.shape),
              emit_binary(e, binary::Multiply{}, gradient, a, a.shape)};
    if (merge_mode_ == "concat") {
      const int axis = a.shape.rank() - 1;
      return {contiguous_copy(e, gradient.part(axis, 0, a.shape[axis])),
              contiguous_copy(e, gradient.part(axis, a.shape[axis], b.shape[axis]))};
    }
    const View half = e.temporary(gradient.shape);
    e.add(op::Map{Rescale{0.5, 0}, gradient, half});
    return {half, half};
  }

  std::vector<View> emit_backward(Emitter& e, const std::vector<Emission>& ways,
                                  const std::vector<View>& gradients, const std::vector<bool>& wanted,
                                  std::size_t inputs) const {
    std::pair<View, View> of_outputs;
    const std::size_t merged_outputs = merge_mode_ == "none" ? 2 : 1;
    if (merged_outputs == 2)
      of_outputs = {gradients[0], gradients[1]};
    else if (gradients[0])
      of_outputs = unmerged(e, gradients[0], ways[0].outputs[0].view, ways[1].outputs[0].view);
    std::vector<View> result(inputs);
    auto next = gradients.begin() + static_cast<std::ptrdiff_t>(merged_outputs);
    for (const int way : {0, 1}) {
      const Emission& emission = ways[static_cast<std::size_t>(way)];
      std::vector<View> of_way{way == 0 ? of_outputs.first : of_outputs.second};
      for (std::size_t i = 1; i < emission.outputs.size(); ++i) of_way.push_back(*next++);
      if (std::none_of(of_way.begin(), of_way.end(), [](const View& v) { return static_cast<bool>(v); }))
        continue;
      const Emitter::Of of(e, child(way).name);
      const std::vector<View> back = emission.backward(e, of_way, inputs_of_wanted(wanted, way));
      for (std::size_t i = 1; i < back.size(); ++i)
        result[i + static_cast<std::size_t>(way) * (inputs / 2)] = back[i];
      if (result[0] && back[0]) {
        const View sum = e.temporary(back[0].shape);
        e.add(op::Combine{1, 1, result[0], back[0], sum});
        result[0] = sum;
      } else if (back[0]) {
        result[0] = back[0];
      }
    }
    return result;
  }
  std::vector<bool> inputs_of_wanted(const std::vector<bool>& wanted, int way) const {
    return inputs_of(wanted, way);
  }

  std::string merge_mode_;
};

/// A copy as one of the two ways, under a name that says which.
Layer way_of(const Layer& layer, const char* prefix) {
  GLIA_CHECK(recurrent_node(layer), ValueError, "Bidirectional got a layer of the class ", layer.type(),
             ", expected SimpleRNN, LSTM or GRU");
  const Layer copy = LayerCopies().of(layer);
  LayerNode& node = copy.node();
  std::string base = layer.node().name;
  if (base.empty() || layer.node().named_by_model)
    base = node.type() == std::string("SimpleRNN") ? "simple_rnn"
           : node.type() == std::string("LSTM")    ? "lstm"
                                                   : "gru";
  node.name = base.starts_with(prefix) ? base : prefix + base;
  node.named_by_model = false;
  return copy;
}

std::shared_ptr<LayerNode> bidirectional(const Layer& there, const Layer& back,
                                         const BidirectionalOptions& options) {
  constexpr const char* modes[] = {"concat", "sum", "mul", "ave", "none"};
  GLIA_CHECK(std::find(std::begin(modes), std::end(modes), options.merge_mode) != std::end(modes), ValueError,
             "Bidirectional got merge_mode \"", options.merge_mode,
             "\", expected \"concat\", \"sum\", \"mul\", \"ave\" or \"none\"");
  const RecurrentOptions &of_there = recurrent_node(there)->options(),
                         &of_back = recurrent_node(back)->options();
  GLIA_CHECK(of_there.go_backwards != of_back.go_backwards, ValueError,
             "Bidirectional got two layers with go_backwards = ", of_there.go_backwards ? "true" : "false",
             ", expected one of each");
  GLIA_CHECK(
      of_there.return_sequences == of_back.return_sequences && of_there.return_state == of_back.return_state,
      ValueError,
      "Bidirectional got two layers that return other things, expected the same return_sequences and "
      "return_state of both");
  recurrent_node(there)->be_within_bidirectional(false);
  recurrent_node(back)->be_within_bidirectional(true);
  auto node = make_node<BidirectionalNode>(there, back, options.merge_mode);
  node->name = options.name;
  if (!options.trainable)
    for (LayerNode* each : all_nodes(*node)) each->trainable = false;
  node->declare_input_shape(there.node().declared_input_shape);
  return node;
}

/// One with a name keeps it, as in Keras.
Layer given_way(const Layer& layer) {
  const Layer copy = way_of(layer, "backward_");
  const LayerNode& node = layer.node();
  if (!node.name.empty() && !node.named_by_model) copy.node().name = node.name;
  return copy;
}

Layer other_way(const Layer& layer) {
  const Layer back = way_of(layer, "backward_");
  recurrent_node(back)->go_the_other_way();
  return back;
}

constexpr LayerClass classes[] = {{"Bidirectional", [](Config& config) -> Layer {
                                     std::vector<Layer> layers;
                                     BidirectionalOptions options;
                                     list(config, layers, options.merge_mode);
                                     GLIA_CHECK(layers.size() == 2, ValueError, "Bidirectional got ",
                                                layers.size(), " layers, expected two");
                                     return Bidirectional(layers[0], layers[1], options);
                                   }}};

}  // namespace

LayerClasses bidirectional_classes() { return classes; }

Bidirectional::Bidirectional(const Layer& layer, const BidirectionalOptions& options)
    : Layer(bidirectional(way_of(layer, "forward_"), other_way(layer), options)) {}
Bidirectional::Bidirectional(const Layer& layer, const Layer& backward_layer,
                             const BidirectionalOptions& options)
    : Layer(bidirectional(way_of(layer, "forward_"), given_way(backward_layer), options)) {}

}  // namespace glia

// Add, Subtract, Multiply, Average, Maximum, Minimum and Concatenate; and quotients, which formulas have.
// SPDX-License-Identifier: Apache-2.0
#include <glia/merging_layers.h>
#include <host/layers/config.h>
#include <host/layers/formulas.h>
#include <host/layers/layer_classes.h>
#include <host/layers/merging.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

namespace glia {
namespace {

/// What is not masked in any of them; nothing is masked where one has no mask, as in Keras.
View emit_common_mask(Emitter& e, const LayerNode& layer, const std::vector<Operand>& inputs) {
  View common = inputs[0].mask;
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const View& mask = inputs[i].mask;
    if (!common || !mask || mask.shape.rank() != common.shape.rank() ||
        inputs[i].view.shape.rank() != inputs[0].view.shape.rank())
      return {};
    const Shape steps = broadcast_shape(layer, common.shape.row(), mask.shape.row());
    common = emit_binary(e, binary::Maximum{}, common, mask, steps.prepend(mask.shape[0]));
  }
  return common;
}

/// x where `mask`, which lies beside its features, is not 0; else a number.
View emit_kept(Emitter& e, const LayerNode& layer, const View& x, const View& mask, double otherwise) {
  const Shape row = broadcast_shape(layer, x.shape.row(), mask.shape.row());
  return emit_binary(e, binary::Keep{otherwise}, x, mask, row.prepend(x.shape[0]));
}
View kept_gradient(Emitter& e, const View& x, const View& mask, const View& kept, const View& gradient) {
  return binary_gradients(e, binary::Keep{}, x, mask, kept, gradient, true, false).first;
}

/// A function of two, from the first input to the last.
class MergeNode final : public LayerNode {
 public:
  struct Kind {
    const char* type;
    BinaryFunction function;
    bool is_average = false;  ///< of the sum
    bool of_two = false;      ///< and no more
    /// What says nothing to the function, and stands in the place of what is masked; none where masked elements are like others.
    std::optional<double> neutral = {};
  };
  explicit MergeNode(const Kind& kind) : kind_(kind) {}

  const char* type() const override { return kind_.type; }
  void describe(Config&) override {}

  Shapes output_shapes(const Shapes& inputs) const override {
    GLIA_CHECK(inputs.size() == 2 || (inputs.size() > 2 && !kind_.of_two), ShapeError, "layer \"", name,
               "\" (", kind_.type, ") merges ", kind_.of_two ? "two" : "at least two", " inputs, got ",
               inputs.size());
    Shape shape = inputs[0];
    for (std::size_t i = 1; i < inputs.size(); ++i) shape = broadcast_shape(*this, shape, inputs[i]);
    return {shape};
  }

  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override {
    const View common = emit_common_mask(e, *this, inputs);
    const std::vector<View> masks = masks_of_values(e, inputs, common);
    std::vector<View> parts;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      parts.push_back(masks[i] ? emit_kept(e, *this, inputs[i].view, masks[i], *kind_.neutral)
                               : inputs[i].view);
    std::vector<View> steps{parts[0]};  // what came of the inputs up to each
    Shape row = parts[0].shape.row();
    for (std::size_t i = 1; i < parts.size(); ++i) {
      row = broadcast_shape(*this, row, parts[i].shape.row());
      steps.push_back(emit_binary(e, kind_.function, steps.back(), parts[i], row.prepend(steps[0].shape[0])));
    }
    View out = steps.back();
    const double share = kind_.is_average ? 1.0 / static_cast<double>(inputs.size()) : 1;
    if (kind_.is_average) {
      out = e.temporary(out.shape);
      e.add(op::Map{Rescale{share, 0}, steps.back(), out});
    }
    const bool zeroes = common && std::holds_alternative<binary::Multiply>(kind_.function);
    const View product = out, counted = zeroes ? beside_features(common, out) : View{};
    if (zeroes) out = emit_kept(e, *this, product, counted, 0);
    return {{{out, common}},
            [=, this](Emitter& e, const std::vector<View>& gradients, const std::vector<bool>& wanted) {
              View gradient = zeroes ? kept_gradient(e, product, counted, out, gradients[0]) : gradients[0];
              if (kind_.is_average) {
                gradient = e.temporary(gradients[0].shape);
                e.add(op::Map{Rescale{share, 0}, gradients[0], gradient});
              }
              std::vector<View> result(inputs.size());
              for (std::size_t i = inputs.size(); --i > 0 && gradient;) {
                bool wants_before = false;
                for (std::size_t before = 0; before < i; ++before)
                  wants_before = wants_before || wanted[before];
                std::tie(gradient, result[i]) = binary_gradients(e, kind_.function, steps[i - 1], parts[i],
                                                                 steps[i], gradient, wants_before, wanted[i]);
              }
              result[0] = gradient;
              for (std::size_t i = 0; i < inputs.size(); ++i)
                if (masks[i] && result[i])
                  result[i] = kept_gradient(e, inputs[i].view, masks[i], parts[i], result[i]);
              return result;
            }};
  }

 private:
  /// By which what is masked of each input is left out, empty where nothing is. Where all inputs have a mask and a step counts in
  /// none, a maximum or minimum is what the first input has, as in Keras.
  std::vector<View> masks_of_values(Emitter& e, const std::vector<Operand>& inputs,
                                    const View& common) const {
    std::vector<View> masks(inputs.size());
    if (!kind_.neutral) return masks;
    int rank = 0;
    for (const Operand& input : inputs) rank = std::max(rank, input.view.shape.rank());
    // Keras loses the masks of inputs to which it gives axes.
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i].mask && inputs[i].view.shape.rank() == rank)
        masks[i] = beside_features(inputs[i].mask, inputs[i].view);
    if (common && !std::holds_alternative<binary::Multiply>(kind_.function)) {
      const View in_none = e.temporary(common.shape);
      e.add(op::Map{Rescale{-1, 1}, common, in_none});
      masks[0] = beside_features(emit_binary(e, binary::Maximum{}, inputs[0].mask, in_none, common.shape),
                                 inputs[0].view);
    }
    return masks;
  }

  Kind kind_;
};

Layer merging(const MergeNode::Kind& kind, const std::string& name) {
  auto node = make_node<MergeNode>(kind);
  node->name = name;
  return Layer(std::move(node));
}

/// Masks behind each other, with ones for what has none; empty where none has.
View emit_joint_mask(Emitter& e, const std::vector<Operand>& inputs) {
  const auto has_mask = [](const Operand& input) { return static_cast<bool>(input.mask); };
  const auto is_step_mask = [](const Operand& input) { return !input.mask || input.mask.shape.rank() == 2; };
  if (std::none_of(inputs.begin(), inputs.end(), has_mask) ||
      !std::all_of(inputs.begin(), inputs.end(), is_step_mask))
    return {};
  std::int64_t steps = 0, first = 0;
  for (const Operand& input : inputs) steps += input.view.shape[1];
  const View joint = e.temporary({inputs[0].view.shape[0], steps});
  for (const Operand& input : inputs) {
    const std::int64_t count = input.view.shape[1];
    View mask = input.mask;
    if (!mask) e.add(op::Fill{mask = e.temporary({joint.shape[0], count}), 1});
    e.add(op::Copy{mask, joint.part(1, first, count)});
    first += count;
  }
  return joint;
}

class ConcatenateNode final : public LayerNode {
 public:
  explicit ConcatenateNode(int axis) : axis_(axis) {}

  const char* type() const override { return "Concatenate"; }
  void describe(Config& config) override { config.field("axis", axis_); }

  Shapes output_shapes(const Shapes& inputs) const override {
    GLIA_CHECK(inputs.size() >= 2, ShapeError, "layer \"", name,
               "\" (Concatenate) merges at least two inputs, got ", inputs.size());
    Shape shape = inputs[0];
    const int axis = row_axis(*this, axis_, shape);
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      bool fits = inputs[i].rank() == shape.rank();
      for (int other = 0; fits && other < shape.rank(); ++other)
        fits = other == axis || inputs[i][other] == shape[other];
      GLIA_CHECK(fits, ShapeError, "layer \"", name, "\" (Concatenate) cannot put rows of shape ", inputs[i],
                 " behind rows of shape ", inputs[0], " along axis ", axis + 1,
                 ": all other axes must be equally long");
      shape[axis] += inputs[i][axis];
    }
    return {shape};
  }

  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override {
    Shapes rows;
    for (const Operand& input : inputs) rows.push_back(input.view.shape.row());
    const int axis = 1 + row_axis(*this, axis_, rows[0]);
    const View out = e.temporary(output_shapes(rows)[0].prepend(inputs[0].view.shape[0]));
    std::vector<std::pair<std::int64_t, std::int64_t>> places;
    std::int64_t first = 0;
    for (const Operand& input : inputs) {
      const std::int64_t count = input.view.shape[axis];
      e.add(op::Copy{input.view, out.part(axis, first, count)});
      places.emplace_back(first, count);
      first += count;
    }
    // Along the steps, masks lie behind each other as they do.
    return {{{out, axis > 1 ? emit_common_mask(e, *this, inputs) : emit_joint_mask(e, inputs)}},
            [=](Emitter& e, const std::vector<View>& gradients, const std::vector<bool>& wanted) {
              std::vector<View> result(places.size());
              for (std::size_t i = 0; i < places.size(); ++i)
                if (wanted[i])
                  result[i] = contiguous_copy(e, gradients[0].part(axis, places[i].first, places[i].second));
              return result;
            }};
  }

 private:
  int axis_;
};

constexpr LayerClass classes[] = {
    {"Add", plain_layer<Add>},
    {"Subtract", plain_layer<Subtract>},
    {"Multiply", plain_layer<Multiply>},
    {"Average", plain_layer<Average>},
    {"Maximum", plain_layer<Maximum>},
    {"Minimum", plain_layer<Minimum>},
    {"Divide", [](Config&) { return divide_layer(); }},
    {"Concatenate",
     [](Config& config) -> Layer {
       int axis = -1;
       config.field("axis", axis);
       return Concatenate(axis);
     }},
};

}  // namespace

LayerClasses merging_classes() { return classes; }

Layer divide_layer() { return merging({"Divide", binary::Divide{}, false, true}, ""); }

Add::Add(const std::string& name) : Layer(merging({"Add", binary::Add{}}, name)) {}
Subtract::Subtract(const std::string& name)
    : Layer(merging({"Subtract", binary::Subtract{}, false, true}, name)) {}
Multiply::Multiply(const std::string& name)
    : Layer(merging({.type = "Multiply", .function = binary::Multiply{}, .neutral = 1}, name)) {}
Average::Average(const std::string& name) : Layer(merging({"Average", binary::Add{}, true}, name)) {}
Maximum::Maximum(const std::string& name)
    : Layer(merging({.type = "Maximum", .function = binary::Maximum{}, .neutral = -HUGE_VAL}, name)) {}
Minimum::Minimum(const std::string& name)
    : Layer(merging({.type = "Minimum", .function = binary::Minimum{}, .neutral = HUGE_VAL}, name)) {}
Concatenate::Concatenate(int axis, const std::string& name) : Layer(make_node<ConcatenateNode>(axis)) {
  node().name = name;
}

Symbol add(const Symbols& inputs) { return Add()(inputs); }
Symbol subtract(const Symbols& inputs) { return Subtract()(inputs); }
Symbol multiply(const Symbols& inputs) { return Multiply()(inputs); }
Symbol average(const Symbols& inputs) { return Average()(inputs); }
Symbol maximum(const Symbols& inputs) { return Maximum()(inputs); }
Symbol minimum(const Symbols& inputs) { return Minimum()(inputs); }
Symbol concatenate(const Symbols& inputs, int axis) { return Concatenate(axis)(inputs); }

}  // namespace glia

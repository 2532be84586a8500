// Add, Subtract, Multiply, Average, Maximum, Minimum and Concatenate; and quotients, which formulas have.
// SPDX-License-Identifier: Apache-2.0
#include <glia/merging_layers.h>
#include <host/layers/config.h>
#include <host/layers/formulas.h>
#include <host/layers/layer_classes.h>
#include <host/layers/merging.h>

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>

namespace glia {
namespace {

/// What is not masked in any of them; nothing is masked where one has no mask, as in Keras.
View emit_common_mask(Emitter& e, const std::vector<Operand>& inputs) {
  View common = inputs[0].mask;
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const View& mask = inputs[i].mask;
    if (!common || !mask || mask.shape != common.shape) return {};
    common = emit_binary(e, binary::Maximum{}, common, mask, mask.shape);
  }
  return common;
}

/// A function of two, from the first input to the last.
class MergeNode final : public LayerNode {
 public:
  struct Kind {
    const char* type;
    BinaryFunction function;
    bool is_average = false;  ///< of the sum
    bool of_two = false;      ///< and no more
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
    std::vector<View> steps{inputs[0].view};  // what came of the inputs up to each
    Shape row = inputs[0].view.shape.row();
    for (std::size_t i = 1; i < inputs.size(); ++i) {
      row = broadcast_shape(*this, row, inputs[i].view.shape.row());
      steps.push_back(
          emit_binary(e, kind_.function, steps.back(), inputs[i].view, row.prepend(steps[0].shape[0])));
    }
    View out = steps.back();
    const double share = kind_.is_average ? 1.0 / static_cast<double>(inputs.size()) : 1;
    if (kind_.is_average) {
      out = e.temporary(out.shape);
      e.add(op::Map{Rescale{share, 0}, steps.back(), out});
    }
    return {{{out, emit_common_mask(e, inputs)}},
            [=, this](Emitter& e, const std::vector<View>& gradients, const std::vector<bool>& wanted) {
              View gradient = gradients[0];
              if (kind_.is_average) {
                gradient = e.temporary(gradients[0].shape);
                e.add(op::Map{Rescale{share, 0}, gradients[0], gradient});
              }
              std::vector<View> result(inputs.size());
              for (std::size_t i = inputs.size(); --i > 0 && gradient;) {
                bool wants_before = false;
                for (std::size_t before = 0; before < i; ++before)
                  wants_before = wants_before || wanted[before];
                std::tie(gradient, result[i]) =
                    binary_gradients(e, kind_.function, steps[i - 1], inputs[i].view, steps[i], gradient,
                                     wants_before, wanted[i]);
              }
              result[0] = gradient;
              return result;
            }};
  }

 private:
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
    return {{{out, axis > 1 ? emit_common_mask(e, inputs) : emit_joint_mask(e, inputs)}},
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
Multiply::Multiply(const std::string& name) : Layer(merging({"Multiply", binary::Multiply{}}, name)) {}
Average::Average(const std::string& name) : Layer(merging({"Average", binary::Add{}, true}, name)) {}
Maximum::Maximum(const std::string& name) : Layer(merging({"Maximum", binary::Maximum{}}, name)) {}
Minimum::Minimum(const std::string& name) : Layer(merging({"Minimum", binary::Minimum{}}, name)) {}
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

// Masking, and what averages over the steps that are not masked.
// SPDX-License-Identifier: Apache-2.0
#include <glia/sequence_layers.h>
#include <host/layers/config.h>
#include <host/layers/formulas.h>
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>

#include <cmath>

namespace glia {
namespace {

/// Throws ShapeError for rows that are no sequences.
void expect_steps(const LayerNode& node, const Shape& rows) {
  GLIA_CHECK(rows.rank() >= 2 && rows.elements() > 0, ShapeError, "layer \"", node.name, "\" (", node.type(),
             ") needs rows of shape (steps, features), at least one of each, got rows of shape ", rows);
}

class MaskingNode final : public LayerNode {
 public:
  explicit MaskingNode(double mask_value) : mask_value_(mask_value) {}

  const char* type() const override { return "Masking"; }
  void describe(Config& config) override { config.field("mask_value", mask_value_); }
  Shapes output_shapes(const Shapes& inputs) const override {
    GLIA_CHECK(inputs.size() == 1, ShapeError, "layer \"", name, "\" (Masking) takes one input, got ",
               inputs.size());
    expect_steps(*this, inputs[0]);
    return inputs;
  }

  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override {
    const View& x = inputs[0].view;
    Shape steps = x.shape.slice(0, x.shape.rank() - 1);
    const View mask = e.temporary(steps);
    e.add(op::Mask{x.matrix(), mask.reshaped({mask.elements()}), mask_value_});
    steps.push_back(1);
    const View factor = mask.reshaped(steps);
    const View y = emit_binary(e, binary::Multiply{}, x, factor, x.shape);
    return {{{y, mask}},
            [=](Emitter& e, const std::vector<View>& gradients, const std::vector<bool>& wanted) {
              return std::vector<View>{
                  wanted[0] ? emit_binary(e, binary::Multiply{}, gradients[0], factor, x.shape) : View{}};
            }};
  }

 private:
  double mask_value_;
};

/// The mean over the steps: of those that are not masked, where there is a mask.
class StepsAverageNode final : public LayerNode {
 public:
  explicit StepsAverageNode(bool keepdims) : keepdims_(keepdims) {}

  const char* type() const override { return "GlobalAveragePooling1D"; }
  void describe(Config& config) override { config.field("keepdims", keepdims_); }
  Shapes output_shapes(const Shapes& inputs) const override {
    GLIA_CHECK(inputs.size() == 1 && inputs[0].rank() == 2 && inputs[0].elements() > 0, ShapeError,
               "layer \"", name,
               "\" (GlobalAveragePooling1D) needs one input with rows of shape (steps, features), got ",
               inputs.size(), " with rows of shape ", inputs.empty() ? Shape{} : inputs[0]);
    return {keepdims_ ? Shape{1, inputs[0][1]} : Shape{inputs[0][1]}};
  }

  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override {
    const View &x = inputs[0].view, &mask = inputs[0].mask;
    const Shape sums{x.shape[0], 1, x.shape[2]}, out = output_shapes({x.shape.row()})[0].prepend(x.shape[0]);
    if (!mask) {
      const double share = 1 / static_cast<double>(x.shape[1]);
      return {{{emit_sum(e, x, 1, share).reshaped(out)}},
              [=](Emitter& e, const std::vector<View>& gradients, const std::vector<bool>& wanted) {
                if (!wanted[0]) return std::vector<View>{{}};
                const View shared = e.temporary(sums);
                e.add(op::Map{Rescale{share, 0}, gradients[0].reshaped(sums), shared});
                return std::vector<View>{contiguous_copy(e, shared.broadcast_to(x.shape))};
              }};
    }
    const View factor = beside_features(mask, x);
    const View sum = emit_sum(e, emit_binary(e, binary::Multiply{}, x, factor, x.shape), 1);
    const View count = emit_sum(e, factor, 1);  // of no step the mean is NaN, as in Keras
    return {{{emit_binary(e, binary::Divide{}, sum, count, sums).reshaped(out)}},
            [=](Emitter& e, const std::vector<View>& gradients, const std::vector<bool>& wanted) {
              if (!wanted[0]) return std::vector<View>{{}};
              const View shared = emit_binary(e, binary::Divide{}, gradients[0].reshaped(sums), count, sums);
              return std::vector<View>{emit_binary(e, binary::Multiply{}, shared, factor, x.shape)};
            }};
  }

 private:
  bool keepdims_;
};

constexpr LayerClass classes[] = {
    {"Masking",
     [](Config& config) -> Layer {
       double mask_value = 0;
       config.field("mask_value", mask_value);
       return Masking(mask_value);
     }},
    {"GlobalAveragePooling1D",
     [](Config& config) -> Layer {
       bool keepdims = false;
       config.field("keepdims", keepdims);
       return GlobalAveragePooling1D(keepdims);
     }},
};

}  // namespace

LayerClasses masking_classes() { return classes; }

Masking::Masking(double mask_value, const std::string& name) : Layer(make_node<MaskingNode>(mask_value)) {
  GLIA_CHECK(std::isfinite(mask_value), ValueError, "Masking got mask_value ", mask_value,
             ", expected a finite number: nothing equals NaN");
  node().name = name;
}

GlobalAveragePooling1D::GlobalAveragePooling1D(bool keepdims, const std::string& name)
    : Layer(make_node<StepsAverageNode>(keepdims)) {
  node().name = name;
}

}  // namespace glia

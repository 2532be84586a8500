// Layer: the handle's side: what a layer is applied to, and its weights.
// SPDX-License-Identifier: Apache-2.0
#include <glia/in_use.h>
#include <glia/layers.h>
#include <host/base/memory.h>  // defines: checked_elements
#include <host/layers/application.h>
#include <host/layers/layer_node.h>

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

namespace glia {

const Shape& Symbol::shape() const { return application_->outputs[static_cast<std::size_t>(output_)]; }
Layer Symbol::layer() const { return application_->layer; }

Symbols::Symbols(const Input& input) : symbols_{input} {}

std::string name_of(const Symbol& symbol) {
  const std::string& name = symbol.layer().name();
  const std::string text = name.empty() ? symbol.layer().type() : name;
  if (symbol.application().outputs.size() == 1) return text;
  return text + '[' + std::to_string(symbol.output_index()) + ']';
}

const std::string& Layer::name() const { return node_->name; }
std::string Layer::type() const { return node_->type(); }

std::vector<Symbol> Layer::apply(const Symbols& inputs) const {
  LayerNode& node = *node_;
  Shapes shapes;
  for (const Symbol& input : inputs) shapes.push_back(input.shape());
  GLIA_CHECK(!shapes.empty(), ValueError, "layer \"", node.name, "\" (", node.type(),
             ") was applied to no symbol, expected at least one");
  GLIA_CHECK(node.declared_input_shape.empty() || node.declared_input_shape == shapes[0], ShapeError,
             "layer \"", node.name, "\" was given input_shape ", node.declared_input_shape,
             ", but its input has rows of shape ", shapes[0], ": correct one of them");
  Shapes outputs = node.output_shapes(shapes);
  for (const Shape& shape : outputs) checked_elements(shape);  // throws where 64 bits do not hold them
  node.specify(shapes);
  // Not by make_shared: what is remembered of it when it is gone is to be small.
  const std::shared_ptr<const Application> application(
      new Application{*this, {inputs.begin(), inputs.end()}, std::move(outputs)});
  node.applications.push_back(application);
  std::vector<Symbol> symbols;
  for (std::size_t i = 0; i < application->outputs.size(); ++i)
    symbols.emplace_back(application, static_cast<int>(i));
  return symbols;
}

Symbol Layer::operator()(const Symbols& inputs) const {
  const std::vector<Symbol> outputs = apply(inputs);
  GLIA_CHECK(outputs.size() == 1, StateError, "layer \"", name(), "\" (", type(), ") has ", outputs.size(),
             " outputs: apply() gives them all");
  return outputs[0];
}

namespace {

/// The application of this number; -1: the only one that is still there.
std::shared_ptr<const Application> application_of(const LayerNode& node, int number) {
  const int count = static_cast<int>(node.applications.size());
  GLIA_CHECK(number < count, ValueError, "layer \"", node.name, "\" (", node.type(), ") got application ",
             number, ", expected 0 to ", count - 1);
  std::shared_ptr<const Application> found;
  int alive = 0;
  for (int i = 0; i < count; ++i) {
    auto application = node.applications[static_cast<std::size_t>(i)].lock();
    if (!application || (number >= 0 && i != number)) continue;
    found = std::move(application);
    ++alive;
  }
  GLIA_CHECK(alive > 0, StateError, "layer \"", node.name, "\" (", node.type(),
             ") was applied to no symbol that is still there: build its model first, or apply it");
  GLIA_CHECK(alive == 1, StateError, "layer \"", node.name, "\" (", node.type(), ") was applied ", alive,
             " times: say which, output(0) to output(", count - 1, ")");
  return found;
}

Symbol output_of(const LayerNode& node, int number) {
  std::shared_ptr<const Application> application = application_of(node, number);
  GLIA_CHECK(application->outputs.size() == 1, StateError, "layer \"", node.name, "\" (", node.type(),
             ") has ", application->outputs.size(), " outputs: keep the symbols that apply() gave");
  return {std::move(application), 0};
}

}  // namespace

Symbol Layer::input() const {
  const std::shared_ptr<const Application> application = application_of(*node_, -1);
  GLIA_CHECK(application->inputs.size() == 1, StateError, "layer \"", name(), "\" (", type(), ") has ",
             application->inputs.size(), " inputs, expected one");
  return application->inputs[0];
}
Symbol Layer::output() const { return output_of(*node_, -1); }
Symbol Layer::output(int application) const {
  GLIA_CHECK(application >= 0, ValueError, "got application ", application, ", expected 0 or more");
  return output_of(*node_, application);
}

void Layer::set_trainable(bool trainable) {
  for (LayerNode* node : all_nodes(*node_)) node->trainable = trainable;
}
bool Layer::trainable() const { return node_->trainable; }

namespace {

/// Builds the layer where a model that has it knows its shape. Throws StateError where none does.
void expect_built(const LayerNode& node) {
  const auto all = all_nodes(node);
  const auto is_built = [&] {
    return std::all_of(all.begin(), all.end(),
                       [](const LayerNode* each) { return each->is_scope() || each->has_weights(); });
  };
  if (is_built()) return;
  bool in_model = false;
  for (const std::weak_ptr<Builder>& builder : std::vector(node.builders)) {
    const std::shared_ptr<Builder> model = builder.lock();
    if (!model) continue;
    in_model = true;
    model->build_if_declared();
    if (is_built()) return;
  }
  GLIA_CHECK(in_model, StateError, "layer \"", node.name, "\" (", node.type(),
             ") is not built, since it is in no model: put it into one and give that an input shape");
  throw StateError(detail::concat("layer \"", node.name, "\" (", node.type(),
                                  ") is not built: give the model an input shape, or fit or predict first"));
}

/// Variables of a layer and of those within it, in use by the calling thread alone, and by no work that is under way.
class LayerWeights {
 public:
  explicit LayerWeights(const LayerNode& layer) {
    expect_built(layer);
    for (const LayerNode* node : all_nodes(layer)) {
      for (const Variable& variable : node->variables) {
        variables.push_back(&variable);
        owners.push_back(node);
        for (const Context& context : variable.block->contexts()) hold(context);
      }
    }
    if (marks_.size() > 1)
      for (const Context& context : contexts_) context.backend().synchronize();
  }

  void set(const std::vector<TensorView>& values) const {
    write(variables, values, [this](std::size_t i) { return owners[i]->name + '/' + variables[i]->name; });
  }

  std::vector<const Variable*> variables;
  std::vector<const LayerNode*> owners;

 private:
  void hold(const Context& context) {
    for (const Context& held : contexts_)
      if (&held.backend() == &context.backend()) return;
    contexts_.push_back(context);
    marks_.push_back(
        std::make_unique<detail::InUse::Hold>(context.backend().in_use(), Backend::in_use_elsewhere));
  }

  std::vector<Context> contexts_;  // before their marks
  std::vector<std::unique_ptr<detail::InUse::Hold>> marks_;
};

}  // namespace

std::int64_t Layer::count_params() const {
  expect_built(*node_);
  std::int64_t count = 0;
  for (const LayerNode* node : all_nodes(*node_))
    for (const Variable& variable : node->variables) count += variable.shape.elements();
  return count;
}

Shape Layer::output_shape() const {
  expect_built(*node_);
  return node_->output_shape;
}

TensorList Layer::get_weights() const {
  const LayerWeights weights(*node_);
  TensorList values;
  for (const Variable* variable : weights.variables) values.push_back(read(*variable));
  return values;
}

void Layer::set_weights(const std::vector<Tensor>& weights) {
  LayerWeights(*node_).set({weights.begin(), weights.end()});
}
void Layer::set_weights(std::initializer_list<TensorView> weights) { LayerWeights(*node_).set(weights); }

}  // namespace glia

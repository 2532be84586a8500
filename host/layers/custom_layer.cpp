// Layers of the application's own: the node that emits a Custom for the forward and for the backward body.
// SPDX-License-Identifier: Apache-2.0
#include <glia/custom_layer.h>
#include <host/base/escaped.h>
#include <host/layers/config.h>
#include <host/layers/custom_body.h>
#include <host/layers/layer_classes.h>
#include <host/layers/layer_node.h>

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

namespace glia {
namespace {

using Role = op::Custom::Role;
using Part = op::Custom::Part;

/// The object and its class's bodies. What backends prepare may outlive the layer: it keeps this.
class LayerBody final : public CustomBody {
 public:
  LayerBody(std::shared_ptr<const CustomLayer> own, const detail::CustomLayerClass& of_class)
      : own_(std::move(own)), class_(of_class) {}

  std::string words() const override {
    return name.empty() ? detail::concat("layer ", own_->type())
                        : detail::concat("layer \"", name, "\" (", own_->type(), ')');
  }
  void expect(Part part, const Device& device, DType dtype) const override { function(part, device, dtype); }
  void run(const Device& device, const CustomCall& call) const override {
    function(call.descriptor.part, device, call.descriptor.dtype)(*own_, call);
  }

  const CustomLayer& own() const { return *own_; }
  const detail::CustomLayerClass& of_class() const { return class_; }

  std::string name;  ///< the layer's

 private:
  detail::CustomFunction<CustomLayer> function(Part part, const Device& device, DType dtype) const {
    return part == Part::forward
               ? expect_body(class_.forward, words(), "forward", "Forward", device, dtype)
               : expect_body(class_.backward, words(), "backward", "Backward", device, dtype);
  }

  std::shared_ptr<const CustomLayer> own_;
  detail::CustomLayerClass class_;
};

void list(Config& config, LayerConfig& own) {
  config.field("numbers", own.numbers), config.field("words", own.words);
}

class CustomNode final : public LayerNode {
 public:
  CustomNode(std::shared_ptr<const CustomLayer> own, const detail::CustomLayerClass& of_class)
      : body_(std::make_shared<LayerBody>(std::move(own), of_class)), type_(body_->own().type()) {}
  CustomNode(const CustomNode& of) : LayerNode(of), type_(of.type_) {
    GLIA_CHECK(of.body_->of_class().copy, StateError, "layer \"", name, "\" (", type_,
               ") cannot be copied: its class has no copy constructor");
    body_ = std::make_shared<LayerBody>(of.body_->of_class().copy(of.body_->own()), of.body_->of_class());
  }

  const char* type() const override { return type_.c_str(); }
  bool is_of_application() const override { return true; }
  void describe(Config& config) override {
    LayerConfig own = body_->own().config();
    list(config, own);
  }
  bool can_train() const override {
    return std::any_of(variables.begin(), variables.end(), [](const Variable& v) { return v.trainable; });
  }
  bool gives_input_gradient() const override { return body_->of_class().backward.any(); }
  void expect_computes(const Device& device, DType dtype) const override {
    named_body().expect(Part::forward, device, dtype);
  }

  Shapes output_shapes(const Shapes& inputs) const override {
    Shapes outputs = body_->own().output_shapes(inputs);
    GLIA_CHECK(!outputs.empty(), ShapeError, "layer \"", name, "\" (", type_,
               ") says that it has no outputs, expected at least one: see its output_shapes");
    for (const Shape& shape : outputs) expect_dimensions(shape, "an output whose rows have");
    return outputs;
  }

  std::vector<Variable> variables_for(const Shapes& inputs) const override {
    std::vector<Variable> result;
    std::set<std::string> names;
    for (const CustomVariable& own : body_->own().variables(inputs)) {
      GLIA_CHECK(
          !own.name.empty() && own.name.find('/') == std::string::npos && names.insert(own.name).second,
          ValueError, "layer \"", name, "\" (", type_, ") has a variable named \"", own.name,
          "\", expected a name of its own for each, without a \"/\"");
      expect_dimensions(own.shape, "a variable of");
      check_options(own.initializer), check_options(own.regularizer), check_options(own.constraint);
      Variable variable{own.name, own.shape, own.initializer.value(), own.regularizer.value(),
                        own.constraint.value()};
      variable.trainable = own.trainable;
      result.push_back(std::move(variable));
    }
    return result;
  }

  Emission emit(Emitter& e, const std::vector<Operand>& inputs) const override {
    op::Custom forward{&named_body(), Part::forward, e.dtype(), e.trains(*this)};
    Shapes rows, batches;
    std::vector<View> in, out, saved;
    for (const Operand& input : inputs) {
      in.push_back(aligned(e, input.view));
      batches.push_back(input.view.shape), rows.push_back(input.view.shape.row());
    }
    for (const Shape& shape : output_shapes(rows)) out.push_back(e.temporary(shape.prepend(batches[0][0])));
    for (const Shape& shape : body_->own().saved(batches)) saved.push_back(e.temporary(shape));
    add(forward, Role::input, in), add(forward, Role::output, out);
    add_variables(e, forward), add(forward, Role::saved, saved), add_scratch(e, forward, batches);
    e.add(forward);

    Emission emission;
    for (const View& view : out) emission.outputs.push_back({view});
    if (inputs.size() == 1 && out.size() == 1) emission.outputs[0].mask = inputs[0].mask;
    emission.backward = [=, this, training = forward.training](Emitter& e, const std::vector<View>& gradients,
                                                               const std::vector<bool>& wanted) {
      std::vector<View> of_inputs(in.size());
      for (std::size_t i = 0; i < in.size(); ++i)
        if (wanted[i]) of_inputs[i] = e.temporary(batches[i]);
      std::vector<View> of_variables, of_outputs;
      for (const Variable& variable : variables)
        of_variables.push_back(e.trains(variable) ? e.gradient(variable) : View{});
      const auto is_there = [](const View& view) { return static_cast<bool>(view); };
      if (std::none_of(of_inputs.begin(), of_inputs.end(), is_there) &&
          std::none_of(of_variables.begin(), of_variables.end(), is_there))
        return of_inputs;
      for (const View& gradient : gradients) of_outputs.push_back(gradient ? aligned(e, gradient) : View{});
      const BackwardNeeds needs = body_->own().backward_needs();
      op::Custom backward{&named_body(), Part::backward, e.dtype(), training};
      add(backward, Role::input, needs.inputs ? in : std::vector<View>(in.size()));
      add(backward, Role::output, needs.outputs ? out : std::vector<View>(out.size()));
      add_variables(e, backward), add(backward, Role::saved, saved), add_scratch(e, backward, batches);
      add(backward, Role::output_gradient, of_outputs), add(backward, Role::input_gradient, of_inputs);
      add(backward, Role::variable_gradient, of_variables);
      e.add(backward);
      return of_inputs;
    };
    return emission;
  }

 private:
  /// The body, which says the name that the layer has now.
  const LayerBody& named_body() const {
    body_->name = name;
    return *body_;
  }
  void expect_dimensions(const Shape& shape, const char* what) const {
    for (const std::int64_t dimension : shape)
      GLIA_CHECK(dimension >= 1, ShapeError, "layer \"", name, "\" (", type_, ") says that it has ", what,
                 " shape ", shape, ", expected dimensions of at least 1");
  }
  static void add(op::Custom& call, Role role, const std::vector<View>& views) {
    for (const View& view : views) call.add(role, view);
  }
  void add_variables(Emitter& e, op::Custom& call) const {
    for (const Variable& variable : variables) call.add(Role::variable, e.value(variable));
  }
  void add_scratch(Emitter& e, op::Custom& call, const Shapes& batches) const {
    for (const Shape& shape : body_->own().scratch(batches)) call.add(Role::scratch, e.temporary(shape));
  }

  std::shared_ptr<LayerBody> body_;
  std::string type_;
};

/// How layers of the application's own are made. It lives as long as the process: a thread may ask for it to the end.
struct Registered {
  std::mutex mutex;
  std::map<std::string, Layer (*)(const LayerConfig&)> by_type;
};
Registered& registered() {
  static Registered& all = *new Registered;
  return all;
}

template <class T>
const T& value_of(const std::map<std::string, T>& values, const std::string& name) {
  const auto found = values.find(name);
  GLIA_CHECK(found != values.end(), ValueError, "a layer's config has no \"", name, "\"");
  return found->second;
}

}  // namespace

double LayerConfig::number(const std::string& name) const { return value_of(numbers, name); }
const std::string& LayerConfig::word(const std::string& name) const { return value_of(words, name); }

void register_layer(const std::string& type, Layer (*make)(const LayerConfig& config)) {
  GLIA_CHECK(!type.empty() && make, ValueError, "register_layer got ",
             type.empty() ? "no type" : "no function",
             ", expected a class's type() and what makes a layer of it");
  Registered& all = registered();
  const std::lock_guard<std::mutex> lock(all.mutex);
  all.by_type[type] = make;
}

Layer registered_layer(const std::string& type, Config& config) {
  LayerConfig own;
  list(config, own);
  Registered& all = registered();
  Layer (*make)(const LayerConfig&) = nullptr;
  {
    const std::lock_guard<std::mutex> lock(all.mutex);
    const auto found = all.by_type.find(type);
    if (found != all.by_type.end()) make = found->second;
  }
  const std::string shown = detail::escaped(type);
  GLIA_CHECK(make, ValueError, "the model has a layer of the application's own class ", shown,
             ", which is not registered here: call glia::register_layer(\"", shown, "\", ...) first");
  return make(own);
}

Layer detail::make_layer(std::shared_ptr<const CustomLayer> own, const CustomLayerClass& of_class,
                         const CustomLayerOptions& options) {
  GLIA_CHECK(!own->type().empty(), ValueError,
             "a layer of the application's own has an empty type(), expected its class's name");
  GLIA_CHECK(of_class.forward.any(), ValueError, own->type(),
             " has no forward body: give the class a public function void forward(const "
             "glia::CpuForward<float>& call) const, or one of glia::CudaForward");
  auto node = make_node<CustomNode>(std::move(own), of_class);
  node->name = options.name, node->trainable = options.trainable;
  node->declare_input_shape(options.input_shape);
  return Layer(std::move(node));
}

}  // namespace glia

// Core: the weights of its layers, as a list.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/core.h>
#include <host/model/names.h>  // defines: named_variables

namespace glia {

std::vector<const Variable*> Core::variables() const {
  std::vector<const Variable*> all;
  for (const LayerNode* node : nodes())
    for (const Variable& variable : node->variables) all.push_back(&variable);
  return all;
}

std::vector<std::string> Core::weight_names() const {
  std::vector<std::string> names;
  for (const auto& [name, variable] : named_variables(layers_)) names.push_back(name);
  return names;
}

std::vector<Tensor> Core::weights() const {
  std::vector<Tensor> values;
  for (const Variable* variable : variables()) values.push_back(read(*variable));
  return values;
}

void Core::set_weights(const std::vector<TensorView>& values) {
  write(variables(), values, [this](std::size_t i) { return weight_names()[i]; });
}

void Core::take_averages() {
  if (steps() == 0) return;
  const std::vector<Descriptor> copies = trainer_->averages_to_weights(places_);
  if (copies.empty()) return;
  backend().prepare(copies, bindings(Mode::train))->run(1);
  backend().synchronize();
}

std::int64_t Core::parameter_count() const {
  std::int64_t count = 0;
  for (const Variable* variable : variables()) count += variable->shape.elements();
  return count;
}

std::int64_t Core::trained_parameter_count() const {
  std::int64_t count = 0;
  for (const LayerNode* node : nodes())
    for (const Variable& variable : node->variables)
      if (node->trainable && variable.trainable) count += variable.shape.elements();
  return count;
}

std::int64_t Core::optimizer_parameter_count() const {
  return trainer_ && trainer_->has_memory() ? trainer_->optimizer_count() : -1;
}

}  // namespace glia

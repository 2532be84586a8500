// ModelWeights: as a list, and in blocks.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/model_weights.h>
#include <host/model/names.h>  // defines: named_variables

#include <algorithm>
#include <utility>

namespace glia {

std::vector<const Variable*> ModelWeights::variables() const {
  std::vector<const Variable*> all;
  for (const LayerNode* node : network_.nodes())
    for (const Variable& variable : node->variables) all.push_back(&variable);
  return all;
}

std::vector<std::string> ModelWeights::names() const {
  std::vector<std::string> names;
  for (const auto& [name, variable] : named_variables(network_.layers())) names.push_back(name);
  return names;
}

std::vector<Tensor> ModelWeights::values() const {
  std::vector<Tensor> values;
  for (const Variable* variable : variables()) values.push_back(read(*variable));
  return values;
}

void ModelWeights::set(const std::vector<TensorView>& values) const {
  write(variables(), values, [this](std::size_t i) { return names()[i]; });
}

void ModelWeights::reset_states() const {
  for (const Variable* variable : variables())
    if (variable->is_state)
      write({variable}, {Tensor::zeros(variable->shape)}, [](std::size_t) { return ""; });
}

bool ModelWeights::has_states() const {
  const std::vector<const Variable*> all = variables();
  return std::any_of(all.begin(), all.end(), [](const Variable* variable) { return variable->is_state; });
}

std::int64_t ModelWeights::count() const {
  std::int64_t count = 0;
  for (const Variable* variable : variables()) count += variable->shape.elements();
  return count;
}

std::int64_t ModelWeights::trainable_count() const {
  std::int64_t count = 0;
  for (const LayerNode* node : network_.nodes())
    for (const Variable& variable : node->variables)
      if (node->trainable && variable.trainable) count += variable.shape.elements();
  return count;
}

std::optional<Context> ModelWeights::context() const {
  for (const Variable* variable : variables())
    if (variable->block) return variable->block->context();
  return std::nullopt;
}

void ModelWeights::expect_dtype(DType dtype) const {
  for (const Variable* variable : variables())
    GLIA_CHECK(!variable->block || variable->block->dtype() == dtype, ValueError, "model \"", network_.name,
               "\" computes in ", dtype, ", but layers that it has from another model have weights of ",
               variable->block->dtype(), ": call set_dtype of both models alike");
}

void ModelWeights::move(const Context& target, const std::shared_ptr<const void>& user,
                        const std::function<void()>& before) const {
  std::vector<std::shared_ptr<WeightBlock>> moving;
  for (const Variable* variable : variables()) {
    const std::shared_ptr<WeightBlock>& block = variable->block;
    if (!block || &block->context().backend() == &target.backend()) continue;
    if (std::find(moving.begin(), moving.end(), block) != moving.end()) continue;
    const bool is_shared = block->has_users_beside(user);
    if (is_shared && block->context().device() == target.device()) continue;
    GLIA_CHECK(!is_shared, StateError, "model \"", network_.name, "\" is to compute on ", target.device(),
               ", but another model computes with its layers' weights on ", block->context().device(),
               ", or a predictor does: compile both for one device before they are first used, or destroy "
               "the other");
    moving.push_back(block);
  }
  std::vector<std::unique_ptr<Memory>> copies;
  for (const std::shared_ptr<WeightBlock>& block : moving) copies.push_back(block->copy_for(target));
  if (!moving.empty()) before();
  for (std::size_t i = 0; i < moving.size(); ++i) moving[i]->move_to(target, std::move(copies[i]));
}

void ModelWeights::make(const Context& context, DType dtype, std::uint64_t seed) {
  made_.clear();
  std::vector<NumberedVariable> fresh;
  std::uint64_t number = 0;
  for (LayerNode* node : all_nodes(network_.layers())) {
    const bool is_fresh = !node->has_weights();
    if (is_fresh) made_.push_back(node);
    for (Variable& variable : node->variables) {
      if (is_fresh) fresh.push_back({&variable, number});
      ++number;
    }
  }
  if (!fresh.empty()) make_block(context, dtype, seed, fresh);
}

void ModelWeights::bind(const std::shared_ptr<const void>& user, const Context& context) {
  std::vector<std::shared_ptr<WeightBlock>>& blocks = places_.blocks;
  for (const Variable* variable : variables())
    if (std::find(blocks.begin(), blocks.end(), variable->block) == blocks.end())
      blocks.push_back(variable->block);
  for (const std::shared_ptr<WeightBlock>& block : blocks) block->add_user(user, context);
}

void ModelWeights::release(const std::shared_ptr<const void>& user) {
  for (const std::shared_ptr<WeightBlock>& block : places_.blocks) block->remove_user(user);
  places_ = {};
  for (LayerNode* node : made_) {
    const bool is_used =
        std::any_of(node->variables.begin(), node->variables.end(),
                    [&user](const Variable& v) { return v.block && v.block->has_users_beside(user); });
    if (is_used) continue;  // by a model that was built meanwhile
    for (Variable& variable : node->variables) variable.block.reset();
  }
  made_.clear();
}

}  // namespace glia

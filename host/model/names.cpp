// Names, as Keras makes them.
// SPDX-License-Identifier: Apache-2.0
#include <glia/named.h>
#include <glia/text.h>
#include <host/model/names.h>

#include <algorithm>
#include <functional>
#include <unordered_set>

namespace glia {
namespace {

/// As Keras makes names of classes: "max_pooling2d" of MaxPooling2D, "p_re_lu" of PReLU.
std::string snake_case(const std::string& type) {
  using detail::is_lower, detail::is_upper;
  std::string result;
  for (std::size_t i = 0; i < type.size(); ++i) {
    const bool starts_word =
        i > 0 && (is_lower(type[i - 1]) || (i + 1 < type.size() && is_lower(type[i + 1])));
    if (is_upper(type[i]) && starts_word) result += '_';
    result += detail::to_lower(type[i]);
  }
  return result;
}

bool is_in_a_model(const LayerNode& layer) {
  return std::any_of(layer.builders.begin(), layer.builders.end(),
                     [](const std::weak_ptr<Builder>& builder) { return !builder.expired(); });
}

}  // namespace

Scope::Scope(const std::vector<Layer>& layers) {
  for (const Layer& layer : layers) add(layer.node());
}

void Scope::add(LayerNode& layer) {
  if (contains(layer)) return;
  if (layer.named_by_model && !is_in_a_model(layer)) layer.name.clear();  // the counter of one that is gone
  const auto is_taken = [this](const std::string& name) { return taken_.count(name) != 0; };
  const bool given = !layer.name.empty() && !layer.named_by_model;
  GLIA_CHECK(!given || !is_taken(layer.name), ValueError, "two layers are named \"", layer.name,
             "\": names within a model must differ");
  std::string name = layer.name;
  if (name.empty() || is_taken(name)) {
    const std::string base = name = snake_case(layer.type());
    for (int counter = 1; is_taken(name); ++counter) name = base + '_' + std::to_string(counter);
  }
  if (layer.name.empty()) layer.name = name, layer.named_by_model = true;
  names_[&layer] = name;
  taken_.insert(name);
  if (layer.is_scope()) return;
  for (const Layer& child : layer.children) add(child.node());
}

bool is_given_by_model(const std::string& name, const std::string& type) {
  const std::string base = snake_case(type);
  if (!name.starts_with(base)) return false;
  const std::string counter = name.substr(base.size());
  return counter.empty() || (counter.size() > 1 && counter[0] == '_' &&
                             counter.find_first_not_of("0123456789", 1) == std::string::npos);
}

std::vector<std::pair<std::string, const Variable*>> named_variables(const std::vector<Layer>& layers) {
  std::vector<std::pair<std::string, const Variable*>> named;
  std::unordered_set<const LayerNode*> seen;
  const std::function<void(const std::vector<Layer>&, const Scope&, const std::string&)> visit =
      [&](const std::vector<Layer>& some, const Scope& scope, const std::string& prefix) {
        for (const Layer& layer : some) {
          const LayerNode& node = layer.node();
          if (!seen.insert(&node).second) continue;
          const std::string path = prefix + scope.name_of(node) + '/';
          for (const Variable& variable : node.variables) named.emplace_back(path + variable.name, &variable);
          if (node.is_scope())
            visit(node.children, Scope(node.children), path);
          else
            visit(node.children, scope, prefix);
        }
      };
  visit(layers, Scope(layers), "");
  return named;
}

}  // namespace glia

// The order in which Keras goes through the layers of a Functional model, which its files follow; and Residual blocks as models.
// SPDX-License-Identifier: Apache-2.0
#include <glia/model.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <set>
#include <utility>

#include "interchange/keras/calls.h"  // defines: is_told_mask
#include "interchange/keras/masks.h"
#include "interchange/keras/places.h"

namespace glia::keras {
namespace {

using NodeKey = std::pair<std::string, long long>;  // a layer's name, and which of its applications

NodeKey key_of(const Json& place) {
  return {place.members.at(0).value.text, whole_or(place.members.at(1).value, 0)};
}

class Ordering {
 public:
  explicit Ordering(const Json& config) {
    for (const Json::Member& member : config.find("layers")->members)
      layers_[member.value.find("name")->text] = &member.value;
    add_masks(*config.find("layers"));
    for (const Json::Member& output : config.find("output_layers")->members) visit(key_of(output.value));
    for (auto node = finished_.rbegin(); node != finished_.rend(); ++node) settle(*node);
    for (const Json::Member& input : config.find("input_layers")->members) {  // one that no output reads
      const std::string name = key_of(input.value).first;
      if (depths_.emplace(name, 0).second) met_[name] = -1;
    }
  }

  Json sorted() const {
    std::vector<std::string> names;
    for (const auto& [name, depth] : depths_) names.push_back(name);
    std::stable_sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
      const int deep_a = depths_.at(a), deep_b = depths_.at(b);
      return deep_a != deep_b ? deep_a > deep_b : met_.at(a) < met_.at(b);
    });
    Json list(Kind::array);
    for (const std::string& name : names)
      if (const auto layer = layers_.find(name); layer != layers_.end()) list.add(*layer->second);
    return list;
  }

 private:
  /// Keras's own operations on masks are nodes, too, and what they read lies deeper for it.
  void add_masks(const Json& layers) {
    MaskNumbers numbers;
    Masks masks(layers, numbers);
    for (const auto& [name, layer] : layers_) {
      const Json& nodes = *layer->find("inbound_nodes");
      for (std::size_t i = 0; i < nodes.members.size() && is_told_mask(layer->find("class_name")->text);
           ++i) {
        const Json& inputs = nodes.members[i].value;
        if (inputs.members.empty()) continue;
        const Masks::Mask& mask = masks.of(inputs.members[0].value);
        if (mask.number == MaskNumbers::none) continue;
        Json& with_mask = with_masks_[{name, static_cast<long long>(i)}] = inputs;
        with_mask.add(mask.place);
      }
    }
    for (const Masks::Operation& operation : masks.operations()) {
      Json& reads = with_masks_[{operation.name, 0}] = Json(Kind::array);
      for (const Json& place : operation.reads) reads.add(place);
    }
  }
  const Json& inputs_of(const NodeKey& node) const {
    static const Json none(Kind::array);
    if (const auto found = with_masks_.find(node); found != with_masks_.end()) return found->second;
    const Json& nodes = *layers_.at(node.first)->find("inbound_nodes");
    return static_cast<std::size_t>(node.second) < nodes.members.size()
               ? nodes.members[static_cast<std::size_t>(node.second)].value
               : none;
  }
  /// What a node reads is finished before it. By a list: a graph may be deeper than the stack.
  void visit(const NodeKey& output) {
    std::vector<std::pair<NodeKey, std::size_t>> open;
    const auto enter = [&](const NodeKey& node) {
      if (!seen_.emplace(node, true).second) return;
      met_.emplace(node.first, static_cast<int>(met_.size()));
      open.emplace_back(node, 0);
    };
    enter(output);
    while (!open.empty()) {
      auto& [node, next] = open.back();
      const Json& inputs = inputs_of(node);
      if (next < inputs.members.size()) {
        enter(key_of(inputs.members[next++].value));
      } else {
        finished_.push_back(node);
        open.pop_back();
      }
    }
  }
  void settle(const NodeKey& node) {
    const int depth = std::max(node_depths_[node], depths_[node.first]);
    depths_[node.first] = node_depths_[node] = depth;
    for (const Json::Member& input : inputs_of(node).members) {
      int& before = node_depths_[key_of(input.value)];
      before = std::max(before, depth + 1);
    }
  }

  std::map<std::string, const Json*> layers_;
  std::map<NodeKey, Json> with_masks_;  // what nodes read, of those that read masks or are operations on them
  std::map<NodeKey, bool> seen_;
  std::map<std::string, int> met_;  // when each layer was met first
  std::vector<NodeKey> finished_;
  std::map<NodeKey, int> node_depths_;
  std::map<std::string, int> depths_;
};

Json layer_of(const std::string& type, const std::string& name, Json config, Json nodes) {
  put(config, "name", Json::of(name));
  Json layer = object_of(type, std::move(config));
  layer.add("name", Json::of(name));
  layer.add("inbound_nodes", std::move(nodes));
  return layer;
}
Json reading(const std::string& layer) {
  Json nodes(Kind::array);
  nodes.add(Json(Kind::array)).add(list_of(layer, 0, 0));
  return nodes;
}

/// The first layers of a chain as a Functional, which gives what the last of them gives. Throws ValueError where nothing says the shape
/// of its input.
Json chain_as_functional(const Json& chain, std::size_t count) {
  const Json& layers = *chain.find("layers");
  Json shape(Kind::array), config(Kind::object);
  const Json& first = *layers.members.at(0).value.find("config");
  if (const Json* const batch = first.find("batch_shape")) shape = *batch;
  if (const Json* const built = given(chain, "build_input_shape"); built && shape.members.empty())
    shape = *built;
  if (const Json* const row = given(first, "input_shape"); row && shape.members.empty()) {
    shape.add(Json());
    for (const Json::Member& size : row->members) shape.add(size.value);
  }
  GLIA_CHECK(!shape.members.empty(), ValueError,
             "a Residual is in a model that does not say the shape of its input; give its first layer an "
             "input_shape");
  config.add("name", Json::of("of_shapes"));
  Json& list = config.add("layers", Json(Kind::array));
  std::string last = "of_shapes_input";
  list.add(layer_of("InputLayer", last, pair_of("batch_shape", shape), Json(Kind::array)));
  for (std::size_t i = 0; i < count; ++i) {
    Json layer = layers.members[i].value;
    if (is_text(layer.find("class_name"), "InputLayer")) continue;
    const std::string name = "of_shapes_" + std::to_string(i);
    layer.add("name", Json::of(name)), layer.add("inbound_nodes", reading(std::exchange(last, name)));
    put(*layer.find("config"), "name", Json::of(name));
    list.add(std::move(layer));
  }
  config.add("input_layers", Json(Kind::array)).add(list_of("of_shapes_input", 0, 0));
  config.add("output_layers", Json(Kind::array)).add(list_of(last, 0, 0));
  return config;
}

/// The part of a Functional on which a place depends.
Json part_before(const Json& functional, const Json& place) {
  std::map<std::string, const Json*> layers;
  for (const Json::Member& member : functional.find("layers")->members)
    layers[member.value.find("name")->text] = &member.value;
  std::set<std::string> wanted;
  std::vector<std::string> open{key_of(place).first};
  while (!open.empty()) {
    const std::string name = std::move(open.back());
    open.pop_back();
    if (!wanted.insert(name).second) continue;
    for (const Json::Member& node : layers.at(name)->find("inbound_nodes")->members)
      for (const Json::Member& input : node.value.members) open.push_back(key_of(input.value).first);
  }
  Json part(Kind::object);
  part.add("name", Json::of("of_shapes"));
  Json& list = part.add("layers", Json(Kind::array));
  for (const Json::Member& member : functional.find("layers")->members)
    if (wanted.count(member.value.find("name")->text) != 0) list.add(member.value);
  Json inputs(Kind::array), outputs(Kind::array);
  for (const Json::Member& input : functional.find("input_layers")->members)
    if (wanted.count(key_of(input.value).first) != 0) inputs.add(input.value);
  outputs.add(place);
  part.add("input_layers", std::move(inputs)), part.add("output_layers", std::move(outputs));
  return part;
}

/// The batch shape, [null, 8, 8, 3], of what a Functional's only output gives. Nothing is built for it.
Json output_shape(Json functional) {
  const Model model = Model::from_json(object_of("Functional", std::move(functional)).dump());
  Json shape(Kind::array);
  shape.add(Json());
  for (const std::int64_t size : model.outputs().at(0).shape()) shape.add(Json::of(size));
  return shape;
}

/// Of a layer of a model, the shape of its first input.
Json input_shape(const Json& model, std::size_t layer) {
  const Json& config = *model.find("config");
  if (is_text(model.find("class_name"), "Sequential"))
    return output_shape(chain_as_functional(config, layer));
  const Json& nodes = *config.find("layers")->members.at(layer).value.find("inbound_nodes");
  return output_shape(part_before(config, nodes.members.at(0).value.members.at(0).value));
}

/// layers(x) + shortcut(x) as a Functional, for inputs of a batch shape.
Json expanded_residual(const Json& residual, const Json& batch_shape) {
  const Json& options = *residual.find("config");
  const std::string name = text_or(options, "name", "residual"), input = name + "_input";
  Json config(Kind::object);
  config.add("name", Json::of(name));
  if (const Json* const trainable = options.find("trainable")) config.add("trainable", *trainable);
  Json& layers = config.add("layers", Json(Kind::array));
  layers.add(layer_of("InputLayer", input, pair_of("batch_shape", batch_shape), Json(Kind::array)));
  Json sum(Kind::array);
  for (const char* way : {"layers", "shortcut"}) {
    std::string last = input;
    if (const Json* const list = options.find(way))
      for (const Json::Member& member : list->members) {
        Json layer = member.value;
        const Json* const its_config = layer.find("config");
        GLIA_CHECK(its_config, ValueError,
                   "a Residual has a layer of another model, which Keras's files cannot say");
        const std::string its_name = text_or(*its_config, "name", "");
        layer.add("name", Json::of(its_name));
        layer.add("inbound_nodes", reading(std::exchange(last, its_name)));
        layers.add(std::move(layer));
      }
    sum.add(list_of(last, 0, 0));
  }
  Json nodes(Kind::array);
  nodes.add(std::move(sum));
  layers.add(layer_of("Add", name + "_add", Json(Kind::object), std::move(nodes)));
  config.add("input_layers", Json(Kind::array)).add(list_of(input, 0, 0));
  config.add("output_layers", Json(Kind::array)).add(list_of(name + "_add", 0, 0));
  Json model = object_of("Functional", std::move(config));
  for (const char* member : {"name", "inbound_nodes"})
    if (const Json* const found = residual.find(member)) model.add(member, *found);
  model.add("flat", Json::of(true));
  return model;
}

/// An axis of a formula, counted from 1 on.
long long axis_from_front(const Json& axis, const Json& batch_shape) {
  const long long value = whole_or(axis, 1);
  return value < 0 ? value + static_cast<long long>(batch_shape.members.size()) : value;
}

/// Sums and slices as Keras says them: by axes from the front, all of which must be named. Where nothing of a row is left, Glia gives
/// (1,) and Keras a row without axes: then the axes stay, and are reshaped.
std::vector<Json> expanded_formula(Json layer, const Json& batch_shape) {
  Json& config = *layer.find("config");
  if (is_text(layer.find("class_name"), "Slice")) {
    put(config, "axis",
        Json::of(static_cast<std::int64_t>(axis_from_front(*config.find("axis"), batch_shape))));
    return {layer};
  }
  std::set<long long> axes;
  const std::size_t rank = batch_shape.members.size();
  for (const Json::Member& axis : config.find("axis")->members)
    axes.insert(axis_from_front(axis.value, batch_shape));
  for (std::size_t axis = 1; config.find("axis")->members.empty() && axis < rank; ++axis)
    axes.insert(static_cast<long long>(axis));
  Json list(Kind::array);
  for (const long long axis : axes) list.add(Json::of(static_cast<std::int64_t>(axis)));
  put(config, "axis", std::move(list));
  const bool keeps = config.find("keepdims") && config.find("keepdims")->text == "true";
  if (keeps || axes.size() + 1 < rank) return {layer};
  put(config, "keepdims", Json::of(true));
  if (rank == 2) return {layer};
  const std::string name = layer.find("name")->text, kept = name + "_kept";
  Json nodes(Kind::array);
  for (std::size_t i = 0; i < layer.find("inbound_nodes")->members.size(); ++i)
    nodes.add(Json(Kind::array)).add(list_of(kept, static_cast<std::int64_t>(i), 0));
  put(layer, "name", Json::of(kept)), put(config, "name", Json::of(kept));
  return {layer, layer_of("Reshape", name, pair_of("target_shape", list_of(1)), std::move(nodes))};
}

bool is_any_of(const Json& layer, std::initializer_list<const char*> types) {
  return std::any_of(types.begin(), types.end(),
                     [&](const char* type) { return is_text(layer.find("class_name"), type); });
}

}  // namespace

Json keras_ordered(const Json& graph) {
  Json ordered = graph;
  GLIA_CHECK(!graph.find("shared_layer"), ValueError,
             "a layer is in a model and in another within it, which Keras's files cannot say; make a model "
             "in which it is once");
  Json* const config = ordered.find("config");
  Json* const layers = config ? config->find("layers") : nullptr;
  const bool is_functional = is_text(ordered.find("class_name"), "Functional");
  if (!layers || (!is_functional && !is_text(ordered.find("class_name"), "Sequential"))) return ordered;
  layers->members.clear();
  const Json& given_layers = *graph.find("config")->find("layers");
  for (std::size_t i = 0; i < given_layers.members.size(); ++i) {
    const Json& layer = given_layers.members[i].value;
    if (is_any_of(layer, {"Sum", "Mean", "Slice"}))
      for (Json& one : expanded_formula(layer, input_shape(graph, i))) layers->add(std::move(one));
    else if (is_any_of(layer, {"Residual"}))
      layers->add(keras_ordered(expanded_residual(layer, input_shape(graph, i))));
    else
      layers->add(keras_ordered(layer));
  }
  if (is_functional) *layers = Ordering(*config).sorted();
  return ordered;
}

}  // namespace glia::keras

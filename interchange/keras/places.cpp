// Where each weight of a model lies in Keras's files: paths by the classes of layers and their order.
// SPDX-License-Identifier: Apache-2.0
#include "interchange/keras/places.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "interchange/keras/classes.h"

namespace glia::keras {
namespace {

class Placing {
 public:
  explicit Placing(std::vector<PlacedLayer>& placed) : placed_(placed) {}

  /// `prefix` begins the names of weights in Glia.
  void visit(const Json& model, const std::string& path, const std::string& prefix,
             const std::vector<std::string>& around, bool is_trainable) {
    std::map<std::string, int> used;
    const Json& config = *model.find("config");
    const bool is_chain = is_text(model.find("class_name"), "Sequential");
    bool is_first = true;
    for (const Json::Member& member : expect(config.find("layers"), Kind::array, "layers").members) {
      const Json& layer = member.value;
      const std::string& type = expect(layer.find("class_name"), Kind::text, "class_name of a layer").text;
      const bool is_unlisted = (is_chain && is_first && type == "InputLayer") || is_operation_in_keras(type);
      is_first = false;
      if (is_unlisted) continue;
      std::string place = snake_case(type == "GroupQueryAttention" ? "GroupedQueryAttention" : type);
      const int count = used[place]++;
      if (count > 0) place += '_' + std::to_string(count);
      place = path + "layers/" + place;
      place_one(layer, place, prefix, around, is_trainable);
    }
  }

 private:
  /// A layer, or one within another, at a path of its own.
  void place_one(const Json& layer, const std::string& path, const std::string& prefix,
                 std::vector<std::string> around, bool is_trainable) {
    const std::string& type = expect(layer.find("class_name"), Kind::text, "class_name of a layer").text;
    const Json& options = expect(layer.find("config"), Kind::object, "config of a layer");
    const std::string name = text_or(layer, "name", text_or(options, "name", ""));
    around.push_back(name);
    const Json* const trainable = options.find("trainable");
    const bool trains = is_trainable && !(trainable && trainable->text == "false");
    const bool is_flat = layer.find("flat") != nullptr;  // a Residual, whose layers are its model's own
    const std::string below = is_flat ? prefix : prefix + name + '/';
    if (type == "Sequential" || type == "Functional") {
      visit(layer, path + '/', below, around, trains);
    } else if (type == "Bidirectional" || type == "TimeDistributed") {
      const auto& layers = expect(options.find("layers"), Kind::array, "layers within a layer").members;
      for (std::size_t i = 0; i < layers.size(); ++i)
        place_one(layers[i].value, path + within(type, i), below, around, trains);
    } else {
      add(options, type, path, below, around, trains);
    }
  }
  static const char* within(const std::string& type, std::size_t i) {
    return type == "TimeDistributed" ? "/layer" : i == 0 ? "/forward_layer" : "/backward_layer";
  }
  void add(const Json& options, const std::string& type, const std::string& path, const std::string& prefix,
           const std::vector<std::string>& around, bool is_trainable) {
    for (const WeightsBelow& part : weights_below(type, options)) {
      PlacedLayer placed{path + part.path, type, around, {}, is_trainable};
      for (const std::string& weight : part.weights) placed.weights.push_back(prefix + weight);
      placed_.push_back(std::move(placed));
    }
    if (!is_true(options, "stateful")) return;
    const Shape shape{whole_or(*options.find("batch_size"), 0), whole_or(*options.find("units"), 0)};
    placed_.back().states.push_back({prefix + "state", shape});
    if (type == "LSTM") placed_.back().states.push_back({prefix + "carry", shape});
  }

  std::vector<PlacedLayer>& placed_;
};

bool is_trained(const PlacedLayer& layer, const std::string& weight) {
  return layer.is_trainable && is_trained_weight(weight.substr(weight.rfind('/') + 1));
}

}  // namespace

bool is_operation_in_keras(const std::string& class_name) {
  static constexpr std::string_view operations[] = {"Divide", "Exp",    "Log",    "Sqrt",
                                                    "Abs",    "Square", "Power",  "Sum",
                                                    "Mean",   "Slice",  "Matmul", "StopGradient"};
  return std::find(std::begin(operations), std::end(operations), class_name) != std::end(operations);
}

std::vector<PlacedLayer> placed_layers(const Json& graph) {
  std::vector<PlacedLayer> placed;
  Placing(placed).visit(graph, "", "", {}, true);
  return placed;
}

std::vector<std::string> trained_weights(const std::vector<PlacedLayer>& layers) {
  std::vector<std::string> trained;
  for (const PlacedLayer& layer : layers)
    for (const std::string& weight : layer.weights)
      if (is_trained(layer, weight)) trained.push_back(weight);
  return trained;
}

std::vector<GroupedWeights> grouped_weights(const std::vector<PlacedLayer>& layers) {
  std::vector<GroupedWeights> groups;
  std::vector<std::string> rest;  // of the last group
  const auto close = [&] {
    if (!groups.empty()) groups.back().weights.insert(groups.back().weights.end(), rest.begin(), rest.end());
    rest.clear();
  };
  for (const PlacedLayer& layer : layers) {
    if (groups.empty() || groups.back().layer != layer.around[0])
      close(), groups.push_back({layer.around[0], {}});
    for (const std::string& weight : layer.weights)
      (is_trained(layer, weight) ? groups.back().weights : rest).push_back(weight);
  }
  close();
  return groups;
}

}  // namespace glia::keras

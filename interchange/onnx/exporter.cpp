// Exporter: graphs, chains and the layers that consist of layers. What stands in a description is Glia's own: nothing of it is
// doubted.
// SPDX-License-Identifier: Apache-2.0
#include <interchange/onnx/constant.h>  // defines: permuted
#include <interchange/onnx/exporter.h>

#include <numeric>
#include <unordered_map>

namespace glia::onnx {
namespace {

bool is_graph(const std::string& type) { return type == "Sequential" || type == "Functional"; }

const std::unordered_map<std::string, LayerExport>& exports() {
  static const auto* const all = [] {
    auto* const table = new std::unordered_map<std::string, LayerExport>;
    for (const auto& family : {element_exports(), convolution_exports(), image_exports(), merge_exports(),
                               operation_exports(), product_exports()})
      table->insert(family.begin(), family.end());
    return table;
  }();
  return *all;
}

/// Elements with their axes in another order.
std::vector<float> reordered(const Tensor& tensor, const std::vector<int>& order) {
  const Tensor floats = tensor.cast(DType::float32);
  const std::vector<float> values(floats.data<float>(), floats.data<float>() + floats.size());
  return order.empty() ? values : permuted(values, {floats.shape().begin(), floats.shape().end()}, order);
}

}  // namespace

Exporter::Exporter(GraphWriter& graph, const Model& model) : graph_(graph) {
  const std::vector<std::string> names = model.weight_names();
  TensorList tensors = model.get_weights();
  for (std::size_t i = 0; i < names.size(); ++i) weights_.emplace(names[i], std::move(tensors[i]));
}

void Exporter::number(const Json& json, const std::string& prefix) {
  if (json.contains("shared_layer")) return;
  const Json& config = json.at("config");
  const std::string type = json.at("class_name"), path = prefix + config.at("name").get<std::string>();
  for (const char* const list : {"layers", "shortcut"}) {
    if (!config.contains(list) || !config.at(list).is_array()) continue;
    for (const Json& within : config.at(list)) number(within, is_graph(type) ? path + '/' : prefix);
  }
  paths_[&json] = path;
  numbers_.push_back({&json, path});
}

Exporter::Known Exporter::known(const Json& json) const {
  if (json.contains("shared_layer")) return numbers_.at(json.at("shared_layer").get<std::size_t>());
  return {&json, paths_.at(&json)};
}

/// What Glia says of a layer of this description, alone.
Shape Exporter::shape_of(const Json& json, const Values& inputs) {
  Json layer{{"class_name", json.at("class_name")}, {"config", json.at("config")}};
  Json layers = Json::array(), ends = Json::array();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string name = "glia_onnx_input_" + std::to_string(i);
    Json shape = Json::array({nullptr});
    for (const std::int64_t dimension : inputs[i]->row) shape.push_back(dimension);
    layers.push_back({{"class_name", "InputLayer"},
                      {"config", {{"name", name}, {"batch_shape", shape}}},
                      {"name", name},
                      {"inbound_nodes", Json::array()}});
    ends.push_back({name, 0, 0});
  }
  layer["name"] = layer["config"]["name"];
  layer["inbound_nodes"] = Json::array({ends});
  layers.push_back(layer);
  const Json output = Json::array({Json::array({layer["name"], 0, 0})});
  const Json model{
      {"class_name", "Functional"},
      {"config", {{"name", "shape"}, {"layers", layers}, {"input_layers", ends}, {"output_layers", output}}}};
  return Model::from_json(model.dump()).outputs()[0].shape();
}

ValuePtr Exporter::layer(const Json& described, const Values& inputs) {
  const auto [json, path] = known(described);
  const std::string type = json->at("class_name");
  const Json& config = json->at("config");
  GLIA_CHECK(
      !json->contains("registered_name"), ValueError, "the layer \"", path, "\" (", type,
      ") has no ONNX form, because its class is the application's own: put layers of Glia in its place, "
      "or save the model with Model::save");
  if (type == "InputLayer") return inputs[0];
  const std::string around = graph_.path();
  if (is_graph(type)) {
    const Values outputs = graph(config, inputs, path);
    GLIA_CHECK(outputs.size() == 1, ValueError, "the layer \"", path, "\" (", type, ") has ", outputs.size(),
               " outputs, expected one: export it as a model of its own");
    return outputs[0];
  }
  const auto found = exports().find(type);
  GLIA_CHECK(found != exports().end(), ValueError, "the layer \"", path, "\" (", type,
             ") has no ONNX form: put other layers in its place, or save the model with Model::save");
  graph_.set_path(path);
  const bool has_parts = type == "Residual";
  const ValuePtr result =
      found->second({*this, *json, config, inputs, has_parts ? Shape{} : shape_of(*json, inputs)});
  graph_.set_path(around);
  return result;
}

ValuePtr Exporter::chain(const Json& layers, ValuePtr x) {
  for (const Json& json : layers) x = layer(json, {x});
  return x;
}

Values Exporter::graph(const Json& config, const Values& inputs, const std::string& prefix) {
  if (prefix.empty())
    for (const Json& json : config.at("layers")) number(json, "");
  if (!config.contains("output_layers")) return {chain(config.at("layers"), inputs.at(0))};

  std::map<std::string, const Json*> layers;
  for (const Json& json : config.at("layers")) layers[json.at("name").get<std::string>()] = &json;
  using Place = std::pair<std::string, std::size_t>;  // a layer's application
  const auto place_of = [](const Json& json) {
    GLIA_CHECK(json.at(2) == 0, ValueError, "a layer of several outputs, \"", json.at(0).get<std::string>(),
               "\", has no ONNX form: export it as a model of its own");
    return Place(json.at(0).get<std::string>(), json.at(1).get<std::size_t>());
  };
  std::map<Place, ValuePtr> made;
  for (std::size_t i = 0; i < inputs.size(); ++i) made[place_of(config.at("input_layers").at(i))] = inputs[i];
  Values outputs;
  for (const Json& output : config.at("output_layers")) {
    std::vector<Place> pending{place_of(output)};  // a list, since a graph may be deeper than the stack
    while (!pending.empty()) {
      const Place place = pending.back();
      if (made.count(place) != 0) {
        pending.pop_back();
        continue;
      }
      const Json& json = *layers.at(place.first);
      Values in;
      const std::size_t before = pending.size();
      for (const Json& source : json.at("inbound_nodes").at(place.second)) {
        const auto found = made.find(place_of(source));
        if (found == made.end())
          pending.push_back(place_of(source));
        else
          in.push_back(found->second);
      }
      if (pending.size() == before) made[place] = layer(json, in);
    }
    outputs.push_back(made.at(place_of(output)));
  }
  return outputs;
}

const Tensor& Exporter::weight(const Applied& layer, const char* name) const {
  return weights_.at(paths_.at(&layer.json) + '/' + name);
}

std::string Exporter::constant(const Applied& layer, const char* name, const std::vector<int>& order,
                               const Shape& shape) {
  const Tensor& tensor = weight(layer, name);
  const std::string wanted = paths_.at(&layer.json) + '/' + name;
  std::string key = wanted;
  for (const int axis : order) key += ',' + std::to_string(axis);
  for (const std::int64_t dimension : shape) key += '/' + std::to_string(dimension);
  std::string& known = constants_[key];
  if (!known.empty()) return known;
  Shape put = shape;
  if (shape.empty() && order.empty()) put = tensor.shape();
  if (shape.empty())
    for (const int axis : order) put.push_back(tensor.shape()[axis]);
  return known = graph_.floats(wanted, put, reordered(tensor, order));
}

std::string Exporter::numbers(const Applied& layer, const char* name, const std::vector<float>& values,
                              const Shape& shape) {
  const std::string wanted = paths_.at(&layer.json) + '/' + name;
  std::string key = wanted;
  for (const std::int64_t dimension : shape) key += '/' + std::to_string(dimension);
  std::string& known = constants_[key];
  if (known.empty()) known = graph_.floats(wanted, shape, values);
  return known;
}

}  // namespace glia::onnx

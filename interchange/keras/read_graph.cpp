// Sequential and Functional models of Keras in Glia's words: their layers, and what those are applied to.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <map>

#include "interchange/keras/calls.h"
#include "interchange/keras/classes.h"
#include "interchange/keras/masks.h"
#include "interchange/keras/read.h"

namespace glia::keras {
namespace {

bool is_graph(const std::string& type) {
  return type == "Sequential" || type == "Functional" || type == "Model";
}

/// All places in a structure of lists and objects; those of an object by its keys, in their order, as Keras flattens.
void put_places(const Json& json, const std::string& what, Json& places) {
  if (is_place(json)) {
    places.add(place_of(json));
  } else if (json.is(Kind::object)) {
    std::map<std::string, const Json*> sorted;
    for (const Json::Member& member : json.members) sorted[member.key] = &member.value;
    for (const auto& [key, value] : sorted) put_places(*value, what, places);
  } else {
    GLIA_CHECK(json.is(Kind::array), ValueError, "the model's config has ", what, ' ', shown(json),
               ", expected places, such as [\"dense\", 0, 0]");
    for (const Json::Member& member : json.members) put_places(member.value, what, places);
  }
}

ReadLayer read_chain(const Json& config, int rank, Policies& policies) {
  if (const Json* const shape = given(config, "build_input_shape")) note_rows(*shape, policies);
  Json layers(Kind::array);
  for (const Json::Member& member : expect(config.find("layers"), Kind::array, "layers").members) {
    ReadLayer layer = read_any(member.value, rank, policies);
    rank = layer.rank;
    layers.add(std::move(layer.json));
  }
  Json glia(Kind::object);
  glia.add("layers", std::move(layers));
  return {std::move(glia), rank};
}

class FunctionalReader {
 public:
  explicit FunctionalReader(Policies& policies) : policies_(policies) {}

  ReadLayer read(const Json& config) {
    for (const Json::Member& member : expect(config.find("layers"), Kind::array, "layers").members) {
      const Json& keras = member.value;
      GLIA_CHECK(keras.is(Kind::object), ValueError, "the model's config has ", shown(keras),
                 " where a layer is expected");
      if (read_masks_.take(keras)) continue;
      if (is_operation(keras))
        for (Json& layer : read_operation(keras)) add(std::move(layer));
      else
        add_layer(keras);
    }
    if (!policies_.is_keras_2) check_masks();
    Json glia(Kind::object);
    glia.add("layers", std::move(layers_));
    for (const char* name : {"input_layers", "output_layers"})
      if (const Json* const places = config.find(name)) glia.add(name, read_places(*places, name));
    if (policies_.is_keras_2) count_applications_from_0(*glia.find("layers"), glia.find("output_layers"));
    const Json* const outputs = glia.find("output_layers");
    const int rank = outputs && !outputs->members.empty() ? rank_at(outputs->members[0].value) : 0;
    return {std::move(glia), rank};
  }

 private:
  int rank_at(const Json& place) const {
    const auto found = ranks_.find(place.members[0].value.text);
    return found == ranks_.end() ? 0 : found->second;
  }
  /// Of what a layer is applied to first. Throws ValueError for masks.
  int rank_before(const Json& nodes, const std::string& layer) const {
    for (const Json::Member& node : nodes.members)
      for (const Json::Member& place : node.value.members) {
        const std::string& name = place.value.members[0].value.text;
        GLIA_CHECK(!read_masks_.has(name), ValueError, layer, " reads what the operation \"",
                   detail::escaped(name), "\" gives, which Glia has for masks alone");
      }
    return nodes.members.empty() || nodes.members[0].value.members.empty()
               ? 0
               : rank_at(nodes.members[0].value.members[0].value);
  }
  /// A layer in Glia's words, which computes on as many axes as its first input has.
  void add(Json layer) {
    const int rank = rank_before(*layer.find("inbound_nodes"), layer_said(layer));
    ranks_[layer.find("name")->text] =
        rank_behind(layer.find("class_name")->text, *layer.find("config"), rank);
    layers_.add(std::move(layer));
  }
  void add_layer(const Json& keras) {
    const std::string said = layer_said(keras);
    const Json& config = expect(keras.find("config"), Kind::object, "config of a layer");
    const std::string type = text_or(keras, "class_name", "");
    const bool is_frozen = config.find("trainable") && config.find("trainable")->text == "false";
    Json nodes(Kind::array);
    std::vector<Call> calls;
    for (const Json::Member& node :
         expect(keras.find("inbound_nodes"), Kind::array, "inbound_nodes of a layer").members) {
      calls.push_back(read_call(node.value, said, type, is_frozen, policies_.is_keras_2));
      nodes.add(calls.back().places);
    }
    const int rank = rank_before(nodes, said);
    ReadLayer layer = read_any(keras, rank, policies_);
    const std::string& name = expect(keras.find("name"), Kind::text, "name of a layer").text;
    ranks_[name] = layer.rank;
    layer.json.add("name", Json::of(name));
    layer.json.add("inbound_nodes", std::move(nodes));
    for (const Call& call : calls) {
      GLIA_CHECK(call.options == calls[0].options, ValueError, said, " is called with ", shown(call.options),
                 " and with ", shown(calls[0].options),
                 ", expected the same in all its calls: these are options of the layer here");
    }
    if (!calls.empty())
      for (Json::Member& option : calls[0].options.members)
        put(*layer.json.find("config"), option.key, std::move(option.value));
    layers_.add(std::move(layer.json));
    if (is_told_mask(type)) told_.push_back({said, name, layers_.members.size() - 1, std::move(calls)});
  }

  /// Keras 3 says of each layer which mask it is told. Glia tells it that of its input: where Keras tells none, such as to a recurrent
  /// layer that is given initial states, the mask ends before the layer.
  void check_masks() {
    Json ends(Kind::array);
    for (const bool is_last : {false, true}) {
      Masks masks(layers_, numbers_);
      for (const Told& told : told_)
        for (std::size_t i = 0; i < told.calls.size(); ++i) {
          Json& inputs = layers_.members[told.layer].value.find("inbound_nodes")->members[i].value;
          if (inputs.members.empty()) continue;
          const Call& call = told.calls[i];
          if (call.shape.members.size() < 2) continue;  // a file of Glia's, which leaves masks to Keras
          const bool is_told = !call.mask.is(Kind::null);
          const int own = masks.of(inputs.members[0].value).number,
                    said = is_told ? read_masks_.number_of(call.mask) : MaskNumbers::none;
          if (is_last || is_told || own == said) {
            GLIA_CHECK(!is_last || own == said, ValueError, told.said, " is called with the mask ",
                       shown(call.mask), ", which is not the one that goes along with its input");
            continue;
          }
          const std::string name = told.name + "_unmasked" + (i > 0 ? '_' + std::to_string(i) : "");
          ends.add(end_of_mask(name, call));
          inputs.members[0].value = list_of(name, 0, 0);
        }
      for (Json::Member& end : ends.members) layers_.add(std::move(end.value));
      ends.members.clear();
    }
  }
  /// Its input as it is, by a layer at which masks end.
  static Json end_of_mask(const std::string& name, const Call& call) {
    Json row(Kind::array), config(Kind::object), nodes(Kind::array);
    for (std::size_t i = 1; i < call.shape.members.size(); ++i) row.add(call.shape.members[i].value);
    config.add("name", Json::of(name)), config.add("target_shape", std::move(row));
    nodes.add(Json(Kind::array)).add(call.places.members[0].value);
    Json layer = object_of("Reshape", std::move(config));
    layer.add("name", Json::of(name)), layer.add("inbound_nodes", std::move(nodes));
    return layer;
  }

  /// Keras 2 counted the making of a model within the model as its first application, number 0, which no list of them has.
  static void count_applications_from_0(Json& layers, Json* outputs) {
    std::map<std::string, long long> counts;  // of the models within
    for (const Json::Member& layer : layers.members)
      if (is_graph(text_or(layer.value, "class_name", "")))
        counts[layer.value.find("name")->text] =
            static_cast<long long>(layer.value.find("inbound_nodes")->members.size());
    std::vector<Json*> places;
    const auto note = [&](Json& list) {
      for (Json::Member& place : list.members)
        if (counts.count(place.value.members.at(0).value.text) != 0) places.push_back(&place.value);
    };
    for (Json::Member& layer : layers.members)
      for (Json::Member& node : layer.value.find("inbound_nodes")->members) note(node.value);
    if (outputs) note(*outputs);
    std::map<std::string, bool> from_1;
    for (const Json* const place : places) {
      const std::string& name = place->members[0].value.text;
      if (whole_or(place->members[1].value, 0) == counts.at(name)) from_1[name] = true;
    }
    for (Json* const place : places) {
      Json& application = place->members[1].value;
      const long long number = whole_or(application, 0);
      if (from_1.count(place->members[0].value.text) != 0 && number > 0)
        application = Json::of(static_cast<std::int64_t>(number - 1));
    }
  }

  struct Told {
    std::string said, name;
    std::size_t layer;  // its place in the list
    std::vector<Call> calls;
  };

  Policies& policies_;
  Json layers_{Kind::array};
  MaskNumbers numbers_;
  ReadMasks read_masks_{numbers_};    // operations of the file
  std::vector<Told> told_;            // layers that Keras tells masks
  std::map<std::string, int> ranks_;  // of what layers give, by their names
};

}  // namespace

ReadLayer read_any(const Json& keras, int rank, Policies& policies) {
  GLIA_CHECK(keras.is(Kind::object), ValueError, "the model's config has ", shown(keras),
             " where a layer is expected");
  GLIA_CHECK(!given(keras, "shared_object_id"), ValueError, layer_said(keras),
             " is in two models, one within the other, whose weights Glia's reader of Keras's files cannot "
             "share; make a model in which it is once");
  if (is_graph(text_or(keras, "class_name", ""))) return read_graph(keras, rank, policies);
  return read_layer(keras, rank, policies);
}

Json read_places(const Json& keras, const std::string& what) {
  Json places(Kind::array);
  put_places(keras, what, places);
  return places;
}

ReadLayer read_graph(const Json& keras, int rank, Policies& policies) {
  const std::string& type = expect(keras.find("class_name"), Kind::text, "class_name").text;
  GLIA_CHECK(is_graph(type), ValueError, "the model is of class ", detail::escaped(type),
             ", a class of its own, expected Sequential or Functional: only these are whole in a file");
  const Json* config = keras.find("config");
  Json listed(Kind::object);
  if (config && config->is(Kind::array)) listed.add("layers", *config), config = &listed;  // Keras 2.0 to 2.2
  expect(config, Kind::object, "config of a model");
  const bool is_chain = type == "Sequential";
  ReadLayer read = is_chain ? read_chain(*config, rank, policies) : FunctionalReader(policies).read(*config);
  Json glia(Kind::object);
  glia.add("name", Json::of(text_or(*config, "name", is_chain ? "sequential" : "functional")));
  if (const Json* const trainable = given(*config, "trainable")) glia.add("trainable", *trainable);
  for (Json::Member& member : read.json.members) glia.add(member.key, std::move(member.value));
  return {object_of(is_chain ? "Sequential" : "Functional", std::move(glia)), read.rank};
}

}  // namespace glia::keras

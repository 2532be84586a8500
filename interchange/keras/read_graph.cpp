// Sequential and Functional models of Keras in Glia's words: their layers, and what those are applied to.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <map>

#include "interchange/keras/classes.h"
#include "interchange/keras/read.h"

namespace glia::keras {
namespace {

bool is_graph(const std::string& type) {
  return type == "Sequential" || type == "Functional" || type == "Model";
}

/// A list of places, ["dense", 0, 0], of which one alone is a place, too.
bool is_place(const Json& json) {
  return json.is(Kind::array) && json.members.size() >= 3 && json.members[0].value.is(Kind::text) &&
         json.members[1].value.is(Kind::number) && json.members[2].value.is(Kind::number);
}

Json place_of(const Json& json) {
  Json place(Kind::array);
  for (std::size_t i = 0; i < 3; ++i) place.add(json.members[i].value);
  return place;
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

/// The symbols among the arguments of a call, in their order; of anything else says whether it may be there.
void put_symbols(const Json& args, const std::string& layer, Json& places) {
  if (const Json* const place = place_of_symbol(args)) {
    places.add(place_of(*place));
    return;
  }
  if (args.is(Kind::null)) return;
  GLIA_CHECK(args.is(Kind::array), ValueError, layer, " is called with ", shown(args),
             ", expected symbols alone");
  for (const Json::Member& member : args.members) put_symbols(member.value, layer, places);
}

/// What a layer is called with beside its inputs. Keras 3 keeps what `training` was when the model was made, and uses what it is when
/// the model runs; Keras 2 obeyed what was said.
void check_arguments(const Json* arguments, const std::string& layer, const Json& config, bool is_keras_2) {
  if (!arguments) return;
  for (const Json::Member& argument : arguments->members) {
    const Json& value = argument.value;
    if (is_null(&value)) continue;
    const bool is_frozen = config.find("trainable") && config.find("trainable")->text == "false";
    const bool is_training = argument.key == "training" && value.is(Kind::boolean);
    if (is_training && (!is_keras_2 || (is_frozen && value.text == "false"))) continue;
    throw ValueError(detail::concat(
        layer, " is called with ", argument.key, '=', shown(value),
        ", which Glia has not; call it with its inputs alone, or freeze it (trainable = False)"));
  }
}

/// The inputs of one application, as [[layer, application, output], ...].
Json read_node(const Json& node, const std::string& layer, const Json& config, bool is_keras_2) {
  Json places(Kind::array);
  if (node.is(Kind::object)) {  // Keras 3: {"args", "kwargs"}
    put_symbols(expect(node.find("args"), Kind::array, "args of a layer"), layer, places);
    check_arguments(node.find("kwargs"), layer, config, is_keras_2);
    return places;
  }
  GLIA_CHECK(node.is(Kind::array), ValueError, layer, " is applied to ", shown(node), ", expected places");
  const auto put = [&](const Json& one) {
    GLIA_CHECK(is_place(one), ValueError, layer, " is applied to ", shown(one), ", expected a place");
    places.add(place_of(one));
    if (one.members.size() > 3) check_arguments(&one.members[3].value, layer, config, is_keras_2);
  };
  if (is_place(node))
    put(node);
  else
    for (const Json::Member& one : node.members) put(one.value);
  return places;
}

/// A layer, or a model within the model.
ReadLayer read_any(const Json& keras, int rank, Policies& policies) {
  GLIA_CHECK(keras.is(Kind::object), ValueError, "the model's config has ", shown(keras),
             " where a layer is expected");
  GLIA_CHECK(!given(keras, "shared_object_id"), ValueError, layer_said(keras),
             " is in two models, one within the other, whose weights Glia's reader of Keras's files cannot "
             "share; make a model in which it is once");
  if (is_graph(text_or(keras, "class_name", ""))) return read_graph(keras, rank, policies);
  return read_layer(keras, rank, policies);
}

ReadLayer read_chain(const Json& config, int rank, Policies& policies) {
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
      if (is_operation(keras))
        for (Json& layer : read_operation(keras)) add(std::move(layer));
      else
        add_layer(keras);
    }
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
  /// A layer in Glia's words, which computes on as many axes as its first input has.
  void add(Json layer) {
    int rank = 0;
    const Json& nodes = *layer.find("inbound_nodes");
    if (!nodes.members.empty() && !nodes.members[0].value.members.empty())
      rank = rank_at(nodes.members[0].value.members[0].value);
    ranks_[layer.find("name")->text] =
        rank_behind(layer.find("class_name")->text, *layer.find("config"), rank);
    layers_.add(std::move(layer));
  }
  void add_layer(const Json& keras) {
    const std::string said = layer_said(keras);
    const Json& config = expect(keras.find("config"), Kind::object, "config of a layer");
    Json nodes(Kind::array);
    for (const Json::Member& node :
         expect(keras.find("inbound_nodes"), Kind::array, "inbound_nodes of a layer").members)
      nodes.add(read_node(node.value, said, config, policies_.is_keras_2));
    int rank = 0;
    if (!nodes.members.empty() && !nodes.members[0].value.members.empty())
      rank = rank_at(nodes.members[0].value.members[0].value);
    ReadLayer layer = read_any(keras, rank, policies_);
    const std::string& name = expect(keras.find("name"), Kind::text, "name of a layer").text;
    ranks_[name] = layer.rank;
    layer.json.add("name", Json::of(name));
    layer.json.add("inbound_nodes", std::move(nodes));
    layers_.add(std::move(layer.json));
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

  Policies& policies_;
  Json layers_{Kind::array};
  std::map<std::string, int> ranks_;  // of what layers give, by their names
};

}  // namespace

const Json* place_of_symbol(const Json& keras) {
  if (!keras.is(Kind::object) || !is_text(keras.find("class_name"), "__keras_tensor__")) return nullptr;
  const Json* const config = keras.find("config");
  const Json* const place = config ? config->find("keras_history") : nullptr;
  GLIA_CHECK(place && is_place(*place), ValueError, "the model's config has the symbol ", shown(keras),
             ", expected one with keras_history, such as [\"dense\", 0, 0]");
  return place;
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

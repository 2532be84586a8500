// Models in Keras 3's words: layers, and what they are applied to.
// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "interchange/keras/calls.h"
#include "interchange/keras/classes.h"
#include "interchange/keras/masks.h"
#include "interchange/keras/places.h"
#include "interchange/keras/write.h"

namespace glia::keras {
namespace {

[[noreturn]] void refuse(const Json& layer, const std::string& what) {
  throw ValueError(detail::concat("layer \"", detail::escaped(text_or(*layer.find("config"), "name", "")),
                                  "\" (", text_or(layer, "class_name", ""), ") ", what,
                                  ", which no file of Keras can say"));
}

/// What stands for an activation; one with options of its own is a layer in Keras.
Json write_activation(const Json& glia, const Json& layer) {
  const std::string name = glia.is(Kind::text) ? glia.text : text_or(glia, "class_name", "");
  if (name == "step") refuse(layer, "computes step");
  if (glia.is(Kind::text)) return glia;
  Json config = *glia.find("config");
  if (name == "leaky_relu") return keras_object("keras.layers", "LeakyReLU", std::move(config));
  if (name == "elu") return keras_object("keras.layers", "ELU", std::move(config));
  refuse(layer, "computes " + name + " with options of its own, " + shown(config));
}

Json write_named(const std::string& option, const Json& glia) {
  if (!glia.is(Kind::object)) return glia;
  const std::string family = option.ends_with("_initializer")   ? "initializers"
                             : option.ends_with("_regularizer") ? "regularizers"
                                                                : "constraints";
  Json config = *glia.find("config");
  if (family == "constraints" && text_or(glia, "class_name", "") != "non_neg")
    config.add("axis", Json::of(0));
  return keras_object("keras." + family, pascal_case(text_or(glia, "class_name", "")), std::move(config));
}

/// What sizes of heads are where they are not said, 0 here.
void write_sizes_of_heads(Json& config) {
  const Json value_dim = taken(config, "value_dim"), output_dim = taken(config, "output_dim");
  if (whole_or(value_dim, 0) > 0) config.add("value_dim", value_dim);
  if (whole_or(output_dim, 0) > 0) config.add("output_shape", Json(Kind::array)).add(output_dim);
}

/// What is said otherwise in the two, class by class.
void write_options(const std::string& type, Json& config) {
  if (type.ends_with("Normalization") && !config.find("axis")) config.add("axis", Json::of(-1));
  if (type == "Normalization") {
    const bool is_adapted = taken(config, "adapted").text == "true";
    for (const char* name : {"mean", "variance"}) {
      const Json values = taken(config, name);
      config.add(name, is_adapted || values.members.empty() ? Json() : values);
    }
  }
  if (type == "MultiHeadAttention" || type == "GroupQueryAttention") write_sizes_of_heads(config);
  if (Json* const most = config.find("max_value"); type == "ReLU" && most && most->is(Kind::text))
    *most = Json();
  if (type == "RandomErasing")
    for (const char* name : {"factor", "scale"})
      if (Json& lower = config.find(name)->members.at(0).value; lower.text.starts_with('-'))
        lower = Json::of(0.0);
}

/// How many rows each batch has, which only stateful layers ask for; null where none of the model's does.
Json rows_of(const Json& glia) {
  const Json& config = *glia.find("config");
  if (is_true(config, "stateful")) return *config.find("batch_size");
  if (const Json* const layers = config.find("layers"))
    for (const Json::Member& layer : layers->members)
      if (Json rows = rows_of(layer.value); !rows.is(Kind::null)) return rows;
  return {};
}

/// One place stands alone, so that the model gives a symbol, no list of one.
Json places_of(const Json& places) { return places.members.size() == 1 ? places.members[0].value : places; }

class ModelWriter {
 public:
  ModelWriter(std::string policy, Json rows) : policy_(std::move(policy)), rows_(std::move(rows)) {}

  Json model(const Json& graph) const {
    const Json& config = *graph.find("config");
    const bool is_chain = is_text(graph.find("class_name"), "Sequential");
    Json written(Kind::object);
    written.add("name", *config.find("name"));
    written.add("trainable", config.find("trainable") ? *config.find("trainable") : Json::of(true));
    if (is_chain) written.add("dtype", Json::of(policy_));
    Json& layers = written.add("layers", Json(Kind::array));
    if (is_chain) {
      put_chain(config, layers);
      return keras_object("keras", "Sequential", std::move(written));
    }
    MaskNumbers numbers;
    Masks masks(*config.find("layers"), numbers);
    for (const Json::Member& layer : config.find("layers")->members) layers.add(node(layer.value, masks));
    for (const Masks::Operation& operation : masks.operations()) layers.add(write_mask(operation));
    written.add("input_layers", places_of(*config.find("input_layers")));
    written.add("output_layers", places_of(*config.find("output_layers")));
    Json model = keras_object("keras.src.models.functional", "Functional", std::move(written));
    put(model, "registered_name", Json::of("Functional"));
    return model;
  }

 private:
  void put_chain(const Json& config, Json& layers) const {
    const Json& list = *config.find("layers");
    const Json& first = *list.members.at(0).value.find("config");
    Json shape(Kind::array);
    if (const Json* const row = given(first, "input_shape")) {
      shape.add(Json());
      for (const Json::Member& size : row->members) shape.add(size.value);
    } else if (const Json* const built = given(config, "build_input_shape")) {
      shape = *built;
    }
    if (!shape.members.empty() && !is_text(list.members[0].value.find("class_name"), "InputLayer")) {
      Json input = pair_of("batch_shape", std::move(shape));
      input.add("name", Json::of(text_or(config, "name", "") + "_input"));
      layers.add(layer(object_of("InputLayer", std::move(input))));
    }
    for (const Json::Member& member : list.members) layers.add(any(member.value));
  }

  Json any(const Json& glia) const {
    const std::string type = text_or(glia, "class_name", "");
    return type == "Sequential" || type == "Functional" ? model(glia) : layer(glia);
  }

  Json layer(const Json& glia) const {
    const std::string type = text_or(glia, "class_name", "");
    const LayerClass* const known = layer_class(type);
    if (glia.find("registered_name")) refuse(glia, "is of the application's own");
    if (!known) refuse(glia, "is of a class of Glia's own");
    Json config = *glia.find("config");
    taken(config, "input_shape"), taken(config, "batch_size");
    if (const Json* const width = config.find("output_dim");
        width && type == "GroupQueryAttention" && whole_or(*width, 0) > 0)
      refuse(glia, "has an output_dim");
    write_options(type, config);
    take_call_options(type, config);
    if (type == "InputLayer" && !rows_.is(Kind::null))
      config.find("batch_shape")->members.at(0).value = rows_;
    if (type == "Bidirectional" || type == "TimeDistributed") write_layers_within(type, config);
    for (Json::Member& option : config.members) {
      if (option.key == "activation" || option.key == "recurrent_activation")
        option.value = write_activation(option.value, glia);
      else if (option.key.ends_with("_initializer") || option.key.ends_with("_regularizer") ||
               option.key.ends_with("_constraint"))
        option.value = write_named(option.key, option.value);
    }
    if (type == "InputLayer" || type == "SpatialDropout2D")
      taken(config, "trainable");  // of which these know nothing
    put(config, "dtype", Json::of(type == "InputLayer" && policy_ != "float64" ? "float32" : policy_));
    for (const Extra& extra : known->extras)
      if (extra.written) put(config, extra.name, parse_json(extra.written, "an option"));
    return keras_object("keras.layers", type, std::move(config));
  }

  /// What Glia lists as "layers", and Keras names.
  void write_layers_within(const std::string& type, Json& config) const {
    const Json layers = taken(config, "layers");
    constexpr const char* names[] = {"layer", "backward_layer"};
    for (std::size_t i = 0; i < layers.members.size() && i < std::size(names); ++i)
      config.add(names[i], any(layers.members[i].value));
    if (type == "Bidirectional" && is_text(config.find("merge_mode"), "none"))
      put(config, "merge_mode", Json());
  }

  /// A layer in a Functional, with what it is applied to. Keras 3 finds masks by itself, but not those of recurrent layers that are given
  /// initial states.
  Json node(const Json& glia, Masks& masks) const {
    const std::string type = text_or(glia, "class_name", "");
    if (is_operation_in_keras(type)) return write_operation(glia);
    Json written = any(glia);
    written.add("name", *glia.find("name"));
    Json& nodes = written.add("inbound_nodes", Json(Kind::array));
    for (const Json::Member& places : glia.find("inbound_nodes")->members) {
      const bool has_states = is_told_mask(type) && places.value.members.size() > 1;
      nodes.add(write_call(glia, places.value,
                           has_states ? masks.of(places.value.members[0].value).place : Json()));
    }
    return written;
  }

  std::string policy_;
  Json rows_;
};

}  // namespace

Json symbol_at(const Json& place) {
  Json config(Kind::object), shape(Kind::array);
  shape.add(Json());
  config.add("shape", std::move(shape)), config.add("dtype", Json::of("float32")),
      config.add("keras_history", place);
  return object_of("__keras_tensor__", std::move(config));
}

Json write_model(const Json& graph, const std::string& policy) {
  return ModelWriter(policy, rows_of(graph)).model(graph);
}

}  // namespace glia::keras

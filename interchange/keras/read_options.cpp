// Activations, initializers, regularizers, constraints and dtypes of Keras, in Glia's words.
// SPDX-License-Identifier: Apache-2.0
#include <glia/named.h>

#include "interchange/keras/classes.h"
#include "interchange/keras/read.h"

namespace glia::keras {
namespace {

[[noreturn]] void refuse(const std::string& layer, const std::string& option, const Json& got,
                         const std::string& wanted) {
  throw ValueError(
      detail::concat(layer, ": ", option, " is ", shown(got), ", which Glia has not, expected ", wanted));
}

/// The config of an object of class_name; an empty one where there is none.
Json config_of(const Json& keras) {
  const Json* const config = given(keras, "config");
  return config && config->is(Kind::object) ? *config : Json(Kind::object);
}

/// A layer in an activation's place: Dense(8, activation=LeakyReLU(0.1)).
Json read_layer_as_activation(const std::string& class_name, Json config, const std::string& layer) {
  for (const char* common : {"name", "trainable", "dtype"}) taken(config, common);
  const Json alpha = taken(config, "alpha");
  if (class_name == "LeakyReLU") {
    if (!alpha.is(Kind::null)) put(config, "negative_slope", alpha);
    return object_of("leaky_relu", std::move(config));
  }
  if (class_name == "ELU")
    return object_of("elu", alpha.is(Kind::null) ? Json(Kind::object) : pair_of("alpha", alpha));
  if (class_name == "ReLU") {
    take_extras(config,
                {{"max_value", "null", nullptr},
                 {"negative_slope", "0.0|0", nullptr},
                 {"threshold", "0.0|0", nullptr}},
                layer + ": activation ReLU");
    return Json::of("relu");
  }
  if (class_name == "Softmax") {
    take_extras(config, {{"axis", "-1|[-1]", nullptr}}, layer + ": activation Softmax");
    return Json::of("softmax");
  }
  refuse(layer, "activation", Json::of(class_name),
         "the name of a function, or a LeakyReLU, ELU, ReLU or Softmax");
}

}  // namespace

Json read_activation(const Json& keras, const std::string& layer, const Policies& policies) {
  if (keras.is(Kind::null)) return Json::of("linear");
  if (keras.is(Kind::object)) {
    const std::string class_name = text_or(keras, "class_name", "");
    const Json* const config = keras.find("config");
    if (class_name == "function" && config && config->is(Kind::text))
      return read_activation(*config, layer, policies);
    if (layer_class(class_name) || class_name == "Softmax") {
      if (class_name == "Activation" && given(config_of(keras), "activation"))
        return read_activation(*given(config_of(keras), "activation"), layer, policies);
      return read_layer_as_activation(class_name, config_of(keras), layer);
    }
    return object_of(detail::escaped(class_name), config_of(keras));
  }
  if (!keras.is(Kind::text)) refuse(layer, "activation", keras, "the name of a function");
  if (policies.is_keras_2 && keras.text == "hard_sigmoid")
    refuse(layer, "activation", keras,
           "another: that of Keras 2 is max(0, min(1, 0.2 x + 0.5)), and Glia's that of Keras 3");
  try {
    ActivationName known(keras.text);
    return Json::of(known.name());
  } catch (const ValueError& error) {
    throw ValueError(detail::concat(layer, ": ", error.what()));
  }
}

Json read_named(const Json& keras, const std::string& layer, const std::string& option) {
  if (keras.is(Kind::null) || keras.is(Kind::text)) return keras;
  if (!keras.is(Kind::object)) refuse(layer, option, keras, "a name, or {\"class_name\", \"config\"}");
  const std::string class_name = text_or(keras, "class_name", "");
  if (const Json* const registered = keras.find("registered_name");
      registered && registered->is(Kind::text) && registered->text.find('>') != std::string::npos)
    refuse(layer, option, keras, "one of Keras's own");
  Json config = config_of(keras);
  const std::string said = layer + ": " + option + ' ' + detail::escaped(class_name);
  take_extras(config,
              {{"seed", "*", nullptr},
               {"input_axes", "null", nullptr},
               {"output_axes", "null", nullptr},
               {"dtype", "*", nullptr}},
              said);
  if (option.ends_with("_constraint")) take_extras(config, {{"axis", "0|[0]", nullptr}}, said);
  if (is_text(config.find("distribution"), "normal"))
    put(config, "distribution", Json::of("truncated_normal"));
  return object_of(class_name, std::move(config));
}

void read_policy(const Json& keras, const std::string& layer, Policies& policies) {
  if (keras.is(Kind::null)) return;
  std::string name = keras.is(Kind::text) ? keras.text : "";
  if (keras.is(Kind::object)) name = text_or(config_of(keras), "name", "");
  std::string dtype = name;
  if (name == "mixed_bfloat16") policies.precision = name, dtype = "float32";
  if (dtype != "float32" && dtype != "float64")
    refuse(layer, "dtype", keras, "float32, float64 or mixed_bfloat16: cast the model to one of these");
  if (!policies.dtype.empty() && policies.dtype != dtype)
    refuse(layer, "dtype", keras,
           policies.dtype + ", as the layers before it have: a model of Glia's has one");
  policies.dtype = dtype;
}

}  // namespace glia::keras

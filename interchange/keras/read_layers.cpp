// Layers of Keras, one at a time, in Glia's words.
// SPDX-License-Identifier: Apache-2.0
#include <glia/named.h>  // defines: unknown_name

#include "interchange/keras/classes.h"
#include "interchange/keras/read.h"

namespace glia::keras {
namespace {

/// The axis of a normalisation, which is to be the last of its input.
void take_axis(Json& config, int rank, const std::string& layer) {
  const Json got = taken(config, "axis");
  const Json& axis = got.is(Kind::array) && got.members.size() == 1 ? got.members[0].value : got;
  if (got.is(Kind::null)) return;
  const long long value = whole_or(axis, 0);
  if (value == -1 || (rank > 1 && value == rank - 1)) return;
  throw ValueError(
      detail::concat(layer, ": axis is ", shown(got), " of an input of ", rank,
                     " axes, which Glia has not, expected the last: images are channels last here"));
}

/// [null, 28, 28] as [28, 28]. Throws ValueError where a size is not known.
Json row_shape(const Json& batch_shape, const std::string& layer) {
  Json row(Kind::array);
  GLIA_CHECK(batch_shape.is(Kind::array) && !batch_shape.members.empty(), ValueError, layer,
             ": the shape of its input is ", shown(batch_shape),
             ", expected that of a batch, such as [null, 28, 28]");
  for (std::size_t i = 1; i < batch_shape.members.size(); ++i) {
    const Json& size = batch_shape.members[i].value;
    GLIA_CHECK(size.is(Kind::number), ValueError, layer, ": its input has the shape ", shown(batch_shape),
               ", where a size is not known. Glia's models are for rows of one shape: make the model for "
               "one, and save its weights");
    row.add(size);
  }
  return row;
}

void read_input(Json& config, const std::string& layer) {
  Json batch_shape = taken(config, "batch_shape"), older = taken(config, "batch_input_shape");
  if (batch_shape.is(Kind::null)) batch_shape = std::move(older);
  Json with_rows(Kind::array);
  with_rows.add(Json());
  for (const Json::Member& size : row_shape(batch_shape, layer).members) with_rows.add(size.value);
  put(config, "batch_shape", std::move(with_rows));
  taken(config, "dtype");  // of what rows are given as, which may be any
}

/// Keras 2 wrote "alpha" of LeakyReLU; and what an array had been is one number.
void rename(Json& config, const char* from, const char* to) {
  Json value = taken(config, from);
  if (!value.is(Kind::null)) put(config, to, std::move(value));
}

/// Options by the ends of their names, which are objects of families.
void read_families(Json& config, const std::string& layer, const Policies& policies) {
  for (Json::Member& option : config.members) {
    const std::string& name = option.key;
    if (name == "activation")
      option.value = read_activation(option.value, layer, policies);
    else if (name.ends_with("_initializer") || name.ends_with("_regularizer") ||
             name.ends_with("_constraint"))
      option.value = read_named(option.value, layer, name);
  }
}

void read_normalization(Json& config) {
  for (const char* name : {"mean", "variance"}) {
    Json values = taken(config, name);
    if (values.is(Kind::number)) {
      Json list(Kind::array);
      list.add(std::move(values));
      values = std::move(list);
    }
    put(config, name, values.is(Kind::null) ? Json(Kind::array) : std::move(values));
  }
  put(config, "adapted", Json::of(false));
}

/// What is said otherwise in the two, class by class.
void read_options(const std::string& type, Json& config, int rank, const std::string& layer) {
  if (type.ends_with("Normalization") && type != "LayerNormalization") take_axis(config, rank, layer);
  if (type == "Normalization") read_normalization(config);
  if (type == "LeakyReLU") rename(config, "alpha", "negative_slope");
  if (type == "ReLU" && is_null(config.find("max_value"))) taken(config, "max_value");
  if (type == "RandomErasing") {
    GLIA_CHECK(!is_null(config.find("fill_value")), ValueError, layer,
               ": fill_value is null, which is noise, expected a number: Glia fills with one");
  }
  if (type == "Embedding" && is_null(config.find("input_length"))) taken(config, "input_length");
}

}  // namespace

std::string layer_said(const Json& keras) {
  const Json* const config = keras.find("config");
  const std::string none;
  std::string name = text_or(keras, "name", none);
  if (name.empty() && config) name = text_or(*config, "name", none);
  return detail::concat("layer \"", detail::escaped(name), "\" (",
                        detail::escaped(text_or(keras, "class_name", none)), ")");
}

ReadLayer read_layer(const Json& keras, int rank, Policies& policies) {
  std::string type = expect(keras.find("class_name"), Kind::text, "class_name of a layer").text;
  Json config = expect(keras.find("config"), Kind::object, "config of a layer");
  const std::string layer = layer_said(keras);
  if (const Json* const registered = given(keras, "registered_name"))
    GLIA_CHECK(registered->is(Kind::text) && registered->text.find('>') == std::string::npos, ValueError,
               layer, " is a class of the application's own, ", shown(*registered),
               ", which no file can hold");
  if (type == "Softmax") {
    take_extras(config, {{"axis", "-1|[-1]", nullptr}}, layer);
    type = "Activation", put(config, "activation", Json::of("softmax"));
  }
  const LayerClass* const known = layer_class(type);
  if (!known)
    throw ValueError(layer + ": " +
                     detail::unknown_name("layer", detail::escaped(type), layer_class_names()));
  if (type == "InputLayer")
    read_input(config, layer);
  else
    read_policy(taken(config, "dtype"), layer, policies);
  take_extras(config, common_extras(), layer);
  take_extras(config, known->extras, layer);
  if (const Json shape = taken(config, "batch_input_shape");
      !shape.is(Kind::null)) {  // Keras 2's, of a chain's first layer
    rank = static_cast<int>(shape.members.size());
    put(config, "input_shape", row_shape(shape, layer));
  }
  read_options(type, config, rank, layer);
  read_families(config, layer, policies);
  if (type == "InputLayer") rank = static_cast<int>(config.find("batch_shape")->members.size());
  const int behind = rank_behind(type, config, rank);
  return {object_of(type, std::move(config)), behind};
}

}  // namespace glia::keras

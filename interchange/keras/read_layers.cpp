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

void read_input(Json& config, const std::string& layer, Policies& policies) {
  Json batch_shape = taken(config, "batch_shape"), older = taken(config, "batch_input_shape");
  if (batch_shape.is(Kind::null)) batch_shape = std::move(older);
  note_rows(batch_shape, policies);
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
    if (name == "activation" || name == "recurrent_activation")
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

void read_recurrent(const std::string& type, Json& config, const std::string& layer,
                    const Policies& policies) {
  if (type == "GRU" && policies.is_keras_2 && !config.find("reset_after"))
    put(config, "reset_after", Json::of(false));  // Keras 2.0, which had no other
  if (!is_true(config, "stateful")) return;
  GLIA_CHECK(!policies.rows.is(Kind::null), ValueError, layer,
             ": stateful is true, and no input of the model says how many rows a batch has, expected a "
             "batch_shape such as [32, 10, 8]");
  put(config, "batch_size", policies.rows);
}

/// The layer in one of a layer's options, in Glia's words.
ReadLayer read_within(Json keras, const char* option, int rank, const std::string& layer,
                      Policies& policies) {
  Json* const config = keras.is(Kind::object) ? keras.find("config") : nullptr;
  GLIA_CHECK(config, ValueError, layer, ": ", option, " is ", shown(keras),
             ", expected a layer, {\"class_name\", \"config\"}");
  taken(*config, "batch_input_shape");  // of which the layer around it tells the same
  return read_any(keras, rank, policies);
}

/// Both ways of a Bidirectional, under the names that Keras gives them. Of a backward_layer that nobody gave Keras 2 says nothing.
Json read_both_ways(Json& config, int rank, const std::string& layer, Policies& policies) {
  const auto config_of = [](Json& way) { return way.is(Kind::object) ? way.find("config") : nullptr; };
  const auto name_way = [&](Json& way, const std::string& prefix) {
    Json* const its_config = config_of(way);
    const std::string name = its_config ? text_or(*its_config, "name", prefix) : prefix;
    if (its_config && !name.starts_with(prefix)) put(*its_config, "name", Json::of(prefix + name));
  };
  Json there = taken(config, "layer"), back = taken(config, "backward_layer");
  if (back.is(Kind::null) && config_of(there)) {
    back = there;
    put(*config_of(back), "go_backwards", Json::of(!is_true(*config_of(back), "go_backwards")));
    name_way(back, "backward_");
  }
  name_way(there, "forward_");
  if (Json* const its_config = config_of(back)) {  // one that was named by its class alone Glia names again
    const std::string& name = text_or(*its_config, "name", "");
    const std::string made = snake_case(text_or(back, "class_name", ""));
    if (name.starts_with(made) && name.find_first_not_of("_0123456789", made.size()) == std::string::npos)
      put(*its_config, "name", Json::of("backward_" + made));
  }
  Json layers(Kind::array);
  for (const auto& [way, option] : {std::pair(&there, "layer"), std::pair(&back, "backward_layer")}) {
    if (Json* const its_config = config_of(*way))
      taken(*its_config, "zero_output_for_mask");  // true where sequences are returned, in both
    layers.add(read_within(std::move(*way), option, rank, layer, policies).json);
  }
  if (is_null(config.find("merge_mode"))) put(config, "merge_mode", Json::of("none"));
  return layers;
}

/// What Keras names, and Glia lists as "layers".
void read_layers_within(const std::string& type, Json& config, int rank, const std::string& layer,
                        Policies& policies) {
  Json layers(Kind::array);
  if (type == "Bidirectional")
    layers = read_both_ways(config, rank, layer, policies);
  else
    layers.add(read_within(taken(config, "layer"), "layer", rank > 0 ? rank - 1 : 0, layer, policies).json);
  if (const Json* const trains = config.find("trainable"); trains && trains->text == "false")
    for (Json::Member& one : layers.members) put(*one.value.find("config"), "trainable", *trains);
  put(config, "layers", std::move(layers));
}

/// A size, a list of one, or null: 0.
void read_output_shape(Json& config, const std::string& layer) {
  const Json got = taken(config, "output_shape");
  const Json& size = got.is(Kind::array) && got.members.size() == 1 ? got.members[0].value : got;
  GLIA_CHECK(size.is(Kind::number) || got.is(Kind::null), ValueError, layer, ": output_shape is ", shown(got),
             ", which Glia has not, expected a number, or null");
  if (size.is(Kind::number)) put(config, "output_dim", size);
}

/// What is said otherwise in the two, class by class.
void read_options(const std::string& type, Json& config, int rank, const std::string& layer,
                  Policies& policies) {
  if (type.ends_with("Normalization") && type != "LayerNormalization") take_axis(config, rank, layer);
  if (type == "Normalization") read_normalization(config);
  if (type == "LeakyReLU") rename(config, "alpha", "negative_slope");
  if (type == "ReLU" && is_null(config.find("max_value"))) taken(config, "max_value");
  if (type == "RandomErasing") {
    GLIA_CHECK(!is_null(config.find("fill_value")), ValueError, layer,
               ": fill_value is null, which is noise, expected a number: Glia fills with one");
  }
  if (type == "Embedding" && is_null(config.find("input_length"))) taken(config, "input_length");
  if (type == "SimpleRNN" || type == "LSTM" || type == "GRU") read_recurrent(type, config, layer, policies);
  if (type == "Bidirectional" || type == "TimeDistributed")
    read_layers_within(type, config, rank, layer, policies);
  if (type == "MultiHeadAttention") read_output_shape(config, layer);
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
  if (type == "GroupedQueryAttention") type = "GroupQueryAttention";  // its other name, in .h5
  const LayerClass* const known = layer_class(type);
  if (!known)
    throw ValueError(layer + ": " +
                     detail::unknown_name("layer", detail::escaped(type), layer_class_names()));
  if (type == "InputLayer")
    read_input(config, layer, policies);
  else
    read_policy(taken(config, "dtype"), layer, policies);
  take_extras(config, common_extras(), layer);
  take_extras(config, known->extras, layer);
  // Keras 2's, which says something new of a chain's first layer alone.
  if (const Json shape = taken(config, "batch_input_shape"); !shape.is(Kind::null) && rank == 0) {
    rank = static_cast<int>(shape.members.size());
    note_rows(shape, policies);
    put(config, "input_shape", row_shape(shape, layer));
  }
  read_options(type, config, rank, layer, policies);
  read_families(config, layer, policies);
  if (type == "InputLayer") rank = static_cast<int>(config.find("batch_shape")->members.size());
  const int behind = rank_behind(type, config, rank);
  return {object_of(type, std::move(config)), behind};
}

}  // namespace glia::keras

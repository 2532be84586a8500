// Masks and the operations that make them.
// SPDX-License-Identifier: Apache-2.0
#include "interchange/keras/masks.h"

#include <algorithm>
#include <string_view>

#include "interchange/keras/calls.h"  // defines: place_of_symbol

namespace glia::keras {
namespace {

template <std::size_t N>
bool is_one_of(const std::string& type, const std::string_view (&types)[N]) {
  return std::find(std::begin(types), std::end(types), type) != std::end(types);
}

const std::string none;

/// Whether a layer's first output, and of a Bidirectional that merges nothing the second, has the mask of its first input.
bool passes(const std::string& type, const Json& config, long long output) {
  static constexpr std::string_view passing[] = {"Dense",
                                                 "Activation",
                                                 "ReLU",
                                                 "LeakyReLU",
                                                 "ELU",
                                                 "PReLU",
                                                 "Dropout",
                                                 "AlphaDropout",
                                                 "GaussianNoise",
                                                 "GaussianDropout",
                                                 "Rescaling",
                                                 "Normalization",
                                                 "StopGradient",
                                                 "BatchNormalization",
                                                 "LayerNormalization",
                                                 "RMSNormalization",
                                                 "SimpleRNN",
                                                 "LSTM",
                                                 "GRU",
                                                 "MultiHeadAttention",
                                                 "GroupQueryAttention",
                                                 "Bidirectional",
                                                 "TimeDistributed",
                                                 "Attention",
                                                 "AdditiveAttention",
                                                 "SpatialDropout2D"};
  if (!is_one_of(type, passing)) return false;
  if (type == "Bidirectional") {
    const Json& ways = *config.find("layers");
    return output <= (is_text(config.find("merge_mode"), "none") ? 1 : 0) && !ways.members.empty() &&
           passes("LSTM", *ways.members[0].value.find("config"), 0);
  }
  if (type == "SimpleRNN" || type == "LSTM" || type == "GRU")
    return output == 0 && is_true(config, "return_sequences");
  return output == 0 || type == "TimeDistributed";
}

bool merges(const std::string& type) {
  static constexpr std::string_view merging[] = {"Add",     "Subtract", "Multiply",   "Average",
                                                 "Maximum", "Minimum",  "Concatenate"};
  return is_one_of(type, merging);
}

}  // namespace

PlaceKey key_of_place(const Json& place) {
  return {place.members.at(0).value.text, whole_or(place.members.at(1).value, 0),
          whole_or(place.members.at(2).value, 0)};
}

Masks::Masks(const Json& layers, MaskNumbers& numbers) : numbers_(numbers) {
  for (const Json::Member& layer : layers.members) layers_[layer.value.find("name")->text] = &layer.value;
}

const Masks::Mask& Masks::of(const Json& place) {
  std::vector<PlaceKey> passed;  // on the way to what makes the mask: all of them have it
  Json at = place;
  Mask mask;
  for (;;) {
    const PlaceKey key = key_of_place(at);
    if (const auto known = masks_.find(key); known != masks_.end()) {
      mask = known->second;
      break;
    }
    passed.push_back(key);
    masks_[key] = {};  // what reads itself has none
    const auto layer = layers_.find(std::get<0>(key));
    if (layer == layers_.end()) break;
    const Json& nodes = *layer->second->find("inbound_nodes");
    const auto application = static_cast<std::size_t>(std::get<1>(key));
    if (application >= nodes.members.size() || nodes.members[application].value.members.empty()) break;
    if (!passes(layer->second->find("class_name")->text, *layer->second->find("config"), std::get<2>(key))) {
      mask = made(*layer->second, at);
      break;
    }
    at = nodes.members[application].value.members[0].value;
  }
  for (const PlaceKey& key : passed) masks_[key] = mask;
  return masks_[key_of_place(place)];
}

/// The mask that a layer makes of its own.
Masks::Mask Masks::made(const Json& layer, const Json& place) {
  const std::string& type = layer.find("class_name")->text;
  const auto application = static_cast<std::size_t>(whole_or(place.members[1].value, 0));
  const Json& inputs = layer.find("inbound_nodes")->members[application].value;
  const Json& input = inputs.members[0].value;
  const Json& config = *layer.find("config");
  if (type == "Embedding" && is_true(config, "mask_zero"))
    return {operation("NotEqual", {input}, Json(Kind::object), Json::of(0)),
            numbers_.of(key_of_place(input))};
  if (type == "Masking") {
    const Json* const value = config.find("mask_value");
    Json counts = operation("NotEqual", {input}, Json(Kind::object), value ? *value : Json::of(0));
    return {any_feature(std::move(counts)), numbers_.of(key_of_place(input))};
  }
  return merges(type) ? merged(layer, inputs) : Mask{};
}

/// Of layers with several inputs: what counts in any of them, where all have a mask.
Masks::Mask Masks::merged(const Json& layer, const Json& inputs) {
  std::vector<Json> places;
  int number = MaskNumbers::none;
  for (const Json::Member& input : inputs.members) {
    const Mask& mask = of(input.value);
    if (mask.number == MaskNumbers::none) return {};
    places.push_back(mask.place);
    number = numbers_.either(number, mask.number);
  }
  Json place = places[0];
  if (is_text(layer.find("class_name"), "Concatenate")) {  // each as wide as its input
    for (std::size_t i = 0; i < places.size(); ++i) {
      Json wide = operation("ExpandDims", {places[i]}, pair_of("axis", Json::of(-1)));
      Json zeros = operation("ZerosLike", {inputs.members[i].value}, pair_of("dtype", Json::of("bool")));
      places[i] = operation("LogicalOr", {std::move(wide), std::move(zeros)});
    }
    const Json* const axis = layer.find("config")->find("axis");
    place = any_feature(
        operation("Concatenate", std::move(places), pair_of("axis", axis ? *axis : Json::of(-1))));
  } else {
    for (std::size_t i = 1; i < places.size(); ++i) place = operation("LogicalOr", {place, places[i]});
  }
  return {place, number};
}

Json Masks::any_feature(Json counts) {
  Json config = pair_of("axis", Json::of(-1));
  config.add("keepdims", Json::of(false));
  return operation("Any", {std::move(counts)}, std::move(config));
}

Json Masks::operation(const char* type, std::vector<Json> reads, Json config, Json number) {
  std::string name = "mask_" + std::to_string(operations_.size());
  while (layers_.count(name) != 0) name += "_of_keras";
  put(config, "name", Json::of(name));
  operations_.push_back({name, type, std::move(config), std::move(reads), std::move(number)});
  return list_of(name, 0, 0);
}

bool ReadMasks::take(const Json& keras) {
  static constexpr std::string_view making[] = {"NotEqual",  "Any",      "LogicalOr",       "ExpandDims",
                                                "ZerosLike", "OnesLike", "ConvertToTensor", "Concatenate"};
  const std::string& type = text_or(keras, "class_name", none);
  const Json *const nodes = keras.find("inbound_nodes"), *const config = keras.find("config");
  const bool is_layer = config && config->find("trainable");
  if (is_layer || !is_one_of(type, making) || !nodes || nodes->members.size() != 1) return false;
  const Json* const args = nodes->members[0].value.find("args");
  if (!args || !args->is(Kind::array) || args->members.empty()) return false;
  const bool begins = type == "NotEqual", is_blank = type == "ZerosLike" || type == "OnesLike";
  int number = MaskNumbers::none;
  bool is_of_masks = begins || is_blank;
  const auto read = [&](const Json& list) {
    for (const Json::Member& member : list.members)
      if (const Json* const place = place_of_symbol(member.value); place && !is_blank) {
        const int read = begins ? numbers_.of(key_of_place(*place)) : number_of(*place);
        number = numbers_.either(number, read);
        is_of_masks = is_of_masks || has(place->members[0].value.text);
      }
  };
  read(*args), read(args->members[0].value);
  if (is_of_masks) read_[text_or(keras, "name", none)] = number;
  return is_of_masks;
}

int ReadMasks::number_of(const Json& place) const {
  const auto found = read_.find(place.members.at(0).value.text);
  if (found != read_.end()) return found->second;
  auto [layer, application, output] = key_of_place(place);
  return numbers_.of({layer, application, -1 - output});  // what it gives is the mask
}

}  // namespace glia::keras

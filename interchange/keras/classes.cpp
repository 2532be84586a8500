// The classes of layers, a line each.
// SPDX-License-Identifier: Apache-2.0
#include "interchange/keras/classes.h"

#include <algorithm>
#include <string_view>

namespace glia::keras {
namespace {

constexpr Extra channels_last{"data_format", "\"channels_last\"|null", "\"channels_last\""};
constexpr Extra seed{"seed", "*", "null"};
constexpr Extra whole_noise{"noise_shape", "null", "null"};
/// What Keras 2 says of every convolution, whether it has them or not.
constexpr Extra one_group{"groups", "1", nullptr}, no_kernel{"kernel_initializer", "*", nullptr},
    no_regularizer{"kernel_regularizer", "null", nullptr},
    no_constraint{"kernel_constraint", "null", nullptr};
constexpr Extra no_output_padding{"output_padding", "null", nullptr};
/// Of recurrent layers, of which Keras 2 says two more.
constexpr Extra zero_output{"zero_output_for_mask", "false", nullptr},
    implementation{"implementation", "*", nullptr}, time_major{"time_major", "false", nullptr};
/// Of attention layers with heads; Keras 2 says what they were applied to.
constexpr Extra no_gate{"use_gate", "false", nullptr}, no_window{"sliding_window", "null", nullptr},
    attention_axes{"attention_axes", "null|[1]|1", nullptr}, query_shape{"query_shape", "*", nullptr},
    key_shape{"key_shape", "*", nullptr}, value_shape{"value_shape", "*", nullptr};

const std::vector<LayerClass>& all() {
  static const std::vector<LayerClass> classes = {
      {"InputLayer",
       {{"sparse", "false", "false"}, {"ragged", "false", "false"}, {"optional", "false", nullptr}}},
      {"Dense"},
      {"Conv1D", {channels_last}},
      {"Conv2D", {channels_last}},
      {"Conv2DTranspose", {channels_last, no_output_padding, one_group}},
      {"DepthwiseConv2D",
       {channels_last, one_group, no_kernel, no_regularizer, no_constraint, no_output_padding}},
      {"SeparableConv2D",
       {channels_last, one_group, no_kernel, no_regularizer, no_constraint, no_output_padding}},
      {"Embedding"},
      {"BatchNormalization",
       {{"synchronized", "false", nullptr},
        {"renorm", "false", nullptr},
        {"renorm_clipping", "*", nullptr},
        {"renorm_momentum", "*", nullptr},
        {"fused", "*", nullptr},
        {"virtual_batch_size", "null", nullptr},
        {"adjustment", "null", nullptr}}},
      {"LayerNormalization",
       {{"rms_scaling", "false", nullptr},
        {"beta_regularizer", "null", nullptr},
        {"gamma_regularizer", "null", nullptr},
        {"beta_constraint", "null", nullptr},
        {"gamma_constraint", "null", nullptr}}},
      {"RMSNormalization"},
      {"Normalization", {{"invert", "false", nullptr}}},
      {"Flatten", {channels_last}},
      {"Reshape"},
      {"Permute"},
      {"Rescaling"},
      {"Activation"},
      {"ReLU"},
      {"LeakyReLU"},
      {"ELU"},
      {"PReLU", {{"shared_axes", "null", "null"}}},
      {"Dropout", {seed, whole_noise}},
      {"SpatialDropout2D", {seed, {"noise_shape", "null", nullptr}, channels_last}},
      {"AlphaDropout", {seed, whole_noise}},
      {"GaussianNoise", {seed}},
      {"GaussianDropout", {seed}},
      {"MaxPooling2D", {channels_last}},
      {"AveragePooling2D", {channels_last}},
      {"GlobalMaxPooling2D", {channels_last}},
      {"GlobalAveragePooling2D", {channels_last}},
      {"ZeroPadding2D", {channels_last}},
      {"Cropping2D", {channels_last}},
      {"UpSampling2D", {channels_last}},
      {"RandomFlip", {seed, channels_last}},
      {"RandomTranslation", {seed, channels_last, {"interpolation", "*", "\"nearest\""}}},
      {"RandomErasing", {seed, channels_last, {"value_range", "*", nullptr}}},
      {"Add"},
      {"Subtract"},
      {"Multiply"},
      {"Average"},
      {"Maximum"},
      {"Minimum"},
      {"Concatenate"},
      {"Dot"},
      {"Masking"},
      {"GlobalAveragePooling1D", {channels_last}},
      {"SimpleRNN", {seed, zero_output, implementation, time_major}},
      {"LSTM", {seed, zero_output, implementation, time_major}},
      {"GRU", {seed, zero_output, implementation, time_major}},
      {"Bidirectional"},
      {"TimeDistributed"},
      {"MultiHeadAttention", {seed, no_gate, no_window, attention_axes, query_shape, key_shape, value_shape}},
      {"GroupQueryAttention", {seed, no_gate, no_window}},
      {"Attention", {seed}},
      {"AdditiveAttention", {seed}},
  };
  return classes;
}

bool is_accepted(const Json& got, std::string_view accepted) {
  if (accepted == "*") return true;
  const std::string text = got.dump();
  while (!accepted.empty()) {
    const std::size_t end = std::min(accepted.find('|'), accepted.size());
    if (accepted.substr(0, end) == text) return true;
    accepted.remove_prefix(std::min(end + 1, accepted.size()));
  }
  return false;
}

bool is_off(const Json& config, const char* option) {
  const Json* const found = config.find(option);
  return found && found->is(Kind::boolean) && found->text == "false";
}

/// {..., and "bias" where there is one}.
std::vector<std::string> with_bias(const Json& config, std::vector<std::string> kernels) {
  if (!is_off(config, "use_bias")) kernels.emplace_back("bias");
  return kernels;
}

}  // namespace

const LayerClass* layer_class(const std::string& name) {
  const auto found =
      std::find_if(all().begin(), all().end(), [&](const LayerClass& one) { return one.name == name; });
  return found == all().end() ? nullptr : &*found;
}

const std::vector<Extra>& common_extras() {
  static const std::vector<Extra> extras = {{"activity_regularizer", "null", nullptr},
                                            {"quantization_config", "null", nullptr},
                                            {"lora_rank", "null", nullptr},
                                            {"lora_alpha", "*", nullptr},
                                            {"dynamic", "false", nullptr},
                                            {"autocast", "*", nullptr}};
  return extras;
}

std::vector<std::string> layer_class_names() {
  std::vector<std::string> names = {"Sequential", "Functional", "Softmax"};
  for (const LayerClass& one : all()) names.emplace_back(one.name);
  return names;
}

void take_extras(Json& config, const std::vector<Extra>& extras, const std::string& layer) {
  for (const Extra& extra : extras) {
    const Json got = taken(config, extra.name);
    if (got.is(Kind::null) || is_accepted(got, extra.accepted)) continue;
    throw ValueError(detail::concat(layer, ": ", extra.name, " is ", shown(got),
                                    ", which Glia has not, expected ", extra.accepted,
                                    "; train and save the model with that"));
  }
}

std::vector<std::string> weights_of(const std::string& class_name, const Json& config) {
  if (class_name == "Dense" || class_name == "Conv1D" || class_name == "Conv2D" ||
      class_name == "Conv2DTranspose" || class_name == "DepthwiseConv2D")
    return with_bias(config, {"kernel"});
  if (class_name == "SeparableConv2D") return with_bias(config, {"depthwise_kernel", "pointwise_kernel"});
  if (class_name == "Embedding") return {"embeddings"};
  if (class_name == "SimpleRNN" || class_name == "LSTM" || class_name == "GRU")
    return with_bias(config, {"kernel", "recurrent_kernel"});
  if (class_name == "AdditiveAttention" || class_name == "Attention") {
    std::vector<std::string> weights;
    if (!is_off(config, "use_scale")) weights.emplace_back("scale");
    if (is_text(config.find("score_mode"), "concat")) weights.emplace_back("concat_score_weight");
    return weights;
  }
  if (class_name == "PReLU") return {"alpha"};
  if (class_name == "RMSNormalization") return {"scale"};
  if (class_name == "Normalization") {
    const Json* const mean = config.find("mean");
    const bool is_given = mean && !(mean->is(Kind::array) && mean->members.empty()) && !is_null(mean);
    const Json* const adapted = config.find("adapted");
    const bool keeps = !is_given || (adapted && adapted->text == "true");
    return keeps ? std::vector<std::string>{"mean", "variance", "count"} : std::vector<std::string>{};
  }
  std::vector<std::string> weights;
  if (class_name == "BatchNormalization" || class_name == "LayerNormalization") {
    if (!is_off(config, "scale")) weights.emplace_back("gamma");
    if (!is_off(config, "center")) weights.emplace_back("beta");
    if (class_name == "BatchNormalization")
      weights.emplace_back("moving_mean"), weights.emplace_back("moving_variance");
  }
  return weights;
}

std::vector<WeightsBelow> weights_below(const std::string& class_name, const Json& config) {
  if (class_name == "SimpleRNN" || class_name == "LSTM" || class_name == "GRU")
    return {{"/cell", weights_of(class_name, config)}};
  const bool is_grouped = class_name == "GroupQueryAttention";
  if (!is_grouped && class_name != "MultiHeadAttention") return {{"", weights_of(class_name, config)}};
  std::vector<WeightsBelow> parts;
  for (const char* part : {"query", "key", "value", "attention_output"}) {
    const std::string place = std::string_view(part) == "attention_output" ? "output" : part;
    std::vector<std::string> weights = with_bias(config, {"kernel"});
    for (std::string& weight : weights) weight = std::string(part) + '/' + weight;
    parts.push_back({(is_grouped ? "/_" : "/") + place + "_dense", std::move(weights)});
  }
  return parts;
}

bool is_trained_weight(const std::string& weight) {
  return weight != "moving_mean" && weight != "moving_variance" && weight != "mean" && weight != "variance" &&
         weight != "count";
}

std::string metric_name(const std::string& given) {
  if (given == "FBetaScore") return "fbeta_score";
  return !given.empty() && given[0] >= 'A' && given[0] <= 'Z' && given != "MSE" && given != "MAE"
             ? snake_case(given)
             : given;
}

int rank_behind(const std::string& class_name, const Json& config, int rank) {
  if (class_name == "Flatten") return 2;
  if (class_name == "Reshape") {
    const Json* const target = config.find("target_shape");
    return target ? static_cast<int>(target->members.size()) + 1 : 0;
  }
  if (class_name == "Embedding") return rank > 0 ? rank + 1 : 0;
  if (class_name == "SimpleRNN" || class_name == "LSTM" || class_name == "GRU")
    return is_true(config, "return_sequences") ? 3 : 2;
  if (class_name == "Bidirectional" || class_name == "TimeDistributed") {
    const Json& within = config.find("layers")->members.at(0).value;
    const bool is_each = class_name == "TimeDistributed";
    const int behind = rank_behind(text_or(within, "class_name", class_name), *within.find("config"),
                                   rank > 0 ? rank - is_each : 0);
    return behind > 0 ? behind + is_each : 0;
  }
  if (class_name.ends_with("Attention")) return 3;
  if (class_name == "GlobalAveragePooling1D") return is_true(config, "keepdims") ? 3 : 2;
  if (class_name.find("Global") == 0) {
    return is_true(config, "keepdims") ? 4 : 2;
  }
  if (class_name == "Conv1D") return 3;
  if (class_name == "Sequential" || class_name == "Functional") return 0;
  if (class_name.find("2D") != std::string::npos) return 4;
  if (class_name == "Dot" || class_name == "Sum" || class_name == "Mean") return 0;
  return rank;
}

std::string snake_case(const std::string& class_name) {
  const auto is_upper = [&](std::size_t i) { return class_name[i] >= 'A' && class_name[i] <= 'Z'; };
  const auto is_lower = [&](std::size_t i) {
    return i < class_name.size() && class_name[i] >= 'a' && class_name[i] <= 'z';
  };
  std::string name;
  for (std::size_t i = 0; i < class_name.size(); ++i) {
    if (is_upper(i) && i > 0 && (is_lower(i - 1) || is_lower(i + 1))) name += '_';
    name += is_upper(i) ? static_cast<char>(class_name[i] - 'A' + 'a') : class_name[i];
  }
  return name;
}

std::string pascal_case(const std::string& name) {
  std::string class_name;
  bool starts = true;
  for (const char c : name) {
    if (c != '_') class_name += starts && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    starts = c == '_';
  }
  return class_name;
}

}  // namespace glia::keras

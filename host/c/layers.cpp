// Layers, optimizers and losses as text: what is theirs by place; by name they take what files of models have.
// SPDX-License-Identifier: Apache-2.0
#include <host/c/layers.h>
#include <host/c/words.h>
#include <host/graph/made_layer.h>

namespace glia::c {
namespace {

struct Positional {
  const char* name;
  std::vector<const char*> arguments;
};

/// In Keras's order.
std::vector<const char*> positional_of(const std::string& name) {
  static const std::vector<Positional>& all = *new std::vector<Positional>{
      {"Input", {"shape"}},
      {"Dense", {"units", "activation", "use_bias"}},
      {"Reshape", {"target_shape"}},
      {"Activation", {"activation"}},
      {"ReLU", {"max_value", "negative_slope", "threshold"}},
      {"LeakyReLU", {"negative_slope"}},
      {"ELU", {"alpha"}},
      {"Dropout", {"rate"}},
      {"SpatialDropout2D", {"rate"}},
      {"GaussianNoise", {"stddev"}},
      {"GaussianDropout", {"rate"}},
      {"AlphaDropout", {"rate"}},
      {"Rescaling", {"scale", "offset"}},
      {"Embedding", {"input_dim", "output_dim"}},
      {"Conv1D", {"filters", "kernel_size", "strides", "padding"}},
      {"Conv2D", {"filters", "kernel_size", "strides", "padding"}},
      {"Conv2DTranspose", {"filters", "kernel_size", "strides", "padding"}},
      {"DepthwiseConv2D", {"kernel_size", "strides", "padding", "depth_multiplier"}},
      {"SeparableConv2D", {"filters", "kernel_size", "strides", "padding"}},
      {"MaxPooling2D", {"pool_size", "strides", "padding"}},
      {"AveragePooling2D", {"pool_size", "strides", "padding"}},
      {"ZeroPadding2D", {"padding"}},
      {"Cropping2D", {"cropping"}},
      {"UpSampling2D", {"size"}},
      {"RandomFlip", {"mode"}},
      {"RandomTranslation", {"height_factor", "width_factor"}},
      {"Cutout", {"size"}},
  };
  for (const Positional& known : all)
    if (known.name == name) return known.arguments;
  return {};
}

}  // namespace

std::vector<Layer> layers_of(const std::string& text) {
  std::vector<Layer> layers;
  for (const Call& call : parse_calls(text, "layers")) {
    expect_layer_class(call.name);
    Json arguments = arguments_of(call, positional_of(call.name));
    Config config(arguments, call.name);
    layers.push_back(made_layer(call.name, false, config));
  }
  GLIA_CHECK(!layers.empty(), ValueError, "layers is empty, expected calls such as Dense(10, 'softmax')");
  return layers;
}

namespace {

/// As a file of a model has it.
Json with_class(const Call& call, const std::vector<const char*>& positional) {
  Json json(Json::Kind::object);
  json.add("class_name", Json::of(call.name));
  json.add("config", arguments_of(call, positional));
  return json;
}

}  // namespace

OptimizerName optimizer_of(const std::string& text) {
  Json holder(Json::Kind::object);
  holder.add("optimizer", with_class(parse_call(text, "optimizer"), {"learning_rate"}));
  OptimizerName optimizer("rmsprop");
  Config(holder, "compile").field("optimizer", optimizer);
  return optimizer;
}

LossName loss_of(const std::string& text) { return read_loss(with_class(parse_call(text, "loss"), {})); }

}  // namespace glia::c

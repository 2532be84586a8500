// Layers as text: which there are, and the arguments of each, in Keras's order and with the names and defaults of C++.
// SPDX-License-Identifier: Apache-2.0
#include <glia/image_layers.h>
#include <glia/layers.h>
#include <host/c/layers.h>
#include <host/c/words.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace glia::c {
namespace {

using Take = Arguments;

/// What layers with a kernel and a bias have in common.
template <class Options>
void take_kernel(Take& from, Options& options) {
  from.take("activation", options.activation);
  from.take("use_bias", options.use_bias);
  from.take("bias_initializer", options.bias_initializer);
  from.take("bias_regularizer", options.bias_regularizer);
  from.take("bias_constraint", options.bias_constraint);
  if constexpr (requires { options.kernel_initializer; }) {
    from.take("kernel_initializer", options.kernel_initializer);
    from.take("kernel_regularizer", options.kernel_regularizer);
    from.take("kernel_constraint", options.kernel_constraint);
  } else {
    from.take("depthwise_initializer", options.depthwise_initializer);
    from.take("depthwise_regularizer", options.depthwise_regularizer);
    from.take("depthwise_constraint", options.depthwise_constraint);
  }
  from.take("input_shape", options.input_shape);
  from.take("trainable", options.trainable);
}

template <class Options>
Options convolution(Take& from) {
  Options options;
  from.take("strides", options.strides);
  from.take("padding", options.padding);
  from.take("dilation_rate", options.dilation_rate);
  if constexpr (requires { options.groups; }) from.take("groups", options.groups);
  if constexpr (requires { options.depth_multiplier; })
    from.take("depth_multiplier", options.depth_multiplier);
  if constexpr (requires { options.pointwise_initializer; }) {
    from.take("pointwise_initializer", options.pointwise_initializer);
    from.take("pointwise_regularizer", options.pointwise_regularizer);
    from.take("pointwise_constraint", options.pointwise_constraint);
  }
  take_kernel(from, options);
  from.take("name", options.name);
  return options;
}

/// An argument that has a default of the layer's own.
template <class T>
T or_else(Take& from, const char* key, T value) {
  from.take(key, value);
  return value;
}
std::string name(Take& from) { return or_else(from, "name", std::string()); }

Layer dense(Take& from) {
  DenseOptions options;
  take_kernel(from, options);
  from.take("input_dim", options.input_dim);
  from.take("name", options.name);
  return Dense(from.required<int>("units"), options);
}

template <class Of>
Layer pooling(Take& from) {
  Pooling2DOptions options;
  from.take("strides", options.strides);
  from.take("padding", options.padding);
  from.take("name", options.name);
  return Of(or_else(from, "pool_size", Size2D(2)), options);
}

template <class Of>
Layer global_pooling(Take& from) {
  GlobalPooling2DOptions options;
  from.take("keepdims", options.keepdims);
  from.take("name", options.name);
  return Of(options);
}

/// A layer of one number.
template <class Of>
Layer with_rate(Take& from) {
  return Of(from.required<double>("rate"), name(from));
}

Layer relu(Take& from) {
  ReLUOptions options;
  from.take("max_value", options.max_value);
  from.take("negative_slope", options.negative_slope);
  from.take("threshold", options.threshold);
  from.take("name", options.name);
  return ReLU(options);
}

Layer prelu(Take& from) {
  PReLUOptions options;
  from.take("alpha_initializer", options.alpha_initializer);
  from.take("alpha_regularizer", options.alpha_regularizer);
  from.take("alpha_constraint", options.alpha_constraint);
  from.take("trainable", options.trainable);
  from.take("name", options.name);
  return PReLU(options);
}

/// What both normalizations learn.
template <class Options>
Options normalization(Take& from) {
  Options options;
  from.take("epsilon", options.epsilon);
  from.take("center", options.center);
  from.take("scale", options.scale);
  from.take("beta_initializer", options.beta_initializer);
  from.take("gamma_initializer", options.gamma_initializer);
  from.take("trainable", options.trainable);
  from.take("name", options.name);
  return options;
}

Layer batch_normalization(Take& from) {
  auto options = normalization<BatchNormalizationOptions>(from);
  from.take("momentum", options.momentum);
  from.take("moving_mean_initializer", options.moving_mean_initializer);
  from.take("moving_variance_initializer", options.moving_variance_initializer);
  from.take("beta_regularizer", options.beta_regularizer);
  from.take("gamma_regularizer", options.gamma_regularizer);
  from.take("beta_constraint", options.beta_constraint);
  from.take("gamma_constraint", options.gamma_constraint);
  return BatchNormalization(options);
}

Layer embedding(Take& from) {
  EmbeddingOptions options;
  from.take("embeddings_initializer", options.embeddings_initializer);
  from.take("embeddings_regularizer", options.embeddings_regularizer);
  from.take("embeddings_constraint", options.embeddings_constraint);
  from.take("input_length", options.input_length);
  from.take("trainable", options.trainable);
  from.take("name", options.name);
  return Embedding(from.required<int>("input_dim"), from.required<int>("output_dim"), options);
}

Layer up_sampling(Take& from) {
  UpSampling2DOptions options;
  from.take("interpolation", options.interpolation);
  from.take("name", options.name);
  return UpSampling2D(or_else(from, "size", Size2D(2)), options);
}

struct Known {
  const char* name;
  std::vector<const char*> positional;
  Layer (*make)(Take& from);
};

const std::vector<Known>& all_layers() {
  static const std::vector<Known> all = {
      {"Input",
       {"shape"},
       [](Take& from) -> Layer { return Input(from.required<Shape>("shape"), name(from)); }},
      {"Dense", {"units", "activation", "use_bias"}, dense},
      {"Flatten",
       {},
       [](Take& from) -> Layer { return Flatten(or_else(from, "input_shape", Shape()), name(from)); }},
      {"Reshape",
       {"target_shape"},
       [](Take& from) -> Layer { return Reshape(from.required<Shape>("target_shape"), name(from)); }},
      {"Activation",
       {"activation"},
       [](Take& from) -> Layer {
         return Activation(from.required_text("activation"), or_else(from, "input_shape", Shape()),
                           name(from));
       }},
      {"ReLU", {"max_value", "negative_slope", "threshold"}, relu},
      {"LeakyReLU",
       {"negative_slope"},
       [](Take& from) -> Layer { return LeakyReLU(or_else(from, "negative_slope", 0.3), name(from)); }},
      {"ELU", {"alpha"}, [](Take& from) -> Layer { return ELU(or_else(from, "alpha", 1.0), name(from)); }},
      {"PReLU", {}, prelu},
      {"Dropout", {"rate"}, with_rate<Dropout>},
      {"SpatialDropout2D", {"rate"}, with_rate<SpatialDropout2D>},
      {"GaussianNoise",
       {"stddev"},
       [](Take& from) -> Layer { return GaussianNoise(from.required<double>("stddev"), name(from)); }},
      {"GaussianDropout", {"rate"}, with_rate<GaussianDropout>},
      {"AlphaDropout", {"rate"}, with_rate<AlphaDropout>},
      {"BatchNormalization", {}, batch_normalization},
      {"LayerNormalization",
       {},
       [](Take& from) -> Layer {
         return LayerNormalization(normalization<LayerNormalizationOptions>(from));
       }},
      {"RMSNormalization",
       {},
       [](Take& from) -> Layer { return RMSNormalization(or_else(from, "epsilon", 1e-6), name(from)); }},
      {"Rescaling",
       {"scale", "offset"},
       [](Take& from) -> Layer {
         return Rescaling(from.required<double>("scale"), or_else(from, "offset", 0.0), name(from));
       }},
      {"Embedding", {"input_dim", "output_dim"}, embedding},
      {"Conv1D",
       {"filters", "kernel_size", "strides", "padding"},
       [](Take& from) -> Layer {
         return Conv1D(from.required<int>("filters"), from.required<int>("kernel_size"),
                       convolution<Conv1DOptions>(from));
       }},
      {"Conv2D",
       {"filters", "kernel_size", "strides", "padding"},
       [](Take& from) -> Layer {
         return Conv2D(from.required<int>("filters"), from.required_size("kernel_size"),
                       convolution<Conv2DOptions>(from));
       }},
      {"Conv2DTranspose",
       {"filters", "kernel_size", "strides", "padding"},
       [](Take& from) -> Layer {
         return Conv2DTranspose(from.required<int>("filters"), from.required_size("kernel_size"),
                                convolution<Conv2DTransposeOptions>(from));
       }},
      {"DepthwiseConv2D",
       {"kernel_size", "strides", "padding", "depth_multiplier"},
       [](Take& from) -> Layer {
         return DepthwiseConv2D(from.required_size("kernel_size"), convolution<DepthwiseConv2DOptions>(from));
       }},
      {"SeparableConv2D",
       {"filters", "kernel_size", "strides", "padding"},
       [](Take& from) -> Layer {
         return SeparableConv2D(from.required<int>("filters"), from.required_size("kernel_size"),
                                convolution<SeparableConv2DOptions>(from));
       }},
      {"MaxPooling2D", {"pool_size", "strides", "padding"}, pooling<MaxPooling2D>},
      {"AveragePooling2D", {"pool_size", "strides", "padding"}, pooling<AveragePooling2D>},
      {"GlobalMaxPooling2D", {}, global_pooling<GlobalMaxPooling2D>},
      {"GlobalAveragePooling2D", {}, global_pooling<GlobalAveragePooling2D>},
      {"ZeroPadding2D",
       {"padding"},
       [](Take& from) -> Layer { return ZeroPadding2D(or_else(from, "padding", Border2D(1)), name(from)); }},
      {"Cropping2D",
       {"cropping"},
       [](Take& from) -> Layer { return Cropping2D(or_else(from, "cropping", Border2D(0)), name(from)); }},
      {"UpSampling2D", {"size"}, up_sampling},
  };
  return all;
}

Layer layer_of(const Call& call) {
  const std::vector<Known>& all = all_layers();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Known& one) { return one.name == call.name; });
  if (found == all.end()) {
    std::vector<std::string> names;
    for (const Known& one : all) names.emplace_back(one.name);
    throw ValueError(detail::unknown_name("layer", call.name, names));
  }
  Arguments arguments(call, found->positional);
  const Layer layer = found->make(arguments);
  arguments.finish();
  return layer;
}

}  // namespace

std::vector<Layer> layers_of(const std::string& text) {
  std::vector<Layer> layers;
  for (const Call& call : parse_calls(text, "layers")) layers.push_back(layer_of(call));
  GLIA_CHECK(!layers.empty(), ValueError, "layers is empty, expected calls such as Dense(10, 'softmax')");
  return layers;
}

}  // namespace glia::c

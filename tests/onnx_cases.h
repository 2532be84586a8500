// Models of every layer, for tests of ONNX files: what they compute is to travel. Weights are drawn, also those that begin as zeros
// and ones.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/augmentation_layers.h>
#include <glia/glia.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace glia::testing {

/// Numbers between -1 and 1, the same for the same seed.
inline Tensor drawn(const Shape& shape, std::uint32_t seed) {
  std::vector<float> values;
  std::uint32_t state = seed * 2654435761u + 12345u;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    state = state * 1664525u + 1013904223u;
    values.push_back(static_cast<float>(state >> 8) / 8388608.0F - 1.0F);
  }
  return Tensor(values, shape);
}

/// Every weight drawn; variances above 0.
inline void draw_weights(Model& model) {
  const std::vector<std::string> names = model.weight_names();
  TensorList weights = model.get_weights();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = drawn(weights[i].shape(), static_cast<std::uint32_t>(i + 1));
    if (names[i].ends_with("variance")) weights[i] = (weights[i].abs() + 0.5).cast(DType::float32);
  }
  model.set_weights(weights);
}

struct OnnxCase {
  std::string name;
  std::vector<Shape> inputs;
  std::function<std::vector<Symbol>(const std::vector<Symbol>&)> outputs;
  bool whole_numbers = false;  ///< inputs are indices below 5
};

inline OnnxCase onnx_case(const std::string& name, const Shape& input,
                          const std::function<Symbol(const Symbol&)>& output) {
  return {
      name, {input}, [output](const std::vector<Symbol>& x) { return std::vector<Symbol>{output(x[0])}; }};
}
inline OnnxCase onnx_case(const std::string& name, const Shape& a, const Shape& b,
                          const std::function<Symbol(const Symbol&, const Symbol&)>& output) {
  return {name, {a, b}, [output](const std::vector<Symbol>& x) {
            return std::vector<Symbol>{output(x[0], x[1])};
          }};
}

inline Model made(const OnnxCase& one) {
  std::vector<Symbol> inputs;
  for (const Shape& shape : one.inputs) inputs.push_back(Input(shape, "x" + std::to_string(inputs.size())));
  Model model(inputs, one.outputs(inputs));
  draw_weights(model);
  return model;
}

inline std::vector<Tensor> data_of(const OnnxCase& one, std::int64_t rows) {
  std::vector<Tensor> data;
  for (const Shape& shape : one.inputs) {
    Tensor x = drawn(shape.prepend(rows), static_cast<std::uint32_t>(data.size() + 77));
    if (one.whole_numbers) x = ((x.abs() * 4.999).cast(DType::int32)).cast(DType::float32);
    data.push_back((x * (one.whole_numbers ? 1.0 : 2.0)).cast(DType::float32));
  }
  return data;
}

/// Activations, alone and as the end of another layer.
inline std::vector<OnnxCase> activation_cases() {
  std::vector<OnnxCase> cases;
  for (const char* const name :
       {"linear",     "relu",      "sigmoid", "tanh", "softmax",      "log_softmax", "relu6",
        "leaky_relu", "elu",       "selu",    "celu", "hard_sigmoid", "softplus",    "softsign",
        "silu",       "hard_silu", "gelu",    "mish", "exponential",  "step"}) {
    cases.push_back(onnx_case(std::string("activation_") + name, {7},
                              [=](const Symbol& x) { return Activation(name)(x); }));
    cases.push_back(onnx_case(std::string("conv_") + name, {4, 5, 3},
                              [=](const Symbol& x) { return Conv2D(4, 2, {.activation = name})(x); }));
  }
  const auto add = [&](const std::string& name, const Layer& layer) {
    cases.push_back(onnx_case(name, {3, 4, 5}, [layer](const Symbol& x) { return layer(x); }));
  };
  add("approximate_gelu", Activation(Gelu{true}));
  add("elu_of_alpha", Activation(Elu{0.5}));
  add("celu_of_alpha", Activation(Celu{0.5}));
  add("leaky", LeakyReLU(0.15));
  add("elu_layer", ELU(0.7));
  add("prelu", PReLU());
  add("relu_bounded", ReLU({.max_value = 0.7}));
  add("relu_of_all", ReLU({.max_value = 1.1, .negative_slope = 0.2, .threshold = 0.3}));
  add("relu_of_threshold", ReLU({.threshold = 0.4}));
  add("rescaling", Rescaling(1.5, -0.25));
  cases.push_back(
      onnx_case("prelu_of_filters", {5, 5, 2}, [](const Symbol& x) { return PReLU()(Conv2D(3, 2)(x)); }));
  return cases;
}

inline std::vector<OnnxCase> image_cases() {
  std::vector<OnnxCase> cases;
  const auto add = [&](const std::string& name, const Shape& shape, const Layer& layer) {
    cases.push_back(onnx_case(name, shape, [layer](const Symbol& x) { return layer(x); }));
  };
  for (const char* const padding : {"valid", "same"}) {
    const auto named = [&](const char* name) { return std::string(name) + '_' + padding; };
    add(named("conv"), {9, 8, 3}, Conv2D(4, 3, {.padding = padding}));
    add(named("conv_strides"), {9, 8, 3}, Conv2D(4, {3, 2}, {.strides = {2, 3}, .padding = padding}));
    add(named("conv_dilation"), {9, 8, 3},
        Conv2D(4, {3, 2}, {.padding = padding, .dilation_rate = 2, .use_bias = false}));
    add(named("conv_groups"), {7, 7, 4}, Conv2D(6, 3, {.padding = padding, .groups = 2}));
    add(named("conv1d"), {11, 3}, Conv1D(4, 3, {.strides = 2, .padding = padding}));
    add(named("depthwise"), {7, 6, 3},
        DepthwiseConv2D(3, {.strides = 2, .padding = padding, .depth_multiplier = 2}));
    add(named("separable"), {7, 6, 3}, SeparableConv2D(5, 3, {.padding = padding, .depth_multiplier = 2}));
    add(named("transpose"), {4, 5, 3}, Conv2DTranspose(2, 3, {.strides = 2, .padding = padding}));
    add(named("transpose_gaps"), {4, 5, 3}, Conv2DTranspose(2, 2, {.strides = 3, .padding = padding}));
    add(named("transpose_dilation"), {4, 5, 3},
        Conv2DTranspose(2, 3, {.padding = padding, .dilation_rate = 2}));
    add(named("max"), {7, 6, 3}, MaxPooling2D({2, 3}, {.strides = 2, .padding = padding}));
    add(named("average"), {7, 6, 3}, AveragePooling2D({2, 3}, {.strides = 2, .padding = padding}));
  }
  add("global_max", {5, 4, 3}, GlobalMaxPooling2D());
  add("global_average", {5, 4, 3}, GlobalAveragePooling2D());
  add("global_max_kept", {5, 4, 3}, GlobalMaxPooling2D({.keepdims = true}));
  add("global_average_kept", {5, 4, 3}, GlobalAveragePooling2D({.keepdims = true}));
  add("zero_padding", {4, 3, 2}, ZeroPadding2D({1, 2, 3, 0}));
  add("cropping", {6, 7, 2}, Cropping2D({1, 2, 3, 0}));
  add("up_nearest", {3, 4, 2}, UpSampling2D({2, 3}));
  add("up_bilinear", {3, 4, 2}, UpSampling2D({2, 3}, {.interpolation = "bilinear"}));
  add("batch_normalization_of_images", {4, 3, 5}, BatchNormalization());
  cases.push_back(onnx_case("batch_normalization_of_filters", {6, 6, 2}, [](const Symbol& x) {
    return BatchNormalization({.center = false, .scale = false})(Conv2D(3, 3)(x));
  }));
  cases.push_back(onnx_case("normalization_of_filters", {6, 6, 2},
                            [](const Symbol& x) { return Normalization()(Conv2D(3, 3)(x)); }));
  cases.push_back(onnx_case("sums_of_filters", {6, 6, 2}, [](const Symbol& x) {
    const Symbol y = Conv2D(3, 3)(x);
    return concatenate({sum(y, {1, 2}), mean(y, {3, 1}), reshape(mean(y, {2}, true), {12}), sum(y)});
  }));
  cases.push_back(onnx_case("moved_filters", {6, 5, 2}, [](const Symbol& x) {
    const Symbol y = Conv2D(3, 3)(x);
    return slice(ZeroPadding2D(1)(Cropping2D(Border2D(1, 0))(y)), 3, 1, 2);
  }));
  return cases;
}

inline std::vector<OnnxCase> other_cases() {
  std::vector<OnnxCase> cases;
  const auto add = [&](const std::string& name, const Shape& shape, const Layer& layer) {
    cases.push_back(onnx_case(name, shape, [layer](const Symbol& x) { return layer(x); }));
  };
  const auto of = [&](const std::string& name, const Shape& shape,
                      const std::function<Symbol(const Symbol&)>& make) {
    cases.push_back(onnx_case(name, shape, make));
  };
  const auto join = [&](const std::string& name, const Shape& a, const Shape& b,
                        const std::function<Symbol(const Symbol&, const Symbol&)>& make) {
    cases.push_back(onnx_case(name, a, b, make));
  };
  add("dense", {7}, Dense(5));
  add("dense_without_bias", {7}, Dense(5, {.activation = "tanh", .use_bias = false}));
  add("dense_of_sequences", {4, 7}, Dense(5, "relu"));
  add("flatten", {2, 3, 4}, Flatten());
  add("reshape", {2, 6}, Reshape({3, -1}));
  add("batch_normalization", {6}, BatchNormalization());
  add("layer_normalization", {3, 6}, LayerNormalization());
  add("layer_normalization_plain", {6}, LayerNormalization({.center = false, .scale = false}));
  add("rms_normalization", {3, 6}, RMSNormalization());
  add("normalization", {3, 6}, Normalization());
  add("normalization_given", {4}, Normalization({.mean = {0.5}, .variance = {4}}));
  cases.push_back({"embedding",
                   {{6}},
                   [](const std::vector<Symbol>& x) { return std::vector<Symbol>{Embedding(5, 3)(x[0])}; },
                   true});
  of("formulas", {5}, [](const Symbol& x) {
    const Symbol positive = abs(x) + 0.5;
    return concatenate(
        {exp(x), log(positive), sqrt(positive), square(x), pow(positive, 1.5), 2.0 / positive, 1.0 - x});
  });
  of("sums", {3, 4, 5}, [](const Symbol& x) {
    return concatenate({reshape(sum(x, {1}), {20}), reshape(mean(x, {-1}, true), {12}), sum(x),
                        reshape(mean(x, {1, 3}), {4})});
  });
  of("permute", {3, 4, 5}, [](const Symbol& x) { return transpose(x, {2, 3, 1}); });
  of("permute_channels", {3, 4, 5}, [](const Symbol& x) {
    return transpose(transpose(x, {3, 1, 2}), {1, 3, 2});
  });
  of("slice", {3, 4, 5}, [](const Symbol& x) { return slice(x, 2, 1, 2); });
  of("stop_gradient", {4}, [](const Symbol& x) { return stop_gradient(x) * 2.0; });
  of("vanishing", {4, 4, 3}, [](const Symbol& x) {
    return GaussianNoise(0.1)(GaussianDropout(0.2)(AlphaDropout(0.1)(SpatialDropout2D(0.2)(Dropout(0.3)(
        Conv2D(2, 2)(Cutout(2)(RandomErasing()(RandomTranslation(0.2, 0.2)(RandomFlip()(x))))))))));
  });
  join("matmul", {2, 3, 4}, {2, 4, 5}, [](const Symbol& a, const Symbol& b) { return matmul(a, b); });
  join("dot", {6}, {6}, [](const Symbol& a, const Symbol& b) { return dot({a, b}); });
  join("dot_normalized", {3, 4}, {4, 5}, [](const Symbol& a, const Symbol& b) {
    return dot({a, b}, {.axes = {2, 1}, .normalize = true});
  });
  join("dot_of_first_axes", {4, 3, 2}, {5, 4}, [](const Symbol& a, const Symbol& b) {
    return dot({a, b}, {.axes = {1, 2}});
  });
  join("merges", {3, 4}, {3, 4}, [](const Symbol& a, const Symbol& b) {
    return concatenate(
        {average({a, b, b}), maximum({a, b, a}), Add()({a, b, a}), subtract({a, b}), multiply({a, b, b}),
         average({a, b, a}), maximum({a, b}), minimum({a, b}), a / (abs(b) + 1.0)},
        1);
  });
  join("repeated_axes", {3, 1, 4}, {2, 4}, [](const Symbol& a, const Symbol& b) { return average({a, b}); });
  join("excited", {6, 6, 3}, {3}, [](const Symbol& x, const Symbol& s) {
    return multiply({Conv2D(3, 3)(x), Reshape({1, 1, 3})(Dense(3, "sigmoid")(s))});
  });
  join("joined_filters", {6, 6, 3}, {4, 4, 2}, [](const Symbol& a, const Symbol& b) {
    return concatenate({Conv2D(3, 3)(a), b});
  });
  return cases;
}

/// Whole networks.
inline std::vector<OnnxCase> network_cases() {
  std::vector<OnnxCase> cases;
  cases.push_back(onnx_case("cnn", {12, 12, 1}, [](const Symbol& x) {
    Symbol y = BatchNormalization()(Conv2D(4, 3, "relu", {.padding = "same"})(Rescaling(0.5)(x)));
    y = Dropout(0.2)(MaxPooling2D()(y));
    y = add({y, Conv2D(4, 1)(y)});
    return Dense(3, "softmax")(Dense(8, "relu")(Flatten()(y)));
  }));
  cases.push_back(onnx_case("residual", {8, 8, 3}, [](const Symbol& x) {
    const Residual block({Conv2D(4, 3, {.padding = "same"}), BatchNormalization(), ReLU()},
                         {.shortcut = {Conv2D(4, 1)}});
    return GlobalAveragePooling2D()(Residual({Conv2D(4, 3, {.padding = "same"})})(block(x)));
  }));
  cases.push_back({"shared", {{5}, {5}}, [](const std::vector<Symbol>& x) {
                     const Dense shared(4, "tanh");
                     const Symbol a = shared(x[0]), b = shared(x[1]);
                     return std::vector<Symbol>{Dense(2)(concatenate({a, b})), subtract({a, b}), x[0] * 1.0};
                   }});
  cases.push_back({"nested", {{5}, {5}}, [](const std::vector<Symbol>& x) {
                     const Sequential inner{Dense(4, "relu"), BatchNormalization(), Dense(3)};
                     const Symbol in = Input({5});
                     const Dense hidden(6, "tanh");
                     const Model outer({in}, {add({hidden(in), Dense(6)(Layer(inner)(in))})});
                     return std::vector<Symbol>{outer(x[0]), Layer(inner)(x[1]), hidden(x[1])};
                   }});
  cases.push_back(onnx_case("attention", {6, 8}, [](const Symbol& x) {
    const Symbol q = Dense(8)(x), k = Dense(8)(x), v = Dense(8)(x);
    const Symbol scores = Activation("softmax")(matmul(q, transpose(k, {2, 1})) * (1 / std::sqrt(8.0)));
    return LayerNormalization()(add({x, matmul(scores, v)}));
  }));
  return cases;
}

inline std::vector<OnnxCase> all_onnx_cases() {
  std::vector<OnnxCase> all;
  for (auto family : {activation_cases(), image_cases(), other_cases(), network_cases()})
    for (OnnxCase& one : family) all.push_back(std::move(one));
  return all;
}

}  // namespace glia::testing

// Layers of images in ONNX's operators, which have the channels first.
// SPDX-License-Identifier: Apache-2.0
#include <interchange/onnx/exporter.h>

#include <algorithm>

namespace glia::onnx {
namespace {

using Graph = GraphWriter;

/// A window along the axes of an image, or along the one of a sequence.
struct Axes {
  Integers kernel, strides, dilations;
  std::size_t count() const { return kernel.size(); }
  std::int64_t span(std::size_t i) const { return (kernel[i] - 1) * dilations[i] + 1; }
};

Integers sizes(const Json& config, const char* name, std::size_t count) {
  if (!config.contains(name)) return Integers(count, 1);
  return config.at(name).get<Integers>();
}

Axes axes_of(const Json& config, const char* kernel) {
  Axes axes;
  axes.kernel = config.at(kernel).get<Integers>();
  axes.strides = sizes(config, "strides", axes.count());
  axes.dilations = sizes(config, "dilation_rate", axes.count());
  return axes;
}

/// (before..., behind...) of "same", the odd one behind.
Integers pads_of(const Applied& a, const Axes& w) {
  Integers pads(2 * w.count(), 0);
  if (a.config.at("padding") != "same") return pads;
  for (std::size_t i = 0; i < w.count(); ++i) {
    const std::int64_t in = a.x()->row[static_cast<int>(i)], out = (in + w.strides[i] - 1) / w.strides[i];
    const std::int64_t total = std::max<std::int64_t>((out - 1) * w.strides[i] + w.span(i) - in, 0);
    pads[i] = total / 2, pads[w.count() + i] = total - total / 2;
  }
  return pads;
}

ValuePtr ended(const Applied& a, const std::string& name) {
  return a.to.activated(a.config.at("activation"), a.to.first(a.row, name));
}
bool has_bias(const Applied& a) { return a.config.at("use_bias"); }

ValuePtr convolution(const Applied& a) {
  const Axes w = axes_of(a.config, "kernel_size");
  const std::vector<int> order = w.count() == 1 ? std::vector{2, 1, 0} : std::vector{3, 2, 0, 1};
  Strings inputs{a.to.onnx().first(a.x()), a.to.constant(a, "kernel", order)};
  if (has_bias(a)) inputs.push_back(a.to.constant(a, "bias"));
  return ended(a, a.to.onnx().add("Conv", inputs,
                                  {{"kernel_shape", w.kernel},
                                   {"strides", w.strides},
                                   {"dilations", w.dilations},
                                   {"pads", pads_of(a, w)},
                                   {"group", a.config.at("groups").get<std::int64_t>()}}));
}

/// kernel (kh, kw, channels, multiplier) as (channels * multiplier, 1, kh, kw).
std::string depthwise(const Applied& a, const char* kernel, const std::string& bias) {
  const Axes w = axes_of(a.config, "kernel_size");
  const Shape& shape = a.to.weight(a, kernel).shape();
  Strings inputs{a.to.onnx().first(a.x()),
                 a.to.constant(a, kernel, {2, 3, 0, 1}, {shape[2] * shape[3], 1, shape[0], shape[1]})};
  if (!bias.empty()) inputs.push_back(bias);
  return a.to.onnx().add("Conv", inputs,
                         {{"kernel_shape", w.kernel},
                          {"strides", w.strides},
                          {"dilations", w.dilations},
                          {"pads", pads_of(a, w)},
                          {"group", shape[2]}});
}

ValuePtr depthwise_convolution(const Applied& a) {
  return ended(a, depthwise(a, "kernel", has_bias(a) ? a.to.constant(a, "bias") : ""));
}

ValuePtr separable_convolution(const Applied& a) {
  Strings inputs{depthwise(a, "depthwise_kernel", ""), a.to.constant(a, "pointwise_kernel", {3, 2, 0, 1})};
  if (has_bias(a)) inputs.push_back(a.to.constant(a, "bias"));
  return ended(a, a.to.onnx().add("Conv", inputs, {{"kernel_shape", Integers{1, 1}}}));
}

/// ONNX counts what is cut off what a transpose gives: span - stride with "same"; and adds where strides leave gaps.
ValuePtr transposed_convolution(const Applied& a) {
  const Axes w = axes_of(a.config, "kernel_size");
  Integers pads(2 * w.count(), 0), output_padding(w.count(), 0);
  for (std::size_t i = 0; i < w.count(); ++i) {
    const std::int64_t over = w.span(i) - w.strides[i];
    output_padding[i] = std::max<std::int64_t>(-over, 0);
    if (a.config.at("padding") != "same" || over <= 0) continue;
    pads[i] = over / 2, pads[w.count() + i] = over - over / 2;
  }
  Strings inputs{a.to.onnx().first(a.x()), a.to.constant(a, "kernel", {3, 2, 0, 1})};
  if (has_bias(a)) inputs.push_back(a.to.constant(a, "bias"));
  return ended(a, a.to.onnx().add("ConvTranspose", inputs,
                                  {{"kernel_shape", w.kernel},
                                   {"strides", w.strides},
                                   {"dilations", w.dilations},
                                   {"pads", pads},
                                   {"output_padding", output_padding}}));
}

ValuePtr pooling(const Applied& a, const char* op) {
  const Axes w = axes_of(a.config, "pool_size");
  return a.to.first(
      a.row, a.to.onnx().add(op, {a.to.onnx().first(a.x())},
                             {{"kernel_shape", w.kernel}, {"strides", w.strides}, {"pads", pads_of(a, w)}}));
}

ValuePtr global_pooling(const Applied& a, const char* op) {
  Graph& g = a.to.onnx();
  const std::string pooled = g.add(op, {g.first(a.x())});
  if (a.config.at("keepdims").get<bool>()) return a.to.first(a.row, pooled);
  return a.to.last(a.row, g.add("Flatten", {pooled}, {{"axis", std::int64_t{1}}}));
}

/// [[top, bottom], [left, right]].
ValuePtr zero_padding(const Applied& a) {
  const Json& border = a.config.at("padding");
  const auto at = [&](int axis, int side) { return border.at(axis).at(side).get<std::int64_t>(); };
  Graph& g = a.to.onnx();
  const bool is_last = a.x()->first.empty();
  const Integers pads = is_last ? Integers{0, at(0, 0), at(1, 0), 0, 0, at(0, 1), at(1, 1), 0}
                                : Integers{0, 0, at(0, 0), at(1, 0), 0, 0, at(0, 1), at(1, 1)};
  return a.to.each(a.x(), a.row, [&](const std::string& x) { return g.add("Pad", {x, g.integers(pads)}); });
}

ValuePtr cropping(const Applied& a) {
  const Json& border = a.config.at("cropping");
  Graph& g = a.to.onnx();
  const std::int64_t axis = a.x()->first.empty() ? 1 : 2;
  Integers from, to;
  for (int i = 0; i < 2; ++i) {
    from.push_back(border.at(i).at(0).get<std::int64_t>());
    to.push_back(from.back() + a.row[i]);
  }
  return a.to.each(a.x(), a.row, [&](const std::string& x) {
    return g.add("Slice", {x, g.integers(from), g.integers(to), g.integers({axis, axis + 1})});
  });
}

ValuePtr up_sampling(const Applied& a) {
  Graph& g = a.to.onnx();
  const Integers factors = a.config.at("size").get<Integers>();
  const std::vector<float> scales{1, 1, static_cast<float>(factors[0]), static_cast<float>(factors[1])};
  const bool bilinear = a.config.at("interpolation") == "bilinear";
  const Strings inputs{g.first(a.x()), "", a.to.numbers(a, "scales", scales, {4})};
  return a.to.first(a.row, bilinear
                               ? g.add("Resize", inputs,
                                       {{"mode", "linear"}, {"coordinate_transformation_mode", "half_pixel"}})
                               : g.add("Resize", inputs,
                                       {{"mode", "nearest"},
                                        {"coordinate_transformation_mode", "asymmetric"},
                                        {"nearest_mode", "floor"}}));
}

}  // namespace

LayerExports convolution_exports() {
  return {{"Conv1D", convolution},
          {"Conv2D", convolution},
          {"DepthwiseConv2D", depthwise_convolution},
          {"SeparableConv2D", separable_convolution},
          {"Conv2DTranspose", transposed_convolution}};
}

LayerExports image_exports() {
  return {{"MaxPooling2D", [](const Applied& a) { return pooling(a, "MaxPool"); }},
          {"AveragePooling2D", [](const Applied& a) { return pooling(a, "AveragePool"); }},
          {"GlobalMaxPooling2D", [](const Applied& a) { return global_pooling(a, "GlobalMaxPool"); }},
          {"GlobalAveragePooling2D", [](const Applied& a) { return global_pooling(a, "GlobalAveragePool"); }},
          {"ZeroPadding2D", zero_padding},
          {"Cropping2D", cropping},
          {"UpSampling2D", up_sampling}};
}

}  // namespace glia::onnx

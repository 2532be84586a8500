// Operators with matrices and filters: Gemm, MatMul, Conv, ConvTranspose, and tables (Gather).
// SPDX-License-Identifier: Apache-2.0
#include <glia/operations.h>
#include <interchange/onnx/importer.h>
#include <interchange/onnx/window.h>

#include <algorithm>

namespace glia::onnx {
namespace {

/// A matrix of the file, (in, out), or (out, in) where it is transposed.
struct Matrix {
  std::vector<float> numbers;
  std::int64_t in, out;
};

/// Its rows in the order of a flattened image's elements, where x is one.
Matrix matrix_of(const Constant& constant, bool transposed, const Given& x) {
  Integers dims = constant.dims();
  while (dims.size() > 2 && dims[0] == 1) dims.erase(dims.begin());
  GLIA_CHECK(dims.size() == 2, ShapeError, "its matrix has the dimensions ", text_of(constant.dims()),
             ", expected two");
  Matrix matrix{constant.floats(), dims[transposed ? 1 : 0], dims[transposed ? 0 : 1]};
  if (x.order == Order::flattened) {
    GLIA_CHECK(matrix.in == x.image.elements(), ShapeError, "its matrix has ", matrix.in, " rows, expected ",
               x.image.elements());
    const std::int64_t c = x.image.back(), rest = x.image.elements() / c;
    if (transposed)
      matrix.numbers = permuted(matrix.numbers, {matrix.out, c, rest}, {2, 1, 0});
    else
      matrix.numbers = permuted(matrix.numbers, {c, rest, matrix.out}, {1, 0, 2});
  } else if (transposed) {
    matrix.numbers = permuted(matrix.numbers, {matrix.out, matrix.in}, {1, 0});
  }
  return matrix;
}

/// A bias that has one number for each unit, or one for all.
std::vector<float> bias_of(const Constant& constant, std::int64_t units) {
  std::vector<float> numbers = constant.floats();
  GLIA_CHECK(constant.elements() == 1 || (constant.elements() == units && constant.dims().back() == units),
             ShapeError, "its bias has the dimensions ", text_of(constant.dims()),
             ", expected one number for each of ", units, " units");
  if (constant.elements() == 1) numbers.assign(static_cast<std::size_t>(units), numbers[0]);
  return numbers;
}

void put_dense(Importer& to, Node& node, const Matrix& matrix,
               const std::optional<std::vector<float>>& bias) {
  const Given& x = to.dynamic(node, 0);
  const Symbol in = x.order == Order::flattened ? *x.symbol : to.plain(x);
  GLIA_CHECK(in.shape().back() == matrix.in && matrix.out >= 1 && matrix.out < 1 << 30, ShapeError,
             "its matrix is (", matrix.in, ", ", matrix.out, ") beside rows of shape ", to.row(x));
  const std::int64_t rank = in.shape().rank() + 1;
  const ActivationName activation = to.activation_after(node, rank - 1, rank);
  const Dense layer(
      static_cast<int>(matrix.out),
      {.activation = activation, .use_bias = bias.has_value(), .name = to.name_for(node.input(1))});
  std::vector<Tensor> weights;
  weights.emplace_back(matrix.numbers, Shape{matrix.in, matrix.out});
  if (bias) weights.emplace_back(*bias);
  Given y(to.weighted(layer, in, std::move(weights)));
  y.nonnegative =
      activation.name() == "relu" || activation.name() == "sigmoid" || activation.name() == "softmax";
  to.put(node, std::move(y));
}

void read_gemm(Importer& to, Node& node) {
  node.expect("transA", 0), node.pass_over("broadcast");
  const double alpha = node.real("alpha", 1), beta = node.real("beta", 1);
  const Given& x = to.dynamic(node, 0);
  GLIA_CHECK(to.row(x).rank() == 1, ShapeError, "it got rows of shape ", to.row(x), ", expected one axis");
  Matrix matrix = matrix_of(to.constant(node, 1), node.integer("transB", 0) != 0, x);
  for (float& number : matrix.numbers) number *= static_cast<float>(alpha);
  std::optional<std::vector<float>> bias;
  if (node.has_input(2)) {
    bias = bias_of(to.constant(node, 2), matrix.out);
    for (float& number : *bias) number *= static_cast<float>(beta);
  }
  put_dense(to, node, matrix, bias);
}

/// With the Add of a constant that follows it alone.
void read_matmul(Importer& to, Node& node) {
  if (!to.is_constant(node, 1)) {
    const Symbol a = to.plain(to.dynamic(node, 0)), b = to.plain(to.dynamic(node, 1));
    return to.put(node, Given(matmul(a, b)));
  }
  Matrix matrix = matrix_of(to.constant(node, 1), false, to.dynamic(node, 0));
  std::optional<std::vector<float>> bias;
  const format::Node* const reader = to.only_reader(node.output());
  if (reader && reader->op_type() == "Add" && reader->input_size() == 2) {
    const Node add(*reader);
    const int other = add.input(0) == node.output() ? 1 : 0;
    // What a node further down gives is no bias.
    const Given* const value = to.find(add.input(other));
    if (value && value->constant && value->constant->rank() >= 1 &&
        value->constant->elements() == matrix.out && value->constant->dims().back() == matrix.out) {
      bias = bias_of(*value->constant, matrix.out);
      to.join(node, *reader);
    }
  }
  put_dense(to, node, matrix, bias);
}

/// A convolution's input, with what is to be padded around it; rows of one axis are images of height 1 meanwhile.
Given padded(Importer& to, const Given& x, Window& window) {
  Given image = x;
  image.symbol = to.channels_last(x), image.order = Order::first, image.image = {}, image.scaled = {};
  window.place(*image.symbol);
  if (window.is_same() || window.is_valid()) return image;
  image.symbol = window.padded(*image.symbol);
  window.pads.assign(window.pads.size(), 0);
  return image;
}

template <class Options>
Options with_window(Options options, const Window& w) {
  options.padding = w.is_valid() ? "valid" : "same";
  return options;
}

/// Of a convolution. Where channels are last, as Keras writes them, it is what is added once they are so: joined then.
std::optional<std::vector<float>> channel_bias(Importer& to, Node& node, std::int64_t filters) {
  if (node.has_input(2)) return bias_of(to.constant(node, 2), filters);
  const format::Node* const reader = to.only_reader(node.output());
  if (!reader || reader->op_type() != "Transpose") return std::nullopt;
  Node transpose(*reader);
  const Integers order = transpose.integers("perm", {});
  const format::Node* const add = to.only_reader(transpose.output());
  if ((order != Integers{0, 2, 3, 1} && order != Integers{0, 2, 1}) || !add || add->op_type() != "Add" ||
      add->input_size() != 2)
    return std::nullopt;
  const Given* const value = to.find(add->input(add->input(0) == transpose.output() ? 1 : 0));
  const bool is_bias = value && value->constant && value->constant->rank() >= 1 &&
                       value->constant->rank() <= static_cast<int>(order.size()) &&
                       value->constant->elements() == filters && value->constant->dims().back() == filters;
  if (!is_bias) return std::nullopt;
  to.join(transpose, *add);
  return value->constant->floats();
}

void put_convolution(Importer& to, Node& node, const Layer& layer, const Given& image,
                     const std::vector<float>& kernel, const Shape& shape,
                     const std::optional<std::vector<float>>& bias, const ActivationName& activation) {
  std::vector<Tensor> weights;
  weights.emplace_back(kernel, shape);
  if (bias) weights.emplace_back(*bias);
  Given y(to.weighted(layer, *image.symbol, std::move(weights)), Order::first);
  y.nonnegative =
      activation.name() == "relu" || activation.name() == "sigmoid" || activation.name() == "relu6";
  to.put(node, std::move(y));
}

void read_conv(Importer& to, Node& node) {
  const Constant& filters = to.constant(node, 1);
  const Integers& dims = filters.dims();
  GLIA_CHECK(dims.size() == 3 || dims.size() == 4, ShapeError, "its filters have the dimensions ",
             text_of(dims), ", expected those of one axis or of two");
  GLIA_CHECK(filters.elements() > 0 && dims[0] < 1 << 30, ShapeError, "its filters have the dimensions ",
             text_of(dims));
  const Given& x = to.dynamic(node, 0);
  Window window(node, Integers(dims.begin() + 2, dims.end()), false);
  const std::int64_t groups = node.integer("group", 1);
  const bool is_1d = dims.size() == 3;
  const Given image = padded(to, x, window);
  const std::int64_t channels = image.symbol->shape().back();
  GLIA_CHECK(groups >= 1 && groups < 1 << 30 && dims[1] * groups == channels, ShapeError,
             "its filters have the dimensions ", text_of(dims), " and ", groups, " groups beside ", channels,
             " channels");
  const ActivationName activation = to.activation_after(node, 1, static_cast<std::int64_t>(dims.size()));
  const std::string name = to.name_for(node.input(1));
  const std::optional<std::vector<float>> bias = channel_bias(to, node, dims[0]);
  const bool use_bias = bias.has_value();
  const int count = static_cast<int>(dims[0]);
  const Size2D kernel = window.size(), strides = window.stride(), dilation = window.dilation();
  if (is_1d) {
    const Conv1D layer(count, kernel.width,
                       with_window(Conv1DOptions{.strides = strides.width,
                                                 .dilation_rate = dilation.width,
                                                 .groups = static_cast<int>(groups),
                                                 .activation = activation,
                                                 .use_bias = use_bias,
                                                 .name = name},
                                   window));
    return put_convolution(to, node, layer, image, permuted(filters, dims, {2, 1, 0}),
                           {dims[2], dims[1], dims[0]}, bias, activation);
  }
  if (groups > 1 && groups == channels && dims[0] % channels == 0) {
    const std::int64_t multiplier = dims[0] / channels;
    const DepthwiseConv2D layer(
        kernel, with_window(DepthwiseConv2DOptions{.strides = strides,
                                                   .depth_multiplier = static_cast<int>(multiplier),
                                                   .dilation_rate = dilation,
                                                   .activation = activation,
                                                   .use_bias = use_bias,
                                                   .name = name},
                            window));
    return put_convolution(to, node, layer, image,
                           permuted(filters, {channels, multiplier, dims[2], dims[3]}, {2, 3, 0, 1}),
                           {dims[2], dims[3], channels, multiplier}, bias, activation);
  }
  const Conv2D layer(count, kernel,
                     with_window(Conv2DOptions{.strides = strides,
                                               .dilation_rate = dilation,
                                               .groups = static_cast<int>(groups),
                                               .activation = activation,
                                               .use_bias = use_bias,
                                               .name = name},
                                 window));
  put_convolution(to, node, layer, image, permuted(filters, dims, {2, 3, 1, 0}),
                  {dims[2], dims[3], dims[1], dims[0]}, bias, activation);
}

/// All that the transpose gives, of which ONNX has the pads cut off.
void read_conv_transpose(Importer& to, Node& node) {
  const Constant& filters = to.constant(node, 1);
  const Integers& dims = filters.dims();
  GLIA_CHECK(dims.size() == 4 && filters.elements() > 0 && dims[1] < 1 << 30, ShapeError,
             "its filters have the dimensions ", text_of(dims), ", expected those of two axes");
  node.expect("group", 1);
  GLIA_CHECK(!node.has("output_shape"), ValueError,
             "its attribute output_shape is none that Glia has something for: "
             "export it with pads");
  Window window(node, Integers(dims.begin() + 2, dims.end()), true);
  GLIA_CHECK(window.strides.size() == 2 && std::max(window.strides[0], window.strides[1]) <= 1024, ValueError,
             "its attribute strides is ", text_of(window.strides), ", expected two numbers of at most 1024");
  const Integers more = node.integers("output_padding", Integers(2, 0));
  GLIA_CHECK(more.size() == 2, ValueError, "its attribute output_padding has ", more.size(),
             " numbers, expected 2");
  Given image = to.dynamic(node, 0);
  image.symbol = to.channels_last(image), image.order = Order::first;
  Integers cut(4);  // before and behind of each axis
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t gap = std::max<std::int64_t>(window.strides[i] - window.span(i), 0);
    cut[i] = window.pads[i], cut[i + 2] = window.pads[i + 2] + gap - more[i];
    GLIA_CHECK(more[i] >= 0 && cut[i + 2] >= 0, ValueError, "its attribute output_padding is ", more[i],
               ", expected no more than the pads behind");
  }
  const bool cuts = std::any_of(cut.begin(), cut.end(), [](std::int64_t count) { return count != 0; });
  const ActivationName activation =
      cuts ? ActivationName("linear") : to.activation_after(node, 1, static_cast<std::int64_t>(dims.size()));
  const std::optional<std::vector<float>> bias = channel_bias(to, node, dims[1]);
  const Conv2DTranspose layer(static_cast<int>(dims[1]), window.size(),
                              {.strides = window.stride(),
                               .dilation_rate = window.dilation(),
                               .activation = activation,
                               .use_bias = bias.has_value(),
                               .name = to.name_for(node.input(1))});
  std::vector<Tensor> weights;
  weights.emplace_back(permuted(filters, dims, {2, 3, 1, 0}), Shape{dims[2], dims[3], dims[1], dims[0]});
  if (bias) weights.emplace_back(*bias);
  Symbol y = to.weighted(layer, *image.symbol, std::move(weights));
  if (cuts)
    y = Cropping2D({static_cast<int>(cut[0]), static_cast<int>(cut[2]), static_cast<int>(cut[1]),
                    static_cast<int>(cut[3])})(y);
  to.put(node, Given(y, Order::first));
}

/// A table's rows; or an element of an axis.
void read_gather(Importer& to, Node& node) {
  const std::int64_t axis = node.integer("axis", 0);
  if (!to.is_constant(node, 0)) {
    const Given& x = to.dynamic(node, 0);
    const int along = to.axis(x, axis);
    const Shape row = to.row(x);
    const Integers indices = to.constant(node, 1).integers();
    GLIA_CHECK(indices.size() == 1, ValueError, "it takes ", indices.size(),
               " elements of an axis, expected one");
    std::int64_t index = indices[0];
    const std::int64_t length = x.symbol->shape()[along - 1];
    if (index < 0) index += length;
    Given y(slice(*x.symbol, along, index, 1), x.order == Order::first ? Order::first : Order::plain);
    const std::int64_t of_file = axis < 0 ? axis + row.rank() + 1 : axis;
    Shape left;
    for (int i = 0; i < row.rank(); ++i)
      if (i != of_file - 1) left.push_back(row[i]);
    GLIA_CHECK(x.order != Order::flattened, ValueError, "it takes an element of a flattened image");
    if (to.constant(node, 1).rank() == 0) y = to.reshaped(y, left);
    return to.put(node, std::move(y));
  }
  const Constant& table = to.constant(node, 0);
  const Given& x = to.dynamic(node, 1);
  GLIA_CHECK(axis == 0 && table.rank() == 2 && to.row(x).rank() == 1, ValueError,
             "it takes rows of a table with the dimensions ", text_of(table.dims()), " along axis ", axis,
             " for indices of shape ", to.row(x), ", expected two dimensions, axis 0 and rows of indices");
  const Integers& dims = table.dims();
  GLIA_CHECK(table.elements() > 0 && dims[0] < 1 << 30 && dims[1] < 1 << 30, ShapeError,
             "its table has the dimensions ", text_of(dims));
  std::vector<Tensor> weights;
  weights.emplace_back(table.floats(), Shape{dims[0], dims[1]});
  const Embedding layer(static_cast<int>(dims[0]), static_cast<int>(dims[1]),
                        {.name = to.name_for(node.input(0))});
  to.put(node, Given(to.weighted(layer, to.plain(x), std::move(weights))));
}

}  // namespace

OperatorReads product_reads() {
  return {{"Gemm", read_gemm},
          {"MatMul", read_matmul},
          {"Conv", read_conv},
          {"ConvTranspose", read_conv_transpose},
          {"Gather", read_gather}};
}

}  // namespace glia::onnx

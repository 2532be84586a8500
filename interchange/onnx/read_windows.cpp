// Operators of images without weights: pooling, padding, enlarging.
// SPDX-License-Identifier: Apache-2.0
#include <glia/merging_layers.h>
#include <glia/operations.h>
#include <interchange/onnx/importer.h>
#include <interchange/onnx/window.h>

#include <algorithm>
#include <cmath>

namespace glia::onnx {
namespace {

/// Rows of one axis as images of height 1, and back.
Symbol as_image(const Symbol& x) {
  const Shape& shape = x.shape();
  return shape.rank() == 2 ? Reshape({1, shape[0], shape[1]})(x) : x;
}
Symbol as_it_was(const Symbol& x, int rank) {
  const Shape& shape = x.shape();
  return rank == 2 ? Reshape({shape[1], shape[2]})(x) : x;
}

/// The greatest of each window, where what is padded is less than any number. Glia has such padding as "same" alone: there every
/// place has its window, and those are taken that ONNX's begin at.
Symbol max_pooled(const Symbol& x, const Window& w, bool nonnegative) {
  const Size2D size = w.size(), stride = w.stride();
  const int rank = x.shape().rank();
  if (w.is_valid() || w.is_same()) {
    const MaxPooling2D pool(size, {.strides = stride, .padding = w.is_valid() ? "valid" : "same"});
    return as_it_was(pool(as_image(x)), rank);
  }
  if (nonnegative) return as_it_was(MaxPooling2D(size, {.strides = stride})(as_image(w.padded(x))), rank);
  Integers border(w.pads.size());
  for (std::size_t i = 0; i < w.axes(); ++i) {
    const std::int64_t first = (w.kernel[i] - 1) / 2 - w.pads[i],
                       last = first + (w.outputs(i) - 1) * w.strides[i];
    GLIA_CHECK(first >= 0 && last < w.in[i], ValueError, "its attribute pads is ", text_of(w.pads),
               ", expected no more than half of the window on each side");
    border[i] = -first, border[w.axes() + i] = last + 1 - w.in[i];
  }
  const Symbol everywhere =
      as_it_was(MaxPooling2D(size, {.strides = 1, .padding = "same"})(as_image(x)), rank);
  const Symbol cut = bordered(everywhere, border);
  return as_it_was(MaxPooling2D(1, {.strides = stride})(as_image(cut)), rank);
}

/// How many elements of the image, not of its padding, each window has: its share of the whole window.
std::vector<float> shares(const Window& w) {
  std::vector<float> result{1};
  for (std::size_t i = 0; i < w.axes(); ++i) {
    std::vector<float> longer;
    for (const float before : result)
      for (std::int64_t at = 0; at < w.outputs(i); ++at) {
        const std::int64_t from = at * w.strides[i] - w.pads[i];
        const std::int64_t inside = std::min(from + w.kernel[i], w.in[i]) - std::max<std::int64_t>(from, 0);
        longer.push_back(before * static_cast<float>(w.kernel[i]) /
                         static_cast<float>(std::max<std::int64_t>(inside, 1)));
      }
    result = std::move(longer);
  }
  return result;
}

void read_pooling(Importer& to, Node& node) {
  const bool is_max = node.op() == "MaxPool";
  const Given& x = to.dynamic(node, 0);
  Window window(node, {}, false);
  window.rounds_up = node.integer("ceil_mode", 0) != 0;
  node.pass_over("storage_order");
  GLIA_CHECK(
      std::all_of(window.dilations.begin(), window.dilations.end(), [](std::int64_t d) { return d == 1; }),
      ValueError, "its attribute dilations is ", text_of(window.dilations), ", expected ones");
  Given y(to.channels_last(x), Order::first);
  const bool nonnegative = y.nonnegative = x.nonnegative;
  const Integers given = window.pads;
  window.place(*y.symbol);
  for (std::size_t i = 0; i < 2 * window.axes(); ++i)
    GLIA_CHECK(window.pads[i] < window.kernel[i % window.axes()], ValueError, "its attribute pads is ",
               text_of(window.pads), ", expected less than the window");
  if (is_max) {
    y.symbol = max_pooled(*y.symbol, window, nonnegative);
    return to.put(node, std::move(y));
  }
  const bool counts_padding = node.integer("count_include_pad", 0) != 0;
  const int rank = y.symbol->shape().rank();
  if (window.is_valid() || (window.is_same() && !counts_padding)) {
    const AveragePooling2D pool(
        window.size(), {.strides = window.stride(), .padding = window.is_valid() ? "valid" : "same"});
    y.symbol = as_it_was(pool(as_image(*y.symbol)), rank);
    return to.put(node, std::move(y));
  }
  GLIA_CHECK(!counts_padding || window.pads == given || !window.rounds_up, ValueError,
             "its attributes ceil_mode and count_include_pad are both set, which Glia has nothing for");
  std::int64_t windows = 1;
  for (std::size_t i = 0; i < window.axes(); ++i) windows *= window.outputs(i);
  y.symbol = as_it_was(
      AveragePooling2D(window.size(), {.strides = window.stride()})(as_image(window.padded(*y.symbol))),
      rank);
  if (!counts_padding) {
    to.spend(2 * windows);
    const std::vector<float> of_window = shares(window);
    Integers dims{1};
    for (std::size_t i = 0; i < window.axes(); ++i) dims.push_back(window.outputs(i));
    y = to.scaled(y, Constant(dims, std::vector<double>(of_window.begin(), of_window.end())));
  }
  y.nonnegative = nonnegative;
  to.put(node, std::move(y));
}

void read_global_pooling(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  Given y(to.channels_last(x), Order::first);
  y.nonnegative = x.nonnegative;
  const Symbol image = as_image(*y.symbol);
  const int rank = y.symbol->shape().rank();
  const Symbol pooled = node.op() == "GlobalMaxPool" ? GlobalMaxPooling2D({.keepdims = true})(image)
                                                     : GlobalAveragePooling2D({.keepdims = true})(image);
  y.symbol = as_it_was(pooled, rank);
  to.put(node, std::move(y));
}

/// The outermost elements again.
void pad_with_edges(Importer& to, Node& node) {
  constexpr std::int64_t most_copies = 64;
  const Given& given = to.dynamic(node, 0);
  const std::optional<Integers> pads = to.list(node, "pads", 1);
  Given x = given.order == Order::flattened ? Given(to.plain(given)) : given;
  x.scaled = {};
  const int rank = to.row(x).rank();
  GLIA_CHECK(pads && pads->size() == 2 * static_cast<std::size_t>(rank) + 2 && !node.has_input(3), ValueError,
             "it pads rows of ", rank, " axes without two numbers for each of them and the batch");
  for (int i = 0; i <= rank; ++i) {
    const std::int64_t before = (*pads)[static_cast<std::size_t>(i)],
                       behind = (*pads)[static_cast<std::size_t>(rank + 1 + i)];
    if (before == 0 && behind == 0) continue;
    GLIA_CHECK(i > 0 && before >= 0 && behind >= 0 && before + behind <= most_copies, ValueError,
               "its pads are ", text_of(*pads), ", expected none for the batch, and at most ", most_copies,
               " of an axis");
    const int axis = to.axis(x, i);
    const std::int64_t length = x.symbol->shape()[axis - 1];
    std::vector<Symbol> parts{*x.symbol};
    if (before > 0)
      parts.insert(parts.begin(), static_cast<std::size_t>(before), slice(*x.symbol, axis, 0, 1));
    if (behind > 0)
      parts.insert(parts.end(), static_cast<std::size_t>(behind), slice(*x.symbol, axis, length - 1, 1));
    x.symbol = Concatenate(axis)(parts);
  }
  to.put(node, std::move(x));
}

/// Zeros around images; numbers below 0 cut.
void read_pad(Importer& to, Node& node) {
  if (node.text("mode", "constant") == "edge") return pad_with_edges(to, node);
  node.expect("mode", "constant");
  const Given& x = to.dynamic(node, 0);
  const std::optional<Integers> pads = to.list(node, "pads", 1);
  const double value = node.has("value") ? node.real("value", 0) : to.number(node, 2).value_or(0);
  GLIA_CHECK(pads && value == 0, ValueError, "it pads with ", value, ", expected zeros");
  const int rank = to.row(x).rank() + 1;
  Integers axes(static_cast<std::size_t>(rank));
  for (int i = 0; i < rank; ++i) axes[static_cast<std::size_t>(i)] = i;
  if (node.has_input(3)) axes = to.constant(node, 3).integers();
  GLIA_CHECK(pads->size() == 2 * axes.size(), ValueError, "it has ", pads->size(), " pads for ", axes.size(),
             " axes");
  const bool images_last = x.order == Order::plain && rank == 4 && axes.size() == 4 && (*pads)[3] == 0 &&
                           (*pads)[7] == 0 && ((*pads)[1] != 0 || (*pads)[5] != 0);
  Given y(images_last ? *x.symbol : to.channels_last(x), images_last ? Order::plain : Order::first);
  const auto spatial = static_cast<std::size_t>(rank) - 2;
  Integers border(2 * spatial);
  bool pads_images = spatial == 1 || spatial == 2, moves = false;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t axis = (axes[i] < 0 ? axes[i] + rank : axes[i]) - (images_last ? 1 : 2);
    const std::int64_t before = (*pads)[i], behind = (*pads)[axes.size() + i];
    moves = moves || before != 0 || behind != 0;
    const auto is_small = [](std::int64_t pad) { return pad > -(1 << 20) && pad < 1 << 20; };
    const bool is_spatial =
        axis >= 0 && axis < static_cast<std::int64_t>(spatial) && is_small(before) && is_small(behind);
    pads_images = pads_images && (is_spatial || (before == 0 && behind == 0));
    if (!is_spatial || !pads_images) continue;
    border[static_cast<std::size_t>(axis)] = before,
    border[spatial + static_cast<std::size_t>(axis)] = behind;
  }
  if (!moves) return to.put(node, Given(x));
  GLIA_CHECK(pads_images, ValueError, "its pads are ", text_of(*pads),
             ", expected some along the axes of images alone");
  y.symbol = bordered(*y.symbol, border), y.nonnegative = x.nonnegative;
  to.put(node, std::move(y));
}

/// Factors by which images grow: of the scales, or of the sizes.
Size2D factors_of(Importer& to, Node& node, const Shape& image, bool is_old) {
  std::vector<double> scales;
  if (node.has("scales"))
    scales = node.reals("scales").value_or(std::vector<double>{});
  else if (node.has_input(is_old ? 1 : 2) && to.constant(node, is_old ? 1 : 2).elements() > 0)
    scales = to.constant(node, is_old ? 1 : 2).reals();
  if (scales.empty()) {
    const Integers sizes = to.constant(node, 3).integers();
    GLIA_CHECK(sizes.size() == 4, ValueError, "its sizes are ", text_of(sizes), ", expected 4");
    scales = {1, 1, static_cast<double>(sizes[2]) / static_cast<double>(image[0]),
              static_cast<double>(sizes[3]) / static_cast<double>(image[1])};
  }
  const auto is_whole = [](double scale) {
    return scale >= 1 && scale <= 1024 && scale == std::floor(scale);
  };
  GLIA_CHECK(
      scales.size() == 4 && scales[0] == 1 && scales[1] == 1 && is_whole(scales[2]) && is_whole(scales[3]),
      ValueError, "it enlarges by other factors than whole ones of height and width (images of shape ", image,
      "), which is what Glia has");
  return {static_cast<int>(scales[2]), static_cast<int>(scales[3])};
}

void read_resize(Importer& to, Node& node) {
  const Given& x = to.dynamic(node, 0);
  Given y(to.channels_last(x), Order::first);
  y.nonnegative = x.nonnegative;
  GLIA_CHECK(y.symbol->shape().rank() == 3, ShapeError, "it got rows of shape ", to.row(x),
             ", expected images");
  const bool is_old = node.op() == "Upsample" || to.operator_set() < 11;
  const std::string mode = node.text("mode", "nearest");
  const std::string places =
      node.text("coordinate_transformation_mode", is_old ? "asymmetric" : "half_pixel");
  const std::string nearest = node.text("nearest_mode", is_old ? "floor" : "round_prefer_floor");
  node.expect("antialias", 0), node.pass_over("cubic_coeff_a"), node.pass_over("extrapolation_value");
  node.pass_over("exclude_outside"), node.expect("keep_aspect_ratio_policy", "stretch");
  GLIA_CHECK(!node.has("axes"), ValueError, "its attribute axes is none that Glia has something for");
  const bool is_half = places == "half_pixel" || places == "pytorch_half_pixel";
  // Of whole factors these repeat each pixel as often.
  const bool repeats = mode == "nearest" && ((places == "asymmetric" && nearest == "floor") ||
                                             (is_half && nearest.starts_with("round_prefer")));
  GLIA_CHECK(repeats || ((mode == "linear" || mode == "bilinear") && is_half), ValueError, "its mode is \"",
             layer_name(mode), "\" with coordinates \"", layer_name(places), "\" and rounding \"",
             layer_name(nearest), "\", expected nearest that repeats pixels, or linear with half_pixel");
  const Size2D factors = factors_of(to, node, y.symbol->shape(), is_old);
  y.symbol = UpSampling2D(factors, {.interpolation = repeats ? "nearest" : "bilinear"})(*y.symbol);
  to.put(node, std::move(y));
}

}  // namespace

OperatorReads window_reads() {
  return {{"MaxPool", read_pooling},
          {"AveragePool", read_pooling},
          {"GlobalAveragePool", read_global_pooling},
          {"GlobalMaxPool", read_global_pooling},
          {"Pad", read_pad},
          {"Resize", read_resize},
          {"Upsample", read_resize}};
}

}  // namespace glia::onnx

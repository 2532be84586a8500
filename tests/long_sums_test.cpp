// The law of long sums (kernels/sum.h): ten million equal addends are summed to a relative 1e-6, by every kernel that sums
// and by what the CPU's backend has in its place, and to the same bits however a launch is cut.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <glia/context.h>
#include <gtest/gtest.h>
#include <kernels/families.h>
#include <kernels/lower.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/kernel_cuts.h"

namespace glia {
namespace {

using testing::Cut, testing::Launcher;

constexpr std::int64_t height = 2500, width = 4000, n = height * width;
constexpr double bound = 1e-6;

/// What an operand holds: one number, or it and its negative in turn.
struct Fill {
  View view;
  float value;
  bool alternates = false;
};

/// A descriptor whose result is a sum of equal addends, and what its operands hold.
struct Sum {
  std::string name;
  Descriptor descriptor;
  std::vector<Fill> operands;
  View result;  ///< one number of float32 or float64
  double expected;
  bool in_place = false;
};

/// Operands lie behind each other in the arena.
class Layout {
 public:
  View add(const Shape& shape, DType dtype = DType::float32) {
    const View view = View::contiguous(Buffer::arena, dtype, shape, bytes_);
    bytes_ += align_up(view.bytes());
    return view;
  }

 private:
  std::int64_t bytes_ = 0;
};

Window whole(std::int64_t window_height, std::int64_t window_width) {
  Window window;
  window.height = window_height, window.width = window_width;
  return window;
}

View element(const View& of, std::int64_t i) {
  View one = of;
  one.shape = {1}, one.strides = {1}, one.offset += i * size_of(of.dtype);
  return one;
}

/// The losses of one row of n outputs, all c, whose targets are all the same.
void add_losses(std::vector<Sum>& sums, float c) {
  const double count = static_cast<double>(n), wide = static_cast<double>(c);
  const auto add = [&](const std::string& name, const Losses& loss, float target, double expected) {
    Layout at;
    const View p = at.add({1, n}), y = at.add({1, n}), gradient = at.add({1, n});
    const View partials = at.add({1, 1}, DType::float64);
    sums.push_back({"Loss, " + name,
                    op::Loss{loss, p, y, partials, gradient},
                    {{p, c}, {y, target}},
                    partials,
                    expected});
  };
  add("mean_squared_error", MeanSquaredError{}, 0, wide * wide);
  add("kl_divergence", KLDivergence{}, 1, -count * std::log(wide));
  add("cosine_similarity", CosineSimilarity{}, c, -1);
  add("categorical_hinge", CategoricalHinge{}, -1, 1 + 2 * wide + count * wide);
  add("categorical_crossentropy", CategoricalCrossentropy{}, 1, count * std::log(count));
  CategoricalCrossentropy of_logits;
  of_logits.from_logits = true;
  add("categorical_crossentropy of logits", of_logits, 0.5, count * std::log(count) / 2);
  CategoricalFocalCrossentropy focal;
  focal.gamma = 0, focal.alpha = 1, focal.from_logits = true;
  add("categorical_focal_crossentropy of logits", focal, 1, count * std::log(count));

  Layout at;
  const View z = at.add({1, n}), label = at.add({1}, DType::int32), gradient = at.add({1, n});
  const View partials = at.add({1, 1}, DType::float64);
  SparseCategoricalCrossentropy sparse;
  sparse.from_logits = true;
  sums.push_back({"Loss, gradient of sparse_categorical_crossentropy",
                  op::Loss{sparse, z, label, partials, gradient},
                  {{z, c}, {label, 0}},
                  element(gradient, 1),
                  1 / count});
}

/// The sums of `count` times c.
std::vector<Sum> sums_of(float c) {
  const double count = static_cast<double>(n), wide = static_cast<double>(c);
  std::vector<Sum> sums;
  {
    Layout at;
    const View a = at.add({1, n}), b = at.add({n, 1}), out = at.add({1, 1}), bias = at.add({1});
    op::Matmul product;
    product.a = a, product.b = b, product.out = out, product.bias_gradient = bias;
    sums.push_back({"Matmul", product, {{a, 1.0f}, {b, c}}, out, count * wide});
    sums.push_back({"Matmul, bias gradient", product, {{a, 1.0f}, {b, c}}, bias, count * wide});
  }
  {
    Layout at;
    const View x = at.add({1, height, width, 1}), dy = at.add({1, height, width, 1});
    const View dw = at.add({1, 1, 1, 1}), db = at.add({1});
    op::ConvolutionWeights d{x, dy, dw, whole(1, 1)};
    d.bias_gradient = db;
    sums.push_back({"ConvolutionWeights", d, {{x, 1.0f}, {dy, c}}, dw, count * wide});
    sums.push_back({"ConvolutionWeights, bias gradient", d, {{x, 1.0f}, {dy, c}}, db, count * wide});
  }
  {
    Layout at;
    const View in = at.add({1, height, width, 1}), out = at.add({1, 1, 1, 1});
    sums.push_back({"Pool", op::Pool{in, out, whole(height, width), true}, {{in, c}}, out, wide});
  }
  {  // the middle of a row is in all windows; as many as ten million elements could not be looked for
    constexpr std::int64_t windows = 3001;
    Layout at;
    const View dx = at.add({1, 1, 2 * windows - 1, 1}), dy = at.add({1, 1, windows, 1});
    View middle = dx;
    middle.shape = {1}, middle.strides = {1}, middle.offset += (windows - 1) * 4;
    sums.push_back(
        {"PoolGradient", op::PoolGradient{{}, dy, dx, whole(1, windows), true}, {{dy, c}}, middle, wide});
  }
  {
    Layout at;
    const View large = at.add({1, height, width, 1}), small = at.add({1, 1, 1, 1});
    sums.push_back({"Upsample", op::Upsample{large, small, false, true}, {{large, c}}, small, count * wide});
  }
  {
    Layout at;
    const View x = at.add({n, 1}), dy = at.add({n, 1}), alpha = at.add({1}), dalpha = at.add({1});
    sums.push_back({"PReLUGradient",
                    op::PreluGradient{x, alpha, dy, {}, dalpha},
                    {{x, -1.0f}, {dy, c}},
                    dalpha,
                    -count * wide});
  }
  {
    Layout at;
    const View indices = at.add({n}), dy = at.add({n, 1}), table = at.add({1, 1});
    const View links = at.add({1 + n}, DType::int32);
    sums.push_back({"LookupGradient",
                    op::LookupGradient{indices, dy, table, links},
                    {{indices, 0.0f}, {dy, c}},
                    table,
                    count * wide});
  }
  {
    Layout at;
    const View x = at.add({1, n}), y = at.add({1, n}), saved = at.add({1, 3});
    const op::LayerNorm d{x, {}, {}, y, saved, 0, true};
    sums.push_back({"LayerNorm, mean", d, {{x, c}}, element(saved, 0), wide});
    sums.push_back({"LayerNorm, deviation", d, {{x, c, true}}, element(saved, 1), 1 / wide});
    op::LayerNorm of_squares = d;
    of_squares.centers = false;
    sums.push_back({"LayerNorm, squares", of_squares, {{x, c}}, element(saved, 1), 1 / wide});
  }
  {
    Layout at;
    const View x = at.add({1, n}), dy = at.add({1, n}), saved = at.add({1, 3}), dx = at.add({1, n});
    const op::LayerNormGradient d{x, dy, {}, saved, dx, true};  // x_hat = (2.5 - 0.5 - 0.5) / 2
    sums.push_back({"LayerNormGradient",
                    d,
                    {{x, 2.5f}, {dy, c}, {saved, 0.5f}},
                    element(dx, 0),
                    -0.5 * 0.75 * 0.75 * wide});
  }
  {
    Layout at;
    const View x = at.add({n, 1}), dy = at.add({n, 1}), saved = at.add({n, 3});
    const View dgamma = at.add({1}), dbeta = at.add({1});
    const View partials = at.add({op::chunks_of(n), 2, 1});
    const op::LayerNormWeights d{x, dy, saved, partials, dgamma, dbeta};  // x_hat = 0.75 again
    const std::vector<Fill> operands{{x, 2.5f}, {dy, c}, {saved, 0.5f}};
    sums.push_back({"LayerNormWeights, gamma", d, operands, dgamma, 0.75 * count * wide});
    sums.push_back({"LayerNormWeights, beta", d, operands, dbeta, count * wide});
  }
  {
    Layout at;
    const View x = at.add({n, 1}), y = at.add({n, 1}), saved = at.add({3, 1}), mean = at.add({1});
    const View variance = at.add({1}), partials = at.add({op::chunks_of(n), 3, 1});
    const op::BatchNorm d{x, {}, {}, mean, variance, y, saved, partials, 0, 0, true};
    sums.push_back({"BatchNorm, mean", d, {{x, c}}, mean, wide});
    sums.push_back({"BatchNorm, variance", d, {{x, c, true}}, variance, wide * wide});
  }
  {
    Layout at;
    const View x = at.add({n, 1}), y = at.add({n, 1}), saved = at.add({4, 1}), mean = at.add({1});
    const View variance = at.add({1}), partials = at.add({op::chunks_of(n), 4, 1}), mask = at.add({n});
    const op::BatchNorm d{x, {}, {}, mean, variance, y, saved, partials, 0, 0, true, false, mask};
    sums.push_back({"BatchNorm, masked, mean", d, {{x, c}, {mask, 1}}, mean, wide});
    sums.push_back({"BatchNorm, masked, variance", d, {{x, c, true}, {mask, 1}}, variance, wide * wide});
  }
  {
    Layout at;
    const View x = at.add({n, 1}), dy = at.add({n, 1}), saved = at.add({3, 1});
    const View partials = at.add({op::chunks_of(n), 2, 1}), dgamma = at.add({1}), dbeta = at.add({1});
    const op::BatchNormGradient d{x, dy, {}, saved, partials, {}, dgamma, dbeta};
    const std::vector<Fill> operands{{x, 2.5f}, {dy, c}, {saved, 0.5f}};
    sums.push_back({"BatchNormGradient, gamma", d, operands, dgamma, 0.75 * count * wide});
    sums.push_back({"BatchNormGradient, beta", d, operands, dbeta, count * wide});
  }
  {
    Layout at;
    const View in = at.add({1, n, 1}), out = at.add({1, 1});
    const View partials = at.add(op::Reduce::partials_for(in), DType::float64);
    sums.push_back({"Reduce", op::Reduce{in, out, 0.75, partials}, {{in, c}}, out, 0.75 * count * wide});
    sums.push_back({"Reduce, without room", op::Reduce{in, out, 0.75}, {{in, c}}, out, 0.75 * count * wide});
  }
  {
    constexpr std::int64_t columns = 20;  // by patches
    Layout at;
    const View in = at.add({1, n / columns, columns}), out = at.add({1, columns});
    const View partials = at.add(op::Reduce::partials_for(in), DType::float64);
    const double expected = count / static_cast<double>(columns) * wide;
    sums.push_back(
        {"Reduce, of rows", op::Reduce{in, out, 1, partials}, {{in, c}}, element(out, 7), expected});
    sums.push_back(
        {"Reduce, of rows without room", op::Reduce{in, out}, {{in, c}}, element(out, 7), expected});
  }
  {
    Layout at;
    const View in = at.add({1, n}), out = at.add({1, n});
    sums.push_back({"Softmax", op::SoftmaxRows{in, out}, {{in, c}}, element(out, 0), 1 / count});
    sums.push_back({"SoftmaxGradient",
                    op::SoftmaxGradient{in, in, out},
                    {{in, c}},
                    element(out, 0),
                    wide * (wide - count * wide * wide)});
  }
  add_losses(sums, c);
  {
    Layout at;
    const View weight = at.add({n, 1});
    View first = weight;
    first.shape = {1}, first.strides = {1};
    sums.push_back(
        {"Constrain", op::Constrain{UnitNorm{}, weight}, {{weight, c}}, first, 1 / std::sqrt(count), true});
  }
  {
    Layout at;
    const View values = at.add({n}), partials = at.add({1}, DType::float64);
    View first = values;
    first.shape = {1}, first.strides = {1};
    View piece = values;
    piece.shape = {op::summed_elements}, piece.strides = {1};
    sums.push_back({"Squares",
                    op::Squares{piece, partials},
                    {{values, c}},
                    partials,
                    static_cast<double>(op::summed_elements) * wide * wide});
    sums.push_back({"Sums",
                    op::Sums{piece, partials},
                    {{values, c}},
                    partials,
                    static_cast<double>(op::summed_elements) * wide});
    sums.push_back({"Penalty",
                    op::Penalty{{.l1 = 1, .l2 = 0}, piece, {}, partials, 0},
                    {{values, c}},
                    partials,
                    static_cast<double>(op::summed_elements) * wide});
  }
  return sums;
}

/// Of descriptors whose results are no sums, none longer than a window's, or sums of float64; and an application's own.
const std::set<std::string> others = {"Begin",         "Schedule",
                                      "Gather",        "Augment",
                                      "Round",         "Map",
                                      "MapGradient",   "Noise",
                                      "PReLU",         "Lookup",
                                      "Standardize",   "Shift",
                                      "Scatter",       "Accumulate",
                                      "Optimize",      "Momentum",
                                      "MovingAverage", "RescaleToNorm",
                                      "Combine",       "Descend",
                                      "Convolution",   "ConvolutionTranspose",
                                      "Tally",         "Fold",
                                      "Advance",       "Copy",
                                      "Binary",        "FewRows",
                                      "Fill",          "Mask",
                                      "Recurrent",     "RecurrentGradient",  // over units, in blocks of 512
                                      "Attention",     "AttentionGradient",  // over widths, and over steps
                                      "Custom"};

template <class... Members>
std::set<std::string> all_names(const std::variant<Members...>*) {
  return {Members::name...};
}

TEST(EveryDescriptor, Is_tried_here_or_known_to_have_no_long_sums) {
  std::set<std::string> known = others;
  for (const Sum& sum : sums_of(1)) known.insert(sum.name.substr(0, sum.name.find(',')));
  EXPECT_EQ(known, all_names(static_cast<const Descriptor*>(nullptr)));
}

/// Memory for the largest of the sums.
class LongSums : public ::testing::Test {
 protected:
  LongSums() : arena_(5 * n + 2 * op::chunks_of(n) + 4096) {
    bindings_.base[static_cast<std::size_t>(Buffer::arena)] = reinterpret_cast<std::byte*>(arena_.data());
  }
  void fill(const Sum& sum) {
    for (const Fill& fill : sum.operands) {
      float* const to = bindings_.address<float>(fill.view);
      for (std::int64_t i = 0; i < fill.view.elements(); ++i)
        to[i] = fill.alternates && i % 2 != 0 ? -fill.value : fill.value;
    }
  }
  double result(const Sum& sum) {
    return sum.result.dtype == DType::float64 ? *bindings_.address<double>(sum.result)
                                              : static_cast<double>(*bindings_.address<float>(sum.result));
  }
  static void expect_close(const Sum& sum, double got) {
    EXPECT_LE(std::abs(got - sum.expected), bound * std::abs(sum.expected))
        << sum.name << ": " << got << ", not " << sum.expected;
  }

  std::vector<float> arena_;
  Bindings bindings_;
};
template <class D>
void lower_any(const D& d, const Bindings& at, const Launcher& launch) {
  if constexpr (std::is_same_v<D, op::Matmul>) {
    kernels::lower_product(d, at, 0, d.out.shape[0], 0, d.out.shape[1], launch);
    kernels::lower_bias_gradient(d, at, launch);
  } else if constexpr (!kernels::Family<op::Custom, op::Recurrent, op::RecurrentGradient>::has<D>) {
    kernels::lower(d, at, launch);
  }
}

TEST_F(LongSums, Kernels_sum_ten_million_equal_addends_to_the_same_bits_for_every_cut) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "kernels_test has what sanitizers would find, in less time";
#endif
  const Cut wanted[] = {{1, 0, 1, 0}, {3, 0, 1, 0}, {3, 256, 32, 5}};
  for (const Sum& sum : sums_of(0.1f)) {
    double first = 0;
    for (const Cut& cut : wanted) {
      if (&cut == wanted || sum.in_place) fill(sum);
      std::visit([&](const auto& d) { lower_any(d, bindings_, Launcher{cut}); }, sum.descriptor);
      const double got = result(sum);
      if (&cut == wanted) first = got, expect_close(sum, got);
      EXPECT_EQ(static_cast<float>(got), static_cast<float>(first))
          << sum.name << ", " << cut.blocks << " blocks of " << cut.threads;
    }
  }
}

TEST_F(LongSums, The_cpu_sums_ten_million_equal_addends) {
  const Context context({.device = "cpu", .threads = 3});
  for (const float addend : {0.1f, 0.7f})
    for (const Sum& sum : sums_of(addend)) {
      fill(sum);
      context.backend().prepare({sum.descriptor}, bindings_)->run(1);
      expect_close(sum, result(sum));
    }
}

}  // namespace
}  // namespace glia

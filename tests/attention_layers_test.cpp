// Attention layers: gradients in float64, laws that hold whatever the numbers are, masks, and what is refused.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/expect_error.h"
#include "tests/slopes.h"

namespace glia::test {
namespace {

constexpr Tolerance rounding = {.relative = 1e-4, .absolute = 1e-5};

Tensor floats(Draws& draws, const Shape& shape) { return draws.tensor(shape).cast(DType::float32); }

/// A layer applied to inputs of these shapes.
Model applied(const Layer& layer, const std::vector<Shape>& rows) {
  std::vector<Symbol> inputs;
  for (const Shape& row : rows) inputs.push_back(Input(row));
  return Model(inputs, layer.apply(inputs));
}

template <class... X>
TensorList outputs_of(Model& model, const X&... x) {
  std::vector<Tensor> inputs;
  (inputs.push_back(x.clone()), ...);
  TensorList result;
  for (NamedTensor& output : model.predict_all(inputs, {.verbose = 0}))
    result.push_back(std::move(output.tensor));
  return result;
}

/// A bias of keys adds one number to all scores of a query, which their softmax does not see: its gradient is 0 but for rounding.
void expect_slopes(const glia::testing::GradientReport& report) {
  for (const glia::testing::CheckedGradient& gradient : report.gradients) {
    if (gradient.of == "key/bias")
      EXPECT_LT(std::abs(gradient.got), 1e-12) << report;
    else
      EXPECT_LE(gradient.error, report.tolerance) << report;
  }
}

TEST(AttentionLayers, Gradients_are_slopes) {
  const Shape q{3, 4}, v{5, 6}, k{5, 3}, narrow{5, 4}, mask{3, 5};
  const std::vector<std::pair<Layer, std::vector<Shape>>> cases = {
      {MultiHeadAttention(2, 3), {q, v}},
      {MultiHeadAttention(2, 3, {.value_dim = 5, .output_dim = 2}), {q, v, k}},
      {MultiHeadAttention(1, 2, {.use_bias = false}), {q, v, k}},
      {MultiHeadAttention(2, 2, {.use_causal_mask = true, .return_attention_scores = true}), {q, v}},
      {MultiHeadAttention(3, 2, {.return_attention_scores = true, .dropout = 0.3}), {q, v}},
      {GroupQueryAttention(3, 4, 2), {q, v}},
      {GroupQueryAttention(2, 2, 2, {.use_causal_mask = true}), {q, v, k}},
      {GroupQueryAttention(2, 3, 1, {.return_attention_scores = true, .use_bias = false}), {q, v}},
      {Attention(), {q, narrow}},
      {Attention({.use_scale = true, .return_attention_scores = true}), {q, v, narrow}},
      {Attention({.use_causal_mask = true, .dropout = 0.4}), {q, narrow}},
      {Attention({.score_mode = "concat"}), {q, narrow}},
      {Attention({.use_scale = true, .score_mode = "concat", .return_attention_scores = true}),
       {q, v, narrow}},
      {AdditiveAttention(), {q, narrow}},
      {AdditiveAttention({.use_scale = false, .return_attention_scores = true}), {q, v, narrow}},
      {AdditiveAttention({.use_scale = true, .use_causal_mask = true, .dropout = 0.2}), {q, narrow}},
      {PositionEmbedding(7), {q}},
      {PositionEmbedding(3), {q}},
      {LayerNormalization({.axis = {1}}), {q}},
      {LayerNormalization({.axis = {1, 2}}), {{3, 2, 4}}},
      {LayerNormalization({.axis = {-1, 1}}), {{3, 2, 4}}},
      {LayerNormalization({.axis = {2}, .center = false}), {{3, 2, 4}}},
  };
  for (const auto& [layer, inputs] : cases)
    for (const std::int64_t batch : {1, 3})
      expect_slopes(glia::testing::check_gradients(layer, inputs, {.batch = batch}));
}

TEST(AttentionLayers, Gradients_with_masks_are_slopes) {
  std::uint64_t seed = 21;
  for (const Layer& layer :
       {Layer(MultiHeadAttention(2, 3)), Layer(MultiHeadAttention(2, 2, {.use_causal_mask = true})),
        Layer(GroupQueryAttention(2, 2, 1)), Layer(Attention({.use_scale = true})),
        Layer(Attention({.use_scale = true, .score_mode = "concat"})), Layer(AdditiveAttention())}) {
    Draws draws(seed++);
    const Symbol x = Input({5});
    const Symbol embedded = Embedding(4, 3, {.mask_zero = true})(x);
    Model model({x}, {Dense(2)(embedded + layer({embedded, embedded}))});
    model.set_dtype(DType::float64);
    model.compile({.loss = "mse", .device = "cpu"});
    std::vector<Tensor> weights = model.get_weights();
    for (Tensor& weight : weights) weight = draws.tensor(weight.shape());
    model.set_weights(weights);
    Tensor numbers = Tensor::zeros({6, 5}, DType::float64);  // the last row is masked altogether
    for (std::int64_t i = 0; i < 5 * 5; ++i) numbers.data<double>()[i] = static_cast<double>(draws.below(4));
    const Tensor y = draws.tensor({6, 5, 2});
    const std::vector<Tensor> got = model.gradients(numbers, y).weights;
    for (std::size_t w = 0; w < weights.size(); ++w) {
      const Tensor slope = central_differences(weights[w], [&] {
        model.set_weights(weights);
        return model.gradients(numbers, y).loss;
      });
      EXPECT_TRUE(close(got[w], slope, wide_slope_tolerance)) << layer.type() << ", weight " << w;
    }
  }
}

TEST(AttentionLayers, Concat_scores_are_sums_of_tanh) {
  Draws draws(17);
  const Symbol q = Input({3, 4}), v = Input({5, 2}), k = Input({5, 4});
  const Attention layer({.use_scale = true, .score_mode = "concat", .return_attention_scores = true});
  Model model({q, v, k}, layer.apply({q, v, k}));
  model.set_dtype(DType::float64);
  const double scale = 0.75, weight = -1.5;
  model.set_weights({Tensor({scale}), Tensor({weight})});
  EXPECT_EQ(model.weight_names()[1], "attention/concat_score_weight");
  std::vector<Tensor> x;
  for (const Shape& rows : {Shape{2, 3, 4}, Shape{2, 5, 2}, Shape{2, 5, 4}}) x.push_back(draws.tensor(rows));
  const auto outputs = model.predict_all(x, {.verbose = 0});
  const double* const queries = x[0].data<double>();
  const double* const values = x[1].data<double>();
  const double* const keys = x[2].data<double>();
  for (std::int64_t row = 0; row < 2; ++row)
    for (std::int64_t i = 0; i < 3; ++i) {
      double scores[5], total = 0;
      for (std::int64_t j = 0; j < 5; ++j) {
        double sum = 0;
        for (std::int64_t f = 0; f < 4; ++f)
          sum += std::tanh(scale * (queries[(row * 3 + i) * 4 + f] + keys[(row * 5 + j) * 4 + f]));
        total += scores[j] = std::exp(weight * sum);
      }
      for (std::int64_t j = 0; j < 5; ++j)
        EXPECT_NEAR(outputs[1].tensor.data<double>()[(row * 3 + i) * 5 + j], scores[j] / total, 1e-12);
      for (std::int64_t f = 0; f < 2; ++f) {
        double out = 0;
        for (std::int64_t j = 0; j < 5; ++j) out += scores[j] / total * values[(row * 5 + j) * 2 + f];
        EXPECT_NEAR(outputs[0].tensor.data<double>()[(row * 3 + i) * 2 + f], out, 1e-12);
      }
    }
}

TEST(AttentionLayers, A_query_sees_nothing_behind_its_place) {
  Draws draws(1);
  const Tensor x = floats(draws, {4, 6, 8});
  Tensor changed = x.clone();
  for (std::int64_t row = 0; row < 4; ++row)
    for (std::int64_t i = row * 48 + 4 * 8; i < (row + 1) * 48; ++i) changed.data<float>()[i] += 1;
  for (const Layer& layer : {Layer(MultiHeadAttention(2, 4, {.use_causal_mask = true})),
                             Layer(GroupQueryAttention(4, 4, 2, {.use_causal_mask = true})),
                             Layer(Attention({.use_causal_mask = true})),
                             Layer(AdditiveAttention({.use_scale = true, .use_causal_mask = true}))}) {
    const Symbol s = Input({6, 8});
    Model model({s}, {layer({s, s})});
    const Tensor before = model.predict(x, {.verbose = 0}), after = model.predict(changed, {.verbose = 0});
    const auto first_steps = [](const Tensor& t) { return t.reshape({4, 48}).columns(0, 32); };
    EXPECT_TRUE(array_equal(first_steps(before), first_steps(after))) << layer.type();
    EXPECT_FALSE(array_equal(before, after)) << layer.type();
  }
}

TEST(AttentionLayers, Masked_steps_are_as_if_they_were_not_there) {
  Draws draws(2);
  const Tensor numbers({{1, 3, 2, 0, 0}, {2, 2, 1, 0, 0}}), shorter({{1, 3, 2}, {2, 2, 1}});
  for (const std::function<Layer()>& make : std::vector<std::function<Layer()>>{
           [] { return Layer(MultiHeadAttention(2, 4)); }, [] { return Layer(GroupQueryAttention(4, 2, 1)); },
           [] { return Layer(Attention()); }, [] { return Layer(AdditiveAttention()); }}) {
    const Layer layer = make(), embedding = Embedding(4, 6, {.mask_zero = true});
    const auto model = [&](std::int64_t steps) {
      const Symbol x = Input({steps});
      const Symbol embedded = embedding(x);
      return Model({x}, {layer({embedded, embedded})});
    };
    Model all = model(5), some = model(3);
    const Tensor padded = all.predict(numbers, {.verbose = 0}).reshape({2, 30}).columns(0, 18);
    EXPECT_TRUE(close(padded, some.predict(shorter, {.verbose = 0}).reshape({2, 18}), rounding))
        << layer.type();
  }
}

TEST(AttentionLayers, An_attention_mask_says_what_each_query_sees) {
  Draws draws(3);
  const Tensor x = floats(draws, {3, 4, 6});
  Tensor mask = Tensor::zeros({3, 4, 4});
  for (std::int64_t row = 0; row < 3; ++row)
    for (std::int64_t q = 0; q < 4; ++q)
      for (std::int64_t k = 0; k <= q; ++k) mask.data<float>()[(row * 4 + q) * 4 + k] = 1;
  Model masked =
            applied(MultiHeadAttention(2, 3, {.use_attention_mask = true, .return_attention_scores = true}),
                    {{4, 6}, {4, 6}, {4, 4}}),
        causal = applied(MultiHeadAttention(2, 3, {.use_causal_mask = true, .return_attention_scores = true}),
                         {{4, 6}, {4, 6}});
  causal.set_weights(masked.get_weights());
  const TensorList got = outputs_of(masked, x, x, mask), expected = outputs_of(causal, x, x);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(array_equal(got[i], expected[i])) << i;
  EXPECT_EQ(got[1].shape(), (Shape{3, 2, 4, 4}));
  EXPECT_TRUE(close(got[1].reshape({24, 4}).sum(1), Tensor::ones({24}), {.absolute = 1e-5}));
}

TEST(AttentionLayers, Groups_of_one_are_many_heads) {
  Draws draws(4);
  const Tensor x = floats(draws, {5, 7, 6}), y = floats(draws, {5, 4, 6});
  Model grouped = applied(GroupQueryAttention(3, 2, 2), {{7, 6}, {4, 6}}),
        heads = applied(MultiHeadAttention(2, 3), {{7, 6}, {4, 6}});
  heads.set_weights(grouped.get_weights());
  EXPECT_TRUE(array_equal(outputs_of(heads, x, y)[0], outputs_of(grouped, x, y)[0]));
}

TEST(AttentionLayers, In_words_and_back_are_the_same_model) {
  Draws draws(5);
  const Symbol x = Input({4, 6});
  Symbol y =
      MultiHeadAttention(2, 3, {.value_dim = 2, .output_dim = 6, .dropout = 0.1, .name = "heads"})({x, x});
  y = y + PositionEmbedding(9, {.name = "places"})(y);
  y = GroupQueryAttention(3, 4, 2, {.use_causal_mask = true, .use_bias = false, .name = "groups"})({y, x});
  y = LayerNormalization({.axis = {1, 2}, .name = "both"})(
      Attention({.use_scale = true, .name = "dot"})({y, x}));
  y = AdditiveAttention({.use_scale = false, .name = "additive"})({y, x, x});
  Model model({x}, {y}), again = Model::from_json(model.to_json());
  again.set_weights(model.get_weights());
  EXPECT_EQ(again.to_json(), model.to_json());
  EXPECT_EQ(again.weight_names(), model.weight_names());
  const Tensor rows = floats(draws, {3, 4, 6});
  EXPECT_TRUE(array_equal(again.predict(rows, {.verbose = 0}), model.predict(rows, {.verbose = 0})));
}

class AttentionOn : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, AttentionOn, ::testing::ValuesIn(test_devices()), device_name);

TEST_P(AttentionOn, Trains_and_infers_as_the_cpu_does) {
  Draws draws(6);
  Tensor numbers = Tensor::zeros({40, 6});
  for (std::int64_t i = 0; i < numbers.size(); ++i)
    numbers.data<float>()[i] = static_cast<float>(draws.below(5));
  const Tensor y = floats(draws, {40, 1});
  const auto trained = [&](const Device& device) {
    const Symbol x = Input({6});
    Symbol s = Embedding(5, 8, {.mask_zero = true})(x);
    s = s + PositionEmbedding(6)(s);
    s = LayerNormalization()(s + MultiHeadAttention(2, 4, {.dropout = 0.1})({s, s}));
    s = s + GroupQueryAttention(4, 2, 1, {.use_causal_mask = true})({s, s});
    s = s + Attention({.use_scale = true})({s, s});
    s = LayerNormalization({.axis = {1}})(s + AdditiveAttention()({s, s}));
    Model model({x}, {Dense(1)(GlobalAveragePooling1D()(s))});
    model.set_seed(5);
    model.compile({.optimizer = "adam", .loss = "mse", .device = device});
    model.fit(numbers, y, {.epochs = 2, .batch_size = 16, .verbose = 0});
    return model.predict(numbers, {.batch_size = 7, .verbose = 0});
  };
  EXPECT_TRUE(close(trained(current_device()), trained("cpu"), {.relative = 1e-3, .absolute = 1e-4}));
}

/// Sizes around those at which the CPU and a GPU cut their work.
TEST_P(AttentionOn, Computes_in_float32_what_float64_gives) {
  struct Sizes {
    int queries, keys, heads, key_heads, width, value_width;
    bool causal;
    double dropout;
  };
  const Sizes all[] = {{1, 1, 1, 1, 1, 1, false, 0},     {47, 48, 2, 2, 3, 5, false, 0},
                       {48, 47, 2, 2, 16, 16, true, 0},  {97, 97, 4, 2, 7, 7, true, 0.2},
                       {50, 33, 3, 1, 4, 4, false, 0.3}, {5, 100, 2, 2, 33, 17, false, 0.1},
                       {3, 4, 1, 1, 130, 140, true, 0}};
  for (const Sizes& s : all) {
    for (const bool given_mask : {false, true}) {
      Draws draws(11);
      std::vector<Tensor> x, weights;
      x.push_back(draws.tensor({3, s.queries, 4})), x.push_back(draws.tensor({3, s.keys, 6}));
      std::vector<Symbol> inputs{Input({s.queries, 4}), Input({s.keys, 6})};
      if (given_mask) {
        inputs.push_back(Input({s.queries, s.keys}));
        x.push_back(draws.tensor({3, s.queries, s.keys}));
        for (std::int64_t i = 0; i < x.back().size(); ++i) {
          double& seen = x.back().data<double>()[i];
          seen = seen > -0.5 ? 1 : 0;
        }
      }
      const MultiHeadAttentionOptions options{.use_causal_mask = s.causal,
                                              .use_attention_mask = given_mask,
                                              .return_attention_scores = s.queries % 2 == 0,
                                              .value_dim = s.heads == s.key_heads ? s.value_width : 0,
                                              .dropout = s.dropout};
      const Tensor y = draws.tensor({3, s.queries, 4}),
                   of_scores = draws.tensor({3, s.heads, s.queries, s.keys});
      const auto numbers = [&](DType dtype) {
        const Layer layer = s.heads == s.key_heads
                                ? Layer(MultiHeadAttention(s.heads, s.width, options))
                                : Layer(GroupQueryAttention(s.width, s.heads, s.key_heads, options));
        Model model(inputs, layer.apply(inputs));
        model.set_dtype(dtype), model.set_seed(3);
        model.compile({.loss = "mse", .context = context()});
        if (weights.empty())
          for (const Tensor& weight : model.get_weights()) weights.push_back(draws.tensor(weight.shape()));
        std::vector<Tensor> cast, in;
        for (const Tensor& weight : weights) cast.push_back(weight.cast(dtype));
        for (const Tensor& one : x) in.push_back(one.cast(dtype));
        model.set_weights(cast);
        std::vector<Tensor> targets;
        targets.push_back(y.cast(dtype));
        if (options.return_attention_scores) targets.push_back(of_scores.cast(dtype));
        std::vector<Tensor> result;
        for (NamedTensor& output : model.predict_all(in, {.verbose = 0}))
          result.push_back(std::move(output.tensor));
        for (Tensor& gradient : model.gradients(in, targets).weights) result.push_back(std::move(gradient));
        return result;
      };
      const std::vector<Tensor> wide = numbers(DType::float64), narrow = numbers(DType::float32);
      for (std::size_t i = 0; i < wide.size(); ++i)
        EXPECT_TRUE(close(narrow[i], wide[i], {.relative = 1e-4, .absolute = 1e-6, .scaled = 2e-5}))
            << i << " of " << s.queries << " queries and " << s.keys << " keys"
            << (given_mask ? ", masked" : "");
    }
  }
}

TEST(AttentionLayers, What_cannot_be_is_refused) {
  expect_error<ValueError>([] { MultiHeadAttention(0, 3); },
                           {"MultiHeadAttention got 0 heads", "at least 1"});
  expect_error<ValueError>([] { MultiHeadAttention(2, 3, {.dropout = 1}); }, {"dropout 1"});
  expect_error<ValueError>([] { GroupQueryAttention(2, 3, 2); }, {"3 heads of queries and 2", "multiple"});
  expect_error<ValueError>([] { Attention({.score_mode = "add"}); }, {"\"add\"", "\"concat\""});
  expect_error<ValueError>([] { PositionEmbedding(0); }, {"sequence_length 0"});
  expect_error<ShapeError>([] { MultiHeadAttention(2, 3)(Input({4, 5})); }, {"{query, value}", "1 inputs"});
  expect_error<ShapeError>(
      [] {
        MultiHeadAttention(2, 3)({Input({4}), Input({4, 5})});
      },
      {"(steps, width)", "(4,)"});
  expect_error<ShapeError>(
      [] {
        MultiHeadAttention(2, 3)({Input({4, 5}), Input({3, 5}), Input({2, 5})});
      },
      {"a value of 3 steps and a key of 2"});
  expect_error<ShapeError>(
      [] {
        MultiHeadAttention(2, 3, {.use_attention_mask = true})({Input({4, 5}), Input({3, 5}), Input({4, 4})});
      },
      {"attention mask", "(4, 4)", "(4, 3)"});
  expect_error<ShapeError>(
      [] {
        Attention()({Input({4, 5}), Input({3, 6})});
      },
      {"(4, 5)", "(3, 6)", "one width"});
  expect_error<ShapeError>([] { PositionEmbedding(3)(Input({4, 5})); }, {"1 to 3 steps", "(4, 5)"});
  expect_error<ValueError>([] { LayerNormalization({.axis = {1, -2}})(Input({4, 5})); }, {"axis twice"});
  expect_error<ValueError>([] { LayerNormalization({.axis = {3}})(Input({4, 5})); }, {"axis 3", "(4, 5)"});
}

}  // namespace
}  // namespace glia::test

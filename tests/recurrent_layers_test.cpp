// Recurrent layers: laws that hold whatever the numbers are, gradients in float64, what masks do, and what is refused.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/expect_error.h"
#include "tests/recurrent_kinds.h"  // defines: Kind, kinds
#include "tests/slopes.h"

namespace glia::test {
namespace {

class RecurrentKind : public ::testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, RecurrentKind, ::testing::ValuesIn(kinds()),
                         [](const auto& info) { return info.param.name; });

/// Rows that lie elsewhere in a batch are multiplied by other instructions.
constexpr Tolerance rounding = {.relative = 1e-5, .absolute = 1e-6};

/// A model of one application of a layer, to a sequence and to states.
Model applied(const Layer& layer, const Shape& rows, std::size_t states = 0, int units = 0) {
  std::vector<Symbol> inputs{Input(rows)};
  for (std::size_t i = 0; i < states; ++i) inputs.push_back(Input({units}));
  return Model(inputs, layer.apply(inputs));
}

/// Those of tensors, which are not copied by themselves.
template <class... More>
std::vector<Tensor> list(const Tensor& first, const More&... more) {
  std::vector<Tensor> result;
  result.push_back(first.clone());
  (result.push_back(more.clone()), ...);
  return result;
}

TensorList outputs_of(Model& model, const std::vector<Tensor>& x) {
  TensorList result;
  for (NamedTensor& output : model.predict_all(x, {.verbose = 0})) result.push_back(std::move(output.tensor));
  return result;
}

Tensor floats(Draws& draws, const Shape& shape) { return draws.tensor(shape).cast(DType::float32); }

/// These steps of (rows, steps, features), in this order.
Tensor steps_of(const Tensor& x, const std::vector<std::int64_t>& steps) {
  const std::int64_t rows = x.shape()[0], all = x.shape()[1], features = x.shape()[2];
  std::vector<std::int64_t> places;
  for (std::int64_t row = 0; row < rows; ++row)
    for (const std::int64_t step : steps) places.push_back(row * all + step);
  return x.reshape({rows * all, features})
      .rows(places)
      .reshape({rows, static_cast<std::int64_t>(steps.size()), features});
}
Tensor reversed(const Tensor& x) {
  std::vector<std::int64_t> order;
  for (std::int64_t i = x.shape()[1]; i-- > 0;) order.push_back(i);
  return steps_of(x, order);
}

TEST_P(RecurrentKind, Gradients_are_slopes) {
  const Kind& kind = GetParam();
  struct Case {
    Shape row;
    RecurrentOptions options;
    bool with_states = false;
  };
  const std::vector<Case> cases = {
      {{5, 3}, {}},
      {{1, 3}, {}},
      {{4, 1}, {.return_sequences = true}},
      {{3, 2}, {.use_bias = false, .return_sequences = true, .go_backwards = true}},
      {{3, 2}, {.go_backwards = true}},
      {{4, 2}, {.return_state = true}},
      {{4, 2}, {.return_sequences = true, .return_state = true, .go_backwards = true}, true},
      {{1, 2}, {.return_sequences = true, .return_state = true}, true},
      {{3, 2}, {.activation = "softplus", .recurrent_activation = "gelu"}, true},
      {{3, 2}, {.activation = "linear", .recurrent_activation = "softsign", .return_sequences = true}},
      {{4, 3}, {.dropout = 0.4, .return_sequences = true}},
      {{4, 3}, {.dropout = 0.2, .recurrent_dropout = 0.4, .return_state = true}, true},
      {{4, 3}, {.recurrent_dropout = 0.4, .return_sequences = true, .go_backwards = true}},
  };
  for (const Case& c : cases)
    for (const std::int64_t batch : {1, 5}) {
      std::vector<Shape> inputs{c.row};
      if (c.with_states) inputs.resize(1 + kind.states, Shape{4});
      EXPECT_TRUE(glia::testing::check_gradients(kind.make(4, c.options), inputs, {.batch = batch}))
          << kind.name << ", steps " << c.row[0];
    }
}

TEST_P(RecurrentKind, Gradients_with_masks_are_slopes) {
  std::uint64_t seed = 11;
  for (const RecurrentOptions& options : {RecurrentOptions{}, RecurrentOptions{.return_sequences = true},
                                          RecurrentOptions{.return_sequences = true, .go_backwards = true},
                                          RecurrentOptions{.recurrent_dropout = 0.3, .go_backwards = true}})
    for (const bool both_ways : {false, true}) {
      if (both_ways && options.go_backwards) continue;
      Draws draws(seed++);
      const Layer layer = GetParam().make(3, options);
      Sequential model{Embedding(4, 2, {.mask_zero = true}), both_ways ? Layer(Bidirectional(layer)) : layer,
                       Dense(2, "tanh")};
      model.set_dtype(DType::float64);
      model.compile({.loss = "mse", .device = "cpu"});
      model.build({5});
      std::vector<Tensor> weights = model.get_weights();
      for (Tensor& weight : weights) weight = draws.tensor(weight.shape());
      model.set_weights(weights);
      Tensor x = Tensor::zeros({7, 5}, DType::float64);  // the last row is masked altogether
      for (std::int64_t i = 0; i < 6 * 5; ++i) x.data<double>()[i] = static_cast<double>(draws.below(4));
      const Tensor y = draws.tensor(model(x).shape());
      const auto loss = [&] { return model.gradients(x, y).loss; };
      EXPECT_TRUE(close(model.gradients(x, y).weights, slopes(model, loss), wide_slope_tolerance))
          << GetParam().name << ", seed " << seed - 1;
    }
}

TEST_P(RecurrentKind, The_last_step_of_a_sequence_is_what_is_returned_without) {
  Draws draws(1);
  const Tensor x = floats(draws, {37, 6, 3});
  const Layer all = GetParam().make(5, {.return_sequences = true}), last = GetParam().make(5, {});
  Model of_all = applied(all, {6, 3}), of_last = applied(last, {6, 3});
  const Tensor sequence = of_all.predict(x, {.verbose = 0});
  of_last.set_weights(of_all.get_weights());
  EXPECT_TRUE(array_equal(of_last.predict(x, {.verbose = 0}), steps_of(sequence, {5}).reshape({37, 5})));
}

TEST_P(RecurrentKind, Backwards_is_forwards_over_the_sequence_turned_round) {
  Draws draws(2);
  const Tensor x = floats(draws, {21, 5, 3});
  for (const bool sequences : {false, true}) {
    Model there = applied(GetParam().make(4, {.return_sequences = sequences, .return_state = true}), {5, 3});
    Model back = applied(
        GetParam().make(4, {.return_sequences = sequences, .return_state = true, .go_backwards = true}),
        {5, 3});
    there.count_params(), back.count_params();  // which builds
    back.set_weights(there.get_weights());
    const TensorList forwards = outputs_of(there, list(reversed(x))), backwards = outputs_of(back, list(x));
    ASSERT_EQ(forwards.size(), backwards.size());
    for (std::size_t i = 0; i < forwards.size(); ++i)
      EXPECT_TRUE(close(forwards[i], backwards[i], rounding)) << i;
  }
}

TEST_P(RecurrentKind, A_sequence_in_two_pieces_is_the_sequence) {
  Draws draws(3);
  const Kind& kind = GetParam();
  const Tensor x = floats(draws, {9, 7, 2});
  const Layer layer = kind.make(4, {.return_sequences = true, .return_state = true});
  Model whole = applied(layer, {7, 2}), begin = applied(layer, {3, 2}),
        end = applied(layer, {4, 2}, kind.states, 4);
  const TensorList all = outputs_of(whole, list(x));
  const TensorList first = outputs_of(begin, list(steps_of(x, {0, 1, 2})));
  std::vector<Tensor> rest = list(steps_of(x, {3, 4, 5, 6}));
  for (std::size_t i = 0; i < kind.states; ++i) rest.push_back(first[1 + i].clone());
  const TensorList second = outputs_of(end, rest);
  EXPECT_TRUE(close(first[0], steps_of(all[0], {0, 1, 2}), rounding));
  EXPECT_TRUE(close(second[0], steps_of(all[0], {3, 4, 5, 6}), rounding));
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_TRUE(close(second[i], all[i], rounding)) << i;
}

TEST_P(RecurrentKind, Padding_that_is_masked_changes_nothing) {
  Draws draws(4);
  const Tensor x = floats(draws, {6, 4, 3});
  Tensor padded = Tensor::zeros({6, 9, 3});  // two steps in front, one in the middle, two behind
  const std::int64_t places[] = {2, 3, 5, 6};
  for (std::int64_t row = 0; row < 6; ++row)
    for (std::int64_t step = 0; step < 4; ++step)
      for (std::int64_t f = 0; f < 3; ++f)
        padded.data<float>()[(row * 9 + places[step]) * 3 + f] = x.data<float>()[(row * 4 + step) * 3 + f];
  for (const bool backwards : {false, true}) {
    const Layer layer =
        GetParam().make(5, {.return_sequences = true, .return_state = true, .go_backwards = backwards});
    Model plain = applied(layer, {4, 3});
    const Symbol input = Input({9, 3});
    Model masked({input}, layer.apply(Masking()(input)));
    const TensorList without = outputs_of(plain, list(x)), with = outputs_of(masked, list(padded));
    for (std::size_t i = 1; i < without.size(); ++i) EXPECT_TRUE(close(with[i], without[i], rounding)) << i;
    for (std::int64_t step = 0; step < 4; ++step) {
      const std::int64_t place = backwards ? 8 - places[3 - step] : places[step];
      EXPECT_TRUE(close(steps_of(with[0], {place}), steps_of(without[0], {step}), rounding)) << step;
    }
  }
}

TEST_P(RecurrentKind, Both_ways_are_two_layers) {
  Draws draws(5);
  const Kind& kind = GetParam();
  const Tensor x = floats(draws, {18, 5, 3});
  for (const bool sequences : {false, true}) {
    const RecurrentOptions options{.return_sequences = sequences, .return_state = true};
    const Bidirectional both(kind.make(4, options), {.merge_mode = "none"});
    Model model = applied(both, {5, 3});
    const TensorList got = outputs_of(model, list(x));
    ASSERT_EQ(got.size(), 2 + 2 * kind.states);
    const std::vector<Tensor> weights = both.get_weights();
    for (const bool back : {false, true}) {
      RecurrentOptions of_way = options;
      of_way.go_backwards = back;
      Model way = applied(kind.make(4, of_way), {5, 3});
      way.count_params();
      std::vector<Tensor> half;
      for (std::size_t i = 0; i < weights.size() / 2; ++i)
        half.push_back(weights[i + (back ? weights.size() / 2 : 0)].clone());
      way.set_weights(half);
      TensorList expected = outputs_of(way, list(x));
      if (back && sequences) expected[0] = reversed(expected[0]);
      EXPECT_TRUE(close(got[back ? 1 : 0], expected[0], rounding));
      for (std::size_t i = 0; i < kind.states; ++i)
        EXPECT_TRUE(close(got[2 + (back ? kind.states : 0) + i], expected[1 + i], rounding)) << i;
    }
  }
}

TEST_P(RecurrentKind, In_words_and_back_is_the_same_model) {
  Draws draws(6);
  const Tensor x = floats(draws, {5, 4, 3});
  Sequential model{
      Masking(0.5, "masking"),
      GetParam().make(4, {.activation = "softsign",
                          .recurrent_activation = "hard_sigmoid",
                          .dropout = 0.25,
                          .return_sequences = true,
                          .name = "first"}),
      Bidirectional(GetParam().make(3, {.use_bias = false, .return_sequences = true}),
                    {.merge_mode = "mul", .name = "both"}),
      TimeDistributed(Dense(4, "tanh", {.name = "each"}), "every"),
      GetParam().make(2, {.go_backwards = true, .name = "last"}),
  };
  model.build({4, 3});
  Model again = Model::from_json(model.to_json());
  again.set_weights(model.get_weights());
  EXPECT_EQ(again.to_json(), model.to_json());
  EXPECT_EQ(again.weight_names(), model.weight_names());
  EXPECT_TRUE(array_equal(again.predict(x, {.verbose = 0}), model.predict(x, {.verbose = 0})));
}

TEST_P(RecurrentKind, A_state_goes_on_to_the_same_bits_among_however_many_rows) {
  // Features of 0, so that what differs with the rows, the input's product, is the bias whatever multiplies it.
  Draws draws(12);
  const Kind& kind = GetParam();
  const int units = 37;  // no whole panel
  Model model = applied(kind.make(units, {.bias_initializer = "ones", .return_sequences = true}), {3, 1},
                        kind.states, units);
  std::vector<Tensor> x;
  x.push_back(Tensor::zeros({70, 3, 1}));
  for (std::size_t i = 0; i < kind.states; ++i) x.push_back(floats(draws, {70, units}));
  const auto out = [&](std::int64_t batch_size) {
    return std::move(model.predict_all(x, {.batch_size = batch_size, .verbose = 0})[0].tensor);
  };
  const Tensor alone = out(1);  // weights as they lie
  for (const std::int64_t batch_size : {8, 17, 70})
    EXPECT_TRUE(array_equal(out(batch_size), alone)) << batch_size;
}

TEST_P(RecurrentKind, Bits_do_not_depend_on_the_number_of_threads) {
  Draws draws(7);
  const Tensor x = floats(draws, {150, 6, 5}), y = floats(draws, {150, 1});
  std::vector<std::vector<Tensor>> weights;
  for (const int threads : {1, 2, 3}) {
    Sequential model{
        GetParam().make(16, {.dropout = 0.1, .recurrent_dropout = 0.1, .return_sequences = true}),
        GetParam().make(8, {}), Dense(1)};
    model.set_seed(3);
    model.compile({.optimizer = "adam", .loss = "mse", .context = Context({.threads = threads})});
    model.fit(x, y, {.epochs = 2, .batch_size = 64, .verbose = 0});
    weights.push_back(model.get_weights());
  }
  for (std::size_t i = 0; i < weights[0].size(); ++i)
    for (const std::size_t run : {1u, 2u}) EXPECT_TRUE(array_equal(weights[0][i], weights[run][i])) << i;
}

TEST_P(RecurrentKind, Threads_that_share_the_products_of_few_rows_give_the_same_bits) {
  Draws draws(11);
  const Tensor x = floats(draws, {7, 9, 3});
  std::vector<Tensor> alone;
  for (const int threads : {1, 2, 3}) {
    Sequential model{GetParam().make(200, {.input_shape = {9, 3}})};
    model.set_seed(3);
    model.compile({.loss = "mse", .context = Context({.threads = threads})});
    for (const std::int64_t rows : {1, 2, 7})
      for (int again = 0; again < (threads == 1 ? 1 : 20); ++again) {
        Tensor y = model.predict(x.rows(0, rows), {.verbose = 0});
        if (threads == 1)
          alone.push_back(std::move(y));
        else
          EXPECT_TRUE(array_equal(y, alone[rows == 1 ? 0 : rows == 2 ? 1 : 2])) << threads << ", " << rows;
      }
  }
}

class RecurrentOn : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, RecurrentOn, ::testing::ValuesIn(test_devices()), device_name);

TEST_P(RecurrentOn, Trains_and_infers_as_the_cpu_does) {
  Draws draws(8);
  const Tensor x = floats(draws, {40, 5, 3}), y = floats(draws, {40, 1});
  for (const Kind& kind : kinds()) {
    const auto trained = [&](const Device& device) {
      Sequential model{
          Masking(),
          Bidirectional(kind.make(4, {.dropout = 0.2, .recurrent_dropout = 0.2, .return_sequences = true})),
          kind.make(3, {.activation = "softsign", .recurrent_activation = "hard_sigmoid"}), Dense(1)};
      model.set_seed(9);
      model.compile({.optimizer = "adam", .loss = "mse", .device = device});
      model.fit(x, y, {.epochs = 3, .batch_size = 16, .verbose = 0});
      return model.predict(x, {.batch_size = 7, .verbose = 0});
    };
    EXPECT_TRUE(close(trained(current_device()), trained("cpu"), {.relative = 1e-4, .absolute = 1e-5}))
        << kind.name;
  }
}

TEST_P(RecurrentOn, Dropout_is_the_same_in_every_step) {
  // With weights of 1 and nothing from step to step, a layer's output is the sum of what is left of the features.
  SimpleRNN layer(1, {.activation = "linear",
                      .kernel_initializer = "ones",
                      .recurrent_initializer = "zeros",
                      .dropout = 0.5,
                      .return_sequences = true});
  Sequential model{layer};
  model.compile({.optimizer = SGD{.learning_rate = 0.0}, .loss = "mse", .device = current_device()});
  const Tensor x = Tensor::ones({32, 6, 8});
  model.build({6, 8});
  const Gradients gradients = model.gradients(x, Tensor::zeros({32, 6, 1}));
  // The mean of squares of numbers that do not change along the steps is a whole number's sixth part sixfold.
  const double sum = gradients.loss * 32;
  EXPECT_NEAR(sum, std::round(sum / 4) * 4, 1e-2) << "each row gives (2 k)^2";
  EXPECT_GT(gradients.loss, 8 * 8 * 0.7);
  EXPECT_TRUE(close(model.predict(x, {.verbose = 0}), Tensor::full({32, 6, 1}, 8), {.absolute = 1e-5}));
}

TEST_P(RecurrentOn, A_masked_loss_is_the_mean_over_what_is_not_masked) {
  // Rows of 4, 2 and 0 steps that count; each predicts 1 in every step.
  Sequential model{Embedding(3, 1, {.embeddings_initializer = "ones", .mask_zero = true}),
                   Dense(1, {.kernel_initializer = "ones"})};
  model.compile({.optimizer = SGD{.learning_rate = 0.0},
                 .loss = "mse",
                 .metrics = {"mae", "rmse"},
                 .weighted_metrics = {"mean_squared_error"},
                 .device = current_device()});
  const Tensor x({{1, 2, 1, 1}, {2, 1, 0, 0}, {0, 0, 0, 0}});
  const Tensor y =
      Tensor({{2, 2, 2, 2}, {4, 4, 9, 9}, {9, 9, 9, 9}}).reshape({3, 4, 1});  // errors of 1, 3 and 8
  const Logs all = model.evaluate(x, y, {.batch_size = 3, .verbose = 0});
  EXPECT_NEAR(all["loss"], (4 * 1.0 + 2 * 9.0) / 6, 1e-5);
  EXPECT_NEAR(all["mae"], (4 * 1.0 + 2 * 3.0) / 6, 1e-5);
  // Batches of one row: the loss is the mean of theirs by rows, metrics are over all steps that count.
  const Logs by_rows = model.evaluate(x, y, {.batch_size = 1, .verbose = 0});
  EXPECT_NEAR(by_rows["loss"], (1.0 + 9.0 + 0.0) / 3, 1e-5);
  EXPECT_NEAR(by_rows["mae"], (4 * 1.0 + 2 * 3.0) / 6, 1e-5);
  // With weights of rows.
  const Logs weighted =
      model.evaluate(x, y, {.batch_size = 3, .verbose = 0, .sample_weight = Tensor({0.5, 2.0, 1.0})});
  EXPECT_NEAR(weighted["loss"], (0.5 * 4 * 1.0 + 2 * 2 * 9.0) / 6, 1e-5);
  EXPECT_NEAR(weighted["mae"], (4 * 1.0 + 2 * 3.0) / 6, 1e-5);
  EXPECT_NEAR(weighted["mean_squared_error"], (0.5 * 4 * 1.0 + 2 * 2 * 9.0) / (0.5 * 4 + 2 * 2), 1e-5);
}

TEST_P(RecurrentOn, The_average_is_over_steps_that_are_not_masked) {
  Sequential model{Masking(), GlobalAveragePooling1D()}, plain{GlobalAveragePooling1D(true)};
  const Tensor x = Tensor({{1, 2, 3, 4, 0, 0}, {0, 0, 5, 1, 0, 0}}).reshape({2, 3, 2});
  for (Sequential* each : {&model, &plain}) each->compile({.loss = "mse", .device = current_device()});
  EXPECT_TRUE(close(model.predict(x, {.verbose = 0}), Tensor({{2, 3}, {5, 1}}), {.absolute = 1e-6}));
  EXPECT_TRUE(close(plain.predict(x, {.verbose = 0}),
                    Tensor({{4. / 3, 2}, {5. / 3, 1. / 3}}).reshape({2, 1, 2}), {.absolute = 1e-6}));
}

TEST(RecurrentLayers, Explain_says_how_much_is_kept) {
  Sequential model{LSTM(8, {.input_shape = {5, 3}}), Dense(1)};
  model.compile({.loss = "mse", .device = "cpu"});
  // Gates, and h and c before and behind each step: 4 * (5 * 4 + 6 + 6) * 16 * 8 bytes.
  EXPECT_NE(model.explain(16).find("LSTM, 5 steps of (16, 8), keeps 16384 bytes"), std::string::npos)
      << model.explain(16);
}

TEST(RecurrentLayers, Forget_gates_begin_with_a_bias_of_1) {
  const LSTM lstm(2, {.input_shape = {3, 1}}), other(2, {.unit_forget_bias = false, .input_shape = {3, 1}}),
      half(1, {.bias_initializer = Constant{0.5}, .input_shape = {3, 1}});
  for (const Layer& layer : {Layer(lstm), Layer(other), Layer(half)}) Sequential{layer}.build({3, 1});
  EXPECT_TRUE(array_equal(lstm.get_weights()[2], Tensor({0, 0, 1, 1, 0, 0, 0, 0})));
  EXPECT_TRUE(array_equal(other.get_weights()[2], Tensor::zeros({8})));
  EXPECT_TRUE(array_equal(half.get_weights()[2], Tensor({0.5, 1, 0.5, 0.5})));
}

TEST(RecurrentLayers, What_cannot_be_is_refused) {
  expect_error<ValueError>([] { LSTM(0); }, {"LSTM got 0 units", "at least 1"});
  expect_error<ValueError>([] { GRU(3, {.dropout = 1}); }, {"GRU got dropout 1", "below 1"});
  expect_error<ValueError>([] { GRU(3, {.recurrent_dropout = -0.5}); }, {"recurrent_dropout -0.5"});
  expect_error<ValueError>([] { LSTM(3, {.stateful = true}); }, {"LSTM got stateful", "batch_size"});
  expect_error<ValueError>([] { LSTM(3, {.activation = "softmax"}); },
                           {"activation \"softmax\"", "each element"});
  expect_error<ValueError>([] { LSTM(3, {.bias_initializer = "normal"}); }, {"unit_forget_bias = false"});
  expect_error<ValueError>([] { Masking(NAN); }, {"mask_value", "finite"});
  expect_error<ShapeError>([] { Sequential{LSTM(3)}.build({4}); }, {"(LSTM)", "(steps, features)", "(4,)"});
  expect_error<ShapeError>([] { Sequential{GRU(3)}.build({2, 4, 5}); }, {"(GRU)", "(2, 4, 5)"});
  expect_error<ShapeError>([] { LSTM(3)({Input({4, 2}), Input({3})}); }, {"2 initial states", "2 inputs"});
  expect_error<ShapeError>([] { GRU(3)({Input({4, 2}), Input({5})}); }, {"initial state", "(5,)", "(3,)"});
  expect_error<StateError>([] { LSTM(3, {.return_state = true})(Input({4, 2})); }, {"3 outputs", "apply()"});
  expect_error<ValueError>([] { Bidirectional(Dense(3)); }, {"Dense", "SimpleRNN, LSTM or GRU"});
  expect_error<ValueError>([] { Bidirectional(LSTM(3), {.merge_mode = "add"}); }, {"\"add\"", "\"concat\""});
  expect_error<ValueError>([] { Bidirectional(LSTM(3), LSTM(3)); }, {"go_backwards"});
  expect_error<ValueError>(
      [] { Bidirectional(LSTM(3), LSTM(3, {.return_sequences = true, .go_backwards = true})); },
      {"return_sequences"});
  expect_error<ShapeError>(
      [] {
        Bidirectional(LSTM(3), LSTM(4, {.go_backwards = true}), {.merge_mode = "sum"})(Input({4, 2}));
      },
      {"(3,)", "(4,)", "concat"});
  expect_error<ShapeError>([] { TimeDistributed(Dense(3))(Input({4})); }, {"(TimeDistributed)", "(4,)"});
}

TEST(Masks, That_do_not_go_with_a_layer_or_a_loss_are_refused) {
  // A mask of (2, 3) for sequences of 3 steps within 2.
  const Symbol x = Input({2, 3});
  const Symbol embedded = Embedding(4, 5, {.mask_zero = true})(x);  // (2, 3, 5), masked as (2, 3)
  Model per_step({x}, {Dense(1)(embedded)});
  per_step.compile({.loss = "mse", .device = "cpu"});
  EXPECT_NO_THROW(per_step.count_params());
  const Symbol y = Input({4});
  Model summed({y}, {sum(Embedding(4, 5, {.mask_zero = true})(y), {-1})});  // a formula ends the mask
  summed.compile({.loss = "mse", .device = "cpu"});
  EXPECT_NO_THROW(summed.count_params());
}

}  // namespace
}  // namespace glia::test

// Stateful recurrent layers: a series in pieces is the series in one, in every call of a model.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/drawn.h"
#include "tests/expect_error.h"
#include "tests/recurrent_kinds.h"

namespace glia::test {
namespace {

class StatefulLayers : public DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, StatefulLayers, ::testing::ValuesIn(test_devices()), device_name);

/// Some steps of a series (rows, steps, features).
Tensor piece_of(const Tensor& series, std::int64_t first, std::int64_t steps) {
  Shape shape = series.shape();
  const std::int64_t row = shape[1] * shape[2], taken = steps * shape[2];
  shape[1] = steps;
  Tensor piece = Tensor::zeros(shape);
  for (std::int64_t i = 0; i < shape[0]; ++i)
    std::copy_n(series.data<float>() + i * row + first * shape[2], taken, piece.data<float>() + i * taken);
  return piece;
}

TEST_P(StatefulLayers, A_stateful_layer_goes_on_where_the_batch_before_ended) {
  const Tensor rows = drawn(12, {4, 6, 3}), targets = drawn(13, {4, 2, 4});
  for (const Kind& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    Sequential whole{kind.make(4, {.return_sequences = true, .input_shape = {6, 3}})};
    Sequential pieces{
        kind.make(4, {.return_sequences = true, .stateful = true, .batch_size = 4, .input_shape = {2, 3}})};
    for (Sequential* model : {&whole, &pieces})
      model->compile({.optimizer = "sgd", .loss = "mse", .device = current_device()});
    whole.build({6, 3}), pieces.build({2, 3});
    TensorList weights = whole.get_weights();
    for (std::size_t i = 0; i < kind.states; ++i) weights.push_back(Tensor::zeros({4, 4}));
    EXPECT_EQ(pieces.weight_names().back(),
              pieces.layer(0).name() + (kind.states == 2 ? "/carry" : "/state"));
    pieces.set_weights(weights);

    const Tensor expected = whole.predict(rows, {.verbose = 0});
    const auto answer = [&](std::int64_t first) {
      return pieces.predict(piece_of(rows, first, 2), {.batch_size = 4, .verbose = 0});
    };
    const auto expect_next = [&](std::int64_t first) {
      EXPECT_TRUE(close(answer(first), piece_of(expected, first, 2), {.relative = 1e-5, .absolute = 1e-6}))
          << first;
    };
    expect_next(0), expect_next(2), expect_next(4);
    pieces.reset_states();
    expect_next(0);
    static_cast<void>(pieces.gradients(piece_of(rows, 2, 2), targets));  // leaves states alone
    expect_next(2);
    pieces.reset_states();
    pieces.evaluate(piece_of(rows, 0, 2), targets, {.batch_size = 4, .verbose = 0});
    expect_next(2);
    // The second batch of one call goes on with the states of the first.
    pieces.reset_states();
    const Tensor one = piece_of(rows, 0, 2), two = piece_of(rows, 2, 2), both = concatenate({&one, &two});
    EXPECT_TRUE(close(pieces.predict(both, {.batch_size = 4, .verbose = 0}).rows(4, 8),
                      piece_of(expected, 2, 2), {.relative = 1e-5, .absolute = 1e-6}));
  }
}

TEST_P(StatefulLayers, A_stateful_layer_trains_as_one_that_is_given_the_states) {
  const Tensor first = drawn(14, {4, 3, 2}), second = drawn(15, {4, 3, 2}), y = drawn(16, {4, 5});
  for (const Kind& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    Sequential stateful{kind.make(5, {.stateful = true, .batch_size = 4, .input_shape = {3, 2}})};
    stateful.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = "mse", .device = current_device()});
    std::vector<Symbol> inputs{Input({3, 2})};
    for (std::size_t i = 0; i < kind.states; ++i) inputs.push_back(Input({5}));
    Model given(inputs, {kind.make(5, {})(inputs)});
    given.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = "mse", .device = current_device()});
    TensorList weights = stateful.get_weights();
    for (std::size_t i = 0; i < kind.states; ++i) weights.pop_back();
    given.set_weights(weights);

    std::vector<Tensor> states;
    for (std::size_t i = 0; i < kind.states; ++i) states.push_back(Tensor::zeros({4, 5}));
    for (const Tensor* x : {&first, &second}) {
      std::vector<Tensor> all;
      all.push_back(x->clone());
      for (const Tensor& state : states) all.push_back(state.clone());
      given.train_on_batch(all, y);
      stateful.train_on_batch(*x, y);
      const TensorList now = stateful.get_weights(), expected = given.get_weights();
      for (std::size_t i = 0; i < kind.states; ++i) states[i] = now[now.size() - kind.states + i].clone();
      for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_TRUE(close(now[i], expected[i], {.relative = 1e-5, .absolute = 1e-6})) << i;
    }
    EXPECT_FALSE(all_close(states[0], Tensor::zeros({4, 5}), 0, 1e-3));
  }
}

TEST_P(StatefulLayers, Both_ways_of_a_bidirectional_layer_go_on) {
  const Tensor first = drawn(17, {4, 3, 2}), second = drawn(18, {4, 3, 2});
  for (const Kind& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    Sequential stateful{Bidirectional(kind.make(5, {.stateful = true, .batch_size = 4}))};
    std::vector<Symbol> inputs{Input({3, 2})};
    for (std::size_t i = 0; i < 2 * kind.states; ++i) inputs.push_back(Input({5}));
    Model given(inputs, {Bidirectional(kind.make(5, {}))(inputs)});
    for (Model* model : std::initializer_list<Model*>{&stateful, &given})
      model->compile({.loss = "mse", .device = current_device()});
    stateful.build({3, 2});
    /// Those that are states, or the others.
    const auto weights = [&](bool states) {
      std::vector<Tensor> some;
      const std::vector<std::string> names = stateful.weight_names();
      TensorList all = stateful.get_weights();
      for (std::size_t i = 0; i < names.size(); ++i)
        if ((names[i].ends_with("/state") || names[i].ends_with("/carry")) == states)
          some.push_back(std::move(all[i]));
      return some;
    };
    given.set_weights(weights(false));
    for (const Tensor* x : {&first, &second}) {
      std::vector<Tensor> all;
      all.push_back(x->clone());
      for (Tensor& state : weights(true)) all.push_back(std::move(state));
      ASSERT_EQ(all.size(), 1 + 2 * kind.states);
      const Tensor expected = given.predict(all, {.verbose = 0});
      EXPECT_TRUE(
          close(stateful.predict(*x, {.verbose = 0}), expected, {.relative = 1e-5, .absolute = 1e-6}));
    }
    for (const Tensor& state : weights(true)) EXPECT_FALSE(all_close(state, Tensor::zeros({4, 5}), 0, 1e-3));
  }
}

TEST_P(StatefulLayers, A_stateful_layer_refuses_batches_of_another_size) {
  Sequential model{LSTM(2, {.stateful = true, .batch_size = 4, .input_shape = {3, 1}}), Dense(1)};
  model.compile({.loss = "mse", .device = current_device()});
  const TensorList before = model.get_weights();
  const Tensor x = Tensor::ones({10, 3, 1}), y = Tensor::ones({10, 1});
  const std::vector<std::string> said{"\"lstm\" (LSTM, stateful)", "2 rows", "expected 4", "multiple"};
  expect_error<ShapeError>([&] { model.fit(x, y, {.batch_size = 4, .verbose = 0}); }, said);
  expect_error<ShapeError>([&] { model.evaluate(x, y, {.batch_size = 4, .verbose = 0}); }, said);
  expect_error<ShapeError>([&] { model.predict(x, {.batch_size = 4, .verbose = 0}); }, said);
  expect_error<ShapeError>([&] { model.train_on_batch(x.rows(0, 2), y.rows(0, 2)); }, said);
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_TRUE(array_equal(model.get_weights()[i], before[i])) << i;
  expect_error<ValueError>([&] { static_cast<void>(model.predictor()); }, {"stateful", "return_state"});
}

}  // namespace
}  // namespace glia::test

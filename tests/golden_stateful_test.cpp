// Stateful recurrent layers give what Keras's give, call after call: their states go on from batch to batch of predictions, of an
// evaluation and of epochs, until they are reset.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "tests/close.h"             // defines: close, golden_tolerance
#include "tests/devices.h"           // defines: test_runs
#include "tests/golden.h"            // defines: Golden, GoldenTest, name_of_case, names_of
#include "tests/golden_sequences.h"  // defines: recurrence::Kind, recurrence::kinds

namespace glia::test {
namespace {

using recurrence::Kind;

constexpr std::int64_t series = 4;  // rows of a batch, each of which goes on in the next

const Golden& stateful_values() {
  static const Golden golden("stateful.safetensors");
  return golden;
}

class GoldenStateful : public GoldenTest<Kind> {
 protected:
  Tensor given(const std::string& what) const { return value(what).cast(DType::float32); }
  const Tensor& value(const std::string& what) const { return stateful_values()[one().name + '/' + what]; }

  void expect(const char* what, const Tensor& got) const {
    EXPECT_TRUE(close(got, value(what), golden_tolerance(dtype()))) << what << " of " << one().name;
  }
};

bool is_state(const std::string& weight) { return weight.ends_with("/state") || weight.ends_with("/carry"); }

/// Those that are trained of a model's weights, in their order.
std::vector<Tensor> trained(const Model& model) {
  const std::vector<std::string> names = model.weight_names();
  TensorList all = model.get_weights();
  std::vector<Tensor> some;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!is_state(names[i])) some.push_back(std::move(all[i]));
  return some;
}

void set_trained(Model& model, std::vector<Tensor> trained) {
  const std::vector<std::string> names = model.weight_names();
  TensorList all = model.get_weights();
  std::size_t next = 0;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!is_state(names[i])) all[i] = std::move(trained.at(next++));
  ASSERT_EQ(next, trained.size());
  model.set_weights(all);
}

TEST_P(GoldenStateful, States_go_on_as_in_Keras) {
  const Layer rnn =
      one().layer(3, {.stateful = true, .batch_size = series, .input_shape = {3, 2}, .name = "rnn"});
  Sequential model{rnn, Dense(2, {.name = "head"})};
  model.set_dtype(dtype());
  model.compile({.optimizer = recurrence::sgd, .loss = "mse", .context = context()});
  set_trained(model, stateful_values().list(one().name + "/weights", dtype()));
  const Tensor x = given("x"), y = given("y");
  const auto predict = [&] { return model.predict(x, {.batch_size = series, .verbose = 0}); };

  expect("first", predict());
  expect("second", predict());
  const double loss = model.evaluate(x, y, {.batch_size = series, .verbose = 0})["loss"];
  expect("evaluated", Tensor(std::vector<double>{loss}));
  model.reset_states();
  expect("reset", predict());
  EXPECT_FALSE(all_close(value("first"), value("second"), 0, 1e-3));
  const History history =
      model.fit(x, y, {.epochs = 2, .batch_size = series, .verbose = 0, .shuffle = false});
  expect("loss", Tensor(history["loss"]));
  expect("third", predict());
  const std::vector<Tensor> after = trained(model);
  EXPECT_TRUE(close(after, stateful_values().list(one().name + "/after"), golden_tolerance(dtype())))
      << one().name;
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenStateful,
                         ::testing::Combine(::testing::ValuesIn(recurrence::kinds()),
                                            ::testing::ValuesIn(test_runs())),
                         name_of_case<Kind>);

TEST(GoldenFiles, Every_stateful_layer_of_the_file_is_tested) {
  EXPECT_EQ(names_of(recurrence::kinds()), stateful_values().cases());
}

}  // namespace
}  // namespace glia::test

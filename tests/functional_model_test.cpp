// Models as values: chains that grow, models as layers of others, models that move.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/devices.h"
#include "tests/drawn.h"  // defines: drawn, same_bits
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"  // defines: TemporaryFolder

namespace glia::test {
namespace {

class FunctionalModel : public DeviceTest {
 protected:
  CompileOptions mse() const { return {.optimizer = "adam", .loss = "mse", .device = current_device()}; }
  const Tensor x = drawn(1, {12, 4}), y = drawn(2, {12, 2});
};

INSTANTIATE_TEST_SUITE_P(Devices, FunctionalModel, ::testing::ValuesIn(test_devices()), device_name);

TEST_P(FunctionalModel, A_chain_grows_and_shrinks_until_it_is_built) {
  Sequential grown, given{Dense(3, "tanh"), Dense(2)};
  grown.add(Dense(3, "tanh")), grown.add(Dense(7)), grown.pop(), grown.add(Dense(2));
  grown.set_seed(4), given.set_seed(4);
  for (Sequential* model : {&grown, &given}) {
    model->compile(mse());
    model->fit(x, y, {.verbose = 0});
  }
  EXPECT_TRUE(same_bits(grown.get_weights(), given.get_weights()));
  EXPECT_EQ(grown.layer(-1).name(), given.layer(-1).name());
  expect_error<StateError>([&] { grown.add(Dense(2)); }, {"add a layer", "built already"});
  expect_error<StateError>([&] { grown.pop(); }, {"take a layer", "built already"});
  Sequential empty;
  expect_error<StateError>([&] { empty.pop(); }, {"no layers"});
}

TEST_P(FunctionalModel, A_call_that_fails_before_its_first_step_fixes_no_shape) {
  Sequential inner{Activation("tanh"), Dense(3)};
  Sequential outer{Layer(inner), Residual({Activation("relu")}), Dense(2)};
  outer.compile(mse());
  expect_error<ShapeError>(
      [&] {
        outer.fit(drawn(3, {12, 6}), drawn(2, {12, 5}), {.verbose = 0});
      },
      {"(12, 2)"});
  expect_error<StateError>([&] { inner.get_weights(); }, {"built"});
  outer.fit(x, y, {.verbose = 0});
  EXPECT_EQ(outer.count_params(), 4 * 3 + 3 + 3 * 2 + 2);
  EXPECT_EQ(outer.layer(0).output_shape(), Shape({3}));
}

TEST_P(FunctionalModel, A_layer_that_was_popped_after_compile_leaves_nothing_behind) {
  Sequential model{Dense(3)};
  {
    Dense frozen(5, {.trainable = false});
    model.add(frozen);
    model.compile(mse());
    model.pop();
  }
  model.add(Dense(2));  // maybe where the other lay
  model.fit(x, y, {.verbose = 0});
  EXPECT_EQ(model.gradients(x, y).weights.size(), 4u);
}

TEST_P(FunctionalModel, A_chain_and_its_graph_learn_the_same) {
  Dense a(3, "tanh"), b(2), c(3, "tanh"), d(2);
  Sequential chain{a, b};
  Symbol in = Input({4});
  Model graph({in}, {d(c(in))});
  chain.set_seed(4), graph.set_seed(4);
  chain.compile(mse()), graph.compile(mse());
  const History one = chain.fit(x, y, {.epochs = 3, .verbose = 0}),
                two = graph.fit(x, y, {.epochs = 3, .verbose = 0});
  EXPECT_EQ(one["loss"], two["loss"]);
  EXPECT_TRUE(same_bits(chain.get_weights(), graph.get_weights()));
}

TEST_P(FunctionalModel, A_model_as_a_layer_by_its_call_and_by_Layer_is_one) {
  Symbol inside = Input({4});
  Model block({inside}, {Dense(4, "tanh", {.name = "one"})(inside)}, {.name = "block"});
  Symbol in = Input({4});
  Symbol once = block(in), twice = Layer(block)(once), thrice = block({twice});
  EXPECT_EQ(once.layer().name(), "block");
  EXPECT_EQ(&once.layer().node(), &twice.layer().node());
  Model model({in}, {thrice});
  EXPECT_EQ(model.count_params(), 20);
  EXPECT_EQ(model.weight_names(), (std::vector<std::string>{"block/one/kernel", "block/one/bias"}));
  model.compile(mse());
  const Tensor rows =
      block.predict(block.predict(block.predict(x, {.verbose = 0}), {.verbose = 0}), {.verbose = 0});
  EXPECT_TRUE(array_equal(rows, model.predict(x, {.verbose = 0})));
  Sequential chain{Layer(block), Dense(2)};
  chain.compile(mse());
  chain.fit(x, y, {.verbose = 0});
  EXPECT_FALSE(array_equal(rows, model.predict(x, {.verbose = 0}))) << "trained along";
}

TEST_P(FunctionalModel, A_model_of_several_inputs_and_outputs_as_a_layer) {
  Symbol a = Input({2}), b = Input({3});
  Symbol sum = Dense(2)(concatenate({a, b}));
  Model pair({a, b}, {sum, Dense(1)(sum)}, {.name = "pair"});
  Symbol left = Input({2}), right = Input({3});
  const std::vector<Symbol> both = Layer(pair).apply({left, right});
  ASSERT_EQ(both.size(), 2u);
  Model outer({left, right}, {concatenate({both[0], both[1]})});
  const Tensor l = drawn(3, {5, 2}), r = drawn(4, {5, 3});
  const std::vector<NamedTensor> parts = pair.predict_all({l, r}, {.verbose = 0});
  const Tensor joined = outer.predict({l, r}, {.verbose = 0});
  for (int row = 0; row < 5; ++row) {
    EXPECT_EQ(joined(row, 0), parts[0].tensor(row, 0));
    EXPECT_EQ(joined(row, 2), parts[1].tensor(row, 0));
  }
  expect_error<ShapeError>([&] { Layer(pair).apply(left); }, {"\"pair\"", "2 inputs, got 1"});
  // Only one of its outputs is used: the other's weights get no gradient, and stay.
  Model half({left, right}, {both[0]});
  half.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = "mse", .device = current_device()});
  const TensorList before = half.get_weights();
  half.fit({l, r}, {drawn(5, {5, 2})}, {.verbose = 0});
  EXPECT_FALSE(array_equal(before[0], half.get_weights()[0]));
  EXPECT_TRUE(array_equal(before[2], half.get_weights()[2]));
  EXPECT_EQ(half.gradients({l, r}, {drawn(5, {5, 2})}).weights.size(), 4u);
}

TEST_P(FunctionalModel, Models_move_with_all_they_have) {
  Symbol in = Input({4});
  Model first({in}, {Dense(2, {.name = "head"})(in)}, {.name = "kept"});
  first.compile(mse());
  first.fit(x, y, {.verbose = 0});
  const std::vector<Tensor> weights = first.get_weights();
  Model second(std::move(first));
  EXPECT_EQ(second.name(), "kept");
  EXPECT_EQ(second.iterations(), 1);
  EXPECT_TRUE(same_bits(second.get_weights(), weights));
  second.fit(x, y, {.verbose = 0});
  Model third({in}, {Dense(3)(in)});
  third = std::move(second);
  EXPECT_EQ(third.iterations(), 2);
  EXPECT_EQ(third.predict(x, {.verbose = 0}).shape(), Shape({12, 2}));
  EXPECT_THROW(second.get_weights(), StateError);
  std::vector<Model> list;
  for (int i = 0; i < 3; ++i) list.emplace_back(Symbols{in}, Symbols{Dense(i + 1)(in)});
  EXPECT_EQ(list[2].predict(x, {.verbose = 0}).shape(), Shape({12, 3}));
}

TEST_P(FunctionalModel, Layers_are_numbered_and_named_in_the_graphs_order) {
  Symbol a = Input({2}, "a"), b = Input({2}, "b");
  Model model({a, b}, {Dense(1)(add({Dense(3)(a), Dense(3, {.name = "right"})(b)}))});
  std::vector<std::string> names;
  for (const Layer& layer : model.layers()) names.push_back(layer.name());
  EXPECT_EQ(names[0], "a");
  EXPECT_EQ(names.size(), 6u);
  EXPECT_EQ(model.layer("right").count_params(), 9);
  EXPECT_EQ(&model.get_layer("right").node(), &model.layer("right").node());
  EXPECT_EQ(model.layer(-1).output_shape(), Shape({1}));
  std::ostringstream out;
  model.summary(out);
  for (const std::string& name : names) EXPECT_NE(out.str().find(name), std::string::npos) << name;
}

TEST_P(FunctionalModel, Weights_of_graphs_are_saved_and_loaded_by_name) {
  const auto make = [] {
    Symbol in = Input({4});
    Sequential block{Dense(4, {.name = "one"})};
    block.set_name("block");
    return Model({in}, {Dense(2, {.name = "head"})(add({block(in), in}))});
  };
  Model one = make(), two = make();
  one.set_seed(1), two.set_seed(2);
  const glia::testing::TemporaryFolder folder;
  const std::string path = folder / "weights.safetensors";
  one.save_weights(path);
  EXPECT_FALSE(same_bits(one.get_weights(), two.get_weights()));
  two.load_weights(path);
  EXPECT_TRUE(same_bits(one.get_weights(), two.get_weights()));
}

}  // namespace
}  // namespace glia::test

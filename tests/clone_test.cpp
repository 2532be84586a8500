// clone_model: the same model with weights of its own.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "tests/devices.h"
#include "tests/drawn.h"          // defines: drawn, same_bits
#include "tests/random_graphs.h"  // defines: RandomGraphMaker

namespace glia::test {
namespace {

class Clone : public DeviceTest {
 protected:
  CompileOptions mse() const { return {.optimizer = "adam", .loss = "mse", .device = current_device()}; }
  const Tensor x = drawn(1, {12, 4}), y = drawn(2, {12, 2});
};

INSTANTIATE_TEST_SUITE_P(Devices, Clone, ::testing::ValuesIn(test_devices()), device_name);

std::string table(const Model& model) {
  std::ostringstream out;
  model.summary(out);
  return out.str();
}

TEST_P(Clone, Of_any_graph_says_and_learns_the_same) {
  for (std::uint64_t seed = 0; seed < random_graphs_on(current_device()) / 2; ++seed) {
    SCOPED_TRACE(seed);
    RandomGraph graph = RandomGraphMaker(seed).make();
    graph.options.device = current_device();
    graph.model.compile(graph.options);
    Model copy = clone_model(graph.model);
    EXPECT_EQ(table(copy), table(graph.model));
    EXPECT_EQ(copy.weight_names(), graph.model.weight_names());
    EXPECT_EQ(copy.input_names(), graph.model.input_names());
    EXPECT_EQ(copy.output_names(), graph.model.output_names());
    copy.set_weights(graph.model.get_weights());
    copy.compile(graph.options);
    for (int step = 0; step < 2; ++step)
      EXPECT_EQ(copy.train_on_batch(graph.x, graph.y, graph.weights)["loss"],
                graph.model.train_on_batch(graph.x, graph.y, graph.weights)["loss"]);
    EXPECT_TRUE(same_bits(copy.get_weights(), graph.model.get_weights()));
  }
}

TEST_P(Clone, Has_weights_of_its_own_drawn_from_the_same_seed) {
  const Dense twice(4, "tanh");
  Symbol in = Input({4});
  Model model({in}, {Residual({Dense(4), BatchNormalization()})(twice(twice(in)))});
  model.set_seed(5);
  model.compile(mse());
  Model copy = clone_model(model);
  EXPECT_FALSE(copy.built());
  EXPECT_TRUE(same_bits(copy.get_weights(), model.get_weights()));
  const TensorList before = model.get_weights();
  copy.compile(mse());
  copy.fit(x, drawn(3, {12, 4}), {.verbose = 0});
  EXPECT_TRUE(same_bits(model.get_weights(), before));
  EXPECT_FALSE(same_bits(copy.get_weights(), before));
  EXPECT_EQ(copy.count_params(), model.count_params());  // what is shared still is
}

TEST_P(Clone, Of_a_chain_is_a_chain_that_knows_its_shape) {
  Sequential model{Dense(3, "relu", {.name = "first"}), Dense(2, "linear", {.trainable = false})};
  Sequential unknown = clone_model(model);
  EXPECT_FALSE(unknown.built());
  unknown.add(Dense(7));
  model.set_name("chain"), model.set_seed(3);
  model.compile(mse());
  model.fit(x, y, {.verbose = 0});
  Sequential copy = clone_model(model);
  copy.set_seed(4);  // as long as nothing is drawn
  EXPECT_EQ(copy.name(), "chain");
  EXPECT_EQ(copy.weight_names(), model.weight_names());
  EXPECT_FALSE(same_bits(copy.get_weights(), clone_model(model).get_weights()));
  EXPECT_FALSE(copy.layer(1).trainable());
  EXPECT_EQ(clone_model(model).layer(0)(Input({9})).shape(),
            Shape({3}));  // of another width: it has no weights yet
  Model as_model = clone_model(static_cast<const Model&>(model));
  EXPECT_EQ(table(as_model), table(clone_model(model)));
}

TEST_P(Clone, Keeps_names_that_layers_have_from_a_larger_model) {
  Sequential whole{Dense(6, "tanh", {.input_dim = 4}), Dense(5, "tanh"), Dense(4)};
  whole.build({4});
  const Symbol code = Input({6});
  Model part({code}, {whole.layer(2)(whole.layer(1)(code))});
  Model rest({whole.layer(0).output()}, {whole.layer(2).output(0)});  // whose input another graph computes
  for (const Model* model : {&part, &rest}) {
    Model copy = clone_model(*model);
    EXPECT_EQ(copy.weight_names(), model->weight_names());
    EXPECT_EQ(copy.input_names(), model->input_names());
    EXPECT_EQ(copy.output_names(), model->output_names());
  }
  EXPECT_EQ(clone_model(part).weight_names()[0], "dense_1/kernel");
}

TEST_P(Clone, Of_a_chain_within_a_model_knows_the_shape_that_this_told) {
  Sequential inner{Dense(3)};
  Symbol in = Input({4});
  const Model outer({in}, {inner(in)});
  EXPECT_EQ(clone_model(inner).get_weights().size(), 2u);  // before anybody asked the model itself
}

TEST_P(Clone, Of_a_model_of_models_has_none_of_them) {
  Sequential encoder{Dense(3, "tanh", {.input_dim = 4})};
  Symbol in = Input({4});
  Model model({in}, {Dense(2)(encoder(in))});
  model.compile(mse());
  model.get_weights();  // are made where the model computes, and the encoder's with them
  const TensorList before = encoder.get_weights();
  {
    Model copy = clone_model(model);
    copy.compile(mse());
    copy.fit(x, y, {.verbose = 0});
  }
  EXPECT_TRUE(same_bits(encoder.get_weights(), before));
  model.fit(x, y, {.verbose = 0});
  EXPECT_FALSE(same_bits(encoder.get_weights(), before));
}

}  // namespace
}  // namespace glia::test

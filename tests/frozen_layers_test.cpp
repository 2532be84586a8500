// Which layers a model trains: those that were to be trained when it was compiled.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <gtest/gtest.h>

namespace glia {
namespace {

const Tensor x{{1, 2}, {3, 4}}, y{{1}, {0}};

Tensor kernel_of(const Layer& layer) { return layer.get_weights().front(); }

/// Whether a batch changes the layer's kernel.
bool trains(Model& model, const Layer& layer) {
  const Tensor before = kernel_of(layer);
  model.train_on_batch(x, y);
  return !array_equal(kernel_of(layer), before);
}

TEST(FrozenLayers, CompileDecidesAlsoWhereWeightsAreMadeLater) {
  Dense known(3, "tanh", {.input_dim = 2}), unknown(3, "tanh");
  for (Dense layer : {known, unknown}) {
    Sequential model{layer, Dense(1)};
    model.compile({.optimizer = "sgd", .loss = "mse"});
    layer.set_trainable(false);
    model.train_on_batch(x, y);  // makes the weights of the second
    EXPECT_TRUE(trains(model, layer));
    model.compile({.optimizer = "sgd", .loss = "mse"});
    layer.set_trainable(true);
    EXPECT_FALSE(trains(model, layer));
  }
}

TEST(FrozenLayers, ADiscriminatorIsTrainedAloneAndFrozenInACombinedModel) {
  const Dense hidden(3, "tanh", {.input_dim = 2}), drawing(2, {.input_dim = 2});
  Sequential discriminator{hidden, Dense(1, "sigmoid")}, generator{drawing};
  discriminator.compile({.optimizer = "sgd", .loss = "binary_crossentropy"});
  discriminator.set_trainable(false);
  Symbol input = Input({2});
  Model combined({input}, {discriminator(generator(input))});
  combined.compile({.optimizer = "sgd", .loss = "binary_crossentropy"});

  EXPECT_TRUE(trains(discriminator, hidden));
  EXPECT_FALSE(trains(combined, hidden));
  EXPECT_TRUE(trains(combined, drawing));
  EXPECT_TRUE(trains(discriminator, hidden));
}

TEST(FrozenLayers, ALayerAddedAfterCompileIsTrainedAsItIsToldWhenTheModelIsBuilt) {
  Sequential model{Dense(3, "tanh", {.input_dim = 2})};
  model.compile({.optimizer = "sgd", .loss = "mse"});
  const Dense last(1, {.trainable = false});
  model.add(last);
  EXPECT_FALSE(trains(model, last));
  EXPECT_TRUE(trains(model, model.layer(0)));
}

}  // namespace
}  // namespace glia

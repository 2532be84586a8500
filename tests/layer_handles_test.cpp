// Handles of layers: they build their model where its shape is known; and the lists of tensors that calls return.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <functional>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/expect_error.h"

namespace glia {
namespace {

using test::expect_error;

/// What asks a model for what only a built one has.
struct Question {
  const char* name;
  std::function<void(Sequential&, Layer&)> ask;
};
const std::vector<Question> questions = {
    {"layer's get_weights", [](Sequential&, Layer& l) { EXPECT_EQ(l.get_weights().size(), 2U); }},
    {"layer's count_params", [](Sequential&, Layer& l) { EXPECT_EQ(l.count_params(), 15); }},
    {"layer's output_shape", [](Sequential&, Layer& l) { EXPECT_EQ(l.output_shape(), Shape({3})); }},
    {"layer's set_weights",
     [](Sequential&, Layer& l) {
       l.set_weights({Tensor::zeros({4, 3}), Tensor::ones({3})});
     }},
    {"found layer", [](Sequential& m, Layer&) { EXPECT_EQ(m.layer(0).count_params(), 15); }},
    {"model's get_weights", [](Sequential& m, Layer&) { EXPECT_EQ(m.get_weights().size(), 2U); }},
    {"model's count_params", [](Sequential& m, Layer&) { EXPECT_EQ(m.count_params(), 15); }},
    {"summary",
     [](Sequential& m, Layer&) {
       std::ostringstream out;
       m.summary(out);
       EXPECT_NE(out.str().find("15"), std::string::npos) << out.str();
     }},
};

/// Each way to say the shape of the input.
std::vector<std::function<Sequential(Dense&)>> ways() {
  return {[](Dense& d) {
            return Sequential{Input({4}), d};
          },
          [](Dense& d) {
            d = Dense(3, {.input_shape = {4}});
            return Sequential{d};
          },
          [](Dense& d) {
            d = Dense(3, {.input_dim = 4});
            return Sequential{d};
          },
          [](Dense& d) {
            Sequential model{d};
            model.build({4});
            return model;
          }};
}

TEST(LayerHandles, Whoever_asks_builds_where_the_shape_is_known) {
  for (const bool compiled : {false, true})
    for (const auto& way : ways())
      for (const Question& question : questions) {
        SCOPED_TRACE(question.name);
        Dense d(3);
        Sequential model = way(d);
        if (compiled) model.compile({.optimizer = "sgd", .loss = "mse"});
        question.ask(model, d);
        EXPECT_TRUE(model.built());
      }
}

TEST(LayerHandles, A_layer_within_another_builds_too) {
  Dense inner(4);
  Sequential model{Input({4}), Residual({inner})};
  EXPECT_EQ(inner.count_params(), 20);
  EXPECT_TRUE(model.built());
}

TEST(LayerHandles, A_layer_that_measured_its_data_knows_their_shape) {
  Normalization normalization;
  normalization.adapt(Tensor{{1, 2}, {3, 4}});
  Dense d(3);
  Sequential model{normalization, d};
  EXPECT_EQ(d.count_params(), 9);
}

TEST(LayerHandles, Construction_draws_nothing_so_that_seed_and_dtype_may_follow) {
  Dense d(3);
  Sequential model{Input({4}), d};
  EXPECT_FALSE(model.built());
  model.set_seed(7);
  model.set_dtype(DType::float64);
  const TensorList weights = d.get_weights();
  EXPECT_EQ(weights[0].dtype(), DType::float64);
  Sequential other{Dense(3, {.input_dim = 4})};
  other.set_seed(7);
  EXPECT_TRUE(array_equal(weights[0].cast(DType::float32), other.get_weights()[0]));
  expect_error<StateError>([&] { model.set_seed(8); }, {"initial weights"});
}

TEST(LayerHandles, Without_a_shape_they_say_so_and_build_nothing) {
  Dense d(3);
  expect_error<StateError>([&] { d.get_weights(); }, {"not built", "in no model"});
  Sequential model{d};
  for (const Question& question : questions) {
    if (question.name == std::string("summary")) continue;  // shows that it is not built
    EXPECT_THROW(question.ask(model, d), StateError) << question.name;
  }
  EXPECT_FALSE(model.built());
}

TEST(TensorLists, Give_a_tensor_away_where_nobody_keeps_the_list) {
  static_assert(!std::is_copy_constructible_v<Tensor>);
  Sequential model{Input({4}), Dense(3)};
  model.compile({.optimizer = "sgd", .loss = "mse"});
  Tensor kernel = model.get_weights()[0];
  EXPECT_EQ(kernel.shape(), Shape({4, 3}));
  Tensor bias = model.layer(0).get_weights()[1];
  EXPECT_EQ(bias.shape(), Shape({3}));
  Tensor gradient = model.gradients(Tensor::ones({2, 4}), Tensor::ones({2, 3})).weights[0];
  EXPECT_EQ(gradient.shape(), Shape({4, 3}));
  Tensor first = model.get_weights().front(), last = model.get_weights().back(),
         at = model.get_weights().at(1);
  EXPECT_EQ(first.shape(), Shape({4, 3}));
  EXPECT_EQ(last.shape(), at.shape());
  const Tensor& kept = model.get_weights()[0];  // lives as long as its name
  EXPECT_TRUE(array_equal(kept, kernel));
}

TEST(TensorLists, Are_vectors_of_tensors) {
  Sequential model{Input({4}), Dense(3)};
  std::vector<Tensor> weights = model.get_weights();
  weights[1].set({0}, 5);
  model.set_weights(weights);
  TensorList list = model.get_weights();
  EXPECT_EQ(list[1](0), 5);
  list[1].set({0}, 6);
  model.set_weights(list);
  EXPECT_EQ(model.get_weights()[1](0), 6);
  EXPECT_EQ(&list[0], &list.front());
}

}  // namespace
}  // namespace glia

// Layers and models that several graphs share: one set of weights, whoever trains them, on whichever context of a device.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/drawn.h"  // defines: drawn, same_bits
#include "tests/expect_error.h"

namespace glia::test {
namespace {

class Sharing : public DeviceTest {
 protected:
  CompileOptions mse(const OptimizerName& optimizer = SGD{.learning_rate = 0.1}) const {
    return {.optimizer = optimizer, .loss = "mse", .device = current_device()};
  }
};

INSTANTIATE_TEST_SUITE_P(Devices, Sharing, ::testing::ValuesIn(test_devices()), device_name);

TEST_P(Sharing, A_layer_applied_twice_has_its_weights_once_and_the_sum_of_its_gradients) {
  Symbol x = Input({4});
  Dense shared(4, "tanh", {.name = "shared"});
  Model model({x}, {shared(shared(x))});
  model.compile(mse());
  EXPECT_EQ(model.count_params(), 20);
  EXPECT_EQ(model.weight_names(), (std::vector<std::string>{"shared/kernel", "shared/bias"}));
  EXPECT_EQ(model.layers().size(), 2u);

  // The same with two layers of equal weights.
  Symbol z = Input({4});
  Dense first(4, "tanh"), second(4, "tanh");
  Model apart({z}, {second(first(z))});
  apart.compile(mse());
  const TensorList weights = model.get_weights();
  apart.set_weights({weights[0], weights[1], weights[0], weights[1]});
  const Tensor rows = drawn(1, {9, 4}), y = drawn(2, {9, 4});
  const Gradients one = model.gradients(rows, y), two = apart.gradients(rows, y);
  ASSERT_EQ(one.weights.size(), 2u);
  EXPECT_EQ(one.loss, two.loss);
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_TRUE(
        close(one.weights[i], two.weights[i] + two.weights[i + 2], {.relative = 1e-5, .absolute = 1e-7}));
}

TEST_P(Sharing, Relus_of_a_block_applied_twice_have_the_gradients_of_two_blocks) {
  const auto block = [] { return Sequential{Dense(24, "relu"), Dense(40, "relu"), Dense(24, "relu")}; };
  const auto pair = [](const Sequential& one, const Sequential& two) {
    Symbol x = Input({24});
    const Symbol once = one(x);
    return Model({x}, {Dense(1, {.kernel_initializer = "ones"})(add({once, two(once)}))});
  };
  const Sequential alone = block(), first = block(), second = block();
  Model shared = pair(alone, alone), apart = pair(first, second);
  shared.compile(mse()), apart.compile(mse());
  const TensorList weights = shared.get_weights();
  std::vector<Tensor> twice;
  for (const std::size_t i : {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 6, 7}) twice.push_back(weights[i] * 1.0);
  apart.set_weights(twice);
  const Tensor rows = drawn(1, {33, 24}), y = drawn(2, {33, 1});
  const Gradients one = shared.gradients(rows, y), two = apart.gradients(rows, y);
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_TRUE(
        close(one.weights[i], two.weights[i] + two.weights[i + 6], {.relative = 1e-4, .scaled = 1e-5}))
        << i;
}

TEST_P(Sharing, A_convolution_over_images_of_two_sizes) {
  Symbol large = Input({6, 6, 1}), small = Input({4, 5, 1});
  Conv2D shared(3, 2, {.name = "shared"});
  Symbol a = shared(large), b = shared(small);
  EXPECT_EQ(a.shape(), Shape({5, 5, 3}));
  EXPECT_EQ(b.shape(), Shape({3, 4, 3}));
  Model model({large, small}, {GlobalAveragePooling2D()(a), GlobalAveragePooling2D()(b)});
  EXPECT_EQ(model.count_params(), 15);
  // What each says alone is what both say together.
  const Tensor images = drawn(1, {3, 6, 6, 1}), others = drawn(2, {3, 4, 5, 1});
  const std::vector<NamedTensor> both = model.predict_all({images, others}, {.verbose = 0});
  Model alone({small}, {GlobalAveragePooling2D()(shared(small))});
  EXPECT_TRUE(array_equal(alone.predict(others, {.verbose = 0}), both[1].tensor));
}

TEST_P(Sharing, Twins_say_the_same_of_the_same) {
  Sequential twin{Dense(6, "tanh"), Dense(3)};
  Symbol a = Input({4}), b = Input({4});
  Model apart({a, b}, {subtract({twin(a), twin(b)})});
  apart.compile(mse("adam"));
  const Tensor x = drawn(1, {8, 4}), y = drawn(2, {8, 4}), target = drawn(3, {8, 3});
  apart.fit({x, y}, {target}, {.epochs = 3, .verbose = 0});
  const Tensor none = apart.predict({x, x}, {.verbose = 0});
  EXPECT_TRUE(array_equal(none, Tensor::zeros({8, 3})));
  const Tensor of_x = twin.predict(x, {.verbose = 0}), of_y = twin.predict(y, {.verbose = 0});
  EXPECT_TRUE(
      close(apart.predict({x, y}, {.verbose = 0}), of_x - of_y, {.relative = 1e-5, .absolute = 1e-6}));
}

TEST_P(Sharing, Parts_of_an_autoencoder_are_trained_by_the_whole) {
  Symbol x = Input({6}, "x"), code_in = Input({2}, "code_in");
  Dense to_code(2, "tanh", {.name = "code"}), back(6, {.name = "back"});
  Symbol code = to_code(Dense(4, "tanh")(x));
  Model encoder({x}, {code}), decoder({code_in}, {back(code_in)}), whole({x}, {back(code)});
  whole.compile(mse("adam"));
  const Tensor rows = drawn(1, {32, 6});
  const Tensor code_before = encoder.predict(rows, {.verbose = 0});
  whole.fit(rows, rows, {.epochs = 4, .verbose = 0});
  const Tensor codes = encoder.predict(rows, {.verbose = 0});
  EXPECT_FALSE(array_equal(codes, code_before));
  EXPECT_TRUE(close(decoder.predict(codes, {.verbose = 0}), whole.predict(rows, {.verbose = 0}),
                    {.relative = 1e-5, .absolute = 1e-6}));
  // And a part in the middle of it, made afterwards.
  Model middle({whole.layer("code").output()}, whole.outputs());
  EXPECT_TRUE(array_equal(middle.predict(codes, {.verbose = 0}), decoder.predict(codes, {.verbose = 0})));
  EXPECT_EQ(middle.input_names(), (std::vector<std::string>{"code"}));
}

/// Generator, discriminator, and both with the discriminator frozen.
struct Gan {
  Sequential generator{Dense(5, "tanh", {.input_dim = 2}), Dense(3)};
  Sequential discriminator{Dense(6, "tanh", {.input_dim = 3}), Dense(1, "sigmoid")};
  std::optional<Model> both;

  Gan(const Device& device, std::optional<Context> of_discriminator = {},
      std::optional<Context> of_both = {}) {
    generator.set_seed(3), discriminator.set_seed(4);
    const auto options = [&](const std::optional<Context>& context) {
      CompileOptions o{.optimizer = Adam{.learning_rate = 0.01}, .loss = "binary_crossentropy"};
      if (context)
        o.context = context;
      else
        o.device = device;
      return o;
    };
    discriminator.compile(options(of_discriminator));
    discriminator.count_params();  // builds, on its context
    discriminator.set_trainable(false);
    Symbol z = Input({2});
    both.emplace(Symbols{z}, Symbols{discriminator(generator(z))});
    both->compile(options(of_both));
  }

  void train(int steps) {
    const Tensor ones = Tensor::ones({8, 1}), zeros = Tensor::zeros({8, 1});
    for (int i = 0; i < steps; ++i) {
      const Tensor noise = drawn(10 + static_cast<std::uint64_t>(i), {8, 2}),
                   real = drawn(90 + static_cast<std::uint64_t>(i), {8, 3});
      discriminator.train_on_batch(real, ones);
      discriminator.train_on_batch(generator.predict(noise, {.verbose = 0}), zeros);
      both->train_on_batch(noise, ones);
    }
  }
  std::vector<Tensor> weights() { return both->get_weights(); }
};

TEST_P(Sharing, Two_trainers_on_shared_weights_each_train_their_own) {
  Gan gan(current_device());
  const std::vector<Tensor> d = gan.discriminator.get_weights(), g = gan.generator.get_weights();
  const Tensor ones = Tensor::ones({8, 1});
  gan.both->train_on_batch(drawn(1, {8, 2}), ones);
  EXPECT_TRUE(same_bits(gan.discriminator.get_weights(), d)) << "frozen where both were compiled";
  const std::vector<Tensor> g_after = gan.generator.get_weights();
  EXPECT_FALSE(same_bits(g_after, g));
  gan.discriminator.train_on_batch(drawn(2, {8, 3}), ones);
  EXPECT_FALSE(same_bits(gan.discriminator.get_weights(), d)) << "it was compiled before it was frozen";
  EXPECT_TRUE(same_bits(gan.generator.get_weights(), g_after));
  EXPECT_EQ(gan.both->iterations(), 1);
  EXPECT_EQ(gan.discriminator.iterations(), 1);
  gan.train(3);
  EXPECT_EQ(gan.both->iterations(), 4);
  EXPECT_EQ(gan.discriminator.iterations(), 7);
}

TEST_P(Sharing, What_was_frozen_after_compile_is_trained_until_the_next) {
  for (const bool built : {false, true}) {
    SCOPED_TRACE(built);
    Dense first(3), last(2);
    Symbol x = Input({3});
    Model model({x}, {last(first(x))});
    model.compile(mse());
    if (built) model.count_params();
    first.set_trainable(false);
    const Tensor rows = drawn(1, {4, 3}), y = drawn(2, {4, 2});
    model.train_on_batch(rows, y);
    const std::vector<Tensor> once = first.get_weights();
    model.train_on_batch(rows, y);
    EXPECT_FALSE(same_bits(first.get_weights(), once));
    model.compile(mse());
    const std::vector<Tensor> then = first.get_weights();
    model.train_on_batch(rows, y);
    EXPECT_TRUE(same_bits(first.get_weights(), then));
  }
}

TEST_P(Sharing, Weights_on_two_contexts_of_a_device_give_the_bits_of_one) {
  Gan one(current_device(), context(), context());
  const Context other({.device = current_device()}), third({.device = current_device()});
  Gan two(current_device(), other, third);
  EXPECT_TRUE(same_bits(one.weights(), two.weights()));
  one.train(4), two.train(4);
  EXPECT_TRUE(same_bits(one.weights(), two.weights()));
  EXPECT_TRUE(same_bits(one.discriminator.get_weights(), two.discriminator.get_weights()));
}

TEST_P(Sharing, Weights_that_two_models_compute_with_stay_on_their_device) {
  if (current_device().is_cpu()) return;
  Symbol x = Input({3});
  Dense shared(2, {.name = "shared"});
  Model here({x}, {shared(x)}), there({x}, {Dense(1)(shared(x))});
  here.compile(mse());
  here.count_params();
  there.compile({.loss = "mse", .device = "cpu"});
  expect_error<StateError>([&] { there.count_params(); },
                           {"cpu", "another model computes", "for one device"});
  EXPECT_FALSE(there.built());
  there.compile(mse());
  there.count_params();
  const std::vector<Tensor> before = shared.get_weights();
  expect_error<StateError>([&] { here.compile({.loss = "mse", .device = "cpu"}); },
                           {"another model computes"});
  EXPECT_TRUE(same_bits(shared.get_weights(), before));
  here.train_on_batch(drawn(1, {4, 3}), drawn(2, {4, 2}));  // as it was compiled
  EXPECT_FALSE(same_bits(shared.get_weights(), before));
}

TEST_P(Sharing, Weights_go_along_once_the_other_model_is_gone) {
  Symbol x = Input({3});
  Dense shared(2);
  std::optional<Model> first(std::in_place, Symbols{x}, Symbols{shared(x)});
  first->compile(mse());
  first->count_params();
  const std::vector<Tensor> before = shared.get_weights();
  Model second({x}, {shared(x)});
  first.reset();
  second.compile({.loss = "mse", .device = "cpu"});
  EXPECT_TRUE(same_bits(second.get_weights(), before));
  second.train_on_batch(drawn(1, {4, 3}), drawn(2, {4, 2}));
  EXPECT_FALSE(same_bits(shared.get_weights(), before));
}

TEST_P(Sharing, Weights_through_any_handle_are_the_same) {
  Dense inner(3, {.name = "inner"});
  Sequential block{inner, Dense(2, {.name = "last"})};
  block.set_name("block");
  Symbol x = Input({4});
  Model model({x}, {block(x)});
  model.compile(mse());
  const std::vector<Tensor> all = model.get_weights();
  EXPECT_EQ(model.weight_names()[0], "block/inner/kernel");
  EXPECT_TRUE(same_bits(model.layer("block").get_weights(), all));
  EXPECT_TRUE(same_bits(block.get_weights(), all)) << "its rows' shape is known, since it was applied";
  EXPECT_EQ(block.count_params(), model.count_params());
  EXPECT_TRUE(array_equal(inner.get_weights()[0], all[0]));
  EXPECT_TRUE(array_equal(block.layer("inner").get_weights()[1], all[1]));
  inner.set_weights({Tensor::ones({4, 3}), Tensor::zeros({3})});
  EXPECT_TRUE(array_equal(model.get_weights()[0], Tensor::ones({4, 3})));
}

TEST_P(Sharing, A_layer_outlives_its_model_with_what_it_learned) {
  Dense kept(3, "tanh", {.name = "kept"});
  std::vector<Tensor> learned;
  {
    Symbol x = Input({4});
    Model model({x}, {Dense(2)(kept(x))});
    model.compile(mse());
    model.fit(drawn(1, {16, 4}), drawn(2, {16, 2}), {.verbose = 0});
    learned = kept.get_weights();
  }
  EXPECT_TRUE(same_bits(kept.get_weights(), learned));
  Sequential other{Input({4}), kept};
  EXPECT_TRUE(same_bits(other.get_weights(), learned));
  EXPECT_EQ(other.predict(drawn(3, {2, 4}), {.verbose = 0}).shape(), Shape({2, 3}));
}

TEST_P(Sharing, The_first_model_that_is_built_draws_by_its_seed) {
  const auto weights = [](bool second_first) {
    Symbol x = Input({4});
    Dense shared(3);
    Model a({x}, {shared(x)}), b({x}, {shared(x)});
    a.set_seed(5), b.set_seed(6);
    (second_first ? b : a).count_params();
    Model& other = second_first ? a : b;
    EXPECT_FALSE(other.built());
    other.set_seed(7);  // too late for what is drawn, but not for others
    EXPECT_TRUE(same_bits(a.get_weights(), b.get_weights()));
    expect_error<StateError>([&] { other.set_seed(8); }, {"initial weights"});
    return a.get_weights();
  };
  Symbol x = Input({4});
  Model alone({x}, {Dense(3)(x)});
  alone.set_seed(6);
  EXPECT_TRUE(same_bits(weights(true), alone.get_weights()));
  EXPECT_FALSE(same_bits(weights(false), alone.get_weights()));
}

}  // namespace
}  // namespace glia::test

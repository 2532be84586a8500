// Deep belief networks: a stack is its machines, one after the other; what it becomes and dreams; what is refused.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/close.h"
#include "tests/devices.h"
#include "tests/expect_error.h"

namespace glia {
namespace {

constexpr std::int64_t width = 12;

/// Rows of two kinds: of class 0 the first half is on, of class 1 the second, but for a bit in twenty.
struct TwoKinds {
  Tensor x, labels;

  explicit TwoKinds(std::int64_t rows) {
    std::mt19937 draws(4);
    std::vector<float> values;
    std::vector<std::int32_t> classes;
    for (std::int64_t r = 0; r < rows; ++r) {
      classes.push_back(static_cast<std::int32_t>(draws() % 2));
      for (std::int64_t i = 0; i < width; ++i)
        values.push_back(
            static_cast<float>(((i < width / 2) == (classes.back() == 0)) != (draws() % 20 == 0)));
    }
    x = Tensor(values, {rows, width}), labels = Tensor(classes);
  }
};

class Stacks : public test::DeviceTest {
 protected:
  DeepBeliefOptions options(std::int64_t classes = 0) {
    return {.rbm = {.optimizer = SGD{.learning_rate = 0.1, .momentum = 0.5}, .seed = 3, .context = context()},
            .classes = classes};
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, Stacks, ::testing::ValuesIn(test::test_devices()), test::device_name);

TEST_P(Stacks, Are_machines_trained_one_after_the_other) {
  const TwoKinds kinds(60);
  const FitOptions fit{.epochs = 3, .batch_size = 16, .verbose = 0};
  DeepBelief dbn(width, {8, 5}, options());
  const std::vector<History> histories = dbn.fit(kinds.x, fit);
  RbmOptions first = options().rbm, second = first;
  second.seed += 1;
  Rbm below(width, 8, first), above(8, 5, second);
  below.fit(kinds.x, fit);
  const Tensor features = below.transform(kinds.x);
  above.fit(features, fit);
  ASSERT_EQ(dbn.size(), 2u);
  ASSERT_EQ(histories.size(), 2u);
  EXPECT_EQ(histories[1]["loss"].size(), 3u);
  EXPECT_TRUE(array_equal(dbn.rbm(0).get_weights()[0], below.get_weights()[0]));
  EXPECT_TRUE(array_equal(dbn.rbm(1).get_weights()[0], above.get_weights()[0]));
  EXPECT_TRUE(array_equal(dbn.transform(kinds.x), above.transform(features)));
  SampleOptions dreams{.rows = 6, .steps = 5, .seed = 2};
  EXPECT_TRUE(array_equal(dbn.sample(dreams), below.inverse_transform(above.sample(dreams))));
}

TEST_P(Stacks, Become_models_that_go_on_from_what_they_learned) {
  const TwoKinds kinds(80);
  for (const std::int64_t classes : {0, 2}) {
    DeepBelief dbn(width, {8, 5}, options(classes));
    const FitOptions fit{.epochs = 2, .batch_size = 16, .verbose = 0};
    if (classes > 0)
      dbn.fit(kinds.x, kinds.labels, fit);
    else
      dbn.fit(kinds.x, fit);
    Sequential features = dbn.to_model();
    const Tensor expected = dbn.transform(kinds.x);
    EXPECT_TRUE(test::close(features.predict(kinds.x, {.verbose = 0}).values(), expected.values(),
                            expected.shape(), {.absolute = 1e-6}));
    Sequential model = dbn.to_model({.units = 2, .input_shape = {4, 3}});
    EXPECT_EQ(model.layers().size(), 4u);  // Flatten, two of the stack, softmax
    model.compile({.optimizer = Adam{.learning_rate = 0.02},
                   .loss = "sparse_categorical_crossentropy",
                   .metrics = "accuracy",
                   .context = context()});
    const Tensor images = kinds.x.reshape({80, 4, 3});
    model.fit(images, kinds.labels, {.epochs = 40, .batch_size = 16, .verbose = 0});
    EXPECT_GT(model.evaluate(images, kinds.labels, {.verbose = 0})["accuracy"], 0.97);
    EXPECT_TRUE(array_equal(dbn.transform(kinds.x), expected)) << "fine-tuning changed the stack";
  }
}

TEST_P(Stacks, Dream_of_a_class) {
  const TwoKinds kinds(300);
  for (const bool is_deep : {true, false}) {
    DeepBelief dbn(width, is_deep ? std::vector<std::int64_t>{10, 8} : std::vector<std::int64_t>{8},
                   options(2));
    const std::vector<History> histories =
        dbn.fit(kinds.x, kinds.labels,
                {.epochs = 60,
                 .batch_size = 20,
                 .verbose = 0,
                 .validation_data = ValidationData(kinds.x, kinds.labels)});
    EXPECT_LT(histories.back()["val_loss"].back(), histories.back()["val_loss"].front());
    const Tensor classes = dbn.predict(kinds.x);
    ASSERT_EQ(classes.shape(), Shape({300, 2}));
    EXPECT_GT(((classes.columns(1, 2).reshape({300}) > 0.5) == kinds.labels).mean(), 0.97);
    for (const std::int64_t label : {0, 1}) {
      const Tensor dreams = dbn.sample_class(label, {.rows = 40, .steps = 50, .seed = 1});
      ASSERT_EQ(dreams.shape(), Shape({40, width}));
      const double first = dreams.columns(0, width / 2).mean(),
                   second = dreams.columns(width / 2, width).mean();
      EXPECT_GT(label == 0 ? first : second, 0.7) << label;
      EXPECT_LT(label == 0 ? second : first, 0.3) << label;
    }
  }
}

TEST_P(Stacks, What_cannot_be_is_refused) {
  using test::expect_error;
  const TwoKinds kinds(10);
  expect_error<ValueError>([&] { DeepBelief(width, {}, options()); }, {"no hidden units"});
  expect_error<ValueError>([&] { DeepBelief(width, {4, 0}, options()); }, {"4 visible and 0 hidden"});
  expect_error<ValueError>([&] { DeepBelief(width, {4}, options(1)); }, {"1 classes"});
  DeepBelief plain(width, {6, 4}, options()), labelled(width, {6, 4}, options(2));
  expect_error<StateError>([&] { plain.fit(kinds.x, kinds.labels); }, {"no units for labels"});
  expect_error<StateError>([&] { labelled.fit(kinds.x); }, {"2 classes"});
  expect_error<StateError>([&] { plain.sample_class(0); }, {"no classes"});
  expect_error<StateError>([&] { plain.predict(kinds.x); }, {"no classes"});
  DeepBeliefOptions twice = options(2);
  twice.rbm.softmax_units = 3;
  expect_error<ValueError>([&] { DeepBelief(width, {4}, twice); }, {"3 softmax_units", ".classes"});
  expect_error<ValueError>([&] { labelled.sample_class(2); }, {"class 2", "0 to 1"});
  expect_error<ValueError>([&] { labelled.sample_class(0, {.clamped = 1}); }, {"clamped"});
  const FitOptions quiet{.verbose = 0};
  expect_error<ValueError>([&] { labelled.fit(kinds.x, kinds.labels + 1.0, quiet); }, {"label 2", "0 to 1"});
  expect_error<ShapeError>([&] { labelled.fit(kinds.x, kinds.labels.rows(0, 4), quiet); }, {"4"});
  expect_error<ShapeError>([&] { plain.fit(kinds.x.columns(0, 5), quiet); }, {"rows of 12"});
  expect_error<ValueError>([&] { plain.rbm(2); }, {"no machine 2"});
  expect_error<ValueError>([&] { plain.to_model({.units = -1}); }, {"-1 units"});
  expect_error<ShapeError>([&] { plain.to_model({.input_shape = {5}}); }, {"(5,)", "12 elements"});
  const DeepBelief moved = std::move(plain);
  expect_error<StateError>([&] { plain.size(); }, {"moved from"});
}

}  // namespace
}  // namespace glia

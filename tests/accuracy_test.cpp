// The headline on real data: Fashion-MNIST, 784-128-10, five epochs. Skipped, visibly, where the data set is not installed.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <optional>

namespace glia {
namespace {

// Sanitizers make training many times slower: there, one epoch over a part of the rows shows that nothing is wrong.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int epochs = 1;
constexpr std::int64_t rows = 6000;
constexpr double slack = 0.25;
#else
constexpr int epochs = 5;
constexpr std::int64_t rows = 60000;
constexpr double slack = 0;
#endif

const std::optional<TrainTest>& data() {
  static const std::optional<TrainTest> loaded = []() -> std::optional<TrainTest> {
    try {
      return datasets::fashion_mnist();
    } catch (const FileError&) {
      return std::nullopt;
    }
  }();
  return loaded;
}

double test_accuracy(Sequential& model, std::uint64_t seed) {
  model.set_seed(seed);
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .device = "cpu"});
  model.fit(TensorView(data()->train.x).rows(0, rows), TensorView(data()->train.y).rows(0, rows),
            {.epochs = epochs, .batch_size = 32, .verbose = 0});
  return model.evaluate(data()->test, {.verbose = 0})["accuracy"];
}

class Seeds : public ::testing::TestWithParam<std::uint64_t> {};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
INSTANTIATE_TEST_SUITE_P(FashionMnist, Seeds, ::testing::Values(1));
#else
INSTANTIATE_TEST_SUITE_P(FashionMnist, Seeds, ::testing::Values(1, 2, 3, 4, 5));
#endif

TEST_P(Seeds, Relu_128_reaches_0_865) {
  if (!data()) GTEST_SKIP() << "Fashion-MNIST is not installed";
  Sequential model{Flatten({28, 28}), Dense(128, "relu"), Dense(10, "softmax")};
  const double accuracy = test_accuracy(model, GetParam());
  RecordProperty("test_accuracy", std::to_string(accuracy));
  std::cout << "seed " << GetParam() << ": test accuracy " << accuracy << '\n';
  EXPECT_GE(accuracy, 0.865 - slack);
}

TEST(FashionMnist, Sigmoid_100_reaches_0_85) {
  if (!data()) GTEST_SKIP() << "Fashion-MNIST is not installed";
  Sequential model{Flatten({28, 28}), Dense(100, "sigmoid"), Dense(10, "softmax")};
  EXPECT_GE(test_accuracy(model, 1), 0.85 - slack);
}

}  // namespace
}  // namespace glia

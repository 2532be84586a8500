// The headline on real data: Fashion-MNIST, 784-128-10, five epochs. Skipped, visibly, where the data set is not installed.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <optional>
#include <tuple>

#include "tests/double_controls.h"

namespace glia {
namespace {

// Sanitizers and the double of CUDA make training many times slower: there, one epoch over a part of the rows shows that
// nothing is wrong.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

bool quick() { return sanitized || (test::current_device().is_cuda() && test::double_controls()); }
double slack() { return quick() ? 0.25 : 0; }

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
                 .device = test::current_device()});
  const std::int64_t rows = quick() ? 6'000 : 60'000;
  model.fit(TensorView(data()->train.x).rows(0, rows), TensorView(data()->train.y).rows(0, rows),
            {.epochs = quick() ? 1 : 5, .batch_size = 32, .verbose = 0});
  return model.evaluate(data()->test, {.verbose = 0})["accuracy"];
}

class Accuracy : public test::OnDevice,
                 public ::testing::WithParamInterface<std::tuple<Device, std::uint64_t>> {
 protected:
  void SetUp() override {
    start(std::get<0>(GetParam()));
    if (!data()) GTEST_SKIP() << "Fashion-MNIST is not installed";
    if (quick() && seed() > 1) GTEST_SKIP() << "one seed is enough where training is slow";
  }
  static std::uint64_t seed() { return std::get<1>(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(FashionMnist, Accuracy,
                         ::testing::Combine(::testing::ValuesIn(test::test_devices()),
                                            ::testing::Values(1, 2, 3, 4, 5)),
                         [](const auto& info) {
                           return test::label(std::get<0>(info.param)) + "_seed_" +
                                  std::to_string(std::get<1>(info.param));
                         });

TEST_P(Accuracy, Relu_128_reaches_0_865) {
  Sequential model{Flatten({28, 28}), Dense(128, "relu"), Dense(10, "softmax")};
  const double accuracy = test_accuracy(model, seed());
  RecordProperty("test_accuracy", std::to_string(accuracy));
  std::cout << "seed " << seed() << ": test accuracy " << accuracy << '\n';
  EXPECT_GE(accuracy, 0.865 - slack());
}

class AccuracyOfOneSeed : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(FashionMnist, AccuracyOfOneSeed, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

TEST_P(AccuracyOfOneSeed, Sigmoid_100_reaches_0_85) {
  if (!data()) GTEST_SKIP() << "Fashion-MNIST is not installed";
  Sequential model{Flatten({28, 28}), Dense(100, "sigmoid"), Dense(10, "softmax")};
  EXPECT_GE(test_accuracy(model, 1), 0.85 - slack());
}

}  // namespace
}  // namespace glia

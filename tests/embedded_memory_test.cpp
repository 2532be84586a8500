// The memory of predictors and learners: all of it from the application's allocator, told by purpose, and where there is none left
// a typed error after which everything goes on.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/counting_allocator.h"
#include "tests/devices.h"
#include "tests/predictor_models.h"

namespace glia {
namespace {

using test::CountingAllocator;
using test::predicted;
using test::waves;
using Failure = CountingAllocator::Failure;

class EmbeddedMemory : public test::DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (!IsSkipped() && GetParam().is_cuda() && !test::cuda_function<int(void*)>("cudaFreeHost"))
      GTEST_SKIP() << "needs the CUDA runtime that an application has, libcudart.so.13 or .12";
  }
  std::vector<Sequential> models() {
    std::vector<Sequential> all;
    all.push_back(test::classifier_of_six(context()));
    all.push_back(test::convolutional(context()));
    return all;
  }

  const std::shared_ptr<CountingAllocator> allocator = std::make_shared<CountingAllocator>();
};
INSTANTIATE_TEST_SUITE_P(Devices, EmbeddedMemory, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

TEST_P(EmbeddedMemory, Of_a_predictor_is_what_its_allocator_gave) {
  for (Sequential& model : models()) {
    {
      Predictor predictor = model.predictor({.max_batch = 9, .allocator = allocator});
      EXPECT_GT(predictor.memory().temporaries, 0);
      EXPECT_EQ(predictor.memory().weights, 0);
      EXPECT_EQ(predictor.memory().total(), allocator->out());
      const Tensor x = waves(predictor.input_shapes()[0].prepend(20));
      predictor.predict(x);  // in parts
      EXPECT_EQ(predictor.memory().total(), allocator->out());
      const std::int64_t before = allocator->out();
      predictor.predict(x);
      EXPECT_EQ(allocator->out(), before);
    }
    EXPECT_EQ(allocator->out(), 0);
  }
}

TEST_P(EmbeddedMemory, That_runs_out_while_a_predictor_is_made_is_typed_and_leaves_the_model_as_it_was) {
  for (Sequential& model : models()) {
    const Tensor x = waves(model.inputs()[0].shape().prepend(5)), x_there = x.to(context());
    const Tensor expected = model.predict(x, {.verbose = 0});
    int refused = 0;
    for (int nth = 1;; ++nth) {
      SCOPED_TRACE(nth);
      allocator->fail_at(nth, nth % 2 == 0 ? Failure::null : Failure::bad_alloc);
      try {
        Predictor predictor = model.predictor({.max_batch = 9, .allocator = allocator});
        predictor.predict(x);
      } catch (const OutOfMemoryError&) {
        ++refused;
      }
      const bool has_failed = allocator->has_failed();
      allocator->fail_no_more();
      EXPECT_EQ(allocator->out(), 0);
      EXPECT_TRUE(array_equal(model.predict(x, {.verbose = 0}), expected));
      if (!has_failed) break;
    }
    EXPECT_GT(refused, 1);
    Predictor predictor = model.predictor({.max_batch = 9, .allocator = allocator});
    EXPECT_TRUE(all_close(predicted(predictor, x_there, context()), expected, 1e-5, 1e-6));
  }
}

TEST_P(EmbeddedMemory, That_runs_out_at_a_step_of_a_learner_is_typed_and_the_next_step_is_right) {
  const auto make = [&](const Context& on) {
    Sequential model{Input({6}), Dense(16, "relu"), BatchNormalization(), Dense(3, "softmax")};
    model.set_seed(7);
    model.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .context = on});
    model.build({6});
    return model;
  };
  const Tensor x = waves({8, 6}), y{0, 1, 2, 0, 1, 2, 0, 1};
  Sequential reference = make(context());
  reference.train_on_batch(x, y);
  const TensorList expected = reference.get_weights();
  int refused = 0;
  for (int nth = 1;; ++nth) {
    SCOPED_TRACE(nth);
    bool has_failed = false;
    {
      const Context on({.device = GetParam(), .threads = 2, .allocator = allocator});
      Sequential model = make(on);
      const Tensor x_there = x.to(on), y_there = y.to(on);
      Learner learner = model.learner();
      allocator->fail_at(nth, nth % 2 == 0 ? Failure::null : Failure::bad_alloc);
      bool stepped = false;
      try {
        learner.enqueue_train(x_there, y_there);
        stepped = true;
        learner.enqueue_logs();
        learner.logs();
      } catch (const OutOfMemoryError&) {
        ++refused;
      }
      has_failed = allocator->has_failed();
      allocator->fail_no_more();
      if (!stepped) learner.enqueue_train(x_there, y_there);
      learner.enqueue_logs();
      EXPECT_GT(learner.logs()["loss"], 0);
      const TensorList weights = model.get_weights();
      for (std::size_t i = 0; i < weights.size(); ++i)
        EXPECT_TRUE(all_close(weights[i], expected[i], 1e-5, 1e-6)) << i;
    }
    EXPECT_EQ(allocator->out(), 0);
    if (!has_failed) break;
  }
  EXPECT_GT(refused, 1);
}

}  // namespace
}  // namespace glia

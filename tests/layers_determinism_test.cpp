// Models with noise and normalisations give the same bits on any number of threads, captured or op by op, resident or streamed.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/devices.h"

namespace glia {
namespace {

class LayersDeterminismOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, LayersDeterminismOn, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

constexpr std::int64_t rows = 210, features = 19;

Dataset data() {
  Tensor x = Tensor::zeros({rows, features}), y = Tensor::zeros({rows}, DType::int64);
  for (std::int64_t i = 0; i < x.size(); ++i)
    x.data<float>()[i] = static_cast<float>(std::sin(0.7 * static_cast<double>(i * i % 1009)));
  for (std::int64_t r = 0; r < rows; ++r) y.set({r}, static_cast<double>(r * 7 % 5));
  return Dataset(std::move(x), std::move(y));
}

/// All that draws random numbers, sums over rows or keeps statistics, and all that goes along with an update.
Sequential fresh_model(int threads, std::uint64_t seed = 1) {
  Sequential model{Dense(67, "gelu", {.kernel_regularizer = "l2", .kernel_constraint = MaxNorm{1.5}}),
                   BatchNormalization(),
                   PReLU(),
                   Dropout(0.3),
                   Dense(33),
                   LayerNormalization(),
                   GaussianNoise(0.1),
                   RMSNormalization(),
                   AlphaDropout(0.2),
                   GaussianDropout(0.2),
                   Dense(5, "softmax")};
  model.set_seed(seed);
  model.compile(
      {.optimizer = AdamW{.global_clipnorm = 0.5, .use_ema = true, .gradient_accumulation_steps = 2},
       .loss = "sparse_categorical_crossentropy",
       .metrics = {"accuracy", "confusion_matrix"},
       .context = Context({.device = test::current_device(), .threads = threads})});
  return model;
}

void expect_same_bits(const std::vector<Tensor>& got, const std::vector<Tensor>& expected,
                      const std::string& what) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE(array_equal(got[i], expected[i])) << what << ", " << i;
}

std::vector<Tensor> trained(int threads, const FitOptions& options, std::uint64_t seed = 1) {
  Sequential model = fresh_model(threads, seed);
  const History history = model.fit(data(), options);
  EXPECT_TRUE(std::isfinite(history["loss"].back()));
  return model.get_weights();
}

TEST_P(LayersDeterminismOn, One_two_and_five_threads_give_the_same_bits) {
  for (const std::int64_t batch : {32, 200}) {
    const FitOptions options{.epochs = 2, .batch_size = batch, .verbose = 0};
    const std::vector<Tensor> one = trained(1, options);
    expect_same_bits(trained(1, options), one, "again");
    if (test::current_device().is_cpu())
      for (const int threads : {2, 5})
        expect_same_bits(trained(threads, options), one, std::to_string(threads));
    EXPECT_FALSE(array_equal(trained(1, options, 2)[0], one[0])) << "another seed";
  }
}

TEST_P(LayersDeterminismOn, Streamed_weighted_rows_give_the_bits_of_resident_ones) {
  const Dataset set = data();
  Tensor weights = Tensor::ones({rows});
  for (std::int64_t r = 0; r < rows; r += 3) weights.set({r}, 0.25);
  std::vector<std::vector<Tensor>> results;
  for (const std::int64_t budget : {std::int64_t{0}, std::int64_t{1}, std::int64_t{84 * 100}}) {
    Sequential model = fresh_model(2);
    model.fit(
        set.x, set.y,
        {.epochs = 2, .batch_size = 32, .verbose = 0, .sample_weight = weights, .memory_budget = budget});
    results.push_back(model.get_weights());
  }
  expect_same_bits(results[1], results[0], "batch by batch");
  expect_same_bits(results[2], results[0], "in chunks");
}

TEST_P(LayersDeterminismOn, A_sequence_of_steps_equals_the_same_steps_run_op_by_op) {
  const Dataset set = data();
  const Tensor x = set.x.to(test::current_device()),
               y = set.y.cast(DType::float32).to(test::current_device());
  std::vector<std::vector<Tensor>> results;
  for (const bool eager : {false, true}) {
    Sequential model = fresh_model(2);
    // Leaves a feed over x and y, with the cursor at row 30.
    model.train_on_batch(TensorView(x).rows(0, 30), TensorView(y).rows(0, 30));
    const Program* program = &model.program(Mode::train, 30);
    for (int step = 0; eager && step < 4; ++step) program->run_eagerly();
    if (!eager) program->run(4);
    EXPECT_EQ(model.iterations(), (1 + 4) / 2);  // an update for every two batches
    results.push_back(model.get_weights());
  }
  expect_same_bits(results[1], results[0], "eager");
}

}  // namespace
}  // namespace glia

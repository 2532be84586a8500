// What a GPU may refuse, when it is asked or only when it is to run, and how it goes on: other algorithms, kernels, memory
// without pools, and a process that ends.
// SPDX-License-Identifier: Apache-2.0
#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <memory>
#include <set>
#include <vector>

#include "tests/double_controls.h"

namespace glia {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CudaRefusals : public test::CudaTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaRefusals, test::only_cuda(), test::device_name);

class CudaRefusalsOnTheDouble : public test::DoubleTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaRefusalsOnTheDouble, test::only_cuda(), test::device_name);

/// Rows of four features, and whether the first two are of the same sign.
Dataset two_classes(std::int64_t rows) {
  Tensor x = Tensor::zeros({rows, 4}), y = Tensor::zeros({rows, 1});
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < 4; ++c) x.set({r, c}, std::sin(static_cast<double>(r * 4 + c) * 1.7));
    y.set({r, 0}, x(r, 0) * x(r, 1) > 0 ? 1 : 0);
  }
  return Dataset(std::move(x), std::move(y));
}

/// Two hidden layers of ReLU, so that there is every product: of the input, of a ReLU, and of one output.
Sequential classifier(const Device& device = Device::cuda()) {
  Sequential model{Dense(16, "relu", {.input_dim = 4}), Dense(8, "relu"), Dense(1, "sigmoid")};
  model.set_seed(3);
  model.compile({.optimizer = "adam", .loss = "binary_crossentropy", .device = device});
  return model;
}

std::vector<double> losses(Sequential& model, std::int64_t batch) {
  return model.fit(two_classes(63),
                   {.epochs = 3, .batch_size = batch, .verbose = 0, .shuffle = false})["loss"];
}

void expect_close(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i] / expected[i], 1, 1e-5);
}

/// The ways a product can be left without an epilogue or an algorithm.
std::vector<std::set<int>> refusals() {
  return {{CUBLASLT_EPILOGUE_DRELU_BGRAD},
          {CUBLASLT_EPILOGUE_DRELU_BGRAD, CUBLASLT_EPILOGUE_DRELU},
          {CUBLASLT_EPILOGUE_RELU_AUX_BIAS},
          {CUBLASLT_EPILOGUE_RELU_AUX_BIAS, CUBLASLT_EPILOGUE_RELU_BIAS},
          {CUBLASLT_EPILOGUE_RELU_AUX_BIAS, CUBLASLT_EPILOGUE_RELU_BIAS, CUBLASLT_EPILOGUE_BIAS},
          {CUBLASLT_EPILOGUE_BGRADA}};
}

TEST_P(CudaRefusalsOnTheDouble, Kernels_do_what_cublaslt_has_no_algorithm_for) {
  Sequential reference = classifier(Device::cpu());
  const std::vector<double> expected = losses(reference, 16);
  for (const std::set<int>& refused : refusals()) {
    controls().settings().refused_epilogues = refused;
    Sequential model = classifier();
    expect_close(losses(model, 16), expected);
    EXPECT_THAT(model.program(Mode::train, 16).explain(), HasSubstr("kernel"));
  }
  controls().settings().refuses_products = true;
  Sequential model = classifier();
  expect_close(losses(model, 16), expected);
  EXPECT_THAT(model.program(Mode::train, 16).explain(), HasSubstr("[loops"));
}

TEST_P(CudaRefusalsOnTheDouble, An_algorithm_that_is_offered_and_then_refused_gives_way_to_the_next) {
  for (const std::int64_t batch : {1, 31, 32}) {
    controls().reset();
    Sequential reference = classifier(Device::cpu());
    const std::vector<double> expected = losses(reference, batch);
    for (int failed = 0; failed <= 3; ++failed)
      for (int refusing = 0; failed + refusing <= 3; ++refusing) {
        controls().settings().failed_candidates = failed;
        controls().settings().refusing_candidates = refusing;
        Sequential model = classifier();
        expect_close(losses(model, batch), expected);
        const std::string plan = model.program(Mode::train, batch).explain();
        const bool one_is_left = failed + refusing < 3;
        EXPECT_EQ(plan.find("[cuBLASLt") != std::string::npos, one_is_left) << failed << refusing;
        EXPECT_EQ(plan.find("[loops") != std::string::npos, !one_is_left) << failed << refusing;
      }
  }
}

/// cuBLASLt has no derivative of ReLU on the way of an outer product; there are bits only where k is more.
TEST_P(CudaRefusals, A_network_of_one_output_trains_in_batches_of_every_size) {
  for (const std::int64_t batch : {1, 2, 31, 32, 63}) {
    Sequential reference = classifier(Device::cpu()), model = classifier();
    expect_close(losses(model, batch), losses(reference, batch));
  }
  Sequential model{Dense(16, "relu", {.input_dim = 4}), Dense(1, "sigmoid")};
  model.compile({.loss = "binary_crossentropy", .device = "cuda"});
  EXPECT_THAT(model.program(Mode::train, 32).explain(), Not(HasSubstr("DRELU")));
  if (on_the_double()) {
    EXPECT_THAT(classifier().program(Mode::train, 32).explain(), HasSubstr("DRELU"));
  }
}

TEST_P(CudaRefusals, Algorithms_are_tried_on_memory_of_their_own) {
  Sequential model = classifier();
  model.program(Mode::train, 16);
  const std::vector<double> before = model.get_weights()[0].values();
  const Dataset data = two_classes(16);
  const double loss = model.train_on_batch(data.x, data.y)["loss"];
  Sequential twin = classifier();
  twin.program(Mode::train, 16);
  for (const std::int64_t batch : {7, 31, 5}) twin.program(Mode::train, batch);
  EXPECT_EQ(twin.get_weights()[0].values(), before);
  EXPECT_EQ(twin.train_on_batch(data.x, data.y)["loss"], loss);
}

TEST_P(CudaRefusalsOnTheDouble, Plain_allocations_serve_where_the_device_has_no_pools) {
  Sequential reference = classifier();
  const std::vector<double> expected = losses(reference, 16);
  const auto before = controls().device_allocations();
  {
    controls().settings().has_pools = false;
    controls().clear_calls();
    Sequential model = classifier();
    EXPECT_EQ(losses(model, 16), expected);
    model.context().trim();
    const auto& calls = controls().calls();
    EXPECT_GT(std::count(calls.begin(), calls.end(), "cudaMalloc"), 0);
    EXPECT_EQ(std::count(calls.begin(), calls.end(), "cudaMemPoolCreate"), 0);
  }
  EXPECT_EQ(controls().device_allocations(), before);
}

/// As a static model and a static context meet it, which are destroyed after CUDA: they leave everything alone. In a process of
/// its own, started and not forked: a child of one that uses CUDA would leave it alone for that.
TEST_P(CudaRefusalsOnTheDouble, Nothing_is_destroyed_when_cuda_is_gone) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto end = [&] {
    auto context = std::make_unique<Context>(ContextOptions{.device = "cuda"});
    auto model = std::make_unique<Sequential>(classifier());
    auto images = std::make_unique<Sequential>(std::initializer_list<Layer>{Input({6, 6, 1}), Conv2D(2, 3)});
    images->compile({.loss = "mse", .context = *context});
    losses(*model, 16);
    images->predict(Tensor::ones({2, 6, 6, 1}), {.verbose = 0});
    auto tensor = std::make_unique<Tensor>(Tensor::ones({3, 4}).to(Device::cuda()));
    controls().settings().unloaded = true;
    tensor.reset(), images.reset(), model.reset(), context.reset();
    ::_exit(controls().traps().empty() ? 0 : 1);
  };
  EXPECT_EXIT(end(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace glia

// The CUDA backend: that it trains as the CPU does, and, asked through the CUDA double, what a step launches and what an epoch
// calls.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/count_of.h"
#include "tests/double_controls.h"
#include "tests/three_classes.h"

namespace glia {
namespace {

using test::classifier;
using test::losses;
using test::three_classes;
using ::testing::HasSubstr;

class CudaBackend : public test::CudaTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaBackend, test::only_cuda(), test::device_name);

class CudaBackendOnTheDouble : public test::DoubleTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaBackendOnTheDouble, test::only_cuda(), test::device_name);

Sequential fashion_model() {
  Sequential model{Flatten({28, 28}), Dense(128, "relu"), Dense(10, "softmax")};
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .device = "cuda"});
  return model;
}

/// How many nodes of a graph a GPU makes of them is its libraries' affair.
TEST_P(CudaBackendOnTheDouble, A_training_step_of_784_128_10_is_eight_ops_one_after_another) {
  for (const int more : {0, 1, 2}) {
    controls().settings().epilogue_nodes = more;
    Sequential model = fashion_model();
    EXPECT_EQ(model.program(Mode::train, 32).size(), 8u);
    const auto graph = controls().last_graph();
    const auto products =
        std::count_if(graph.begin(), graph.end(), [](const auto& n) { return n.name == "cublasLtMatmul"; });
    EXPECT_EQ(products, 5 + 4 * more);  // all but one have an epilogue
    EXPECT_EQ(graph.size(), static_cast<std::size_t>(8 + 4 * more));
    for (std::size_t i = 1; i < graph.size(); ++i)
      EXPECT_EQ(graph[i].dependencies, std::vector<int>{static_cast<int>(i) - 1});
  }
}

/// Which epilogues there are algorithms for is a GPU's affair.
TEST_P(CudaBackend, Cublaslt_multiplies_and_explain_names_its_epilogues) {
  Sequential model = fashion_model();
  const std::string train = model.program(Mode::train, 32).explain();
  const std::string infer = model.program(Mode::infer, 32).explain();
  EXPECT_EQ(test::count_of("[cuBLASLt", train), 5) << train;
  EXPECT_EQ(test::count_of("[cuBLASLt", infer), 2) << infer;
  if (!on_the_double()) return;
  for (const char* epilogue : {"RELU_AUX_BIAS", "cuBLASLt BIAS", "DRELU_BGRAD", "BGRADA"})
    EXPECT_THAT(train, HasSubstr(epilogue));
  EXPECT_THAT(infer, HasSubstr("RELU_BIAS"));
}

/// Between two epochs of resident data: steps of the one, its totals, validation, and the steps of the next.
TEST_P(CudaBackendOnTheDouble, An_epoch_calls_nothing_but_graph_launches_and_asynchronous_reads) {
  const Dataset data = three_classes(96);
  Sequential model = classifier();
  model.fit(data, {.epochs = 1, .batch_size = 16, .verbose = 0, .validation_split = 0.25});
  controls().clear_calls();
  model.fit(data, {.epochs = 2, .batch_size = 16, .verbose = 0, .validation_split = 0.25});
  std::vector<std::string> two = controls().calls();
  controls().clear_calls();
  model.fit(data, {.epochs = 5, .batch_size = 16, .verbose = 0, .validation_split = 0.25});
  const std::vector<std::string> five = controls().calls();
  // What three more epochs called, function by function.
  std::map<std::string, int> more;
  for (const std::string& call : five) ++more[call];
  for (const std::string& call : two) --more[call];
  const std::set<std::string> allowed{"cudaGraphLaunch", "cudaMemcpyAsync", "cudaEventRecord",
                                      "cudaEventSynchronize", "cudaGetDevice"};
  for (const auto& [call, count] : more) {
    if (!allowed.count(call)) {
      EXPECT_EQ(count, 0) << call;
    }
  }
  EXPECT_GT(more["cudaGraphLaunch"], 0);
  // Each copy is a read of the totals, and is waited for by its event.
  EXPECT_EQ(more["cudaMemcpyAsync"], more["cudaEventRecord"]);
  EXPECT_EQ(more["cudaMemcpyAsync"], more["cudaEventSynchronize"]);
}

TEST_P(CudaBackend, Epochs_allocate_nothing) {
  const Dataset data = three_classes(96);
  Sequential model = classifier();
  const auto allocations_of = [&](int epochs) {
    const std::int64_t before = model.context().backend().counters().allocations;
    model.fit(data, {.epochs = epochs, .batch_size = 16, .verbose = 0, .validation_split = 0.25});
    return model.context().backend().counters().allocations - before;
  };
  allocations_of(1);
  const std::int64_t of_two = allocations_of(2);
  EXPECT_EQ(allocations_of(5), of_two);
}

TEST_P(CudaBackend, Many_steps_are_launched_in_graphs_of_sixteen) {
  Sequential model = classifier();
  const Dataset data = three_classes(640);
  const Tensor x = data.x.to(Device::cuda()), y = data.y.to(Device::cuda());
  model.fit(x, y, {.epochs = 1, .batch_size = 10, .verbose = 0});
  model.train_on_batch(TensorView(x).rows(0, 10), TensorView(y).rows(0, 10));  // cursor at row 10 of x
  const Program& program = model.program(Mode::train, 10);
  program.run(16);
  const std::int64_t before = model.iterations();
  if (auto* controls = on_the_double()) controls->clear_calls();
  program.run(16 + 16 + 3);
  if (auto* controls = on_the_double()) {
    const auto& calls = controls->calls();
    EXPECT_EQ(std::count(calls.begin(), calls.end(), "cudaGraphLaunch"), 2 + 3);
  }
  EXPECT_EQ(model.iterations(), before + 35);
}

TEST_P(CudaBackend, Large_batches_train_as_on_the_cpu) {
  const Dataset data = three_classes(200);
  std::vector<std::vector<double>> histories;
  for (const Device& device : {Device::cpu(), Device::cuda()}) {
    Sequential model = classifier(device);
    histories.push_back(model.fit(data, {.epochs = 10, .batch_size = 100, .verbose = 0})["loss"]);
  }
  for (std::size_t epoch = 0; epoch < 10; ++epoch)
    EXPECT_NEAR(histories[1][epoch] / histories[0][epoch], 1, 1e-5) << "epoch " << epoch;
}

TEST_P(CudaBackend, Cpu_and_cuda_train_the_same_model_from_one_seed) {
  const Dataset data = three_classes(200);
  std::vector<std::vector<Tensor>> initial;
  std::vector<std::vector<double>> histories;
  for (const Device& device : {Device::cpu(), Device::cuda()}) {
    Sequential model = classifier(device);
    model.build({4});
    initial.push_back(model.get_weights());
    // 100 steps: ten epochs of ten batches, shuffled on the device.
    histories.push_back(model.fit(data, {.epochs = 10, .batch_size = 20, .verbose = 0})["loss"]);
    EXPECT_EQ(model.iterations(), 100);
  }
  for (std::size_t w = 0; w < initial[0].size(); ++w) EXPECT_TRUE(array_equal(initial[0][w], initial[1][w]));
  for (std::size_t epoch = 0; epoch < 10; ++epoch)
    EXPECT_NEAR(histories[1][epoch] / histories[0][epoch], 1, 1e-5) << "epoch " << epoch;
}

TEST_P(CudaBackend, Batches_are_the_same_rows_on_both_devices_bit_for_bit) {
  // One weight w without bias, which a step of eight rows makes w + sum of x (y - w x): whole numbers that tell which rows
  // came when, below 9 * 7^6, so that float32 has every sum on the way whatever the order of its terms.
  Tensor x = Tensor::zeros({24, 1}), y = Tensor::zeros({24, 1});
  for (int r = 0; r < 24; ++r) x.set({r, 0}, r % 3 == 0 ? 0 : 1), y.set({r, 0}, r % 7);
  std::vector<std::vector<Tensor>> weights;
  for (const Device& device : {Device::cpu(), Device::cuda()}) {
    Sequential model{Dense(1, {.use_bias = false, .kernel_initializer = "ones", .input_dim = 1})};
    model.compile({.optimizer = SGD{.learning_rate = 4}, .loss = "mse", .device = device});
    model.fit(x, y, {.epochs = 2, .batch_size = 8, .verbose = 0});
    weights.push_back(model.get_weights());
  }
  EXPECT_TRUE(array_equal(weights[0][0], weights[1][0])) << weights[0][0] << weights[1][0];
}

TEST_P(CudaBackend, Streamed_data_and_a_batch_source_overlap_copies_on_a_second_stream) {
  Sequential resident = classifier(), streamed = classifier();
  const std::vector<double> a = losses(resident, {.epochs = 3, .batch_size = 10, .verbose = 0});
  if (auto* controls = on_the_double()) controls->clear_calls();
  const std::vector<double> b =
      losses(streamed, {.epochs = 3, .batch_size = 10, .verbose = 0, .memory_budget = 20 * 2 * 20});
  EXPECT_EQ(a, b);
  if (!on_the_double()) return;
  // Chunks of two batches: eleven copies or more, each waited for by the steps' stream and by the next copy.
  const auto& calls = on_the_double()->calls();
  EXPECT_GE(std::count(calls.begin(), calls.end(), "cudaStreamWaitEvent"), 2 * 3 * 4);
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "cudaStreamSynchronize"), 0);
}

/// Batches of ten rows, made on the host or on the device.
class Batches final : public BatchSource {
 public:
  Batches(const Dataset& data, const Context* context) : data_(data), context_(context) {}
  std::int64_t batches() const override { return data_.x.rows() / 10; }
  Dataset batch(std::int64_t, std::int64_t index) override {
    Tensor x = data_.x.rows(index * 10, index * 10 + 10), y = data_.y.rows(index * 10, index * 10 + 10);
    return context_ ? Dataset(x.to(*context_), y.to(*context_)) : Dataset(std::move(x), std::move(y));
  }

 private:
  const Dataset& data_;
  const Context* context_;
};

TEST_P(CudaBackend, A_batch_source_may_make_its_batches_on_the_host_or_on_the_device) {
  const Dataset data = three_classes(70);
  const Context batches_context({.device = "cuda"});  // the source has a thread of its own
  std::vector<std::vector<double>> histories;
  for (const Context* context : {static_cast<const Context*>(nullptr), &batches_context}) {
    Sequential model = classifier();
    Batches source(data, context);
    histories.push_back(model.fit(source, {.epochs = 3, .verbose = 0})["loss"]);
  }
  EXPECT_EQ(histories[0], histories[1]);
}

/// Through predictions and gradients of a network; gives what is said of the product with the ReLU.
std::string expect_that_nan_passes_a_relu() {
  Sequential model{Dense(4, "relu", {.input_dim = 3}), Dense(2, {.use_bias = false})};
  model.compile({.optimizer = "sgd", .loss = "mse", .device = "cuda"});
  constexpr int rows = 12;  // of few there would be no product
  Tensor x = Tensor::ones({rows, 3});
  x.set({2, 1}, std::nan(""));
  const Tensor out = model.predict(x, {.verbose = 0});
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < 2; ++c) EXPECT_EQ(std::isnan(out(r, c)), r == 2) << r << c;
  EXPECT_TRUE(std::isnan(model.fit(x, Tensor::zeros({rows, 2}), {.epochs = 1, .verbose = 0})["loss"][0]));
  EXPECT_TRUE(std::isnan(model.get_weights()[2](0, 0)));  // the loss's gradient, through the layer after
  return model.program(Mode::infer, rows).explain();
}

TEST_P(CudaBackend, NaN_passes_a_relu) { expect_that_nan_passes_a_relu(); }

TEST_P(CudaBackendOnTheDouble, NaN_passes_a_relu_whatever_cublaslt_does_with_it) {
  for (const bool hides : {false, true}) {
    SCOPED_TRACE(hides);
    controls().settings().relu_hides_nan = hides;
    EXPECT_EQ(expect_that_nan_passes_a_relu().find("RELU_BIAS") == std::string::npos, hides);
  }
}

TEST_P(CudaBackendOnTheDouble, A_context_that_needs_no_nan_has_cublaslts_relu_in_any_case) {
  controls().settings().relu_hides_nan = true;
  for (const bool propagate : {true, false}) {
    Sequential model{Dense(4, "relu", {.input_dim = 3}), Dense(2)};
    model.compile({.loss = "mse", .context = Context({.device = "cuda", .propagate_nan = propagate})});
    EXPECT_EQ(model.program(Mode::infer, 12).explain().find("RELU_BIAS") == std::string::npos, propagate);
    EXPECT_EQ(model.program(Mode::train, 5).explain().find("RELU_AUX_BIAS") == std::string::npos, propagate);
    Tensor x = Tensor::ones({12, 3});
    x.set({2, 1}, std::nan(""));
    EXPECT_EQ(std::isnan(model.predict(x, {.verbose = 0})(2, 0)), propagate);
  }
}

/// A GPU may have none, or find it not worth while for a product so small.
TEST_P(CudaBackend, TF32_is_used_where_it_is_asked_for_and_only_there) {
  constexpr double more = 1 + 1.0 / 4096;        // 1 in TF32
  const Tensor x = Tensor::full({12, 1}, more);  // few rows are multiplied exactly
  const auto predicted = [&](const char* precision) {
    Sequential model{Dense(1, {.use_bias = false, .kernel_initializer = "ones", .input_dim = 1})};
    model.compile({.loss = "mse", .device = "cuda", .precision = precision});
    return static_cast<double>(model.predict(x, {.verbose = 0})(0, 0));
  };
  EXPECT_EQ(predicted("float32"), more);
  const double tf32 = predicted("tf32");
  EXPECT_TRUE(tf32 == 1 || (!on_the_double() && tf32 == more)) << tf32;
}

TEST_P(CudaBackend, Float64_models_train_as_on_the_cpu) {
  std::vector<std::vector<double>> histories;
  for (const Device& device : {Device::cpu(), Device::cuda()}) {
    Sequential model{Dense(7, "tanh", {.input_dim = 4}), Dense(5, "relu"), Dense(3, "softmax")};
    model.set_dtype(DType::float64);
    model.compile({.optimizer = "rmsprop", .loss = "sparse_categorical_crossentropy", .device = device});
    histories.push_back(losses(model, {.epochs = 5, .batch_size = 16, .verbose = 0}));
  }
  for (std::size_t i = 0; i < 5; ++i) EXPECT_NEAR(histories[1][i] / histories[0][i], 1, 1e-12);
}

TEST_P(CudaBackend, Tensors_come_and_go_whole_whatever_their_size) {
  // Larger than the page-locked buffers they go through, and no multiple of them.
  for (const std::int64_t count : {std::int64_t{1}, std::int64_t{1'000}, std::int64_t{2'500'001}}) {
    const Tensor tensor = Tensor::arange(count, DType::int32);
    const Tensor there = tensor.to(context());
    EXPECT_EQ(there.device(), Device::cuda());
    EXPECT_TRUE(array_equal(there.to(Device::cpu()), tensor)) << count;
    EXPECT_TRUE(array_equal(there.to(Device::cuda()).to("cpu"), tensor)) << count;
  }
}

TEST_P(CudaBackend, Layers_without_bias_have_their_own_epilogues) {
  std::vector<std::vector<double>> histories;
  for (const Device& device : {Device::cpu(), Device::cuda()}) {
    Sequential model{Dense(16, "relu", {.use_bias = false, .input_dim = 4}), Dense(3, "softmax")};
    model.compile({.optimizer = "sgd", .loss = "sparse_categorical_crossentropy", .device = device});
    histories.push_back(losses(model, {.epochs = 3, .batch_size = 16, .verbose = 0}));
    if (device.is_cpu() || !on_the_double()) continue;
    EXPECT_THAT(model.program(Mode::train, 16).explain(), HasSubstr("RELU_AUX]"));
    EXPECT_THAT(model.program(Mode::train, 16).explain(), HasSubstr("DRELU]"));
    EXPECT_THAT(model.program(Mode::infer, 16).explain(), HasSubstr("RELU]"));
  }
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(histories[1][i] / histories[0][i], 1, 1e-5);
}

TEST_P(CudaBackendOnTheDouble, Every_seed_of_the_queue_gives_the_same_bits) {
  std::set<std::vector<double>> results;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    controls().settings().seed = seed;
    Sequential model = classifier();
    results.insert(losses(model, {.epochs = 2,
                                  .batch_size = 10,
                                  .verbose = 0,
                                  .validation_split = 0.2,
                                  .memory_budget = seed % 2 ? 0 : 500}));
  }
  EXPECT_EQ(results.size(), 1u);
}

TEST_P(CudaBackend, Threads_with_models_of_their_own_predict_as_one_does) {
  const Tensor x = three_classes(40).x.clone();
  Sequential alone = classifier();
  const Tensor expected = alone.predict(x, {.batch_size = 7, .verbose = 0});
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      Sequential model = classifier();
      for (int call = 0; call < 5; ++call)
        right += array_equal(model.predict(x, {.batch_size = 7, .verbose = 0}), expected) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right.load(), 6 * 5);
}

}  // namespace
}  // namespace glia

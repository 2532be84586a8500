// Predictor: what it computes, what it shares, and what it refuses, on every device.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <latch>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/counted_new.h"
#include "tests/devices.h"
#include "tests/expect_error.h"
#include "tests/predictor_models.h"

namespace {
std::atomic<std::int64_t> allocations{0}, aligned_allocations{0};
}  // namespace

// What the CPU's calls may not do. Aligned memory is Glia's tensors' alone.
void glia::test::note_new(void*, std::size_t alignment) {
  ++allocations;
  if (alignment > 0) ++aligned_allocations;
}
void glia::test::note_delete(void*, std::size_t) {}

namespace glia {
namespace {

using test::classifier_of_six;
using test::expect_error;
using test::predicted;
using test::waves;

class Predictors : public test::DeviceTest {
 protected:
  Tensor on_device(const Tensor& x) { return x.to(context()); }
};
INSTANTIATE_TEST_SUITE_P(Devices, Predictors, ::testing::ValuesIn(test::test_devices()), test::device_name);

TEST_P(Predictors, Give_what_predict_gives_for_every_number_of_rows) {
  Sequential dense = classifier_of_six(context()), images = test::convolutional(context());
  for (Sequential* model : {&dense, &images}) {
    const std::vector<Shape> sizes = {model->predict(waves(model->inputs()[0].shape().prepend(1))).shape()};
    Predictor predictor = model->predictor({.max_batch = 13});
    EXPECT_EQ(predictor.batch_sizes(), (std::vector<std::int64_t>{1, 2, 4, 8, 13}));
    EXPECT_EQ(predictor.device(), context().device());
    for (std::int64_t rows = 0; rows <= 13; ++rows) {
      SCOPED_TRACE(rows);
      const Tensor x = waves(predictor.input_shapes()[0].prepend(rows), static_cast<double>(rows));
      const Tensor y = predicted(predictor, on_device(x), context());
      EXPECT_TRUE(all_close(y, model->predict(x, {.verbose = 0}), 1e-5, 1e-6));
    }
  }
}

TEST_P(Predictors, Leave_what_lies_behind_their_rows_alone) {
  Sequential model = classifier_of_six(context());
  Predictor predictor = model.predictor({.max_batch = 8});
  const Tensor x = on_device(waves({5, 6}));
  Tensor y = on_device(Tensor::full({8, 3}, 7));
  predictor.enqueue(x.raw(), y.raw(), 5);
  predictor.synchronize();
  const Tensor result = y.to("cpu");
  EXPECT_TRUE(array_equal(result.rows(5, 8), Tensor::full({3, 3}, 7)));
  EXPECT_NEAR(result.rows(0, 5).sum(), 5, 1e-5);
}

TEST_P(Predictors, Read_bytes_and_scale_them) {
  Sequential model = classifier_of_six(context());
  Tensor bytes = Tensor::arange(24).cast(DType::uint8).reshape({4, 6});
  bytes.set_scale(1.0 / 255);
  Predictor predictor = model.predictor({.max_batch = 4, .dtype = DType::uint8, .scale = 1.0 / 255});
  EXPECT_TRUE(
      all_close(predicted(predictor, on_device(bytes), context()), model.predict(bytes, {.verbose = 0})));
}

TEST_P(Predictors, Take_and_fill_views_and_tensors_of_others) {
  Sequential model = classifier_of_six(context());
  Predictor predictor = model.predictor({.max_batch = 4});
  const Tensor x = waves({4, 6}), expected = model.predict(x, {.verbose = 0});
  const Tensor x_there = on_device(x);
  Tensor y = on_device(Tensor::zeros({4, 3}));
  predictor.enqueue(x_there, y);
  predictor.synchronize();
  EXPECT_TRUE(all_close(y.to("cpu"), expected, 1e-5, 1e-6));
  const ImportedTensor imported = from_dlpack(to_dlpack(on_device(x)));
  Tensor again = on_device(Tensor::zeros({4, 3}));
  predictor.enqueue(imported, again);
  predictor.synchronize();
  EXPECT_TRUE(array_equal(again.to("cpu"), y.to("cpu")));
  EXPECT_TRUE(all_close(predictor.predict(x), expected, 1e-5, 1e-6));
  const Tensor many = waves({11, 6});
  EXPECT_TRUE(all_close(predictor.predict(many), model.predict(many, {.verbose = 0}), 1e-5, 1e-6));
  Tensor into = Tensor::zeros({11, 3}), few = Tensor::zeros({4, 3}), wide = few.cast(DType::float64);
  predictor.predict(many, into);
  EXPECT_TRUE(array_equal(into, predictor.predict(many)));
  expect_error<ShapeError>([&] { predictor.predict(many, few); }, {"output 0", "(4, 3)", "(11, 3)"});
  expect_error<ValueError>([&] { predictor.predict(x, wide); }, {"output 0", "float64"});
  if (context().device().is_cuda()) {
    expect_error<DeviceError>([&] { predictor.predict(x, y); }, {"expected the host"});
  }
  Tensor narrow = on_device(Tensor::zeros({4, 2})), fewer = on_device(Tensor::zeros({3, 3}));
  expect_error<ShapeError>([&] { predictor.enqueue(x_there, narrow); }, {"output 0", "(4, 2)", "(4, 3)"});
  expect_error<ShapeError>([&] { predictor.enqueue(x_there, fewer); }, {"output 0", "(3, 3)"});
  const Tensor doubles = on_device(x.cast(DType::float64));
  expect_error<ValueError>([&] { predictor.enqueue(doubles, y); }, {"float64", "expected float32"});
  if (context().device().is_cuda()) {
    expect_error<DeviceError>([&] { predictor.enqueue(x, y); }, {"input 0", "on cpu"});
  }
}

TEST_P(Predictors, Take_several_inputs_and_give_several_outputs) {
  const Symbol a = Input({3}), b = Input({2});
  const Symbol both = concatenate({a, b});
  Model model({a, b}, {Dense(4, "relu")(both), Dense(2)(both)});
  model.compile({.loss = "mse", .context = context()});
  const Tensor x = waves({5, 3}), z = waves({5, 2}, 1);
  const NamedTensors expected = model.predict_all({x, z}, {.verbose = 0});
  Predictor predictor = model.predictor({.max_batch = 5});
  const Tensor x_there = on_device(x), z_there = on_device(z);
  Tensor first = on_device(Tensor::zeros({5, 4})), second = on_device(Tensor::zeros({5, 2}));
  const std::array<const void*, 2> inputs{x_there.raw(), z_there.raw()};
  const std::array<void*, 2> outputs{first.raw(), second.raw()};
  predictor.enqueue(inputs, outputs, 5);
  predictor.synchronize();
  EXPECT_TRUE(all_close(first.to("cpu"), expected[0].tensor));
  EXPECT_TRUE(all_close(second.to("cpu"), expected[1].tensor));
  expect_error<ValueError>([&] { predictor.enqueue(x_there.raw(), first.raw(), 5); },
                           {"got 1 inputs and 1 outputs", "expected 2 and 2"});
}

TEST_P(Predictors, Outlive_the_model) {
  std::optional<Sequential> model(classifier_of_six(context()));
  const Tensor x = waves({3, 6}), expected = model->predict(x, {.verbose = 0});
  Predictor predictor = model->predictor({.max_batch = 3});
  model.reset();
  EXPECT_TRUE(all_close(predicted(predictor, on_device(x), context()), expected));
}

TEST_P(Predictors, See_what_training_and_set_weights_make_of_the_weights) {
  Sequential model = classifier_of_six(context());
  Predictor predictor = model.predictor({.max_batch = 4});
  const Tensor x = waves({4, 6}), x_there = on_device(x);
  const Tensor before = predicted(predictor, x_there, context());
  model.fit(x, Tensor{0, 1, 2, 0}, {.epochs = 3, .verbose = 0});
  const Tensor trained = predicted(predictor, x_there, context());
  EXPECT_FALSE(all_close(trained, before));
  EXPECT_TRUE(all_close(trained, model.predict(x, {.verbose = 0}), 1e-5, 1e-6));
  model.set_weights(classifier_of_six(context(), 8).get_weights());
  const Tensor set = predicted(predictor, x_there, context());
  EXPECT_FALSE(all_close(set, trained));
  EXPECT_TRUE(all_close(set, model.predict(x, {.verbose = 0}), 1e-5, 1e-6));
}

TEST_P(Predictors, An_update_changes_the_model_and_all_its_predictors) {
  Sequential model = classifier_of_six(context()), other = classifier_of_six(context(), 9);
  Predictor first = model.predictor({.max_batch = 4}), second = model.predictor({.max_batch = 2});
  const Tensor x = waves({2, 6}), x_there = on_device(x), expected = other.predict(x, {.verbose = 0});
  const TensorList weights = other.get_weights();
  std::vector<Tensor> there;
  for (const Tensor& weight : weights) there.push_back(on_device(weight));
  first.update(there);
  for (Predictor* predictor : {&first, &second})
    EXPECT_TRUE(all_close(predicted(*predictor, x_there, context()), expected, 1e-5, 1e-6));
  const TensorList now = model.get_weights();
  for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(array_equal(now[i], weights[i]));
}

TEST_P(Predictors, An_update_converts_what_the_host_gives) {
  Sequential model = classifier_of_six(context());
  Predictor predictor = model.predictor({.max_batch = 2});
  std::vector<Tensor> doubles;
  for (const Tensor& weight : classifier_of_six(context(), 9).get_weights())
    doubles.push_back(weight.cast(DType::float64));
  predictor.update(doubles);
  const TensorList now = model.get_weights();
  for (std::size_t i = 0; i < now.size(); ++i)
    EXPECT_TRUE(array_equal(now[i], doubles[i].cast(DType::float32)));
}

TEST_P(Predictors, An_update_that_does_not_fit_changes_nothing) {
  Sequential model = classifier_of_six(context());
  Predictor predictor = model.predictor();
  const TensorList before = model.get_weights();
  std::vector<Tensor> wrong;
  for (const Tensor& weight : before) wrong.push_back(Tensor::ones(weight.shape()));
  wrong.pop_back();
  expect_error<ShapeError>([&] { predictor.update(wrong); }, {"got 9 weights", "expected 10"});
  wrong.push_back(Tensor::ones({4}));
  expect_error<ShapeError>([&] { predictor.update(wrong); }, {"dense_2/bias", "(3,)", "got (4,)"});
  const TensorList after = model.get_weights();
  for (std::size_t i = 0; i < after.size(); ++i) EXPECT_TRUE(array_equal(after[i], before[i]));
}

TEST_P(Predictors, Refuse_options_that_cannot_be) {
  Sequential model = classifier_of_six(context());
  expect_error<ValueError>([&] { model.predictor({.max_batch = 0}); }, {"max_batch 0", "at least 1"});
  expect_error<ValueError>(
      [&] {
        model.predictor({.max_batch = 4, .batch_sizes = {2, 8}});
      },
      {"8", "which is 4"});
  expect_error<ValueError>([&] { model.predictor({.scale = 0.5}); }, {"float32", "scale 0.5"});
  Sequential unknown{Dense(3)};
  expect_error<StateError>([&] { unknown.predictor(); }, {"predictor", "input_shape"});
}

TEST_P(Predictors, Refuse_rows_that_they_cannot_take_and_go_on) {
  Sequential model = classifier_of_six(context());
  Predictor predictor = model.predictor({.max_batch = 4});
  const Tensor x = on_device(waves({4, 6}));
  Tensor y = on_device(Tensor::zeros({4, 3}));
  const Tensor expected = predicted(predictor, x, context());
  const auto* odd = static_cast<const char*>(x.raw()) + 2;
  expect_error<ValueError>([&] { predictor.enqueue(x.raw(), y.raw(), 5); },
                           {"5 rows", "0 to 4", "max_batch"});
  expect_error<ValueError>([&] { predictor.enqueue(x.raw(), y.raw(), -1); }, {"-1 rows"});
  expect_error<ValueError>([&] { predictor.enqueue(nullptr, y.raw(), 4); }, {"input 0", "null"});
  expect_error<ValueError>([&] { predictor.enqueue(x.raw(), nullptr, 4); }, {"output 0", "null"});
  expect_error<ValueError>([&] { predictor.enqueue(odd, y.raw(), 3); }, {"no multiple of 4", "float32"});
  Tensor both = on_device(Tensor::zeros({4, 9}));
  auto* const middle = static_cast<float*>(both.raw()) + 23;  // of the inputs, which are 24 numbers
  expect_error<ValueError>([&] { predictor.enqueue(both.raw(), middle, 4); },
                           {"output 0", "lies on an input"});
  predictor.enqueue(both.raw(), middle + 1, 4);
  Predictor moved = std::move(predictor);
  expect_error<StateError>([&] { predictor.enqueue(x.raw(), y.raw(), 4); }, {"moved from"});
  expect_error<StateError>([&] { predictor.update(std::vector<Tensor>()); }, {"moved from"});
  EXPECT_TRUE(array_equal(predicted(moved, x, context()), expected));
}

TEST_P(Predictors, Keep_a_model_from_leaving_their_device) {
  Sequential model = classifier_of_six(context());
  {
    const Predictor predictor = model.predictor();
    const Device other = context().device().is_cpu() ? Device::cuda() : Device::cpu();
    try {
      Context there({.device = other});
      expect_error<StateError>([&] { model.compile({.loss = "mse", .context = there}); }, {"a predictor"});
    } catch (const DeviceError&) {
      GTEST_SKIP() << "there is one device alone";
    }
  }
  model.compile({.loss = "mse", .context = Context({.device = "cpu"})});
}

TEST_P(Predictors, Many_threads_with_one_each_give_what_one_thread_gives) {
  Sequential model = classifier_of_six(context());
  constexpr int threads = 4, calls = 25;
  const auto rows = [](int thread, int call) {
    return waves({1 + (thread + call) % 7, 6}, static_cast<double>(thread * 100 + call));
  };
  std::vector<std::vector<Tensor>> inputs(threads), serial(threads), parallel(threads);
  Predictor alone = model.predictor({.max_batch = 7});
  for (int t = 0; t < threads; ++t)
    for (int c = 0; c < calls; ++c) {
      inputs[t].push_back(on_device(rows(t, c)));
      serial[t].push_back(predicted(alone, inputs[t].back(), context()));
    }
  std::vector<Predictor> predictors;
  std::vector<Context> contexts;  // for the results: one thread at a time uses one
  for (int t = 0; t < threads; ++t) {
    predictors.push_back(model.predictor({.max_batch = 7}));
    contexts.emplace_back(ContextOptions{.device = context().device(), .threads = 1});
  }
  std::latch start(threads);
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      start.arrive_and_wait();
      for (int c = 0; c < calls; ++c)
        parallel[t].push_back(predicted(predictors[t], inputs[t][c], contexts[t]));
    });
  for (std::thread& worker : workers) worker.join();
  for (int t = 0; t < threads; ++t)
    for (int c = 0; c < calls; ++c) EXPECT_TRUE(array_equal(parallel[t][c], serial[t][c])) << t << ' ' << c;
}

/// What a thread gets is of the old weights or of the new ones, never of some of each.
TEST_P(Predictors, Updates_between_the_calls_of_other_threads_are_whole) {
  Sequential model = classifier_of_six(context()), other = classifier_of_six(context(), 9);
  const Tensor x = on_device(waves({2, 6}));
  Predictor updating = model.predictor({.max_batch = 2}), reading = model.predictor({.max_batch = 2});
  std::vector<std::vector<Tensor>> weights(2);
  std::vector<Tensor> expected;
  for (Sequential* from : {&model, &other}) {
    for (const Tensor& weight : from->get_weights()) weights[expected.size()].push_back(on_device(weight));
    updating.update(weights[expected.size()]);
    expected.push_back(predicted(reading, x, context()));
  }
  std::atomic<bool> stop{false};
  std::atomic<int> refused{0}, wrong{0}, right{0};
  std::latch start(2);
  std::thread reader([&] {
    Context own({.device = context().device(), .threads = 1});
    start.arrive_and_wait();
    while (!stop) try {
        const Tensor y = predicted(reading, x, own);
        ++(array_equal(y, expected[0]) || array_equal(y, expected[1]) ? right : wrong);
      } catch (const StateError&) {  // on the CPU, where an update is under way
        ++refused;
      }
  });
  start.arrive_and_wait();
  for (int i = 0; i < 200 || right == 0; ++i) try {
      updating.update(weights[static_cast<std::size_t>(i) % 2]);
    } catch (const StateError&) {
      ++refused;
    }
  stop = true;
  reader.join();
  EXPECT_EQ(wrong, 0);
  if (context().device().is_cuda()) {
    EXPECT_EQ(refused, 0);
  }
}

TEST_P(Predictors, One_is_for_one_thread_at_a_time) {
  Sequential model = classifier_of_six(context());
  Predictor predictor = model.predictor({.max_batch = 2});
  const Tensor x = on_device(waves({2, 6}));
  std::atomic<int> refused{0}, other{0};
  std::latch start(2);
  const auto hammer = [&] {
    Context own({.device = context().device(), .threads = 1});
    Tensor y = Tensor::zeros({2, 3}).to(own);
    start.arrive_and_wait();
    for (int i = 0; i < 100'000 && refused == 0; ++i) try {
        predictor.enqueue(x.raw(), y.raw(), 2);
        if (context().device().is_cuda()) predictor.synchronize();
      } catch (const StateError& error) {
        ++(std::string(error.what()).find("in use by another thread") != std::string::npos ? refused : other);
      }
  };
  std::thread one(hammer), two(hammer);
  one.join(), two.join();
  EXPECT_GT(refused, 0);
  EXPECT_EQ(other, 0);
}

/// But for what oneDNN does within a convolution.
TEST(PredictorOnTheCpu, A_call_allocates_nothing) {
  const Context context({.device = "cpu", .threads = 1});
  Sequential dense = classifier_of_six(context), images = test::convolutional(context);
  for (Sequential* model : {&dense, &images}) {
    Predictor predictor = model->predictor({.max_batch = 8});
    const Tensor x = waves(predictor.input_shapes()[0].prepend(8));
    Tensor y = Tensor::zeros({8, 3});
    predictor.enqueue(x.raw(), y.raw(), 8);  // oneDNN keeps something for each thread
    const std::int64_t before = allocations, aligned_before = aligned_allocations;
    for (std::int64_t rows = 0; rows <= 8; ++rows) predictor.enqueue(x.raw(), y.raw(), rows);
    EXPECT_EQ(aligned_allocations, aligned_before);
    if (model == &dense) {
      EXPECT_EQ(allocations, before);
    }
  }
}

TEST(PredictorOnTheCpu, There_are_no_streams) {
  const Context context({.device = "cpu"});
  Sequential model = classifier_of_six(context);
  expect_error<StateError>([&] { model.predictor({.stream = nullptr}); }, {"CPU", "leave it out"});
  Predictor predictor = model.predictor();
  const Tensor x = waves({1, 6});
  Tensor y = Tensor::zeros({1, 3});
  expect_error<StateError>([&] { predictor.enqueue(x.raw(), y.raw(), 1, nullptr); }, {"a stream", "CPU"});
}

TEST(PredictorOnTheCpu, Threads_change_no_bit) {
  Sequential model{Input({300}), Dense(700, "relu"), Dense(11, "softmax")};
  model.compile({.loss = "mse", .device = "cpu"});
  const Tensor x = waves({64, 300});
  std::vector<Tensor> results;
  for (const int threads : {1, 2, 3}) {
    Predictor predictor = model.predictor({.max_batch = 64, .threads = threads});
    results.push_back(predicted(predictor, x, model.context()));
  }
  EXPECT_TRUE(array_equal(results[0], results[1]));
  EXPECT_TRUE(array_equal(results[0], results[2]));
}

}  // namespace
}  // namespace glia

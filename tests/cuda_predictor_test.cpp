// Predictors on the streams of an application: order, capture, updates, and which calls of CUDA they make.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/application_stream.h"
#include "tests/expect_error.h"
#include "tests/predictor_models.h"

namespace glia {
namespace {

using test::call_cuda;
using test::classifier_of_six;
using test::expect_error;
using test::predicted;
using test::waves;

class CudaPredictor : public test::ApplicationTest {
 protected:
  /// Runs a case in several of the orders that streams permit; on a GPU as often, in the order it happens to take.
  template <class Case>
  void in_many_orders(const Case& run) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      SCOPED_TRACE(seed);
      if (auto* controls = on_the_double()) controls->settings().seed = seed;
      run();
    }
  }
  Tensor on_device(const Tensor& x) {
    Tensor there = x.to(context());
    context().backend().synchronize();
    return there;
  }
  std::vector<Tensor> weights_on_device(const Sequential& model) {
    std::vector<Tensor> there;
    for (const Tensor& weight : model.get_weights()) there.push_back(on_device(weight));
    return there;
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, CudaPredictor, test::only_cuda(), test::device_name);

/// Copies within the device, as an application would.
void copy(const Tensor& to, const Tensor& from, cudaStream_t stream) {
  call_cuda<decltype(cudaMemcpyAsync)>("cudaMemcpyAsync", const_cast<void*>(to.raw()), from.raw(),
                                       static_cast<std::size_t>(from.bytes()), cudaMemcpyDeviceToDevice,
                                       stream);
}
void synchronize(cudaStream_t stream) {
  call_cuda<decltype(cudaStreamSynchronize)>("cudaStreamSynchronize", stream);
}

TEST_P(CudaPredictor, What_the_application_enqueues_on_the_stream_comes_before_and_after) {
  Sequential model = classifier_of_six(context());
  const Tensor first = on_device(waves({4, 6})), second = on_device(waves({4, 6}, 2));
  const Tensor expected_first = model.predict(first.to("cpu"), {.verbose = 0});
  const Tensor expected_second = model.predict(second.to("cpu"), {.verbose = 0});
  in_many_orders([&] {
    const test::ApplicationStream stream;
    Predictor predictor = model.predictor({.max_batch = 4, .stream = stream.get()});
    const Tensor x = on_device(Tensor::zeros({4, 6})), kept = on_device(Tensor::zeros({4, 3}));
    Tensor y = on_device(Tensor::zeros({4, 3}));
    copy(x, first, stream.get());
    predictor.enqueue(x.raw(), y.raw(), 4);
    copy(kept, y, stream.get());
    copy(x, second, stream.get());
    predictor.enqueue(x.raw(), y.raw(), 4);
    synchronize(stream.get());
    EXPECT_TRUE(all_close(kept.to("cpu"), expected_first, 1e-5, 1e-6));
    EXPECT_TRUE(all_close(y.to("cpu"), expected_second, 1e-5, 1e-6));
  });
}

TEST_P(CudaPredictor, Calls_on_different_streams_share_its_memory_in_order) {
  Sequential model = test::convolutional(context());
  std::vector<Tensor> inputs, expected;
  for (int i = 0; i < 3; ++i) {
    const Tensor x = waves({2, 9, 7, 2}, i);
    expected.push_back(model.predict(x, {.verbose = 0}));
    inputs.push_back(on_device(x));
  }
  in_many_orders([&] {
    const test::ApplicationStream one, two;
    Predictor predictor = model.predictor({.max_batch = 2});
    std::vector<Tensor> outputs;
    for (int i = 0; i < 3; ++i) outputs.push_back(on_device(Tensor::zeros({2, 3})));
    predictor.enqueue(inputs[0].raw(), outputs[0].raw(), 2, one.get());
    predictor.enqueue(inputs[1].raw(), outputs[1].raw(), 2, two.get());
    predictor.enqueue(inputs[2].raw(), outputs[2].raw(), 2);
    predictor.synchronize();
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_TRUE(all_close(outputs[i].to("cpu"), expected[i], 1e-5, 1e-6)) << i;
  });
}

TEST_P(CudaPredictor, A_captured_call_runs_again_on_what_lies_there_then_and_with_new_weights) {
  Sequential model = classifier_of_six(context()), other = classifier_of_six(context(), 9);
  const Tensor inputs[] = {waves({3, 6}), waves({3, 6}, 1)};
  const Tensor inputs_there[] = {on_device(inputs[0]), on_device(inputs[1])};
  const std::vector<Tensor> weights = weights_on_device(other);
  const test::ApplicationStream stream;
  Predictor predictor = model.predictor({.max_batch = 4, .stream = stream.get()});
  const Tensor x = on_device(Tensor::zeros({3, 6}));
  Tensor y = on_device(Tensor::zeros({3, 3}));
  test::ApplicationCapture capture(stream.get(), cudaStreamCaptureModeGlobal);
  predictor.enqueue(x.raw(), y.raw(), 3);
  EXPECT_GE(capture.end(), 1u);
  for (int i = 0; i < 2; ++i) {
    copy(x, inputs_there[i], stream.get());
    capture.launch();
    synchronize(stream.get());
    EXPECT_TRUE(all_close(y.to("cpu"), model.predict(inputs[i], {.verbose = 0}), 1e-5, 1e-6));
  }
  predictor.update(weights);
  capture.launch();
  synchronize(stream.get());
  EXPECT_TRUE(all_close(y.to("cpu"), other.predict(inputs[1], {.verbose = 0}), 1e-5, 1e-6));
}

TEST_P(CudaPredictor, A_captured_call_gets_other_rows_by_cudaGraphExecUpdate) {
  Sequential dense = classifier_of_six(context()), images = test::convolutional(context());
  for (Sequential* model : {&dense, &images}) {
    const test::ApplicationStream stream;
    Predictor predictor = model->predictor({.max_batch = 2, .stream = stream.get()});
    const Tensor first = waves(predictor.input_shapes()[0].prepend(2)), second = waves(first.shape(), 1);
    const Tensor x_first = on_device(first), x_second = on_device(second);
    Tensor y_first = on_device(Tensor::zeros({2, 3})), y_second = on_device(Tensor::zeros({2, 3}));
    test::ApplicationCapture capture(stream.get(), cudaStreamCaptureModeThreadLocal);
    predictor.enqueue(x_first.raw(), y_first.raw(), 2);
    capture.end();
    cudaGraphExec_t graph = nullptr;
    call_cuda<decltype(cudaGraphInstantiate)>("cudaGraphInstantiate", &graph, capture.graph(), 0ull);
    test::ApplicationCapture again(stream.get(), cudaStreamCaptureModeThreadLocal);
    predictor.enqueue(x_second.raw(), y_second.raw(), 2);
    again.end();
    cudaGraphExecUpdateResultInfo result;
    call_cuda<decltype(cudaGraphExecUpdate)>("cudaGraphExecUpdate", graph, again.graph(), &result);
    EXPECT_EQ(result.result, cudaGraphExecUpdateSuccess);
    call_cuda<decltype(cudaGraphLaunch)>("cudaGraphLaunch", graph, stream.get());
    synchronize(stream.get());
    EXPECT_TRUE(array_equal(y_first.to("cpu"), Tensor::zeros({2, 3})));
    EXPECT_TRUE(all_close(y_second.to("cpu"), model->predict(second, {.verbose = 0}), 1e-5, 1e-6));
    call_cuda<decltype(cudaGraphExecDestroy)>("cudaGraphExecDestroy", graph);
  }
}

TEST_P(CudaPredictor, A_small_network_at_batch_one_is_two_nodes) {
  Sequential model{Input({784}), Dense(128, "relu"), Dense(10, "softmax")};
  model.compile({.loss = "sparse_categorical_crossentropy", .context = context()});
  const test::ApplicationStream stream;
  Predictor predictor = model.predictor({.stream = stream.get()});
  const Tensor x = waves({1, 784}), x_there = on_device(x);
  Tensor y = on_device(Tensor::zeros({1, 10}));
  test::ApplicationCapture capture(stream.get(), cudaStreamCaptureModeGlobal);
  predictor.enqueue(x_there.raw(), y.raw(), 1);
  EXPECT_EQ(capture.end(), 2u);
  capture.launch();
  synchronize(stream.get());
  EXPECT_TRUE(all_close(y.to("cpu"), model.predict(x, {.verbose = 0}), 1e-5, 1e-6));
}

TEST_P(CudaPredictor, Updates_come_between_what_was_enqueued_before_and_after_on_every_stream) {
  Sequential model = classifier_of_six(context()), other = classifier_of_six(context(), 9);
  const Tensor x = waves({3, 6}), x_there = on_device(x);
  const std::vector<Tensor> old_weights = weights_on_device(model), new_weights = weights_on_device(other);
  const Tensor expected_before = model.predict(x, {.verbose = 0}),
               expected_after = other.predict(x, {.verbose = 0});
  in_many_orders([&] {
    const test::ApplicationStream one, two;
    Predictor first = model.predictor({.max_batch = 3, .stream = one.get()});
    Predictor second = model.predictor({.max_batch = 3, .stream = two.get()});
    Predictor third = model.predictor({.max_batch = 3});
    third.update(old_weights);
    std::vector<Tensor> before, after;
    for (int i = 0; i < 3; ++i) {
      before.push_back(on_device(Tensor::zeros({3, 3})));
      after.push_back(on_device(Tensor::zeros({3, 3})));
    }
    const std::int64_t waits = context().backend().counters().synchronizations;
    Predictor* const all[] = {&first, &second, &third};
    for (std::size_t i = 0; i < 3; ++i) all[i]->enqueue(x_there.raw(), before[i].raw(), 3);
    third.update(new_weights);
    for (std::size_t i = 0; i < 3; ++i) all[i]->enqueue(x_there.raw(), after[i].raw(), 3);
    EXPECT_EQ(context().backend().counters().synchronizations, waits);
    for (Predictor* predictor : all) predictor->synchronize();
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(all_close(before[i].to("cpu"), expected_before, 1e-5, 1e-6)) << i;
      EXPECT_TRUE(all_close(after[i].to("cpu"), expected_after, 1e-5, 1e-6)) << i;
    }
  });
}

TEST_P(CudaPredictor, The_models_own_calls_come_after_an_update_that_is_under_way) {
  Sequential model = classifier_of_six(context()), other = classifier_of_six(context(), 9);
  const Tensor x = waves({3, 6}), expected = other.predict(x, {.verbose = 0});
  const std::vector<Tensor> old_weights = weights_on_device(model), weights = weights_on_device(other);
  in_many_orders([&] {
    Predictor predictor = model.predictor({.max_batch = 3});
    predictor.update(old_weights);
    predictor.update(weights);
    EXPECT_TRUE(all_close(model.predict(x, {.verbose = 0}), expected, 1e-5, 1e-6));
  });
}

TEST_P(CudaPredictor, An_update_within_a_capture_is_refused_and_leaves_it_whole) {
  Sequential model = classifier_of_six(context());
  const std::vector<Tensor> weights = weights_on_device(model);
  const test::ApplicationStream stream;
  Predictor predictor = model.predictor({.stream = stream.get()});
  const Tensor x = on_device(waves({1, 6}));
  Tensor y = on_device(Tensor::zeros({1, 3}));
  test::ApplicationCapture capture(stream.get(), cudaStreamCaptureModeThreadLocal);
  expect_error<StateError>([&] { predictor.update(weights); }, {"captured"});
  predictor.enqueue(x.raw(), y.raw(), 1);
  EXPECT_GE(capture.end(), 1u);
}

class CudaPredictorOnTheDouble : public test::DoubleTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaPredictorOnTheDouble, test::only_cuda(), test::device_name);

TEST_P(CudaPredictorOnTheDouble, A_call_makes_no_call_of_cuda_but_launches) {
  Sequential dense = classifier_of_six(context()), images = test::convolutional(context());
  for (Sequential* model : {&dense, &images}) {
    Predictor predictor = model->predictor({.max_batch = 8});
    const Tensor x = waves(predictor.input_shapes()[0].prepend(8)).to(context());
    Tensor y = Tensor::zeros({8, 3}).to(context());
    context().backend().synchronize();
    for (std::int64_t rows = 1; rows <= 8; ++rows) {
      predictor.enqueue(x.raw(), y.raw(), rows);
      controls().clear_calls();
      predictor.enqueue(x.raw(), y.raw(), rows);
      const std::set<std::string> calls(controls().calls().begin(), controls().calls().end());
      for (const std::string& call : calls)
        EXPECT_TRUE(call == "cudaLaunchKernel" || call == "cudaGraphLaunch" ||
                    call == "cudaStreamIsCapturing")
            << call << ", for " << rows << " rows";
      EXPECT_LE(std::count(controls().calls().begin(), controls().calls().end(), "cudaStreamIsCapturing"), 1);
    }
    predictor.synchronize();  // before what it reads goes
  }
}

TEST_P(CudaPredictorOnTheDouble, Memory_of_the_host_is_refused_at_the_first_call_with_it) {
  Sequential model = classifier_of_six(context());
  Predictor predictor = model.predictor();
  const Tensor on_host = waves({1, 6}), x = on_host.to(context());
  Tensor y = Tensor::zeros({1, 3}).to(context());
  expect_error<DeviceError>([&] { predictor.enqueue(on_host.raw(), y.raw(), 1); }, {"said to be on cuda:0"});
  predictor.enqueue(x.raw(), y.raw(), 1);
  controls().clear_calls();
  predictor.enqueue(x.raw(), y.raw(), 1);
  predictor.synchronize();
  const auto& calls = controls().calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "cudaPointerGetAttributes"), 0);
}

TEST_P(CudaPredictorOnTheDouble, A_stream_of_another_device_is_refused) {
  controls().settings().devices = 2;
  Sequential model = classifier_of_six(context());
  Predictor predictor = model.predictor();
  const Tensor x = waves({1, 6}).to(context());
  Tensor y = Tensor::zeros({1, 3}).to(context());
  call_cuda<decltype(cudaSetDevice)>("cudaSetDevice", 1);
  {
    const test::ApplicationStream other;
    expect_error<DeviceError>([&] { predictor.enqueue(x.raw(), y.raw(), 1, other.get()); },
                              {"a stream of cuda:1", "expected one of cuda:0"});
  }
  call_cuda<decltype(cudaSetDevice)>("cudaSetDevice", 0);
  predictor.enqueue(x.raw(), y.raw(), 1);
  predictor.synchronize();
  EXPECT_NEAR(y.to("cpu").sum(), 1, 1e-5);
}

}  // namespace
}  // namespace glia

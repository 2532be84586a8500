// A GPU: whether there is one, and which is used; and what happens when its memory runs out, a call fails, or it is lost.
// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime_api.h>
#include <glia/backend.h>
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/application_stream.h"  // defines: call_cuda
#include "tests/double_controls.h"
#include "tests/three_classes.h"

namespace glia {
namespace {

using test::classifier;
using test::losses;
using test::three_classes;
using ::testing::HasSubstr;

class CudaDevices : public test::CudaTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaDevices, test::only_cuda(), test::device_name);

class CudaDevicesOnTheDouble : public test::DoubleTest {};
INSTANTIATE_TEST_SUITE_P(Devices, CudaDevicesOnTheDouble, test::only_cuda(), test::device_name);

/// Every allocation of building, training and predicting fails once; then the same calls must work.
TEST_P(CudaDevicesOnTheDouble,
       Running_out_of_memory_at_any_allocation_leaves_a_typed_error_and_a_usable_model) {
  Sequential reference = classifier();
  const FitOptions two_epochs{.epochs = 2, .batch_size = 16, .verbose = 0};
  const std::vector<double> expected = losses(reference, two_epochs);
  const auto work = [&](Sequential& model) {
    model.compile({.optimizer = "adam",
                   .loss = "sparse_categorical_crossentropy",
                   .metrics = "accuracy",
                   .device = "cuda"});
    losses(model, two_epochs);
    model.predict(three_classes(5).x, {.verbose = 0});
  };
  const auto fresh = [] {
    return Sequential{Dense(16, "relu", {.input_dim = 4}), Dense(8, "relu"), Dense(3, "softmax")};
  };
  for (const char* function : {"cudaMallocFromPoolAsync", "cudaMallocHost"}) {
    controls().clear_calls();
    {
      Sequential model = fresh();
      work(model);
    }
    const auto& calls = controls().calls();
    const auto allocations = static_cast<int>(std::count(calls.begin(), calls.end(), function));
    EXPECT_GT(allocations, 3);
    int failures = 0;
    for (int nth = 1; nth <= allocations; ++nth) {
      SCOPED_TRACE(std::string(function) + " " + std::to_string(nth));
      Sequential model = fresh();
      controls().reset();
      controls().fail(function, nth, cudaErrorMemoryAllocation, false, 2);  // a retry fails as well
      try {
        work(model);  // data that does not fit streams
      } catch (const OutOfMemoryError& error) {
        ++failures;
        EXPECT_THAT(error.what(), HasSubstr("smaller"));
      }
      controls().reset();
      EXPECT_NO_THROW(work(model));
    }
    EXPECT_GE(failures, std::string(function) == "cudaMallocHost"
                            ? 1
                            : 4);  // without a trial an algorithm is taken untried
  }
  Sequential again = classifier();
  EXPECT_EQ(losses(again, two_epochs), expected);
}

TEST_P(CudaDevicesOnTheDouble, Data_larger_than_the_device_streams_by_itself) {
  const Tensor x = Tensor::ones({20'000, 250}) * 0.01, y = Tensor::zeros({20'000, 1});  // 20 MB
  std::vector<std::vector<double>> results;
  for (const std::size_t megabytes : {4096, 44}) {  // 32 of them are cuBLASLt's workspace
    controls().settings().device_bytes = megabytes << 20;
    Sequential model{Dense(1, {.input_dim = 250})};
    model.compile({.optimizer = "sgd", .loss = "mse", .device = "cuda"});
    controls().clear_calls();
    results.push_back(model.fit(x, y, {.epochs = 2, .batch_size = 1000, .verbose = 0})["loss"]);
    results.back().push_back(model.evaluate(x, y, {.batch_size = 1000, .verbose = 0})["loss"]);
    const auto& calls = controls().calls();
    EXPECT_EQ(std::count(calls.begin(), calls.end(), "cudaStreamWaitEvent") > 0, megabytes < 4096);
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST_P(CudaDevicesOnTheDouble, Memory_that_is_kept_but_free_is_given_back_before_giving_up) {
  controls().fail("cudaMallocFromPoolAsync", 1, cudaErrorMemoryAllocation);
  controls().clear_calls();
  EXPECT_NO_THROW(Tensor::ones({3}).to(Device::cuda()));
  const auto& calls = controls().calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "cudaMemPoolTrimTo"), 1);
}

TEST_P(CudaDevicesOnTheDouble, Every_call_may_fail_and_each_is_told_by_name) {
  const std::set<std::string> functions{
      "cudaGraphInstantiate", "cudaGraphLaunch",   "cudaStreamBeginCapture",   "cudaStreamEndCapture",
      "cudaEventRecord",      "cudaMemcpyAsync",   "cudaMemsetAsync",          "cudaLaunchKernel",
      "cudaEventSynchronize", "cudaMemPoolCreate", "cudaStreamCreateWithFlags"};
  for (const std::string& function : functions) {
    SCOPED_TRACE(function);
    controls().reset();
    controls().fail(function, 1, cudaErrorInvalidValue);
    try {
      Sequential model = classifier();
      losses(model, {.epochs = 1, .batch_size = 16, .verbose = 0});
      ADD_FAILURE() << "nothing was thrown";
    } catch (const DeviceError& error) {
      EXPECT_THAT(error.what(), HasSubstr(function));
      EXPECT_THAT(error.what(), HasSubstr("cudaErrorInvalidValue"));
      EXPECT_GT(error.where().line, 0);
    }
    controls().reset();
    Sequential model = classifier();
    EXPECT_NO_THROW(losses(model, {.epochs = 1, .batch_size = 16, .verbose = 0}));
  }
}

TEST_P(CudaDevicesOnTheDouble, Failures_of_cublaslt_are_told_by_name) {
  controls().fail("cublasLtMatmulDescCreate", 1, cudaErrorInvalidValue);
  try {
    Sequential model = classifier();
    losses(model, {.epochs = 1, .verbose = 0});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const DeviceError& error) {
    EXPECT_THAT(error.what(), HasSubstr("cublasLtMatmulDescCreate"));
    EXPECT_THAT(error.what(), HasSubstr("CUBLAS_STATUS_EXECUTION_FAILED"));
  }
  controls().fail("cublasLtCreate", 1, cudaErrorMemoryAllocation);
  Sequential model = classifier();
  EXPECT_THROW(losses(model, {.epochs = 1, .verbose = 0}), OutOfMemoryError);
}

TEST_P(CudaDevicesOnTheDouble, A_lost_device_says_so_and_destructors_are_silent) {
  {
    Sequential model = classifier();
    losses(model, {.epochs = 1, .batch_size = 16, .verbose = 0});
    controls().fail_launch(5, cudaErrorIllegalAddress);
    try {
      losses(model, {.epochs = 1, .batch_size = 16, .verbose = 0});
      ADD_FAILURE() << "nothing was thrown";
    } catch (const DeviceError& error) {
      EXPECT_THAT(error.what(), HasSubstr("cudaErrorIllegalAddress"));
      EXPECT_THAT(error.what(), HasSubstr("end the process"));
    }
    EXPECT_THROW(model.get_weights(), DeviceError);
  }
  controls().reset();
  Sequential model = classifier();
  EXPECT_NO_THROW(losses(model, {.epochs = 1, .batch_size = 16, .verbose = 0}));
}

TEST_P(CudaDevicesOnTheDouble, Nothing_is_left_when_models_are_gone) {
  const auto before = controls().live_objects();
  const std::int64_t memory = controls().device_allocations(), pinned = controls().host_allocations();
  {
    Sequential model = classifier();
    losses(model, {.epochs = 2, .batch_size = 16, .verbose = 0, .memory_budget = 600});
    model.predict(three_classes(9).x, {.verbose = 0});
  }
  context().backend().synchronize();
  EXPECT_EQ(controls().live_objects(), before);
  EXPECT_EQ(controls().device_allocations(), memory);
  EXPECT_EQ(controls().host_allocations(), pinned);
}

TEST_P(CudaDevices, The_device_is_reported_and_one_that_is_not_there_is_refused) {
  EXPECT_THAT(device_report(), HasSubstr("cuda:0"));
  EXPECT_TRUE(Device::automatic().is_cuda());
  EXPECT_THROW(Context({.device = "cuda:99"}), DeviceError);
}

TEST_P(CudaDevicesOnTheDouble, A_report_and_a_reason_for_everything_that_can_be_missing) {
  struct Missing {
    int error;
    const char* reason;
  };
  const Missing all[] = {{cudaErrorNoDevice, "no CUDA device"},
                         {cudaErrorStubLibrary, "cudaErrorStubLibrary"},
                         {cudaErrorInitializationError, "cudaErrorInitializationError"},
                         {cudaErrorDevicesUnavailable, "cudaErrorDevicesUnavailable"},
                         {cudaErrorSystemNotReady, "cudaErrorSystemNotReady"},
                         {cudaErrorSystemDriverMismatch, "cudaErrorSystemDriverMismatch"},
                         {cudaErrorCompatNotSupportedOnDevice, "cudaErrorCompatNotSupportedOnDevice"},
                         {cudaErrorUnknown, "cudaErrorUnknown"}};
  const auto expect_reason = [](const char* reason) {
    EXPECT_THAT(device_report(), HasSubstr(std::string("cuda: not available: ")));
    EXPECT_THAT(device_report(), HasSubstr(reason));
    EXPECT_EQ(Device::automatic(), Device::cpu());
    EXPECT_EQ(Context().device(), Device::cpu());
    try {
      Context({.device = "cuda"});
      ADD_FAILURE() << "nothing was thrown";
    } catch (const DeviceError& error) {
      EXPECT_THAT(error.what(), HasSubstr(reason));
    }
  };
  for (const Missing& missing : all) {
    controls().reset();
    controls().fail("cudaGetDeviceCount", 1, missing.error, false, 100);
    expect_reason(missing.reason);
  }
  controls().reset();
  controls().settings().driver_version = 0;
  expect_reason("no NVIDIA driver");
  controls().settings().driver_version = 12040;
  expect_reason("too old: it serves CUDA 12.4");
  controls().reset();
  controls().settings().devices = 0;
  expect_reason("no CUDA device");
  controls().reset();
  controls().settings().compute_capability = 61;
  expect_reason("not built for this GPU");
  controls().reset();
  EXPECT_THAT(device_report(), HasSubstr("cuda:0"));
  EXPECT_TRUE(Device::automatic().is_cuda());
  EXPECT_THROW(Context({.device = "cuda:1"}), DeviceError);
}

TEST_P(CudaDevices, Versions_name_the_runtime_the_driver_and_the_gpu) {
  std::set<std::string> names;
  for (const auto& [name, value] : context().versions()) {
    names.insert(name);
    EXPECT_FALSE(value.empty());
  }
  EXPECT_EQ(names, (std::set<std::string>{"glia", "CUDA runtime", "CUDA driver", "cuBLASLt", "GPU"}));
  EXPECT_EQ(context().threads(), 1);
}

TEST_P(CudaDevicesOnTheDouble, A_second_device_is_used_by_number_and_nothing_touches_the_first) {
  controls().reset();
  controls().settings().devices = 2;
  {
    Sequential model = classifier(Device::cuda(1));
    losses(model, {.epochs = 1, .batch_size = 16, .verbose = 0});
    model.predict(three_classes(5).x, {.verbose = 0});
    EXPECT_EQ(model.context().device(), Device::cuda(1));
    EXPECT_EQ(controls().contexts(), std::set<int>{1});
    int current = -1;
    test::call_cuda<decltype(cudaGetDevice)>("cudaGetDevice", &current);
    EXPECT_EQ(current, 0);
  }
  EXPECT_EQ(controls().contexts(), std::set<int>{1});
  const auto& calls = controls().calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "cudaSetDevice"), 0);
  EXPECT_GT(std::count(calls.begin(), calls.end(), "cuCtxPushCurrent"), 0);
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "cuCtxPushCurrent"),
            std::count(calls.begin(), calls.end(), "cuCtxPopCurrent"));
}

TEST_P(CudaDevicesOnTheDouble, Kernels_are_looked_for_on_the_device_that_is_asked_for) {
  controls().reset();
  controls().settings().devices = 2;
  controls().settings().without_kernels = {0};
  EXPECT_EQ(Device::automatic(), Device::cpu());
  EXPECT_THROW(Context({.device = "cuda:0"}), DeviceError);
  EXPECT_EQ(Context({.device = "cuda:1"}).device(), Device::cuda(1));
  controls().settings().without_kernels = {1};
  EXPECT_EQ(Device::automatic(), Device::cuda(0));
  EXPECT_THROW(Context({.device = "cuda:1"}), DeviceError);
}

}  // namespace
}  // namespace glia

// The double of CUDA itself: that what a GPU would punish is punished, and what it would do is done.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda_double/device.h"
// after it, since it stands in for nvcc
#include <gtest/gtest.h>
#include <cuda/launch.cuh>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "tests/cuda_double/controls.h"

extern "C" glia::cuda_double::Controls* glia_cuda_double();

namespace glia::cuda_double {
namespace {

/// Two streams, a pool, and a double as at the start.
class CudaDouble : public ::testing::Test {
 protected:
  void SetUp() override {
    controls().reset();
    cudaMemPoolProps properties = {};
    properties.allocType = cudaMemAllocationTypePinned;
    properties.location = {cudaMemLocationTypeDevice, {0}};
    ASSERT_EQ(cudaMemPoolCreate(&pool_, &properties), cudaSuccess);
    for (cudaStream_t& stream : streams_)
      ASSERT_EQ(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
  }
  void TearDown() override {
    controls().reset();
    for (cudaStream_t stream : streams_) {
      cudaStreamSynchronize(stream);
      cudaStreamDestroy(stream);
    }
    cudaMemPoolDestroy(pool_);
  }

  static Controls& controls() { return *glia_cuda_double(); }
  cudaStream_t first() const { return streams_[0]; }
  cudaStream_t second() const { return streams_[1]; }

  template <class T>
  T* on_device(std::size_t count) {
    void* memory = nullptr;
    EXPECT_EQ(cudaMallocFromPoolAsync(&memory, count * sizeof(T), pool_, first()), cudaSuccess);
    return static_cast<T*>(memory);
  }
  template <class T>
  static T* on_host(std::size_t count) {
    void* memory = nullptr;
    EXPECT_EQ(cudaMallocHost(&memory, count * sizeof(T)), cudaSuccess);
    return static_cast<T*>(memory);
  }
  static cudaEvent_t event() {
    cudaEvent_t made = nullptr;
    EXPECT_EQ(cudaEventCreateWithFlags(&made, cudaEventDisableTiming), cudaSuccess);
    return made;
  }
  /// Calls scenario() under eight seeds; how often it said true.
  template <class Scenario>
  static int under_seeds(const Scenario& scenario) {
    int count = 0;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      controls().settings().seed = seed;
      count += scenario() ? 1 : 0;
    }
    return count;
  }
  template <class Kernel>
  cudaError_t launch(const Kernel& kernel, unsigned blocks, unsigned threads, cudaStream_t stream) {
    cuda::KernelParameter parameter = {};
    std::memcpy(parameter.bytes, &kernel, sizeof kernel);
    void* arguments[] = {&parameter};
    return cudaLaunchKernel(reinterpret_cast<const void*>(&cuda::run<Kernel>), dim3(blocks), dim3(threads),
                            arguments, 0, stream);
  }

 private:
  cudaMemPool_t pool_ = nullptr;
  cudaStream_t streams_[2] = {};
};

TEST_F(CudaDouble, Nothing_runs_before_something_synchronises) {
  int* const device = on_device<int>(1);
  int* const host = on_host<int>(1);
  *host = 7;
  cudaMemcpyAsync(device, host, sizeof(int), cudaMemcpyHostToDevice, first());
  int* const result = on_host<int>(1);
  cudaMemcpyAsync(result, device, sizeof(int), cudaMemcpyDeviceToHost, first());
  EXPECT_EQ(*result, -1);  // fresh memory: all bits set
  cudaStreamSynchronize(first());
  EXPECT_EQ(*result, 7);
  cudaFreeAsync(device, first());
  cudaFreeHost(host), cudaFreeHost(result);
}

TEST_F(CudaDouble, A_host_buffer_written_before_its_copy_ran_is_copied_as_it_is_then) {
  int* const device = on_device<int>(1);
  int *const host = on_host<int>(1), *const result = on_host<int>(1);
  *host = 1;
  cudaMemcpyAsync(device, host, sizeof(int), cudaMemcpyHostToDevice, first());
  *host = 2;  // too early
  cudaMemcpyAsync(result, device, sizeof(int), cudaMemcpyDeviceToHost, first());
  cudaStreamSynchronize(first());
  EXPECT_EQ(*result, 2);
  cudaFreeAsync(device, first());
  cudaFreeHost(host), cudaFreeHost(result);
}

TEST_F(CudaDouble, A_function_of_the_host_runs_between_what_is_before_and_behind_it) {
  int* const device = on_device<int>(1);
  int *const host = on_host<int>(1), *const result = on_host<int>(1);
  *host = 3;
  cudaMemcpyAsync(device, host, sizeof(int), cudaMemcpyHostToDevice, first());
  cudaMemcpyAsync(result, device, sizeof(int), cudaMemcpyDeviceToHost, first());
  const cudaHostFn_t twice = [](void* data) { *static_cast<int*>(data) *= 2; };
  EXPECT_EQ(cudaLaunchHostFunc(first(), twice, result), cudaSuccess);
  cudaMemcpyAsync(device, result, sizeof(int), cudaMemcpyHostToDevice, first());
  cudaMemcpyAsync(host, device, sizeof(int), cudaMemcpyDeviceToHost, first());
  EXPECT_EQ(*host, 3);
  cudaStreamSynchronize(first());
  EXPECT_EQ(*result, 6);
  EXPECT_EQ(*host, 6);
  cudaFreeAsync(device, first());
  cudaFreeHost(host), cudaFreeHost(result);
}

/// A copy up on one stream and down on another, with or without an event between them: whether the value came down.
TEST_F(CudaDouble, A_missing_event_is_seen_under_some_seed_and_none_with_it) {
  const cudaEvent_t done = event();
  for (const bool waits : {true, false}) {
    const int right = under_seeds([&] {
      int* const device = on_device<int>(1);
      cudaStreamSynchronize(first());
      int *const host = on_host<int>(1), *const result = on_host<int>(1);
      *host = 5;
      cudaMemcpyAsync(device, host, sizeof(int), cudaMemcpyHostToDevice, first());
      cudaEventRecord(done, first());
      if (waits) cudaStreamWaitEvent(second(), done, cudaEventWaitDefault);
      cudaMemcpyAsync(result, device, sizeof(int), cudaMemcpyDeviceToHost, second());
      cudaStreamSynchronize(second());
      const bool came = *result == 5;
      cudaFreeAsync(device, first());
      cudaStreamSynchronize(first());
      cudaFreeHost(host), cudaFreeHost(result);
      return came;
    });
    if (waits)
      EXPECT_EQ(right, 8);
    else
      EXPECT_LT(right, 8);
  }
  cudaEventDestroy(done);
}

TEST_F(CudaDouble, Memory_used_on_another_stream_before_it_is_allocated_there_is_lost_under_some_seed) {
  const int right = under_seeds([&] {
    int* const device = on_device<int>(1);  // on the first stream
    int *const host = on_host<int>(1), *const result = on_host<int>(1);
    *host = 5;
    cudaMemcpyAsync(device, host, sizeof(int), cudaMemcpyHostToDevice, second());
    cudaStreamSynchronize(second());
    cudaMemcpyAsync(result, device, sizeof(int), cudaMemcpyDeviceToHost, first());
    cudaFreeAsync(device, first());
    cudaStreamSynchronize(first());
    const bool came = *result == 5;
    cudaFreeHost(host), cudaFreeHost(result);
    return came;
  });
  EXPECT_LT(right, 8);
}

TEST_F(CudaDouble, Fresh_memory_is_NaN) {
  float* const device = on_device<float>(3);
  float* const result = on_host<float>(3);
  cudaMemcpyAsync(result, device, 3 * sizeof(float), cudaMemcpyDeviceToHost, first());
  cudaStreamSynchronize(first());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(result[i]));
  cudaFreeAsync(device, first());
  cudaFreeHost(result);
}

TEST_F(CudaDouble, Pointers_of_the_wrong_side_are_refused) {
  char* const device = on_device<char>(16);
  char* const host = on_host<char>(16);
  char pageable[16] = {};
  EXPECT_EQ(cudaMemcpyAsync(host, device, 16, cudaMemcpyHostToDevice, first()), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(device, pageable, 16, cudaMemcpyHostToDevice, first()), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(device, host, 17, cudaMemcpyHostToDevice, first()), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemsetAsync(host, 0, 16, first()), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeAsync(host, first()), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeHost(device), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(device, first()), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(device, first()), cudaErrorInvalidValue);  // twice
  cudaFreeHost(host);
}

TEST_F(CudaDouble, The_host_cannot_touch_device_memory) {
  int* const device = on_device<int>(1);
  cudaStreamSynchronize(first());
  EXPECT_DEATH(*device = 1, "");
  cudaFreeAsync(device, first());
}

TEST_F(CudaDouble, The_default_streams_are_streams_and_one_of_them_is_the_threads) {
  int* const device = on_device<int>(1);
  cudaStreamSynchronize(first());
  for (const cudaStream_t stream : {cudaStream_t{}, cudaStreamLegacy, cudaStreamPerThread}) {
    EXPECT_EQ(cudaMemsetAsync(device, 0, 4, stream), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  }
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeThreadLocal),
            cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamBeginCapture(cudaStreamPerThread, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  std::thread([] {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusActive;
    EXPECT_EQ(cudaStreamIsCapturing(cudaStreamPerThread, &status), cudaSuccess);
    EXPECT_EQ(status, cudaStreamCaptureStatusNone);
  }).join();
  EXPECT_EQ(cudaStreamEndCapture(cudaStreamPerThread, &graph), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(reinterpret_cast<cudaStream_t>(16)), cudaErrorInvalidResourceHandle);
  cudaFreeAsync(device, first());
}

/// Writes one element before the memory it was given, or behind it.
struct Overrun {
  char* memory;
  std::int64_t at;
  template <class Block>
  void operator()(Block& block) const {
    if (block.rank() == 0) memory[at] = 1;
  }
};

TEST_F(CudaDouble, Memory_beside_an_allocation_is_guarded) {
  for (const std::int64_t at : {std::int64_t{-1}, std::int64_t{100}}) {
    char* const device = on_device<char>(100);
    const auto overrun = [&] {
      launch(Overrun{device, at}, 1, 32, first());
      const cudaError_t error = cudaStreamSynchronize(first());
      std::fprintf(stderr, "%s\n", cudaGetErrorName(error));
      std::_Exit(1);
    };
    EXPECT_DEATH(overrun(), "cudaErrorIllegalAddress|AddressSanitizer");
    cudaFreeAsync(device, first());
  }
}

TEST_F(CudaDouble, Memory_that_was_freed_is_out_of_reach) {
  char* const device = on_device<char>(100);
  cudaFreeAsync(device, first());
  const auto use = [&] {
    launch(Overrun{device, 0}, 1, 32, first());
    cudaStreamSynchronize(first());
  };
  EXPECT_DEATH(use(), "");
  EXPECT_EQ(cudaMemsetAsync(device, 0, 100, first()), cudaSuccess);  // enqueued before it is released
  EXPECT_EQ(cudaStreamSynchronize(first()), cudaErrorIllegalAddress);
}

/// Each thread's rank in the launch, by way of shared memory and shuffles.
struct Ranks {
  std::int64_t* out;
  template <class Block>
  void operator()(Block& block) const {
    const std::int64_t me = block.index() * block.size() + block.rank();
    out[4 * me] = me;
    out[4 * me + 1] = block.sum(block.rank());
    out[4 * me + 2] = block.group_sum(block.lane());
    out[4 * me + 3] =
        block.group_first_max(static_cast<float>(block.rank() / 32 * 10 + block.lane() / 8), block.lane());
  }
};

TEST_F(CudaDouble, A_pool_lasts_until_its_last_memory_was_given_back) {
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, {0}};
  cudaMemPool_t pool = nullptr;
  ASSERT_EQ(cudaMemPoolCreate(&pool, &properties), cudaSuccess);
  void *freed = nullptr, *kept = nullptr;
  ASSERT_EQ(cudaMallocFromPoolAsync(&freed, 64, pool, first()), cudaSuccess);
  ASSERT_EQ(cudaMallocFromPoolAsync(&kept, sizeof(int), pool, first()), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(freed, first()), cudaSuccess);
  EXPECT_EQ(cudaMemPoolDestroy(pool), cudaSuccess) << "with a free under way and memory in use";
  int *const seven = on_host<int>(1), *const read = on_host<int>(1);
  *seven = 7, *read = 0;
  EXPECT_EQ(cudaMemcpyAsync(kept, seven, sizeof *seven, cudaMemcpyHostToDevice, first()), cudaSuccess);
  EXPECT_EQ(cudaMemcpyAsync(read, kept, sizeof *read, cudaMemcpyDeviceToHost, first()), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(kept, first()), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(first()), cudaSuccess);
  EXPECT_EQ(*read, 7);
  cudaFreeHost(seven), cudaFreeHost(read);
}

TEST_F(CudaDouble, A_launch_runs_every_thread_of_every_block_with_barriers_and_shuffles) {
  constexpr unsigned blocks = 3, threads = 96;
  auto* const device = on_device<std::int64_t>(4 * blocks * threads);
  auto* const result = on_host<std::int64_t>(4 * blocks * threads);
  ASSERT_EQ(launch(Ranks{device}, blocks, threads, first()), cudaSuccess);
  cudaMemcpyAsync(result, device, 4 * blocks * threads * sizeof(std::int64_t), cudaMemcpyDeviceToHost,
                  first());
  ASSERT_EQ(cudaStreamSynchronize(first()), cudaSuccess);
  for (std::int64_t me = 0; me < blocks * threads; ++me) {
    EXPECT_EQ(result[4 * me], me);
    EXPECT_EQ(result[4 * me + 1], threads * (threads - 1) / 2);
    EXPECT_EQ(result[4 * me + 2], 31 * 32 / 2);
    EXPECT_EQ(result[4 * me + 3], 24);  // the first lane of the greatest value
  }
  cudaFreeAsync(device, first());
  cudaFreeHost(result);
}

/// A barrier that one thread goes past.
struct Diverging {
  template <class Block>
  void operator()(Block& block) const {
    if (block.rank() != 5) block.sync();
  }
};

TEST_F(CudaDouble, A_barrier_that_is_not_reached_by_all_traps_and_stays) {
  launch(Diverging{}, 1, 64, first());
  EXPECT_EQ(cudaStreamSynchronize(first()), cudaErrorLaunchFailure);
  int device = 0;
  EXPECT_EQ(cudaGetDevice(&device), cudaErrorLaunchFailure);  // sticky
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
  ASSERT_EQ(controls().traps().size(), 1u);
  EXPECT_NE(controls().traps()[0].find("barrier"), std::string::npos);
}

TEST_F(CudaDouble, A_launch_of_no_blocks_or_too_many_threads_is_refused) {
  EXPECT_EQ(launch(Diverging{}, 0, 32, first()), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch(Diverging{}, 1, 1025, first()), cudaErrorInvalidConfiguration);
}

TEST_F(CudaDouble, A_captured_graph_is_a_list_and_runs_as_often_as_it_is_launched) {
  auto* const device = on_device<std::int64_t>(4 * 32);
  auto* const result = on_host<std::int64_t>(1);
  cudaStreamBeginCapture(first(), cudaStreamCaptureModeThreadLocal);
  cudaMemsetAsync(device, 0, 8, first());
  launch(Ranks{device}, 1, 32, first());
  cudaMemcpyAsync(result, device + 1, 8, cudaMemcpyDeviceToHost, first());
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(first(), &graph), cudaSuccess);
  const std::vector<GraphNode> nodes = controls().last_graph();
  ASSERT_EQ(nodes.size(), 3u);
  std::size_t count = 0;
  EXPECT_EQ(cudaGraphGetNodes(graph, nullptr, &count), cudaSuccess);
  EXPECT_EQ(count, 3u);
  const char* kinds[] = {"set", "kernel", "copy"};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(nodes[i].kind, kinds[i]);
    EXPECT_EQ(nodes[i].dependencies, i ? std::vector<int>{static_cast<int>(i) - 1} : std::vector<int>{});
  }
  cudaGraphExec_t executable = nullptr;
  cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  EXPECT_EQ(*result, -1);  // capturing runs nothing
  for (int i = 0; i < 2; ++i) {
    *result = 0;
    cudaGraphLaunch(executable, first());
    cudaStreamSynchronize(first());
    EXPECT_EQ(*result, 31 * 32 / 2);
  }
  cudaGraphExecDestroy(executable);
  cudaFreeAsync(device, first());
  cudaFreeHost(result);
}

TEST_F(CudaDouble, What_cuda_forbids_in_a_capture_breaks_it) {
  const auto broken_by = [&](const auto& call, cudaError_t expected) {
    cudaStreamBeginCapture(first(), cudaStreamCaptureModeThreadLocal);
    EXPECT_EQ(call(), expected);
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(first(), &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
  };
  void* memory = nullptr;
  const cudaEvent_t done = event();
  cudaEventRecord(done, second());
  broken_by([&] { return cudaStreamSynchronize(first()); }, cudaErrorStreamCaptureUnsupported);
  broken_by([&] { return cudaMallocHost(&memory, 4); }, cudaErrorStreamCaptureUnsupported);
  broken_by([&] { return cudaStreamWaitEvent(first(), done, 0); }, cudaErrorStreamCaptureIsolation);
  // What another stream does meanwhile is its own.
  cudaStreamBeginCapture(first(), cudaStreamCaptureModeThreadLocal);
  EXPECT_EQ(cudaStreamSynchronize(second()), cudaSuccess);
  EXPECT_EQ(cudaStreamBeginCapture(first(), cudaStreamCaptureModeGlobal), cudaErrorIllegalState);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(first(), &graph), cudaSuccess);
  cudaGraphDestroy(graph);
  cudaEventDestroy(done);
}

TEST_F(CudaDouble, A_thread_local_capture_forbids_nothing_to_other_threads) {
  for (const auto mode : {cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeGlobal}) {
    cudaStreamBeginCapture(first(), mode);
    cudaError_t error = cudaErrorUnknown;
    void* memory = nullptr;
    std::thread([&] { error = cudaMallocHost(&memory, 4); }).join();
    const bool forbidden = mode == cudaStreamCaptureModeGlobal;
    EXPECT_EQ(error, forbidden ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(first(), &graph),
              forbidden ? cudaErrorStreamCaptureInvalidated : cudaSuccess);
    if (forbidden) continue;
    cudaGraphDestroy(graph);
    cudaFreeHost(memory);
  }
}

TEST_F(CudaDouble, A_stream_joins_a_capture_by_an_event_and_must_be_joined_again) {
  const cudaEvent_t fork = event(), join = event();
  int* const device = on_device<int>(2);
  for (const bool joins : {true, false}) {
    cudaStreamBeginCapture(first(), cudaStreamCaptureModeThreadLocal);
    cudaMemsetAsync(device, 0, 4, first());
    cudaEventRecord(fork, first());
    EXPECT_EQ(cudaStreamWaitEvent(second(), fork, 0), cudaSuccess);
    cudaMemsetAsync(device + 1, 0, 4, second());
    EXPECT_EQ(cudaEventSynchronize(fork), cudaErrorCapturedEvent);
    if (joins) {
      cudaEventRecord(join, second());
      cudaStreamWaitEvent(first(), join, 0);
    }
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(first(), &graph), joins ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
    if (joins) {
      EXPECT_EQ(controls().last_graph()[1].dependencies, std::vector<int>{0});
      cudaGraphDestroy(graph);
    }
    cudaStreamCaptureStatus status;
    cudaStreamIsCapturing(second(), &status);
    EXPECT_EQ(status, cudaStreamCaptureStatusNone);
  }
  cudaFreeAsync(device, first());
  cudaEventDestroy(fork), cudaEventDestroy(join);
}

TEST_F(CudaDouble, Failures_come_when_they_were_ordered) {
  int device = 0;
  controls().fail("cudaGetDevice", 2, cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
  EXPECT_EQ(cudaGetDevice(&device), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
  controls().fail_launch(2, cudaErrorLaunchTimeout);
  auto* const memory = on_device<std::int64_t>(4 * 32);
  launch(Ranks{memory}, 1, 32, first());
  EXPECT_EQ(cudaStreamSynchronize(first()), cudaSuccess);
  launch(Ranks{memory}, 1, 32, first());
  EXPECT_EQ(cudaStreamSynchronize(first()), cudaErrorLaunchTimeout);
  controls().reset();
  controls().clear_calls();
  cudaFreeAsync(memory, first());
  EXPECT_EQ(controls().calls(), std::vector<std::string>{"cudaFreeAsync"});
}

TEST_F(CudaDouble, What_lives_is_counted) {
  const auto before = controls().live_objects();
  const std::int64_t memory = controls().device_allocations(), host = controls().host_allocations();
  const cudaEvent_t extra = event();
  int *const device = on_device<int>(1), *const pinned = on_host<int>(1);
  EXPECT_NE(controls().live_objects(), before);
  EXPECT_EQ(controls().device_allocations(), memory + 1);
  EXPECT_EQ(controls().host_allocations(), host + 1);
  cudaEventDestroy(extra), cudaFreeAsync(device, first()), cudaFreeHost(pinned);
  EXPECT_EQ(controls().live_objects(), before);
  EXPECT_EQ(controls().device_allocations(), memory);
  EXPECT_EQ(controls().host_allocations(), host);
}

TEST_F(CudaDouble, The_device_has_an_end) {
  void* memory = nullptr;
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, {0}};
  cudaMemPool_t pool = nullptr;
  cudaMemPoolCreate(&pool, &properties);
  EXPECT_EQ(cudaMallocFromPoolAsync(&memory, std::size_t{1} << 40, pool, first()), cudaErrorMemoryAllocation);
  cudaMemPoolDestroy(pool);
}

}  // namespace
}  // namespace glia::cuda_double

// The double of CUB's algorithms: work on a stream, in memory of the device alone, with results in whichever buffer it likes.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <set>
#include <vector>

#include "tests/cuda_double/cccl/cub/device/device_radix_sort.cuh"
#include "tests/cuda_double/cccl/cub/device/device_select.cuh"
#include "tests/cuda_double/told.h"  // defines: told, glia_cuda_double

namespace glia::cuda_double {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Memory of the device, which holds `values` first.
template <class T>
class OnDevice {
 public:
  OnDevice(std::initializer_list<T> values) : count_(values.size()) {
    void *device = nullptr, *host = nullptr;
    EXPECT_EQ(cudaMalloc(&device, count_ * sizeof(T)), cudaSuccess);
    EXPECT_EQ(cudaMallocHost(&host, count_ * sizeof(T)), cudaSuccess);
    device_ = static_cast<T*>(device), host_ = static_cast<T*>(host);
    std::memcpy(host_, values.begin(), count_ * sizeof(T));
    cudaMemcpyAsync(device_, host_, count_ * sizeof(T), cudaMemcpyHostToDevice, nullptr);
  }
  ~OnDevice() {
    cudaFree(device_);
    cudaFreeHost(host_);
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  T* get() const { return device_; }
  std::vector<T> read() const {
    cudaMemcpyAsync(host_, device_, count_ * sizeof(T), cudaMemcpyDeviceToHost, nullptr);
    EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
    return {host_, host_ + count_};
  }

 private:
  std::size_t count_;
  T *device_, *host_;
};

class CudaDoubleCub : public ::testing::Test {
 protected:
  void SetUp() override { controls().reset(); }
  void TearDown() override { controls().reset(); }
  static Controls& controls() { return *glia_cuda_double(); }
};

/// A sort of four pairs by their two lowest bits.
struct Sort {
  OnDevice<std::uint64_t> keys{7, 4, 6, 2}, other_keys{0, 0, 0, 0};
  OnDevice<std::int64_t> values{0, 1, 2, 3}, other_values{0, 0, 0, 0};
  cub::DoubleBuffer<std::uint64_t> key_buffers{keys.get(), other_keys.get()};
  cub::DoubleBuffer<std::int64_t> value_buffers{values.get(), other_values.get()};

  cudaError_t run(void* temporary, std::size_t& bytes) {
    return cub::DeviceRadixSort::SortPairs(temporary, bytes, key_buffers, value_buffers, 4, 0, 2, nullptr);
  }
};

TEST_F(CudaDoubleCub, Sorts_by_the_bits_that_are_named_and_is_stable) {
  std::set<int> halves;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    controls().settings().seed = seed;
    Sort sort;
    std::size_t bytes = 0;
    ASSERT_EQ(sort.run(nullptr, bytes), cudaSuccess);
    void* temporary = nullptr;
    ASSERT_EQ(cudaMalloc(&temporary, bytes), cudaSuccess);
    ASSERT_EQ(sort.run(temporary, bytes), cudaSuccess);
    const bool swapped = sort.key_buffers.Current() == sort.other_keys.get();
    EXPECT_EQ(swapped, sort.value_buffers.Current() == sort.other_values.get());
    EXPECT_THAT((swapped ? sort.other_keys : sort.keys).read(), ElementsAre(4, 6, 2, 7));
    EXPECT_THAT((swapped ? sort.other_values : sort.values).read(), ElementsAre(1, 2, 3, 0));
    halves.insert(swapped);
    cudaFree(temporary);
  }
  EXPECT_EQ(halves.size(), 2u) << "results always lie in the same buffer";
}

TEST_F(CudaDoubleCub, Wants_as_much_temporary_memory_as_it_said_and_the_devices) {
  Sort sort;
  std::size_t bytes = 0, too_few = 1;
  ASSERT_EQ(sort.run(nullptr, bytes), cudaSuccess);
  std::vector<std::byte> of_the_host(bytes);
  EXPECT_EQ(sort.run(of_the_host.data(), too_few), cudaErrorInvalidValue);
  EXPECT_EQ(sort.run(of_the_host.data(), bytes), cudaSuccess);
  EXPECT_THAT(told(), HasSubstr("cub::DeviceRadixSort met memory that is not the device's"));
}

TEST_F(CudaDoubleCub, Selects_what_is_flagged_and_says_how_many) {
  const OnDevice<std::uint8_t> flags{0, 1, 0, 255, 1};
  const OnDevice<std::int64_t> out{-1, -1, -1, -1, -1}, count{-1};
  std::size_t bytes = 0;
  const auto select = [&](void* temporary, std::int64_t* found) {
    return cub::DeviceSelect::Flagged(temporary, bytes, thrust::counting_iterator<std::int64_t>(10),
                                      flags.get(), out.get(), found, 5, nullptr);
  };
  ASSERT_EQ(select(nullptr, count.get()), cudaSuccess);
  void* temporary = nullptr;
  ASSERT_EQ(cudaMalloc(&temporary, bytes), cudaSuccess);
  ASSERT_EQ(select(temporary, count.get()), cudaSuccess);
  EXPECT_THAT(out.read(), ElementsAre(11, 13, 14, -1, -1));
  EXPECT_THAT(count.read(), ElementsAre(3));
  std::int64_t of_the_host = 0;
  EXPECT_EQ(select(temporary, &of_the_host), cudaSuccess);
  EXPECT_THAT(told(), HasSubstr("cub::DeviceSelect met memory"));
  cudaFree(temporary);
}

}  // namespace
}  // namespace glia::cuda_double

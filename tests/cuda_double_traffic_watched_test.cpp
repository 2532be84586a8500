// The watched double's count of what kernels move: sectors of each access of a warp beside the fewest, and the longest loop.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda_double/device.h"
// after it, since it stands in for nvcc
#include <gtest/gtest.h>
#include <cuda/launch.cuh>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/cuda_double/lt_calls.h"
#include "tests/cuda_double/told.h"

namespace glia::cuda_double {

/// out[i] = the sum of `rows` elements of `in`, `stride` apart, from i * step + first on, for n threads.
template <class T>
struct StridedKernel {
  std::int64_t n, step, first = 0, rows = 1, stride = 0;
  const T* in = nullptr;
  T* out = nullptr;
  template <class Block>
  void operator()(Block& block) const {
    const auto range = block.elements(n);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      T sum = 0;
      for (std::int64_t row = 0; row < rows; ++row) sum += in[first + i * step + row * stride];
      out[i] = sum;
    }
  }
};

/// out = twice in, n packs, each read and written at once.
struct PackKernel {
  struct alignas(16) Pack {
    float a, b, c, d;
  };
  std::int64_t n;
  const Pack* in = nullptr;
  Pack* out = nullptr;
  template <class Block>
  void operator()(Block& block) const {
    const auto range = block.elements(n);
    for (std::int64_t i = range.begin; i < range.end; i += range.stride) {
      const Pack pack = in[i];
      out[i] = Pack{2 * pack.a, 2 * pack.b, 2 * pack.c, 2 * pack.d};
    }
  }
};

/// Each lane adds rows of 32 floats: where `skips`, a lane whose number is odd leaves out the even ones; where `nests`, each as
/// often as its number's last bits say, so that lanes come to the next row after more or fewer turns.
struct UnevenKernel {
  std::int64_t rows;
  bool skips, nests;
  const float* in = nullptr;
  float* out = nullptr;
  template <class Block>
  void operator()(Block& block) const {
    float sum = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      if (skips && row % 2 == 0 && block.lane() % 2 == 1) continue;
      sum += in[row * 32 + block.lane()];
      if (!nests) continue;
      for (std::int64_t turn = 0; turn < block.lane() % 4; ++turn)
        sum += in[(rows + turn) * 32 + block.lane()];
    }
    out[block.lane()] = sum;
  }
};

namespace {

class CudaDoubleTraffic : public CublasLtDouble {
 protected:
  template <class Kernel>
  Traffic traffic_of(Kernel kernel, unsigned blocks = 1, unsigned threads = 64) {
    constexpr std::size_t bytes = 1 << 17;
    void *in = nullptr, *out = nullptr;
    EXPECT_EQ(cudaMalloc(&in, bytes), cudaSuccess);
    EXPECT_EQ(cudaMalloc(&out, bytes), cudaSuccess);
    cudaMemsetAsync(in, 0, bytes, nullptr);
    kernel.in = static_cast<decltype(kernel.in)>(in), kernel.out = static_cast<decltype(kernel.out)>(out);
    cuda::KernelParameter parameter = {};
    std::memcpy(parameter.bytes, &kernel, sizeof kernel);
    void* arguments[] = {&parameter};
    controls().clear_traffic();
    cudaLaunchKernel(reinterpret_cast<const void*>(&cuda::run<Kernel>), dim3(blocks), dim3(threads),
                     arguments, 0, nullptr);
    EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
    cudaFree(in), cudaFree(out);
    const std::vector<Traffic>& all = controls().traffic();
    return all.empty() ? Traffic{} : all.back();
  }
  static Controls& controls() { return *glia_cuda_double(); }
  void SetUp() override {
    CublasLtDouble::SetUp();
    controls().settings().counts_traffic = true;
  }
  void TearDown() override {
    controls().reset();
    controls().clear_traffic();
    CublasLtDouble::TearDown();
  }
};

TEST_F(CudaDoubleTraffic, Neighbouring_lanes_at_neighbouring_addresses_touch_the_fewest_sectors) {
  const Traffic of_float = traffic_of(StridedKernel<float>{.n = 256, .step = 1}, 2, 64);
  EXPECT_EQ(of_float.accesses, 16);  // four of each of four warps: two loads and two stores
  EXPECT_EQ(of_float.sectors, 16 * 4);
  EXPECT_EQ(of_float.least_sectors, of_float.sectors);
  EXPECT_EQ(of_float.blocks, 2u);
  EXPECT_EQ(of_float.threads, 64u);
  EXPECT_EQ(of_float.longest_chain, 2);
  EXPECT_EQ(of_float.kernel, "StridedKernel<float>");
  const Traffic of_double = traffic_of(StridedKernel<double>{.n = 64, .step = 1});
  EXPECT_EQ(of_double.sectors, 4 * 8);
  EXPECT_EQ(of_double.least_sectors, of_double.sectors);
}

TEST_F(CudaDoubleTraffic, Lanes_that_lie_apart_touch_a_sector_each) {
  const Traffic apart = traffic_of(StridedKernel<float>{.n = 64, .step = 32});
  EXPECT_EQ(apart.sectors, 2 * (32 + 4));  // loads of two warps, and their stores
  EXPECT_EQ(apart.least_sectors, 2 * (4 + 4));
  const Traffic pairs = traffic_of(StridedKernel<float>{.n = 64, .step = 2});
  EXPECT_EQ(pairs.sectors, 2 * (8 + 4));
  const Traffic beside = traffic_of(StridedKernel<float>{.n = 64, .step = 1, .first = 1});
  EXPECT_EQ(beside.sectors, 2 * (5 + 4));
  EXPECT_EQ(beside.least_sectors, 2 * (4 + 4));
}

TEST_F(CudaDoubleTraffic, Lanes_at_one_address_touch_one_sector_and_need_one) {
  const Traffic same = traffic_of(StridedKernel<float>{.n = 64, .step = 0, .first = 3});
  EXPECT_EQ(same.sectors, 2 * (1 + 4));
  EXPECT_EQ(same.least_sectors, same.sectors);
}

TEST_F(CudaDoubleTraffic, A_loop_is_as_long_as_a_thread_comes_to_its_load) {
  const Traffic rows = traffic_of(StridedKernel<float>{.n = 40, .step = 1, .rows = 50, .stride = 64}, 1, 64);
  EXPECT_EQ(rows.longest_chain, 50);
  EXPECT_EQ(rows.accesses, 2 * 50 + 2);
  EXPECT_EQ(rows.sectors, 50 * (4 + 1) + (4 + 1));  // the second warp has eight lanes that work
  EXPECT_EQ(rows.least_sectors, rows.sectors);
}

TEST_F(CudaDoubleTraffic, Packs_of_sixteen_bytes_are_one_access_and_touch_the_fewest_sectors) {
  const Traffic packs = traffic_of(PackKernel{.n = 64});
  EXPECT_EQ(packs.accesses, 2 * 2);
  EXPECT_EQ(packs.sectors, 2 * (16 + 16));
  EXPECT_EQ(packs.least_sectors, packs.sectors);
}

TEST_F(CudaDoubleTraffic, Lanes_that_leave_out_turns_meet_the_others_in_the_next) {
  const Traffic even = traffic_of(UnevenKernel{.rows = 50, .skips = false, .nests = false}, 1, 32);
  EXPECT_EQ(even.accesses, 50 + 1);
  EXPECT_EQ(even.sectors, 4 * 51);
  const Traffic skipping = traffic_of(UnevenKernel{.rows = 50, .skips = true, .nests = false}, 1, 32);
  EXPECT_EQ(skipping.accesses, 50 + 1);
  EXPECT_EQ(skipping.longest_chain, 50);
  EXPECT_EQ(skipping.sectors, 4 * 51);
  EXPECT_EQ(skipping.least_sectors, 25 * 4 + 25 * 2 + 4);  // every other lane has half of the bytes
}

TEST_F(CudaDoubleTraffic, Lanes_whose_inner_loops_are_of_unequal_length_meet_in_the_outer_one) {
  for (const bool skips : {false, true}) {
    const Traffic nested = traffic_of(UnevenKernel{.rows = 20, .skips = skips, .nests = true}, 1, 32);
    EXPECT_EQ(nested.accesses,
              20 + 1 + (skips ? 10 * 2 + 10 * 3 : 20 * 3));  // lanes of 2 have two, of 3 three
    EXPECT_EQ(nested.longest_chain, 20 + (skips ? 50 : 60));
    EXPECT_EQ(nested.sectors, 4 * nested.accesses);
  }
}

TEST_F(CudaDoubleTraffic, Threads_that_a_multiprocessor_holds_are_those_of_its_blocks_up_to_its_limits) {
  const auto held = [&](unsigned blocks, unsigned threads) {
    return traffic_of(StridedKernel<float>{.n = 64, .step = 1}, blocks, threads).held_threads;
  };
  EXPECT_EQ(held(1, 64), 64u);
  EXPECT_EQ(held(132, 64), 64u);
  EXPECT_EQ(held(133, 64), 128u);
  EXPECT_EQ(held(132 * 40, 32), 1024u);  // 32 blocks
  EXPECT_EQ(held(132 * 9, 256), 2048u);
}

TEST_F(CudaDoubleTraffic, Is_counted_where_it_is_wanted_alone) {
  controls().settings().counts_traffic = false;
  EXPECT_EQ(traffic_of(StridedKernel<float>{.n = 64, .step = 1}).accesses, 0);
  EXPECT_TRUE(controls().traffic().empty());
}

}  // namespace
}  // namespace glia::cuda_double

// The one __global__ function, and the Block that a kernel functor sees inside it: CUDA's threads, warps and
// shared memory under the names of kernels/block.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/kernels.h>   // defines: KernelParameter, most_threads
#include <kernels/block.h>  // defines: Range, math::max_nan

#include <cstdint>

namespace glia::cuda {

constexpr unsigned whole_warp = 0xffffffffu;

/// One-dimensional blocks of whole warps; a group is a warp. All reductions add in an order fixed by the
/// block's size, so results repeat bit for bit.
class CudaBlock {
 public:
  static constexpr int tile = 1;

  __device__ std::int64_t index() const { return blockIdx.x; }
  __device__ std::int64_t count() const { return gridDim.x; }
  __device__ std::int64_t rank() const { return threadIdx.x; }
  __device__ std::int64_t size() const { return blockDim.x; }
  __device__ std::int64_t lane() const { return threadIdx.x % warp_threads; }
  __device__ std::int64_t lanes() const { return warp_threads; }
  __device__ std::int64_t group() const { return threadIdx.x / warp_threads; }
  __device__ std::int64_t groups() const { return blockDim.x / warp_threads; }

  /// Neighbouring threads take neighbouring elements, so that a warp's accesses are one.
  __device__ kernels::Range<std::int64_t> elements(std::int64_t n) const {
    return {static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x, n,
            static_cast<std::int64_t>(gridDim.x) * blockDim.x};
  }

  /// Neighbouring blocks run at the same time, and so read neighbouring rows.
  __device__ kernels::Range<std::int64_t> rows(std::int64_t n) const {
    return {static_cast<std::int64_t>(blockIdx.x), n, static_cast<std::int64_t>(gridDim.x)};
  }
  __device__ kernels::Range<std::int64_t> group_rows(std::int64_t n) const {
    return {index() * groups() + group(), n, count() * groups()};
  }

  __device__ void sync() const { __syncthreads(); }

  template <class T>
  __device__ T sum(T x) const {
    __shared__ T sums[most_threads / warp_threads];
    x = group_sum(x);
    if (lane() == 0) sums[group()] = x;
    __syncthreads();
    T total = 0;
    for (std::int64_t g = 0; g < groups(); ++g) total += sums[g];
    __syncthreads();  // the next sum writes there again
    return total;
  }
  /// Those of a warp by a butterfly, and what the warps have in their order.
  template <int most, int n>
  __device__ void sum_down(double (&x)[n], std::int64_t across) const {
    constexpr int widest = warp_threads / most;  // across, at most
    __shared__ double sums[most_threads / warp_threads][widest * n];
    for (unsigned distance = static_cast<unsigned>(across); distance < warp_threads; distance *= 2)
      for (int k = 0; k < n; ++k) x[k] += __shfl_xor_sync(whole_warp, x[k], distance);
    const std::int64_t column = lane() & (across - 1);
    if (lane() < across)
      for (int k = 0; k < n; ++k) sums[group()][k * widest + column] = x[k];
    __syncthreads();
    for (int k = 0; k < n; ++k) {
      x[k] = 0;
      for (std::int64_t g = 0; g < groups(); ++g) x[k] += sums[g][k * widest + column];
    }
    __syncthreads();  // the next sum writes there again
  }
  template <int most, class T, int n>
  __device__ double sum_of(const T (&x)[n], std::int64_t across, std::int64_t i) const {
    constexpr int widest = warp_threads / most;  // across, at most
    __shared__ double sums[most_threads / warp_threads][widest * n];
    T mine[n];
    for (int k = 0; k < n; ++k) mine[k] = x[k];
    for (unsigned distance = static_cast<unsigned>(across); distance < warp_threads; distance *= 2)
      for (int k = 0; k < n; ++k) mine[k] += __shfl_xor_sync(whole_warp, mine[k], distance);
    const std::int64_t column = lane() & (across - 1);
    if (lane() < across)
      for (int k = 0; k < n; ++k) sums[group()][k * widest + column] = static_cast<double>(mine[k]);
    __syncthreads();
    double total = 0;
    for (std::int64_t g = 0; g < groups(); ++g) total += sums[g][i * widest + column];
    __syncthreads();  // the next sum writes there again
    return total;
  }
  /// Butterfly: every lane adds the same pairs, so every lane has the same bits.
  template <class T>
  __device__ T group_sum(T x) const {
    for (unsigned distance = warp_threads / 2; distance > 0; distance /= 2)
      x += __shfl_xor_sync(whole_warp, x, distance);
    return x;
  }
  template <class T>
  __device__ T group_max(T x) const {
    for (unsigned distance = warp_threads / 2; distance > 0; distance /= 2)
      x = math::max_nan(x, __shfl_xor_sync(whole_warp, x, distance));
    return x;
  }
  template <class T>
  __device__ T group_get(T x, std::int64_t lane) const {
    return __shfl_sync(whole_warp, x, static_cast<int>(lane));
  }
  template <class T>
  __device__ std::int64_t group_first_max(T x, std::int64_t i) const {
    for (unsigned distance = warp_threads / 2; distance > 0; distance /= 2) {
      const T other = __shfl_xor_sync(whole_warp, x, distance);
      const auto other_i =
          static_cast<std::int64_t>(__shfl_xor_sync(whole_warp, static_cast<long long>(i), distance));
      if (other > x || (other == x && other_i < i)) x = other, i = other_i;
    }
    return i;
  }
};

/// Runs one functor on every block of a launch.
template <class Kernel>
__global__ void __launch_bounds__(most_threads, 1) run(const __grid_constant__ KernelParameter parameter) {
  CudaBlock block;
  (*reinterpret_cast<const Kernel*>(parameter.bytes))(block);
}

}  // namespace glia::cuda

// What nvcc knows of itself and g++ does not: threads, barriers and shuffles, on fibres. Included before cuda/kernels.cu when
// it is compiled for the double, so that kernels and CudaBlock run as they stand.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#define __shared__ static  // one block runs at a time
#define __launch_bounds__(...)
#include <cuda_runtime_api.h>

#include <cstdint>
#include <cstring>

namespace glia::cuda_double {

uint3 thread_index();
uint3 block_index();
dim3 block_size();
dim3 grid_size();
void block_barrier();
/// The value of that lane; the whole warp must come.
std::uint64_t exchange(unsigned mask, std::uint64_t bits, int lane);

}  // namespace glia::cuda_double

#define threadIdx (::glia::cuda_double::thread_index())
#define blockIdx (::glia::cuda_double::block_index())
#define blockDim (::glia::cuda_double::block_size())
#define gridDim (::glia::cuda_double::grid_size())

inline void __syncthreads() { ::glia::cuda_double::block_barrier(); }

template <class T>
T __shfl_sync(unsigned mask, T value, int lane) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = ::glia::cuda_double::exchange(mask, bits, lane);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int distance) {
  constexpr unsigned warp = 32;
  return __shfl_sync(mask, value, static_cast<int>(threadIdx.x % warp) ^ distance);
}

// The kernels of LearnedSwish. They are launched on the stream that Glia gives, which mostly captures them in a graph: nothing here
// waits or allocates.
// SPDX-License-Identifier: Apache-2.0
#include "custom_layer.h"

#include <algorithm>

namespace {

constexpr unsigned threads = 256;

__global__ void forward(const SwishForward d) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < d.n;
       i += step) {
    const float s = 1 / (1 + expf(-d.b[i % d.units] * d.x[i]));
    d.s[i] = s;
    d.y[i] = d.x[i] * s;
  }
}

/// A block for each unit. What its threads summed is added in an order that is always the same, so that bits repeat.
__global__ void backward(const SwishBackward d) {
  __shared__ float sums[threads];
  const std::int64_t unit = blockIdx.x, rows = d.n / d.units;
  float sum = 0;
  for (std::int64_t row = threadIdx.x; row < rows; row += blockDim.x) {
    const std::int64_t i = row * d.units + unit;
    const float s = d.s[i], x = d.x[i], slope = s * (1 - s);
    if (d.dx) d.dx[i] = d.dy[i] * (s + d.b[unit] * x * slope);
    sum += d.dy[i] * x * x * slope;
  }
  sums[threadIdx.x] = sum;
  for (unsigned half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (d.db && threadIdx.x == 0) d.db[unit] = sums[0];
}

const char* error() {
  const cudaError_t last = cudaGetLastError();
  return last == cudaSuccess ? nullptr : cudaGetErrorString(last);
}

}  // namespace

const char* swish_forward(const SwishForward& call, void* stream) {
  const std::int64_t blocks = std::min<std::int64_t>((call.n + threads - 1) / threads, 1024);
  forward<<<static_cast<unsigned>(blocks), threads, 0, static_cast<cudaStream_t>(stream)>>>(call);
  return error();
}

const char* swish_backward(const SwishBackward& call, void* stream) {
  backward<<<static_cast<unsigned>(call.units), threads, 0, static_cast<cudaStream_t>(stream)>>>(call);
  return error();
}

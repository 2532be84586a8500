// GLIA_HD marks scalar mathematics that runs on the host and on a CUDA device. It is always inlined: kernels
// are compiled once for each instruction set, and an out-of-line copy would be merged by the linker across
// them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#if defined(__CUDACC__)
#define GLIA_HD __host__ __device__ __forceinline__
#else
#define GLIA_HD inline __attribute__((always_inline))
#endif

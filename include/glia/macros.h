// GLIA_HD marks scalar mathematics that runs on the host and on a CUDA device. It is always inlined: kernels
// are compiled once for each instruction set, and an out-of-line copy would be merged by the linker across
// them; but for GLIA_HD_CALL, which is called: for what is large, seldom wanted, and within a namespace of its instruction set.
// Before a loop, GLIA_UNROLL says that its few turns are to be written out, and GLIA_INDEPENDENT that no turn reads what
// another writes. GLIA_API, before the name of a namespace, makes what is declared there part of the shared library's interface,
// whatever the visibility of symbols that it or its user is compiled with.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#if defined(__CUDACC__)
#define GLIA_HD __host__ __device__ __forceinline__
#define GLIA_HD_CALL __host__ __device__ __noinline__
#else
#define GLIA_HD inline __attribute__((always_inline))
#define GLIA_HD_CALL inline __attribute__((noinline))
#endif

#if defined(__CUDA_ARCH__) || (defined(__clang__) && !defined(__CUDACC__))
#define GLIA_UNROLL _Pragma("unroll")
#elif defined(__CUDACC__)  // what nvcc gives to the host's compiler
#define GLIA_UNROLL
#else
#define GLIA_UNROLL _Pragma("GCC unroll 32")
#endif

#if defined(__CUDACC__)
#define GLIA_INDEPENDENT
#elif defined(__clang__)
#define GLIA_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define GLIA_INDEPENDENT _Pragma("GCC ivdep")
#endif

#if !defined(GLIA_API)
#define GLIA_API [[gnu::visibility("default")]]
#endif

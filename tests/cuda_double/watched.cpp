// What g++ calls at each access of a kernel that it compiles with -fsanitize=kernel-address, in the place of the sanitizer's
// own library (linux/mm/kasan): loads must be of what was written, and stores write it.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda_double/double.h"

namespace glia::cuda_double {

bool has_watched_kernels() { return true; }

}  // namespace glia::cuda_double

using namespace glia::cuda_double;

#define GLIA_ACCESSES_OF(bytes)                                                                       \
  void __asan_load##bytes##_noabort(const void* address) { expect_written(address, bytes, nullptr); } \
  void __asan_store##bytes##_noabort(const void* address) { mark_written(address, bytes); }

extern "C" {

GLIA_ACCESSES_OF(1)
GLIA_ACCESSES_OF(2)
GLIA_ACCESSES_OF(4)
GLIA_ACCESSES_OF(8)
GLIA_ACCESSES_OF(16)
void __asan_loadN_noabort(const void* address, std::size_t bytes) { expect_written(address, bytes, nullptr); }
void __asan_storeN_noabort(const void* address, std::size_t bytes) { mark_written(address, bytes); }

// Of variables of a test, and of functions that throw: nothing to be told.
void __asan_before_dynamic_init(const char*) {}
void __asan_after_dynamic_init() {}
void __asan_handle_no_return() {}

}  // extern "C"

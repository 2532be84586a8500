// What g++ calls at each access of a kernel that it compiles with -fsanitize=kernel-address, and at each step with
// -fsanitize-coverage=trace-pc, in the place of the sanitizers' own library (linux/mm/kasan, linux/kernel/kcov.c): loads must be
// of what was written, stores write it, and both are counted where that is wanted.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda_double/double.h"

namespace glia::cuda_double {

bool has_watched_kernels() { return true; }

}  // namespace glia::cuda_double

using namespace glia::cuda_double;

namespace {

void load(const void* address, std::size_t bytes, const void* place) {
  if (counts_now) note_access(address, bytes, place, true);
  expect_written(address, bytes, nullptr);
}
void store(const void* address, std::size_t bytes, const void* place) {
  if (counts_now) note_access(address, bytes, place, false);
  mark_written(address, bytes);
}

}  // namespace

#define GLIA_PLACE __builtin_return_address(0)
#define GLIA_ACCESSES_OF(bytes)                                                                \
  void __asan_load##bytes##_noabort(const void* address) { load(address, bytes, GLIA_PLACE); } \
  void __asan_store##bytes##_noabort(const void* address) { store(address, bytes, GLIA_PLACE); }

extern "C" {

GLIA_ACCESSES_OF(1)
GLIA_ACCESSES_OF(2)
GLIA_ACCESSES_OF(4)
GLIA_ACCESSES_OF(8)
GLIA_ACCESSES_OF(16)
void __asan_loadN_noabort(const void* address, std::size_t bytes) { load(address, bytes, GLIA_PLACE); }
void __asan_storeN_noabort(const void* address, std::size_t bytes) { store(address, bytes, GLIA_PLACE); }

// Of each stretch of code without a jump.
void __sanitizer_cov_trace_pc() {
  if (counts_now) note_step(GLIA_PLACE);
}

// Of variables of a test, and of functions that throw: nothing to be told.
void __asan_before_dynamic_init(const char*) {}
void __asan_after_dynamic_init() {}
void __asan_handle_no_return() {}

}  // extern "C"

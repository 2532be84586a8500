// The main() of every test program. Beyond GoogleTest's own: a filter that lets nothing through is a failure, and a run
// whose every case was skipped ends with 77, which ctest shows as skipped.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "tests/devices.h"

// What the sanitizers' libraries look for in a program; they see only what is not hidden. An allocation that cannot be had is
// to return null, as an allocator's does, and not to end the program; glibc keeps the paths of $LOCPATH that setlocale split.
#define GLIA_SEEN_BY_SANITIZERS extern "C" __attribute__((visibility("default"), used))
GLIA_SEEN_BY_SANITIZERS const char* __asan_default_options() { return "allocator_may_return_null=1"; }
GLIA_SEEN_BY_SANITIZERS const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
GLIA_SEEN_BY_SANITIZERS const char* __lsan_default_suppressions() { return "leak:__argz_add_sep\n"; }

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  const int status = RUN_ALL_TESTS();
  glia::test::shared_contexts().clear();  // before what they use is unloaded
  if (::testing::GTEST_FLAG(list_tests)) return status;

  const ::testing::UnitTest& tests = *::testing::UnitTest::GetInstance();
  if (tests.test_to_run_count() == 0) {
    std::cerr << "the filter " << ::testing::GTEST_FLAG(filter) << " lets no test through\n";
    return 1;
  }
  return status == 0 && tests.skipped_test_count() == tests.test_to_run_count() ? 77 : status;
}

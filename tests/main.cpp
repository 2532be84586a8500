// The main() of every test program. Beyond GoogleTest's own: a filter that lets nothing through is a failure, and a run
// whose every case was skipped ends with 77, which ctest shows as skipped.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "tests/devices.h"

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

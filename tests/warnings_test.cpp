// Warnings: a line on std::cerr unless somebody listens, each told once.
// SPDX-License-Identifier: Apache-2.0
#include <glia/warnings.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace glia {
namespace {

TEST(Warnings, Are_lines_on_cerr_until_somebody_listens_and_each_is_told_once) {
  ::testing::internal::CaptureStderr();
  detail::warn("one");
  detail::warn("two");
  detail::warn("one");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "glia: warning: one\nglia: warning: two\n");

  std::vector<std::string> heard;
  const WarningHandler before =
      set_warning_handler([&](const std::string& message) { heard.push_back(message); });
  ::testing::internal::CaptureStderr();
  for (const char* message : {"one", "three", "one", "three"}) detail::warn(message);
  EXPECT_EQ(heard, (std::vector<std::string>{"one", "three"}));

  set_warning_handler({});
  detail::warn("four");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");

  set_warning_handler(before);
  ::testing::internal::CaptureStderr();
  detail::warn("four");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "glia: warning: four\n");
}

TEST(Warnings, Come_from_any_thread_and_a_handler_may_replace_itself) {
  std::atomic<int> heard{0};
  const WarningHandler before = set_warning_handler([&](const std::string&) { ++heard; });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([] {
      for (int message = 0; message < 50; ++message) detail::warn(std::to_string(message));
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(heard, 50);
  set_warning_handler([&](const std::string&) { set_warning_handler({}); });
  detail::warn("a");
  detail::warn("b");
  EXPECT_EQ(heard, 50);
  set_warning_handler(before);
}

}  // namespace
}  // namespace glia

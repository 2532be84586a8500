// Expects a call to throw one error type, with a message that says certain things.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/error.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace glia::test {

/// Expects `action` to throw exactly ErrorType, its message holding every one of `parts`.
template <class ErrorType>
void expect_error(const std::function<void()>& action, const std::vector<std::string>& parts) {
  try {
    action();
    FAIL() << "nothing was thrown";
  } catch (const ErrorType& error) {
    const std::string message = error.what();
    for (const std::string& part : parts)
      EXPECT_NE(message.find(part), std::string::npos) << "no \"" << part << "\" in: " << message;
    EXPECT_GT(error.where().line, 0);
  } catch (const std::exception& error) {
    FAIL() << "another type: " << error.what();
  }
}

}  // namespace glia::test

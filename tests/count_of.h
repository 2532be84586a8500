// How often a word stands in a text, such as a program's explain().
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace glia::test {

inline int count_of(const std::string& word, const std::string& text) {
  int count = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

}  // namespace glia::test

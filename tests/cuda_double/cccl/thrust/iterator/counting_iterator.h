// The double of Thrust's iterator that counts.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace thrust {

template <class T>
struct counting_iterator {
  explicit counting_iterator(T start) : first(start) {}
  T first;
};

}  // namespace thrust

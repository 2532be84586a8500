// Who writes and who reads what, in a list of descriptors: what passes that join some of them ask. What goes into a producer is
// computed where that stands, so a pattern fits only where nobody else writes what is read there, or touches what is written there,
// in between. Parts of a temporary overlap it: whoever reads or writes one has a say in what happens to the whole.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>

#include <cstddef>
#include <variant>
#include <vector>

namespace glia::dataflow {

using Descriptors = std::vector<Descriptor>;
constexpr std::size_t none = static_cast<std::size_t>(-1);

/// Whether a descriptor has an operand for which `wanted(view, access)` holds.
template <class Wanted>
bool any_operand(const Descriptor& descriptor, const Wanted& wanted) {
  bool any = false;
  for_each_operand(descriptor, [&](const View& v, Access access) { any |= wanted(v, access); });
  return any;
}

/// The one descriptor that writes `view`, the same elements of it; or none, where it is written in parts or more than once.
std::size_t producer(const Descriptors& descriptors, const View& view);

/// Those that read `view` or a part of it.
std::vector<std::size_t> consumers(const Descriptors& descriptors, const View& view);

/// Whether what the descriptor `from` does not do yet may read `view` there as well as at `to`: nobody writes it from there on.
bool reads_alike(const Descriptors& descriptors, std::size_t from, std::size_t to, const View& view);

/// Whether `view` may be written by the descriptor `from` as well as by `to`, contiguous as most want it and aligned as
/// libraries do: nobody touches it from there on.
bool writes_alike(const Descriptors& descriptors, std::size_t from, std::size_t to, const View& view);

template <class Kind>
Kind* find(Descriptors& descriptors, std::size_t index) {
  return index == none ? nullptr : std::get_if<Kind>(&descriptors[index]);
}

inline void erase(Descriptors& descriptors, std::size_t index) {
  descriptors.erase(descriptors.begin() + static_cast<std::ptrdiff_t>(index));
}

}  // namespace glia::dataflow

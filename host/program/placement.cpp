// Placement: the largest temporaries first, each at the lowest offset that is free for its whole life.
// SPDX-License-Identifier: Apache-2.0
#include <host/program/placement.h>

#include <algorithm>
#include <map>

namespace glia {
namespace {

struct Temporary {
  std::int32_t number;
  std::int64_t bytes;
  std::size_t first, last;  ///< descriptors
  std::int64_t offset = 0;

  bool lives_with(const Temporary& other) const { return first <= other.last && other.first <= last; }
};

std::vector<Temporary> temporaries_of(const std::vector<Descriptor>& descriptors) {
  std::map<std::int32_t, Temporary> found;
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    for_each_operand(descriptors[i], [&](const View& view, Access) {
      if (view.buffer != Buffer::arena) return;
      Temporary& t = found.try_emplace(view.temporary, Temporary{view.temporary, 0, i, i}).first->second;
      t.bytes = std::max(t.bytes, align_up(view.offset + view.span() * size_of(view.dtype)));
      t.last = i;
    });
  }
  std::vector<Temporary> result;
  for (const auto& [number, temporary] : found) result.push_back(temporary);
  return result;
}

/// The lowest offset at which `wanted` meets none of `placed` that it lives with; those are sorted by offset.
std::int64_t free_offset(const Temporary& wanted, const std::vector<Temporary>& placed) {
  std::int64_t offset = 0;
  for (const Temporary& other : placed) {
    if (!wanted.lives_with(other)) continue;
    if (offset + wanted.bytes <= other.offset) break;
    offset = std::max(offset, other.offset + other.bytes);
  }
  return offset;
}

}  // namespace

std::int64_t place(std::vector<Descriptor>& descriptors) {
  std::vector<Temporary> waiting = temporaries_of(descriptors), placed;
  std::stable_sort(waiting.begin(), waiting.end(),
                   [](const Temporary& a, const Temporary& b) { return a.bytes > b.bytes; });
  std::map<std::int32_t, std::int64_t> offsets;
  std::int64_t total = 0;
  for (Temporary& temporary : waiting) {
    temporary.offset = free_offset(temporary, placed);
    total = std::max(total, temporary.offset + temporary.bytes);
    offsets[temporary.number] = temporary.offset;
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), temporary,
                         [](const Temporary& a, const Temporary& b) { return a.offset < b.offset; }),
        temporary);
  }
  for (Descriptor& descriptor : descriptors)
    for_each_operand(descriptor, [&](View& view, Access) {
      if (view.buffer == Buffer::arena) view.offset += offsets.at(view.temporary);
    });
  return total;
}

}  // namespace glia

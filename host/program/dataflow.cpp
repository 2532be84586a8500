// Dataflow: looking through a list for who writes and who reads.
// SPDX-License-Identifier: Apache-2.0
#include <host/program/dataflow.h>

namespace glia::dataflow {

std::size_t producer(const Descriptors& descriptors, const View& view) {
  std::size_t found = none;
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    bool whole = false;
    const bool writes = any_operand(descriptors[i], [&](const View& v, Access access) {
      const bool here = access != Access::read && v.overlaps(view);
      whole |= here && v.same_elements(view);
      return here;
    });
    if (!writes) continue;
    if (!whole || found != none) return none;
    found = i;
  }
  return found;
}

std::vector<std::size_t> consumers(const Descriptors& descriptors, const View& view) {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < descriptors.size(); ++i)
    if (any_operand(descriptors[i], [&](const View& v, Access access) {
          return access != Access::write && v.overlaps(view);
        }))
      result.push_back(i);
  return result;
}

bool reads_alike(const Descriptors& descriptors, std::size_t from, std::size_t to, const View& view) {
  for (std::size_t i = from; i < to; ++i)
    if (any_operand(descriptors[i],
                    [&](const View& v, Access access) { return access != Access::read && v.overlaps(view); }))
      return false;
  return true;
}

bool writes_alike(const Descriptors& descriptors, std::size_t from, std::size_t to, const View& view) {
  for (std::size_t i = from; i < to; ++i)
    if (any_operand(descriptors[i], [&](const View& v, Access) { return v.overlaps(view); })) return false;
  return view.is_contiguous() && view.offset % tensor_alignment == 0;
}

}  // namespace glia::dataflow

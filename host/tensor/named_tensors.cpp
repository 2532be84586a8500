// Tensors found by their names.
// SPDX-License-Identifier: Apache-2.0
#include <glia/named.h>  // defines: unknown_name
#include <glia/tensors.h>

#include <utility>

namespace glia {

const NamedTensor& NamedTensors::at_name(const std::string& name) const {
  std::vector<std::string> names;
  for (const NamedTensor& named : *this) {
    if (named.name == name) return named;
    names.push_back(named.name);
  }
  throw ValueError(detail::unknown_name("tensor", name, names));
}

NamedTensor& NamedTensors::at_name(const std::string& name) {
  return const_cast<NamedTensor&>(std::as_const(*this).at_name(name));
}

}  // namespace glia

// Placement: where the temporaries of a Program lie in its arena.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>

#include <cstdint>
#include <vector>

namespace glia {

/// Moves every view of the arena to where its temporary lies, so that temporaries whose lives overlap do not, and returns the
/// bytes needed. A temporary lives from the first descriptor that names it or a part of it to the last, both included, and is
/// as large as its parts reach.
std::int64_t place(std::vector<Descriptor>& descriptors);

}  // namespace glia

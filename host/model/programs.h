// Programs: those that a model keeps, and the arena they share.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/backend.h>
#include <host/model/step.h>  // defines: ProgramKey

#include <functional>
#include <list>
#include <memory>
#include <vector>

namespace glia {

/// Makes a Program of a step's descriptors: fused, rounded, placed, and prepared by the backend. It computes in `arena`, in place of
/// which comes a larger one where that is too small. Throws OutOfMemoryError, and what the backend throws.
Program make_program(const ProgramKey& key, std::vector<Descriptor> step, Backend& backend, Bindings bindings,
                     std::shared_ptr<Memory>& arena);

class Programs {
 public:
  /// The one for this key, or null. Shared, so that the cache may drop it.
  std::shared_ptr<const Program> find(const ProgramKey& key);
  /// Makes one, as make_program does.
  std::shared_ptr<const Program> add(const ProgramKey& key, std::vector<Descriptor> step, Backend& backend,
                                     Bindings bindings);
  void clear() { plans_.clear(); }
  /// And the arena, which programs that were built on it keep until they go.
  void release();

 private:
  /// A Program with what it was built for and the arena it computes in.
  struct Plan {
    struct Built {
      std::shared_ptr<Memory> arena;
      Program program;
    };
    ProgramKey key;
    std::shared_ptr<Built> built;
  };

  std::shared_ptr<Memory> arena_;  // the largest so far
  std::list<Plan> plans_;          // latest used first
};

}  // namespace glia

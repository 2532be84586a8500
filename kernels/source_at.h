// SourceAt: where a step's rows lie.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/step_state.h>  // defines: Source

namespace glia::kernels {
inline namespace GLIA_ISA {

/// A source of a step: where its state says, or as the caller of the run gave it.
struct SourceAt {
  const Source* stated;
  Source given;

  GLIA_HD const Source& operator*() const { return stated ? *stated : given; }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels

// The rows of a step of inference, where a kernel reads or writes them itself: of a view, or of a source, from the cursor on. All
// that such kernels know of sources is here. Inference shuffles nothing.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/dtype.h>       // defines: DType, TypeTag
#include <glia/step_state.h>  // defines: StepState, Source
#include <kernels/block.h>
#include <kernels/source_at.h>

#include <cstdint>

namespace glia::kernels {
inline namespace GLIA_ISA {

struct PassRows {
  const StepState* state;
  SourceAt source;
  void* view;  ///< null: they are the source's
  DType dtype;
  std::int64_t given = -1;  ///< rows of the source, where it was given, and at least one; else below 0

  GLIA_HD void* data() const { return view ? view : (*source).data; }
  /// What numbers that are read are multiplied by.
  GLIA_HD double scale() const { return view ? 1 : (*source).scale; }
  /// Which row of data() is the step's first.
  GLIA_HD std::int64_t first() const { return view || given >= 0 ? 0 : state->cursor; }
  /// The step's row, or where there are fewer another, whose results nobody gets.
  GLIA_HD std::int64_t there(std::int64_t row) const {
    return view || given < 0 || row < given ? row : given - 1;
  }

  /// f(data) with a pointer to numbers of the dtype, which is not bfloat16: no data set's is.
  template <class F>
  static GLIA_HD void visit(DType dtype, const void* data, const F& f) {
    switch (dtype) {
      case DType::float32:
        return f(static_cast<const float*>(data));
      case DType::float64:
        return f(static_cast<const double*>(data));
      case DType::uint8:
        return f(static_cast<const std::uint8_t*>(data));
      case DType::int32:
        return f(static_cast<const std::int32_t*>(data));
      case DType::int64:
        return f(static_cast<const std::int64_t*>(data));
      case DType::bfloat16:
        return;
    }
  }
};

}  // namespace GLIA_ISA
}  // namespace glia::kernels

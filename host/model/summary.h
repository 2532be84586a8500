// The table that Sequential::summary() prints, in Keras's form.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/dtype.h>
#include <glia/shape.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace glia {

/// One layer: "dense", "Dense", the shape of the output for one row, and how many parameters it has.
struct SummaryRow {
  std::string name, type;
  Shape output_shape;
  bool built;
  std::int64_t params;
};

/// Prints the table (76 columns), then counts and sizes for parameters of `dtype`. `optimizer_params` is how
/// many numbers the optimizer keeps, or -1 while there are none yet.
void print_summary(std::ostream& out, const std::string& model_name, const std::vector<SummaryRow>& rows,
                   std::int64_t trainable, std::int64_t non_trainable, std::int64_t optimizer_params,
                   DType dtype);

}  // namespace glia

// The table that Model::summary() prints, in Keras's form.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <host/model/core.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace glia {

/// One layer: "dense", "Dense", the shape of the output for one row, how many parameters it has, and what it reads.
struct SummaryRow {
  std::string name, type;
  Shape output_shape;
  bool built;
  std::int64_t params;
  std::string connected_to = {};
};

struct Summary {
  std::string name;  ///< of the model
  std::vector<SummaryRow> rows;
  std::int64_t trainable, non_trainable;
  std::int64_t optimizer;  ///< how many numbers the optimizer keeps, or -1 while there are none yet
  DType dtype = DType::float32;
  bool is_chain = true;  ///< whose layers read one another in turn, so that nothing needs saying
};

Summary summary_of(const Core& model);

/// Prints the table (76 columns; 85 where it is no chain), then counts and sizes.
void print_summary(std::ostream& out, const Summary& summary);

}  // namespace glia

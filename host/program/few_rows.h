// Few rows: a pass over the descriptors of a step of inference.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>

#include <vector>

namespace glia {

/// Makes op::FewRows of products over a few rows, with all that goes with them: a Gather that nobody else reads, the softmax
/// behind, a Scatter, and the end of the step. What is over more rows, over a k too long for plain sums, larger than one launch of plain
/// loops should be, or rounded to bfloat16 stays as it is. To be done after fuse(), in a step of inference: results stay the
/// same up to rounding, and where a Gather and a Scatter go into one FewRows, sources that are read and written may no longer
/// overlap.
void fuse_few_rows(std::vector<Descriptor>& inference);

}  // namespace glia

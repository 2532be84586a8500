// How a product is cut for the threads that share it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/descriptors.h>
#include <host/cpu/kernel_table.h>  // defines: Region

#include <vector>

namespace glia::cpu {

/// A region of the output, and of which of a batch: `product` is of those alone.
struct PartOfProduct {
  op::Matmul product;
  Region region;
};

/// Regions of a product, or of each of a batch of large ones; of small ones some in a call. The same for any number of threads.
std::vector<PartOfProduct> parts_of(const op::Matmul& d);

}  // namespace glia::cpu

// Weights as PyTorch lays them out and calls them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/saving.h>  // defines: MatchBy
#include <host/io/safetensors.h>
#include <host/model/network.h>

#include <vector>

namespace glia {

/// PyTorch's tensors with the names and layouts of the network's weights, where one is meant; others as they are. By name a layer
/// "block/conv1" is the module "block.conv1"; by order the layers with weights are the modules, sorted with numbers as numbers.
std::vector<io::NamedTensor> from_torch(const Network& network, std::vector<io::NamedTensor> tensors,
                                        MatchBy by);

}  // namespace glia

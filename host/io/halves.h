// Floating-point numbers of other widths than a tensor's, as files have them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>
#include <host/io/safetensors_header.h>  // defines: StoredDType

#include <cstddef>
#include <vector>

namespace glia::io {

/// The elements as the file is to have them: the nearest, of two the even one. What is too large becomes infinite.
std::vector<std::byte> stored_bytes(const TensorView& tensor, const StoredDType& stored);

/// Fills a float32 tensor from the halves at `raw`, the back half of its own memory.
void widen(Tensor& tensor, const std::byte* raw, const StoredDType& stored);

}  // namespace glia::io

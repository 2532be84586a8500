// The double of CUB's selection, for the indices that Glia selects: cub.cpp.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>
#include "../../thrust/iterator/counting_iterator.h"

#include <cstddef>
#include <cstdint>

namespace cub {

struct DeviceSelect {
  static cudaError_t Flagged(void* temporary, std::size_t& bytes,
                             thrust::counting_iterator<std::int64_t> numbers, const std::uint8_t* flags,
                             std::int64_t* out, std::int64_t* selected, std::int64_t count,
                             cudaStream_t stream);
};

}  // namespace cub

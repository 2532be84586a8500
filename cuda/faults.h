// Mistakes that can be planted, so that tests show that they would be seen. They are compiled in only with
// GLIA_CUDA_PLANTED_FAULTS, and then $GLIA_CUDA_FAULT names the one that is on.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#if defined(GLIA_CUDA_PLANTED_FAULTS)
#include <cstdlib>
#include <string_view>
#endif

namespace glia::cuda {

#if defined(GLIA_CUDA_PLANTED_FAULTS)
inline bool planted(std::string_view fault) {
  const char* wanted = std::getenv("GLIA_CUDA_FAULT");
  return wanted && fault == wanted;
}
#else
constexpr bool planted(const char*) { return false; }
#endif

}  // namespace glia::cuda

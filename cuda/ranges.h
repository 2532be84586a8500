// Ranges of NVTX, which NVIDIA's tools draw beside the kernels that were launched in them. NVTX is headers alone: it looks for a tool when
// it is first called, and without one a call is a test of a pointer. Without the headers there are no ranges.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define GLIA_HAS_NVTX 1
#else
#define GLIA_HAS_NVTX 0
#endif

#include <cstdlib>
#include <string_view>

namespace glia::cuda {

/// Whether steps are to be launched Op by Op, each in a range: $GLIA_NVTX is set to 1.
inline bool ranges_are_asked_for() {
  const char* asked = std::getenv("GLIA_NVTX");
  return asked && std::string_view(asked) == "1";
}

/// From here to the end of the scope; none where the name is null.
class Range {
 public:
#if GLIA_HAS_NVTX
  explicit Range(const char* name) : there_(name) {
    if (there_) nvtxRangePushA(name);
  }
  ~Range() {
    if (there_) nvtxRangePop();
  }
#else
  explicit Range(const char*) {}
#endif
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;

#if GLIA_HAS_NVTX
 private:
  bool there_;
#endif
};

}  // namespace glia::cuda

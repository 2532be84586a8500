// libFuzzer target: whatever bytes a .npy file has, loading gives a tensor that the file could hold, or a glia::Error.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/numpy.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "tests/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static glia::testing::MemoryFile file;
  file.set(data, size);
  try {
    if (glia::load_npy(file.path()).bytes() > static_cast<std::int64_t>(4 * size)) std::abort();
  } catch (const glia::Error&) {
  }
  return 0;
}

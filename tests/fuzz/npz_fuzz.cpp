// libFuzzer target: whatever bytes a .npz file has, loading gives tensors or a glia::Error.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/numpy.h>

#include <cstddef>
#include <cstdint>

#include "tests/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static glia::testing::MemoryFile file;
  file.set(data, size);
  try {
    glia::load_npz(file.path());
  } catch (const glia::Error&) {
  }
  return 0;
}

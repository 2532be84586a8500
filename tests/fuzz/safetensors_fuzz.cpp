// libFuzzer target: whatever bytes a safetensors file has, loading gives tensors or a glia::Error.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "host/io/safetensors.h"
#include "tests/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static glia::testing::MemoryFile file;
  file.set(data, size);
  try {
    std::int64_t bytes = 0;
    for (const glia::io::NamedTensor& named : glia::io::load_safetensors(file.path()))
      bytes += named.tensor.bytes();
    if (bytes > 2 * static_cast<std::int64_t>(size)) std::abort();  // halves become float32
  } catch (const glia::Error&) {
  }
  return 0;
}

// libFuzzer target: whatever bytes an image has, loading gives pixels or a glia::Error. The first byte says how many
// channels.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/images.h>

#include <cstddef>
#include <cstdint>

#include "tests/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static glia::testing::MemoryFile file;
  file.set(data + 1, size - 1);
  try {
    glia::load_image(file.path(), {.channels = data[0] % 5});
  } catch (const glia::Error&) {
  }
  return 0;
}

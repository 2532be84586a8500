// libFuzzer target: whatever bytes an ONNX file has, loading gives a model or a glia::Error.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/onnx.h>

#include <cstddef>
#include <cstdint>

#include "tests/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static glia::testing::MemoryFile file;
  file.set(data, size);
  try {
    glia::onnx::load(file.path());
  } catch (const glia::Error&) {
  }
  return 0;
}

// libFuzzer target: whatever bytes a file of Keras's has, loading gives a model or a glia::Error. HDF5's own library reads them, too:
// what it does wrong with damaged files is found here with the rest.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/keras.h>
#include <glia/log.h>

#include <cstddef>
#include <cstdint>

#include "tests/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static glia::testing::MemoryFile file;
  static const auto quiet = glia::set_log_handler([](glia::LogLevel, const std::string&) {});
  file.set(data, size);
  try {
    glia::keras::load(file.path(), {.device = glia::Device::cpu()});
  } catch (const glia::Error&) {
  }
  return 0;
}

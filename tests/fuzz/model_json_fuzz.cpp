// Any text is a model or an error of Glia's, and a model's words are a model again.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/model.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  try {
    const std::string json =
        glia::Model::from_json(std::string(reinterpret_cast<const char*>(data), bytes)).to_json();
    if (glia::Model::from_json(json).to_json() != json) std::abort();
  } catch (const glia::Error&) {
  }
  return 0;
}

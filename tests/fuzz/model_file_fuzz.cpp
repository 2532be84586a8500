// libFuzzer target: whatever is said of a model in its file, under a checksum that is right, loading gives a model or a glia::Error.
// The tensors are those of one trained chain.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "host/io/safetensors.h"
#include "tests/fuzz/fuzzed_model.h"

namespace {

/// In memory where that can be.
std::string folder_for_files() {
  for (const char* place : {"/dev/shm/glia-fuzz-XXXXXX", "/tmp/glia-fuzz-XXXXXX"}) {
    std::string folder = place;
    if (::mkdtemp(folder.data())) return folder;
  }
  std::abort();
}

const std::string folder = folder_for_files(), path = folder + "/model.safetensors";

struct Saved {
  Saved() {
    glia::testing::fuzzed_model().save(path);
    tensors = glia::io::load_safetensors(path, &metadata);
    for (const glia::io::NamedTensor& named : tensors) views.push_back({named.name, named.tensor});
  }
  ~Saved() {
    std::remove(path.c_str());
    ::rmdir(folder.c_str());
  }

  glia::io::Metadata metadata;
  std::vector<glia::io::NamedTensor> tensors;
  std::vector<glia::io::NamedView> views;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Saved saved;
  saved.metadata["glia.model"].assign(reinterpret_cast<const char*>(data), size);
  try {
    glia::io::save_safetensors(path, saved.views, saved.metadata, glia::io::Checksum::sha256);
    if (glia::load_model(path, {.device = "cpu"}).epoch() < 0) std::abort();
  } catch (const glia::Error&) {
  }
  return 0;
}

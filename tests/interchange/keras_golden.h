// Files that Keras saved, out of tests/golden/keras.zip, and NumPy's beside them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/keras.h>
#include <glia/numpy.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/io/zip.h"
#include "tests/golden.h"  // defines: golden_folder
#include "tests/memory_file.h"

namespace glia::test {

/// The bytes of a file that Keras saved: "keras_2_graph.h5".
inline std::string golden_file(const std::string& name) {
  const io::ZipReader archive(golden_folder() + "/keras.zip");
  for (std::size_t i = 0; i < archive.members().size(); ++i) {
    if (archive.members()[i].name != name) continue;
    const auto source = archive.open(i);
    std::string bytes(source->size(), '\0');
    source->read(bytes.data(), bytes.size()), source->finish();
    return bytes;
  }
  throw std::runtime_error("tests/golden/keras.zip has no " + name);
}

inline Model loaded(const std::string& bytes, bool compile = true) {
  static testing::MemoryFile file;
  file.set(bytes.data(), bytes.size());
  return keras::load(file.path(), {.compile = compile, .device = Device::cpu()});
}

inline NamedTensors golden_arrays(const std::string& name) {
  static testing::MemoryFile file;
  const std::string bytes = golden_file(name);
  file.set(bytes.data(), bytes.size());
  return load_npz(file.path());
}

}  // namespace glia::test

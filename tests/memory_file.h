// A file that lies in memory, for tests that read very many: no disk is touched.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>

namespace glia::testing {

class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("glia-test", MFD_CLOEXEC)) {}
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(descriptor_); }

  /// Replaces the contents.
  void set(const void* data, std::size_t bytes) {
    if (::ftruncate(descriptor_, 0) != 0 ||
        ::pwrite(descriptor_, data, bytes, 0) != static_cast<ssize_t>(bytes))
      std::abort();
  }
  /// To open it by; in this process only.
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace glia::testing

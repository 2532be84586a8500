// A file read at given offsets: its size is known before anything is allocated for it, and what goes wrong is
// a FileError.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace glia::io {

class InputFile {
 public:
  /// Throws FileError where `path` is missing, not readable, or not a regular file (a pipe has no size).
  explicit InputFile(const std::string& path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  /// Fills `destination` with the `bytes` at `offset`; throws FileError where they are not there.
  void read(std::uint64_t offset, void* destination, std::size_t bytes) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace glia::io

// Bytes read from front to back, wherever they come from: a file, or a member of an archive.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "host/io/input_file.h"  // defines: InputFile

namespace glia::io {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// For messages: "'x.npz', member 'x.npy'".
  virtual std::string name() const = 0;
  /// All that there are.
  virtual std::uint64_t size() const = 0;
  /// The next bytes. Throws FileError where there are fewer, or they are damaged.
  virtual void read(void* destination, std::size_t bytes) = 0;
  /// To be called when all were read: throws FileError where they were others than was promised.
  virtual void finish() {}
};

/// A file's.
class FileSource final : public ByteSource {
 public:
  explicit FileSource(const std::string& path) : file_(path) {}
  std::string name() const override { return "'" + file_.path() + "'"; }
  std::uint64_t size() const override { return file_.size(); }
  void read(void* destination, std::size_t bytes) override {
    file_.read(offset_, destination, bytes);
    offset_ += bytes;
  }

 private:
  InputFile file_;
  std::uint64_t offset_ = 0;
};

}  // namespace glia::io

// Zip archives, read and written by libzip. Where Glia is built without it, both throw FileError, which says what to
// install.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/io/atomic_file.h"  // defines: Bytes
#include "host/io/byte_source.h"  // defines: ByteSource

struct zip;  // libzip's

namespace glia::io {

struct ZipMember {
  std::string name;  ///< in UTF-8
  std::uint64_t bytes = 0;
  std::uint64_t packed_bytes = 0;
};

/// All that an archive's members may unpack to: bombs are larger.
constexpr std::uint64_t max_unpacked_bytes(std::uint64_t file_bytes) {
  return (std::uint64_t{256} << 20) + 100 * file_bytes;
}

/// An archive that is taken for hostile: what its list of members says is checked when it is opened, and what a member
/// holds when it is read. libzip's list takes some 300 bytes a member, where a member has at least 46 of the file.
///
///     ZipReader archive("weights.npz");
///     const std::unique_ptr<ByteSource> source = archive.open(0);
///     source->read(memory, archive.members()[0].bytes), source->finish();
class ZipReader {
 public:
  /// Throws FileError for a file that is missing or no zip archive; whose members have a name twice, are encrypted,
  /// packed in another way than by deflate, overlap, or are more than max_unpacked_bytes.
  explicit ZipReader(const std::string& path);
  ~ZipReader();
  ZipReader(const ZipReader&) = delete;
  ZipReader& operator=(const ZipReader&) = delete;

  const std::vector<ZipMember>& members() const { return members_; }
  /// A member's bytes, unpacked while they are read; `finish` compares size and checksum. The archive must live as
  /// long.
  std::unique_ptr<ByteSource> open(std::size_t member) const;

 private:
  void list(std::uint64_t file_bytes);

  std::string path_;
  zip* archive_ = nullptr;
  std::vector<ZipMember> members_;
};

/// A member to be written: its bytes are those of `parts`, one after the other.
struct ZipContent {
  std::string name;  ///< in UTF-8, no longer than max_zip_name, without a zero byte
  std::vector<Bytes> parts;
};

inline constexpr std::size_t max_zip_name = 65'000;

enum class ZipPacking { stored, deflated };

/// Writes an archive, whole or not at all (write_file_atomically). It is put together in memory. The same contents
/// give the same bytes: no time is stored. Throws FileError, OutOfMemoryError, and ValueError for a name that cannot
/// be or is given twice.
void write_zip(const std::string& path, std::span<const ZipContent> contents, ZipPacking packing);

}  // namespace glia::io
